"""Precision, recall, density and coverage against the published package, closed forms and loops."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from prdc import compute_prdc

from evenodds.metrics import pairwise
from evenodds.metrics.prdc import (
    expected_coverage,
    intervals,
    neighbours,
    prdc,
    prdc_examples,
    radii,
    realism,
    summary,
)


def gaussians(n: int, m: int, d: int, seed: int, shift: float = 0.0) -> tuple[torch.Tensor, torch.Tensor]:
    random = torch.Generator().manual_seed(seed)
    return torch.randn(n, d, generator=random), shift + torch.randn(m, d, generator=random)


@pytest.mark.parametrize("n, m, d, k", [(300, 300, 16, 5), (211, 400, 64, 3), (500, 120, 2, 5)])
def test_agrees_with_the_published_package(n, m, d, k, monkeypatch):
    monkeypatch.setattr(pairwise, "TILE", 97)  # several tiles, the last ones not full
    real, fake = gaussians(n, m, d, 1, 0.3)
    ours = prdc(real, fake, k_precision=k, k_density=k)
    theirs = compute_prdc(real.double().numpy(), fake.double().numpy(), k)
    assert ours._asdict() == pytest.approx({key: float(v) for key, v in theirs.items()}, rel=1e-6)


def test_equals_the_definition_with_two_ks():
    real, fake = gaussians(40, 30, 3, 2, 0.2)
    inside = torch.linalg.vector_norm(real[:, None].double() - fake[None].double(), dim=-1)
    own = torch.linalg.vector_norm(real[:, None].double() - real[None].double(), dim=-1).sort(1).values
    other = torch.linalg.vector_norm(fake[:, None].double() - fake[None].double(), dim=-1).sort(1).values
    found = prdc_examples(real, fake, k_precision=3, k_density=5, real_neighbours=neighbours(real, 5))
    assert torch.equal(found.precise, (inside <= own[:, 3, None]).any(0))
    assert torch.equal(found.recalled, (inside <= other[None, :, 3]).any(1))
    assert torch.equal(found.density, (inside < own[:, 5, None]).sum(0).double() / 5)
    assert torch.equal(found.covered, inside.amin(1) < own[:, 5])
    close = own[:, 3] <= own[:, 3].median()
    expected = (own[close, 3, None] / inside[close]).amax(0)
    assert torch.allclose(realism(real, fake), expected, rtol=1e-7, atol=0)


def test_equal_distributions_have_density_1_and_the_coverage_of_the_lemma():
    assert expected_coverage(2_000, 2_000) == pytest.approx(0.96887, abs=5e-6)
    results = torch.tensor([prdc(*gaussians(200, 300, 4, seed), k_precision=5) for seed in range(40)])
    means, errors = results.mean(0), results.std(0) / 40**0.5
    assert abs(means[2] - 1) < 3.5 * errors[2] < 0.05
    assert abs(means[3] - expected_coverage(200, 300)) < 3.5 * errors[3] < 0.01


@pytest.mark.parametrize("d, of_3, of_5, tolerance", [(2, 0.978, 0.997, 0.005), (64, 0.60, 0.72, 0.03)])
def test_precision_of_equal_gaussians_falls_with_the_dimension(d, of_3, of_5, tolerance):
    """Of 2,000 examples on each side, k = 3 and 5; three seeds, whose values differ by the tolerance."""
    found = [prdc_examples(*gaussians(2_000, 2_000, d, seed)) for seed in range(3)]
    three = torch.tensor([[each.precise.double().mean(), each.recalled.double().mean()] for each in found])
    # without ties a point is in a ball of k = 5 where density, whose k that is, is not 0
    five = torch.tensor([float((each.density > 0).double().mean()) for each in found])
    assert float(three.mean()) == pytest.approx(of_3, abs=tolerance)
    assert float(five.mean()) == pytest.approx(of_5, abs=tolerance)


def test_equal_points_are_at_distance_0_and_equal_distances_equal(monkeypatch):
    """A product of float32 matrices would put a copy at 1e-3 of its norm, one of float64 at 1e-8."""
    monkeypatch.setattr(pairwise, "TILE", 50)
    x = 100 + torch.randn(120, 300, generator=torch.Generator().manual_seed(3))
    x[77] = x[3]
    points = pairwise.as_points(torch.cat([x, -torch.zeros(1, 300), torch.zeros(1, 300)]))
    assert points.keys[77] == points.keys[3]
    assert points.keys[-1] == points.keys[-2]  # 0 and −0
    assert len(points.keys.unique()) == 120
    near = pairwise.neighbour_distances(points, 1)[:, 0]
    assert torch.equal((near == 0).nonzero()[:, 0], torch.tensor([3, 77, 120, 121]))
    # a copy of a ball's outermost example is on the ball's surface, neither in nor out by chance
    found = prdc_examples(x, x.clone(), k_density=1, k_precision=1)
    within = torch.ones(120, dtype=torch.float64)
    within[[3, 77]] = 0  # their balls have radius 0 and no inside
    assert torch.equal(found.density, within)
    assert torch.equal(found.covered, within.bool())
    assert bool(found.precise.all())


def test_near_duplicates_keep_their_distance():
    x = 10 + torch.randn(30, 2_048, generator=torch.Generator().manual_seed(4))
    y = x.double()
    y[1] = y[0] + 1e-6
    assert radii(y, 1)[0] == pytest.approx(1e-6 * 2_048**0.5, rel=1e-3)


def test_many_integers_have_many_keys():
    random = torch.Generator().manual_seed(5)
    x = torch.randint(0, 3, (3_000, 8), generator=random, dtype=torch.uint8)
    assert len(pairwise.as_points(x).keys.unique()) == len(x.unique(dim=0))
    assert len(pairwise.as_points(torch.eye(2_000)).keys.unique()) == 2_000


def test_collapsed_and_constant_generators_have_finite_numbers():
    real, _ = gaussians(100, 1, 8, 6)
    one = prdc(real, real[:1].repeat(50, 1))
    assert one.precision == 1
    assert one.recall == pytest.approx(0.01)
    assert one.coverage < 0.2
    far = prdc(real, torch.full((50, 8), 1e4))
    assert far == (0, 0, 0, 0)
    assert prdc(real.zero_(), real) == (1, 1, 0, 0)  # every ball is a point


def test_the_interval_of_precision_holds_over_other_fakes():
    """For one real set: the truth is the share of many fakes."""
    real, many = gaussians(100, 40_000, 3, 7, 0.5)
    near = neighbours(real, 5)
    parts = [prdc_examples(real, part, real_neighbours=near) for part in many.split(200)]
    truth = torch.tensor([summary(part) for part in parts]).mean(0)
    hits = {"precision": 0, "density": 0}
    for found in map(intervals, parts):
        hits["precision"] += found.precision[0] <= truth[0] <= found.precision[1]
        hits["density"] += found.density[0] <= truth[2] <= found.density[1]
    assert 0.91 <= hits["precision"] / 200 <= 1
    assert 0.89 <= hits["density"] / 200 <= 0.99


def test_the_interval_of_coverage_holds_over_other_reals_and_fakes():
    truth = expected_coverage(150, 100)
    found = [intervals(prdc_examples(*gaussians(150, 100, 2, seed))).coverage for seed in range(80)]
    assert 74 <= sum(low <= truth <= high for low, high in found) <= 80
    assert all(high - low < 0.3 for low, high in found)


def test_few_examples_and_values_that_are_not_finite_are_refused():
    real, fake = gaussians(5, 5, 2, 8)
    with pytest.raises(ValueError, match="not 5"):
        prdc(real, fake)
    with pytest.raises(ValueError, match="not finite"):
        prdc(torch.full((9, 2), np.nan), fake)
    with pytest.raises(ValueError, match="2 and 3 features"):
        prdc(torch.randn(9, 2), torch.randn(9, 3))
    with pytest.raises(ValueError, match=r"compute them with neighbours\(real, 5\)"):
        prdc(torch.randn(9, 2), torch.randn(9, 2), real_neighbours=torch.ones(9, 3))


def test_the_summary_is_the_mean():
    real, fake = gaussians(60, 50, 2, 9)
    assert summary(prdc_examples(real, fake)) == prdc(real, fake)
