"""Noise priors p(z): what the generator's input is drawn from, `(n) -> z` of shape (n, dim)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor


class Prior(Protocol):
    """Draws latents; the same object serves training (the global generator) and seeded sampling."""

    @property
    def dim(self) -> int:
        """Length of one latent, L."""

    def __call__(
        self, n: int, generator: torch.Generator | None = None, device: torch.device | str = "cpu"
    ) -> Tensor:
        """(n, L) float32."""


@dataclass(frozen=True, kw_only=True)
class Normal:
    """z ~ N(0, I)."""

    dim: int = 100

    def __call__(
        self, n: int, generator: torch.Generator | None = None, device: torch.device | str = "cpu"
    ) -> Tensor:
        """(n, L)."""
        return torch.randn(n, self.dim, generator=generator, device=device)


@dataclass(frozen=True, kw_only=True)
class Uniform:
    """z ~ U(−bound, bound) per coordinate.

    The default √3 has unit variance: the 2014 code's choice for MNIST.  Radford et al. (2015) take 1.
    """

    dim: int = 100
    bound: float = math.sqrt(3)

    def __call__(
        self, n: int, generator: torch.Generator | None = None, device: torch.device | str = "cpu"
    ) -> Tensor:
        """(n, L)."""
        z = torch.rand(n, self.dim, generator=generator, device=device)
        return z.mul_(2 * self.bound).sub_(self.bound)


@dataclass(frozen=True, kw_only=True)
class Sphere:
    """z uniform on the unit sphere: a normal draw divided by its length (the 2014 code's "spherical")."""

    dim: int = 100

    def __call__(
        self, n: int, generator: torch.Generator | None = None, device: torch.device | str = "cpu"
    ) -> Tensor:
        """(n, L)."""
        z = torch.randn(n, self.dim, generator=generator, device=device)
        return torch.nn.functional.normalize(z)


PRIORS: dict[str, type[Normal] | type[Uniform] | type[Sphere]] = {
    "normal": Normal,
    "uniform": Uniform,
    "sphere": Sphere,
}
