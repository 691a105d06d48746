"""What an audit looks at: real examples and generated samples, each in parts that never meet."""

from __future__ import annotations

import time
from typing import NamedTuple, Protocol

import numpy as np
import torch
from torch import Tensor

from ..data.dataset import Array, Dataset
from ..data.loader import to_range
from ..errors import ConfigError, RunError
from ..sampling import as_uint8
from .gauge import require_examples
from .probe import Pairs

FIRST_SEED = 2**31  # of an audit's samples: far from those that people draw to look at
MOST_FITTED = 50_000  # examples of either kind
LEAST_FITTED = 8_000  # samples: they are free, and D over-fits to what is few
MOST_JUDGED = 10_000  # real examples to choose on, and twice as many samples
MOST_MEASURED = 50_000  # real examples, and twice as many samples
MOST_VALUES = 40_000_000  # of all samples together: 160 MB
DRAWING = 0.25  # share of the time in which samples are drawn
CHUNK = 1024


class Source(Protocol):
    """What is audited, a `Sampler` for one: independent samples by seed."""

    @property
    def sample_shape(self) -> tuple[int, ...]:
        """Of one sample."""

    @property
    def value_range(self) -> tuple[float, float] | None:
        """Of the samples, or None."""

    @property
    def class_names(self) -> tuple[str, ...]:
        """Empty where there are no labels."""

    def __call__(self, seeds: range, labels: list[int] | None = None, /) -> Array:
        """float32 (N, *sample_shape)."""


class Evidence(NamedTuple):
    """float32 (N, *shape), real and fake; no example and no sample stands in two of these.

    Args:
        train: to fit discriminators on, real examples of the training split.
        held_out: likewise, of real examples that the generator was not trained on: a generator that has
            memorised the training split can't be told from it.
        judged: to choose among discriminators; held out.
        measured: looked at once, for the bound; held out.
        split: where the measured examples come from, in words.
    """

    train: Pairs
    held_out: Pairs
    judged: Pairs
    measured: Pairs
    split: str


def gather(source: Source, dataset: Dataset, *, needed: int, seconds: float, seed: int = 0) -> Evidence:
    """Divide the data, and draw samples for each part.

    With a test split that is what is measured, and one half each of the validation split serves to fit and to
    choose; else one half of the validation split is measured and a quarter each serves for those.

    Args:
        source: the generator.
        dataset: what to compare it with.
        needed: the fewest real examples with which anything can be proved.
        seconds: for all of the audit; a quarter may be used here.
        seed: of the division and of the labels.

    Raises:
        ConfigError: samples and data differ in shape or range.
        DataError: too few examples are held out.
        RunError: the generator is too slow, or makes values that are no finite numbers.
    """
    check_alike(source, dataset)
    random = np.random.default_rng(seed)
    held_out = dataset.validation.x[random.permutation(len(dataset.validation.x))]
    if dataset.test is not None:
        cut, measured, split = len(held_out) // 2, dataset.test.x, "test examples"
        measured = measured[random.permutation(len(measured))]
    else:
        cut, split = len(held_out) // 4, "validation examples that were kept for it"
        held_out, measured = np.split(held_out, [2 * cut])
    measured = measured[:MOST_MEASURED]
    require_examples(len(measured), needed=needed, what=split)
    require_examples(cut, needed=needed, what="validation examples to choose a discriminator on")
    train = dataset.train.x[random.permutation(len(dataset.train.x))[:MOST_FITTED]]
    parts = [train, held_out[:cut], held_out[cut:][:MOST_JUDGED], measured]
    reals = [to_range(torch.from_numpy(np.ascontiguousarray(x)), dataset.value_range) for x in parts]
    wanted = [max(LEAST_FITTED, len(train)), max(LEAST_FITTED, cut), *(2 * len(x) for x in parts[2:])]
    fakes = _drawn(source, dataset, wanted, seconds * DRAWING, random, needed)
    pairs = [Pairs(real, fake) for real, fake in zip(reals, fakes, strict=True)]
    return Evidence(pairs[0], pairs[1], pairs[2], pairs[3], split)


def check_alike(source: Source, dataset: Dataset) -> None:
    """Refuse to compare what can't be compared.

    Raises:
        ConfigError: samples and data differ in shape or range.
    """
    if source.sample_shape != dataset.sample_shape:
        shapes = f"samples of shape {source.sample_shape}, {dataset.name} examples of {dataset.sample_shape}"
        raise ConfigError(f"the generator makes {shapes}; audit it on the data it was trained on")
    if source.value_range != dataset.value_range:
        ranges = f"values in {source.value_range}, {dataset.name} has {dataset.value_range}"
        raise ConfigError(f"the generator makes {ranges}; open the data with the generator's value_range")


def _drawn(
    source: Source,
    dataset: Dataset,
    wanted: list[int],
    seconds: float,
    random: np.random.Generator,
    needed: int,
) -> list[Tensor]:
    """Samples for each part, fewer of each where time or memory would run out."""
    values = max(1, int(np.prod(source.sample_shape)))
    total = min(sum(wanted), MOST_VALUES // values)
    began, chunks, count = time.perf_counter(), list[Tensor](), 0
    while count < total and (time.perf_counter() - began < seconds or not chunks):
        size = min(CHUNK, total - count)
        chunks.append(_chunk(source, dataset, FIRST_SEED + count, size, random))
        count += size
    samples = torch.cat(chunks)
    sizes = [max(1, size * count // sum(wanted)) for size in wanted]
    if min(sizes) < needed:
        raise RunError(f"only {count:,} samples were drawn in {seconds:.2g} s; give the audit more --minutes")
    return list(samples[: sum(sizes)].split(sizes))


def _chunk(source: Source, dataset: Dataset, first: int, size: int, random: np.random.Generator) -> Tensor:
    """float32 (size, *shape), with labels distributed as those of the training split."""
    seeds, labels = range(first, first + size), None
    if source.class_names and dataset.train.y is not None:
        labels = [int(y) for y in random.choice(dataset.train.y, size)]
    samples = torch.from_numpy(source(seeds, labels) if labels else source(seeds))
    if not bool(samples.isfinite().all()):
        raise RunError("the generator makes values that are no finite numbers; audit an earlier checkpoint")
    if dataset.train.x.dtype != np.uint8 or source.value_range is None:
        return samples
    # As the samples' files hold them.  Else 256 levels against a continuum would be all that a discriminator
    # needs to look at.
    return to_range(torch.from_numpy(as_uint8(samples.numpy(), source.value_range)), source.value_range)
