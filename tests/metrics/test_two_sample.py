"""The 1-NN two-sample test against all permutations, simulation under the null, and known answers."""

from __future__ import annotations

from itertools import combinations

import pytest
import torch

from evenodds.metrics import pairwise
from evenodds.metrics.two_sample import _null, nearest_others, two_sample_test


def draw(n: int, d: int, seed: int) -> torch.Tensor:
    return torch.randn(n, d, generator=torch.Generator().manual_seed(seed))


def test_neighbours_are_those_of_the_whole_matrix(monkeypatch):
    monkeypatch.setattr(pairwise, "TILE", 33)
    x = draw(150, 7, 1)
    whole = torch.cdist(x.double(), x.double()).fill_diagonal_(torch.inf)
    assert torch.equal(nearest_others(pairwise.as_points(x)), whole.argmin(1))


@pytest.mark.parametrize("n", [2, 3, 4, 5])
def test_mean_and_deviation_are_those_of_all_permutations(n):
    nearest = nearest_others(pairwise.as_points(draw(2 * n, 2, n)))
    values = []
    for chosen in combinations(range(2 * n), n):
        real = torch.zeros(2 * n, dtype=torch.bool)
        real[list(chosen)] = True
        values.append(float((real == real[nearest]).double().mean()))
    all_ways = torch.tensor(values, dtype=torch.float64)
    mean, deviation = _null(nearest)
    assert mean == pytest.approx(float(all_ways.mean()), abs=1e-12)
    assert deviation == pytest.approx(float(all_ways.std(correction=0)), abs=1e-12)


@pytest.mark.parametrize("d", [1, 10])
def test_p_is_uniform_for_equal_distributions(d):
    found = [two_sample_test(draw(100, d, 2 * s), draw(100, d, 2 * s + 1)) for s in range(300)]
    p = torch.tensor([each.p for each in found])
    for level in (0.05, 0.25, 0.5, 0.75):
        # 4 standard errors of 300 trials, and the steps of a discrete statistic
        assert float((p <= level).double().mean()) == pytest.approx(level, abs=0.1 if level > 0.1 else 0.05)
    z = torch.tensor([each.z for each in found])
    assert float(z.mean()) == pytest.approx(0, abs=0.2)
    assert float(z.std()) == pytest.approx(1, abs=0.15)


def test_known_answers():
    real = draw(200, 5, 3)
    far = two_sample_test(real, real + 100)
    assert (far.accuracy, far.real, far.fake) == (1, 1, 1)
    assert far.p < 1e-12
    copies = two_sample_test(real, real.clone())
    assert copies.accuracy == 0
    assert copies.p_copies < 1e-12
    assert copies.p > 1 - 1e-12
    # a collapsed generator: its samples have each other, real examples never the one point
    collapsed = two_sample_test(real, real[:1].expand(200, 5) + 1e-3)
    assert collapsed.fake == 1
    assert collapsed.real > 0.95
    # the power that the dimension leaves: a shift by one deviation in each of 5
    assert two_sample_test(real, draw(200, 5, 4) + 1).p < 1e-4


def test_ties_favour_nobody():
    """Points on three values: a test that took the first of equals would call the reals, which come first."""
    values = [
        torch.randint(0, 3, (100, 1), generator=torch.Generator().manual_seed(s)).double() for s in range(200)
    ]
    found = [two_sample_test(a, b) for a, b in zip(values[::2], values[1::2], strict=True)]
    real, fake = (sum(getattr(each, kind) for each in found) / 100 for kind in ("real", "fake"))
    assert real == pytest.approx(0.5, abs=0.05)
    assert fake == pytest.approx(0.5, abs=0.05)
    z = torch.tensor([each.z for each in found])
    assert float(z.std()) == pytest.approx(1, abs=0.25)
    assert found[0].deviation < 0.05  # equal examples have different neighbours: not all of them one


def test_unequal_numbers_are_refused():
    with pytest.raises(ValueError, match="as many of both"):
        two_sample_test(draw(10, 2, 1), draw(11, 2, 2))
