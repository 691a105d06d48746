"""What a discriminator sees in an image: the values that enter its last layer."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from ..errors import ConfigError
from ..networks.layers import Packed
from .tracing import Call, LinearCalls

Features = Callable[[Tensor, Tensor | None], Tensor]  # (N, C, H, W), (N,) -> (N, F)


def features_of(discriminator: nn.Module, sample_shape: tuple[int, ...]) -> Features:
    """A function from samples and labels to D's last hidden features; differentiable; for any family of D.

    Args:
        discriminator: `(x, y) -> logits (N,)`, in evaluation mode.
        sample_shape: of one sample.

    Raises:
        ConfigError: D judges packs of samples, so it has no features of one.
    """
    if isinstance(discriminator, Packed):
        raise ConfigError("this run's discriminator judges packs, never one sample; leave out --features")
    last = _last_map(discriminator, sample_shape)

    def features(x: Tensor, y: Tensor | None) -> Tensor:
        with LinearCalls(only=last) as seen:
            discriminator(x, y)
        return seen.calls[0].entering.flatten(1)

    return features


def _last_map(discriminator: nn.Module, sample_shape: tuple[int, ...]) -> int:
    """The number of the last linear map that an image enters; what labels alone enter doesn't count."""
    device = next(discriminator.parameters()).device
    x = torch.zeros(2, *sample_shape, device=device, requires_grad=True)
    with torch.enable_grad(), LinearCalls() as seen:
        discriminator(x, torch.zeros(2, dtype=torch.int64, device=device))
    call: Call
    for call in reversed(seen.calls):
        if call.entering is x or (call.entering.requires_grad and _depends(call.entering, x)):
            return call.number
    raise ConfigError("this run's discriminator has no layers to take features from; leave out --features")


def _depends(value: Tensor, x: Tensor) -> bool:
    """Whether x enters the computation of `value`."""
    return torch.autograd.grad(value.sum(), x, retain_graph=True, allow_unused=True)[0] is not None
