"""Conditional accuracy, shares of classes and coverage within them, on cases counted by hand."""

from __future__ import annotations

import pytest
import torch

from evenodds.metrics.class_coverage import class_coverage, class_shares, conditional_accuracy
from evenodds.metrics.prdc import expected_coverage, prdc


def normal(n: int, d: int, seed: int) -> torch.Tensor:
    return torch.randn(n, d, generator=torch.Generator().manual_seed(seed))


def test_conditional_accuracy_counts_by_class():
    asked = torch.tensor([0, 0, 0, 0, 1, 1, 3])
    seen = torch.tensor([0, 0, 0, 1, 1, 2, 0])
    found = conditional_accuracy(asked, seen, 4)
    assert found.accuracy == pytest.approx(4 / 7)
    assert found.by_class == [0.75, 0.5, None, 0.0]
    assert found.asked.tolist() == [4, 2, 0, 1]
    assert found.confusion.tolist() == [[3, 1, 0, 0], [0, 1, 1, 0], [0, 0, 0, 0], [1, 0, 0, 0]]
    # Clopper and Pearson's interval of 4 in 7, from scipy.stats.binomtest(4, 7).proportion_ci()
    assert found.interval == pytest.approx((0.18405, 0.90101), abs=1e-5)


def test_shares_of_a_generator_that_leaves_out_a_class():
    found = class_shares(torch.tensor([0, 1] * 50), torch.tensor([0, 1, 2, 2] * 25), 3)
    assert found.fake.tolist() == [0.5, 0.5, 0]
    assert found.real.tolist() == [0.25, 0.25, 0.5]
    assert found.total_variation == pytest.approx(0.5)
    assert found.noise < 0.1
    assert found.intervals[2][0] == 0
    assert found.intervals[2][1] == pytest.approx(1 - 0.025**0.01, rel=1e-6)
    assert found.intervals[0][0] < 0.5 < found.intervals[0][1]


def test_within_a_class_it_is_density_and_coverage_of_its_examples():
    real, fake = normal(90, 3, 1), normal(80, 3, 2)
    labels, given = torch.arange(90) % 3, torch.arange(80) % 2  # nothing of class 2
    found = class_coverage(real, labels, fake, given, 3)
    for label in (0, 1):
        whole = prdc(real[labels == label], fake[given == label])
        assert found.density[label] == pytest.approx(whole.density)
        assert found.coverage[label] == pytest.approx(whole.coverage)
    assert (found.density[2], found.coverage[2]) == (None, 0.0)
    assert found.mean_coverage == pytest.approx(sum(found.coverage) / 3)
    assert found.fake.tolist() == [40, 40, 0]


def test_it_sees_a_collapse_within_one_class_only():
    real = torch.cat([normal(200, 4, 3), normal(200, 4, 4) + 20])
    labels = torch.arange(400) // 200
    fake = torch.cat([normal(200, 4, 5), normal(1, 4, 6).expand(200, 4) + 20])
    found = class_coverage(real, labels, fake, labels, 2)
    assert found.coverage[0] == pytest.approx(expected_coverage(200, 200), abs=0.05)
    assert found.coverage[1] < 0.15
    few = class_coverage(real[:204], labels[:204], fake, labels, 2)
    assert few.coverage[1] is None  # four real examples have no fifth neighbour
    assert few.mean_coverage == found.coverage[0]


def test_labels_that_are_none_are_refused():
    with pytest.raises(ValueError, match="from 0 to 2"):
        class_shares(torch.tensor([0, 3]), torch.tensor([0]), 3)
    with pytest.raises(ValueError, match="not of the same samples"):
        conditional_accuracy(torch.tensor([0, 1]), torch.tensor([0]), 3)
    with pytest.raises(ValueError, match="one label"):
        class_coverage(normal(3, 2, 1), torch.tensor([0]), normal(1, 2, 1), torch.tensor([0]), 1)
