"""Layers that more than one family uses, and the wrapper that packs examples."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

BATCH_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)  # what couples the examples of a batch


def bernoulli_mask(like: Tensor, keep: float) -> Tensor:
    """`1 / keep` with probability `keep`, else 0, of the shape, type and device of `like`.

    One 64-bit draw of the global generator serves four values, since drawing is what a mask costs on a CPU.
    """
    n = like.numel()
    bits = torch.empty((n + 3) // 4, dtype=torch.int64, device=like.device)
    bits.random_(-(2**63), None)  # every bit is random, the sign too
    uniform = bits.view(torch.int16)[:n].view(like.shape)  # evenly over −2^15 … 2^15 − 1
    threshold = round(keep * 2**16) - 2**15
    if threshold >= 2**15:
        return torch.ones_like(like)
    return (uniform < threshold).to(like.dtype).div_(keep)


class Dropout(nn.Module):
    """Inverted dropout: a value is zeroed with probability p, else divided by 1 − p (Hinton et al. 2012).

    The mask comes from 16 random bits per value, several times faster on a CPU than `nn.Dropout`; p is
    exact to 2^−17.
    """

    def __init__(self, p: float) -> None:
        super().__init__()
        if not 0 <= p < 1:
            raise ValueError(f"dropout p must be at least 0 and below 1, not {p}")
        self.p = p

    def forward(self, x: Tensor) -> Tensor:
        """Any shape."""
        if not self.training or self.p == 0:
            return x
        return x * bernoulli_mask(x, 1 - self.p)


class Maxout(nn.Module):
    """max_k (W_k x + b_k): a unit is the largest of its own `pieces` affine maps, Goodfellow et al. (2013).

    Weights are laid out pieces first: a maximum over the leading axis is much faster than over the last.
    """

    def __init__(self, features_in: int, units: int, pieces: int) -> None:
        super().__init__()
        self.units, self.pieces = units, pieces
        self.linear = nn.Linear(features_in, units * pieces)

    def forward(self, x: Tensor) -> Tensor:
        """(N, features_in) -> (N, units)."""
        affine: Tensor = self.linear(x)
        return affine.view(len(x), self.pieces, self.units).amax(1)


class Packed(nn.Module):
    """A discriminator that judges packs of m examples, all real or all generated (PacGAN, Lin et al. 2018).

    Args:
        discriminator: built for samples with m times the channels (images) or features (vectors).
        size: the paper's m.
    """

    def __init__(self, discriminator: nn.Module, size: int) -> None:
        super().__init__()
        self.discriminator, self.size = discriminator, size

    def forward(self, x: Tensor, y: Tensor | None = None) -> Tensor:
        """(N, C, …) -> (N / m,): neighbours in the batch are joined along the first axis of the sample."""
        if len(x) % self.size:
            raise ValueError(f"a batch of {len(x)} cannot be split into packs of {self.size}")
        packed = x.reshape(len(x) // self.size, self.size * x.shape[1], *x.shape[2:])
        logits: Tensor = self.discriminator(packed, None)
        return logits


class PixelNorm(nn.Module):
    """x / √(mean over channels of x² + 1e-8): every pixel's features at unit length, Karras et al. (2018)."""

    def forward(self, x: Tensor) -> Tensor:
        """(N, F, …)."""
        return x * torch.rsqrt(x.square().mean(1, keepdim=True) + 1e-8)


def one_hot(y: Tensor, classes: int) -> Tensor:
    """(N,) labels -> (N, K) float."""
    return nn.functional.one_hot(y, classes).float()


def pyramid(height: int, width: int, smallest: int = 4) -> tuple[tuple[int, int], ...]:
    """(height, width) of the feature maps between the smallest and the image, the smallest first.

    Sizes are halved, rounded up, while both sides stay at least `smallest`: 28 × 28 gives 7, 14, 28, and
    48 × 80 gives 6 × 10, 12 × 20, 24 × 40, 48 × 80.  Doubling a map and cropping it gives the next one.
    """
    sizes = [(height, width)]
    while min(sizes[0]) >= 2 * smallest:
        sizes.insert(0, (-(-sizes[0][0] // 2), -(-sizes[0][1] // 2)))
    return tuple(sizes)


def image_shape(sample_shape: tuple[int, ...], family: str) -> tuple[int, int, int]:
    """`sample_shape` as (C, H, W).

    Raises:
        ValueError: it is the shape of a vector.
    """
    if len(sample_shape) != 3:
        raise ValueError(f"{family} is for images, not for samples of shape {sample_shape}; use mlp")
    channels, height, width = sample_shape
    return channels, height, width


def flat_size(shape: tuple[int, ...]) -> int:
    """How many values one sample has."""
    return math.prod(shape)


@torch.no_grad()
def uniform_init(linear: nn.Linear, bound: float) -> None:
    """Weights U(−bound, bound), biases 0: the "irange" of the 2014 code."""
    linear.weight.uniform_(-bound, bound)
    linear.bias.zero_()
