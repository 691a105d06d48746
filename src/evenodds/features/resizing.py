"""From images to what Inception sees, in the three ways that published scores were computed.

A score depends on the resizer (Parmar, Zhang and Zhu 2022, "On Aliased Resizing and Surprising Subtleties in
GAN Evaluation"): numbers of different modes must not stand side by side.

- tf: what the graph of 2015-12-05 does itself, and with it Heusel et al. 2017: TensorFlow 1's bilinear
  resizing without aligned corners or half-pixel centres, so that output i reads input i·(size/299);
  then (x − 128)/128.
- pytorch: bilinear with half-pixel centres, `interpolate(…, align_corners=False)`; then 2·x/255 − 1.
- clean: Pillow's bicubic, widened where it makes images smaller; in floating point, one channel at a time,
  cut off at 0 and 255 and not rounded; then (x − 128)/128.

Each resizes rows and columns alike and one after the other, so a mode is one matrix (outputs × inputs).
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass

import torch
from torch import Tensor

from ..errors import ConfigError, suggest
from .inception_network import SIZE
from .pixels import opaque

CUBIC = -0.5  # Pillow's parameter a of the cubic kernel (Keys 1981)


@dataclass(frozen=True)
class Mode:
    """How pixels of 0..255 become the network's input: (x − zero)/scale, resized, and cut to `limits`."""

    zero: float
    scale: float
    limits: tuple[float, float] | None = None  # in the network's units; None where resizing can't overshoot


MODES = {
    "tf": Mode(128.0, 128.0),
    "pytorch": Mode(127.5, 127.5),
    "clean": Mode(128.0, 128.0, limits=(-1.0, 127 / 128)),
}


def check_mode(mode: str) -> str:
    """The mode's name, if there is such a mode.

    Raises:
        ConfigError: there is none.
    """
    if mode not in MODES:
        raise ConfigError(f"there is no preprocessing {mode!r} for Inception{suggest(mode, MODES)}")
    return mode


def preprocess(images: Tensor, mode: str) -> Tensor:
    """Images as Inception sees them.

    Args:
        images: uint8 (N, C, H, W): gray, which is repeated; RGB; or RGB multiplied by alpha, and alpha, which
            is laid over white.
        mode: a key of MODES.

    Returns:
        float32 (N, 3, 299, 299), about -1 to 1, channels last in memory.

    Raises:
        ConfigError: there is no such mode, or these are no uint8 images of 1, 3 or 4 channels.
    """
    rule = MODES[check_mode(mode)]
    pixels = opaque(images).permute(0, 2, 3, 1)  # (N, H, W, 1 or 3)
    x = (pixels.to(torch.float32) - rule.zero) / rule.scale
    height, channels = x.shape[1], x.shape[3]
    x = _along_rows(x, mode)  # (N, H, 299, C)
    down = matrix(height, mode).to(x.device, torch.float32).expand(len(x), SIZE, height)
    x = torch.bmm(down, x.reshape(len(x), height, SIZE * channels)).view(-1, SIZE, SIZE, channels)
    if rule.limits is not None:
        x = x.clamp_(*rule.limits)
    return x.expand(-1, -1, -1, 3).permute(0, 3, 1, 2)


def _along_rows(x: Tensor, mode: str) -> Tensor:
    """(N, H, W, C) to (N, H, 299, C), reading only the pixels that have a weight."""
    columns, weights = taps(x.shape[2], mode)
    resized = torch.zeros((*x.shape[:2], SIZE, x.shape[3]), device=x.device)
    for column, weight in zip(columns.to(x.device), weights.to(x.device, torch.float32), strict=True):
        resized.addcmul_(x.index_select(2, column), weight.view(1, 1, SIZE, 1))
    return resized


@functools.lru_cache(maxsize=16)
def taps(size: int, mode: str) -> tuple[Tensor, Tensor]:
    """The inputs that outputs read, and their weights: (K, 299) each, with K the most that any reads."""
    weights = matrix(size, mode)
    most = int((weights != 0).sum(1).max())
    columns = weights.abs().topk(most, dim=1).indices
    return columns.T.contiguous(), weights.gather(1, columns).T.contiguous()


@functools.lru_cache(maxsize=16)
def matrix(size: int, mode: str) -> Tensor:
    """What each of 299 outputs takes of `size` inputs: (299, size) float64; rows sum to 1."""
    outputs = torch.arange(SIZE, dtype=torch.float64)
    if mode == "tf":
        return _two_taps(size, (outputs.float() * (torch.tensor(float(size)) / SIZE)).double())
    if mode == "pytorch":
        return _two_taps(size, ((outputs + 0.5) * (size / SIZE) - 0.5).clamp(min=0))
    return _cubic(size)


def _two_taps(size: int, position: Tensor) -> Tensor:
    """Between the inputs on both sides of each position (299,); beyond the last one, the last one."""
    low = position.floor().long().clamp(max=size - 1)
    share = (position - low)[:, None]
    rows = torch.zeros(SIZE, size, dtype=torch.float64)
    rows.scatter_add_(1, low[:, None], 1 - share)
    return rows.scatter_add_(1, (low[:, None] + 1).clamp(max=size - 1), share)


def _cubic(size: int) -> Tensor:
    """The cubic kernel around each output's centre, stretched by the shrinking factor, cut at the border."""
    factor = size / SIZE
    stretch = max(factor, 1.0)
    reach = 2.0 * stretch
    rows = torch.zeros(SIZE, size, dtype=torch.float64)
    for output in range(SIZE):
        centre = (output + 0.5) * factor
        # Pillow's rounding of the window's ends, which decides about inputs of almost no weight
        first, last = max(int(centre - reach + 0.5), 0), min(int(centre + reach + 0.5), size)
        weights = [_kernel((i - centre + 0.5) / stretch) for i in range(first, last)]
        rows[output, first:last] = torch.tensor(weights, dtype=torch.float64) / math.fsum(weights)
    return rows


def _kernel(distance: float) -> float:
    """Keys' cubic convolution kernel at a distance in inputs (Keys 1981, equation 15)."""
    x, a = abs(distance), CUBIC
    if x < 1:
        return ((a + 2) * x - (a + 3)) * x * x + 1
    return (((x - 5) * x + 8) * x - 4) * a if x < 2 else 0.0
