"""Labels of an array's examples, in a CSV file of their own: a row for each example, in their order."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from ..errors import ConfigError, DataError
from .dataset import Array
from .images.labels import LABEL_COLUMNS
from .images.naming import natural

Parts = Mapping[str, tuple[Array, Array | None]]


def with_row_labels(
    parts: Parts, path: str | None
) -> tuple[dict[str, tuple[Array, Array | None]], tuple[str, ...]]:
    """The parts with these labels, and the class names in label order; unchanged, and none, without a path.

    Raises:
        DataError: the file can't be read or doesn't have as many labels as there are examples.
        ConfigError: the array's file has labels or splits of its own.
    """
    if path is None:
        return dict(parts), ()
    if list(parts) != ["all"] or parts["all"][1] is not None:
        raise ConfigError(f"labels={path} is for a file without labels and splits; leave it out")
    x = parts["all"][0]
    labels = row_labels(Path(path))
    if len(labels) != len(x):
        raise DataError(f"{path} has {len(labels)} labels for {len(x)} examples; give one row for each")
    names = tuple(sorted(set(labels), key=natural))
    number = {name: index for index, name in enumerate(names)}
    return {"all": (x, np.array([number[label] for label in labels], np.int64))}, names


def row_labels(path: Path) -> list[str]:
    """The labels in a CSV file: its column `label` or the like, else its last one; a title row is optional.

    Raises:
        DataError: it is no CSV file in UTF-8, or a row lacks its label.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
        first = text.partition("\n")[0]
        delimiter = max(",;\t", key=first.count)
        rows = [row for row in csv.reader(io.StringIO(text), delimiter=delimiter) if row]
    except OSError as error:
        raise DataError(f"labels={path} can't be read ({error.strerror}); check the path") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path} is not a CSV file in UTF-8 ({error}); save it as one") from error
    head = [cell.strip().lower() for cell in rows[0]] if rows else []
    column = next((head.index(name) for name in LABEL_COLUMNS if name in head), None)
    rows = rows if column is None else rows[1:]
    column = -1 if column is None else column
    lacking = next(
        (number for number, row in enumerate(rows, 1) if column >= len(row) or not row[column].strip()), 0
    )
    if lacking:
        raise DataError(f"{path} has no label in row {lacking}; add it")
    return [row[column].strip() for row in rows]
