"""Rectangles of each image that are painted over."""

from __future__ import annotations

import torch
from torch import Tensor


def rectangles(x: Tensor, left: Tensor, top: Tensor, width: Tensor, height: Tensor) -> Tensor:
    """(N, 1, H, W) bool, True inside; (N,) edges in pixels, which may lie outside the image.

    Args:
        x: (N, C, H, W), for its size.
        left: first column.
        top: first row.
        width: columns.
        height: rows.
    """
    column = torch.arange(x.shape[3], device=x.device)
    row = torch.arange(x.shape[2], device=x.device)[:, None]
    left, top, width, height = (edge[:, None, None] for edge in (left, top, width, height))
    inside = (column >= left) & (column < left + width) & (row >= top) & (row < top + height)
    return inside[:, None]
