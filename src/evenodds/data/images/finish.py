"""From decoded rows to the cache: channels, splits, order, fingerprint."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import PIL

from ... import __version__
from ...errors import DataError
from ...files import replacing
from ..dataset import Array
from .arrange import arranged
from .decode import DECODER, as_channels
from .index import Index, pixel_digest
from .labels import Assigned, counted, printable
from .listing import Source
from .options import Options
from .partial import Partial
from .rows import Row, at_a_time

VERSIONS = {"decoder": DECODER, "pillow": PIL.__version__, "evenodds": __version__}


def finished(
    folder: Path, source: Source, options: Options, assigned: Assigned, partial: Partial
) -> Index | None:
    """Write `pixels.npy` from the rows, and return what is in it; None if the rows are damaged.

    Raises:
        DataError: most files are bad, or a split would be empty.
        RunError: the disk is full.
    """
    rows = partial.rows
    bad = [(name, row.reason) for name, row in zip(source.names, rows, strict=True) if row.reason is not None]
    bad = [*source.problems, *bad]
    refuse_bad(source.path, bad, len(rows), strict=options.strict)
    order, files, splits = _order(source, options, assigned, rows)
    kept = [rows[number] for number in files]
    labels = tuple(assigned.labels[number] or 0 for number in files) if assigned.labels else ()
    channels = _channels(options.channels, kept)
    path = folder / "pixels.npy"
    fingerprint = _write(path, partial, order, kept, channels, splits, labels)
    if fingerprint is None:
        return None
    size = partial.how.size
    return Index(
        shape=(len(files), channels, *size),
        splits=splits,
        class_names=assigned.class_names,
        labels=labels,
        names=tuple(printable(source.names[number]) for number in files),
        sizes=tuple(row.size for row in kept),
        bad=tuple(bad),
        notes=(*assigned.warnings, *_notes(bad, len(rows), kept, size)),
        options={**options.of_pixels(), "size": size, "channels": channels, **VERSIONS},
        fingerprint=fingerprint,
        digest=pixel_digest(np.load(path, mmap_mode="r", allow_pickle=False)),
    )


def _order(
    source: Source, options: Options, assigned: Assigned, rows: Sequence[Row]
) -> tuple[list[int], list[int], dict[str, tuple[int, int]]]:
    """In the order of the cache: the place among the good rows, the file's number; and where splits end."""
    good = [number for number, row in enumerate(rows) if row.reason is None]
    groups = arranged(
        [bytes.fromhex(rows[number].digest) for number in good],
        [assigned.splits[number] for number in good] if assigned.splits else [],
        validation=options.validation,
        test=options.test,
        seed=options.seed,
        where=source.path,
    )
    order = [place for group in groups.values() for place in group]
    ends = [0, *itertools.accumulate(len(group) for group in groups.values())]
    splits = dict(zip(groups, itertools.pairwise(ends), strict=True))
    return order, [good[place] for place in order], splits


def refuse_bad(path: str, bad: Sequence[tuple[str, str]], files: int, *, strict: bool) -> None:
    """Stop where more than half of the files are bad, or any is and none may be.

    Raises:
        DataError: that is so.
    """
    if not bad or (2 * len(bad) <= files and not strict):
        return
    reasons = _reasons(bad)
    if strict:
        raise DataError(
            f"{len(bad)} of {files:,} images in {path} can't be used: {reasons}; "
            "remove them, or set strict=false to leave them out"
        )
    raise DataError(
        f"{len(bad)} of {files:,} images in {path} can't be used, more than half: {reasons}; "
        "check that these are the right files"
    )


def _reasons(bad: Sequence[tuple[str, str]]) -> str:
    """Each reason with the files that it is true of, the commonest first."""
    groups: dict[str, list[str]] = {}
    for name, reason in bad:
        groups.setdefault(reason, []).append(name)
    common = sorted(groups.items(), key=lambda group: -len(group[1]))
    said = [f"{reason}: {counted(names)}" for reason, names in common[:3]]
    return "; ".join(said) + (f"; and {len(common) - 3} more reasons" if common[3:] else "")


def _notes(
    bad: Sequence[tuple[str, str]], files: int, kept: Sequence[Row], size: tuple[int, int]
) -> list[str]:
    """What to tell the user about files that are bad, and images that are small."""
    notes = []
    if bad:
        notes.append(f"{len(bad)} of {files:,} files were left out: {_reasons(bad)}")
    small = sum(2 * row.size[0] < size[0] or 2 * row.size[1] < size[1] for row in kept)
    if small:
        notes.append(
            f"{small:,} of {len(kept):,} images are less than half as high or wide as the {size[0]} × "
            f"{size[1]} pixels that they are enlarged to, which makes them blurred: choose a smaller size"
        )
    return notes


def _channels(wanted: int | str, rows: Sequence[Row]) -> int:
    """Of `auto`: 4 if any image shows through, else 1 if none has colours, else 3."""
    if isinstance(wanted, int):
        return wanted
    return 4 if any(row.transparent for row in rows) else 1 if all(row.grey for row in rows) else 3


def _write(
    path: Path,
    partial: Partial,
    order: Sequence[int],
    kept: Sequence[Row],
    channels: int,
    splits: dict[str, tuple[int, int]],
    labels: tuple[int, ...],
) -> str | None:
    """The rows in their order as an .npy, and the data set's fingerprint; None if a row is damaged."""
    stored = partial.pixels()
    shape = (len(order), channels, *partial.how.size)
    step = at_a_time(partial.how)
    digest = hashlib.sha256()  # of what `Dataset.fingerprint` is
    y = np.array(labels, np.int64)
    # through an open file, not a memory map: there, a full disk would kill the process
    with replacing(path) as temporary, open(temporary, "wb") as file:
        header = {"descr": "|u1", "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(file, header)
        for first, end in splits.values():
            digest.update(f"{(end - first, *shape[1:])}|u1".encode())
            for start in range(first, end, step):
                part = slice(start, min(start + step, end))
                content = _content(stored, order[part], kept[part], channels)
                if content is None:
                    return None
                file.write(content.data)
                digest.update(content.data)
            if labels:
                digest.update(f"{(end - first,)}{y.dtype.str}".encode())
                digest.update(y[first:end].data)
    return digest.hexdigest()[:16]


def _content(stored: Array, order: Sequence[int], kept: Sequence[Row], channels: int) -> Array | None:
    """Some rows with the wanted channels; None if one is not what its digest says, as after a power cut."""
    rows = stored[list(order)]
    if any(hashlib.sha256(x.data).hexdigest() != row.digest for x, row in zip(rows, kept, strict=True)):
        return None
    return np.ascontiguousarray(as_channels(rows, channels) if rows.shape[1] == 4 else rows)
