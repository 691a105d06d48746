"""Networks in ONNX files, run by onnxruntime, which is installed only where it is asked for."""

from __future__ import annotations

import textwrap
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ..errors import ConfigError
from .custom_input import Input

Run = Callable[[Tensor], tuple[Tensor, Tensor | None]]
LOGITS = "logits"  # name of the output that holds them


def open_onnx(path: Path, content: bytes, taken: Input) -> tuple[Run, Input]:
    """A function from prepared images to features and logits, and what it takes.

    Args:
        path: of the file, for messages.
        content: of the file.
        taken: as the user says; sizes and channels that the file fixes hold where it doesn't.

    Raises:
        ConfigError: onnxruntime isn't installed, or the file is no network of one input of images.
    """
    try:
        import onnxruntime
    except ImportError as error:
        raise ConfigError(f"{path} needs onnxruntime; run: pip install 'evenodds[onnx]'") from error
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    options.log_severity_level = 4  # what is wrong comes as an exception
    try:
        session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # its exceptions have no common class of their own
        raise ConfigError(f"{path} is not a usable ONNX file ({_reason(error)}); export it again") from error
    inputs, outputs = session.get_inputs(), [output.name for output in session.get_outputs()]
    if len(inputs) != 1 or inputs[0].type != "tensor(float)" or len(inputs[0].shape) != 4:
        raise ConfigError(f"{path} must have one input of float images (N, C, H, W); export it so")
    batch, *fixed = [size if isinstance(size, int) and size > 0 else None for size in inputs[0].shape]

    def run(x: Tensor) -> tuple[Tensor, Tensor | None]:
        size = batch or len(x)
        found = [_outputs(session, path, inputs[0].name, part, size) for part in x.cpu().split(size)]
        named = {name: torch.cat([part[index] for part in found]) for index, name in enumerate(outputs)}
        return named[outputs[0]], named.get(LOGITS) if outputs[0] != LOGITS else None

    return run, _completed(path, taken, fixed)


def _outputs(session: Any, path: Path, name: str, x: Tensor, size: int) -> list[Tensor]:
    """All outputs for one batch, filled up to `size` with images whose outputs are left out again."""
    filled = torch.cat([x, x[:1].expand(size - len(x), -1, -1, -1)]).contiguous().numpy()
    try:
        found = [torch.from_numpy(array) for array in session.run(None, {name: filled})]
        return [output[: len(x)] if len(output) == size else output for output in found]
    except Exception as error:  # see above
        shape = " × ".join(str(size) for size in x.shape)
        raise ConfigError(
            f"{path} refuses images of {shape} ({_reason(error)}); give size= and channels= after its name"
        ) from error


def _completed(path: Path, taken: Input, fixed: list[int | None]) -> Input:
    """With the channels and size that the file fixes."""
    channels, height, width = fixed
    if channels is not None and channels not in (1, 3):
        raise ConfigError(f"{path} takes images of {channels} channels; give a network of 1 or 3")
    if channels is not None:
        taken = replace(taken, channels=channels)
    if height is None or width is None:
        return taken
    if taken.size not in (None, (height, width)):
        raise ConfigError(f"{path} takes {height} × {width} pixels alone; leave out size=")
    return replace(taken, size=(height, width))


def _reason(error: Exception) -> str:
    return textwrap.shorten(str(error), 160) or type(error).__name__
