"""A cache that is being built, row by row in the order of the files: a killed build goes on where it was."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from types import TracebackType

import numpy as np

from ..dataset import Array
from .decode import How
from .rows import Row


class Partial:
    """Decoded rows and what is known of them, appended to two files.

    Pixels are written before the facts: whatever a kill cuts off, facts without pixels can't be left.

    Args:
        folder: of the cache.
        how: the images are decoded; None goes on as the folder's interrupted build began.

    Raises:
        OSError: the disk is full or the folder can't be written to.
    """

    def __init__(self, folder: Path, how: How | None = None) -> None:
        self._pixels_file, self._rows_file = folder / "partial.pixels", folder / "partial.rows"
        self._how_file = folder / "partial.json"
        if how is not None:
            self.discard()
            self._how_file.write_text(json.dumps(asdict(how)), encoding="utf-8")
        self.how = how or interrupted(folder) or How((1, 1))
        self._shape = (self.how.channels, *self.how.size)
        self.rows = self._resumed()
        self._pixels = open(self._pixels_file, "ab")  # noqa: SIM115 - closed with the object
        self._lines = open(self._rows_file, "ab")  # noqa: SIM115

    def __enter__(self) -> Partial:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._pixels.close()
        self._lines.close()

    def append(self, chunk: Sequence[tuple[Row, Array | None]]) -> None:
        """Add rows; pixels of those that have some.

        Raises:
            OSError: the disk is full.
        """
        self._pixels.write(b"".join(pixels.tobytes() for _, pixels in chunk if pixels is not None))
        self._pixels.flush()
        self._lines.write(b"".join(json.dumps(row).encode() + b"\n" for row, _ in chunk))
        self._lines.flush()
        self.rows += [row for row, _ in chunk]

    def pixels(self) -> Array:
        """(rows without a reason, C, H, W) as decoded, read as it is used."""
        count = sum(row.reason is None for row in self.rows)
        if count == 0:
            return np.empty((0, *self._shape), np.uint8)
        return np.memmap(self._pixels_file, np.uint8, mode="r", shape=(count, *self._shape))

    def discard(self) -> None:
        """Remove the files."""
        for path in (self._rows_file, self._pixels_file, self._how_file):
            path.unlink(missing_ok=True)

    def _resumed(self) -> list[Row]:
        """The rows whose facts and pixels are both whole; what follows them is cut off."""
        size = int(np.prod(self._shape))
        stored = self._pixels_file.stat().st_size // size if self._pixels_file.exists() else 0
        lines = self._rows_file.read_bytes().splitlines(keepends=True) if self._rows_file.exists() else []
        rows: list[Row] = []
        good = kept = 0
        for line in lines:
            row = _row(line)
            if row is None or (row.reason is None and good == stored):
                break
            rows.append(row)
            kept += len(line)
            good += row.reason is None
        for path, length in ((self._rows_file, kept), (self._pixels_file, good * size)):
            with open(path, "ab") as file:
                file.truncate(length)
        return rows


def interrupted(folder: Path) -> How | None:
    """How an unfinished build decodes; None if there is none."""
    try:
        facts = json.loads((folder / "partial.json").read_text(encoding="utf-8"))
        return How(**{**facts, "size": tuple(facts["size"])})
    except (OSError, ValueError, TypeError, KeyError):
        return None


def _row(line: bytes) -> Row | None:
    """The facts in a line; None if it was cut off."""
    try:
        reason, size, grey, transparent, digest = json.loads(line)
        height, width = size
    except (ValueError, TypeError):
        return None
    return Row(reason, (height, width), grey, transparent, digest) if line.endswith(b"\n") else None
