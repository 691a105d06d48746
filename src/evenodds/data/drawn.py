"""Data sets drawn from a known distribution: fixed points, and the truth to compare with."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from ..errors import ConfigError
from ..theory import Density
from . import densities
from .dataset import Dataset, Split

TRAIN_POINTS, HELD_OUT_POINTS = 100_000, 10_000  # PacGAN (Lin et al. 2018) trains on 100,000


def ring(*, modes: int = 8, radius: float = 1.0, std: float = 0.01, seed: int = 0) -> Dataset:
    """Points from Gaussians on a circle (PacGAN's 2D-ring): 100,000 train, 10,000 validation, 10,000 test."""
    return _drawn("ring", densities.ring(modes=modes, radius=radius, std=std), seed)


def grid(*, side: int = 5, spacing: float = 2.0, std: float = 0.05, seed: int = 0) -> Dataset:
    """Points from Gaussians on a square grid (PacGAN's 2D-grid), in as many splits as `ring`."""
    return _drawn("grid", densities.grid(side=side, spacing=spacing, std=std), seed)


def gaussian(*, mean: float = 0.0, std: float = 1.0, seed: int = 0) -> Dataset:
    """Numbers from one Gaussian, as vectors of length 1."""
    return _drawn("gaussian", densities.gaussian(mean=mean, std=std), seed)


def gaussian_mixture(
    *,
    means: Sequence[float] | Sequence[Sequence[float]] = (-2.0, 2.0),
    std: float = 0.5,
    weights: Sequence[float] | None = None,
    seed: int = 0,
) -> Dataset:
    """Points from Gaussians of one width around `means`, which are numbers or points."""
    mixture = densities.gaussian_mixture(means=means, std=std, weights=weights)
    return _drawn("gaussian_mixture", mixture, seed)


def spiral(*, arms: int = 2, turns: float = 1.0, std: float = 0.02, seed: int = 0) -> Dataset:
    """Points along spiral arms from near 0 to radius 1, blurred by std."""
    return _drawn("spiral", densities.spiral(arms=arms, turns=turns, std=std), seed)


def swiss_roll(*, std: float = 0.033, seed: int = 0) -> Dataset:
    """Points along a rolled-up line, from radius 0.6 to 1.9, blurred by std."""
    return _drawn("swiss_roll", densities.swiss_roll(std=std), seed)


def two_moons(*, std: float = 0.1, seed: int = 0) -> Dataset:
    """Points along two half circles that reach into each other, blurred by std."""
    return _drawn("two_moons", densities.two_moons(std=std), seed)


def checkerboard(*, side: int = 4, size: float = 4.0, seed: int = 0) -> Dataset:
    """Points from the squares of one colour of a side × side board that is size units wide."""
    return _drawn("checkerboard", densities.checkerboard(side=side, size=size), seed)


def points(
    *,
    at: Sequence[float] | Sequence[Sequence[float]] = (0.0, 4.0),
    weights: Sequence[float] | None = None,
    seed: int = 0,
) -> Dataset:
    """Draws from single points, which are numbers or vectors; there is no density to compare with."""
    return _drawn("points", densities.points(at=at, weights=weights), seed)


def _drawn(name: str, density: Density, seed: int) -> Dataset:
    """Fixed points drawn from a density; the three splits are independent."""
    if seed < 0:
        raise ConfigError(f"seed={seed} is negative; use 0 or more")
    generator = torch.Generator().manual_seed(seed)
    counts = (TRAIN_POINTS, HELD_OUT_POINTS, HELD_OUT_POINTS)
    train, validation, test = (Split(density.sample(count, generator).numpy()) for count in counts)
    return Dataset(
        name=name,
        train=train,
        validation=validation,
        test=test,
        value_range=None,
        source=name,
        density=density,
    )
