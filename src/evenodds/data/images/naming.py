"""Names of files: which are images, in which order, and a digest of many."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from .decode import ENDINGS, BadImageError

MAX_FILE = 512 << 20  # bytes of one image file; more is a mistake or a bomb
IGNORED = ("__MACOSX", "Thumbs.db", "desktop.ini")  # what systems leave beside the user's files
TABLES = ("dataset.json", "labels.csv", "metadata.csv")  # files with labels


def is_image(name: str) -> bool:
    """By its ending."""
    return name.lower().endswith(ENDINGS)


def is_table(name: str) -> bool:
    """Whether a file may hold labels; deep down there are none."""
    return name.rpartition("/")[2] in TABLES and name.count("/") <= 3


def hidden(part: str) -> bool:
    """Whether one part of a name marks what systems leave behind."""
    return part.startswith(".") or part in IGNORED


def harmless(name: str) -> str:
    """An archive's name with / between its parts, and no part that points elsewhere."""
    parts = name.replace("\\", "/").split("/")
    return "/".join(part for part in parts if part not in ("", ".", ".."))


def natural(name: str) -> tuple[tuple[tuple[int, int, str], ...], str]:
    """Sorts img2 before img10, whatever the case; the name itself decides between equals."""
    parts = re.split(r"([0-9]+)", name.casefold())
    return tuple((0, int(part), "") if part.isdecimal() else (1, 0, part) for part in parts if part), name


def digest_of(files: Iterable[tuple[str, str]], tables: Mapping[str, bytes]) -> str:
    """SHA-256 of (name, fact) of each file, and of the tables."""
    digest = hashlib.sha256()
    for name, fact in files:
        digest.update(f"{name}\0{fact}\0".encode("utf-8", "surrogateescape"))
    for name, content in sorted(tables.items()):
        digest.update(f"{name}\0{hashlib.sha256(content).hexdigest()}\0".encode())
    return digest.hexdigest()


def refuse_size(size: int) -> None:
    """Of one file.

    Raises:
        BadImageError: it is too large for an image.
    """
    if size > MAX_FILE:
        raise BadImageError(f"too large ({size} bytes)")


def file_state(path: Path) -> str:
    """What changes whenever a file does."""
    status = path.stat()
    return f"{status.st_size} {status.st_mtime_ns} {status.st_ino}"


def file_digest(path: Path) -> str:
    """SHA-256 of a file's content."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
