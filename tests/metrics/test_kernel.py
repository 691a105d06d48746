"""The kernel distance against its closed form and every pair written out; its interval against draws."""

from __future__ import annotations

import math

import pytest
import torch

from evenodds.metrics import kernel
from evenodds.metrics.kernel import KernelDistance, kernel_distance, kernel_distance_of_all_pairs


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def normal(rows: int, dim: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(rows, dim, generator=generator(seed), dtype=torch.float64)


def closed_form(a: float, d: int) -> float:
    """Of N(0, I_d) and N(m, I_d), a = ‖m‖²."""
    return 3 * a / d + (3 * a**2 + 3 * a) / d**2 + (a**3 + 6 * a**2 + 6 * a) / d**3


def by_hand(x: torch.Tensor, y: torch.Tensor) -> float:
    n, m, d = len(x), len(y), x.shape[1]
    xx, yy, xy = (((a @ b.T) / d + 1) ** 3 for a, b in ((x, x), (y, y), (x, y)))
    within = (xx.sum() - xx.trace()) / (n * (n - 1)) + (yy.sum() - yy.trace()) / (m * (m - 1))
    return float(within - 2 * xy.mean())


def test_the_closed_form():
    assert closed_form(1, 16) == pytest.approx(0.21411, abs=5e-6)


@pytest.mark.parametrize("n, m", [(40, 40), (40, 25), (17, 16), (4, 5)])
def test_blocks_are_every_pair(n, m, monkeypatch):
    monkeypatch.setattr(kernel, "BLOCK", 16)
    x, y = normal(n, 6), normal(m, 6, 1) + 0.3
    assert kernel_distance_of_all_pairs(x, y).value == pytest.approx(by_hand(x, y), rel=1e-12)
    assert kernel_distance_of_all_pairs(y, x).value == pytest.approx(by_hand(x, y), rel=1e-12)
    assert kernel_distance_of_all_pairs(x.flip(0), y).value == pytest.approx(by_hand(x, y), rel=1e-12)


def test_rotations_change_nothing():
    x, y = normal(50, 6), normal(60, 6, 1) + 0.3
    turn = torch.linalg.qr(normal(6, 6, 2)).Q
    first, second = kernel_distance_of_all_pairs(x, y), kernel_distance_of_all_pairs(x @ turn, y @ turn)
    assert first.value == pytest.approx(second.value, rel=1e-12)
    assert first.standard_error == pytest.approx(second.standard_error, rel=1e-10)


def test_the_value_is_the_mean_of_its_subsets():
    """The subsets are drawn real first, fake second, from the one generator."""
    x, y = normal(30, 4), normal(50, 4, 1)
    random = generator(5)
    values = []
    for _ in range(7):
        first, second = (each[torch.randperm(len(each), generator=random)[:12]] for each in (x, y))
        values.append(by_hand(first, second))
    found = kernel_distance(x, y, subsets=7, size=12, generator=generator(5))
    values = torch.tensor(values, dtype=torch.float64)
    assert found.value == pytest.approx(float(values.mean()), rel=1e-12)
    assert found.deviation == pytest.approx(float(values.std(correction=0)), rel=1e-10)
    assert found[4:] == (7, 12, (30, 50))


def test_subsets_of_everything_are_all_pairs():
    x, y = normal(30, 4).float(), normal(30, 4, 1).float()
    found, truth = (
        kernel_distance(x, y, subsets=3, size=30, generator=generator()),
        kernel_distance_of_all_pairs(x, y),
    )
    assert found.value == pytest.approx(truth.value, rel=1e-12)
    assert found.deviation < 1e-12
    assert found.standard_error == pytest.approx(truth.standard_error, rel=1e-9)
    assert (truth[1], *truth[4:]) == (0, 0, 0, (30, 30))


def draws(d: int, a: float, n: int, m: int, repeats: int) -> list[tuple[KernelDistance, KernelDistance]]:
    found = []
    for seed in range(repeats):
        random = generator(seed)
        x = torch.randn(n, d, generator=random)
        y = torch.randn(m, d, generator=random) + math.sqrt(a / d)
        subsets = kernel_distance(x, y, subsets=5, size=60, generator=random)
        found.append((subsets, kernel_distance_of_all_pairs(x, y)))
    return found


@pytest.mark.parametrize("d, a", [(16, 1.0), (16, 0.0), (4, 0.3)])
def test_unbiased_with_standard_errors_and_intervals_that_hold(d, a):
    """At a = 0 the first-order variance vanishes and the second is all there is."""
    repeats, truth = 160, closed_form(a, d)
    for found in zip(*draws(d, a, 240, 180, repeats), strict=True):
        values = torch.tensor([one.value for one in found], dtype=torch.float64)
        spread = float(values.std())
        assert abs(float(values.mean()) - truth) < 3.5 * spread / math.sqrt(repeats)
        expected = math.sqrt(sum(one.standard_error**2 for one in found) / repeats)
        # the spread of 160 draws is known to 6 %; where ζ is 0, its estimate's positive part is too much
        assert 0.85 * spread < expected < (1.35 if a == 0 else 1.2) * spread
        covered = sum(one.interval[0] <= truth <= one.interval[1] for one in found) / repeats
        assert 0.91 <= covered <= 0.985


def test_overlapping_subsets_are_not_taken_for_independent_ones():
    """1,000 subsets of the same 100 examples: their own standard error of the mean would go to 0."""
    x, y = normal(100, 4), normal(100, 4, 1) + 0.5
    found = kernel_distance(x, y, subsets=300, size=50, generator=generator())
    assert found.standard_error > 3 * found.deviation / math.sqrt(300)
    assert found.standard_error == pytest.approx(kernel_distance_of_all_pairs(x, y).standard_error, rel=0.15)


@pytest.mark.parametrize(
    "x, y",
    [
        (normal(20, 3), normal(20, 3)),
        (normal(20, 3), normal(1, 3, 1).repeat(20, 1)),
        (torch.ones(20, 3), torch.zeros(20, 3)),
        (torch.zeros(20, 3), torch.zeros(20, 3)),
        (1e8 * normal(20, 3), 1e-8 * normal(20, 3)),
        (normal(20, 3000), normal(20, 3000, 1)),
    ],
)
def test_always_a_number(x, y):
    for found in (
        kernel_distance_of_all_pairs(x, y),
        kernel_distance(x, y, subsets=2, size=9, generator=generator()),
    ):
        assert all(math.isfinite(value) for value in (*found[:3], *found.interval))
        assert found.interval[0] <= found.value <= found.interval[1]


@pytest.mark.parametrize("size, subsets", [(21, 5), (3, 5), (10, 0)])
def test_subsets_that_can_not_be_drawn(size, subsets):
    with pytest.raises(ValueError, match="can't be drawn from 30 real and 20 fake ones"):
        kernel_distance(normal(30, 2), normal(20, 2), subsets=subsets, size=size, generator=generator())


def test_refusals():
    with pytest.raises(ValueError, match="needs 4 real"):
        kernel_distance_of_all_pairs(normal(9, 2), normal(3, 2))
    with pytest.raises(ValueError, match="one feature extractor"):
        kernel_distance_of_all_pairs(normal(9, 2), normal(9, 3))
    with pytest.raises(ValueError, match="fake features hold values that are not finite"):
        kernel_distance_of_all_pairs(normal(9, 2), normal(9, 2) / 0)
    with pytest.raises(ValueError, match="too large"):
        kernel_distance_of_all_pairs(1e80 * normal(9, 2), normal(9, 2))
