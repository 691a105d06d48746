"""Targets whose density is known exactly: for D*, the Jensen-Shannon divergence and mode coverage."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor

from ..errors import ConfigError
from ..theory import Density
from .distributions import Mixture, Points, Squares

MOST_COMPONENTS = 20_000  # along a curve; more would take seconds for every thousand points


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
    modes, shares = _weighted("means", means, weights)
    return _mixture(modes, std, shares)


def spiral(*, arms: int = 2, turns: float = 1.0, std: float = 0.02) -> Mixture:
    """Arms from near the middle to radius 1, nearly evenly filled and blurred by std."""
    _require(arms >= 1, "arms", arms, "at least 1")
    _require(0 < turns < math.inf, "turns", turns, "above 0")

    def arm(u: Tensor) -> Tensor:
        # With the radius itself in proportion to u, half of an arm would crowd in the middle.
        radius = (0.01 + 0.99 * u).sqrt()
        angle = 2 * math.pi * turns * radius
        return torch.stack([radius * angle.cos(), radius * angle.sin()], 1)

    first = _along(arm, std)
    angles = [2 * math.pi * number / arms for number in range(arms)]
    return _curve([first @ _rotation(angle) for angle in angles], std)


def swiss_roll(*, std: float = 0.033) -> Mixture:
    """(t cos t, t sin t)/7.5, t uniform in [1.5π, 4.5π]; scale and noise as in Gulrajani et al. (2017)."""

    def roll(u: Tensor) -> Tensor:
        t = 1.5 * math.pi * (1 + 2 * u)
        return torch.stack([t * t.cos(), t * t.sin()], 1) / 7.5

    return _curve([_along(roll, std)], std)


def two_moons(*, std: float = 0.1) -> Mixture:
    """Half circles of radius 1, the upper around (0, 0), the lower around (1, 0.5), blurred by std."""
    upper = _along(lambda u: torch.stack([(math.pi * u).cos(), (math.pi * u).sin()], 1), std)
    lower = torch.tensor([1.0, 0.5], dtype=torch.float64) - upper
    return _curve([upper, lower], std)


def checkerboard(*, side: int = 4, size: float = 4.0) -> Squares:
    """Uniform on the squares of one colour of a side × side board, size units wide, around 0."""
    _require(side >= 1, "side", side, "at least 1")
    _require(0 < size < math.inf, "size", size, "above 0")
    of_one_colour = [(i, j) for i in range(side) for j in range(side) if (i + j) % 2 == 0]
    corners = torch.tensor(of_one_colour, dtype=torch.float64) * (size / side) - size / 2
    return Squares(corners, size / side)


def points(
    *,
    at: Sequence[float] | Sequence[Sequence[float]] = (0.0, 4.0),
    weights: Sequence[float] | None = None,
) -> Points:
    """Single points with probabilities; by default the two clusters on the line of Sun et al. (2020).

    Args:
        at: K numbers, or K points of equal dimension.
        weights: K positive numbers, which are divided by their sum; None for equal weights.

    Raises:
        ConfigError: the points or weights are not such numbers.
    """
    places, shares = _weighted("at", at, weights)
    if shares is None:
        shares = torch.full((len(places),), 1 / len(places), dtype=torch.float64)
    return Points(places, shares)


DENSITIES: Mapping[str, Callable[..., Density]] = {
    "ring": ring,
    "grid": grid,
    "gaussian": gaussian,
    "gaussian_mixture": gaussian_mixture,
    "spiral": spiral,
    "swiss_roll": swiss_roll,
    "two_moons": two_moons,
    "checkerboard": checkerboard,
    "points": points,
}


def _along(curve: Callable[[Tensor], Tensor], std: float) -> Tensor:
    """Points (K, 2) of a curve at even steps of its parameter u in [0, 1], neighbours at most std apart.

    A row of Gaussians whose distance is their std is even to 2 exp(−2π²) = 5e-9 of its height.

    Raises:
        ConfigError: std is not above 0, or so small that this takes too many Gaussians.
    """
    _require(0 < std < math.inf, "std", std, "above 0")
    fine = curve(torch.linspace(0, 1, 2_001, dtype=torch.float64))
    speed = float((fine[1:] - fine[:-1]).norm(dim=1).max()) * 2_000
    _require(speed / std <= MOST_COMPONENTS, "std", std, f"at least {speed / MOST_COMPONENTS:.1g}")
    count = max(16, math.ceil(speed / std))
    return curve((torch.arange(count, dtype=torch.float64) + 0.5) / count)


def _curve(parts: Sequence[Tensor], std: float) -> Mixture:
    return Mixture(torch.cat(list(parts)), float(std), countable=False)


def _rotation(angle: float) -> Tensor:
    """(2, 2), to be multiplied from the right."""
    cos, sin = math.cos(angle), math.sin(angle)
    return torch.tensor([[cos, sin], [-sin, cos]], dtype=torch.float64)


def _weighted(
    name: str, places: Sequence[float] | Sequence[Sequence[float]], weights: Sequence[float] | None
) -> tuple[Tensor, Tensor | None]:
    """Places (K, d) and shares (K,) that sum to 1, both float64 and finite."""
    try:
        where = torch.tensor(places, dtype=torch.float64)
        shares = None if weights is None else torch.tensor(weights, dtype=torch.float64)
    except (TypeError, ValueError) as error:
        raise ConfigError(
            f"{name}={places!r}, weights={weights!r} are not lists of numbers; use [-2, 2]"
        ) from error
    fits = where.ndim in (1, 2) and where.numel() > 0
    _require(fits, name, places, "K numbers or K points of equal dimension")
    _require(bool(where.isfinite().all()), name, places, "finite")
    if shares is not None:
        fits = shares.shape == where.shape[:1] and bool((shares > 0).all() and shares.isfinite().all())
        _require(fits, "weights", weights, f"{len(where)} numbers above 0, one for each of {name}")
        shares = shares / shares.sum()
    return (where if where.ndim == 2 else where[:, None]), shares


def _mixture(modes: Tensor, std: float, weights: Tensor | None = None) -> Mixture:
    """A checked mixture."""
    _require(bool(modes.isfinite().all()), "means", modes.tolist(), "finite")
    _require(0 < std < math.inf, "std", std, "above 0")
    return Mixture(modes=modes, std=float(std), weights=weights)


def _require(holds: bool, name: str, value: object, wanted: str) -> None:
    if not holds:
        raise ConfigError(f"{name}={value!r} does not describe a density; {name} must be {wanted}")
