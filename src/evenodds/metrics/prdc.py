"""Precision and recall, density and coverage: is what is made real, and is all that is real made?

Each set stands for its manifold by balls about its examples, as large as the distance to the k-th nearest
other one.  None of the four has a scale of its own: of 10,000 examples of one and the same Gaussian in 1,000
dimensions precision and recall are near .47, so that real examples in the samples' place belong beside them.
"""

from __future__ import annotations

import math
from statistics import NormalDist
from typing import NamedTuple

import torch
from torch import Tensor

from .intervals import binomial_interval
from .pairwise import Points, as_points, neighbour_distances, tiles

Interval = tuple[float, float]
COVERAGE_WORTH = 0.4  # independent examples that one is worth to coverage


class Prdc(NamedTuple):
    """What two sets of examples have in common.

    Args:
        precision: share of fakes in at least one real ball, 0 … 1.
        recall: share of reals in at least one fake ball, 0 … 1.
        density: real balls about a fake, over k; 1 on average for equal distributions, unbounded.
        coverage: share of real balls with a fake in them, 0 … 1.
    """

    precision: float
    recall: float
    density: float
    coverage: float


class PrdcExamples(NamedTuple):
    """The same example by example: `Prdc` has the means.

    Args:
        precise: (M,) bool, fakes in at least one real ball.
        recalled: (N,) bool, reals in at least one fake ball.
        density: (M,) float64, real balls about each fake, over k.
        covered: (N,) bool, reals whose ball holds a fake.
    """

    precise: Tensor
    recalled: Tensor
    density: Tensor
    covered: Tensor


class PrdcIntervals(NamedTuple):
    """Where the four lie; what each covers is `intervals`' to say."""

    precision: Interval
    recall: Interval
    density: Interval
    coverage: Interval


def neighbours(x: Tensor, k: int) -> Tensor:
    """Distances to the 1st, …, k-th nearest other example, (N, k) float64: real ones', to be cached.

    Args:
        x: (N, …) features.
        k: 1 … N − 1.
    """
    return neighbour_distances(as_points(x), k)


def radii(x: Tensor, k: int) -> Tensor:
    """Radius of the ball about each example, (N,) float64: the distance to the k-th nearest other one.

    Args:
        x: (N, …) features.
        k: 1 … N − 1.
    """
    return neighbours(x, k)[:, k - 1]


def prdc(
    real: Tensor,
    fake: Tensor,
    *,
    k_precision: int = 3,
    k_density: int = 5,
    real_neighbours: Tensor | None = None,
) -> Prdc:
    """Precision, recall, density and coverage; arguments as of `prdc_examples`."""
    found = prdc_examples(
        real, fake, k_precision=k_precision, k_density=k_density, real_neighbours=real_neighbours
    )
    return summary(found)


def summary(found: PrdcExamples) -> Prdc:
    """Means over the examples."""
    return Prdc(*(float(values.double().mean()) for values in found))


def prdc_examples(
    real: Tensor,
    fake: Tensor,
    *,
    k_precision: int = 3,
    k_density: int = 5,
    real_neighbours: Tensor | None = None,
) -> PrdcExamples:
    """Improved precision and recall (Kynkäänniemi et al. 2019), density and coverage (Naeem et al. 2020).

    As published, a ball holds its surface for precision and recall (≤) and doesn't for density and coverage
    (<), which only copies and discrete data feel.

    Args:
        real: (N, …) features.
        fake: (M, …) features of the same extractor.
        k_precision: neighbours of the balls of precision and recall, 3 in the paper.
        k_density: of those of density and coverage, 5 in the paper.
        real_neighbours: (N, at least max(k)) from `neighbours(real, k)`, which it saves computing.

    Raises:
        ValueError: too few examples for k, values that are not finite, or shapes that don't agree.
    """
    a, b = as_points(real, "real"), as_points(fake, "fake")
    near = _real_neighbours(a, max(k_precision, k_density), real_neighbours)
    ball, open_ball = near[:, k_precision - 1, None], near[:, k_density - 1, None]
    fake_ball = neighbour_distances(b, k_precision, "fake")[:, k_precision - 1]
    (n, m), device = (len(a.values), len(b.values)), a.values.device
    recalled, covered = (torch.zeros(n, dtype=torch.bool, device=device) for _ in range(2))
    precise = torch.zeros(m, dtype=torch.bool, device=device)
    counts = torch.zeros(m, dtype=torch.int64, device=device)
    for rows, columns, distance in tiles(a, b):
        precise[columns] |= (distance <= ball[rows]).any(0)
        recalled[rows] |= (distance <= fake_ball[columns]).any(1)
        within = distance < open_ball[rows]
        counts[columns] += within.sum(0)
        covered[rows] |= within.any(1)
    return PrdcExamples(precise, recalled, counts.double() / k_density, covered)


def realism(real: Tensor, fake: Tensor, *, k: int = 3, real_neighbours: Tensor | None = None) -> Tensor:
    """max_i r_i / ‖y − x_i‖ over the real balls, (M,) float64; Kynkäänniemi et al. (2019), Eq. 3.

    At least 1 inside a ball, infinite for a copy of a real example.  Balls with a radius above the median are
    left out, as the paper does: they stand in sparse places, where anything is near.

    Args:
        real: (N, …) features.
        fake: (M, …) features of the same extractor.
        k: neighbours of the balls.
        real_neighbours: (N, at least k) from `neighbours(real, k)`, which it saves computing.
    """
    a, b = as_points(real, "real"), as_points(fake, "fake")
    ball = _real_neighbours(a, k, real_neighbours)[:, k - 1]
    small = ball <= ball.median()  # the lower of two middle ones
    a, ball = Points(a.values[small], a.keys[small]), ball[small, None]
    score = torch.zeros(len(b.values), dtype=torch.float64, device=b.values.device)
    for rows, columns, distance in tiles(a, b):
        ratio = torch.where((distance == 0) & (ball[rows] == 0), 1.0, ball[rows] / distance)
        score[columns] = torch.maximum(score[columns], ratio.amax(0))
    return score


def intervals(found: PrdcExamples, alpha: float = 0.05) -> PrdcIntervals:
    """Intervals of 1 − α for the four numbers, over other draws of what their means are taken over.

    Precision and density: over other fakes, for these real examples.  Recall: over other reals, for these
    fakes.  Given the other set the examples are independent, so Clopper and Pearson (1934) holds exactly for
    the shares; density's is the normal one.  Coverage: over both sets.  The balls of neighbours overlap, so
    its deviation is up to 1.6 times the binomial one (simulated in 2 … 8 dimensions; 1.8 in one): the
    interval is that of 2/5 as many examples.

    Args:
        found: of each example.
        alpha: probability to lie outside, for each number by itself.
    """

    def share(hits: Tensor, worth: float = 1.0) -> Interval:
        trials = max(1, round(worth * len(hits)))
        return binomial_interval(round(float(hits.double().mean()) * trials), trials, alpha)

    mean, m = float(found.density.mean()), len(found.density)
    error = float(found.density.std()) / math.sqrt(m) if m > 1 else math.inf
    half = NormalDist().inv_cdf(1 - alpha / 2) * error
    return PrdcIntervals(
        share(found.precise),
        share(found.recalled),
        (max(0.0, mean - half), mean + half),
        share(found.covered, COVERAGE_WORTH),
    )


def expected_coverage(n: int, m: int, k: int = 5) -> float:
    """1 − Π_{i=1…k} (n − i)/(m + n − i): coverage's mean for equal distributions; Naeem et al. (2020).

    Args:
        n: real examples.
        m: fakes.
        k: neighbours.
    """
    return 1 - math.prod((n - i) / (m + n - i) for i in range(1, k + 1))


def _real_neighbours(real: Points, k: int, given: Tensor | None) -> Tensor:
    """Those given, if they fit; else computed."""
    if given is None:
        return neighbour_distances(real, k, "real")
    if given.dim() != 2 or len(given) != len(real.values) or given.shape[1] < k:
        raise ValueError(
            f"neighbours of shape {tuple(given.shape)} are not those of {len(real.values)} real examples at"
            f" k = {k}; compute them with neighbours(real, {k})"
        )
    return given.to(real.values.device, torch.float64)
