"""The same features through other people's code: torchmetrics and scipy, to 1e-6."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.linalg import sqrtm

from evenodds.metrics.frechet import frechet_distance
from evenodds.metrics.inception_score import inception_score
from evenodds.metrics.kernel import kernel_distance, kernel_distance_of_all_pairs
from evenodds.metrics.moments import Moments

torchmetrics = pytest.importorskip("torchmetrics", reason="a test extra")
REL = 1e-6


class Features(torch.nn.Module):
    """Features are what they are."""

    num_features = 48

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x


def features(seed: int, rows: int, shift: float = 0.0) -> torch.Tensor:
    """Like those of a network: not negative, correlated, of different sizes."""
    random = torch.Generator().manual_seed(seed)
    mixing = torch.randn(48, 48, generator=torch.Generator().manual_seed(77), dtype=torch.float64) / 7
    x = torch.randn(rows, 48, generator=random, dtype=torch.float64) @ mixing + shift
    return x.relu() * torch.logspace(0.5, -1, 48)


REAL, FAKE = features(0, 700), features(1, 500, 0.2)


def filled(metric):
    """A metric of torchmetrics that has seen both sides, in blocks."""
    for part in REAL.split(300):
        metric.update(part, real=True)
    for part in FAKE.split(300):
        metric.update(part, real=False)
    return metric


def test_frechet_distance_is_torchmetrics():
    from torchmetrics.image.fid import FrechetInceptionDistance

    oracle = filled(FrechetInceptionDistance(feature=Features()).set_dtype(torch.float64))
    assert frechet_distance(Moments.of(REAL), Moments.of(FAKE)) == pytest.approx(
        float(oracle.compute()), rel=REL
    )


@pytest.mark.parametrize("fake", [FAKE, FAKE.float(), features(2, 700), 3 * REAL + 1])
def test_frechet_distance_is_scipys(fake):
    first, second = (np.cov(x.double().numpy(), rowvar=False) for x in (REAL, fake))
    means = REAL.numpy().mean(0) - fake.double().numpy().mean(0)
    root = sqrtm(first @ second)
    truth = means @ means + np.trace(first + second - 2 * root.real)
    assert frechet_distance(Moments.of(REAL), Moments.of(fake)) == pytest.approx(truth, rel=REL)


def test_kernel_distance_is_torchmetrics():
    """To the subset: both draw real examples first and use one generator."""
    from torchmetrics.image.kid import KernelInceptionDistance

    oracle = filled(KernelInceptionDistance(feature=Features(), subsets=20, subset_size=100))
    torch.manual_seed(3)
    mean, deviation = (float(value) for value in oracle.compute())
    torch.manual_seed(3)
    found = kernel_distance(REAL, FAKE, subsets=20, size=100, generator=torch.default_generator)
    assert found.value == pytest.approx(mean, rel=REL)
    assert found.deviation == pytest.approx(deviation, rel=REL)


def test_kernel_distance_of_all_pairs_is_torchmetrics():
    from torchmetrics.image.kid import poly_mmd

    assert kernel_distance_of_all_pairs(REAL[:500], FAKE).value == pytest.approx(
        float(poly_mmd(REAL[:500], FAKE)), rel=REL
    )


def test_inception_score_is_torchmetrics():
    """They shuffle first, and divide the variance over splits by one less."""
    from torchmetrics.image.inception import InceptionScore

    logits = 3 * REAL
    oracle = InceptionScore(feature=Features(), splits=5)
    oracle.update(logits)
    torch.manual_seed(3)
    mean, deviation = (float(value) for value in oracle.compute())
    torch.manual_seed(3)
    found = inception_score(logits[torch.randperm(len(logits))], splits=5)
    assert found.value == pytest.approx(mean, rel=REL)
    assert found.deviation == pytest.approx(deviation * np.sqrt(4 / 5), rel=REL)
