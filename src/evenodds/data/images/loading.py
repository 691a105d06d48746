"""A data set of image files: listed, labelled, decoded or found in the cache, and split."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ..dataset import Dataset, Files, Split
from .cache import cached
from .labels import Assigned, assign
from .listing import Source, open_source
from .options import Options


def load_images(path: str, options: Options) -> Dataset:
    """The image files in a folder, zip or tar.

    Raises:
        DataError: there are none, or most of them can't be used.
    """
    name = Path(path).name.partition(".")[0] or "images"
    return load_source(open_source(Path(path)), options, name=name)


def load_source(source: Source, options: Options, *, name: str, assigned: Assigned | None = None) -> Dataset:
    """The image files of any source, through the cache.

    Args:
        source: the files.
        options: how they become arrays.
        name: of the data set.
        assigned: their splits and labels; None finds them as `assign` does.

    Raises:
        DataError: most of them can't be used, or the cache can't be written.
    """
    index, pixels = cached(source, options, lambda: assigned or assign(source, options.labels))
    labels = np.array(index.labels, np.int64)
    splits = {
        split: Split(pixels[first:end], labels[first:end] if index.labels else None)
        for split, (first, end) in index.splits.items()
    }
    parts = index.splits.items()
    return Dataset(
        name=name,
        train=splits["train"],
        validation=splits["validation"],
        test=splits.get("test"),
        class_names=index.class_names,
        value_range=options.value_range,
        source=source.path,
        premultiplied=index.shape[1] == 4,
        digest=index.fingerprint,
        notes=index.notes,
        files=Files(
            names={split: index.names[first:end] for split, (first, end) in parts},
            sizes={split: index.sizes[first:end] for split, (first, end) in parts},
            bad=index.bad,
            options=index.options,
        ),
    )
