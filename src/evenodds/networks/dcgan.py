"""DCGAN: convolutional players by the guidelines of Radford, Metz and Chintala (2015), for any size of image.

Strided convolutions instead of pooling, batch normalization except at G's output and D's input, ReLU in G and
tanh at its end, leaky ReLU in D (section 3); every weight starts as N(0, 0.02²) (section 4).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d, leaky_relu, linear, one_hot, pad, relu

from .layers import PixelNorm, image_shape, pyramid
from .spectral import SpectralNorm

OUTPUTS = {"tanh": nn.Tanh, "sigmoid": nn.Sigmoid, "linear": nn.Identity}
STD = 0.02  # of the initial weights, section 4
EPSILON = 1e-8  # of batch normalization, as in the authors' code
PADDING = {3: 1, 4: 1, 5: 2}  # with which a stride of 2 halves a map; kernel -> pixels


class DCGANGenerator(nn.Module):
    """z -> a small map of many channels -> transposed convolutions that double it, up to the image.

    With the default options and 64 × 64 images these are the published 1024, 512, 256 and 128 channels.  A
    label adds a learnt value to every channel before each normalization: what a one-hot label concatenated
    to every layer does (the authors' code for MNIST), at no cost in convolutions.

    Args:
        latent_dim: length L of z.
        sample_shape: (C, H, W) of an image, each side at least 8.
        classes: number of labels K, 0 for none.
        width: channels of the last hidden map, half the image's size; they double towards smaller maps.
        max_width: no map has more channels.
        dense: units of a fully connected layer after z, as the authors' net for MNIST has; 0 for none.
        kernel: of the convolutions: 5 as published, 4 or 3.
        norm: "batch", "pixel" (each pixel's channels scaled to unit length, Karras et al. 2018) or "none".
        output: "tanh" for data in [−1, 1], "sigmoid" for [0, 1], "linear".
    """

    def __init__(
        self,
        *,
        latent_dim: int,
        sample_shape: tuple[int, ...],
        classes: int = 0,
        width: int = 128,
        max_width: int = 1024,
        dense: int = 0,
        kernel: int = 5,
        norm: str = "batch",
        output: str = "tanh",
    ) -> None:
        super().__init__()
        channels, sizes = _stages(sample_shape, kernel)
        if output not in OUTPUTS:
            raise ValueError(f"output must be one of {', '.join(OUTPUTS)}, not {output!r}")
        self.latent_dim, self.sample_shape, self.classes = latent_dim, sample_shape, classes
        widths = _widths(width, max_width, len(sizes) - 1)[::-1]
        self.sizes, self.start_shape = sizes[1:], (widths[0], *sizes[0])
        self.dense = nn.Linear(latent_dim, dense, bias=False) if dense else None
        self.start = nn.Linear(dense or latent_dim, widths[0] * sizes[0][0] * sizes[0][1], bias=False)
        up = [
            nn.ConvTranspose2d(
                fan_in, fan_out, kernel, 2, PADDING[kernel], output_padding=kernel % 2, bias=False
            )
            for fan_in, fan_out in zip(widths, (*widths[1:], channels), strict=True)
        ]
        self.up = nn.ModuleList(up)
        normalized = [*([dense] if dense else []), *widths]
        self.norms = nn.ModuleList(_norm(norm, features) for features in normalized)
        self.labels = nn.ModuleList(
            nn.Linear(classes, features, bias=False) for features in normalized if classes
        )
        self.output = OUTPUTS[output]()
        _initialize(self)

    def forward(self, z: Tensor, y: Tensor | None = None) -> Tensor:
        """(N, L), (N,) -> (N, C, H, W)."""
        label = one_hot(y, self.classes).to(z.dtype) if self.classes and y is not None else None
        layer = 0
        if self.dense is not None:
            hidden = self._activated(self.dense(z)[..., None, None], label, layer)
            z, layer = hidden.flatten(1), 1
        hidden = self.start(z).view(-1, *self.start_shape)  # (N, F, h, w) of the smallest map
        for up, (height, width) in zip(self.up, self.sizes, strict=True):
            hidden = up(self._activated(hidden, label, layer))[:, :, :height, :width]
            layer += 1
        x: Tensor = self.output(hidden)
        return x

    def _activated(self, hidden: Tensor, label: Tensor | None, layer: int) -> Tensor:
        if label is not None:
            hidden = hidden + self.labels[layer](label)[..., None, None]
        return relu(self.norms[layer](hidden))


class DCGANDiscriminator(nn.Module):
    """Convolutions of stride 2 down to a small map, then one linear layer.

    With the default options and 64 × 64 images these are the published 128, 256, 512 and 1024 channels.  A
    label adds a learnt value to every channel of each convolution, as in the generator.

    Args:
        sample_shape: (C, H, W) of an image, each side at least 8.
        classes: number of labels K, 0 for none.
        width: channels of the first map, half the image's size; they double towards smaller maps.
        max_width: no map has more channels.
        dense: units of a fully connected layer before the output, as the authors' net for MNIST has; 0: none.
        kernel: of the convolutions: 5 as published, 4 or 3.
        norm: "batch", "spectral" (Miyato et al. 2018) or "none"; gradient penalties need one of the last two.
        slope: of the leaky ReLU below 0.
    """

    def __init__(
        self,
        *,
        sample_shape: tuple[int, ...],
        classes: int = 0,
        width: int = 128,
        max_width: int = 1024,
        dense: int = 0,
        kernel: int = 5,
        norm: str = "batch",
        slope: float = 0.2,
    ) -> None:
        super().__init__()
        channels, sizes = _stages(sample_shape, kernel)
        self.classes, self.slope, self.padding = classes, slope, PADDING[kernel]
        widths = _widths(width, max_width, len(sizes) - 1)
        biased = norm != "batch"
        self.down = nn.ModuleList(
            nn.Conv2d(fan_in, fan_out, kernel, 2, PADDING[kernel], bias=biased)
            for fan_in, fan_out in zip((channels, *widths), widths, strict=False)
        )
        features = widths[-1] * sizes[0][0] * sizes[0][1]
        self.dense = nn.Linear(features, dense, bias=biased) if dense else None
        self.logit = nn.Linear(dense or features, 1)
        batch = norm == "batch"
        labelled = [*widths, *([dense] if dense else [])]
        self.norms = nn.ModuleList(
            _norm("batch" if batch and layer else "none", width) for layer, width in enumerate(labelled)
        )
        self.labels = nn.ModuleList(nn.Linear(classes, width, bias=False) for width in labelled if classes)
        _check_norm(norm, "batch", "spectral", "none")
        _initialize(self)
        layers = [*self.down, *([self.dense] if self.dense else []), self.logit]
        self.scales = nn.ModuleList(
            SpectralNorm(layer.weight) if norm == "spectral" else nn.Identity() for layer in layers
        )

    def forward(self, x: Tensor, y: Tensor | None = None) -> Tensor:
        """(N, C, H, W), (N,) -> logits (N,)."""
        label = one_hot(y, self.classes).to(x.dtype) if self.classes and y is not None else None
        for layer, down in enumerate(self.down):
            assert isinstance(down, nn.Conv2d)
            height, width = x.shape[2:]
            x, weight = pad(x, (0, width % 2, 0, height % 2)), self.scales[layer](down.weight)
            x = self._activated(conv2d(x, weight, down.bias, 2, self.padding), label, layer)
        x = x.flatten(1)  # (N, F h w)
        if self.dense is not None:
            x = linear(x, self.scales[-2](self.dense.weight), self.dense.bias)[..., None, None]
            x = self._activated(x, label, len(self.down)).flatten(1)
        return linear(x, self.scales[-1](self.logit.weight), self.logit.bias).squeeze(1)

    def _activated(self, hidden: Tensor, label: Tensor | None, layer: int) -> Tensor:
        if label is not None:
            hidden = hidden + self.labels[layer](label)[..., None, None]
        return leaky_relu(self.norms[layer](hidden), self.slope)


def _stages(sample_shape: tuple[int, ...], kernel: int) -> tuple[int, tuple[tuple[int, int], ...]]:
    """Channels of the image, and the sizes of all maps, smallest first."""
    channels, height, width = image_shape(sample_shape, "dcgan")
    if min(height, width) < 8:
        raise ValueError(f"dcgan is for images of at least 8 × 8 pixels, not {height} × {width}; use mlp")
    if kernel not in PADDING:
        raise ValueError(f"kernel must be one of {', '.join(map(str, PADDING))}, not {kernel}")
    return channels, pyramid(height, width)


def _widths(width: int, most: int, stages: int) -> list[int]:
    """Channels of the hidden maps, the largest map first."""
    return [min(width * 2**stage, most) for stage in range(stages)]


def _norm(name: str, features: int) -> nn.Module:
    _check_norm(name, "batch", "pixel", "none")
    if name == "batch":
        return nn.BatchNorm2d(features, eps=EPSILON)
    return PixelNorm() if name == "pixel" else nn.Identity()


def _check_norm(name: str, *known: str) -> None:
    if name not in known:
        raise ValueError(f"norm must be one of {', '.join(known)}, not {name!r}")


@torch.no_grad()
def _initialize(network: nn.Module) -> None:
    """Weights N(0, 0.02²), gains of batch normalization N(1, 0.02²), biases and shifts 0."""
    for module in network.modules():
        if isinstance(module, nn.Linear | nn.Conv2d | nn.ConvTranspose2d):
            module.weight.normal_(0, STD)
        if isinstance(module, nn.BatchNorm2d):
            module.weight.normal_(1, STD)
    for name, parameter in network.named_parameters():
        if name.endswith("bias"):
            parameter.zero_()
