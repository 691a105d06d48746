"""Features of real examples on the disk: made once for all evaluations on the same data.

One safetensors file for each set of examples, extractor and preprocessing, in the folder `features` of the
cache.  It is written block by block and mapped into memory when read, so that only what is used takes memory.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO

import filelock
from safetensors import SafetensorError, safe_open
from torch import Tensor

from ..data.named import cache_folder
from ..errors import RunError
from ..features import Features
from ..files import remove_stale, replacing

FORMAT = 1
LONGEST_HEADER = 100_000  # bytes; ours are below 1,000
NO_DIGEST = 64 * "0"
REMEDY = "free some space there, or set EVENODDS_CACHE to another folder"

Blocks = Callable[[], Iterator[Features]]


def stored(facts: Mapping[str, Any], count: int, blocks: Blocks, notes: list[str]) -> Features:
    """Features of real examples: from the disk, or made now and kept there.

    A second process that wants the same waits for the first one.

    Args:
        facts: everything that the features depend on, as JSON can hold it.
        count: examples in all blocks.
        blocks: makes them, one after the other.
        notes: gets a sentence where the disk can't keep them; they are made all the same.
    """
    path = cache_folder() / "features" / f"{_digest(facts)[:32]}.safetensors"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with filelock.FileLock(path.with_suffix(".lock")):
            found = _opened(path)
            if found is None:
                remove_stale(
                    path.parent, re.escape(path.name)
                )  # of this name, only who holds the lock writes
                _write(path, facts, count, blocks())
                found = _opened(path)
        if found is not None:
            return found
        reason = "what was written to it can't be read back"
    except (OSError, RunError) as error:
        reason = getattr(error, "strerror", None) or str(error)
    features = joined(blocks(), count)  # raises again what was no fault of the disk
    notes.append(f"features of real examples could not be kept in {path.parent} ({reason}); {REMEDY}")
    return features


def joined(parts: Iterable[Features], count: int) -> Features:
    """The parts, one after the other, with never more than one of them beside the whole.

    Args:
        parts: at least one.
        count: examples in all of them.
    """
    features = logits = None
    done = 0
    for part in parts:
        if features is None:
            features = part.features.new_empty(count, part.features.shape[1])
            logits = None if part.logits is None else part.logits.new_empty(count, part.logits.shape[1])
        stop = done + len(part.features)
        features[done:stop] = part.features
        if logits is not None and part.logits is not None:
            logits[done:stop] = part.logits
        done = stop
    assert features is not None
    assert done == count
    return Features(features, logits)


def _digest(facts: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps({"format": FORMAT, **facts}, sort_keys=True).encode()).hexdigest()


def _opened(path: Path) -> Features | None:
    """What a file holds; None where there is none, or where it was cut short or changed."""
    try:
        with path.open("rb") as file:
            size = int.from_bytes(file.read(8), "little")
            header = json.loads(file.read(min(size, LONGEST_HEADER)))
            if hashlib.file_digest(file, "sha256").hexdigest() != header["__metadata__"]["sha256"]:
                return None
        with safe_open(path, framework="pt") as tensors:
            names = tensors.keys()
            return Features(
                tensors.get_tensor("features"), tensors.get_tensor("logits") if "logits" in names else None
            )
    except (OSError, ValueError, LookupError, TypeError, SafetensorError):
        return None


def _write(path: Path, facts: Mapping[str, Any], count: int, blocks: Iterator[Features]) -> None:
    """All blocks, as they come; the file is whole or absent."""
    first = next(blocks)
    tensors = {name: part for name, part in first._asdict().items() if part is not None}
    width = {name: part.shape[1] for name, part in tensors.items()}
    needed = 4 * count * sum(width.values())
    if needed > shutil.disk_usage(path.parent).free:
        raise RunError(f"it needs {needed / 1e6:,.0f} MB")
    with replacing(path) as temporary, temporary.open("wb+") as file:
        start = file.write(_header(facts, count, width, NO_DIGEST))
        at = {"features": start, "logits": start + 4 * count * width["features"]}
        for block in _and(first, blocks):
            for name, part in block._asdict().items():
                if part is not None:
                    at[name] = _put(file, at[name], part)
        file.seek(start)
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        file.seek(0)
        file.write(_header(facts, count, width, digest))


def _and(first: Features, rest: Iterator[Features]) -> Iterator[Features]:
    yield first
    yield from rest


def _header(facts: Mapping[str, Any], count: int, width: Mapping[str, int], digest: str) -> bytes:
    """As safetensors has it: 8 bytes of length, then JSON, padded to whole words."""
    header: dict[str, Any] = {"__metadata__": {"evenodds": json.dumps(facts), "sha256": digest}}
    at = 0
    for name, columns in width.items():
        end = at + 4 * count * columns
        header[name] = {"dtype": "F32", "shape": [count, columns], "data_offsets": [at, end]}
        at = end
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text


def _put(file: BinaryIO, at: int, part: Tensor) -> int:
    """Where the next part goes."""
    file.seek(at)
    return at + file.write(part.float().contiguous().numpy().data)
