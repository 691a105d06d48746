"""Generators whose latent space is known: linear ones, and one that shows its styles."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from evenodds.latents import Normal
from evenodds.sampling import Sampler


class Linear(nn.Module):
    """x = W z + b, plus `by_class` times the label."""

    def __init__(self, dim: int, shape: tuple[int, ...], *, classes: int = 0, scale: float = 0.1) -> None:
        super().__init__()
        self.latent_dim, self.sample_shape, self.classes = dim, shape, classes
        self.map = nn.Linear(dim, int(np.prod(shape)))
        with torch.no_grad():
            self.map.weight.normal_(0, scale, generator=torch.Generator().manual_seed(1))
            self.map.bias.zero_()

    def forward(self, z: Tensor, y: Tensor | None = None) -> Tensor:
        x = self.map(z)
        if y is not None:
            x = x + 0.1 * y[:, None]
        return x.view(-1, *self.sample_shape)


class Striped(nn.Module):
    """w = 2 z; layer l's style is row l of a (1, layers, F) sample: one sees which entered where."""

    def __init__(self, dim: int = 6, layers: int = 6) -> None:
        super().__init__()
        self.latent_dim, self.sample_shape, self.classes = dim, (1, layers, dim), 0
        self.affine = nn.ModuleList(nn.Linear(dim, dim) for _ in range(layers))
        for index, affine in enumerate(self.affine):
            with torch.no_grad():
                affine.weight.copy_(torch.eye(dim) * (1 + index) / 10)
                affine.bias.zero_()
        self.register_buffer("style_mean", torch.full((dim,), 0.5))

    @property
    def style_layers(self) -> int:
        return len(self.affine)

    def style(self, z: Tensor, y: Tensor | None = None) -> Tensor:
        return 2 * z

    def synthesize(self, w: Tensor) -> Tensor:
        if w.ndim == 2:
            w = w[:, None].expand(-1, self.style_layers, -1)
        rows = [affine(w[:, index]) for index, affine in enumerate(self.affine)]
        return torch.stack(rows, 1)[:, None]

    def forward(self, z: Tensor, y: Tensor | None = None) -> Tensor:
        return self.synthesize(self.style(z, y))


def sampler(generator: nn.Module, *, prior=None, value_range=(-1.0, 1.0), **facts) -> Sampler:
    names = tuple(f"kind{index}" for index in range(generator.classes))
    prior = prior or Normal(dim=generator.latent_dim)
    return Sampler(generator, prior, generator.sample_shape, value_range, names, facts)


def linear(dim: int = 8, shape: tuple[int, ...] = (1, 6, 5), **options) -> Sampler:
    return sampler(Linear(dim, shape, **options))
