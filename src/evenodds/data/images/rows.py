"""Decoding in parallel: one row of facts and pixels per file, in the order of the files."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

from ..dataset import Array
from .decode import BadImageError, How, decode, decoding, header
from .listing import Source

CHUNK = 256  # files whose pixels are in memory at a time,
CHUNK_BYTES = 256 << 20  # and fewer where that would be more than these bytes
SAMPLE = 1_000  # files whose sizes decide on the size of all


class Row(NamedTuple):
    """What became of one file.

    Args:
        reason: why it can't be used; None if it can.
        size: (height, width) of the original.
        grey: whether it has no colours.
        transparent: whether it shows through anywhere.
        digest: SHA-256 of its pixels.
    """

    reason: str | None = None
    size: tuple[int, int] = (0, 0)
    grey: bool = True
    transparent: bool = False
    digest: str = ""


def decoded_rows(
    source: Source, how: How, indices: Sequence[int], work: Callable[[int], str | None] | None = None
) -> Iterator[list[tuple[Row, Array | None]]]:
    """Chunks of (facts, pixels) of these files, decoded by as many threads as there are cores.

    Args:
        source: the files.
        how: they become arrays.
        indices: of the files, in the order wanted.
        work: why a file is not to be used, whatever is in it; None for no such reason.
    """

    def one(index: int) -> tuple[Row, Array | None]:
        reason = work(index) if work else None
        if reason:
            return Row(reason), None
        try:
            image = decode(source.read(index), how)
        except BadImageError as error:
            return Row(str(error)), None
        digest = hashlib.sha256(image.pixels.tobytes()).hexdigest()
        return Row(None, image.size, image.grey, image.transparent, digest), image.pixels

    with decoding(), ThreadPoolExecutor(cores()) as pool:
        step = at_a_time(how)
        for start in range(0, len(indices), step):
            yield list(pool.map(one, indices[start : start + step]))


def original_sizes(source: Source) -> list[tuple[int, int]]:
    """(height, width) of the files, or of a thousand of them at equal distances; bad ones are left out."""
    count = len(source.names)
    step = max(1, count // SAMPLE)

    def one(index: int) -> tuple[int, int] | None:
        try:
            return header(source.read(index))
        except BadImageError:
            return None

    with decoding(), ThreadPoolExecutor(cores()) as pool:
        return [size for size in pool.map(one, range(0, count, step)) if size is not None]


def at_a_time(how: How) -> int:
    """Images whose pixels are held in memory together."""
    return max(1, min(CHUNK, CHUNK_BYTES // (how.channels * how.size[0] * how.size[1])))


def cores() -> int:
    """That this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0)) or 1
    return os.cpu_count() or 1
