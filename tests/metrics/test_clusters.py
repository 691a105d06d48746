"""Clusters against known blobs; histograms against simulation."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from evenodds.metrics.clusters import Clusters, Histogram, coverage, histogram, imbalance, k_means

CENTRES = torch.tensor([[0.0, 0.0], [10.0, 0.0], [0.0, 10.0], [10.0, 10.0], [5.0, 20.0]])


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def counts(*numbers: int) -> Histogram:
    return Histogram(torch.tensor(numbers), torch.tensor(numbers))


def test_separate_blobs_are_found_nearly_always():
    """A bad start can't always be mended; drawing the seeds evenly would find all five in 1 of 4."""
    found = 0
    for seed in range(20):
        x = CENTRES.repeat(60, 1) + 0.3 * torch.randn(300, 2, generator=generator(seed))
        nearest = torch.cdist(CENTRES, k_means(x, 5, generator=generator(seed))).amin(1)
        found += bool(nearest.max() < 0.2)  # 5 standard errors of a mean over 60, in two directions
    assert 15 <= found <= 20


def test_centres_are_the_means_of_their_examples():
    x = torch.randn(200, 1, 3, 3, generator=generator(1))
    found = k_means(x, 4, generator=generator(2), iterations=1000)
    nearest = torch.cdist(x.flatten(1), found).argmin(1)
    for number, centre in enumerate(found):
        assert centre.tolist() == pytest.approx(x.flatten(1)[nearest == number].mean(0).tolist(), abs=1e-5)


def test_no_more_clusters_than_different_examples():
    x = torch.tensor([[1.0], [2.0]]).repeat(50, 1)
    assert sorted(k_means(x, 5, generator=generator()).flatten().tolist()) == [1, 2]


def test_the_same_seed_gives_the_same_clusters():
    x = torch.randn(100, 4, generator=generator(3))
    assert torch.equal(k_means(x, 6, generator=generator(4)), k_means(x, 6, generator=generator(4)))


def test_examples_are_counted_where_they_are_nearest_and_where_they_reach():
    x = torch.tensor([[0.0, 0.1], [1.0, 0.0], [4.0, 0.0], [10.0, 9.5], [5.0, 18.9]])
    found = histogram(x, Clusters(CENTRES.double(), radius=1.0))
    assert found.nearest.tolist() == [3, 0, 0, 1, 1]
    assert found.reached.tolist() == [2, 0, 0, 1, 0]


def test_coverage_is_the_share_of_what_real_examples_reach():
    assert coverage(counts(5, 0, 1, 9), counts(3, 3, 3, 0)) == pytest.approx(2 / 3)
    assert coverage(counts(1, 0), counts(0, 0)) is None


def test_imbalance_is_the_total_variation():
    found = imbalance(counts(10, 30, 0), counts(2, 2, 4))
    # shares 1/4, 3/4, 0 and 1/4, 1/4, 1/2
    assert found.total_variation == pytest.approx(0.5)


@pytest.mark.parametrize("p", [[0.2] * 5, [0.7, 0.1, 0.1, 0.05, 0.05], [0.05] * 20])
def test_the_noise_is_that_of_equal_distributions(p):
    random = np.random.default_rng(0)
    found = []
    for _ in range(300):
        a, b = random.multinomial(256, p), random.multinomial(200, p)
        found.append(imbalance(counts(*a), counts(*b)))
    truth = np.mean([one.total_variation for one in found])
    assert np.mean([one.noise for one in found]) == pytest.approx(truth, rel=0.04)


def test_a_radius_has_no_limit_by_default():
    assert Clusters(CENTRES).radius == math.inf
