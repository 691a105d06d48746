"""Where image files are: in a folder, a zip or a tar; listed in one order, and read one by one."""

from __future__ import annotations

import functools
import hashlib
import os
import re
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
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
    def tables(self) -> Mapping[str, bytes]:
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
            elif name in TABLES:
                self.tables[name] = Path(entry.path).read_bytes()
            elif is_image(name):
                try:
                    status = entry.stat()
                    yield name, status.st_size, status.st_mtime_ns
                except OSError as error:  # a link to nothing
                    self.problems.append((name, f"can't be read ({error.strerror})"))

    def read(self, index: int) -> bytes:
        """See `Source`."""
        name = self.names[index]  # sorts what was found
        _refuse_size(self._found[index][1])
        try:
            return Path(self.path, name).read_bytes()
        except OSError as error:
            raise BadImageError(f"can't be read ({error.strerror})") from error

    def state(self) -> str:
        """See `Source`."""
        return digest_of(((name, f"{size} {changed}") for name, size, changed in self._found), self.tables)

    def identity(self) -> str:
        """See `Source`."""
        contents = (_content_digest(self, number) for number in range(len(self.names)))
        return digest_of(zip(self.names, contents, strict=True), self.tables)


class Zip:
    """A zip file, read in place: nothing is extracted."""

    problems: Sequence[tuple[str, str]] = ()

    def __init__(self, path: Path) -> None:
        self.path = str(path)

    @functools.cached_property
    def _zip(self) -> zipfile.ZipFile:
        try:
            return zipfile.ZipFile(self.path)
        except (zipfile.BadZipFile, OSError, NotImplementedError, ValueError) as error:
            raise DataError(
                f"{self.path} is cut short or damaged ({error}); copy or download it again"
            ) from error

    @functools.cached_property
    def _entries(self) -> list[tuple[str, zipfile.ZipInfo]]:
        """All files but hidden ones, sorted."""
        entries = [(harmless(info.filename), info) for info in self._zip.infolist() if not info.is_dir()]
        entries = [entry for entry in entries if not any(map(hidden, entry[0].split("/")))]
        return sorted(entries, key=lambda entry: natural(entry[0]))

    @functools.cached_property
    def _images(self) -> list[tuple[str, zipfile.ZipInfo]]:
        return [entry for entry in self._entries if is_image(entry[0])]

    @functools.cached_property
    def names(self) -> list[str]:
        """See `Source`."""
        return [name for name, _ in self._images]

    @functools.cached_property
    def tables(self) -> dict[str, bytes]:
        """See `Source`."""
        return _tables(self.path, {n: functools.partial(self._read, e) for n, e in self._entries})

    def read(self, index: int) -> bytes:
        """See `Source`."""
        return self._read(self._images[index][1])

    def _read(self, info: zipfile.ZipInfo) -> bytes:
        if info.flag_bits & 1:
            raise BadImageError("encrypted")
        _refuse_size(info.file_size)  # zipfile stops at the declared size, so that it can't be a lie
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

    problems: Sequence[tuple[str, str]] = ()

    def __init__(self, path: Path) -> None:
        self.path = str(path)

    @functools.cached_property
    def _entries(self) -> list[tuple[str, int, int]]:
        """(name, where it begins, bytes) of all files but hidden ones, sorted."""
        try:
            with tarfile.open(self.path, "r:") as archive:
                members = [(harmless(m.name), m.offset_data, m.size) for m in archive if m.isreg()]
        except (tarfile.TarError, OSError) as error:
            raise DataError(
                f"{self.path} is compressed or damaged ({error}); unpack it, or give a plain .tar or a .zip"
            ) from error
        members = [member for member in members if not any(map(hidden, member[0].split("/")))]
        return sorted(members, key=lambda member: natural(member[0]))

    @functools.cached_property
    def _images(self) -> list[tuple[str, int, int]]:
        return [entry for entry in self._entries if is_image(entry[0])]

    @functools.cached_property
    def names(self) -> list[str]:
        """See `Source`."""
        return [name for name, _, _ in self._images]

    @functools.cached_property
    def tables(self) -> dict[str, bytes]:
        """See `Source`."""
        return _tables(self.path, {n: functools.partial(self._read, o, s) for n, o, s in self._entries})

    def read(self, index: int) -> bytes:
        """See `Source`."""
        _, offset, size = self._images[index]
        return self._read(offset, size)

    def _read(self, offset: int, size: int) -> bytes:
        _refuse_size(size)
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


def digest_of(files: Iterable[tuple[str, str]], tables: Mapping[str, bytes]) -> str:
    """SHA-256 of (name, fact) of each file, and of the tables."""
    digest = hashlib.sha256()
    for name, fact in files:
        digest.update(f"{name}\0{fact}\0".encode("utf-8", "surrogateescape"))
    for name, content in sorted(tables.items()):
        digest.update(f"{name}\0{hashlib.sha256(content).hexdigest()}\0".encode())
    return digest.hexdigest()


def _tables(path: str, reads: Mapping[str, Callable[[], bytes]]) -> dict[str, bytes]:
    """The contents of the tables among an archive's files."""
    try:
        return {name: reads[name]() for name in TABLES if name in reads}
    except BadImageError as error:
        raise DataError(f"a table of labels in {path} can't be read ({error}); copy it again") from error


def _refuse_size(size: int) -> None:
    if size > MAX_FILE:
        raise BadImageError(f"too large ({size} bytes)")


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
