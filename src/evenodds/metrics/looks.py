"""Numbers that say how an image looks: where its middle is, how bright and how colourful it is, how blank."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn.functional import max_pool2d

FLAT = 0.08  # of values in [−1, 1]: how much a blank region may vary
WINDOW = 3  # pixels; a blank pixel has blank neighbours


def middle(x: Tensor) -> Tensor:
    """Centre of what differs most from the image's border, in parts of the size from its middle; (N, 2).

    Only what differs more than half of the image does counts, so that noise moves it little.

    Args:
        x: (N, C, H, W).
    """
    height, width = x.shape[2:]
    border = torch.cat([x[..., 0, :], x[..., -1, :], x[..., :, 0], x[..., :, -1]], 2).median(2).values
    weight = (x - border[..., None, None]).abs().sum(1)  # (N, H, W)
    weight = (weight - weight.flatten(1).median(1).values[:, None, None]).clamp(min=0)
    weight = weight / weight.sum((1, 2), keepdim=True).clamp(min=1e-6)
    column = torch.linspace(-0.5, 0.5, width, dtype=x.dtype)
    row = torch.linspace(-0.5, 0.5, height, dtype=x.dtype)
    return torch.stack([(weight.sum(1) * column).sum(1), (weight.sum(2) * row).sum(1)], 1)


def brightness(x: Tensor) -> Tensor:
    """Mean of each image; (N, 1)."""
    return x.mean((1, 2, 3))[:, None]


def contrast(x: Tensor) -> Tensor:
    """Logarithm of the standard deviation of each image's gray values; (N, 1)."""
    return x.mean(1).flatten(1).std(1).clamp(min=1e-3).log()[:, None]


def chroma(x: Tensor) -> Tensor:
    """Logarithm of the root mean square distance of red, green and blue from their mean; (N, 1)."""
    c = x[:, :3]
    return (c - c.mean(1, keepdim=True)).square().mean((1, 2, 3)).sqrt().clamp(min=1e-3).log()[:, None]


def whole(blank: float) -> Callable[[Tensor], Tensor]:
    """Minus how much of an image looks cut out.

    That is, the part that is blank; or, where blank means transparent and is all around, the longest straight
    edge of what is visible, in parts of the size.

    Args:
        blank: the value of a hole, in [−1, 1]; −1 for nothing.
    """
    return straightness if blank == -1 else lambda x: -blank_part(x, blank)


def blank_part(x: Tensor, blank: float) -> Tensor:
    """Share of each image within regions of the one value; (N,)."""
    away = (x - blank).abs().amax(1, keepdim=True)  # (N, 1, H, W)
    return (max_pool2d(away, WINDOW, 1, WINDOW // 2) < FLAT).float().mean((1, 2, 3))


def straightness(x: Tensor) -> Tensor:
    """Minus the share of the one column or row, of all, along which alpha jumps most; (N,)."""
    alpha = (x[:, 3] + 1) / 2
    across = (alpha[:, :, 1:] - alpha[:, :, :-1]).abs().mean(1).amax(1)
    down = (alpha[:, 1:] - alpha[:, :-1]).abs().mean(2).amax(1)
    return -torch.maximum(across, down)
