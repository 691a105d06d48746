"""Targets whose density is known exactly: for D*, the Jensen-Shannon divergence and mode coverage."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ..errors import ConfigError


@dataclass(frozen=True, eq=False)
class Mixture:
    """p(x) = Σ_k w_k N(x; modes_k, std² I), Gaussians of one width.

    Args:
        modes: (K, d) float64 centres.
        std: standard deviation of each Gaussian in each direction, above 0.
        weights: (K,) float64, positive, summing to 1; None for 1/K each.
    """

    modes: Tensor
    std: float
    weights: Tensor | None = None

    @property
    def dimension(self) -> int:
        """d, how many coordinates a point has."""
        return self.modes.shape[1]

    def log_density(self, x: Tensor) -> Tensor:
        """log p(x) = logsumexp_k (log w_k − |x − modes_k|² / 2 std²) − d log(std √(2π)), in float64.

        Args:
            x: (N, d).

        Returns:
            (N,) float64.
        """
        # Differences first: |x|² − 2x·m + |m|² would cancel where std is far below the distances.
        distances = (x.double()[:, None] - self.modes.to(x.device)).square().sum(2)  # (N, K)
        exponents = self._log_weights().to(x.device) - distances / (2 * self.std**2)
        return exponents.logsumexp(1) - self.dimension * math.log(self.std * math.sqrt(2 * math.pi))

    def sample(self, n: int, generator: torch.Generator | None = None) -> Tensor:
        """n independent points (n, d) float32 on the CPU; equal states of `generator` give equal points."""
        uniform = torch.rand(n, dtype=torch.float64, generator=generator)
        edges = self._log_weights().exp().cumsum(0)
        # The last edge may be 1 − 1e-16, hence the clamp.
        chosen = torch.searchsorted(edges, uniform, right=True).clamp_(max=len(edges) - 1)
        noise = torch.randn(n, self.dimension, dtype=torch.float64, generator=generator)
        return (self.modes[chosen] + self.std * noise).float()

    def _log_weights(self) -> Tensor:
        if self.weights is None:
            return torch.full((len(self.modes),), -math.log(len(self.modes)), dtype=torch.float64)
        return self.weights.log()


def ring(*, modes: int = 8, radius: float = 1.0, std: float = 0.01) -> Mixture:
    """Gaussians at angles 2πi/modes on a circle; by default the 2D-ring of PacGAN (Lin et al. 2018, §4.1)."""
    _require(modes >= 1, "modes", modes, "at least 1")
    _require(0 < radius < math.inf, "radius", radius, "above 0")
    angles = 2 * math.pi * torch.arange(modes, dtype=torch.float64) / modes
    return _mixture(radius * torch.stack([angles.cos(), angles.sin()], 1), std)


def grid(*, side: int = 5, spacing: float = 2.0, std: float = 0.05) -> Mixture:
    """side × side Gaussians around 0; by default the 2D-grid {−4, …, 4}² of PacGAN (Lin et al. 2018)."""
    _require(side >= 1, "side", side, "at least 1")
    _require(0 < spacing < math.inf, "spacing", spacing, "above 0")
    axis = spacing * (torch.arange(side, dtype=torch.float64) - (side - 1) / 2)
    return _mixture(torch.cartesian_prod(axis, axis), std)


def gaussian(*, mean: float = 0.0, std: float = 1.0) -> Mixture:
    """N(mean, std²) on the line: the example of figure 1 of Goodfellow et al. (2014)."""
    return gaussian_mixture(means=(mean,), std=std)


def gaussian_mixture(
    *,
    means: Sequence[float] | Sequence[Sequence[float]] = (-2.0, 2.0),
    std: float = 0.5,
    weights: Sequence[float] | None = None,
) -> Mixture:
    """Gaussians of one width around `means`.

    Args:
        means: K numbers, or K points of equal dimension.
        std: their common standard deviation.
        weights: K positive numbers, which are divided by their sum; None for equal weights.

    Raises:
        ConfigError: the means or weights are not such numbers.
    """
    try:
        modes = torch.tensor(means, dtype=torch.float64)
        shares = None if weights is None else torch.tensor(weights, dtype=torch.float64)
    except (TypeError, ValueError) as error:
        raise ConfigError(
            f"means={means!r}, weights={weights!r} are not lists of numbers; use [-2, 2]"
        ) from error
    _require(
        modes.ndim in (1, 2) and modes.numel() > 0, "means", means, "K numbers or K points of equal dimension"
    )
    if shares is not None:
        fits = shares.shape == modes.shape[:1] and bool((shares > 0).all() and shares.isfinite().all())
        _require(fits, "weights", weights, f"{len(modes)} numbers above 0, one for each mean")
        shares = shares / shares.sum()
    return _mixture(modes if modes.ndim == 2 else modes[:, None], std, shares)


DENSITIES: Mapping[str, Callable[..., Mixture]] = {
    "ring": ring,
    "grid": grid,
    "gaussian": gaussian,
    "gaussian_mixture": gaussian_mixture,
}


def _mixture(modes: Tensor, std: float, weights: Tensor | None = None) -> Mixture:
    """A checked mixture."""
    _require(bool(modes.isfinite().all()), "means", modes.tolist(), "finite")
    _require(0 < std < math.inf, "std", std, "above 0")
    return Mixture(modes=modes, std=float(std), weights=weights)


def _require(holds: bool, name: str, value: object, wanted: str) -> None:
    if not holds:
        raise ConfigError(f"{name}={value!r} does not describe a density; {name} must be {wanted}")
