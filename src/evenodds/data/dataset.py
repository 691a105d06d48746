"""What every reader returns: explicit splits of examples, and what is known about them."""

from __future__ import annotations

import functools
import hashlib
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import DataError

Array = NDArray[Any]


@dataclass(frozen=True)
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


@dataclass(frozen=True)
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
    """

    name: str
    train: Split
    validation: Split
    test: Split | None
    class_names: tuple[str, ...] = ()
    value_range: tuple[float, float] | None = (-1.0, 1.0)
    source: str = ""

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
        digest = hashlib.sha256()
        for split in (self.train, self.validation, self.test):
            for part in (split.x, split.y) if split else ():
                if part is not None:
                    digest.update(f"{part.shape}{part.dtype.str}".encode())
                    digest.update(np.ascontiguousarray(part).data)
        return digest.hexdigest()[:16]

    def split(self, name: str) -> Split:
        """The split of that name.

        Raises:
            DataError: there is no such split.
        """
        found = {"train": self.train, "validation": self.validation, "test": self.test}.get(name)
        if found is None:
            raise DataError(f"{self.name} has no {name} split; use 'train' or 'validation'")
        return found
