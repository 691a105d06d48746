"""Tests for copies: p-values that are uniform without copies, tiny with them, and exact where countable."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from scipy.stats import kstest, mannwhitneyu, norm

from evenodds.metrics.memorization import nearer_than_held_out, nearest, neighbours_in_training


def normal(*shape: int, seed: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def exchanged(samples, train, held_out):
    near, far = nearest(samples, train.split(50)), nearest(samples, [held_out])
    return neighbours_in_training(near, far, (len(train), len(held_out)))


def meehan(samples, train, held_out):
    return nearer_than_held_out(nearest(samples, [train])[0], nearest(held_out, [train])[0])


def test_the_nearest_over_blocks_is_the_nearest_of_all():
    x, others = normal(20, 1, 2, 3, seed=0), normal(77, 1, 2, 3, seed=1)
    distance, where = nearest(x, others.split(10))
    every = torch.cdist(x.flatten(1), others.flatten(1))
    assert distance.tolist() == pytest.approx(every.amin(1).tolist(), rel=1e-4)
    assert where.tolist() == every.argmin(1).tolist()


@pytest.mark.parametrize("test", [exchanged, meehan])
def test_without_copies_p_is_uniform(test):
    found = [
        test(normal(60, 3, seed=i), normal(120, 3, seed=1000 + i), normal(90, 3, seed=2000 + i)).p
        for i in range(300)
    ]
    assert kstest(found, "uniform").pvalue > 0.001
    assert np.mean(np.array(found) < 0.05) < 0.1


@pytest.mark.parametrize("test", [exchanged, meehan])
def test_copies_are_found(test):
    train, held_out = normal(200, 10, seed=0), normal(200, 10, seed=1)
    copies = train[:100] + 0.1 * normal(100, 10, seed=2)
    found = test(copies, train, held_out)
    assert found.p == pytest.approx(float(norm.sf(found.z)), rel=1e-9)  # never 0
    assert 0 < found.p < 1e-6
    assert found.z > 5


def test_copies_of_held_out_examples_are_the_opposite():
    train, held_out = normal(200, 10, seed=0), normal(200, 10, seed=1)
    assert exchanged(held_out[:100], train, held_out).p > 0.999999


def test_smooth_samples_are_no_copies_where_real_examples_are_exchanged():
    train, held_out = normal(200, 10, seed=0), normal(200, 10, seed=1)
    smooth = 0.3 * normal(200, 10, seed=2)  # near the middle, so nearer to everything
    assert 0.001 < exchanged(smooth, train, held_out).p < 0.999
    assert meehan(smooth, train, held_out).p < 1e-6  # what this test can't tell from copies


def test_a_collapsed_generator_is_no_copy():
    train, held_out = normal(200, 10, seed=0), normal(200, 10, seed=1)
    collapsed = train[:1].expand(100, 10)
    assert exchanged(collapsed, train, held_out).z < 2


def test_z_is_that_of_all_permutations():
    """4 training and 3 held-out examples: 35 ways to call four of the seven training examples."""
    samples, real = normal(12, 2, seed=5), normal(7, 2, seed=6)
    owner = torch.cdist(samples, real).argmin(1)
    statistics = [sum(int(o) in chosen for o in owner) for chosen in itertools.combinations(range(7), 4)]
    found = exchanged(samples, real[:4], real[4:])
    assert found.z == pytest.approx((statistics[0] - np.mean(statistics)) / np.std(statistics), rel=1e-9)


@pytest.mark.parametrize("ties", [False, True])
def test_mann_whitney_is_scipys(ties):
    a, b = normal(30, seed=0).double().abs(), normal(40, seed=1).double().abs()
    if ties:
        a, b = (4 * a).round(), (4 * b).round()
    expected = mannwhitneyu(a, b, alternative="less", method="asymptotic", use_continuity=False)
    assert nearer_than_held_out(a, b).p == pytest.approx(expected.pvalue, rel=1e-9)


def test_equal_distances_say_nothing():
    assert nearer_than_held_out(torch.ones(5), torch.ones(6)) == (0, 0.5)
