"""Samples by seed, in blocks that fit the memory, with classes as frequent as in the data."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from ..data.dataset import Array, Dataset
from ..errors import ConfigError, RunError
from ..sampling import CHUNK, SEEDS, Sampler

IN_TURN, AS_IN_THE_DATA = "in turn", "as frequent as in the training data"
BLOCK_BYTES = 64_000_000  # of float32 samples that are drawn at once


def block_size(sample_shape: tuple[int, ...]) -> int:
    """Examples that are held as floats at once: whole forward passes of a `Sampler`."""
    return max(BLOCK_BYTES // (4 * int(np.prod(sample_shape))) // CHUNK, 1) * CHUNK


def drawn(sampler: Sampler, first_seed: int, labels: Tensor | None, start: int, stop: int) -> Iterator[Array]:
    """Samples start … stop − 1 of those from `first_seed` on, in blocks of float32 (n, *sample_shape).

    Args:
        sampler: the generator.
        first_seed: of sample 0.
        labels: (stop,) classes, or None.
        start, stop: of the samples wanted.

    Raises:
        ConfigError: there are not so many seeds.
        RunError: a sample holds a value that is no number.
    """
    refuse_seeds(first_seed, stop)
    size = block_size(sampler.sample_shape)
    for low in range(start, stop, size):
        high = min(low + size, stop)
        chosen = None if labels is None else labels[low:high].tolist()
        x = sampler(range(first_seed + low, first_seed + high), chosen)
        _refuse_no_numbers(x, first_seed + low)
        yield x


def refuse_seeds(first_seed: int, count: int) -> None:
    """`count` samples from that seed on can't be drawn.

    Raises:
        ConfigError: there are not so many seeds.
    """
    if first_seed < 0 or first_seed + count > SEEDS:
        raise ConfigError(
            f"{count:,} samples from seed {first_seed} on need seeds beyond 0 … 2^32 − 1; use fewer "
            "samples or another first seed"
        )


def labels_like(dataset: Dataset, classes: int, first_seed: int, count: int) -> Tensor | None:
    """(N,) int64: those of training examples picked at random; the first ones whatever the count.

    Args:
        dataset: whose classes are as frequent; where it has others, all classes come in turn.
        classes: that the generator knows; 0 for none, and None is returned.
        first_seed: of the samples, which is also what the labels are drawn with.
        count: N.
    """
    y = dataset.train.y
    if not classes:
        return None
    if y is None or labels_come(dataset, classes) == IN_TURN:
        return (torch.arange(count) + first_seed) % classes
    picked = np.random.default_rng(first_seed).random(count)
    return torch.from_numpy(y[(picked * len(y)).astype(np.int64)].astype(np.int64))


def labels_come(dataset: Dataset, classes: int) -> str | None:
    """How `labels_like` takes them, in words; None where the generator knows none."""
    if not classes:
        return None
    return IN_TURN if dataset.train.y is None or dataset.classes != classes else AS_IN_THE_DATA


def _refuse_no_numbers(x: Array, first_seed: int) -> None:
    """Rounded to 256 levels, such samples would get a plausible number."""
    good = np.isfinite(x).reshape(len(x), -1).all(1)
    if not good.all():
        raise RunError(
            f"the sample of seed {first_seed + int(np.argmin(good))} holds values that are no finite "
            f"numbers, as do {int((~good).sum()):,} of the {len(x):,} drawn with it: the generator broke "
            "down in training; evaluate the best one (--generator best), or another run"
        )
