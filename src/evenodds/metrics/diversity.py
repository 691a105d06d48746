"""How far samples are from the data and from each other: energy distance, near-duplicates, support size.

All of it is read off matrices of Euclidean distances, so that one matrix serves many numbers.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor


def distances(x: Tensor, y: Tensor | None = None) -> Tensor:
    """‖x_i − y_j‖ for every pair, (N, M) float64.

    By a matrix product, in float64 because in float32 it can't tell near-duplicates from copies; the error is
    below 1e-7 of the largest norm.

    Args:
        x: (N, ...) of any shape and type.
        y: (M, ...) of the same; None for x itself, whose diagonal is then exactly 0.
    """
    device = torch.device("cpu") if x.device.type == "mps" else x.device  # Apple's GPUs don't have float64
    a = x.detach().flatten(1).to(device, torch.float64)
    b = a if y is None else y.detach().flatten(1).to(device, torch.float64)
    squared = torch.addmm(b.square().sum(1), a, b.T, alpha=-2).add_(a.square().sum(1, keepdim=True))
    result = squared.clamp_min_(0).sqrt_()
    return result.fill_diagonal_(0) if y is None else result


def pairs(within: Tensor, labels: Tensor | None = None) -> Tensor:
    """The N(N − 1)/2 distances of different examples, or those of examples with equal labels only, (P,).

    Args:
        within: (N, N) distances.
        labels: (N,) or None.
    """
    rows, columns = torch.triu_indices(len(within), len(within), 1, device=within.device)
    if labels is not None:
        same = labels[rows] == labels[columns]
        rows, columns = rows[same], columns[same]
    return within[rows, columns]


def energy_distance(between: Tensor, first: Tensor, second: Tensor) -> float:
    """2 E‖X − Y‖ − E‖X − X'‖ − E‖Y − Y'‖, 0 only for equal distributions; Székely and Rizzo (2013), Eq. 5.

    The unbiased estimate: 0 on average where the distributions are equal, so it can be negative.

    Args:
        between: (N, M) distances of x and y, in units of the data; so is the result.
        first: (N, N) distances within x.
        second: (M, M) distances within y.
    """
    return float(2 * between.mean() - mean_pair(first) - mean_pair(second))


def mean_pair(within: Tensor) -> float:
    """Mean distance of two different examples.

    Args:
        within: (N, N) distances, 0 on the diagonal; N at least 2.

    Raises:
        ValueError: there are no two examples.
    """
    n = len(within)
    if n < 2:
        raise ValueError(f"{n} examples have no distance from each other; give at least 2")
    return float(within.sum()) / (n * (n - 1))


def energy_of_splits(within: Tensor, n: int, *, splits: int, generator: torch.Generator) -> Tensor:
    """Energy distances of random splits of one set, (splits,): what equal distributions give by chance.

    Args:
        within: (P, P) distances of all examples together.
        n: size of the first part, 2 … P − 2.
        splits: how many.
        generator: on the CPU, that draws them.
    """
    size = len(within)
    order = torch.stack([torch.randperm(size, generator=generator) for _ in range(splits)])
    first = torch.zeros(splits, size, dtype=within.dtype).scatter_(1, order[:, :n], 1.0).to(within.device)
    second, m = 1 - first, size - n
    between, one, two = (
        (left @ within * right).sum(1) for left, right in ((first, second), (first, first), (second, second))
    )
    return 2 * between / (n * m) - one / (n * (n - 1)) - two / (m * (m - 1))


def nearest_other(within: Tensor) -> Tensor:
    """Distance of each example to its nearest other one, (N,).

    Args:
        within: (N, N) distances.
    """
    return within.clone().fill_diagonal_(math.inf).amin(1)


def duplicate_threshold(within: Tensor, share: float = 0.1) -> float:
    """The distance below which two examples count as near-duplicates, from real examples.

    A `share` of the real examples then has another one that near, among as many.

    Args:
        within: (N, N) distances of real examples.
        share: a quantile of the nearest neighbours' distances.
    """
    return float(nearest_other(within).quantile(share))


def near_duplicates(within: Tensor, threshold: float) -> float:
    """Share of pairs at most `threshold` apart.

    Args:
        within: (N, N) distances.
        threshold: in their units.
    """
    return float((pairs(within) <= threshold).double().mean())


def support_size(within: Tensor, threshold: float) -> float:
    """How many different samples there are, by the birthday paradox; Arora and Zhang (2017).

    Two draws from n equally likely values are equal with probability 1/n, so n ≈ pairs / equal pairs.  From
    a distribution that prefers some values it is 1/Σ p², fewer than there are.  Where no pair is equal, the
    number of pairs is returned: "at least so many".

    Args:
        within: (N, N) distances.
        threshold: below which two samples count as the same.
    """
    apart = pairs(within)
    return len(apart) / max(1.0, float((apart <= threshold).sum()))
