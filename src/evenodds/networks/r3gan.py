"""R3GAN, configuration E: residual networks without normalization, Huang et al. (2024).

"The GAN is dead; long live the GAN! A Modern GAN Baseline".  Both players are the same stages, mirrored: a
stage holds residual blocks on a map of one size, and stages are joined by bilinear resampling and, only where
the width changes, a 1 × 1 convolution on the smaller of the two maps.  No normalization, no strided or
transposed convolution that learns, no tanh at the end.

Weights start as N(0, gain² / fan_in), gain 1 outside the blocks; inside them √(2/1.04) · L^(−1/4) for L
blocks, and the last convolution of a block at 0 (Fixup, Zhang et al. 2019, with leaky ReLU for ReLU): every
block is the identity at first, and the variance the same from end to end however deep the network is.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import TypeVar

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d, conv_transpose2d, leaky_relu, pad

from .layers import image_shape, one_hot, pyramid

Layer = TypeVar("Layer", nn.Conv2d, nn.Linear)

SLOPE = 0.2  # of the leaky ReLU below 0
GAIN = math.sqrt(2 / (1 + SLOPE**2))  # keeps E x² from before the leaky ReLU, He et al. (2015), Eq. 14


class R3GANGenerator(nn.Module):
    """R3GAN's generator: a learnt map modulated by z, then stages of residual blocks up to the image.

    Args:
        latent_dim: length L of z, the paper's 64.
        sample_shape: (C, H, W) of one image, of any size.
        classes: number of labels K, 0 for none; a label's embedding is appended to z.
        width: channels of maps up to `widest_map` pixels; half as many at each doubling above, at least 8.
        widest_map: pixels across.
        widths: instead, the channels of each stage, from the smallest map to the image.
        blocks: residual blocks per stage.
        expansion: channels inside a block over those outside.
        group_size: channels per group of the 3 × 3 convolutions; 32 in the paper's ImageNet networks.
        class_dim: length of a label's embedding.
    """

    def __init__(
        self,
        *,
        latent_dim: int,
        sample_shape: tuple[int, ...],
        classes: int = 0,
        width: int = 768,
        widest_map: int = 32,
        widths: Sequence[int] | None = None,
        blocks: int = 2,
        expansion: int = 2,
        group_size: int = 16,
        class_dim: int = 64,
    ) -> None:
        super().__init__()
        channels, height, breadth = image_shape(sample_shape, "r3gan")
        self.latent_dim, self.sample_shape, self.classes = latent_dim, sample_shape, classes
        self.sizes = pyramid(height, breadth)
        stages = stage_widths(self.sizes, width, widest_map, widths)
        total = blocks * len(stages)
        self.embed = linear(classes, class_dim) if classes else None
        self.modulate = linear(latent_dim + (class_dim if classes else 0), stages[0])
        self.basis = nn.Parameter(torch.randn(stages[0], *self.sizes[0]))
        self.upsample = nn.ModuleList(Upsample(a, b) for a, b in itertools.pairwise(stages))
        self.stages = nn.ModuleList(stage(c, blocks, total, expansion, group_size) for c in stages)
        self.to_image = conv1x1(stages[-1], channels)

    def forward(self, z: Tensor, y: Tensor | None = None) -> Tensor:
        """(N, L), (N,) -> (N, C, H, W), unbounded."""
        if self.embed is not None and y is not None:
            z = torch.cat([z, self.embed(one_hot(y, self.classes).to(z.dtype))], 1)
        x = self.basis * self.modulate(z)[:, :, None, None]  # (N, F, h, w), the smallest map
        x = self.stages[0](x)
        for (height, width), upsample, blocks in zip(
            self.sizes[1:], self.upsample, self.stages[1:], strict=True
        ):
            x = blocks(upsample(x)[:, :, :height, :width])
        image: Tensor = self.to_image(x)
        return image


class R3GANDiscriminator(nn.Module):
    """R3GAN's discriminator: stages of residual blocks down to the smallest map, then a linear map of it.

    With labels the logit is the projection of the features on the label's embedding, Miyato and Koyama
    (2018), Eq. 3, without its unconditional term.

    Args:
        sample_shape: (C, H, W) of one image, of any size.
        classes: number of labels K, 0 for none.
        width: channels of maps up to `widest_map` pixels; half as many at each doubling above, at least 8.
        widest_map: pixels across.
        widths: instead, the channels of each stage, from the smallest map to the image.
        blocks: residual blocks per stage.
        expansion: channels inside a block over those outside.
        group_size: channels per group of the 3 × 3 convolutions; 32 in the paper's ImageNet networks.
    """

    def __init__(
        self,
        *,
        sample_shape: tuple[int, ...],
        classes: int = 0,
        width: int = 768,
        widest_map: int = 32,
        widths: Sequence[int] | None = None,
        blocks: int = 2,
        expansion: int = 2,
        group_size: int = 16,
    ) -> None:
        super().__init__()
        channels, height, breadth = image_shape(sample_shape, "r3gan")
        self.classes = classes
        sizes = pyramid(height, breadth)
        stages = stage_widths(sizes, width, widest_map, widths)[::-1]
        total, features = blocks * len(stages), stages[-1]
        self.from_image = conv1x1(channels, stages[0])
        self.stages = nn.ModuleList(stage(c, blocks, total, expansion, group_size) for c in stages)
        self.downsample = nn.ModuleList(Downsample(a, b) for a, b in itertools.pairwise(stages))
        # one filter of the map's own size per channel: what a basis is to the generator
        self.basis = scaled(nn.Conv2d(features, features, sizes[0], groups=features, bias=False))
        self.last = linear(features, features if classes else 1)
        self.embed = linear(classes, features, gain=1 / math.sqrt(features)) if classes else None

    def forward(self, x: Tensor, y: Tensor | None = None) -> Tensor:
        """(N, C, H, W), (N,) -> logits (N,)."""
        x = self.from_image(x)
        for blocks, downsample in itertools.zip_longest(self.stages, self.downsample):
            x = blocks(x)
            x = x if downsample is None else downsample(x)
        features = self.last(self.basis(x).flatten(1))  # (N, F), or (N, 1) without labels
        if self.embed is not None and y is not None:
            features = features * self.embed(one_hot(y, self.classes).to(features.dtype))
        logits: Tensor = features.sum(1)
        return logits


class Block(nn.Module):
    """x + W₃ φ(W₂ φ(W₁ x + b₁) + b₂), an inverted bottleneck of 1 × 1, grouped 3 × 3 and 1 × 1 convolutions.

    Args:
        channels: in and out.
        total: residual blocks L of the whole network.
        expansion: channels inside over those outside.
        group_size: channels per group of the 3 × 3 convolution.
    """

    def __init__(self, channels: int, total: int, expansion: int, group_size: int) -> None:
        super().__init__()
        inner, gain = channels * expansion, GAIN * total**-0.25
        if inner % group_size:
            step = group_size // math.gcd(group_size, expansion)
            raise ValueError(
                f"widths must be multiples of {step}, not {channels}, for group_size={group_size}"
            )
        self.widen = scaled(nn.Conv2d(channels, inner, 1), gain)
        self.mix = scaled(nn.Conv2d(inner, inner, 3, padding=1, groups=inner // group_size), gain)
        self.narrow = scaled(nn.Conv2d(inner, channels, 1, bias=False), 0)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> the same shape."""
        inner = leaky_relu(self.mix(leaky_relu(self.widen(x), SLOPE)), SLOPE)
        change: Tensor = self.narrow(inner)
        return x + change


class Resampling(nn.Module):
    """Bilinear resampling by 2 as a fixed filter per channel: boxes of 2 pixels smoothed by [1, 2, 1].

    The two together are [1, 3, 3, 1] in each direction, with zeros around the map.
    """

    kernel: Tensor

    def __init__(self, features_in: int, features_out: int) -> None:
        super().__init__()
        taps = torch.tensor([1.0, 3.0, 3.0, 1.0])
        self.register_buffer("kernel", torch.outer(taps, taps) / 64, persistent=False)
        same = features_in == features_out
        self.change = nn.Identity() if same else conv1x1(features_in, features_out)

    def filters(self, x: Tensor) -> Tensor:
        """(C, 1, 4, 4): the same one for each channel of x; its sum is 1."""
        return self.kernel.expand(x.shape[1], 1, 4, 4)


class Upsample(Resampling):
    """To twice the height and width."""

    def forward(self, x: Tensor) -> Tensor:
        """(N, A, H, W) -> (N, B, 2H, 2W)."""
        x = self.change(x)
        return conv_transpose2d(x, 4 * self.filters(x), stride=2, padding=1, groups=x.shape[1])


class Downsample(Resampling):
    """To half the height and width, rounded up."""

    def forward(self, x: Tensor) -> Tensor:
        """(N, A, H, W) -> (N, B, ⌈H/2⌉, ⌈W/2⌉)."""
        x = pad(x, (1, 1 + x.shape[3] % 2, 1, 1 + x.shape[2] % 2))
        smaller: Tensor = self.change(conv2d(x, self.filters(x), stride=2, groups=x.shape[1]))
        return smaller


def stage_widths(
    sizes: Sequence[tuple[int, int]], width: int, widest_map: int, widths: Sequence[int] | None
) -> tuple[int, ...]:
    """Channels of each stage, from the smallest map to the image.

    Args:
        sizes: (height, width) of the maps, the smallest first.
        width: of maps up to `widest_map` pixels across; half of it at each doubling above, and at least 8.
        widest_map: pixels, of the side of a square map of that area.
        widths: what to return instead.

    Raises:
        ValueError: `widths` has another number of stages than `sizes`, or a width is below 1.
    """
    if widths is None:
        doublings = (round(math.log2(math.sqrt(h * w) / max(widest_map, 1))) for h, w in sizes)
        widths = [max(width >> max(0, above), min(width, 8)) for above in doublings]
    if len(widths) != len(sizes) or min(widths) < 1:
        maps = ", ".join(f"{height} × {breadth}" for height, breadth in sizes)
        raise ValueError(f"widths {list(widths)} must be {len(sizes)} numbers above 0, for maps of {maps}")
    return tuple(widths)


def stage(channels: int, blocks: int, total: int, expansion: int, group_size: int) -> nn.Sequential:
    """The residual blocks on a map of one size."""
    return nn.Sequential(*(Block(channels, total, expansion, group_size) for _ in range(blocks)))


def conv1x1(features_in: int, features_out: int) -> nn.Conv2d:
    """A linear map of every pixel."""
    return scaled(nn.Conv2d(features_in, features_out, 1, bias=False))


def linear(features_in: int, features_out: int, gain: float = 1.0) -> nn.Linear:
    """Without bias; of a one-hot label, an embedding."""
    return scaled(nn.Linear(features_in, features_out, bias=False), gain)


@torch.no_grad()
def scaled(layer: Layer, gain: float = 1.0) -> Layer:
    """Weights N(0, gain² / fan_in), biases 0."""
    layer.weight.normal_(0, gain / math.sqrt(layer.weight[0].numel()))
    if layer.bias is not None:
        layer.bias.zero_()
    return layer
