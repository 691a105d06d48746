"""The Fréchet distance against closed forms, exact invariants, and features that break its usual form."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from evenodds.metrics.frechet import Frechet, congruence, frechet, frechet_distance, product_roots
from evenodds.metrics.moments import Moments

DOUBLE = torch.float64


def normal(rows: int, dim: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(rows, dim, generator=torch.Generator().manual_seed(seed), dtype=DOUBLE)


def rotation(dim: int, seed: int = 9) -> torch.Tensor:
    return torch.linalg.qr(normal(dim, dim, seed)).Q


def moments(mean: torch.Tensor, covariance: torch.Tensor, count: int = 10**9) -> Moments:
    return Moments(count, mean.to(DOUBLE), covariance.to(DOUBLE) * (count - 1))


def distance(real: torch.Tensor, fake: torch.Tensor) -> Frechet:
    return frechet(Moments.of(real), Moments.of(fake))


def assert_sound(found: Frechet) -> None:
    assert all(isinstance(value, float) and math.isfinite(value) for value in found[:5])
    assert min(found[:5]) >= 0


@pytest.mark.parametrize(
    "d, shift, s, truth", [(64, 0.3, 2.0, 69.76), (64, 0.0, 1.0, 0.0), (5, 1.0, 0.5, 6.25)]
)
def test_isotropic_gaussians(d, shift, s, truth):
    """‖m‖² + d (1 − s)²."""
    real = moments(torch.zeros(d), torch.eye(d))
    fake = moments(torch.full((d,), shift, dtype=DOUBLE), s**2 * torch.eye(d))
    assert frechet_distance(real, fake) == pytest.approx(truth, rel=1e-13, abs=1e-12)


def test_commuting_covariances():
    """‖Δμ‖² + Σ (√λ₁ − √λ₂)²."""
    first, second = torch.linspace(0.1, 40, 50, dtype=DOUBLE), torch.linspace(7, 0, 50, dtype=DOUBLE).square()
    turn = rotation(50)
    real = moments(torch.zeros(50), turn @ first.diag() @ turn.T)
    fake = moments(turn[0], turn @ second.diag() @ turn.T)
    truth = 1 + float((first.sqrt() - second.sqrt()).square().sum())
    assert frechet_distance(real, fake) == pytest.approx(truth, rel=1e-12)


def test_two_by_two_covariances_that_do_not_commute():
    """Tr √M = √(Tr M + 2 √det M) for 2 × 2 matrices M = Σ₁ Σ₂."""
    first = torch.tensor([[2.0, 0.5], [0.5, 1.0]], dtype=DOUBLE)
    second = torch.tensor([[1.0, -0.9], [-0.9, 3.0]], dtype=DOUBLE)
    product = first @ second
    truth = 3 + 4 - 2 * math.sqrt(float(product.trace()) + 2 * math.sqrt(float(torch.det(product))))
    zero = torch.zeros(2)
    assert frechet_distance(moments(zero, first), moments(zero, second)) == pytest.approx(truth, rel=1e-13)


@pytest.mark.parametrize("n, truth", [(1000, 2.208), (5000, 0.4416), (20000, 0.1104)])
def test_the_expected_bias_of_equal_gaussians(n, truth):
    """2d/n + d(d + 1)/(2n) of N(0, I_64)."""
    one = moments(torch.zeros(64), torch.eye(64), n)
    assert frechet(one, one).bias == pytest.approx(truth, rel=1e-3)


@pytest.mark.parametrize("s, shift", [(1.0, 0.0), (2.0, 0.3)])
def test_the_bias_is_what_sampling_adds(s, shift):
    """20 draws of 1,000 and 3,000 examples; the first order in 1/n leaves a few percent of the bias out."""
    d, n, m = 64, 1000, 3000
    scales = torch.linspace(0.2, 2, d, dtype=DOUBLE)
    truth = d * shift**2 + float((scales * (1 - s)).square().sum())
    found = [
        distance(normal(n, d, 2 * seed) * scales, normal(m, d, 2 * seed + 1) * scales * s + shift)
        for seed in range(20)
    ]
    excess = torch.tensor([one.value - truth for one in found], dtype=DOUBLE)
    bias = sum(one.bias for one in found) / 20
    error = float(excess.std()) / math.sqrt(20)
    assert abs(float(excess.mean()) - bias) < 3 * error + 0.05 * bias
    assert 5 * error < bias  # or the line above would say nothing


def test_what_equal_distributions_score():
    """N(0, I_64), 1,000 examples each: 2d/n + d(d + 1)/(2n) = 2.208; one draw spreads by 0.066."""
    pairs = [(normal(1000, 64, 2 * k), normal(1000, 64, 2 * k + 1)) for k in range(12)]
    values = torch.tensor([distance(*pair).value for pair in pairs], dtype=DOUBLE)
    assert float(values.mean()) == pytest.approx(2.208, abs=3 * 0.066 / math.sqrt(12))
    assert float(values.std()) == pytest.approx(0.066, rel=0.6)


def test_invariants():
    real, fake = normal(300, 20) * torch.linspace(0.1, 3, 20), normal(200, 20, 1) + 0.2
    value = distance(real, fake).value
    turn = rotation(20)
    assert distance(fake, real).value == pytest.approx(value, rel=1e-12)
    assert distance(real @ turn, fake @ turn).value == pytest.approx(value, rel=1e-12)
    assert distance(real + 7, fake + 7).value == pytest.approx(value, rel=1e-11)
    assert distance(3 * real, 3 * fake).value == pytest.approx(9 * value, rel=1e-12)
    assert distance(real.flip(0), fake[torch.randperm(200)]).value == pytest.approx(value, rel=1e-12)
    # a set of features that doesn't vary adds the distance of its means only
    constants = [torch.cat([x, torch.full((len(x), 3), c)], 1) for x, c in ((real, 1.0), (fake, 1.5))]
    assert distance(*constants).value == pytest.approx(value + 3 * 0.25, rel=1e-12)


@pytest.mark.parametrize("n", [500, 41, 40, 10, 2])
def test_identical_features_have_no_distance(n):
    x = normal(n, 40) * torch.logspace(0, -6, 40) + 5
    found = distance(x, x)
    total = float(Moments.of(x).covariance.trace())
    assert 0 <= found.value <= 1e-8 * total
    assert found.value <= found.rounding
    assert found.rank_deficient == (n <= 40)


def exact_by_singular_values(real: torch.Tensor, fake: torch.Tensor) -> float:
    """From the examples themselves, without a covariance: Tr √(Σ₁Σ₂) = nuclear norm of (X − μ)(Y − ν)ᵀ/√…"""
    a, b = (x.double() - x.double().mean(0) for x in (real, fake))
    norm = torch.linalg.svdvals(a @ b.T).sum() / math.sqrt((len(a) - 1) * (len(b) - 1))
    spread = a.square().sum() / (len(a) - 1) + b.square().sum() / (len(b) - 1)
    return float((real.double().mean(0) - fake.double().mean(0)).square().sum() + spread - 2 * norm)


DIM = 30
DEGENERATE = {
    "fewer examples than features": (normal(200, DIM), normal(12, DIM, 1) + 0.1),
    "both fewer": (normal(9, DIM), 2 * normal(12, DIM, 1)),
    "as many as features": (normal(DIM, DIM), normal(DIM, DIM, 1)),
    "two examples each": (normal(2, DIM), normal(2, DIM, 1)),
    "one image repeated": (normal(100, DIM), normal(1, DIM, 1).repeat(100, 1)),
    "one image repeated on both sides": (normal(1, DIM).repeat(9, 1), normal(1, DIM, 1).repeat(50, 1)),
    "ten images repeated": (normal(100, DIM), normal(10, DIM, 1).repeat(30, 1)),
    "ten images repeated on both sides": (normal(10, DIM).repeat(20, 1), normal(10, DIM, 1).repeat(30, 1)),
    "all zeros": (normal(100, DIM), torch.zeros(100, DIM)),
    "float32 copies with a large mean": (
        (normal(90, DIM) + 1e3).float(),
        (normal(1, DIM, 1) + 1e3).float().repeat(99, 1),
    ),
    "features that are constant": (
        normal(100, DIM) * (torch.arange(DIM) > 4) + 0.1,
        normal(100, DIM, 1) * (torch.arange(DIM) < 20) + 0.1,
    ),
    "features that are equal": (normal(100, 3).repeat(1, 10), normal(100, 3, 1).repeat(1, 10)),
    "disjoint features": (
        normal(100, DIM) * (torch.arange(DIM) < 10),
        normal(100, DIM, 1) * (torch.arange(DIM) >= 10),
    ),
    "a line and a plane": (normal(100, 1) @ normal(1, DIM, 2), normal(100, 2, 1) @ normal(2, DIM, 3)),
    "one direction dwarfs the others": (
        normal(100, DIM) + 1e5 * normal(100, 1, 3),
        2 * normal(100, DIM, 1) + 1e5 * normal(100, 1, 4),
    ),
    "scales far apart": (normal(100, DIM) * 1e-8, normal(100, DIM, 1) * 1e8),
}


@pytest.mark.parametrize("case", DEGENERATE)
def test_degenerate_features_have_a_right_distance(case):
    real, fake = DEGENERATE[case]
    found = distance(real, fake)
    truth = exact_by_singular_values(real, fake)
    spread = float(Moments.of(real).covariance.trace() + Moments.of(fake).covariance.trace())
    assert_sound(found)
    assert found.value == pytest.approx(truth, rel=1e-9, abs=1e-8 * spread)
    assert distance(fake, real).value == pytest.approx(found.value, rel=1e-9, abs=1e-8 * spread)
    assert found.rank_deficient == (min(len(real), len(fake)) <= DIM)


def test_a_collapsed_generator_is_as_far_as_its_mean_and_the_datas_spread():
    real = normal(100, 20)
    fake = normal(1, 20, 1).repeat(50, 1)
    truth = float((real.mean(0) - fake[0]).square().sum() + real.var(0).sum())
    assert distance(real, fake).value == pytest.approx(truth, rel=1e-12)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.data())
def test_never_nan_never_negative_always_right(data):
    """Random ranks, scales 1e-8 … 1e8, duplicated examples, means up to 100 spreads away."""
    dim = data.draw(st.integers(1, 12))
    sides = []
    for seed in (0, 1):
        n, rank = data.draw(st.integers(2, 30)), data.draw(st.integers(0, dim))
        exponents = data.draw(st.lists(st.integers(-8, 8), min_size=dim, max_size=dim))
        scales = torch.tensor([10.0**e for e in exponents], dtype=DOUBLE)
        x = normal(n, rank, seed) @ normal(rank, dim, seed + 2) * scales
        shift = data.draw(st.sampled_from([0.0, 1.0, 100.0])) * scales
        sides.append((x + shift)[torch.arange(n) % data.draw(st.integers(1, n))])
    found = distance(*sides)
    assert_sound(found)
    spread = sum(float(Moments.of(x).covariance.trace()) for x in sides)
    assert found.value == pytest.approx(exact_by_singular_values(*sides), rel=1e-9, abs=1e-7 * spread)


def test_the_fast_route_and_the_exact_one_agree_where_both_work(monkeypatch):
    first, second = (
        Moments.of(normal(900, 300, seed) * torch.logspace(0, -3, 300)).covariance for seed in (0, 1)
    )
    fast, error = product_roots(first, second, 300)
    monkeypatch.setattr("evenodds.metrics.frechet.TOLERANCE", 0.0)
    slow, _ = product_roots(first, second, 300)
    assert float(fast.sum()) == pytest.approx(float(slow.sum()), abs=error, rel=1e-10)


@pytest.mark.parametrize("d", [1, 255, 257, 600])
def test_the_product_that_knows_of_zeros(d):
    lower, symmetric = normal(d, d).tril(), normal(d, d, 1)
    symmetric = symmetric + symmetric.T
    truth = (lower.T @ symmetric @ lower).triu()
    assert torch.allclose(congruence(lower, symmetric).triu(), truth, rtol=1e-12, atol=1e-9)


def test_values_near_the_largest_numbers():
    real, fake = 1e60 * normal(50, 5), 1e60 * (normal(50, 5, 1) + 1)
    assert distance(real, fake).value == pytest.approx(
        1e120 * distance(real / 1e60, fake / 1e60).value, rel=1e-10
    )


def test_refusals():
    with pytest.raises(ValueError, match="3 features and fake ones 4; use one feature extractor"):
        distance(normal(9, 3), normal(9, 4))
    with pytest.raises(ValueError, match="at least 2 examples, not 1"):
        distance(normal(9, 3), normal(1, 3))
