"""Class by class: does a generator make what it is asked for, as often as the data, and all of its kinds?

Where a class has too few examples for a number there is None, not a number that looks like one.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from .clusters import Histogram, imbalance
from .intervals import binomial_interval
from .pairwise import as_points, neighbour_distances, tiles


class ConditionalAccuracy(NamedTuple):
    """How often a classifier sees in a sample the class that was asked for.

    Args:
        accuracy: share of all samples, 0 … 1; the classifier's own accuracy on real data is its ceiling.
        interval: of that share over other samples of as many of each class, Clopper and Pearson (1934).
        by_class: K shares of the samples asked for each class; None where none was.
        asked: (K,) int64, samples asked for.
        confusion: (K, K) int64, asked for in rows, seen in columns.
    """

    accuracy: float
    interval: tuple[float, float]
    by_class: list[float | None]
    asked: Tensor
    confusion: Tensor


class ClassShares(NamedTuple):
    """How samples and real examples fall into classes.

    Args:
        fake: (K,) float64 shares of samples.
        real: (K,) float64 shares of real examples.
        intervals: of each fake share, over other samples.
        total_variation: ½ Σ |fake − real|, 0 … 1.
        noise: what it would be on average if both came from one distribution.
    """

    fake: Tensor
    real: Tensor
    intervals: list[tuple[float, float]]
    total_variation: float
    noise: float


class ClassCoverage(NamedTuple):
    """Density and coverage within each class.

    Args:
        density: K values, 1 on average where the class is made right; None where a side has too few.
        coverage: K shares of real examples of the class; 0 where no sample is of it, None where the real
            examples are too few.
        mean_coverage: over the classes that have one; None where none has.
        real: (K,) int64 examples.
        fake: (K,) int64 samples.
    """

    density: list[float | None]
    coverage: list[float | None]
    mean_coverage: float | None
    real: Tensor
    fake: Tensor


def conditional_accuracy(
    asked: Tensor, predicted: Tensor, classes: int, alpha: float = 0.05
) -> ConditionalAccuracy:
    """Share of samples that a classifier takes for what was asked for; Odena et al. (2017), section 5.

    Args:
        asked: (N,) labels 0 … K − 1 that the generator was given.
        predicted: (N,) labels 0 … K − 1 that the classifier gives.
        classes: K.
        alpha: probability that the interval misses.
    """
    asked, predicted = _labels(asked, classes, "asked"), _labels(predicted, classes, "predicted")
    if len(asked) != len(predicted):
        raise ValueError(
            f"{len(asked)} labels asked for and {len(predicted)} predicted are not of the same samples"
        )
    confusion = torch.bincount(asked * classes + predicted, minlength=classes**2).view(classes, classes)
    right, rows = confusion.diagonal(), confusion.sum(1)
    hits = int(right.sum())
    by_class = [int(r) / int(n) if int(n) else None for r, n in zip(right, rows, strict=True)]
    interval = binomial_interval(hits, len(asked), alpha)
    return ConditionalAccuracy(hits / len(asked), interval, by_class, rows, confusion)


def class_shares(fake: Tensor, real: Tensor, classes: int, alpha: float = 0.05) -> ClassShares:
    """Shares of the classes among samples and among real examples, and how different they are.

    Args:
        fake: (N,) labels of samples, by a classifier.
        real: (M,) labels of real examples; by the same classifier, so that its mistakes are on both sides.
        classes: K.
        alpha: probability that each interval misses.
    """
    counts = [
        torch.bincount(_labels(x, classes, name), minlength=classes)
        for x, name in ((fake, "fake"), (real, "real"))
    ]
    apart = imbalance(*(Histogram(each, each) for each in counts))
    n = int(counts[0].sum())
    intervals = [binomial_interval(int(each), n, alpha) for each in counts[0]]
    shares = [each.double() / each.sum() for each in counts]
    return ClassShares(shares[0], shares[1], intervals, apart.total_variation, apart.noise)


def class_coverage(
    real: Tensor, real_labels: Tensor, fake: Tensor, fake_labels: Tensor, classes: int, *, k: int = 5
) -> ClassCoverage:
    """Density and coverage (Naeem et al. 2020) of each class's samples against its real examples.

    Args:
        real: (N, …) features.
        real_labels: (N,) 0 … K − 1.
        fake: (M, …) features of the same extractor.
        fake_labels: (M,) asked for or predicted.
        classes: K.
        k: neighbours of a real ball; a class needs k + 1 real examples.
    """
    real_labels, fake_labels = _labels(real_labels, classes, "real"), _labels(fake_labels, classes, "fake")
    if (len(real), len(fake)) != (len(real_labels), len(fake_labels)):
        raise ValueError("examples and labels differ in number; give each example one label")
    density: list[float | None] = []
    coverage: list[float | None] = []
    for label in range(classes):
        mine, theirs = (
            real[(real_labels == label).to(real.device)],
            fake[(fake_labels == label).to(fake.device)],
        )
        entered = _density_coverage(mine, theirs, k) if len(mine) > k else (None, None)
        density.append(entered[0])
        coverage.append(entered[1])
    there = [value for value in coverage if value is not None]
    mean = sum(there) / len(there) if there else None
    counts = (torch.bincount(labels, minlength=classes) for labels in (real_labels, fake_labels))
    return ClassCoverage(density, coverage, mean, *counts)


def _density_coverage(real: Tensor, fake: Tensor, k: int) -> tuple[float | None, float]:
    """Of one class; coverage 0 and no density where it has no sample."""
    if not len(fake):
        return None, 0.0
    a, b = as_points(real, "real"), as_points(fake, "fake")
    radius = neighbour_distances(a, k, "real")[:, k - 1, None]
    count, covered = 0, torch.zeros(len(real), dtype=torch.bool, device=a.values.device)
    for rows, _, distance in tiles(a, b):
        within = distance < radius[rows]
        count += int(within.sum())
        covered[rows] |= within.any(1)
    return count / (k * len(fake)), float(covered.double().mean())


def _labels(labels: Tensor, classes: int, name: str) -> Tensor:
    """(N,) int64 on the CPU, all of them classes.

    Raises:
        ValueError: there are none, or one is outside.
    """
    flat = labels.detach().flatten().cpu().long()
    if not len(flat) or int(flat.min()) < 0 or int(flat.max()) >= classes:
        raise ValueError(f"{name} labels must be integers from 0 to {classes - 1}, at least one of them")
    return flat
