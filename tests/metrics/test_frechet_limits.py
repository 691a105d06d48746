"""Errors of Fréchet distances and their limit against draws of Gaussians; distances within classes."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from evenodds.metrics.frechet import frechet, frechet_distance
from evenodds.metrics.frechet_limits import frechet_error, frechet_infinity, intra_class
from evenodds.metrics.moments import Moments

DOUBLE = torch.float64
COUNT = 10**9


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def normal(rows: int, dim: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(rows, dim, generator=generator(seed), dtype=DOUBLE)


def gaussian(scales: torch.Tensor) -> Moments:
    return Moments(COUNT, torch.zeros_like(scales), scales.square().diag() * (COUNT - 1))


def rms(values: list[float]) -> float:
    return math.sqrt(sum(value**2 for value in values) / len(values))


@pytest.mark.parametrize("s, shift", [(1.0, 0.0), (1.1, 0.05), (1.5, 0.3)])
def test_the_standard_error_and_the_limit(s, shift):
    """Far from the data, where first order decides, at it, where second order is all, and between."""
    d, n, repeats = 20, 400, 120
    scales = torch.linspace(0.3, 2, d, dtype=DOUBLE)
    real, truth = gaussian(scales), d * shift**2 + float((scales * (1 - s)).square().sum())
    values, errors, limits = [], [], []
    for seed in range(repeats):
        fake = normal(n, d, seed) * scales * s + shift
        values.append(frechet_distance(real, Moments.of(fake)))
        errors.append(frechet_error(real, fake))
        limits.append(frechet_infinity(real, fake, generator=generator(seed), most=4))
    found = torch.tensor([values, [one.value for one in limits]], dtype=DOUBLE)
    means, spreads = found.mean(1), found.std(1)  # a spread of 120 draws is known to 7 %
    assert 0.82 * spreads[0] < rms(errors) < 1.4 * spreads[0]
    assert 0.82 * spreads[1] < rms([one.standard_error for one in limits]) < 1.25 * spreads[1]
    covered = [abs(v - means[0]) < 1.96 * e for v, e in zip(values, errors, strict=True)]
    assert 0.92 <= sum(covered) / repeats <= 1
    covered = [one.interval[0] <= truth <= one.interval[1] for one in limits]
    # at the data φ is only noise, and the positive part of its variance is too much
    assert 0.91 <= sum(covered) / repeats <= (1 if s == 1 else 0.99)
    # of the bias, at least nine tenths are gone
    bias = float(means[0]) - truth
    assert abs(float(means[1]) - truth) < 0.1 * bias + 3 * float(spreads[1]) / math.sqrt(repeats)


def test_heavy_tails_make_the_error_larger():
    """Of Student's t with 5 degrees of freedom, whose kurtosis is 9: Gaussian formulas would say the same."""
    d, n = 5, 500
    real = gaussian(torch.ones(d, dtype=DOUBLE))
    values, errors = [], []
    for seed in range(150):
        torch.manual_seed(seed)
        fake = (
            torch.distributions.StudentT(torch.tensor(5.0, dtype=DOUBLE)).sample((n, d))
            * math.sqrt(0.6)
            * 1.6
        )
        values.append(frechet_distance(real, Moments.of(fake)))
        errors.append(frechet_error(real, fake))
    gaussian_error = frechet_error(real, normal(n, d) * 1.6)
    assert rms(errors) == pytest.approx(float(torch.tensor(values, dtype=DOUBLE).std()), rel=0.2)
    assert rms(errors) > 1.4 * gaussian_error


def test_the_error_is_that_of_leaving_examples_out():
    """The infinitesimal jackknife is the jackknife's limit; far from the data both see first order only."""
    real, fake = Moments.of(normal(300, 6)), 2 * normal(250, 6, 1) + 1
    rest = [Moments.of(torch.cat([fake[:i], fake[i + 1 :]])) for i in range(len(fake))]
    values = torch.tensor([frechet_distance(real, one) for one in rest], dtype=DOUBLE)
    jackknife = math.sqrt(float((values - values.mean()).square().sum()) * (len(fake) - 1) / len(fake))
    assert frechet_error(real, fake) == pytest.approx(jackknife, rel=0.03)


def test_errors_of_degenerate_features():
    real, fake = normal(100, 6), 2 * normal(90, 6, 1)
    plain = frechet_error(Moments.of(real), fake)
    ones = [torch.cat([x, torch.ones(len(x), 2)], 1) for x in (real, fake)]
    assert frechet_error(Moments.of(ones[0]), ones[1]) == pytest.approx(plain, rel=1e-9)
    assert frechet_error(Moments.of(real), normal(1, 6).repeat(50, 1)) == pytest.approx(0, abs=1e-12)
    assert frechet_error(Moments.of(normal(1, 6).repeat(50, 1)), fake) > 0
    assert frechet_error(Moments.of(real), fake[:6]) is None
    assert frechet_error(Moments.of(1e9 * real), 1e9 * fake) == pytest.approx(1e18 * plain, rel=1e-9)
    assert frechet_error(Moments.of(1e60 * real), 1e60 * fake) == pytest.approx(1e120 * plain, rel=1e-9)


@settings(max_examples=40, deadline=None, derandomize=True)
@given(st.data())
def test_an_error_is_a_number(data):
    """Of random ranks, scales 1e-8 … 1e8 and duplicates."""
    dim = data.draw(st.integers(1, 8))
    sides = []
    for seed in (0, 1):
        n, rank = data.draw(st.integers(dim + 1, 30)), data.draw(st.integers(0, dim))
        exponents = data.draw(st.lists(st.integers(-8, 8), min_size=dim, max_size=dim))
        x = normal(n, rank, seed) @ normal(rank, dim, seed + 2) * torch.tensor([10.0**e for e in exponents])
        sides.append(x[torch.arange(n) % data.draw(st.integers(1, n))] + data.draw(st.sampled_from([0, 100])))
    error = frechet_error(Moments.of(sides[0]), sides[1])
    assert error is not None
    assert 0 <= error < math.inf


def test_known_moments_are_not_computed_again():
    real, fake = Moments.of(normal(100, 6)), normal(90, 6, 1)
    assert frechet_error(real, fake, moments=Moments.of(fake)) == frechet_error(real, fake)


def test_the_points_of_the_line():
    real, fake = Moments.of(normal(300, 4)), normal(120, 4, 1) + 0.5
    found = frechet_infinity(real, fake, generator=generator(3), most=3)
    assert found.sizes == (120, 60, 40)
    assert found.distances[0] == pytest.approx(frechet(real, Moments.of(fake)).value, rel=1e-12)
    # the least squares line through (1/120, a), (2/120, b), (3/120, c) meets 0 at (4a + b − 2c)/3
    a, b, c = found.distances
    assert found.value == pytest.approx((4 * a + b - 2 * c) / 3, rel=1e-12)
    assert found == frechet_infinity(real, fake, generator=generator(3), most=3)


@pytest.mark.parametrize("count, most", [(15, 5), (100, 1)])
def test_a_line_needs_two_points(count, most):
    with pytest.raises(ValueError, match="at least 16 samples for 4 features"):
        frechet_infinity(Moments.of(normal(50, 4)), normal(count, 4), generator=generator(), most=most)


def test_within_classes():
    real, fake = normal(90, 5), normal(60, 5, 1) + 0.4
    real_labels, fake_labels = torch.arange(90) % 3 * 7, torch.arange(60) % 3 * 7
    found = intra_class(real, real_labels, fake, fake_labels)
    truth = [
        frechet(Moments.of(real[real_labels == label]), Moments.of(fake[fake_labels == label]))
        for label in (0, 7, 14)
    ]
    assert found.classes == (0, 7, 14)
    assert [one.value for one in found.of_each] == [one.value for one in truth]
    assert found.of_each[0].counts == (30, 20)
    assert found.value == pytest.approx(sum(one.value for one in truth) / 3, rel=1e-14)


def test_the_error_of_a_mean_over_classes():
    """It is how the mean spreads over draws of samples, of classes that differ in size and place."""
    real, real_labels = normal(300, 3), torch.arange(300) % 3
    labels = torch.tensor([0] * 150 + [1] * 60 + [2] * 30)
    place = labels[:, None] * torch.tensor([0.6, 0.0, -0.3])
    found = [intra_class(real, real_labels, normal(240, 3, 10 + i) + place, labels) for i in range(400)]
    spread = torch.tensor([one.value for one in found], dtype=torch.float64).std()
    said = sum(one.standard_error for one in found) / len(found)
    assert said == pytest.approx(float(spread), rel=0.12)


def test_a_class_of_too_few_samples_leaves_the_error_open():
    x, y = normal(60, 3), torch.arange(60) % 2
    few = torch.tensor([0] * 57 + [1] * 3)
    assert intra_class(x, y, x + 1, few).standard_error is None


def test_a_generator_that_mixes_up_classes_is_found_out():
    """All in all its samples are the data's; within classes they are not."""
    labels = torch.arange(400) % 2
    real = normal(400, 3) + 4 * labels[:, None]
    all_in_all = frechet_distance(Moments.of(real), Moments.of(real))
    assert all_in_all == pytest.approx(0, abs=1e-9)
    assert intra_class(real, labels, real, 1 - labels).value == pytest.approx(3 * 16, rel=0.1)
    assert intra_class(real, labels, real, labels).value == pytest.approx(0, abs=1e-9)


def test_classes_that_can_not_be_measured():
    x, y = normal(6, 2), torch.tensor([0, 0, 0, 1, 1, 1])
    with pytest.raises(ValueError, match="class 1 has 3 real and 1 fake examples"):
        intra_class(x, y, x[:4], y[:4])
    with pytest.raises(ValueError, match="needs its label"):
        intra_class(x, y[:5], x, y)
