"""How well a Fréchet distance is known, and what it is for endless samples, and within classes."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

from .frechet import Frechet, factor_of, frechet, pair_sum
from .moments import ROWS, Moments

NORMAL_95 = 1.959964
EPS = torch.finfo(torch.float64).eps


class FrechetInfinity(NamedTuple):
    """A Fréchet distance extrapolated to infinitely many samples, in squared units of the features.

    Args:
        value: the intercept; no longer biased by the number of samples in first order, so it can be negative.
        standard_error: of `value`, over other draws of as many samples.
        interval: of 95 %.
        sizes: samples in each subset of a fit's points, falling.
        distances: the points: mean Fréchet distance of the disjoint subsets of that size.
    """

    value: float
    standard_error: float
    interval: tuple[float, float]
    sizes: tuple[int, ...]
    distances: tuple[float, ...]


class IntraClass(NamedTuple):
    """Fréchet distances within classes.

    Args:
        value: their mean over the classes, each class counting alike; squared units of the features.
        standard_error: of `value` over other draws of samples, as many of each class; None where a class has
            no more samples than there are features.
        classes: labels, rising.
        of_each: what `frechet` says of each class; `counts` and `rank_deficient` among it.
    """

    value: float
    standard_error: float | None
    classes: tuple[int, ...]
    of_each: tuple[Frechet, ...]


def frechet_error(other: Moments, features: Tensor, *, moments: Moments | None = None) -> float | None:
    """Standard error of a Fréchet distance over other draws of one side's examples, the other side as it is.

    No resampling and no second distance: the distance is differentiated by one side's moments (delta method).
    An example x with centred features c changes it by

        φ(x) = 2 c·(μ − ν) + c·c − c·G c − mean,   G = F (Fᵀ Σ F)^−½ Fᵀ,   F Fᵀ = the other side's covariance,

    so that Var φ/n is the variance in first order; nothing in it takes features for Gaussian.  Where both
    sides are near each other φ vanishes and what is left is of second order, V (see `second_order`).  φ at
    estimated moments then has 2 V too much: the variance is max(Var φ/n − 2 V, 0) + V.

    For the error over draws of both sides call it for each and add squares.

    Args:
        other: moments of the side that is kept.
        features: (N, F) of the side that is drawn again.
        moments: those of `features`, where they are known already.

    Returns:
        In squared units of the features; None where N ≤ F, as the distance has no derivative there.
    """
    variances = _variances(other, features, moments or Moments.of(features))
    return None if variances is None else math.sqrt(sum(variances))


def second_order(covariance: Tensor, roots: Tensor, count: int) -> float:
    """Variance that a Fréchet distance has of second order in 1/n, for Gaussian features.

    2 Tr Σ²/n² of the means and Σ_ij w_ij² + Σ_i w_ii², w_ij = s_i s_j/(n (s_i + s_j)), of the covariances:
    the variance of the form whose mean is `finite_sample_bias`.

    Args:
        covariance: (F, F) of the side that is drawn.
        roots: (R,) s, √eig(Σ₁ Σ₂).
        count: n of that side.
    """
    return pair_sum(roots / count, 2) + 2 * float((covariance / count).square().sum())


def _variances(other: Moments, features: Tensor, mine: Moments) -> tuple[float, float] | None:
    """Of first and of second order; None where there are no more examples than features."""
    if mine.count <= mine.dim:
        return None
    covariance, target = mine.covariance, other.covariance.to(mine.mean.device)
    scales = [float(each.diagonal().mean()) for each in (covariance, target)]
    transport, roots = covariance.new_zeros(mine.dim, 0), covariance.new_zeros(0)
    if min(scales) > 0:
        root = factor_of(target / scales[1])  # F
        values, vectors = torch.linalg.eigh(root.T @ (covariance / scales[0]) @ root)
        # where one side has no variance, neither have its draws; W is of numbers of about 1
        kept = values > EPS * mine.dim * values[-1].clamp(min=1)
        unit = math.sqrt(math.sqrt(scales[1]) / math.sqrt(scales[0]))
        transport = (root @ vectors[:, kept]) * (values[kept] ** -0.25 * unit)  # P with P Pᵀ = G
        roots = values[kept].sqrt() * math.sqrt(scales[0]) * math.sqrt(scales[1])
    shift = 2 * (mine.mean - other.mean.to(mine.mean.device))
    influences = []
    for block in features.split(ROWS):
        c = block.detach().to(mine.mean) - mine.mean
        influences.append(c @ shift + c.square().sum(1) - (c @ transport).square().sum(1))
    plug_in = float(torch.cat(influences).var()) / mine.count
    second = second_order(covariance, roots, mine.count)
    return max(plug_in - 2 * second, 0.0), second


def frechet_infinity(
    real: Moments, fake: Tensor, *, generator: torch.Generator, most: int = 5
) -> FrechetInfinity:
    """Intercept of a line through Fréchet distances over 1/samples; Chong and Forsyth (2020), section 4.

    The paper draws 15 overlapping subsets.  Here the samples are cut into m disjoint parts for m = 1, 2, …,
    and the mean over the parts is the point at N/m: 15 distances as well, but each point uses every sample
    once, so that in first order the intercept has the variance of the distance of all.

    Parts have at least twice as many samples as there are features; below that the distance bends away from
    the line.  It does so a little above, too: the intercept of Gaussians is too low by up to 5 % of the bias
    that is removed.  The real side is as it is: its own bias (Tr Σ + K)/n stays, see `finite_sample_bias`.

    Args:
        real: moments of real features.
        fake: (N, F) features of samples, N ≥ 4 F.
        generator: on the CPU, that says which sample goes into which part.
        most: m of the smallest parts, at least 2.

    Raises:
        ValueError: too few samples for two points.
    """
    most = min(most, len(fake) // (2 * real.dim))
    if most < 2:
        raise ValueError(
            f"a line needs at least {4 * real.dim} samples for {real.dim} features, and 2 points, "
            f"not {len(fake)} and {most}; give more samples"
        )
    inverse, distances = _points(real, fake, most, generator)
    x, y = torch.tensor([inverse, distances], dtype=torch.float64)
    centred = x - x.mean()
    weights = 1 / most - x.mean() * centred / centred.square().sum()  # of the points in the intercept
    value = float(weights @ y)
    first, second = _variances(real, fake, Moments.of(fake)) or (0.0, 0.0)  # not None: samples are many
    # pairs of samples that share a part count m-fold; parts of different m are drawn independently
    growth = 1 + float((weights.square() * torch.arange(most)).sum())
    error = math.sqrt(first + second * growth)
    interval = (value - NORMAL_95 * error, value + NORMAL_95 * error)
    sizes = tuple(len(fake) // parts for parts in range(1, most + 1))
    return FrechetInfinity(value, error, interval, sizes, tuple(distances))


def _points(
    real: Moments, fake: Tensor, most: int, generator: torch.Generator
) -> tuple[list[float], list[float]]:
    """Mean of 1/samples and mean distance over 1, 2, … `most` disjoint parts."""
    inverse, distances = [], []
    for parts in range(1, most + 1):
        order = torch.randperm(len(fake), generator=generator).to(fake.device)
        split = [fake[rows] for rows in order.tensor_split(parts)]
        inverse.append(sum(1 / len(part) for part in split) / parts)
        distances.append(sum(frechet(real, Moments.of(part)).value for part in split) / parts)
    return inverse, distances


def intra_class(real: Tensor, real_labels: Tensor, fake: Tensor, fake_labels: Tensor) -> IntraClass:
    """Mean over classes of the Fréchet distance within a class; Miyato and Koyama (2018), section 4.

    One class is in memory besides the features.  A class of n examples has the bias of n; see `of_each`.

    Args:
        real: (N, F) features.
        real_labels: (N,) whole numbers; each that occurs is a class.
        fake: (M, F) features of samples.
        fake_labels: (M,) the classes they were asked to be of.

    Raises:
        ValueError: labels that don't match, or a class with fewer than 2 examples on a side.
    """
    if len(real) != len(real_labels) or len(fake) != len(fake_labels) or len(real) == 0:
        raise ValueError(
            f"each example needs its label: there are {len(real)} real ones and {len(real_labels)} labels, "
            f"{len(fake)} fake ones and {len(fake_labels)} labels"
        )
    found, errors = [], []
    classes = real_labels.unique().tolist()
    for label in classes:
        sides = [x[(y == label).to(x.device)] for x, y in ((real, real_labels), (fake, fake_labels))]
        if min(len(side) for side in sides) < 2:
            raise ValueError(
                f"class {label} has {len(sides[0])} real and {len(sides[1])} fake examples, and a covariance "
                "needs at least 2; give more of them"
            )
        against, mine = (Moments.of(side) for side in sides)
        found.append(frechet(against, mine))
        errors.append(frechet_error(against, sides[1], moments=mine))
    known = [error for error in errors if error is not None]
    error = math.hypot(*known) / len(found) if len(known) == len(found) else None
    return IntraClass(sum(one.value for one in found) / len(found), error, tuple(classes), tuple(found))
