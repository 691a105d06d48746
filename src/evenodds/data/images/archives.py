"""Image files in a zip or a tar, read in place: nothing is extracted."""

from __future__ import annotations

import functools
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from ...errors import DataError
from .decode import BadImageError
from .naming import file_digest, file_state, harmless, hidden, is_image, is_table, natural, refuse_size


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
        refuse_size(info.file_size)  # zipfile stops at the declared size, so that it can't be a lie
        try:
            return self._zip.read(info)
        except (zipfile.BadZipFile, zlib.error, EOFError, OSError, NotImplementedError, ValueError) as error:
            raise BadImageError(f"damaged or cut short ({error!s:.100})") from error

    def state(self) -> str:
        """See `Source`."""
        return file_state(Path(self.path))

    def identity(self) -> str:
        """See `Source`."""
        return file_digest(Path(self.path))


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
        refuse_size(size)
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
        return file_state(Path(self.path))

    def identity(self) -> str:
        """See `Source`."""
        return file_digest(Path(self.path))


def _tables(path: str, reads: Mapping[str, Callable[[], bytes]]) -> dict[str, bytes]:
    """The contents of the tables among an archive's files."""
    try:
        return {name: read() for name, read in reads.items() if is_table(name)}
    except BadImageError as error:
        raise DataError(f"a table of labels in {path} can't be read ({error}); copy it again") from error
