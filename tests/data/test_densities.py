"""Densities against quadrature, moments and scipy's normal distribution."""

import math

import numpy as np
import pytest
import torch
from scipy import stats

from evenodds.data.densities import DENSITIES, gaussian, gaussian_mixture, grid, ring
from evenodds.data.distributions import Mixture
from evenodds.errors import ConfigError

SEPARATE = ("ring", "grid", "gaussian", "gaussian_mixture")
MIXTURES = {
    **{name: DENSITIES[name]() for name in SEPARATE},
    "uneven": gaussian_mixture(means=[[0, 0], [1, 2], [-1, 1]], std=0.3, weights=[1, 2, 5]),
}


def points_around(mode: torch.Tensor, std: float, count: int) -> tuple[torch.Tensor, float]:
    """A grid of ±10 std around a mode and the volume of its cell; the sum is exact to e^(−2π² 4²)."""
    axis = torch.linspace(-10 * std, 10 * std, count, dtype=torch.float64)
    offsets = torch.cartesian_prod(*[axis] * len(mode)).reshape(-1, len(mode))
    return mode + offsets, float(axis[1] - axis[0]) ** len(mode)


@pytest.mark.parametrize("name", SEPARATE)
def test_integrates_to_one(name):
    mixture = MIXTURES[name]
    if name in ("ring", "grid"):
        # The modes are over 20 std apart: the patches hold all the mass and don't overlap.
        patches = [points_around(mode, mixture.std, 81) for mode in mixture.modes]
        total = sum(float(mixture.log_density(x).exp().sum()) * cell for x, cell in patches)
    else:
        x = torch.linspace(-20, 20, 20_001, dtype=torch.float64)[:, None]
        total = float(mixture.log_density(x).exp().sum()) * (40 / 20_000)
    assert total == pytest.approx(1, abs=1e-9)


@pytest.mark.parametrize("name", MIXTURES)
def test_log_density_is_scipys(name):
    mixture = MIXTURES[name]
    weights = np.full(len(mixture.modes), 1 / len(mixture.modes))
    if mixture.weights is not None:
        weights = mixture.weights.numpy()
    x = mixture.sample(50, torch.Generator().manual_seed(1)).double()
    expected = sum(
        weight * stats.multivariate_normal(mode.numpy(), mixture.std**2).pdf(x.numpy())
        for weight, mode in zip(weights, mixture.modes, strict=True)
    )
    np.testing.assert_allclose(mixture.log_density(x), np.log(expected), rtol=1e-10, atol=1e-10)


def test_far_away_the_log_density_is_finite():
    value = ring().log_density(torch.tensor([[1000.0, 0.0]]))
    expected = -(999**2) / (2 * 0.01**2) - math.log(8) - 2 * math.log(0.01 * math.sqrt(2 * math.pi))
    assert value.item() == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("name", MIXTURES)
def test_samples_match_the_moments(name):
    mixture = MIXTURES[name]
    count = 100_000  # enough for the last bound to notice a std that is 1 % off
    x = mixture.sample(count, torch.Generator().manual_seed(2)).double()
    weights = mixture.weights if mixture.weights is not None else torch.full((len(mixture.modes),), 1.0)
    weights = weights.double() / weights.sum()
    nearest = torch.cdist(x, mixture.modes).argmin(1)
    mean = (weights[:, None] * mixture.modes).sum(0)
    variance = (weights[:, None] * (mixture.modes - mean) ** 2).sum(0) + mixture.std**2
    z = (x.mean(0) - mean).abs() / (variance / count).sqrt()
    assert z.max() < 4.5
    # Within one mode; in the mixtures whose modes overlap the nearest one is not always the origin.
    if name in ("ring", "grid", "gaussian"):
        shares = torch.bincount(nearest, minlength=len(mixture.modes)) / count
        z = (shares - weights).abs() / (weights * (1 - weights) / count).sqrt().clamp_min(1e-12)
        assert z.max() < 4.5
        squares = ((x - mixture.modes[nearest]) / mixture.std).square().mean()
        assert abs(squares - 1) < 4.5 * math.sqrt(2 / (count * mixture.dimension))


@pytest.mark.parametrize("name", ["gaussian", "gaussian_mixture", "uneven"])
def test_samples_have_the_entropy_of_the_density(name):
    """−E log p(x) over samples against −∫ p log p by quadrature: another width or weight would miss it."""
    mixture = MIXTURES[name]
    axis = torch.linspace(-8, 8, 16_001 if mixture.dimension == 1 else 401, dtype=torch.float64)
    x = torch.cartesian_prod(*[axis] * mixture.dimension).reshape(-1, mixture.dimension)
    log_density = mixture.log_density(x)
    expected = -float((log_density.exp() * log_density).sum()) * float(axis[1] - axis[0]) ** mixture.dimension
    found = -mixture.log_density(mixture.sample(100_000, torch.Generator().manual_seed(3)))
    assert found.mean().item() == pytest.approx(expected, abs=4.5 * found.std().item() / math.sqrt(100_000))


def test_entropy_of_the_ring():
    """Modes far apart: h = log 8 + log(2πe std²)."""
    value = -ring().log_density(ring().sample(20_000, torch.Generator().manual_seed(4)))
    expected = math.log(8) + math.log(2 * math.pi * math.e * 0.01**2)
    assert value.mean().item() == pytest.approx(expected, abs=4.5 * value.std().item() / math.sqrt(20_000))


def test_sampling_repeats_with_the_generator():
    first, second = (grid().sample(10, torch.Generator().manual_seed(5)) for _ in range(2))
    assert torch.equal(first, second)
    assert not torch.equal(first, grid().sample(10, torch.Generator().manual_seed(6)))
    assert first.dtype == torch.float32


def test_the_protocol_of_pacgan():
    assert ring().modes.shape == (8, 2)
    assert ring().std == 0.01
    torch.testing.assert_close(ring().modes.norm(dim=1), torch.ones(8, dtype=torch.float64))
    torch.testing.assert_close(ring().modes[2], torch.tensor([0.0, 1.0], dtype=torch.float64))
    assert grid().std == 0.05
    expected = {(a, b) for a in (-4, -2, 0, 2, 4) for b in (-4, -2, 0, 2, 4)}
    assert {tuple(mode) for mode in grid().modes.tolist()} == expected
    assert isinstance(gaussian(mean=1, std=2), Mixture)
    assert gaussian(mean=1, std=2).modes.tolist() == [[1.0]]
    assert MIXTURES["uneven"].weights.tolist() == [1 / 8, 2 / 8, 5 / 8]


@pytest.mark.parametrize(
    "make, options",
    [
        (ring, {"modes": 0}),
        (ring, {"std": 0.0}),
        (ring, {"std": math.nan}),
        (grid, {"spacing": -1.0}),
        (gaussian, {"mean": math.inf}),
        (gaussian_mixture, {"means": []}),
        (gaussian_mixture, {"means": [[1, 2], [3]]}),
        (gaussian_mixture, {"means": ["a"]}),
        (gaussian_mixture, {"weights": [1.0]}),
        (gaussian_mixture, {"weights": [1.0, -1.0]}),
    ],
)
def test_refuses_what_is_no_density(make, options):
    with pytest.raises(ConfigError):
        make(**options)
