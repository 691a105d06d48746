"""Data sets in formats of others: CIFAR's binary version, WebDataset, and tables of images."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from .cifar import is_cifar, load_cifar
from .dataset import Dataset, Split, pair, shuffled_splits
from .images.loading import load_source
from .images.options import Options
from .parquet import Parquet, is_parquet
from .webdataset import WebDataset, is_webdataset

Range = Sequence[float] | None


def cifar_binary(
    *,
    path: str,
    labels: str = "fine",
    validation: float = 0.1,
    seed: int = 0,
    value_range: Range = (-1.0, 1.0),
) -> Dataset:
    """CIFAR-10 or CIFAR-100 in its binary version: a folder of .bin files, or the .tar.gz they come in.

    Args:
        path: the folder or archive.
        labels: of CIFAR-100, the 100 "fine" classes or the 20 "coarse" ones.
        validation: fraction of the training images, drawn with `seed`; the test images are the test split.
        seed: of that draw.
        value_range: what 0..255 is mapped to.

    Raises:
        DataError: a file is missing, cut short, of another kind, or pickled.
        ConfigError: an option is out of range.
    """
    (x, y), test, class_names = load_cifar(Path(path), labels=labels)
    train, held_out, _ = shuffled_splits(x, y, validation=validation, test=0.0, seed=seed)
    return Dataset(
        name=f"cifar{100 if len(class_names) in (20, 100) else 10}",
        train=train,
        validation=held_out,
        test=None if test is None else Split(*test),
        class_names=class_names,
        value_range=pair(value_range),
        source=path,
    )


def webdataset(
    *,
    path: str,
    label: str | None = None,
    size: int | list[int] | None = None,
    channels: int | Literal["auto"] = "auto",
    validation: float = 0.1,
    test: float = 0.0,
    resize: str = "lanczos",
    fit: str = "crop",
    seed: int = 0,
    strict: bool = False,
    value_range: Range = (-1.0, 1.0),
) -> Dataset:
    """WebDataset: a tar, a folder of tars, or `name-{000..003}.tar`, with key.jpg beside key.cls or key.json.

    Shards called train…, val… and test… give these splits.

    Args:
        path: of the tar, the folder, or the pattern.
        label: the field of .json files that is the label; left out, one of the usual names.

    The other options are those of `images`.

    Raises:
        DataError: a shard is missing or damaged, or most images can't be used.
        ConfigError: an option is out of range.
    """
    ends = pair(value_range)
    options = Options(size, channels, validation, test, None, resize, fit, seed, strict, ends)
    return load_source(WebDataset(Path(path), label), options, name=_name(path))


def parquet(
    *,
    path: str,
    image: str | None = None,
    label: str | None = None,
    size: int | list[int] | None = None,
    channels: int | Literal["auto"] = "auto",
    validation: float = 0.1,
    test: float = 0.0,
    resize: str = "lanczos",
    fit: str = "crop",
    seed: int = 0,
    strict: bool = False,
    value_range: Range = (-1.0, 1.0),
) -> Dataset:
    """Images in .parquet files or in what `save_to_disk` wrote: a file or a folder; needs evenodds[hf].

    Files, or folders, called train…, val… and test… give these splits.

    Args:
        path: the file or folder.
        image: the column of image files; left out, one of the usual names or the only one.
        label: the column of labels; left out, one of the usual names; "none" for no labels.

    The other options are those of `images`.

    Raises:
        DataError: pyarrow or a column is missing, a file is damaged, or most images can't be used.
        ConfigError: an option is out of range.
    """
    ends = pair(value_range)
    options = Options(size, channels, validation, test, None, resize, fit, seed, strict, ends)
    return load_source(Parquet(Path(path), image, label), options, name=_name(path))


def format_of(path: Path) -> str | None:
    """Which of these formats a path is in, by its names and first bytes; None for another."""
    if is_webdataset(path):
        return "webdataset"
    if not path.exists():
        return None
    if is_cifar(path):
        return "cifar_binary"
    return "parquet" if is_parquet(path) else None


def _name(path: str) -> str:
    return Path(path).name.partition(".")[0].partition("{")[0].rstrip("-_") or "images"
