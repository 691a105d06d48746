"""The 1-nearest-neighbour two-sample test: can a neighbour tell whose an example is?"""

from __future__ import annotations

import math
from statistics import NormalDist
from typing import NamedTuple

import torch
from torch import Tensor

from .pairwise import Points, as_points, tiles


class TwoSample(NamedTuple):
    """Leave-one-out accuracy of a 1-nearest-neighbour classifier of real against fake, and what chance gives.

    Args:
        accuracy: share of all examples whose nearest other one is of their own kind; near 1/2 for equal
            distributions, 1 for distributions far apart, below 1/2 for copies.
        real: the same of real examples; below `fake` where fakes stay in dense places.
        fake: of fakes; near 1 with `real` near 0 or 1/2 where modes are missing.
        expected: the accuracy's mean for equal distributions, (n − 1)/(2n − 1).
        deviation: its standard deviation then, for the neighbours that these examples have.
        z: (accuracy − expected)/deviation.
        p: probability of so high an accuracy for equal distributions, one-sided.
        p_copies: probability of so low a one: examples that avoid their own kind are copies of the other.
    """

    accuracy: float
    real: float
    fake: float
    expected: float
    deviation: float
    z: float
    p: float
    p_copies: float


def two_sample_test(real: Tensor, fake: Tensor, *, generator: torch.Generator | None = None) -> TwoSample:
    """Leave-one-out 1-NN test of Lopez-Paz and Oquab (2017), as Xu et al. (2018) read it on GANs.

    p is of the permutation distribution, whose mean and variance are exact, taken as normal: where real and
    fake are equally distributed, who is which is exchangeable, while who is whose neighbour stays.  The
    answers of neighbours depend on each other (two examples are often each other's neighbours), so that the
    binomial variance 1/8n would be too small.

    Args:
        real: (n, …) features.
        fake: (n, …) of the same extractor: as many, since the larger class has more neighbours to offer.
        generator: on the CPU; it draws which one of several examples equally near is the neighbour, and
            changes nothing where there are none.  None for one of seed 0.

    Raises:
        ValueError: the numbers differ, or there are fewer than 2 of each.
    """
    n = len(real)
    if n != len(fake) or n < 2:
        raise ValueError(
            f"{n} real and {len(fake)} fake examples are no fair test; give as many of both, at least 2"
        )
    generator = torch.Generator().manual_seed(0) if generator is None else generator
    order = torch.randperm(2 * n, generator=generator)
    both = [as_points(x, name) for x, name in ((real, "real"), (fake, "fake"))]
    joined = Points(*(torch.cat([a, b.to(a)])[order.to(a.device)] for a, b in zip(*both, strict=True)))
    nearest = nearest_others(joined).cpu()
    is_real = order < n
    own = is_real == is_real[nearest]
    accuracy = float(own.double().mean())
    expected, deviation = _null(nearest)
    z = (accuracy - expected) / deviation if deviation > 0 else 0.0
    of_real, of_fake = float(own[is_real].double().mean()), float(own[~is_real].double().mean())
    normal = NormalDist()
    return TwoSample(accuracy, of_real, of_fake, expected, deviation, z, normal.cdf(-z), normal.cdf(z))


def nearest_others(x: Points) -> Tensor:
    """Position of each point's nearest other point, (N,) int64; of those equally near the next after its own.

    Next in a circle, the first point following the last: so examples that are all equal have different
    neighbours, and not all of them the first one.

    Args:
        x: N points, at least 2.
    """
    total, device = len(x.values), x.values.device
    least = torch.full((total,), math.inf, dtype=torch.float64, device=device)
    ahead = torch.full(
        (total,), total, dtype=torch.int32, device=device
    )  # places from a point to its neighbour
    places = torch.arange(total, dtype=torch.int32, device=device)
    for rows, columns, distance in tiles(x):
        sides = [(rows, columns, distance)]
        if rows != columns:
            sides.append((columns, rows, distance.T))
        for part, others, matrix in sides:
            value = matrix.amin(1)
            steps = (places[others] - places[part, None]) % total
            step = torch.where(matrix == value[:, None], steps, total).amin(1)
            nearer = (value < least[part]) | (value == least[part]) & (step < ahead[part])
            least[part] = torch.where(nearer, value, least[part])
            ahead[part] = torch.where(nearer, step, ahead[part])
    return (places.long() + ahead) % total


def _null(nearest: Tensor) -> tuple[float, float]:
    """Mean and standard deviation of the accuracy over all ways to call half of the examples real.

    The number of own-kind neighbours is T = Σ s_ij [i and j of one kind] over pairs, s_ij of them the arrows
    between i and j.  E T² sums over two arrows, on one pair, on three or on four examples, P that all are
    pairwise of one kind being p2, p3 and p4; Schilling (1986) and Henze (1988) count alike.
    """
    total = len(nearest)
    n = total // 2
    mutual = int((nearest[nearest] == torch.arange(total)).sum()) // 2  # pairs with two arrows
    squares = total + 2 * mutual  # Σ s², Σ s being the number of arrows
    arrows = 1 + torch.bincount(nearest, minlength=total).double()  # at each example, out and in
    touching = float(arrows.square().sum())
    same = (n - 1) / (total - 1)
    # two arrows with one example in common: three of one kind
    three = (n - 1) * (n - 2) / ((total - 1) * (total - 2))
    # two arrows without one: both within a kind, the same one or not
    four = same * ((n - 2) * (n - 3) + n * (n - 1)) / ((total - 2) * (total - 3)) if total > 3 else 0.0
    second = same * squares + three * (touching - 2 * squares) + four * (total**2 - touching + squares)
    variance = second / total**2 - same**2
    return same, math.sqrt(max(0.0, variance))
