"""Where image files are: in a folder, a zip or a tar; listed in one order, and read one by one."""

from __future__ import annotations

import hashlib
import os
import re
import tarfile
import threading
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Protocol

from ...errors import DataError
from .decode import ENDINGS, BadImageError

MAX_FILE = 512 << 20  # bytes of one image file; more is a mistake or a bomb
IGNORED = ("__MACOSX", "Thumbs.db", "desktop.ini")  # what systems leave beside the user's files
TABLES = ("dataset.json", "labels.csv", "metadata.csv")  # files with labels, at the top


class Source(Protocol):
    """Image files in a fixed order, wherever they are."""

    @property
    def path(self) -> str:
        """Where they are, for messages."""

    @property
    def names(self) -> Sequence[str]:
        """Relative names with / between the parts; only labels, nothing is written under them."""

    @property
    def tables(self) -> dict[str, bytes]:
        """Contents of those of TABLES that are there."""

    @property
    def problems(self) -> Sequence[tuple[str, str]]:
        """(name, reason) of what could not even be listed."""

    def read(self, index: int) -> bytes:
        """The content of file number `index`; may be called from several threads.

        Raises:
            BadImageError: it can't be read.
        """

    def state(self) -> str:
        """What changes whenever a file does, found without reading any; for looking up `identity`."""

    def identity(self) -> str:
        """A digest of names and contents."""


def open_source(path: Path) -> Source:
    """The image files at that path.

    Raises:
        DataError: there is nothing, nothing readable, or nothing of a known kind.
    """
    try:
        if path.is_dir():
            return Folder(path)
        if not path.exists():
            raise DataError(f"{path} does not exist; check the path")
        if zipfile.is_zipfile(path):
            return Zip(path)
        if path.suffix.lower() == ".zip":
            raise DataError(f"{path} is cut short or no zip file; copy or download it again")
        if tarfile.is_tarfile(path):
            return Tar(path)
    except PermissionError as error:
        raise DataError(f"{path} can't be read ({error.strerror}); change its permissions") from error
    raise DataError(f"{path} is a file, no folder, zip or tar of images; give the folder that it is in")


class Folder:
    """A folder and all below it; links are followed, but into no folder twice."""

    def __init__(self, path: Path) -> None:
        self.path = str(path)
        self.tables: dict[str, bytes] = {}
        self.problems: list[tuple[str, str]] = []
        found = sorted(self._walk(path, "", {_inode(path)}), key=lambda file: natural(file[0]))
        self.names = [name for name, _, _ in found]
        self._sizes = [(size, changed) for _, size, changed in found]

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
                if inode not in seen:  # a link to a folder above, or the second to one folder
                    seen.add(inode)
                    yield from self._walk(Path(entry.path), f"{name}/", seen)
            elif name in TABLES:
                self.tables[name] = Path(entry.path).read_bytes()
            elif is_image(name):
                try:
                    status = entry.stat()
                    yield name, status.st_size, status.st_mtime_ns
                except OSError as error:
                    self.problems.append((name, f"can't be read ({error.strerror})"))

    def read(self, index: int) -> bytes:
        """See `Source`."""
        if self._sizes[index][0] > MAX_FILE:
            raise BadImageError(f"too large ({self._sizes[index][0]} bytes)")
        try:
            return Path(self.path, self.names[index]).read_bytes()
        except OSError as error:
            raise BadImageError(f"can't be read ({error.strerror})") from error

    def state(self) -> str:
        """See `Source`."""
        return digest_of(self.names, self._sizes, self.tables)

    def identity(self) -> str:
        """See `Source`."""
        return digest_of(self.names, [_content_digest(self, i) for i in range(len(self.names))], self.tables)


class Zip:
    """A zip file, read in place: nothing is extracted."""

    def __init__(self, path: Path) -> None:
        self.path = str(path)
        self.problems: list[tuple[str, str]] = []
        try:
            self._zip = zipfile.ZipFile(path)
        except (zipfile.BadZipFile, OSError, NotImplementedError, ValueError) as error:
            raise DataError(f"{path} is cut short or damaged ({error}); copy or download it again") from error
        entries = [(harmless(info.filename), info) for info in self._zip.infolist() if not info.is_dir()]
        entries = [(name, info) for name, info in entries if not any(map(hidden, name.split("/")))]
        images = [(name, info) for name, info in entries if is_image(name)]
        images.sort(key=lambda entry: natural(entry[0]))
        self.names = [name for name, _ in images]
        self._entries = [info for _, info in images]
        self.tables = {name: self._read(info) for name, info in entries if name in TABLES}

    def read(self, index: int) -> bytes:
        """See `Source`."""
        return self._read(self._entries[index])

    def _read(self, info: zipfile.ZipInfo) -> bytes:
        if info.flag_bits & 1:
            raise BadImageError("encrypted")
        if info.file_size > MAX_FILE:  # zipfile stops at the declared size, so that it can't be a lie
            raise BadImageError(f"too large ({info.file_size} bytes)")
        try:
            return self._zip.read(info)
        except (zipfile.BadZipFile, zlib.error, EOFError, OSError, NotImplementedError, ValueError) as error:
            raise BadImageError(f"damaged or cut short ({error!s:.100})") from error

    def state(self) -> str:
        """See `Source`."""
        return _file_state(Path(self.path))

    def identity(self) -> str:
        """See `Source`."""
        return _file_digest(Path(self.path))


class Tar:
    """A tar file that is not compressed, read in place."""

    def __init__(self, path: Path) -> None:
        self.path = str(path)
        self.problems: list[tuple[str, str]] = []
        try:
            with tarfile.open(path, "r:") as archive:
                members = [(harmless(member.name), member) for member in archive if member.isreg()]
        except tarfile.ReadError as error:
            if path.stat().st_size and "compressed" not in str(error) and tarfile.is_tarfile(path) is False:
                raise DataError(f"{path} is damaged ({error}); copy or download it again") from error
            raise DataError(
                f"{path} is compressed or damaged ({error}); unpack it, or give a plain .tar or a .zip"
            ) from error
        members = [(name, member) for name, member in members if not any(map(hidden, name.split("/")))]
        images = sorted((m for m in members if is_image(m[0])), key=lambda member: natural(member[0]))
        self.names = [name for name, _ in images]
        self._places = [(member.offset_data, member.size) for _, member in images]
        self._lock = threading.Lock()
        self.tables = {
            name: self._read(member.offset_data, member.size) for name, member in members if name in TABLES
        }

    def read(self, index: int) -> bytes:
        """See `Source`."""
        return self._read(*self._places[index])

    def _read(self, offset: int, size: int) -> bytes:
        if size > MAX_FILE:
            raise BadImageError(f"too large ({size} bytes)")
        try:
            with open(self.path, "rb") as file:
                file.seek(offset)
                content = file.read(size)
        except OSError as error:
            raise BadImageError(f"can't be read ({error.strerror})") from error
        if len(content) < size:
            raise BadImageError("cut short")
        return content

    def state(self) -> str:
        """See `Source`."""
        return _file_state(Path(self.path))

    def identity(self) -> str:
        """See `Source`."""
        return _file_digest(Path(self.path))


def is_image(name: str) -> bool:
    """By its ending."""
    return name.lower().endswith(ENDINGS)


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


def digest_of(names: Sequence[str], facts: Sequence[object], tables: dict[str, bytes]) -> str:
    """SHA-256 of a list of files."""
    digest = hashlib.sha256()
    for name, fact in zip(names, facts, strict=True):
        digest.update(f"{name}\0{fact}\0".encode("utf-8", "surrogateescape"))
    for name, content in sorted(tables.items()):
        digest.update(f"{name}\0{hashlib.sha256(content).hexdigest()}\0".encode())
    return digest.hexdigest()


def _content_digest(source: Source, index: int) -> str:
    """SHA-256 of a file, or why there is none."""
    try:
        return hashlib.sha256(source.read(index)).hexdigest()
    except BadImageError as error:
        return str(error)


def _file_state(path: Path) -> str:
    status = path.stat()
    return f"{status.st_size} {status.st_mtime_ns} {status.st_ino}"


def _file_digest(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _inode(path: Path) -> tuple[int, int]:
    status = path.stat()
    return status.st_dev, status.st_ino


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link that points to itself
        return False
