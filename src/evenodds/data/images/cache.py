"""Decoded images on the disk, found by the content of their files."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path

import filelock

from ...errors import DataError, RunError
from ...files import write_text
from ..dataset import Array
from ..named import cache_folder
from .decode import DECODER, How
from .finish import finished, refuse_bad
from .index import FORMAT, Index, load_index, load_pixels
from .labels import NO_LABEL, Assigned, content_of
from .listing import Source
from .options import Options
from .partial import Partial, interrupted
from .progress import report
from .rows import decoded_rows, original_sizes
from .size import proposed_size

DAMAGED = "the decoded copy of these images was damaged and has been made again"
REMEDY = "free some space there, or set EVENODDS_CACHE to another folder"


def cached(source: Source, options: Options, assigned: Callable[[], Assigned]) -> tuple[Index, Array]:
    """The decoded images of a source: from the cache, or decoded now.

    Args:
        source: the files.
        options: how they become arrays.
        assigned: returns their splits and labels; not called where the files are known already.

    Raises:
        DataError: the files can't be used, or the cache can't be written.
    """
    root = cache_folder() / "images"
    try:
        (root / "seen").mkdir(parents=True, exist_ok=True)
        seen, state = root / "seen" / f"{_name(source, options)}.json", source.state()
        known = _seen(seen, state)
        index, pixels = _opened(root / known) if known else (None, None)
        if index is None or pixels is None:
            parts = assigned()
            key = _key(source, options, parts)
            index, pixels = _opened_or_built(root / key, source, options, parts)
            write_text(seen, json.dumps({"path": source.path, "state": state, "key": key}))
    except OSError as error:
        raise DataError(f"{root} can't be used ({error.strerror or error}); {REMEDY}") from error
    except RunError as error:  # of `replacing`
        raise DataError(f"the cache can't be written: {error}, or set EVENODDS_CACHE") from error
    refuse_bad(source.path, index.bad, len(index.names) + len(index.bad), strict=options.strict)
    return index, pixels


def _name(source: Source, options: Options) -> str:
    """Of the note that a source was seen: where it is, and what is wanted of it."""
    facts = [str(Path(source.path).resolve()), options.of_pixels(), FORMAT, DECODER]
    if options.labels not in (None, "none", "folders"):
        facts.append(hashlib.sha256(content_of(Path(options.labels))).hexdigest())
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:32]


def _seen(path: Path, state: str) -> str | None:
    """The key of the files if they are as they were when they were last read, so that none is read again."""
    try:
        note = json.loads(path.read_text(encoding="utf-8"))
        return str(note["key"]) if note["state"] == state else None
    except (OSError, ValueError, TypeError, KeyError):
        return None


def _key(source: Source, options: Options, assigned: Assigned) -> str:
    """Of the cache: 32 hexadecimal digits of everything that its content depends on."""
    if not source.names:
        raise DataError(
            f"{source.path} holds no image files; give a folder, zip or tar of PNG, JPEG, WebP, GIF, TIFF or "
            "BMP files"
        )
    facts = [FORMAT, DECODER, source.identity(), options.of_pixels(), asdict(assigned)]
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:32]


def _opened_or_built(
    folder: Path, source: Source, options: Options, assigned: Assigned
) -> tuple[Index, Array]:
    """By one process at a time: a second one waits, and finds what the first has made."""
    folder.mkdir(parents=True, exist_ok=True)
    with filelock.FileLock(folder / ".lock"):
        index, pixels = _opened(folder)
        if index is not None and pixels is not None:
            return index, pixels
        return _built(folder, source, options, assigned, damaged=(folder / "index.json").exists())


def _opened(folder: Path) -> tuple[Index | None, Array | None]:
    index = load_index(folder / "index.json") if (folder / "index.json").exists() else None
    return index, None if index is None else load_pixels(folder / "pixels.npy", index)


def _built(
    folder: Path, source: Source, options: Options, assigned: Assigned, *, damaged: bool
) -> tuple[Index, Array]:
    """Decode what an interrupted build has left to do, and put the cache in place."""
    for name in ("index.json", "pixels.npy"):
        (folder / name).unlink(missing_ok=True)
    partial = _decoded(folder, source, options, assigned)
    try:
        index = finished(folder, source, options, assigned, partial)
    except DataError:
        partial.discard()
        raise
    if index is None:  # a power cut damaged what there was: once more, from the beginning
        partial.discard()
        return _built(folder, source, options, assigned, damaged=True)
    index.save(folder / "index.json")
    partial.discard()
    _, pixels = _opened(folder)
    if pixels is None:
        raise DataError(f"{folder} does not hold what was written to it; check the disk, or {REMEDY}")
    if damaged:
        index = replace(index, notes=(*index.notes, DAMAGED))
    return index, pixels


def _decoded(folder: Path, source: Source, options: Options, assigned: Assigned) -> Partial:
    """All rows, after those that are there already."""
    total = len(source.names)
    how = None
    if interrupted(folder) is None:
        size = options.shape or proposed_size(original_sizes(source) or [(1, 1)])
        # 4 channels where the images decide: what they need is known once all are decoded
        channels = options.channels if isinstance(options.channels, int) else 4
        how = How(size, channels, options.resize, options.fit)

    def refused(index: int) -> str | None:
        return NO_LABEL if assigned.labels and assigned.labels[index] is None else None

    with Partial(folder, how) as partial:
        _refuse_full_disk(folder, partial, total, source.path)
        report(len(partial.rows), total)
        rest = range(len(partial.rows), total)
        for chunk in decoded_rows(source, partial.how, rest, refused):
            partial.append(chunk)
            report(len(partial.rows), total)
    return partial


def _refuse_full_disk(folder: Path, partial: Partial, total: int, where: str) -> None:
    """Before hours of decoding: the rows and their copy in order must both fit.

    Raises:
        DataError: they don't.
    """
    height, width = partial.how.size
    row = partial.how.channels * height * width
    needed = row * (2 * total - len(partial.rows))
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise DataError(
            f"decoding {where} to {height} × {width} pixels needs {needed / 1e9:.1f} GB in {folder}, where "
            f"{free / 1e9:.1f} GB are free; {REMEDY}, or choose a smaller size"
        )
