"""Whether a generator copies its training data: tests on nearest neighbours, with p-values."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import NamedTuple

import torch
from torch import Tensor


class Memorization(NamedTuple):
    """A one-sided test that samples are too near to training data.

    Args:
        z: standard deviations from what no memorization would give; positive towards memorization.
        p: probability of so large a z without memorization.
    """

    z: float
    p: float


def nearest(x: Tensor, blocks: Iterable[Tensor]) -> tuple[Tensor, Tensor]:
    """Distance to the nearest of many examples and its position among them, (N,) float32 and (N,) int64.

    Args:
        x: (N, ...).
        blocks: parts (B, ...) of the examples, in order; one is in memory at a time.
    """
    flat = x.detach().flatten(1).float()
    norms = flat.square().sum(1)
    best = torch.full((len(flat),), math.inf, device=flat.device)
    where = torch.zeros(len(flat), dtype=torch.int64, device=flat.device)
    start = 0
    for block in blocks:
        other = block.flatten(1).to(flat)
        least, index = torch.addmm(other.square().sum(1), flat, other.T, alpha=-2).min(1)
        closer = least < best
        best, where = torch.where(closer, least, best), torch.where(closer, index + start, where)
        start += len(other)
    return (best + norms).clamp_min_(0).sqrt_(), where


def neighbours_in_training(
    to_training: tuple[Tensor, Tensor], to_held_out: tuple[Tensor, Tensor], sizes: tuple[int, int]
) -> Memorization:
    """Are the samples' nearest real examples training examples more often than their number explains?

    Without memorization training and held-out examples are exchangeable, whatever the samples look like:
    blurred samples are as near to the ones as to the others.  The real examples, not the samples, are what is
    permuted, so a collapsed generator, whose samples all have the same neighbour, proves nothing.  Mean and
    variance of the permutation distribution are exact, p is from the normal one.

    Args:
        to_training: what `nearest` says of N samples and all training examples.
        to_held_out: the same for held-out examples.
        sizes: of training and held-out examples.
    """
    (near, which), (far, other) = to_training, to_held_out
    copies = near <= far
    counts = torch.zeros(sum(sizes), dtype=torch.float64)
    owner = torch.where(copies, which, other + sizes[0]).cpu()
    counts.index_add_(0, owner, torch.ones(len(owner), dtype=torch.float64))
    total, share = sum(sizes), sizes[0] / sum(sizes)
    spread = float((counts - counts.mean()).square().sum())
    variance = spread * share * (1 - share) * total / (total - 1)
    return _test(float(copies.sum()) - len(owner) * share, variance)


def nearer_than_held_out(samples: Tensor, held_out: Tensor) -> Memorization:
    """C_T of Meehan, Chaudhuri and Dasgupta (2020), section 4.1, over one cell: a Mann-Whitney test.

    Its sign is turned: here z is positive where samples are nearer to the training data than held-out data
    are.  It also answers to samples that are smoother than the data, which are near to everything.

    Args:
        samples: (N,) distances of samples to their nearest training example.
        held_out: (M,) those of held-out examples.
    """
    n, m = len(samples), len(held_out)
    values = torch.cat([samples, held_out]).double().cpu()
    _, inverse, counts = values.unique(return_inverse=True, return_counts=True)
    ties = counts.double()
    ranks = (ties.cumsum(0) - (ties - 1) / 2)[inverse]  # equal values share the mean of their ranks
    below = n * m + n * (n + 1) / 2 - float(ranks[:n].sum())  # pairs in which the sample is the nearer one
    correction = float((ties**3 - ties).sum()) / ((n + m) * (n + m - 1))
    return _test(below - n * m / 2, n * m / 12 * (n + m + 1 - correction))


def _test(excess: float, variance: float) -> Memorization:
    """z and one-sided p; 0 and 1/2 where nothing can vary."""
    z = excess / math.sqrt(variance) if variance > 0 else 0.0
    return Memorization(z, math.erfc(z / math.sqrt(2)) / 2)  # 1 − Φ(z) has no digits left from z = 9 on
