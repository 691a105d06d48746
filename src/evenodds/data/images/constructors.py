"""Data sets of image files, as they stand in the table of data sets."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from ...errors import DataError
from ..cifar import is_cifar
from ..dataset import Dataset, pair
from ..formats import cifar_binary
from ..named import cache_folder
from .loading import load_images
from .options import Options

Range = Sequence[float] | None
CIFAR10 = (
    *("cifar10-jpeg.zip", "cifar10.zip", "cifar10"),
    *("cifar-10-binary.tar.gz", "cifar-10-batches-bin"),
)


def images(
    *,
    path: str,
    size: int | list[int] | None = None,
    channels: int | Literal["auto"] = "auto",
    validation: float = 0.1,
    test: float = 0.0,
    labels: str | None = None,
    resize: str = "lanczos",
    fit: str = "crop",
    seed: int = 0,
    strict: bool = False,
    value_range: Range = (-1.0, 1.0),
) -> Dataset:
    """Image files in a folder, zip or tar, decoded and resized once into a cache.

    Folders train, test and val or validation at the top give these splits. Classes are what dataset.json or
    labels.csv say, else one folder per class. Files that can't be used are left out and named in `notes`.

    Args:
        path: the folder, zip or tar.
        size: pixels of a square, or [height, width]; left out, see `images.size.proposed_size`.
        channels: 1 grey, 3 RGB, 4 RGBA with colours multiplied by alpha; auto is what the images need.
        validation: fraction of the training images, where that split is not given.
        test: likewise; 0 for no test split.
        labels: path of a CSV of file names and labels; "folders" or "none"; left out, what is there.
        resize: the filter: lanczos, bicubic, bilinear or box; all average over what they shrink.
        fit: to the wanted aspect ratio: crop, pad or stretch.
        seed: of the order and the splits.
        strict: stop at the first file that can't be used.
        value_range: what 0..255 is mapped to.

    Raises:
        DataError: there are no images, or most of them can't be used.
        ConfigError: an option is out of range.
    """
    ends = pair(value_range)
    chosen = Options(size, channels, validation, test, labels, resize, fit, seed, strict, ends)
    return load_images(path, chosen)


def cifar10(
    *, path: str | None = None, validation: float = 0.1, seed: int = 0, value_range: Range = (-1.0, 1.0)
) -> Dataset:
    """CIFAR-10 (Krizhevsky 2009), 32 × 32 in 10 classes; `path` is a zip or folder of images, or .bin files.

    A tenth of its 50,000 training images, drawn with `seed`, is the validation split.
    """
    path = path or find_archive("cifar10", CIFAR10)
    if is_cifar(Path(path)):
        return cifar_binary(path=path, validation=validation, seed=seed, value_range=value_range)
    return images(path=path, size=32, channels=3, validation=validation, seed=seed, value_range=value_range)


def emoji(
    *,
    path: str | None = None,
    size: int = 64,
    validation: float = 0.1,
    seed: int = 0,
    value_range: Range = (-1.0, 1.0),
) -> Dataset:
    """Noto's emoji of 72 × 72 pixels on nothing (RGBA), without labels; `path` is their zip or folder."""
    path = path or find_archive("emoji", ("noto-emoji-72.zip", "noto-emoji.zip", "emoji.zip", "emoji"))
    return images(path=path, size=size, channels=4, validation=validation, seed=seed, value_range=value_range)


def find_archive(name: str, files: Sequence[str]) -> str:
    """The first of these files or folders in $EVENODDS_DATA or the cache.

    Raises:
        DataError: there is none.
    """
    root = os.environ.get("EVENODDS_DATA")
    places = [*([Path(root)] if root else []), cache_folder(), cache_folder() / name]
    for place in places:
        for file in files:
            if (place / file).exists():
                return str(place / file)
    raise DataError(f"{files[0]} is not in {places[0]}; put it there, or give its path as data.path")
