"""Bounds from logits, against closed forms, scipy's intervals and coverage by repetition."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy import stats

from evenodds.errors import DataError
from evenodds.metrics.bounds import (
    LOG_2,
    LOG_4,
    bounds,
    calibrate,
    examples_needed,
    jsd_of_accuracy,
    read_out,
)
from evenodds.metrics.intervals import binomial_interval, binomial_tail, mean_interval
from evenodds.referee.gauge import at_least, gauge, in_words

# N(0,1) against N(μ,1): JSD in nats and total variation, by quadrature to six digits
KNOWN = {1.0: (0.111421, 0.382925), 2.0: (0.336831, 0.682689), 5.0: (0.675943, 0.987581)}


def logits(mu: float, n: int, m: int, seed: int = 0, slope: float = 1.0) -> tuple[torch.Tensor, torch.Tensor]:
    """Of the optimal discriminator, D* = σ(μ²/2 − μx), on n numbers of N(0,1) and m of N(μ,1)."""
    random = torch.Generator().manual_seed(seed)
    x, g = torch.randn(n, generator=random), torch.randn(m, generator=random) + mu
    return slope * (mu**2 / 2 - mu * x), slope * (mu**2 / 2 - mu * g)


@pytest.mark.parametrize("certified", [False, True])
@pytest.mark.parametrize("mu", KNOWN)
def test_the_optimal_discriminator_reaches_the_divergence(mu, certified):
    jsd, tv = KNOWN[mu]
    found = bounds(*logits(mu, 100_000, 100_000), certified=certified)
    assert found.jsd.estimate == pytest.approx(jsd, abs=0.002)
    assert found.value.estimate == pytest.approx(2 * jsd - LOG_4, abs=0.004)
    assert found.total_variation.estimate == pytest.approx(tv, abs=0.006)
    assert found.accuracy.estimate == pytest.approx((1 + tv) / 2, abs=0.003)
    for interval in found[:4]:
        assert interval.low <= interval.estimate <= interval.high
        assert interval.high - interval.low < 0.03
    assert (found.real, found.fake, found.level) == (100_000, 100_000, 0.95)


def test_a_discriminator_that_sees_nothing_proves_nothing():
    for certified in (False, True):
        found = bounds(torch.zeros(1000), torch.zeros(1000), certified=certified)
        assert found.value.estimate == pytest.approx(-LOG_4, abs=1e-12)
        assert found.accuracy.estimate == 0.5
        assert found.jsd.low == found.total_variation.low == 0


def test_negative_bounds_are_shown_as_zero():
    real, fake = logits(2.0, 1000, 1000)
    found = bounds(fake, real)  # a D that is always wrong
    assert found.value.estimate < -2 * LOG_4
    assert found.jsd == found.total_variation == (0, 0, 0)
    assert found.accuracy.high < 0.5


@pytest.mark.parametrize("mu", [0.0, 1.0])
@pytest.mark.parametrize(("n", "m"), [(60, 60), (200, 600), (300, 100)])
def test_certified_intervals_hold_as_often_as_they_say(mu, n, m):
    """At level 0.5 a failure of the method would show; V and accuracy of the clipped D by quadrature."""
    clip, level, repetitions = 2.0, 0.5, 60
    x = torch.linspace(-12, 12 + mu, 200_001, dtype=torch.float64)
    p, q = (stats.norm(mean, 1).pdf(x.numpy()) for mean in (0, mu))
    logit = (mu**2 / 2 - mu * x).clamp(-clip, clip)
    dx = float(x[1] - x[0])
    right = torch.nn.functional.logsigmoid(logit).numpy(), torch.nn.functional.logsigmoid(-logit).numpy()
    value = float((p * right[0] + q * right[1]).sum() * dx)
    hits = ((logit > 0).numpy() * p + (logit <= 0).numpy() * q).sum() * dx / 2
    held = np.zeros(2)
    for seed in range(repetitions):
        found = bounds(*logits(mu, n, m, seed), level=level, certified=True, clip=clip)
        held += [
            found.value.low <= value <= found.value.high,
            found.accuracy.low <= hits <= found.accuracy.high,
        ]
    three_sigma = 3 * math.sqrt(level * (1 - level) / repetitions)
    assert (held / repetitions >= level - three_sigma).all(), held


@pytest.mark.parametrize("shape", [(0.5, 0.5), (5, 2), (0.05, 5)])
def test_the_betting_interval_of_a_mean(shape):
    """Beta distributions, one of them nearly always 0: it holds, and is not wide."""
    random, missed, widths, n = np.random.default_rng(0), 0, [], 300
    truth = shape[0] / sum(shape)
    for _ in range(150):
        x = torch.from_numpy(random.beta(*shape, n))
        low, high = mean_interval(x, 0.1)
        missed += not low <= truth <= high
        widths.append(high - low)
    assert missed <= 15 + 3 * math.sqrt(150 * 0.1 * 0.9)
    # asymptotically √(2 log 20)/1.645 = 1.49 times the normal interval; at n = 300 somewhat more
    normal = 2 * 1.645 * stats.beta(*shape).std() / math.sqrt(n)
    assert normal < np.mean(widths) < 2.5 * normal + 4 * math.log(20) / n


@pytest.mark.parametrize(("k", "n"), [(0, 10), (3, 10), (10, 10), (700, 1000), (9_000, 20_000)])
def test_clopper_pearson_is_scipys(k, n):
    truth = stats.binomtest(k, n).proportion_ci(0.95, method="exact")
    assert binomial_interval(k, n, 0.05) == pytest.approx((truth.low, truth.high), abs=1e-9)
    assert binomial_tail(k, n, 0.4) == pytest.approx(stats.binom.sf(k - 1, n, 0.4), rel=1e-7, abs=1e-300)


def test_samples_are_free_and_make_the_bound_sharper():
    few, many = (bounds(*logits(1.0, 2000, m), certified=True, clip=3.0) for m in (2000, 20_000))
    assert many.value.high - many.value.low < 0.9 * (few.value.high - few.value.low)


def test_fano_is_what_a_binary_guess_tells():
    assert jsd_of_accuracy(1.0) == LOG_2
    assert jsd_of_accuracy(0.5) == jsd_of_accuracy(0.3) == 0
    error = 0.2  # information of a guess that is wrong with that probability, from its joint table
    joint = np.array([[1 - error, error], [error, 1 - error]]) / 2
    assert jsd_of_accuracy(1 - error) == pytest.approx(float((joint * np.log(joint * 4)).sum()), abs=1e-12)
    for jsd, tv in KNOWN.values():
        assert jsd_of_accuracy((1 + tv) / 2) < jsd


def test_examples_needed_is_the_least_number():
    for jsd in (0.05, 0.3):
        needed = examples_needed(jsd=jsd, level=0.9)
        lows = [
            bounds(torch.full((n,), 50.0), torch.full((n,), -50.0), level=0.8, certified=True).jsd.low
            for n in (needed - 1, needed)
        ]
        assert lows[0] < jsd <= lows[1]
    assert examples_needed(jsd=0.1) < examples_needed(jsd=0.1, level=0.999)
    with pytest.raises(ValueError, match="ask for"):
        examples_needed(jsd=0.7)


def test_calibration_finds_the_line():
    real, fake = logits(1.0, 200_000, 100_000)
    line = calibrate(3 * real + 7, 3 * fake + 7)
    assert line.slope == pytest.approx(1 / 3, rel=0.02)
    assert line.offset == pytest.approx(-7 / 3, abs=0.05)
    assert torch.allclose(line(torch.tensor([7.0])), torch.zeros(1), atol=0.02)


def test_calibration_of_scores_that_say_nothing_or_everything():
    flat = calibrate(torch.ones(500), torch.ones(800))
    assert abs(float(flat(torch.ones(1)))) < 2 / 500  # Platt's targets are not quite even
    apart = calibrate(torch.full((500,), 100.0), torch.full((500,), -100.0))
    assert 5 < float(apart(torch.tensor(100.0))) < 7  # log 501 by Platt's targets
    far = calibrate(1e6 * torch.randn(100).abs(), -1e6 * torch.randn(100).abs())
    assert math.isfinite(far.slope)
    assert far.slope > 0


@pytest.mark.parametrize("slope", [-2.0, 0.01, 50.0])
def test_the_read_out_of_a_score_is_that_of_its_log_odds(slope):
    real, fake = logits(1.0, 40_000, 40_000)
    found = read_out(slope * real - 3, slope * fake - 3, certified=True)
    assert found.jsd.estimate == pytest.approx(KNOWN[1.0][0], abs=0.006)
    assert found.jsd.low < KNOWN[1.0][0]
    assert (found.real, found.fake) == (20_000, 20_000)


def test_the_gauge_calibrates_where_d_is_no_probability():
    real, fake = logits(1.0, 20_000, 20_000, slope=9.0)
    assert gauge(real, fake, loss="non_saturating").jsd.low == 0  # over-confident, and taken at its word
    for loss in ("wasserstein", "hinge", "relativistic", "least_squares", "one_of_my_own"):
        assert gauge(real, fake, loss=loss).jsd.low > 0.09


def test_the_gauge_in_words():
    real, fake = logits(1.0, 20_000, 20_000)
    assert in_words(gauge(real, fake, loss="minimax")).startswith("JSD is at least 0.1")
    said = at_least(0.13999, 0.0)
    assert said == "JSD is at least 0.139 of the possible 0.693 nats, TV at least 0 of 1"


def test_too_few_examples_are_refused_with_the_number_needed():
    real, fake = logits(1.0, 8, 2000)
    with pytest.raises(DataError, match=rf"8 held-out examples .*; give at least {examples_needed()}"):
        gauge(real, fake, loss="minimax", certified=True)
    with pytest.raises(DataError, match=rf"at least {2 * examples_needed()}"):
        gauge(real, fake, loss="hinge", certified=True)


@pytest.mark.parametrize(
    ("real", "level", "words"),
    [
        (torch.zeros(1), 0.95, "at least 2"),
        (torch.zeros(5, 1), 0.95, "vector"),
        (torch.tensor([0.0, math.nan]), 0.95, "no finite numbers"),
        (torch.zeros(5), 95, "between 0 and 1"),
    ],
)
def test_what_is_no_vector_of_logits_is_refused(real, level, words):
    with pytest.raises(ValueError, match=words):
        bounds(real, torch.zeros(5), level=level)
