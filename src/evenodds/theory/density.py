"""What theory asks of a known distribution."""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor


class Density(Protocol):
    """A distribution with a known density and an exact sampler."""

    @property
    def dimension(self) -> int:
        """d, how many coordinates a point has."""

    @property
    def bounds(self) -> Tensor:
        """(d, 2) float64: lowest and highest value of each coordinate, but for 1e-9 of the mass."""

    def log_density(self, x: Tensor) -> Tensor:
        """log p(x) in nats: x (N, d) to (N,) float64; −∞ outside the support."""

    def sample(self, n: int, generator: torch.Generator | None = None) -> Tensor:
        """n independent points (n, d) float32 on the CPU."""


class Smoothable(Density, Protocol):
    """A density that is also known after Gaussian noise."""

    def smoothed(self, std: float) -> Density:
        """The distribution of its points after independent noise N(0, std² I)."""
