"""SNGAN's residual networks, Miyato et al. (2018), appendix B; with labels as in Miyato and Koyama (2018).

G: residual blocks with (conditional) batch normalization that double the map.  D: residual blocks under
spectral normalization, summed over the map; a label enters by projection.  Any size, by `layers.pyramid`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, interpolate, relu

from .layers import image_shape, one_hot, pyramid
from .spectral import SpectralConv, SpectralLinear

OUTPUTS = {"tanh": nn.Tanh, "sigmoid": nn.Sigmoid, "linear": nn.Identity}
MAIN_GAIN = math.sqrt(2)  # of the Xavier initialization of the 3 × 3 convolutions; all other layers have 1
SMALLEST_JUDGED = 8  # D halves the map while it stays at least this large
LAST_BLOCKS = 2  # D's blocks that no longer halve it


class SNGANGenerator(nn.Module):
    """Linear to a 4 × 4 map -> residual blocks that double it -> batch norm, ReLU, 3 × 3 convolution.

    The defaults are the published network for 32 × 32 images (table 4 of the appendix).

    Args:
        latent_dim: length L of z.
        sample_shape: (C, H, W) of an image.
        classes: number of labels K, 0 for none; a label chooses the gains and biases of every batch norm but
            the last (de Vries et al. 2017; Dumoulin et al. 2017).
        widths: channels of the maps from the smallest to the image, the last for all further ones; [256] for
            CIFAR-10, [1024, 512, 256, 128, 64] for 64 × 64.
        output: "tanh" for data in [−1, 1], "sigmoid" for [0, 1], "linear".
    """

    def __init__(
        self,
        *,
        latent_dim: int,
        sample_shape: tuple[int, ...],
        classes: int = 0,
        widths: Sequence[int] = (256,),
        output: str = "tanh",
    ) -> None:
        super().__init__()
        channels, height, width = image_shape(sample_shape, "sngan")
        if output not in OUTPUTS:
            raise ValueError(f"output must be one of {', '.join(OUTPUTS)}, not {output!r}")
        self.latent_dim, self.sample_shape, self.classes = latent_dim, sample_shape, classes
        sizes = pyramid(height, width)
        stages = _stages(widths, len(sizes))
        self.start_shape = (stages[0], *sizes[0])
        self.dense = nn.Linear(latent_dim, math.prod(self.start_shape))
        self.blocks = nn.ModuleList(
            UpBlock(before, after, size, classes)
            for (before, after), size in zip(pairwise(stages), sizes[1:], strict=True)
        )
        self.norm = nn.BatchNorm2d(stages[-1])
        self.last, self.output = _conv(stages[-1], channels, 3, gain=1.0), OUTPUTS[output]()
        nn.init.xavier_uniform_(self.dense.weight)
        nn.init.zeros_(self.dense.bias)

    def forward(self, z: Tensor, y: Tensor | None = None) -> Tensor:
        """(N, L), (N,) -> (N, C, H, W)."""
        feature = self.dense(z).view(-1, *self.start_shape)
        for block in self.blocks:
            feature = block(feature, y)
        x: Tensor = self.output(self.last(relu(self.norm(feature))))
        return x


class SNGANDiscriminator(nn.Module):
    """Residual blocks -> ReLU -> φ(x), the sum over the map -> ψ(φ) + ⟨V y, φ⟩ with labels.

    The defaults are the published network for 32 × 32 images (table 4 of the appendix): two blocks that halve
    the map, then two that don't.  The label's part is that of Miyato and Koyama (2018), Eq. 3.

    Args:
        sample_shape: (C, H, W) of an image.
        classes: number of labels K, 0 for none, which leaves the projection out.
        widths: channels block by block, the last for all further ones; [128] for CIFAR-10,
            [64, 128, 256, 512, 1024] for 64 × 64.
    """

    def __init__(
        self, *, sample_shape: tuple[int, ...], classes: int = 0, widths: Sequence[int] = (128,)
    ) -> None:
        super().__init__()
        channels, height, width = image_shape(sample_shape, "sngan")
        self.classes = classes
        halvings = len(pyramid(height, width, SMALLEST_JUDGED)) - 1
        blocks = halvings + LAST_BLOCKS
        stages = (channels, *_stages(widths, blocks))
        self.blocks = nn.Sequential(
            *(
                DownBlock(before, after, halve=place < halvings, first=place == 0)
                for place, (before, after) in enumerate(pairwise(stages))
            )
        )
        self.psi = SpectralLinear(stages[-1], 1)
        self.embed = SpectralLinear(classes, stages[-1], bias=False) if classes else None

    def forward(self, x: Tensor, y: Tensor | None = None) -> Tensor:
        """(N, C, H, W), (N,) -> logits (N,)."""
        phi = self.features(x)
        logits: Tensor = self.psi(phi).squeeze(1)
        if self.embed is None:
            return logits
        embedding: Tensor = self.embed(one_hot(_given(y), self.classes).to(phi))
        return logits + (embedding * phi).sum(1)

    def features(self, x: Tensor) -> Tensor:
        """φ(x), (N, C, H, W) -> (N, F)."""
        return relu(self.blocks(x)).sum((2, 3))


class ConditionalBatchNorm(nn.Module):
    """γ_y (x − mean) / std + β_y, Dumoulin et al. (2017), Eq. 5, with batch statistics.

    Gains start at N(1, 0.02²), as plain batch norm's do in DCGAN, so labels matter from the start.

    Args:
        channels: of x.
        classes: number of labels K; 0 is plain batch norm.
    """

    def __init__(self, channels: int, classes: int) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(channels, affine=not classes)
        self.gain = nn.Embedding(classes, channels) if classes else None
        self.bias = nn.Embedding(classes, channels) if classes else None
        if self.gain is not None and self.bias is not None:
            nn.init.normal_(self.gain.weight, 1, 0.02)
            nn.init.zeros_(self.bias.weight)

    def forward(self, x: Tensor, y: Tensor | None) -> Tensor:
        """(N, F, H, W), (N,) -> the same shape."""
        normalized: Tensor = self.norm(x)
        if self.gain is None or self.bias is None:
            return normalized
        y = _given(y)
        gain: Tensor = self.gain(y)[:, :, None, None]
        bias: Tensor = self.bias(y)[:, :, None, None]
        return gain * normalized + bias


class UpBlock(nn.Module):
    """BN, ReLU, double, 3 × 3, BN, ReLU, 3 × 3, beside doubling and 1 × 1 (Miyato et al. 2018, figure 8).

    Args:
        channels_in: of the input.
        channels_out: of the output.
        size: (height, width) of the output, which is doubled by nearest neighbours and cropped.
        classes: number of labels K, 0 for none.
    """

    def __init__(self, channels_in: int, channels_out: int, size: tuple[int, int], classes: int) -> None:
        super().__init__()
        self.size = size
        self.norm1 = ConditionalBatchNorm(channels_in, classes)
        self.conv1 = _conv(channels_in, channels_out, 3, gain=MAIN_GAIN)
        self.norm2 = ConditionalBatchNorm(channels_out, classes)
        self.conv2 = _conv(channels_out, channels_out, 3, gain=MAIN_GAIN)
        self.shortcut = _conv(channels_in, channels_out, 1, gain=1.0)

    def forward(self, x: Tensor, y: Tensor | None) -> Tensor:
        """(N, F, h, w), (N,) -> (N, F', *size)."""
        main = self._doubled(relu(self.norm1(x, y)))
        main = self.conv2(relu(self.norm2(self.conv1(main), y)))
        # a 1 × 1 convolution commutes with repeating pixels, and is four times cheaper before it
        return self._doubled(self.shortcut(x)).add(main)

    def _doubled(self, x: Tensor) -> Tensor:
        height, width = self.size
        return interpolate(x, scale_factor=2.0, mode="nearest")[:, :, :height, :width]


class DownBlock(nn.Module):
    """ReLU, 3 × 3, ReLU, 3 × 3, halve, beside 1 × 1 and halving (Miyato et al. 2018, figure 8).

    The shortcut is the identity where the block neither halves the map nor changes the channels.

    Args:
        channels_in: of the input.
        channels_out: of the output.
        halve: whether 2 × 2 pixels are averaged.
        first: without the first ReLU, as pixels may be below 0.
    """

    def __init__(self, channels_in: int, channels_out: int, *, halve: bool, first: bool) -> None:
        super().__init__()
        self.halve, self.first = halve, first
        # as in the authors' code: a block widens at its end, except the first, which leaves pixels at once
        hidden = channels_out if first else channels_in
        self.conv1 = SpectralConv(channels_in, hidden, 3, gain=MAIN_GAIN)
        self.conv2 = SpectralConv(hidden, channels_out, 3, gain=MAIN_GAIN)
        same = channels_in == channels_out and not halve
        self.shortcut = None if same else SpectralConv(channels_in, channels_out, 1)

    def forward(self, x: Tensor) -> Tensor:
        """(N, F, h, w) -> (N, F', h, w), or (N, F', ⌈h/2⌉, ⌈w/2⌉)."""
        main = self.conv1(x if self.first else relu(x))
        main = self._halved(self.conv2(relu(main)))
        # averaging commutes with a 1 × 1 convolution, and is cheaper first
        beside = self._halved(x)
        return main + (beside if self.shortcut is None else self.shortcut(beside))

    def _halved(self, x: Tensor) -> Tensor:
        # where the size is odd, the last row or column is averaged with itself alone
        return avg_pool2d(x, 2, ceil_mode=True, count_include_pad=False) if self.halve else x


def _stages(widths: Sequence[int], stages: int) -> tuple[int, ...]:
    """The first `stages` of `widths`, whose last is repeated as often as needed.

    Raises:
        ValueError: there are none, or one is below 1.
    """
    if not widths or min(widths) < 1:
        raise ValueError(f"widths must be numbers of channels from 1, not {list(widths)}")
    return tuple(widths[min(stage, len(widths) - 1)] for stage in range(stages))


def _given(y: Tensor | None) -> Tensor:
    if y is None:
        raise ValueError("this network was built with classes and needs labels; give y")
    return y


def _conv(channels_in: int, channels_out: int, kernel: int, *, gain: float) -> nn.Conv2d:
    """Same size, Xavier-uniform weights (Glorot and Bengio 2010), zero biases."""
    conv = nn.Conv2d(channels_in, channels_out, kernel, padding=kernel // 2)
    nn.init.xavier_uniform_(conv.weight, gain)
    if conv.bias is not None:
        nn.init.zeros_(conv.bias)
    return conv
