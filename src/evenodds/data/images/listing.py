"""Where image files are: in a folder, a zip or a tar; listed in one order, and read one by one."""

from __future__ import annotations

import tarfile
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

from ...errors import DataError
from .archives import Tar, Zip
from .folders import Folder


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
        """Contents of the files that may hold labels, by name."""

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
