"""Moving the pixels of each image by a matrix of its own: one anti-aliased warp, and exact whole-pixel moves.

Both are linear in the image, and differentiable as often as is asked for.  Coordinates are in pixels about
the image's centre, x to the right and y downwards; a matrix takes where a pixel is shown to where it is from.
"""

from __future__ import annotations

import functools
import math
from typing import Any, Literal

import torch
from torch import Tensor
from torch.nn.functional import grid_sample

Outside = Literal["mirrored", "zero"]  # what lies beyond an image's edge
TAPS = 12  # of the low-pass filter, at twice the resolution
KAISER = 4.0  # the filter's window: a transition of about half an octave, and a ripple below 1 %


def warped(x: Tensor, sources: Tensor, outside: Outside) -> Tensor:
    """Every image moved by its matrix: enlarged twice, sampled bilinearly, low-pass filtered, taken back.

    After Karras et al. (2020), appendix B.1, at twice the resolution as there.  The filter here is a
    windowed sinc of as many taps as their wavelet's (sym6): that one is not symmetric and would shift a
    mirrored image by 0.4 pixels.

    Args:
        x: (N, C, H, W) float.
        sources: (N, 3, 3) from places in the result to places in x.
        outside: what is beyond the edge.
    """
    height, width = x.shape[2:]
    up, down = _filters(height, outside, x.device, x.dtype)
    wider, narrower = _filters(width, outside, x.device, x.dtype)
    twice = up @ (x @ wider.mT)  # (N, C, 2H, 2W)
    result: Tensor = (down @ sampled(twice, _grid(sources, height, width), outside)) @ narrower.mT
    return result


def moved(x: Tensor, sources: Tensor, outside: Outside) -> Tensor:
    """Every image moved by its matrix, which takes pixel centres to pixel centres; values stay as they are.

    Args:
        x: (N, C, H, W).
        sources: (N, 3, 3) mirrorings, quarter turns and whole-pixel shifts.
        outside: what is beyond the edge.
    """
    height, width = x.shape[2:]
    columns = torch.arange(width, device=x.device, dtype=sources.dtype) - (width - 1) / 2
    rows = torch.arange(height, device=x.device, dtype=sources.dtype)[:, None] - (height - 1) / 2
    a, b, c, d, e, f = (sources[:, i, j, None, None] for i in range(2) for j in range(3))
    column = (a * columns + b * rows + c + (width - 1) / 2).round().long()  # (N, H, W)
    row = (d * columns + e * rows + f + (height - 1) / 2).round().long()
    index = _mirrored(row, height) * width + _mirrored(column, width)
    index = index.reshape(len(x), 1, -1).expand(-1, x.shape[1], -1)
    result = x.flatten(2).gather(2, index).reshape(x.shape)
    if outside == "mirrored":
        return result
    inside = (row >= 0) & (row < height) & (column >= 0) & (column < width)
    return result * inside[:, None].to(x.dtype)


def _mirrored(index: Tensor, size: int) -> Tensor:
    """… 1 0 | 0 1 … size−1 | size−1 size−2 …: any whole number to 0 … size − 1."""
    index = index.remainder(2 * size)
    return torch.minimum(index, 2 * size - 1 - index)


@functools.lru_cache(maxsize=16)
def _filters(size: int, outside: Outside, device: torch.device, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """(2 size, size) that doubles a row of pixels, and (size, 2 size + 10) that takes it back.

    The filter is h_k = sinc((k − 5.5)/2) · Kaiser window, whose sum is 1: it passes what the smaller image
    can hold.  As matrices, what is beyond the edge included, both are faster than convolutions are on a CPU.
    """
    place = torch.arange(TAPS, dtype=torch.float64) - (TAPS - 1) / 2
    taps = torch.sinc(place / 2) * torch.kaiser_window(TAPS, False, KAISER, dtype=torch.float64)
    taps = taps / taps.sum()
    half = TAPS // 2
    up = torch.zeros(2 * size + 2 * TAPS, size, dtype=torch.float64)
    down = torch.zeros(size, 2 * size + TAPS - 2, dtype=torch.float64)
    pixels = torch.arange(-half // 2, size + half // 2)  # whose filters reach into the image
    for pixel, shown in zip(pixels.tolist(), _mirrored(pixels, size).tolist(), strict=True):
        if outside == "mirrored" or pixel == shown:
            first = 2 * pixel - half + 1 + TAPS
            up[first : first + TAPS, shown] += 2 * taps
        if pixel == shown:
            down[pixel, 2 * pixel : 2 * pixel + TAPS] = taps
    up = up[TAPS:-TAPS]
    return up.to(device, dtype), down.to(device, dtype)


def _grid(sources: Tensor, height: int, width: int) -> Tensor:
    """(N, 2H + 10, 2W + 10, 2) places to sample at, in [−1, 1] from edge to edge.

    Each is the middle of a quarter pixel; the filter that follows needs five more on every side.
    """
    more = TAPS // 2 - 1
    x = (torch.arange(-more, 2 * width + more, device=sources.device, dtype=sources.dtype) + 0.5 - width) / 2
    y = (
        torch.arange(-more, 2 * height + more, device=sources.device, dtype=sources.dtype) + 0.5 - height
    ) / 2
    x, y = x[None, None, :], y[None, :, None]
    a, b, c, d, e, f = (sources[:, i, j, None, None] for i in range(2) for j in range(3))
    return torch.stack([(a * x + b * y + c) * (2 / width), (d * x + e * y + f) * (2 / height)], 3)


def sampled(x: Tensor, grid: Tensor, outside: Outside) -> Tensor:
    """Bilinear interpolation of x at the grid's places, differentiable in x any number of times.

    Args:
        x: (N, C, H, W).
        grid: (N, H', W', 2), fixed; −1 and 1 are the outer edges.
        outside: what is beyond them.
    """
    result: Tensor = _Sampled.apply(x, grid.detach(), outside)  # type: ignore[no-untyped-call]
    return result


class _Sampled(torch.autograd.Function):
    """x -> A x, with its adjoint as derivative: PyTorch before 2.13 can't differentiate grid_sample twice."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, grid: Tensor, outside: Outside) -> Tensor:
        """(N, C, H, W) -> (N, C, H', W')."""
        ctx.save_for_backward(grid)
        ctx.outside, ctx.size = outside, x.shape[2:]
        return _sample(x, grid, outside)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Any:
        """A^T g."""
        (grid,) = ctx.saved_tensors
        back = _Spread.apply(gradients[0], grid, ctx.outside, ctx.size)  # type: ignore[no-untyped-call]
        return back, None, None


class _Spread(torch.autograd.Function):
    """y -> A^T y, the adjoint of `_Sampled`, whose own adjoint is `_Sampled`."""

    @staticmethod
    def forward(ctx: Any, y: Tensor, grid: Tensor, outside: Outside, size: tuple[int, int]) -> Tensor:
        """(N, C, H', W') -> (N, C, H, W)."""
        ctx.save_for_backward(grid)
        ctx.outside = outside
        with torch.enable_grad():
            anywhere = y.new_zeros(*y.shape[:2], *size).requires_grad_()  # A is linear: its slope is the same
            (result,) = torch.autograd.grad(_sample(anywhere, grid, outside), anywhere, y)
        return result

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Any:
        """A g."""
        (grid,) = ctx.saved_tensors
        return sampled(gradients[0], grid, ctx.outside), None, None, None


def _sample(x: Tensor, grid: Tensor, outside: Outside) -> Tensor:
    padding = "reflection" if outside == "mirrored" else "zeros"
    return grid_sample(x, grid, mode="bilinear", padding_mode=padding, align_corners=False)


# Matrices from places in the result to places in the image: the inverse of what is done to the image.


def shift(right: Tensor, down: Tensor) -> Tensor:
    """(N,) pixels that each image is moved by -> (N, 3, 3)."""
    one, zero = torch.ones_like(right), torch.zeros_like(right)
    return rows([one, zero, -right], [zero, one, -down], [zero, zero, one])


def stretch(across: Tensor, along: Tensor) -> Tensor:
    """(N,) factors that each image becomes wider and higher by, −1 mirrors -> (N, 3, 3)."""
    one, zero = torch.ones_like(across), torch.zeros_like(across)
    return rows([1 / across, zero, zero], [zero, 1 / along, zero], [zero, zero, one])


def turn(angle: Tensor) -> Tensor:
    """(N,) radians that each image is turned by, counter-clockwise as seen -> (N, 3, 3)."""
    one, zero, sin, cos = torch.ones_like(angle), torch.zeros_like(angle), angle.sin(), angle.cos()
    return rows([cos, -sin, zero], [sin, cos, zero], [zero, zero, one])


def quarter_turns(number: Tensor) -> Tensor:
    """(N,) whole numbers -> (N, 3, 3); 1 is torch.rot90 of rows and columns."""
    matrix = turn(number * (math.pi / 2))
    return matrix.round()


def rows(*entries: list[Tensor]) -> Tensor:
    """Entries (N,) row by row -> (N, rows, columns)."""
    return torch.stack([torch.stack(row, 1) for row in entries], 1)
