"""From the uint8 images that files hold to what a network takes: channels, range, size, a batch at a time."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional

from ..errors import ConfigError
from .extractor import Features


def opaque(images: Tensor) -> Tensor:
    """uint8 (N, 1, 3 or 4, H, W) to uint8 (N, 1 or 3, H, W): what has an alpha is laid over white.

    Raises:
        ConfigError: not uint8 images of 1, 3 or 4 channels.
    """
    if images.dtype != torch.uint8 or images.ndim != 4 or images.shape[1] not in (1, 3, 4):
        kind = str(images.dtype).removeprefix("torch.")
        raise ConfigError(
            f"an extractor of images takes uint8 of shape (N, 1, 3 or 4, H, W), not {kind} of "
            f"{tuple(images.shape)}; use the extractor values"
        )
    if images.shape[1] < 4:
        return images
    colours, alpha = images[:, :3], images[:, 3:]
    # colours are multiplied by alpha, so never above it; those of a sample that are would wrap around
    return torch.minimum(colours, alpha) + (255 - alpha)


def unit(images: Tensor, channels: int) -> Tensor:
    """float32 (N, channels, H, W) in [0, 1]; gray is repeated, colours become gray by their luma.

    Args:
        images: see `opaque`.
        channels: 1 or 3.
    """
    x = opaque(images).float() / 255
    if channels == x.shape[1]:
        return x
    if channels == 3:
        return x.expand(-1, 3, -1, -1)
    luma = x.new_tensor((0.299, 0.587, 0.114)).view(1, 3, 1, 1)  # Rec. ITU-R BT.601
    return (x * luma).sum(1, keepdim=True)


def resized(x: Tensor, size: tuple[int, int]) -> Tensor:
    """Float images (N, C, H, W) brought to `size` without aliasing; as they are if they have it."""
    if x.shape[2:] == size:
        return x
    return functional.interpolate(x, size, mode="bilinear", antialias=True, align_corners=False)


@torch.no_grad()
def in_batches(images: Tensor, batch: int, extract: Callable[[Tensor], Features]) -> Features:
    """`extract` of every `batch` images, put together on the CPU.

    Args:
        images: (N, …), N at least 1.
        batch: examples at a time.
        extract: of one batch.

    Raises:
        ConfigError: no examples, or features that are not finite numbers.
    """
    if len(images) == 0:
        raise ConfigError("features of no images were asked for; give at least 1")
    parts = [extract(part) for part in images.split(batch)]
    features = torch.cat([part.features.float().cpu() for part in parts])
    finite = features.isfinite().all(1)
    if not finite.all():
        raise ConfigError(
            f"the features of image {int(finite.logical_not().nonzero()[0])} are not finite; check the "
            "extractor's weights and the range of its input"
        )
    logits = [part.logits.float().cpu() for part in parts if part.logits is not None]
    return Features(features, torch.cat(logits) if logits else None)
