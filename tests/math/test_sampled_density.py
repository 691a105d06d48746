"""A sampler's own density and its divergence from the data, against densities that are known."""

import math

import pytest
import torch

from evenodds import theory
from evenodds.data.densities import checkerboard, gaussian, gaussian_mixture, points, ring


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize(
    "density, bandwidth", [(gaussian(), None), (ring(), 0.02), (checkerboard(), 0.1), (points(), 0.3)]
)
def test_the_estimate_is_unbiased_and_its_error_is_right(density, bandwidth):
    """Over repeated draws z has mean 0 and variance 1, where many samples contribute."""
    at = density.smoothed(bandwidth or 0.25).sample(40, seeded(1)).double()
    scores = []
    for seed in range(25):
        found = theory.sample_density(density.sample(2_000, seeded(2 + seed)), at, bandwidth=bandwidth)
        truth = density.smoothed(found.bandwidth).log_density(at).exp()
        scores.append((found.value - truth) / found.error)
    z = torch.stack(scores)  # (25, 40)
    assert abs(float(z.mean())) < 0.25
    assert 0.85 < float(z.std()) < 1.2


def test_far_from_every_sample_the_density_is_nothing():
    found = theory.sample_density(gaussian().sample(100, seeded(0)), torch.tensor([[50.0]]))
    assert found.value.tolist() == found.error.tolist() == [0.0]


def test_the_default_bandwidth():
    x = gaussian(std=3.0).sample(10_000, seeded(0))
    assert theory.default_bandwidth(x) == pytest.approx(3 * 10_000**-0.2, rel=0.03)


HALF = gaussian_mixture(means=ring().modes[:4].tolist(), std=0.01)
CASES = {
    "shifted": (gaussian(), gaussian(mean=1.0), None),
    "far": (gaussian(), gaussian(mean=5.0), None),
    "even": (gaussian(), gaussian(), None),
    "half the ring": (ring(), HALF, 0.01),
    "wide ring": (ring(), ring(std=0.02), 0.01),
    "one point of two": (points(), points(at=(0.0,)), 0.1),
}


@pytest.mark.parametrize("name", CASES)
def test_the_jsd_of_samples_brackets_the_truth(name):
    p, q, bandwidth = CASES[name]
    x = q.sample(1_000, seeded(3))
    found = theory.jsd_of_samples(x, p, bandwidth=bandwidth)
    h = bandwidth or theory.default_bandwidth(x)
    truth = theory.divergences(p.smoothed(h), q.smoothed(h)).jsd.value
    assert abs(found.value - truth) < 1.5 * found.error
    assert found.error < 0.02
    assert found.value >= 0


def test_noise_can_only_bring_two_densities_together():
    without = theory.divergences(ring(), ring(std=0.02)).jsd.value
    values = [
        theory.divergences(ring().smoothed(h), ring(std=0.02).smoothed(h)).jsd.value for h in (0.01, 0.1)
    ]
    assert without > values[0] > values[1] > 0


def test_what_cannot_be_estimated_is_refused():
    x = gaussian().sample(10, seeded(0))
    with pytest.raises(ValueError, match=r"shapes \(10, 1\) and \(5, 2\)"):
        theory.sample_density(x, torch.zeros(5, 2))
    for bandwidth in (0.0, -1.0, math.nan):
        with pytest.raises(ValueError, match="above 0"):
            theory.sample_density(x, x, bandwidth=bandwidth)
    with pytest.raises(ValueError, match="give bandwidth"):
        theory.sample_density(torch.ones(10, 1), x)
    with pytest.raises(ValueError, match="give at least 4"):
        theory.jsd_of_samples(x[:3], gaussian())
