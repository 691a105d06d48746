"""The three kinds of known distribution: Gaussian mixtures, uniform squares, and points without density."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from ..errors import ConfigError
from ..theory import Density

CHUNK = 50_000  # distances to components that are held at once: as many as stay in a processor's cache
OUTSIDE = 1e-9  # the share of the mass that `bounds` may leave out


@dataclass(frozen=True, eq=False)
class Mixture:
    """p(x) = Σ_k w_k N(x; modes_k, std² I), Gaussians of one width.

    Args:
        modes: (K, d) float64 centres.
        std: standard deviation of each Gaussian in each direction, above 0.
        weights: (K,) float64, positive, summing to 1; None for 1/K each.
        countable: whether the components are modes that a generator captures or misses; False where
            they stand side by side along a curve.
    """

    modes: Tensor
    std: float
    weights: Tensor | None = None
    countable: bool = True

    @property
    def dimension(self) -> int:
        """d, how many coordinates a point has."""
        return self.modes.shape[1]

    @property
    def bounds(self) -> Tensor:
        """(d, 2) float64: lowest and highest value of each coordinate, but for 1e-9 of the mass."""
        tail = torch.tensor(OUTSIDE / (2 * self.dimension), dtype=torch.float64)
        reach = -float(torch.special.ndtri(tail)) * self.std
        return torch.stack([self.modes.amin(0) - reach, self.modes.amax(0) + reach], 1)

    def log_density(self, x: Tensor) -> Tensor:
        """log p(x) = logsumexp_k (log w_k − |x − modes_k|² / 2 std²) − d log(std √(2π)), in float64.

        Args:
            x: (N, d).

        Returns:
            (N,) float64.
        """
        unit = math.sqrt(2) * self.std
        modes, weights = (self.modes / unit).to(x.device), self._log_weights().to(x.device)
        constant = self.dimension * math.log(self.std * math.sqrt(2 * math.pi))

        def of(points: Tensor) -> Tensor:
            exponents = weights.repeat(len(points), 1)  # (n, K)
            # Differences first: |x|² − 2x·m + |m|² would cancel where std is far below the distances.
            for coordinate in range(self.dimension):
                apart = points[:, coordinate, None] - modes[:, coordinate]
                exponents = exponents - apart.square()
            return exponents.logsumexp(1) - constant

        parts = (x.double() / unit).split(max(1, CHUNK // len(modes)))
        return torch.cat([of(part) for part in parts])

    def sample(self, n: int, generator: torch.Generator | None = None) -> Tensor:
        """n independent points (n, d) float32 on the CPU; equal states of `generator` give equal points."""
        chosen = _choose(n, self._log_weights().exp(), generator)
        noise = torch.randn(n, self.dimension, dtype=torch.float64, generator=generator)
        return (self.modes[chosen] + self.std * noise).float()

    def smoothed(self, std: float) -> Mixture:
        """The mixture after independent noise N(0, std² I) has been added to its points."""
        return Mixture(self.modes, math.hypot(self.std, std), self.weights, self.countable)

    def _log_weights(self) -> Tensor:
        if self.weights is None:
            return torch.full((len(self.modes),), -math.log(len(self.modes)), dtype=torch.float64)
        return self.weights.log()


@dataclass(frozen=True, eq=False)
class Squares:
    """Uniform on K squares of the plane that don't overlap, blurred by N(0, std² I) where std is above 0.

    Args:
        corners: (K, 2) float64, the lower left corner of each square.
        side: length of their sides, above 0.
        std: of the noise on top; 0 for sharp edges.
    """

    corners: Tensor
    side: float
    std: float = 0.0

    @property
    def dimension(self) -> int:
        """2: squares lie in the plane."""
        return 2

    @property
    def bounds(self) -> Tensor:
        """(2, 2) float64: lowest and highest value of each coordinate, but for 1e-9 of the mass."""
        reach = -float(torch.special.ndtri(torch.tensor(OUTSIDE / 4, dtype=torch.float64))) * self.std
        return torch.stack([self.corners.amin(0) - reach, self.corners.amax(0) + self.side + reach], 1)

    def log_density(self, x: Tensor) -> Tensor:
        """log(1/(K side²)) in a square and −∞ outside; blurred, the logarithm of a sum of Φ differences.

        Args:
            x: (N, 2).

        Returns:
            (N,) float64.
        """
        corners = self.corners.to(x.device)
        constant = math.log(len(corners) * self.side**2)

        def of(points: Tensor) -> Tensor:
            beyond = points[:, None] - corners  # (n, K, 2), from the lower left corner
            if self.std > 0:
                return _log_blurred(beyond, self.side, self.std).sum(2).logsumexp(1) - constant
            inside = ((beyond >= 0) & (beyond <= self.side)).all(2).any(1)
            return points.new_full((len(points),), -constant).masked_fill(~inside, -math.inf)

        return torch.cat([of(part) for part in x.double().split(max(1, CHUNK // len(corners)))])

    def sample(self, n: int, generator: torch.Generator | None = None) -> Tensor:
        """n independent points (n, 2) float32 on the CPU; equal states of `generator` give equal points."""
        chosen = torch.randint(len(self.corners), (n,), generator=generator)
        corners = self.corners[chosen]
        x = corners + self.side * torch.rand(n, 2, dtype=torch.float64, generator=generator)
        if self.std > 0:
            return (x + self.std * torch.randn(n, 2, dtype=torch.float64, generator=generator)).float()
        # Rounded to float32 a point may lie just outside its square, where the density is 0.
        rounded = x.float()
        outside = (rounded < corners) | (rounded > corners + self.side)
        return torch.where(outside, rounded.nextafter((corners + self.side / 2).float()), rounded)

    def smoothed(self, std: float) -> Squares:
        """The squares after independent noise N(0, std² I) has been added to their points."""
        return Squares(self.corners, self.side, math.hypot(self.std, std))


@dataclass(frozen=True, eq=False)
class Points:
    """Discrete points, each as probable as its weight: a distribution without a density.

    Args:
        at: (K, d) float64.
        weights: (K,) float64, positive, summing to 1.
    """

    at: Tensor
    weights: Tensor

    @property
    def dimension(self) -> int:
        """d, how many coordinates a point has."""
        return self.at.shape[1]

    @property
    def bounds(self) -> Tensor:
        """(d, 2) float64: a box around all points, with a margin so that it has an inside."""
        margin = float((self.at.amax(0) - self.at.amin(0)).max()) / 10 or 1.0
        return torch.stack([self.at.amin(0) - margin, self.at.amax(0) + margin], 1)

    def log_density(self, x: Tensor) -> Tensor:
        """There is none.

        Raises:
            ConfigError: always.
        """
        raise ConfigError(
            "the data 'points' has no density, only probabilities of single points; "
            "use gaussian_mixture with these means and a small std"
        )

    def sample(self, n: int, generator: torch.Generator | None = None) -> Tensor:
        """n independent draws (n, d) float32 on the CPU; equal states of `generator` give equal draws."""
        return self.at[_choose(n, self.weights, generator)].float()

    def smoothed(self, std: float) -> Mixture:
        """The mixture that noise N(0, std² I) makes of the points; it has a density."""
        return Mixture(self.at, std, self.weights)


def counted_modes(density: Density | None) -> Mixture | None:
    """The mixture whose modes a generator can capture or miss, or None where there is nothing to count."""
    return density if isinstance(density, Mixture) and density.countable else None


def _choose(n: int, weights: Tensor, generator: torch.Generator | None) -> Tensor:
    """n independent indices (n,) int64 with the probabilities `weights` (K,)."""
    uniform = torch.rand(n, dtype=torch.float64, generator=generator)
    edges = weights.cumsum(0)
    # The last edge may be 1 − 1e-16, hence the clamp.
    return torch.searchsorted(edges, uniform, right=True).clamp_(max=len(edges) - 1)


def _log_blurred(beyond: Tensor, side: float, std: float) -> Tensor:
    """log[Φ(beyond/std) − Φ((beyond − side)/std)] per coordinate, accurate in both tails.

    Args:
        beyond: how far to the right of the left edge, any shape.
    """
    # By symmetry about the middle both arguments are taken on the left, where log Φ is accurate.
    middle = -(beyond - side / 2).abs()
    upper = torch.special.log_ndtr((middle + side / 2) / std)
    lower = torch.special.log_ndtr((middle - side / 2) / std)
    blurred: Tensor = upper + torch.log(-torch.expm1(lower - upper))
    return blurred
