"""What every reader returns: explicit splits of examples, and what is known about them."""

from __future__ import annotations

import functools
import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import ConfigError, DataError
from ..theory import Density

Array = NDArray[Any]


@dataclass(frozen=True, eq=False)
class Files:
    """The files that images came from, where they came from files.

    Args:
        names: split -> name of the file of each example.
        sizes: split -> (height, width) of each original.
        bad: (name, reason) of the files that could not be used.
        options: that they were decoded with, such as size, resize and fit, and by which versions.
    """

    names: Mapping[str, Sequence[str]]
    sizes: Mapping[str, Sequence[tuple[int, int]]]
    bad: Sequence[tuple[str, str]] = ()
    options: Mapping[str, Any] = field(default_factory=dict)


# eq=False here and below: comparing arrays element by element is not what == should mean.
@dataclass(frozen=True, eq=False)
class Split:
    """Examples of one split.

    Args:
        x: (N, *sample_shape); uint8 images (N, C, H, W), or float32 vectors or images.
        y: (N,) int64 class labels, or None.
    """

    x: Array
    y: Array | None = None

    def __len__(self) -> int:
        return len(self.x)


@dataclass(frozen=True, eq=False)
class Dataset:
    """Train, validation and test examples that never overlap.

    Args:
        name: what to call it in titles and file names.
        train: what the players learn from.
        validation: held out from the players; what choices are made on.
        test: looked at once, for the number that is reported; None where there is no such split.
        class_names: names in label order; empty where there are no labels.
        value_range: what x is mapped to before the players see it, for uint8 images `(low, high)`;
            None for data that is used as it is.
        source: where it came from, for the record: a path or a name.
        density: what the examples were drawn from, where that is known exactly.
        premultiplied: whether images of 4 channels hold colours multiplied by alpha, and alpha.
        digest: `fingerprint`, where the reader knows it already; "" to compute it when asked for.
        notes: what the user should know of how it was read, such as files left out; one sentence each.
        files: of images that were decoded from files.
        mode_classifier: the extractor that tells modes apart, channel by channel, where modes are classes.
    """

    name: str
    train: Split
    validation: Split
    test: Split | None
    class_names: tuple[str, ...] = ()
    value_range: tuple[float, float] | None = (-1.0, 1.0)
    source: str = ""
    density: Density | None = None
    premultiplied: bool = False
    digest: str = ""
    notes: tuple[str, ...] = ()
    files: Files | None = None
    mode_classifier: str | None = None

    @property
    def sample_shape(self) -> tuple[int, ...]:
        """(C, H, W) of an image, (features,) of a vector."""
        return tuple(self.train.x.shape[1:])

    @property
    def classes(self) -> int:
        """How many classes; 0 without labels."""
        return len(self.class_names)

    @functools.cached_property
    def fingerprint(self) -> str:
        """SHA-256 of every split's shape, type and content, first 16 hexadecimal digits."""
        if self.digest:
            return self.digest
        digest = hashlib.sha256()
        for split in (self.train, self.validation, self.test):
            for part in (split.x, split.y) if split else ():
                if part is not None:
                    digest.update(f"{part.shape}{part.dtype.str}".encode())
                    digest.update(np.ascontiguousarray(part).data)
        return digest.hexdigest()[:16]

    @property
    def splits(self) -> dict[str, Split]:
        """The splits there are, by name, in the order train, validation, test."""
        found = {"train": self.train, "validation": self.validation, "test": self.test}
        return {name: split for name, split in found.items() if split is not None}

    def split(self, name: str) -> Split:
        """The split of that name.

        Raises:
            DataError: there is no such split.
        """
        if name not in self.splits:
            raise DataError(f"{self.name} has no split {name!r}; use one of: {', '.join(self.splits)}")
        return self.splits[name]


def refuse_other(dataset: Dataset, fingerprint: str | None, checkpoint: object) -> None:
    """Refuse to go on with other examples than the checkpoint's: held-out ones might have been trained on.

    Args:
        dataset: as it is now.
        fingerprint: of the data when the checkpoint was saved; None where that is not known.
        checkpoint: its name, for the message.

    Raises:
        DataError: they differ.
    """
    if fingerprint not in (None, dataset.fingerprint):
        raise DataError(
            f"{dataset.source or dataset.name} has changed since {checkpoint} was saved (fingerprint "
            f"{fingerprint} then, {dataset.fingerprint} now); put the data back, or start a new run on them"
        )


def pair(value_range: Sequence[float] | None) -> tuple[float, float] | None:
    """`value_range` as a tuple of two floats, or None.

    Raises:
        ConfigError: it is not two finite numbers with low < high.
    """
    if value_range is None:
        return None
    try:
        low, high = (float(value) for value in value_range)
    except (TypeError, ValueError):
        low = high = math.nan
    if not (math.isfinite(low) and math.isfinite(high) and low < high):
        raise ConfigError(
            f"value_range {value_range!r} is not a pair [low, high] with low < high; use [-1, 1]"
        )
    return low, high


def shuffled_splits(
    x: Array, y: Array | None, *, validation: float, test: float, seed: int
) -> tuple[Split, Split, Split | None]:
    """Split examples at random into train, validation and test; the same seed gives the same splits.

    Args:
        x: (N, ...).
        y: (N,) or None.
        validation: fraction of N, above 0.
        test: fraction of N; 0 for no test split.

    Raises:
        ConfigError: the fractions or the seed are out of range, or leave a split without examples.
    """
    if not (0 < validation < 1 and 0 <= test < 1 and validation + test < 1):
        raise ConfigError(
            f"validation={validation} and test={test} must be fractions, the first above 0, the sum below 1; "
            "use validation=0.1, test=0.1"
        )
    if seed < 0:
        raise ConfigError(f"seed={seed} is negative; use 0 or more")
    sizes = round(len(x) * validation), round(len(x) * test)
    count = len(x) - sum(sizes)
    if count < 1 or sizes[0] < 1 or (test > 0 and sizes[1] < 1):
        raise ConfigError(
            f"{len(x)} examples split into {count} train, {sizes[0]} validation and {sizes[1]} test; "
            "change validation= and test= so that each has at least one"
        )
    order = np.random.default_rng(seed).permutation(len(x))
    parts = np.split(order, [count, count + sizes[0]])
    train, held_out, last = (Split(x[part], None if y is None else y[part]) for part in parts)
    return train, held_out, last if test > 0 else None
