"""Which parts of the data samples reach, and in which shares: histograms over clusters of training data."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

from .diversity import distances


class Clusters(NamedTuple):
    """A partition of space by the nearest centre.

    Args:
        centres: (K, d).
        radius: an example farther from its centre does not count as reaching it; infinite for no limit.
    """

    centres: Tensor
    radius: float = math.inf

    def to(self, device: torch.device) -> Clusters:
        """The same on another device."""
        return Clusters(self.centres.to(device), self.radius)


class Histogram(NamedTuple):
    """Examples over clusters.

    Args:
        nearest: (K,) int64, examples whose nearest centre it is.
        reached: (K,) int64, those of them within the radius.
    """

    nearest: Tensor
    reached: Tensor


class Imbalance(NamedTuple):
    """How different two histograms over the same clusters are.

    Args:
        total_variation: ½ Σ |a_k − b_k|, 0 … 1.
        noise: what it would be on average if both were drawn from one distribution.
    """

    total_variation: float
    noise: float


def k_means(x: Tensor, k: int, *, generator: torch.Generator, iterations: int = 15) -> Tensor:
    """Centres of k clusters, (at most k, d): Lloyd (1982) from seeds by Arthur and Vassilvitskii (2007).

    Args:
        x: (N, ...) examples on the CPU.
        k: clusters; fewer come out where there are fewer different examples.
        generator: on the CPU, that draws the seeds.
        iterations: at most; it stops where no example changes its cluster.
    """
    flat = x.flatten(1).float()
    centres = _seeds(flat, k, generator)
    assigned = torch.full((len(flat),), -1)
    for _ in range(iterations):
        # |x|² is the same for every centre, so it can't change which is nearest
        nearest = torch.addmm(centres.square().sum(1), flat, centres.T, alpha=-2).argmin(1)
        if torch.equal(nearest, assigned):
            break
        assigned = nearest
        counts = torch.bincount(assigned, minlength=len(centres))
        sums = torch.zeros_like(centres).index_add_(0, assigned, flat)
        filled = counts > 0
        centres[filled] = sums[filled] / counts[filled, None]
    return centres


def _seeds(flat: Tensor, k: int, generator: torch.Generator) -> Tensor:
    """Examples drawn in proportion to the squared distance from those drawn before, (at most k, d)."""
    chosen = [int(torch.randint(len(flat), (1,), generator=generator))]
    squared = (flat - flat[chosen[0]]).square().sum(1).double()
    while len(chosen) < k and float(squared.sum()) > 0:
        chosen.append(int(torch.multinomial(squared, 1, generator=generator)))
        squared = torch.minimum(squared, (flat - flat[chosen[-1]]).square().sum(1))
    return flat[chosen].clone()


def histogram(x: Tensor, clusters: Clusters) -> Histogram:
    """How many examples each cluster has.

    Args:
        x: (N, ...).
        clusters: K of them.
    """
    distance, nearest = distances(x, clusters.centres).min(1)
    within, k = nearest[distance <= clusters.radius], len(clusters.centres)
    return Histogram(torch.bincount(nearest, minlength=k), torch.bincount(within, minlength=k))


def coverage(samples: Histogram, real: Histogram) -> float | None:
    """Of the clusters that real examples reach, the share that samples reach; None where they reach none.

    Args:
        samples: of generated examples.
        real: of about as many real ones.
    """
    there = real.reached > 0
    return float((samples.reached[there] > 0).double().mean()) if bool(there.any()) else None


def imbalance(samples: Histogram, real: Histogram) -> Imbalance:
    """Total variation between the shares of two histograms, and what sampling noise alone would give.

    The noise is Σ_k √(p_k (1 − p_k)(1/n + 1/m) / 2π), half the mean of |N(0, s_k²)|, p from both together.

    Args:
        samples: of n generated examples, at least 1.
        real: of m real ones, at least 1.
    """
    a, b = samples.nearest.double(), real.nearest.double()
    n, m = a.sum(), b.sum()
    difference = float((a / n - b / m).abs().sum() / 2)
    p = (a + b) / (n + m)
    noise = float((p * (1 - p) * (1 / n + 1 / m) / (2 * math.pi)).sqrt().sum())
    return Imbalance(difference, noise)
