"""Image files in a folder and all below it."""

from __future__ import annotations

import functools
import hashlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path

from ...errors import DataError
from .decode import BadImageError
from .naming import digest_of, hidden, is_image, is_table, natural, refuse_size


class Folder:
    """A folder and all below it; links are followed, but into no folder twice."""

    def __init__(self, path: Path) -> None:
        self.path = str(path)
        self.tables: dict[str, bytes] = {}
        self.problems: list[tuple[str, str]] = []
        self._found = list(self._walk(path, "", {_inode(path)}))

    @functools.cached_property
    def names(self) -> list[str]:
        """See `Source`."""
        self._found.sort(key=lambda file: natural(file[0]))
        return [name for name, _, _ in self._found]

    def _walk(self, folder: Path, prefix: str, seen: set[tuple[int, int]]) -> Iterator[tuple[str, int, int]]:
        """(name, bytes, time of change in ns) of the images in a folder and below."""
        try:
            entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
        except OSError as error:
            if not prefix:
                raise DataError(
                    f"{folder} can't be read ({error.strerror}); change its permissions"
                ) from error
            self.problems.append((prefix, f"can't be read ({error.strerror})"))
            return
        for entry in entries:
            name = prefix + entry.name
            if hidden(entry.name):
                continue
            if _is_folder(entry):
                inode = _inode(Path(entry.path))
                if inode not in seen:  # else a link to a folder above, or the second way to one
                    seen.add(inode)
                    yield from self._walk(Path(entry.path), f"{name}/", seen)
            elif is_table(name):
                self.tables[name] = Path(entry.path).read_bytes()
            elif is_image(name):
                try:
                    status = entry.stat()
                    if stat.S_ISREG(status.st_mode):
                        yield name, status.st_size, status.st_mtime_ns
                    else:  # a pipe would never end
                        self.problems.append((name, "not a file"))
                except OSError as error:  # a link to nothing
                    self.problems.append((name, f"can't be read ({error.strerror})"))

    def read(self, index: int) -> bytes:
        """See `Source`."""
        name = self.names[index]  # sorts what was found
        refuse_size(self._found[index][1])
        try:
            return Path(self.path, name).read_bytes()
        except OSError as error:
            raise BadImageError(f"can't be read ({error.strerror})") from error

    def state(self) -> str:
        """See `Source`."""
        return digest_of(((name, f"{size} {changed}") for name, size, changed in self._found), self.tables)

    def identity(self) -> str:
        """See `Source`."""
        contents = (self._content_digest(number) for number in range(len(self.names)))
        return digest_of(zip(self.names, contents, strict=True), self.tables)

    def _content_digest(self, index: int) -> str:
        """SHA-256 of a file, or why there is none."""
        try:
            return hashlib.sha256(self.read(index)).hexdigest()
        except BadImageError as error:
            return str(error)


def _inode(path: Path) -> tuple[int, int]:
    status = path.stat()
    return status.st_dev, status.st_ino


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link that points to itself
        return False
