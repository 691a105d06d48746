"""What samples look like beside as many held-out examples: spread, duplicates, coverage, distance."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from ..data.dataset import Dataset
from ..data.distributions import counted_modes
from ..data.loader import to_range
from ..metrics.clusters import Clusters, Histogram, coverage, histogram, imbalance, k_means
from ..metrics.diversity import (
    distances,
    duplicate_threshold,
    energy_distance,
    energy_of_splits,
    mean_pair,
    near_duplicates,
    pairs,
    support_size,
)

CLUSTERED = 4_096  # training examples that the clusters are fitted to
CLUSTERS = 20
LEAST_PAIRS = 100  # of equal label, below which labels are ignored
SPLITS = 200  # of real examples, for what the energy distance is by chance
CHANCE = 0.95


@dataclass(frozen=True, eq=False)
class Reference:
    """Held-out examples, with all that needs no samples.

    Args:
        x: (N, *sample_shape) in the players' range.
        labels: (N,) where diversity is measured within classes, else None.
        within: (N, N) distances.
        spread: mean distance of two examples, the unit of all energy distances.
        median: median distance of two examples, of one class where there are labels; 0 where most are equal.
        threshold: below which two examples are near-duplicates; 0 where the data repeats itself.
        clusters: of the training data.
        histogram: of the examples over the clusters.
        constants: signals that do not change, by name.
    """

    x: Tensor
    labels: Tensor | None
    within: Tensor
    spread: float
    median: float
    threshold: float
    clusters: Clusters
    histogram: Histogram
    constants: dict[str, float]


def reference(dataset: Dataset, x: Tensor, y: Tensor | None, *, seed: int) -> Reference | None:
    """Prepare held-out examples for comparison; None where all of them are equal.

    Args:
        dataset: its training split is what clusters are fitted to.
        x: (N, *sample_shape) held-out examples in the players' range.
        y: (N,) labels, or None where the players see none.
        seed: of the examples that are looked at, the clusters and the splits.
    """
    random = torch.Generator().manual_seed(seed)
    within = distances(x)
    spread = mean_pair(within)
    if not spread > 0:
        return None
    labels = None if y is None else y.to(within.device)
    if labels is not None and len(pairs(within, labels)) < LEAST_PAIRS:
        labels = None
    order = torch.randperm(len(dataset.train), generator=random)[:CLUSTERED].sort().values.numpy()
    train = to_range(torch.from_numpy(dataset.train.x[order]), dataset.value_range)
    train_y = None if dataset.train.y is None else torch.from_numpy(dataset.train.y[order])
    clusters = clusters_of(dataset, train, train_y, random).to(x.device)
    threshold = duplicate_threshold(within)
    constants = {"signal/energy_floor": _floor(x, train, spread, random)}
    if threshold > 0:
        constants["signal/duplicates_floor"] = near_duplicates(within, threshold)
    return Reference(
        x=x,
        labels=labels,
        within=within,
        spread=spread,
        median=float(pairs(within, labels).median()),
        threshold=threshold,
        clusters=clusters,
        histogram=histogram(x, clusters),
        constants=constants,
    )


def clusters_of(dataset: Dataset, train: Tensor, y: Tensor | None, random: torch.Generator) -> Clusters:
    """The modes of a known mixture, with the radius of PacGAN's protocol; else k-means, within each class.

    Three standard deviations hold 98.9 % of a mode in two dimensions; in more, the radius grows with √d.

    Args:
        dataset: for its density and class names.
        train: (N, *sample_shape) training examples.
        y: (N,) their labels, or None.
        random: that draws the seeds.
    """
    mixture = counted_modes(dataset.density)
    if mixture is not None:
        return Clusters(mixture.modes, 3 * mixture.std * math.sqrt(max(1.0, mixture.dimension / 2)))
    k = max(1, min(CLUSTERS, len(train) // 10))
    parts = [train] if y is None else [part for c in y.unique() if len(part := train[y == c])]
    if len(parts) > k:
        parts = [train]
    return Clusters(torch.cat([k_means(part, k // len(parts), generator=random) for part in parts]))


def portrait(samples: Tensor, real: Reference, within: Tensor, *, suffix: str = "") -> dict[str, float]:
    """Diversity, near-duplicates, support size, coverage, balance and energy distance, by name.

    Args:
        samples: (N, *sample_shape), as many as held-out examples, with their labels if players see labels.
        real: held-out examples.
        within: (N, N) distances of the samples.
        suffix: of the names.
    """
    line = {"energy": energy_distance(distances(samples, real.x), within, real.within) / real.spread}
    if real.median > 0:
        line["diversity"] = float(pairs(within, real.labels).median()) / real.median
    if real.threshold > 0:
        line["duplicates"] = near_duplicates(within, real.threshold)
        line["support"] = support_size(within, real.threshold)
    found = histogram(samples, real.clusters)
    covered = coverage(found, real.histogram)
    if covered is not None:
        line["coverage"] = covered
    shares = imbalance(found, real.histogram)
    line["balance"] = max(0.0, shares.total_variation - shares.noise)
    return {f"signal/{name}{suffix}": value for name, value in line.items()}


def energy_between(x: Tensor, y: Tensor, within: Tensor) -> float:
    """Energy distance of two sets of samples, in units of the data.

    Args:
        x: (N, *sample_shape), drawn independently of y.
        y: (M, *sample_shape).
        within: (M, M) distances of y.
    """
    return energy_distance(distances(x, y), distances(x), within)


def _floor(x: Tensor, train: Tensor, spread: float, random: torch.Generator) -> float:
    """What the energy distance of two sets of real examples stays below 95 times in 100."""
    n = min(len(x), len(train))
    both = torch.cat([x[:n], train[:n].to(x.device)])
    found = energy_of_splits(distances(both), n, splits=SPLITS, generator=random)
    return float(found.quantile(CHANCE)) / spread
