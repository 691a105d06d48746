"""Small copies of images, for comparing many: means over boxes, whatever the size and the channels."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from .dataset import Array

CHUNK_BYTES = 1 << 26  # of float32 at a time: a memory map of any length passes through this much memory

Floats = NDArray[np.float32]


def chunks(x: Array) -> Iterator[slice]:
    """Consecutive slices of x, each small enough to be turned into float32."""
    step = max(1, CHUNK_BYTES // (4 * max(1, int(np.prod(x.shape[1:])))))
    for start in range(0, len(x), step):
        yield slice(start, min(start + step, len(x)))


def shrunk(x: Array, size: int) -> Floats:
    """Every image as at most size × size boxes, each the mean of its pixels.

    Args:
        x: (N, C, H, W), uint8 or float.
        size: the most rows and columns; an axis that is shorter stays as it is.

    Returns:
        (N, C, min(H, size), min(W, size)) float32, on the scale of x.
    """
    height, width = x.shape[2:]
    out = np.empty((*x.shape[:2], min(height, size), min(width, size)), np.float32)
    for part in chunks(x):
        out[part] = _means(_means(np.asarray(x[part], np.float32), 2, size), 3, size)
    return out


def grey(x: Array) -> Array:
    """The mean over the channels: (N, C, H, W) to (N, 1, H, W)."""
    return np.asarray(x.mean(1, keepdims=True, dtype=np.float32))


def _means(x: Floats, axis: int, size: int) -> Floats:
    """Means over `size` runs of nearly equal length along one axis."""
    length = x.shape[axis]
    if length <= size:
        return x
    if length % size == 0:  # the common case, several times faster
        factor = length // size
        at = [(slice(None),) * axis + (slice(start, None, factor),) for start in range(factor)]
        return np.asarray(sum(x[each] for each in at) / factor, np.float32)
    edges = np.linspace(0, length, size + 1).round().astype(int)
    widths = np.diff(edges).reshape([-1 if at == axis else 1 for at in range(x.ndim)])
    return np.asarray(np.add.reduceat(x, edges[:-1], axis) / widths, np.float32)
