"""A data set from a folder, zip or tar of images."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ...errors import ConfigError, DataError, suggest
from ..dataset import Dataset, Split
from .arrange import arranged, check_fractions
from .decode import FILTERS, FITS, How, as_channels
from .labels import NO_LABEL, assign, counted
from .listing import open_source
from .rows import decoded_rows, original_sizes
from .size import proposed_size


def load_images(
    path: str,
    *,
    size: int | Sequence[int] | None,
    channels: int | str,
    validation: float,
    test: float,
    seed: int,
    labels: str | None,
    resize: str,
    fit: str,
    strict: bool,
    value_range: tuple[float, float] | None,
) -> Dataset:
    """See `sources.images`."""
    check_fractions(validation, test, seed)
    wanted = checked_size(size)
    if channels not in ("auto", 1, 3, 4):
        raise ConfigError(f"channels={channels!r} can't be made; use auto, 1 (grey), 3 (RGB) or 4 (RGBA)")
    for option, value, known in (("resize", resize, FILTERS), ("fit", fit, FITS)):
        if value not in known:
            raise ConfigError(f"{option}={value!r} does not exist{suggest(value, known)}")
    source = open_source(Path(path))
    if not source.names:
        raise DataError(f"{path} holds no images; give a folder or zip of PNG, JPEG, WebP, GIF or TIFF files")
    assigned = assign(source, labels)
    how = How(wanted or proposed_size(original_sizes(source)), 4, resize, fit)
    chunks = decoded_rows(source, how, range(len(source.names)), lambda i: _unlabelled(assigned.labels, i))
    done = [pair for chunk in chunks for pair in chunk]
    good = [index for index, (row, _) in enumerate(done) if row.reason is None]
    if not good or 2 * len(good) < len(done):
        bad = [source.names[i] for i, (row, _) in enumerate(done) if row.reason is not None]
        raise DataError(f"{len(bad)} of {len(done)} images can't be read ({counted(bad)})")
    groups = arranged(
        [bytes.fromhex(done[i][0].digest) for i in good],
        [assigned.splits[i] for i in good] if assigned.splits else [],
        validation=validation,
        test=test,
        seed=seed,
        where=path,
    )
    rows = [done[i][0] for i in good]
    made = _channels(channels, any(row.transparent for row in rows), all(row.grey for row in rows))
    splits = {}
    for name, group in groups.items():
        pixels = as_channels(np.stack([np.asarray(done[good[i]][1]) for i in group]), made)
        y = np.array([assigned.labels[good[i]] for i in group], np.int64) if assigned.labels else None
        splits[name] = Split(pixels, y)
    return Dataset(
        name=Path(path).name.partition(".")[0],
        train=splits["train"],
        validation=splits["validation"],
        test=splits.get("test"),
        class_names=assigned.class_names,
        value_range=value_range,
        source=path,
        premultiplied=made == 4,
    )


def checked_size(size: int | Sequence[int] | None) -> tuple[int, int] | None:
    """(H, W).

    Raises:
        ConfigError: it is no size.
    """
    if size is None:
        return None
    pair = (size, size) if isinstance(size, int) else tuple(size)
    if len(pair) != 2 or not all(isinstance(side, int) and 1 <= side <= 4096 for side in pair):
        raise ConfigError(f"size={size!r} is no image size; use a number such as 64, or [height, width]")
    return pair


def _unlabelled(labels: Sequence[int | None], index: int) -> str | None:
    return NO_LABEL if labels and labels[index] is None else None


def _channels(channels: int | str, transparent: bool, grey: bool) -> int:
    """Of `auto`: 4 if any image shows through, else 1 if none has colours, else 3."""
    if isinstance(channels, int):
        return channels
    return 4 if transparent else 1 if grey else 3
