"""Distances between and among samples against scipy, closed forms and known supports."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy.spatial.distance import cdist
from scipy.stats import energy_distance as scipy_energy
from scipy.stats import norm

from evenodds.metrics.diversity import (
    distances,
    duplicate_threshold,
    energy_distance,
    energy_of_splits,
    mean_pair,
    near_duplicates,
    pairs,
    support_size,
)


def normal(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def energy(x: torch.Tensor, y: torch.Tensor) -> float:
    return energy_distance(distances(x, y), distances(x), distances(y))


@pytest.mark.parametrize("shape", [(1,), (2,), (1, 28, 28)])
def test_distances_are_scipys(shape):
    x, y = normal(7, *shape), normal(5, *shape, seed=1)
    expected = cdist(x.flatten(1).double(), y.flatten(1).double())
    assert distances(x, y).numpy() == pytest.approx(expected, rel=1e-9)
    assert distances(x).numpy() == pytest.approx(
        cdist(x.flatten(1).double(), x.flatten(1).double()), abs=1e-7
    )


def test_near_duplicates_far_from_zero_are_told_from_copies():
    # a float32 product would lose 1e-3 altogether beside a norm of 28,000
    x = torch.full((1, 784), 1000.0)
    y = x.clone()
    y[0, 0] += 0.0078125
    assert float(distances(x, y)) == pytest.approx(0.0078125, abs=3e-3)
    assert float(distances(x, x.clone())) == pytest.approx(0, abs=3e-3)


def test_integers_and_bytes_are_taken():
    x = torch.tensor([[0, 3], [4, 0]], dtype=torch.uint8)
    assert distances(x).tolist() == [[0, 5], [5, 0]]


def test_pairs_of_all_and_of_equal_labels():
    within = distances(torch.tensor([[0.0], [1.0], [3.0], [7.0]]))
    assert sorted(pairs(within).tolist()) == [1, 2, 3, 4, 6, 7]
    assert sorted(pairs(within, torch.tensor([0, 1, 0, 1])).tolist()) == [3, 6]


def test_energy_distance_is_scipys_for_the_empirical_distributions():
    x, y = normal(30, 1), 0.5 + 2 * normal(40, 1, seed=1)
    between, first, second = distances(x, y), distances(x), distances(y)
    # scipy's is the root of the biased one, whose within-terms have N² in the denominator
    biased = 2 * between.mean() - first.mean() - second.mean()
    assert math.sqrt(biased) == pytest.approx(scipy_energy(x[:, 0].numpy(), y[:, 0].numpy()), rel=1e-9)
    n, m = 30, 40
    correction = float(first.mean()) / (n - 1) + float(second.mean()) / (m - 1)
    assert energy(x, y) == pytest.approx(float(biased) - correction, rel=1e-9)


def folded(mean: float, std: float) -> float:
    """E|N(mean, std²)|."""
    return std * math.sqrt(2 / math.pi) * math.exp(-(mean**2) / (2 * std**2)) + mean * (
        1 - 2 * norm.cdf(-mean / std)
    )


@pytest.mark.parametrize("mean", [0.0, 0.5, 2.0])
def test_energy_distance_of_two_gaussians_is_the_closed_form_on_average(mean):
    truth = 2 * folded(mean, math.sqrt(2)) - 2 * folded(0, math.sqrt(2))
    found = [energy(normal(12, 1, seed=i), mean + normal(9, 1, seed=1000 + i)) for i in range(600)]
    error = np.std(found) / math.sqrt(len(found))
    assert np.mean(found) == pytest.approx(truth, abs=4 * error)
    assert error < 0.05


def test_splits_of_one_set_are_what_the_sums_say():
    x, generator = normal(9, 2), torch.Generator().manual_seed(3)
    found = energy_of_splits(distances(x), 4, splits=3, generator=generator)
    again = torch.Generator().manual_seed(3)
    for value in found.tolist():
        order = torch.randperm(9, generator=again)
        assert value == pytest.approx(energy(x[order[:4]], x[order[4:]]), rel=1e-9)


def test_splits_say_what_equal_distributions_give_by_chance():
    x = normal(80, 2)
    limit = float(
        energy_of_splits(distances(x), 40, splits=400, generator=torch.Generator().manual_seed(0)).quantile(
            0.95
        )
    )
    fresh = [energy(normal(40, 2, seed=10 + i), normal(40, 2, seed=5000 + i)) for i in range(400)]
    assert 0.02 < np.mean([value > limit for value in fresh]) < 0.09


def test_one_example_has_no_mean_distance():
    with pytest.raises(ValueError, match="at least 2"):
        mean_pair(torch.zeros(1, 1))


def test_a_tenth_of_the_real_examples_has_a_near_duplicate():
    within = distances(normal(400, 3))
    threshold = duplicate_threshold(within)
    nearest = within.clone().fill_diagonal_(math.inf).amin(1)
    assert float((nearest <= threshold).double().mean()) == pytest.approx(0.1, abs=0.005)
    # pairs, not examples: at least half as many as the examples in them
    share = near_duplicates(within, threshold)
    assert 20 / (400 * 399 / 2) <= share <= 40 / (400 * 399 / 2)
    assert near_duplicates(torch.zeros(10, 10), threshold) == 1


@pytest.mark.parametrize("values", [1, 5, 60])
def test_birthdays_say_how_many_values_there_are(values):
    places = torch.arange(values) * 10.0
    estimates = []
    for seed in range(40):
        chosen = torch.randint(values, (256,), generator=torch.Generator().manual_seed(seed))
        x = places[chosen, None] + 0.01 * normal(256, 1, seed=seed)
        estimates.append(1 / support_size(distances(x), 0.5))
    assert 1 / np.mean(estimates) == pytest.approx(values, rel=0.05)


def test_unequal_birthdays_count_as_fewer_values():
    p = torch.tensor([0.7, 0.1, 0.1, 0.1])
    chosen = torch.multinomial(p, 2000, replacement=True, generator=torch.Generator().manual_seed(0))
    found = support_size(distances(chosen[:, None].float()), 0.1)
    assert found == pytest.approx(1 / float(p.square().sum()), rel=0.06)


def test_without_a_pair_the_number_of_pairs_is_the_least_there_can_be():
    assert support_size(distances(torch.arange(20.0)[:, None]), 0.5) == 190
