"""StyleGAN2, Karras et al. (2020), "Analyzing and improving the image quality of StyleGAN".

G: z -> mapping network -> style w -> modulated convolutions, every resolution adding to the image ("skip").
D: residual blocks with the standard deviation over the minibatch before the last.  Any size of image.

With their own options for 256 × 256 (`channel_base` 16384, eight mapping layers) the players have the
published 24.767 and 24.001 million weights.
"""

from __future__ import annotations

import math
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate

from .equalized import EPSILON, EqualizedConv, EqualizedLinear, ModulatedConv, activate
from .layers import PixelNorm, image_shape, one_hot, pyramid

MAPPING_RATE = 0.01  # learning rate of the mapping network relative to the rest, Karras et al. (2019)
MEAN_DECAY = 0.998  # of the running mean of w, per forward pass in training


class StyleGAN2Generator(nn.Module):
    """A learnt 4 × 4 map -> modulated convolutions that double it -> the sum of all resolutions' images.

    In training every layer draws fresh noise, styles are mixed and the mean style is tracked; in evaluation
    the noise is one fixed picture per layer, drawn at construction.  The image has no tanh: its range is the
    data's.

    Args:
        latent_dim: length L of z, which is scaled to unit mean square.
        sample_shape: (C, H, W) of an image.
        classes: number of labels K, 0 for none; an embedding of the label joins z.
        style_dim: length F of the style w.
        mapping_layers: of the mapping network.
        channel_base: a map of s × s pixels has channel_base / s channels (s the longer side)…
        channel_max: …but not more than this.
        mixing: probability that an example's finer layers take another example's style in training.
    """

    style_mean: Tensor
    path_length_mean: Tensor

    def __init__(
        self,
        *,
        latent_dim: int,
        sample_shape: tuple[int, ...],
        classes: int = 0,
        style_dim: int = 512,
        mapping_layers: int = 8,
        channel_base: int = 16384,
        channel_max: int = 512,
        mixing: float = 0.9,
    ) -> None:
        super().__init__()
        pixels, height, width = image_shape(sample_shape, "stylegan2")
        if not 0 <= mixing <= 1:
            raise ValueError(f"mixing must be a probability from 0 to 1, not {mixing}")
        self.latent_dim, self.sample_shape, self.classes = latent_dim, sample_shape, classes
        self.mixing, self.sizes = mixing, pyramid(height, width)
        self.mapping = Mapping(latent_dim, style_dim, classes, mapping_layers)
        channels = [_channels(size, channel_base, channel_max) for size in self.sizes]
        self.start = nn.Parameter(torch.randn(1, channels[0], *self.sizes[0]))
        self.layers = nn.ModuleList([StyledConv(channels[0], channels[0], style_dim, self.sizes[0])])
        for (before, after), size in zip(pairwise(channels), self.sizes[1:], strict=True):
            self.layers.append(StyledConv(before, after, style_dim, size, double=True))
            self.layers.append(StyledConv(after, after, style_dim, size))
        self.images = nn.ModuleList(ToImage(count, pixels, style_dim) for count in channels)
        self.register_buffer("style_mean", torch.zeros(style_dim))
        self.register_buffer("path_length_mean", torch.zeros(1))  # for penalties.PathLength

    @property
    def style_layers(self) -> int:
        """Two per resolution: a layer's image takes the style of the next resolution's first layer."""
        return 2 * len(self.sizes)

    def forward(self, z: Tensor, y: Tensor | None = None) -> Tensor:
        """(N, L), (N,) -> (N, C, H, W)."""
        w = self.style(z, y)
        if self.training:
            with torch.no_grad():
                self.style_mean.lerp_(w.mean(0).to(self.style_mean), 1 - MEAN_DECAY)
            w = self._mixed(w, z, y) if self.mixing else w
        return self.synthesize(w)

    def style(self, z: Tensor, y: Tensor | None = None) -> Tensor:
        """(N, L), (N,) -> (N, F)."""
        w: Tensor = self.mapping(z, y)
        return w

    def synthesize(self, w: Tensor) -> Tensor:
        """(N, F), or (N, style_layers, F) -> (N, C, H, W)."""
        styles = [w] * self.style_layers if w.ndim == 2 else list(w.unbind(1))
        # not len(w), which would be taken for a constant by what exports the network
        feature = self.layers[0](self.start.expand(w.shape[0], -1, -1, -1), styles[0])
        image: Tensor = self.images[0](feature, styles[1])
        for stage, (height, width) in enumerate(self.sizes[1:], start=1):
            feature = self.layers[2 * stage - 1](feature, styles[2 * stage - 1])
            feature = self.layers[2 * stage](feature, styles[2 * stage])
            # [1, 3, 3, 1] again, written as bilinear interpolation: at the border pixels repeat
            doubled = interpolate(image, scale_factor=2.0, mode="bilinear", align_corners=False)
            image = doubled[:, :, :height, :width] + self.images[stage](feature, styles[2 * stage + 1])
        return image

    def _mixed(self, w: Tensor, z: Tensor, y: Tensor | None) -> Tensor:
        """(N, F) -> (N, style_layers, F): style mixing, Karras et al. (2019), section 3.1.

        From a random layer on, an example takes the style of another one's z under its own label.
        """
        order = torch.randperm(len(w), device=w.device)
        other = w[order] if y is None else self.style(z[order], y)
        kept = torch.randint(1, self.style_layers, (len(w), 1), device=w.device)
        unmixed = torch.rand(len(w), 1, device=w.device) >= self.mixing
        own = unmixed | (torch.arange(self.style_layers, device=w.device) < kept)  # (N, style_layers)
        return torch.where(own[:, :, None], w[:, None], other[:, None])


class StyleGAN2Discriminator(nn.Module):
    """Residual blocks that halve the map -> standard deviation over the minibatch -> two linear layers.

    With labels, the last layer's output is projected on a mapping of the label, as in Karras et al. (2020),
    "Training generative adversarial networks with limited data".

    Args:
        sample_shape: (C, H, W) of an image.
        classes: number of labels K, 0 for none.
        channel_base: a map of s × s pixels has channel_base / s channels (s the longer side)…
        channel_max: …but not more than this.
        group: examples over which the standard deviation is taken; fewer where the batch can't be divided.
        mapping_layers: of the label's mapping network.
    """

    def __init__(
        self,
        *,
        sample_shape: tuple[int, ...],
        classes: int = 0,
        channel_base: int = 16384,
        channel_max: int = 512,
        group: int = 4,
        mapping_layers: int = 8,
    ) -> None:
        super().__init__()
        pixels, height, width = image_shape(sample_shape, "stylegan2")
        if group < 1:
            raise ValueError(f"group must be at least 1, not {group}")
        self.classes, self.group = classes, group
        sizes = pyramid(height, width)[::-1]
        channels = [_channels(size, channel_base, channel_max) for size in sizes]
        self.first = EqualizedConv(pixels, channels[0], 1)
        self.blocks = nn.Sequential(*(ResidualBlock(before, after) for before, after in pairwise(channels)))
        last = channels[-1]
        self.conv = EqualizedConv(last + 1, last, 3)
        self.dense = EqualizedLinear(last * math.prod(sizes[-1]), last)
        self.output = EqualizedLinear(last, last if classes else 1)
        self.mapping = Mapping(0, last, classes, mapping_layers) if classes else None

    def forward(self, x: Tensor, y: Tensor | None = None) -> Tensor:
        """(N, C, H, W), (N,) -> logits (N,)."""
        feature = self.blocks(activate(self.first(x)))
        feature = activate(self.conv(with_deviation(feature, self.group)))
        out: Tensor = self.output(activate(self.dense(feature.flatten(1))))  # (N, 1), or (N, F) with labels
        if self.mapping is None:
            return out.squeeze(1)
        label = self.mapping(x.new_empty(len(x), 0), y)
        projected: Tensor = (out * label).sum(1)
        return projected / math.sqrt(out.shape[1])


class Mapping(nn.Module):
    """z, and an embedding of the label, each of unit mean square -> linear layers -> w, Karras et al. (2019).

    Args:
        latent_dim: length L of z; 0 for a mapping of labels alone.
        style_dim: length F of w, and of the label's embedding.
        classes: number of labels K, 0 for none.
        layers: linear layers, each followed by a leaky ReLU.
    """

    def __init__(self, latent_dim: int, style_dim: int, classes: int, layers: int) -> None:
        super().__init__()
        if layers < 1:
            raise ValueError(f"mapping_layers must be at least 1, not {layers}")
        self.classes, self.unit = classes, PixelNorm()
        self.embed = EqualizedLinear(classes, style_dim) if classes else None
        features = (latent_dim + (style_dim if classes else 0), *[style_dim] * layers)
        self.layers = nn.ModuleList(EqualizedLinear(*pair, rate=MAPPING_RATE) for pair in pairwise(features))

    def forward(self, z: Tensor, y: Tensor | None) -> Tensor:
        """(N, L), (N,) -> (N, F)."""
        w: Tensor = self.unit(z) if z.shape[1] else z
        if self.embed is not None:
            if y is None:
                raise ValueError("this network was built with classes and needs labels; give y")
            w = torch.cat([w, self.unit(self.embed(one_hot(y, self.classes).to(z)))], 1)
        for layer in self.layers:
            w = activate(layer(w))
        return w


class StyledConv(nn.Module):
    """Modulated 3 × 3 convolution, noise, bias, leaky ReLU; Karras et al. (2020), figure 2d.

    Args:
        channels_in: of x.
        channels_out: of the result.
        style_dim: length F of the style.
        size: (height, width) of the result.
        double: twice the size, cropped to `size`.
    """

    noise: Tensor

    def __init__(
        self,
        channels_in: int,
        channels_out: int,
        style_dim: int,
        size: tuple[int, int],
        *,
        double: bool = False,
    ) -> None:
        super().__init__()
        self.conv = ModulatedConv(channels_in, channels_out, 3, style_dim=style_dim, double=double)
        self.bias = nn.Parameter(torch.zeros(channels_out, 1, 1))
        self.strength = nn.Parameter(torch.zeros(1))  # of the noise, learnt
        self.register_buffer("noise", torch.randn(1, 1, *size))  # the picture that evaluation takes

    def forward(self, x: Tensor, w: Tensor) -> Tensor:
        """(N, F, h, w), (N, style_dim) -> (N, F', *size)."""
        height, width = self.noise.shape[2:]
        out = self.conv(x, w)[:, :, :height, :width]
        noise = torch.randn_like(out[:, :1]) if self.training else self.noise
        return activate(out + noise * self.strength + self.bias)


class ToImage(nn.Module):
    """Modulated 1 × 1 convolution to the image's channels, and a bias; no demodulation.

    Args:
        channels_in: of x.
        pixels: C, channels of the image.
        style_dim: length F of the style.
    """

    def __init__(self, channels_in: int, pixels: int, style_dim: int) -> None:
        super().__init__()
        self.conv = ModulatedConv(channels_in, pixels, 1, style_dim=style_dim, demodulate=False)
        self.bias = nn.Parameter(torch.zeros(pixels, 1, 1))

    def forward(self, x: Tensor, w: Tensor) -> Tensor:
        """(N, F, h, w), (N, style_dim) -> (N, C, h, w)."""
        image: Tensor = self.conv(x, w) + self.bias
        return image


class ResidualBlock(nn.Module):
    """(3 × 3, 3 × 3 that halves) beside (1 × 1 that halves), summed and divided by √2.

    Args:
        channels_in: of x.
        channels_out: of the result.
    """

    def __init__(self, channels_in: int, channels_out: int) -> None:
        super().__init__()
        self.conv1 = EqualizedConv(channels_in, channels_in, 3)
        self.conv2 = EqualizedConv(channels_in, channels_out, 3, halve=True)
        self.shortcut = EqualizedConv(channels_in, channels_out, 1, bias=False, halve=True)

    def forward(self, x: Tensor) -> Tensor:
        """(N, F, h, w) -> (N, F', ⌈h/2⌉, ⌈w/2⌉)."""
        main = activate(self.conv2(activate(self.conv1(x))))
        # both summands have unit variance at the start, and so has the result
        total: Tensor = main + self.shortcut(x)
        return total / math.sqrt(2)


def with_deviation(x: Tensor, group: int) -> Tensor:
    """(N, F, H, W) -> (N, F + 1, H, W): the standard deviation over a group, averaged, Karras et al. (2018).

    Args:
        x: features.
        group: examples per group; the largest number up to this that divides N is taken.
    """
    n, _, height, width = x.shape
    size = next(size for size in range(min(group, n), 0, -1) if n % size == 0)
    variance = x.reshape(size, n // size, *x.shape[1:]).var(0, unbiased=False)  # (N / size, F, H, W)
    deviation = (variance + EPSILON).sqrt().mean((1, 2, 3)).repeat(size)  # (N,)
    return torch.cat([x, deviation[:, None, None, None].expand(n, 1, height, width)], 1)


def _channels(size: tuple[int, int], base: int, most: int) -> int:
    """Of a map of that size.

    Raises:
        ValueError: `base` or `most` is below 1.
    """
    if base < 1 or most < 1:
        raise ValueError(f"channel_base and channel_max must be at least 1, not {base} and {most}")
    return max(1, min(base // max(size), most))
