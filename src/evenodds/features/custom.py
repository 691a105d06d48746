"""An extractor of one's own: a Python file that makes a network, an ONNX file, or a classifier built here.

A Python file is run, since its user names it as code; the other two hold numbers only.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from torch import Tensor, nn

from ..errors import ConfigError
from ..plugins import blaming, run_file
from .classifying import classifier_of
from .custom_input import Input
from .extractor import FeatureExtractor, Features
from .onnx_file import open_onnx
from .pixels import in_batches, resized, unit
from .weights import read_weights

MODULE = "evenodds_extractor_of_its_user"
BATCH = 64


class Custom:
    """See `FeatureExtractor`.

    Args:
        path: of the file, whose stem is the name.
        sha256: of the file, and of weights that aren't in it.
        run: prepared images (N, C, H, W) to (N, F) features, or to (features, logits).
        taken: what `run` takes.
        sample_shape: of the images that it will be called on, for a trial.
        device: where images are put.

    Raises:
        ConfigError: `run` fails on such images, or gives no (N, F) of finite numbers.
    """

    def __init__(
        self,
        path: Path,
        sha256: str,
        run: Callable[[Tensor], Any],
        taken: Input,
        sample_shape: tuple[int, ...],
        device: str = "cpu",
    ) -> None:
        self.name, self.sha256, self.preprocessing = path.stem, sha256, taken.words()
        self.precision = "float32"
        self._path, self._run, self._taken, self._device = path, run, taken, torch.device(device)
        pixels = torch.arange(2 * math.prod(sample_shape)) % 256
        trial = self(pixels.to(torch.uint8).view(2, *sample_shape))
        self.dim = trial.features.shape[1]
        self.classes: int | None = None if trial.logits is None else trial.logits.shape[1]

    def __call__(self, images: Tensor) -> Features:
        """See `FeatureExtractor`.

        Raises:
            ConfigError: the network fails, or its features are not (N, F) finite numbers.
        """
        return in_batches(images, BATCH, self._extracted)

    def _extracted(self, images: Tensor) -> Features:
        taken = self._taken
        x = unit(images.to(self._device), taken.channels)
        x = resized(x, taken.size) if taken.size else x
        x = x * (taken.high - taken.low) + taken.low
        found = self._run(x)
        features, logits = found if isinstance(found, tuple) and len(found) == 2 else (found, None)
        for what, value in (("features", features), ("logits", logits)):
            if value is not None or what == "features":
                self._check(what, value, len(x))
        return Features(features, logits)

    def _check(self, what: str, value: object, count: int) -> None:
        if not isinstance(value, Tensor):
            kind = type(value).__name__
            raise ConfigError(f"{self._path} gives a {kind}; let it return a tensor (N, F), or two of them")
        if value.ndim != 2 or len(value) != count or not value.shape[1]:
            shape = tuple(value.shape)
            raise ConfigError(
                f"{self._path} gives {what} of the shape {shape} for {count} images; they must be "
                f"({count}, F), so average or flatten what is left of height and width"
            )


def load_custom(path: Path, taken: Input, sample_shape: tuple[int, ...], device: str) -> FeatureExtractor:
    """The extractor in a file.

    A Python file defines `network`: an nn.Module, or a function that makes one; its images are as `taken`
    says, and it returns features (N, F), or features and logits.  An ONNX file's first output are the
    features, its output named logits, if there is one, the logits.  A .safetensors file is one that
    `evenodds extractors build` wrote.

    Args:
        path: the file; its ending says which of them it is.
        taken: what the network takes.
        sample_shape: of the images that it will be called on.
        device: where it runs; ONNX on the CPU.

    Raises:
        ConfigError: the file fails, or doesn't give features; see `Custom`.
        DataError: it can't be read.
    """
    if path.suffix == ".safetensors":
        if taken != Input():
            raise ConfigError(f"{path} knows what it takes; leave out what follows its name")
        return classifier_of(path, device=device)
    if path.suffix == ".onnx":
        content, digest = read_weights(path)
        run, fixed = open_onnx(path, content, taken)
        return Custom(path, digest, run, fixed, sample_shape)
    network = defined(run_file(path, MODULE, "a network"), path, "network")
    network.to(device).eval().requires_grad_(False)

    def guarded(x: Tensor) -> Any:
        with blaming(path):
            return network(x)

    return Custom(path, digest_of(path, network), guarded, taken, sample_shape, device)


def defined(module: ModuleType, path: Path, name: str) -> nn.Module:
    """The network that a file defines under that name.

    Raises:
        ConfigError: it defines none.
    """
    found = getattr(module, name, None)
    if callable(found) and not isinstance(found, nn.Module):
        with blaming(path):
            found = found()
    if not isinstance(found, nn.Module):
        kind = f"{name} is a {type(found).__name__}" if found is not None else f"it defines no {name}"
        raise ConfigError(f"{path}: {kind}; write {name} = an nn.Module, or a function that returns one")
    return found


def digest_of(path: Path, network: nn.Module) -> str:
    """SHA-256 of the file and of every weight: its code decides as much as they do."""
    digest = hashlib.sha256(read_weights(path)[0])
    for name, value in sorted(network.state_dict().items()):
        digest.update(f"{name} {tuple(value.shape)} {value.dtype}".encode())
        digest.update(value.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()
