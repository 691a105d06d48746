"""Curves, boards and points: mass, samplers against densities, bounds, and what is refused."""

import math

import numpy as np
import pytest
import torch
from scipy import ndimage, stats

from evenodds.data.densities import (
    DENSITIES,
    checkerboard,
    gaussian_mixture,
    grid,
    points,
    ring,
    spiral,
    swiss_roll,
    two_moons,
)
from evenodds.data.distributions import counted_modes
from evenodds.data.sources import DATASETS
from evenodds.errors import ConfigError
from evenodds.evaluation import check_metric
from evenodds.theory.quadrature import gauss_legendre

PLANE = {
    "spiral": spiral(),
    "swiss_roll": swiss_roll(),
    "two_moons": two_moons(),
    "checkerboard": checkerboard(),
    "blurred board": checkerboard(side=3, size=2.0).smoothed(0.1),
}


def cells(density, count: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Edges (2, count + 1) of a grid over the bounds, and the mass of each of its count² cells."""
    edges = torch.stack([torch.linspace(a, b, count + 1, dtype=torch.float64) for a, b in density.bounds])
    low, high = (torch.cartesian_prod(*part) for part in (edges[:, :-1], edges[:, 1:]))
    x, weight = gauss_legendre(low, high, 5)
    density_at = density.log_density(x.reshape(-1, 2)).exp().reshape(weight.shape)
    return edges, (weight * density_at).sum(1)


@pytest.mark.parametrize("name", PLANE)
def test_mass_is_one_and_samples_fall_where_it_is(name):
    """Chi-square of 20,000 samples over cells that expect at least 5."""
    density = PLANE[name]
    edges, mass = cells(density, 40)
    assert float(mass.sum()) == pytest.approx(1, abs=1e-6)
    x = density.sample(20_000, torch.Generator().manual_seed(0)).numpy()
    counts = np.histogram2d(x[:, 0], x[:, 1], bins=[edges[0].numpy(), edges[1].numpy()])[0].ravel()
    expected = mass.numpy() * len(x)
    large = expected >= 5
    found = [*counts[large], len(x) - counts[large].sum()]
    wanted = [*expected[large], len(x) - expected[large].sum()]
    if wanted[-1] < 5:  # a rest too small to be a cell
        found, wanted = found[:-1], wanted[:-1]
    chi = sum((a - b) ** 2 / b for a, b in zip(found, wanted, strict=True))
    assert 1e-4 < stats.chi2.sf(chi, len(wanted) - 1) < 1 - 1e-4
    assert sum(wanted) > 0.99 * len(x)


@pytest.mark.parametrize("name", [name for name in DENSITIES if name != "points"])
def test_samples_have_a_density_and_lie_within_the_bounds(name):
    density = DENSITIES[name]()
    x = density.sample(20_000, torch.Generator().manual_seed(1))
    assert density.log_density(x).isfinite().all()
    assert density.log_density(x).dtype == torch.float64
    assert density.bounds.shape == (density.dimension, 2)
    inside = (x >= density.bounds[:, 0]) & (x <= density.bounds[:, 1])
    assert inside.all()
    # not wider than 7 standard deviations beyond what is seen
    slack = 7 * getattr(density, "std", 0.0) + 1e-3
    assert (density.bounds[:, 0] > x.amin(0) - slack).all()
    assert (density.bounds[:, 1] < x.amax(0) + slack).all()


def test_the_mass_beyond_the_bounds():
    density = DENSITIES["gaussian"]()
    below = stats.norm.cdf(density.bounds[0, 0].item())
    assert 2 * below == pytest.approx(1e-9, rel=1e-3)


def test_float32_samples_stay_on_squares_whose_edges_it_cannot_hold():
    density = checkerboard(side=7, size=0.3)
    assert density.log_density(density.sample(200_000, torch.Generator().manual_seed(0))).isfinite().all()


def test_a_curve_has_no_gaps():
    """Along the middle of a moon the density is even, though it is a sum of Gaussians."""
    density = two_moons(std=0.05)
    angles = torch.linspace(1.0, 2.0, 2_000, dtype=torch.float64)
    along = density.log_density(torch.stack([angles.cos(), angles.sin()], 1))
    assert float(along.max() - along.min()) < 1e-6


def test_the_swiss_roll_is_that_of_scikit_learn():
    """Same angle and radius: t = 1.5π (1 + 2u), x = t cos t, y = t sin t, over 7.5."""
    t = 1.5 * np.pi * (1 + 2 * np.array([0.1, 0.5, 0.9]))
    centre = np.stack([t * np.cos(t), t * np.sin(t)], 1) / 7.5
    off = centre * 0.8  # towards the middle
    density = swiss_roll()
    on, beside = (density.log_density(torch.from_numpy(x)) for x in (centre, off))
    assert (on - beside > 5).all()
    # for equal steps of t the density along the curve falls as 1/√(1 + t²)
    expected = 1 / (3 * np.pi) / np.hypot(1, t) * 7.5 / (0.033 * math.sqrt(2 * math.pi))
    np.testing.assert_allclose(on.exp(), expected, rtol=0.05)


def test_as_many_arms_as_asked_for():
    angles = torch.linspace(0, 2 * math.pi, 721, dtype=torch.float64)[:-1]
    for arms in (1, 2, 3):
        circle = 0.8 * torch.stack([angles.cos(), angles.sin()], 1)
        dense = (spiral(arms=arms).log_density(circle) > -2).numpy()
        assert (np.diff(dense.astype(int), prepend=dense[-1]) == 1).sum() == arms


def test_the_board_is_the_squares_of_one_colour():
    x = torch.cartesian_prod(*[torch.arange(-1.5, 2)] * 2)
    inside = checkerboard().log_density(x).exp().reshape(4, 4)
    expected = [[0.125 * ((i + j) % 2 == 0) for j in range(4)] for i in range(4)]
    np.testing.assert_allclose(inside, expected, rtol=1e-12)
    assert checkerboard(side=1, size=3.0).log_density(torch.zeros(1, 2)).exp().item() == pytest.approx(1 / 9)


def test_a_blurred_board_is_the_board_convolved():
    axis = torch.linspace(-3, 3, 601, dtype=torch.float64)
    x = torch.cartesian_prod(axis, axis)
    # cell averages of the sharp board, so that its edges don't depend on where the grid falls
    sharp = checkerboard().log_density(x + 0.005 * 0.5).exp().reshape(601, 601).numpy()
    expected = ndimage.gaussian_filter(sharp, 0.2 / 0.01, mode="constant", truncate=8)
    found = checkerboard().smoothed(0.2).log_density(x).exp().reshape(601, 601).numpy()
    assert np.abs(found - expected).max() < 0.005
    far = checkerboard().smoothed(0.2).log_density(torch.tensor([[30.0, 0.0]]))
    assert far.item() == pytest.approx(-((28 / 0.2) ** 2) / 2, rel=0.01)


def test_smoothed_mixtures_are_wider():
    assert ring().smoothed(0.03).std == pytest.approx(math.hypot(0.01, 0.03))
    assert points(at=[[0, 1], [2, 3]]).smoothed(0.3).std == 0.3


def test_points_are_points():
    density = points(at=[[0, 1], [2, 3]], weights=[1, 3])
    x = density.sample(8_000, torch.Generator().manual_seed(0))
    assert {tuple(row) for row in x.tolist()} == {(0, 1), (2, 3)}
    share = float((x[:, 0] == 2).double().mean())
    assert abs(share - 0.75) < 4.5 * math.sqrt(0.75 * 0.25 / 8_000)
    assert density.bounds.tolist() == [[-0.2, 2.2], [0.8, 3.2]]
    with pytest.raises(ConfigError, match=r"^the data 'points' has no density.*use gaussian_mixture"):
        density.log_density(x)


def test_modes_are_counted_only_where_there_are_any():
    assert counted_modes(ring()) is not None
    assert counted_modes(grid()) is not None
    for name in ("spiral", "checkerboard", "points"):
        dataset = DATASETS[name]()
        assert counted_modes(dataset.density) is None
        with pytest.raises(ConfigError, match="needs a mixture of known modes"):
            check_metric("modes2500", dataset)


@pytest.mark.parametrize(
    "make, options",
    [
        (spiral, {"arms": 0}),
        (spiral, {"turns": 0.0}),
        (spiral, {"std": 0.0}),
        (spiral, {"std": 1e-9}),
        (swiss_roll, {"std": math.inf}),
        (two_moons, {"std": -0.1}),
        (checkerboard, {"side": 0}),
        (checkerboard, {"size": 0.0}),
        (points, {"at": []}),
        (points, {"at": [0.0, math.nan]}),
        (points, {"at": [0.0], "weights": [0.0]}),
        (points, {"at": [[0.0], [1.0, 2.0]]}),
        (gaussian_mixture, {"means": [0.0, 1.0], "weights": [1.0]}),
    ],
)
def test_refuses_what_describes_no_density(make, options):
    with pytest.raises(ConfigError, match=r"must be|not lists of numbers"):
        make(**options)
