"""Images in tables: .parquet files, as of the Hugging Face hub, and folders that `save_to_disk` wrote.

Needs pyarrow, which `pip install "evenodds[hf]"` brings. The images stand as encoded files in a column, as
bytes or as {bytes, path}; labels in another, as numbers (whose names the table may know) or as names.
"""

from __future__ import annotations

import bisect
import itertools
import json
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ..errors import DataError, suggest
from .images.decode import BadImageError
from .images.naming import MAX_FILE
from .shards import files_in, identity_of, shards_at, split_prefixes, state_of, table_of

ENDINGS = (".parquet", ".arrow")
IMAGE_COLUMNS = ("image", "img", "jpg", "jpeg", "png", "picture", "pixels")
LABEL_COLUMNS = ("label", "labels", "class", "category", "target", "y", "fine_label")
MISSING = 'tables of images need pyarrow; run: pip install "evenodds[hf]"'


class Parquet:
    """A `Source` of the images in tables.

    Args:
        path: a .parquet or .arrow file, or a folder of such.
        image: the column with the images; None finds it.
        label: the column with the labels; None finds it, "none" leaves them out.

    Raises:
        DataError: pyarrow is missing, a file is damaged, or there is no such column.
    """

    def __init__(self, path: Path, image: str | None = None, label: str | None = None) -> None:
        self.path = str(path)
        self.problems: list[tuple[str, str]] = []
        self._shards = shards_at(path, ENDINGS)
        self._tables = [_opened(shard) for shard in self._shards]
        columns = self._tables[0].columns
        self._image = _image_column(columns, image, self._shards[0])
        wanted = None if label == "none" else _label_column(columns, label, self._shards[0])
        self._label = wanted
        self._ends = list(itertools.accumulate(sum(table.sizes) for table in self._tables))
        self._lock = threading.Lock()
        self._latest: tuple[int, int, Any] | None = None  # the rows read last: (table, batch, column)
        self.names: list[str] = []
        labels: dict[str, str] = {}
        prefixes = split_prefixes(self._shards)
        for shard, table, prefix in zip(self._shards, self._tables, prefixes, strict=True):
            names = [f"{prefix}{shard.stem} row {row}" for row in range(sum(table.sizes))]
            self.names += names
            if wanted is not None:
                labels |= _labels(table, wanted, names, shard)
        self.tables = table_of(labels)

    def read(self, index: int) -> bytes:
        """See `images.listing.Source`."""
        number = bisect.bisect_right(self._ends, index)
        row = index - (self._ends[number - 1] if number else 0)
        ends = list(itertools.accumulate(self._tables[number].sizes))
        batch = bisect.bisect_right(ends, row)
        value = self._column(number, batch)[row - (ends[batch - 1] if batch else 0)].as_py()
        content = value.get("bytes") if isinstance(value, dict) else value
        if content is None:
            raise BadImageError("no bytes in the table")
        if len(content) > MAX_FILE:
            raise BadImageError(f"too large ({len(content)} bytes)")
        return bytes(content)

    def _column(self, number: int, batch: int) -> Any:
        """The images of a batch of rows, which stay in memory until another one is asked for."""
        with self._lock:
            if self._latest is None or self._latest[:2] != (number, batch):
                try:
                    column = self._tables[number].read(batch, self._image)
                except (OSError, ValueError) as error:
                    raise BadImageError(f"damaged table ({error!s:.80})") from error
                self._latest = number, batch, column
            return self._latest[2]

    def state(self) -> str:
        """See `images.listing.Source`."""
        return f"{state_of(self._shards)} {self._image} {self._label}"

    def identity(self) -> str:
        """See `images.listing.Source`."""
        return identity_of(self._shards) + self._image


class _Table:
    """An opened file: its columns, how many rows its batches have, and how one column of a batch is read.

    Args:
        columns: name -> Arrow type.
        names: column of numbers -> names of the classes.
        sizes: rows of each batch.
        read: (batch, column) -> an Arrow array.
    """

    def __init__(
        self,
        columns: Mapping[str, Any],
        names: Mapping[str, Sequence[str]],
        sizes: Sequence[int],
        read: Callable[[int, str], Any],
    ) -> None:
        self.columns, self.names, self.sizes, self.read = columns, names, sizes, read


def is_parquet(path: Path) -> bool:
    """Whether a file or folder holds tables."""
    if path.is_dir():
        return bool(files_in(path, ENDINGS))
    return path.suffix.lower() in ENDINGS


def _opened(path: Path) -> _Table:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as error:
        raise DataError(MISSING) from error
    opened = _opened_parquet if path.suffix.lower() == ".parquet" else _opened_arrow
    try:
        schema, sizes, read = opened(path, pyarrow)
    except (OSError, ValueError) as error:  # ArrowInvalid is a ValueError
        raise DataError(
            f"{path} is cut short or no table ({error!s:.100}); copy or download it again"
        ) from error
    return _Table({field.name: field.type for field in schema}, _class_names(schema), sizes, read)


def _opened_parquet(path: Path, pyarrow: Any) -> tuple[Any, list[int], Callable[[int, str], Any]]:
    """Schema, rows of each batch, and how to read one, of a .parquet file by row groups."""
    file = pyarrow.parquet.ParquetFile(path)
    sizes = [file.metadata.row_group(group).num_rows for group in range(file.num_row_groups)]
    return file.schema_arrow, sizes, lambda at, name: file.read_row_group(at, columns=[name])[name]


def _opened_arrow(path: Path, pyarrow: Any) -> tuple[Any, list[int], Callable[[int, str], Any]]:
    """Schema, rows of each batch, and how to read one, of an Arrow file as a stream or for random access."""
    file = pyarrow.memory_map(str(path))
    try:
        reader = pyarrow.ipc.open_stream(file)
        batches = list(reader)
    except pyarrow.ArrowInvalid:
        file.seek(0)
        reader = pyarrow.ipc.open_file(file)
        batches = [reader.get_batch(number) for number in range(reader.num_record_batches)]
    return reader.schema, [batch.num_rows for batch in batches], lambda at, name: batches[at].column(name)


def _class_names(schema: Any) -> dict[str, list[str]]:
    """column -> names of the classes, of what the hub's library writes beside the columns."""
    try:
        features = json.loads(schema.metadata[b"huggingface"])["info"]["features"]
        found = {
            column: feature["names"]
            for column, feature in features.items()
            if feature.get("_type") == "ClassLabel" and isinstance(feature.get("names"), list)
        }
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return {}
    return {column: [str(name) for name in names] for column, names in found.items()}


def _image_column(columns: Mapping[str, Any], wanted: str | None, path: Path) -> str:
    """The one asked for, else one of the usual names, else the only one that could be it."""
    possible = [name for name, kind in columns.items() if _encoded(str(kind))]
    if wanted is not None:
        if wanted not in possible:
            raise DataError(f"{path} has no column {wanted!r} with image files{suggest(wanted, possible)}")
        return wanted
    usual = [name for name in IMAGE_COLUMNS if name in possible]
    if not usual and len(possible) != 1:
        found = ", ".join(columns)
        raise DataError(f"{path} has the columns {found}; say which one has the images: image=NAME")
    return (usual or possible)[0]


def _encoded(kind: str) -> bool:
    """Whether a column of that type can hold image files."""
    return kind in ("binary", "large_binary") or (kind.startswith("struct<") and "bytes: " in kind)


def _label_column(columns: Mapping[str, Any], wanted: str | None, path: Path) -> str | None:
    if wanted is not None and wanted not in columns:
        raise DataError(f"{path} has no column {wanted!r}{suggest(wanted, columns)}")
    return wanted or next((name for name in LABEL_COLUMNS if name in columns), None)


def _labels(table: _Table, column: str, names: Sequence[str], shard: Path) -> dict[str, str]:
    """name -> label, without the rows that have none: null, or −1 as the hub marks them."""
    if column not in table.columns:
        raise DataError(
            f"{shard} has no column {column!r}, as the first file has; remove it or add the column"
        )
    classes = table.names.get(column)
    found: dict[str, str] = {}
    for name, value in zip(names, _values(table, column, shard), strict=True):
        if value is None or value == -1:
            continue
        if isinstance(value, bool) or not isinstance(value, (int, str)):
            raise DataError(
                f"the column {column!r} of {shard} holds {value!r:.40}; give label=NAME of a column of "
                "numbers or names, or label=none"
            )
        if classes is not None and isinstance(value, int):
            if not 0 <= value < len(classes):
                raise DataError(
                    f"{name} has the label {value} where there are {len(classes)} classes; correct the table"
                )
            found[name] = classes[value]
        else:
            found[name] = str(value)
    return found


def _values(table: _Table, column: str, shard: Path) -> Iterator[object]:
    try:
        for batch in range(len(table.sizes)):
            yield from table.read(batch, column).to_pylist()
    except (OSError, ValueError) as error:
        raise DataError(f"{shard} is damaged ({error!s:.100}); copy or download it again") from error
