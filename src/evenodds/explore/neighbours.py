"""Nearest training examples of samples: by their pixels, or by what the discriminator sees in them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from ..data.dataset import Array, Dataset, Split
from ..data.loader import to_range
from ..errors import ConfigError
from .features import Features
from .figures import Cell, Table, heading, need_images, tiles
from .space import Labels, Space

BLOCK = 1_024  # examples in memory at a time, and through D at a time
Map = Callable[[Tensor, Tensor | None], Tensor]  # (B, …), (B,) -> (B, F)


class Neighbours(NamedTuple):
    """Of each of N samples, its k nearest examples, the nearest first.

    Args:
        distances: (N, k): root mean square difference, of pixels on a scale from 0 to 1, or of features.
        indices: (N, k) into the split.
    """

    distances: Array
    indices: Array


@torch.no_grad()
def nearest(
    x: Array,
    split: Split,
    value_range: tuple[float, float] | None,
    k: int,
    *,
    features: Features | None = None,
    labels: Labels = None,
    device: torch.device | str = "cpu",
) -> Neighbours:
    """The k nearest examples of a split, block by block, so that it may be larger than memory.

    Args:
        x: (N, *sample_shape) float, in `value_range`.
        split: uint8 or float examples.
        value_range: that uint8 examples are mapped to.
        k: neighbours of each.
        features: compare these instead of pixels; examples of the split come with their own labels.
        labels: of x, for `features`.
        device: where to compute.

    Raises:
        ConfigError: k is not between 1 and the number of examples.
    """
    if not 1 <= k <= len(split):
        raise ConfigError(f"{k} neighbours can't be found among {len(split):,} examples; ask for fewer")
    y = None if labels is None else torch.tensor(list(labels))
    wanted = _mapped(torch.from_numpy(x).float(), y, features, device)  # (N, F)
    best = torch.full((len(x), k), torch.inf)
    where = torch.zeros(len(x), k, dtype=torch.int64)
    for start in range(0, len(split), BLOCK):
        block = to_range(torch.from_numpy(np.array(split.x[start : start + BLOCK])), value_range)
        own = None if split.y is None else torch.from_numpy(split.y[start : start + BLOCK])
        distances, indices = _nearest_of(wanted, _mapped(block, own, features, device), k)
        both, at = torch.cat([best, distances], 1), torch.cat([where, indices + start], 1)
        order = both.argsort(dim=1, stable=True)[:, :k]  # stable: of equally near ones the first
        best, where = both.gather(1, order), at.gather(1, order)
    scale = wanted.shape[1] ** 0.5 * (unit(value_range) if features is None else 1.0)
    return Neighbours((best / scale).numpy(), where.numpy())


def by_neighbours(
    dataset: Dataset,
    value_range: tuple[float, float] | None,
    *,
    k: int = 5,
    examples: int = 10_000,
    sure: bool = False,
) -> Callable[[Array], Array]:
    """A classifier of samples (N, *sample_shape) -> (N,): the class of most of the k nearest training images.

    Args:
        dataset: with labels.
        value_range: of the samples.
        examples: the first so many are searched.
        sure: give −1 where they are not all of one class.
    """
    labels = dataset.train.y
    assert labels is not None
    split = Split(dataset.train.x[:examples], labels[:examples])

    def classify(x: Array) -> Array:
        votes = labels[nearest(x, split, value_range, min(k, len(split))).indices]  # (N, k)
        found = np.array([np.bincount(row).argmax() for row in votes])
        unanimous = (votes == votes[:, :1]).all(1)
        return np.where(unanimous, found, -1) if sure else found

    return classify


def _nearest_of(x: Tensor, block: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """Distances and positions, (N, k) each, of the nearest in a block (B, F); of all, if they are fewer."""
    rough = torch.cdist(x, block)  # by a matrix product, which loses the digits of small distances
    indices = rough.topk(min(k, len(block)), largest=False).indices
    exact = torch.stack(
        [(one - block[at]).square().sum(1).sqrt() for one, at in zip(x, indices, strict=True)]
    )
    return exact, indices


def unit(value_range: tuple[float, float] | None) -> float:
    """How much of the values' own scale is 1 on a scale from 0 to 1."""
    return 1.0 if value_range is None else value_range[1] - value_range[0]


def _mapped(x: Tensor, y: Tensor | None, features: Features | None, device: torch.device | str) -> Tensor:
    """(B, F) of a block, on the CPU, of at most BLOCK examples at a time."""
    if features is None:
        return x.flatten(1)
    parts = []
    for start in range(0, len(x), BLOCK):
        part = slice(start, start + BLOCK)
        label = None if y is None else y[part].to(device)
        parts.append(features(x[part].to(device), label).float().cpu())
    return torch.cat(parts)


def neighbours_table(
    space: Space,
    seeds: Sequence[int],
    labels: Labels,
    dataset: Dataset,
    *,
    k: int,
    features: Features | None = None,
) -> tuple[Table, Neighbours]:
    """A row for each sample: itself and its nearest training examples, with their distances.

    Args:
        seeds, labels: of the samples.
        dataset: whose training examples are searched.
        k, features: see `nearest`.

    Raises:
        ConfigError: vectors, examples of another shape, or k out of range.
    """
    sampler = space.sampler
    need_images(sampler, "neighbours")
    if dataset.sample_shape != sampler.sample_shape:
        raise ConfigError(
            f"the generator makes samples of shape {sampler.sample_shape} and {dataset.name} has examples of "
            f"{dataset.sample_shape}; give the data it was trained on"
        )
    if labels is None and sampler.class_names:
        labels = [seed % len(sampler.class_names) for seed in seeds]
    x = sampler(seeds, labels)
    found = nearest(
        x, dataset.train, sampler.value_range, k, features=features, labels=labels, device=sampler.device
    )
    cells: list[list[Cell]] = []
    for sample, indices in zip(tiles(sampler, x), found.indices, strict=True):
        cells.append([sample, None, *tiles(sampler, dataset.train.x[indices])])
    words = [["", "", *(f"{distance:.3f}" for distance in row)] for row in found.distances]
    how = "pixels" if features is None else "the discriminator's features"
    text = f"the nearest of {len(dataset.train):,} training images by {how}; root mean square difference"
    table = Table(cells=cells, words=words, title=heading(sampler, text), rows=[f"seed {s}" for s in seeds])
    return table, found
