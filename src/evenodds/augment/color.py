"""Changing the colours of each image by a 4×4 matrix of its own, Karras et al. (2020), appendix B.2.

A matrix acts on (red, green, blue, 1) with colours in [−1, 1], so 0 is the middle grey.
"""

from __future__ import annotations

import math
from typing import Literal

import torch
from torch import Tensor

from .warp import rows

Kind = Literal["gray", "rgb", "premultiplied", "channels"]


def brightness(amount: Tensor) -> Tensor:
    """c + b; (N,) -> (N, 4, 4)."""
    one, zero = torch.ones_like(amount), torch.zeros_like(amount)
    return rows(
        [one, zero, zero, amount],
        [zero, one, zero, amount],
        [zero, zero, one, amount],
        [zero, zero, zero, one],
    )


def contrast(factor: Tensor) -> Tensor:
    """f · c; (N,) -> (N, 4, 4)."""
    one, zero = torch.ones_like(factor), torch.zeros_like(factor)
    return rows(
        [factor, zero, zero, zero], [zero, factor, zero, zero], [zero, zero, factor, zero],
        [zero, zero, zero, one],
    )  # fmt: skip


def luma_flip(flipped: Tensor) -> Tensor:
    """c − 2 v (v·c) where `flipped` is 1, else c, with v the axis of grays; (N,) -> (N, 4, 4)."""
    return _eye(flipped) - 2 * flipped[:, None, None] * _luma(flipped)


def saturation(factor: Tensor) -> Tensor:
    """f · c + (1 − f) v (v·c): colours farther from gray by the factor; (N,) -> (N, 4, 4)."""
    factor = factor[:, None, None]
    keep = _eye(factor)
    keep[3, 3] = 0
    corner = _eye(factor) - keep
    return factor * keep + (1 - factor) * _luma(factor) + corner


def hue(angle: Tensor) -> Tensor:
    """Colours turned about the axis of grays (Rodrigues' formula); (N,) radians -> (N, 4, 4)."""
    sin, cos = angle.sin()[:, None, None], angle.cos()[:, None, None]
    third = 1 / math.sqrt(3)
    cross = angle.new_zeros(4, 4)
    cross[:3, :3] = angle.new_tensor([[0, -third, third], [third, 0, -third], [-third, third, 0]])
    keep = _eye(angle)
    keep[3, 3] = 0
    corner = _eye(angle) - keep
    return cos * keep + (1 - cos) * _luma(angle) + sin * cross + corner


def colored(x: Tensor, matrices: Tensor, kind: Kind) -> Tensor:
    """Every image's colours changed by its matrix.

    Args:
        x: (N, C, H, W) in [−1, 1].
        matrices: (N, 4, 4).
        kind: of the channels.  "gray": 1, taken for a color with three equal parts.  "rgb": 3.
            "premultiplied": 4, colours multiplied by alpha, where −1 is nothing: alpha stays as it is, and
            what is transparent stays so.  "channels": any number, each changed by the matrix' first row
            alone, which may be one of brightness and contrast only.
    """
    linear, offset = matrices[:, :3, :3], matrices[:, :3, 3]
    if kind == "gray":
        factor = linear.sum((1, 2)) / 3
        return x * factor[:, None, None, None] + offset.mean(1)[:, None, None, None]
    if kind == "channels":
        return x * linear[:, 0, 0, None, None, None] + offset[:, 0, None, None, None]
    if kind == "rgb":
        return _mixed(x, linear) + offset[:, :, None, None]
    # c -> M c + t on c in [−1, 1] is q -> M q + a (1 + t − M 1)/2 on q = a (1 + c)/2, colours times alpha
    cover = (x + 1) / 2
    paint, alpha = cover[:, :3], cover[:, 3:]
    lifted = (1 + offset - linear.sum(2)) / 2
    changed = _mixed(paint, linear) + alpha * lifted[:, :, None, None]
    return torch.cat([changed * 2 - 1, x[:, 3:]], 1)


def _mixed(x: Tensor, linear: Tensor) -> Tensor:
    """(N, 3, H, W) by (N, 3, 3), in sums that no setting for matrix products rounds."""
    parts = [(x * linear[:, row, :, None, None]).sum(1) for row in range(3)]
    return torch.stack(parts, 1)


def _eye(like: Tensor) -> Tensor:
    return torch.eye(4, device=like.device, dtype=like.dtype)


def _luma(like: Tensor) -> Tensor:
    """v v^T for v = (1, 1, 1, 0)/√3."""
    v = like.new_tensor([1, 1, 1, 0])
    return torch.outer(v, v) / 3
