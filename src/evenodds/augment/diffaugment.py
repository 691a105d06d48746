"""DiffAugment, Zhao et al. (2020), "Differentiable Augmentation for Data-Efficient GAN Training"."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from .frame import Frame, frame_of, plain
from .holes import rectangles
from .warp import moved, shift

SHIFT = 0.125  # of the size
HOLE = 0.5  # of the size


class DiffAugment(nn.Module):
    """x -> T(x): every image is changed, each in its own way.

    Args:
        sample_shape: (C, H, W).
        value_range: (low, high) of the images.
        premultiplied: of 4 channels: colours times alpha, and alpha.
        policy: some of color, translation and cutout, done in this order.

    Raises:
        ValueError: no images of a known range, or another policy.
    """

    def __init__(
        self,
        *,
        sample_shape: tuple[int, ...],
        value_range: tuple[float, float] | None,
        premultiplied: bool = False,
        policy: list[str] | tuple[str, ...] = ("color", "translation", "cutout"),
    ) -> None:
        super().__init__()
        unknown = sorted(set(policy) - POLICIES.keys())
        if unknown or not policy:
            found = repr(unknown[0]) if unknown else "nothing"
            raise ValueError(f"policy holds {found}; use some of {', '.join(POLICIES)}")
        self.frame = frame_of(sample_shape, value_range, premultiplied)
        self.policy = _ordered(policy)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> the same, in the range of the data or somewhat beyond it."""
        with torch.autocast(x.device.type, enabled=False):
            return plain(self._transformed, x, self.frame)

    def _transformed(self, x: Tensor) -> Tensor:
        """x in [−1, 1]."""
        for name in self.policy:
            x = POLICIES[name](x, self.frame)
        return x


def recolored(x: Tensor, frame: Frame) -> Tensor:
    """Brightness + U(−½, ½), then saturation · U(0, 2), then contrast · U(½, 3/2) about the image's mean.

    Of premultiplied images the colours are changed where there is something, and alpha stays.
    """
    alpha = (x[:, 3:] + 1) / 2 if frame.kind == "premultiplied" else torch.ones_like(x[:, :1])
    # colours times alpha with 0 for grey: adding b · alpha to them brightens by b
    c = x[:, :3] + 1 - alpha if frame.kind == "premultiplied" else x
    amount, strength, factor = torch.rand(3, len(x), 1, 1, 1, device=x.device, dtype=x.dtype)
    c = c + (amount - 0.5) * alpha
    gray = c.mean(1, keepdim=True)
    c = gray + (c - gray) * (2 * strength)
    mean = c.sum((1, 2, 3), keepdim=True) / (alpha.sum((1, 2, 3), keepdim=True) * c.shape[1]).clamp(min=1)
    c = mean * alpha + (c - mean * alpha) * (factor + 0.5)
    return torch.cat([c - 1 + alpha, x[:, 3:]], 1) if frame.kind == "premultiplied" else c


def translated(x: Tensor, frame: Frame) -> Tensor:
    """By whole pixels up to an eighth of the size, each as likely as any; 0, or nothing, comes in."""
    across, down = (_whole(x, round(size * SHIFT)) for size in (x.shape[3], x.shape[2]))
    return moved(x - frame.empty, shift(across, down), "zero") + frame.empty


def cut_out(x: Tensor, frame: Frame) -> Tensor:
    """A rectangle of half the size, with its middle anywhere, is set to 0, or to nothing."""
    height, width = (round(size * HOLE) for size in x.shape[2:])
    place = torch.rand(2, len(x), device=x.device, dtype=x.dtype)
    left = (place[0] * (x.shape[3] + 1 - width % 2)).floor() - width // 2
    top = (place[1] * (x.shape[2] + 1 - height % 2)).floor() - height // 2
    hole = rectangles(x, left, top, torch.full_like(left, width), torch.full_like(top, height))
    return torch.where(hole, torch.full_like(x, frame.empty), x)


def _whole(x: Tensor, most: int) -> Tensor:
    """(N,) whole numbers from −most to most."""
    return torch.randint(-most, most + 1, (len(x),), device=x.device).to(x.dtype)


def _ordered(policy: Sequence[str]) -> tuple[str, ...]:
    return tuple(name for name in POLICIES if name in policy)


POLICIES: dict[str, Callable[[Tensor, Frame], Tensor]] = {
    "color": recolored,
    "translation": translated,
    "cutout": cut_out,
}
