"""Image files inside other files, such as shards of a WebDataset: what such sources have in common."""

from __future__ import annotations

import csv
import hashlib
import io
import itertools
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from ..errors import DataError

# What a shard or the folder it is in is called, up to the first sign that is no letter.
SPLITS = {"train": "train", "training": "train", "test": "test", "testing": "test"}
SPLITS |= {"val": "validation", "valid": "validation", "validation": "validation"}
MOST_SHARDS = 100_000
BRACES = re.compile(r"\{(\d+)\.\.(\d+)\}")


def shards_at(path: Path, endings: Sequence[str]) -> list[Path]:
    """The files that a path stands for: itself, those in a folder, or those of `name-{000..003}.tar`.

    Raises:
        DataError: there are none, or one of the numbers is missing.
    """
    if path.is_dir():
        found = files_in(path, endings)
    else:
        found = [Path(name) for name in expanded(str(path))]
    missing = [file for file in found if not file.exists()]
    if missing:
        raise DataError(f"{missing[0]} does not exist; check the path")
    if not found:
        raise DataError(f"{path} holds no {' or '.join(endings)}; check the path")
    return found


def files_in(folder: Path, endings: Sequence[str]) -> list[Path]:
    """Files with these endings in a folder, and in those of its folders that are called data or like a split.

    No other folder is looked into: one of images may hold a million files.
    """
    inner = [folder / name for name in os.listdir(folder) if name.lower() in {"data", *SPLITS}]
    found = [file for place in (folder, *inner) if place.is_dir() for file in place.iterdir()]
    wanted = [file for file in found if file.name.lower().endswith(tuple(endings)) and file.is_file()]
    return sorted(file for file in wanted if not file.name.startswith("."))


def expanded(pattern: str) -> list[str]:
    """`x-{08..10}.tar` as x-08.tar, x-09.tar and x-10.tar; several braces in all combinations.

    Raises:
        DataError: these are far too many.
    """
    ranges = [(match[1], int(match[1]), int(match[2])) for match in BRACES.finditer(pattern)]
    total = 1
    for _, first, last in ranges:
        total *= max(0, last - first + 1)
    if total > MOST_SHARDS:
        raise DataError(f"{pattern} stands for {total} files; give a pattern of at most {MOST_SHARDS}")
    counters = [
        [str(number).zfill(len(text)) for number in range(first, last + 1)] for text, first, last in ranges
    ]
    pieces = BRACES.split(pattern)[::3]
    return [
        pieces[0] + "".join(itertools.chain.from_iterable(zip(numbers, pieces[1:], strict=True)))
        for numbers in itertools.product(*counters)
    ]


def split_prefixes(shards: Sequence[Path]) -> list[str]:
    """`train/`, `validation/` or `test/` for each shard, if all say it and one is train's; else nothing."""
    found = [_split_of(shard) for shard in shards]
    if None in found or "train" not in found or len(set(found)) < 2:
        return [""] * len(shards)
    return [f"{split}/" for split in found]


def table_of(labels: Mapping[str, str]) -> dict[str, bytes]:
    """A source's `tables` with these labels by file name; empty without any."""
    if not labels:
        return {}
    out = io.StringIO()
    rows = csv.writer(out)
    rows.writerow(("file_name", "label"))
    rows.writerows(labels.items())
    return {"labels.csv": out.getvalue().encode()}


def state_of(shards: Sequence[Path]) -> str:
    """What changes whenever one of the files does, without reading them."""
    facts = [(file.name, file.stat().st_size, file.stat().st_mtime_ns) for file in shards]
    return hashlib.sha256(repr(facts).encode("utf-8", "surrogateescape")).hexdigest()


def identity_of(shards: Sequence[Path]) -> str:
    """A digest of the files' names and contents."""
    digest = hashlib.sha256()
    for file in shards:
        digest.update(f"{file.name}\0".encode("utf-8", "surrogateescape"))
        with open(file, "rb") as content:
            digest.update(hashlib.file_digest(content, "sha256").digest())
    return digest.hexdigest()


def _split_of(shard: Path) -> str | None:
    words = (re.match(r"[a-z]*", part.lower()) for part in (shard.name, shard.parent.name))
    return next((SPLITS[word[0]] for word in words if word and word[0] in SPLITS), None)
