"""Features of a discriminator: what it looks at to tell real from generated, as one vector per image.

Radford, Metz and Chintala (2015), section 5.1, use them to judge how much a GAN has learnt without labels: a
linear classifier on them is trained and scored (metrics/linear_probe.py).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import adaptive_max_pool2d
from torch.overrides import TorchFunctionMode

from ..networks.layers import Packed
from ..referee.scores import evaluating

GRID = 4  # a layer's map is max-pooled to so many rows and columns
BLOCK = 256  # images in one forward pass
RELU = {"relu", "relu_", "relu6", "leaky_relu", "leaky_relu_", "prelu"}
ACTIVATIONS = RELU | {"elu", "elu_", "selu", "celu", "gelu", "silu", "mish", "softplus"}


class _Activations(TorchFunctionMode):
    """Notes what every activation function gives, whether a module or the network itself calls it."""

    def __init__(self) -> None:
        super().__init__()
        self.maps: list[Tensor] = []  # (N, C, h, w) each, in the order of the forward pass

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Iterable[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        # a map of one pixel is a vector: the fully connected layer of some networks
        if getattr(func, "__name__", "") in ACTIVATIONS and result.ndim == 4 and result[0, 0].numel() > 1:
            self.maps.append(result.clone())  # it may be changed in place later
        return result


def discriminator_features(discriminator: nn.Module, x: Tensor) -> Tensor:
    """The activations of every convolution, each max-pooled to 4 × 4, flattened and joined; (N, F).

    Radford et al. (2015), section 5.1; F is 16 times the channels of all layers together.  Labels don't
    enter: a conditional network is called without, and one that can't be without, which in this library
    means that its label enters after the last map, with label 0.  Layers are in evaluation mode: batch
    normalization takes the statistics of training.  A packed network sees an image beside copies of itself;
    StyleGAN2's last layer sees how its group of the batch varies.

    Args:
        discriminator: `(x, y) -> logits`, with convolutions.
        x: (N, C, H, W) in the range that it was trained on.

    Returns:
        (N, F) float32, on the CPU.

    Raises:
        ValueError: no images, or a network without activations of maps.
    """
    if not len(x):
        raise ValueError("there are no images to take features of; give at least one")
    device = next(discriminator.parameters()).device
    with evaluating(discriminator):
        rows = [_pooled(_maps(discriminator, block.to(device))).float().cpu() for block in x.split(BLOCK)]
    return torch.cat(rows)


def _maps(discriminator: nn.Module, x: Tensor) -> list[Tensor]:
    """(N, C, h, w) of each activation, by a forward pass without labels."""
    if isinstance(discriminator, Packed):
        inside: nn.Module = discriminator.discriminator
        return _maps(inside, x.repeat(1, discriminator.size, 1, 1))
    seen = _Activations()
    try:
        with seen:
            discriminator(x, None)
    except ValueError:  # "needs labels": where the last layer is a projection on the label
        seen = _Activations()
        with seen:
            discriminator(x, torch.zeros(len(x), dtype=torch.int64, device=x.device))
    return seen.maps


def _pooled(maps: list[Tensor]) -> Tensor:
    """(N, F)."""
    if not maps:
        raise ValueError("this discriminator has no maps to take features of; use one with convolutions")
    return torch.cat([adaptive_max_pool2d(one, GRID).flatten(1) for one in maps], 1)
