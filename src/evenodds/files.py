"""Writing files so that a reader sees the old content or the new, never half of it."""

from __future__ import annotations

import contextlib
import os
import re
import secrets
from collections.abc import Callable, Iterator
from pathlib import Path

from .errors import RunError


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`; on leaving, flush it to disk and rename it over `path`.

    Whatever goes wrong, also a full disk or a kill, the previous file stays as it was.  Only a kill leaves
    the temporary file behind, see `remove_stale`.

    Raises:
        RunError: the disk is full or the folder can't be written to.
    """
    # not the process id: two threads, or two containers that share a folder, may have the same
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    try:
        yield temporary
        with open(temporary, "rb+") as file:
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except OSError as error:
        reason = error.strerror or str(error)
        remedy = "free some space or choose another folder"
        raise RunError(f"{path} could not be written ({reason}); {remedy}") from error
    finally:
        temporary.unlink(missing_ok=True)
    _flush_folder(path.parent)


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 text atomically."""
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_with(path: Path, write: Callable[[Path], object]) -> None:
    """Let `write(temporary_path)` produce the file, then put it in place atomically."""
    with replacing(path) as temporary:
        write(temporary)


def remove_stale(folder: Path, pattern: str = ".*") -> None:
    """Delete the temporary files that killed processes left of files whose whole name matches `pattern`.

    Only for a folder in which no other process can be writing such files now.
    """
    for path in folder.glob(".*.tmp"):
        match = re.fullmatch(r"\.(.+)\.[0-9a-f]+\.tmp", path.name)
        if match and re.fullmatch(pattern, match[1]):
            path.unlink(missing_ok=True)


def _flush_folder(folder: Path) -> None:
    """Make the rename itself survive a power cut, where the system can do that to a folder at all."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
