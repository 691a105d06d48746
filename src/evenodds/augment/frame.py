"""What an augmentation has to know of the images: their channels, their range, what is beyond their edge."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from .color import Kind
from .warp import Outside

NEED_THREE = ("hue", "saturation")  # without colours there is nothing to turn or to make stronger
NEED_LUMA = (*NEED_THREE, "lumaflip")


class Frame(NamedTuple):
    """Of all images alike.

    Args:
        kind: of the channels, see `color.colored`.
        low: the least value, that of black, or of nothing.
        high: the largest value.
    """

    kind: Kind
    low: float
    high: float

    @property
    def outside(self) -> Outside:
        """Beyond the edge is nothing where that can be drawn, else the image's mirror image."""
        return "zero" if self.kind == "premultiplied" else "mirrored"

    @property
    def empty(self) -> float:
        """In [−1, 1]: nothing, or the middle grey."""
        return -1.0 if self.kind == "premultiplied" else 0.0

    def allows(self, transformation: str) -> bool:
        """Whether these images have the colours that it needs."""
        if self.kind == "channels":
            return transformation not in NEED_LUMA
        return self.kind != "gray" or transformation not in NEED_THREE


def frame_of(
    sample_shape: tuple[int, ...], value_range: tuple[float, float] | None, premultiplied: bool
) -> Frame:
    """Of images of that shape and range.

    Args:
        sample_shape: (C, H, W).
        value_range: (low, high).
        premultiplied: of 4 channels: colours times alpha, and alpha.

    Raises:
        ValueError: no images, or none of a known range.
    """
    if len(sample_shape) != 3:
        raise ValueError(f"only images are augmented, and an example has {sample_shape}; set augment=null")
    if value_range is None:
        raise ValueError("images are augmented within their range, and it is unknown; set data.value_range")
    kinds: dict[int, Kind] = {1: "gray", 3: "rgb"}
    kind = "premultiplied" if premultiplied else kinds.get(sample_shape[0], "channels")
    return Frame(kind, *value_range)


def plain(transform: Callable[[Tensor], Tensor], x: Tensor, frame: Frame) -> Tensor:
    """`transform`, which works on [−1, 1] and at least 32 bits, on images in their own range.

    Args:
        transform: of (N, C, H, W).
        x: (N, C, H, W).
        frame: the images' range.
    """
    x = x if x.dtype == torch.float64 else x.float()
    if (frame.low, frame.high) == (-1, 1):
        return transform(x)
    half = (frame.high - frame.low) / 2
    return transform((x - frame.low) / half - 1).add(1).mul(half).add(frame.low)
