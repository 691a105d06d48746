"""What a discriminator sees in an image: the values that enter its last layer."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor, nn

from ..errors import ConfigError
from ..networks.layers import Packed

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
        with inputs_of([last]) as entered:
            discriminator(x, y)
        return entered[-1][1].flatten(1)

    return features


def _last_map(discriminator: nn.Module, sample_shape: tuple[int, ...]) -> nn.Module:
    """The last linear map to run that an image enters; what labels alone enter doesn't count."""
    device = next(discriminator.parameters()).device
    x = torch.zeros(2, *sample_shape, device=device, requires_grad=True)
    with torch.enable_grad(), inputs_of(linear_maps(discriminator)) as entered:
        discriminator(x, torch.zeros(2, dtype=torch.int64, device=device))
    for module, value in reversed(entered):
        if value is x or (value.requires_grad and _depends(value, x)):
            return module
    raise ConfigError("this run's discriminator has no layers to take features from; leave out --features")


def _depends(value: Tensor, x: Tensor) -> bool:
    """Whether x enters the computation of `value`."""
    return torch.autograd.grad(value.sum(), x, retain_graph=True, allow_unused=True)[0] is not None


def linear_maps(network: nn.Module) -> list[nn.Module]:
    """The modules with a weight matrix or kernel of their own, whatever their class."""
    return [m for m in network.modules() if any(p.ndim >= 2 for p in m.parameters(recurse=False))]


@contextlib.contextmanager
def inputs_of(modules: list[nn.Module]) -> Iterator[list[tuple[nn.Module, Tensor]]]:
    """Within the block, the list grows by (module, its first input) whenever one of the modules runs."""
    seen: list[tuple[nn.Module, Tensor]] = []

    def note(module: nn.Module, inputs: tuple[Any, ...]) -> None:
        if inputs and isinstance(inputs[0], Tensor) and inputs[0].is_floating_point():
            seen.append((module, inputs[0]))

    handles = [module.register_forward_pre_hook(note) for module in modules]
    try:
        yield seen
    finally:
        for handle in handles:
            handle.remove()
