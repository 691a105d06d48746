"""Small classifiers whose last hidden layer gives the features of digits and of 32 × 32 colour images.

The shape of the network follows Jordan (2024), "94% on CIFAR-10 in 3.29 seconds on a single GPU", section 3:
fixed filters that whiten patches of 2 × 2 pixels, blocks of two convolutions with a pooling between them, a
global maximum, and one linear map; here with fewer channels, so that a CPU trains it in minutes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from torch import Tensor, nn

Normalization = Callable[[int], nn.Module]


@dataclass(frozen=True)
class Shape:
    """Of a classifier.

    Args:
        channels: C of its images.
        size: H and W of its images.
        widths: channels of its blocks; the last is F, the number of features.
        class_names: in label order.
        mirrored: whether an image's features are the mean of its own and of its mirror image's.
    """

    channels: int
    size: int
    widths: tuple[int, int, int]
    class_names: tuple[str, ...]
    mirrored: bool = False


SHAPES: Mapping[str, Shape] = {
    "mnist": Shape(1, 28, (32, 64, 128), tuple("0123456789")),
    "cifar10": Shape(
        3,
        32,
        (64, 128, 224),
        ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"),
        mirrored=True,
    ),
}


class Block(nn.Module):
    """Convolution, maximum of 2 × 2, GELU; convolution, GELU: half the size.

    Args:
        entering: channels of what enters.
        width: channels of what leaves.
        norm: makes what normalizes after either convolution while training; None for weights in which it is
            folded already.
    """

    def __init__(self, entering: int, width: int, norm: Normalization | None = None) -> None:
        super().__init__()
        self.first = nn.Conv2d(entering, width, 3, padding=1, bias=norm is None)
        self.second = nn.Conv2d(width, width, 3, padding=1, bias=norm is None)
        self.pool = nn.MaxPool2d(2)
        self.first_norm = nn.Identity() if norm is None else norm(width)
        self.second_norm = nn.Identity() if norm is None else norm(width)
        self.activation = nn.GELU()

    def forward(self, x: Tensor) -> Tensor:
        """(N, entering, H, W) -> (N, width, H // 2, W // 2)."""
        x = self.activation(self.first_norm(self.pool(self.first(x))))
        hidden: Tensor = self.activation(self.second_norm(self.second(x)))
        return hidden


class Classifier(nn.Module):
    """Images in [0, 1] to features and logits.

    Args:
        shape: of its images and blocks.
        norm: see `Block`.
    """

    def __init__(self, shape: Shape, norm: Normalization | None = None) -> None:
        super().__init__()
        patch = 4 * shape.channels  # numbers in 2 × 2 pixels
        self.whiten = nn.Conv2d(shape.channels, 2 * patch, 2)
        self.activation = nn.GELU()
        entering = (2 * patch, *shape.widths)
        self.blocks = nn.Sequential(
            *(Block(entering[i], width, norm) for i, width in enumerate(shape.widths))
        )
        self.last = nn.Linear(shape.widths[-1], len(shape.class_names), bias=False)

    def features(self, x: Tensor) -> Tensor:
        """(N, C, H, W) in [0, 1] -> (N, F): the largest value of each channel, after its GELU."""
        hidden: Tensor = self.blocks(self.activation(self.whiten(x)))  # (N, F, 3, 3)
        return hidden.amax((2, 3))

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) in [0, 1] -> logits (N, K)."""
        logits: Tensor = self.last(self.features(x))
        return logits
