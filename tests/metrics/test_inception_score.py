"""The Inception score at its extremes, against sums over classes, and its interval against draws."""

from __future__ import annotations

import math

import pytest
import torch

from evenodds.metrics.inception_score import inception_score


def normal(rows: int, classes: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(rows, classes, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def one_hot(rows: int, classes: int, certain: float = 1e3) -> torch.Tensor:
    return certain * torch.eye(classes).repeat(rows // classes, 1)


@pytest.mark.parametrize("classes", [1, 2, 10, 1008])
@pytest.mark.parametrize("certain", [1e3, math.inf])
def test_certain_and_balanced_predictions_score_the_number_of_classes(classes, certain):
    logits = one_hot(2 * classes, classes) if certain < math.inf else one_hot(2 * classes, classes).log()
    found = inception_score(logits, splits=2)
    assert found.value == pytest.approx(classes, rel=1e-12)
    assert found.deviation == pytest.approx(0, abs=1e-9)
    assert found.classes == classes


@pytest.mark.parametrize(
    "logits", [torch.zeros(100, 10), normal(1, 10).repeat(100, 1), one_hot(10, 10)[:1].repeat(50, 1)]
)
def test_equal_predictions_score_1(logits):
    found = inception_score(logits)
    assert found.value == pytest.approx(1, abs=1e-12)
    assert found.interval == pytest.approx((1, 1), abs=1e-12)


def test_half_of_the_classes_score_half():
    certain = 1e3 * torch.eye(10)[:5].repeat(20, 1)
    assert inception_score(certain).value == pytest.approx(5, rel=1e-12)


def test_the_definition_by_hand():
    logits = 3 * normal(60, 4)
    p = logits.exp() / logits.exp().sum(1, keepdim=True)
    scores = []
    for part in (p[:20], p[20:40], p[40:]):
        total = sum(
            float(q * math.log(q / r)) for row in part for q, r in zip(row, part.mean(0), strict=True)
        )
        scores.append(math.exp(total / 20))
    found = inception_score(logits, splits=3)
    mean = sum(scores) / 3
    assert found.value == pytest.approx(mean, rel=1e-12)
    assert found.deviation == pytest.approx(math.sqrt(sum((s - mean) ** 2 for s in scores) / 3), rel=1e-9)
    assert found.examples == 60


def test_logits_are_known_up_to_a_constant():
    logits = 3 * normal(60, 4)
    assert inception_score(logits + 1e4 * normal(60, 1), splits=3).value == pytest.approx(
        inception_score(logits, splits=3).value, rel=1e-9
    )


@pytest.mark.parametrize("splits", [1, 10])
def test_the_interval_holds_at_this_number_of_examples(splits):
    """p(y|x) of a network that errs; the expectation at n = 500 is the mean over the draws themselves."""
    found = []
    for seed in range(300):
        random = torch.Generator().manual_seed(seed)
        classes = torch.multinomial(torch.arange(1.0, 11), 500, replacement=True, generator=random)
        logits = 2 * torch.randn(500, 10, generator=random) + 4 * torch.eye(10)[classes]
        found.append(inception_score(logits, splits=splits))
    values = torch.tensor([one.value for one in found], dtype=torch.float64)
    truth, spread = float(values.mean()), float(values.std())
    assert sum(one.standard_error for one in found) / 300 == pytest.approx(spread, rel=0.12)
    covered = sum(one.interval[0] <= truth <= one.interval[1] for one in found) / 300
    assert 0.92 <= covered <= 0.98


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_logits_that_are_not_finite_are_refused(bad):
    logits = normal(20, 3)
    logits[7, 1] = bad
    with pytest.raises(ValueError, match="NaN or infinite"):
        inception_score(logits, splits=2)


@pytest.mark.parametrize("shape, splits", [((20,), 2), ((5, 3), 10), ((5, 3), 0), ((5, 0), 1)])
def test_what_can_not_be_scored_is_refused(shape, splits):
    with pytest.raises(ValueError, match="needs logits"):
        inception_score(torch.zeros(shape), splits=splits)
