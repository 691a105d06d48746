"""1797 handwritten digits of 8×8 pixels that ship with the package, so that a first run needs no download."""

from __future__ import annotations

import itertools
from pathlib import Path

from .arrays import load_arrays
from .dataset import Dataset, Split, pair

# In the file the splits follow each other; validation and test hold 25 of each class.
TRAIN, VALIDATION = 1297, 250


def load_digits(*, value_range: tuple[float, float] | None = (-1.0, 1.0)) -> Dataset:
    """The UCI digits (Alpaydin and Kaynak 1998, optdigits.tes): 1297 train, 250 validation, 250 test.

    The original counts 0..16 are stored as round(count × 255 / 16); round(x × 16 / 255) gives them back.

    Args:
        value_range: what 0..255 is mapped to for the players; None leaves 0..255.

    Returns:
        uint8 images (N, 1, 8, 8) with labels 0..9.
    """
    arrays = load_arrays(Path(__file__).with_name("digits.npz"))
    images, labels = arrays["images"][:, None], arrays["labels"].astype("int64")
    bounds = (0, TRAIN, TRAIN + VALIDATION, len(images))
    train, validation, test = (
        Split(images[start:stop], labels[start:stop]) for start, stop in itertools.pairwise(bounds)
    )
    return Dataset(
        name="digits",
        train=train,
        validation=validation,
        test=test,
        class_names=tuple("0123456789"),
        value_range=pair(value_range),
        source="UCI optical recognition of handwritten digits (Alpaydin and Kaynak 1998)",
    )
