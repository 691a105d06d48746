"""WebDataset: tar files in which `key.jpg` stands beside `key.cls` or `key.json`, in one or many shards.

The format is that of Aizman, Maltby and Breuel (2019): files whose names are equal up to the first dot of
the last part are one example. Shards are read in place; nothing is extracted.
"""

from __future__ import annotations

import json
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from ..errors import DataError
from .images.decode import ENDINGS, BadImageError
from .images.naming import MAX_FILE, harmless
from .shards import expanded, files_in, identity_of, shards_at, split_prefixes, state_of, table_of

LABEL_ENDINGS = (".cls", ".json")
LABEL_FIELDS = ("label", "class", "cls", "category", "target")  # of a .json, in the order looked for
MOST_LABEL_BYTES = 1 << 20
LOOKED_AT = 64  # members of a tar that tell whether it is a WebDataset


class Place(NamedTuple):
    """Where the bytes of a file are: in which shard, from where, and how many."""

    shard: Path
    offset: int
    size: int


class WebDataset:
    """A `Source` of the images in shards; labels from .cls (a number or a name) or a field of .json.

    Args:
        path: a tar, a folder of tars, or `name-{000..003}.tar`.
        label: the field of .json files that is the label; None takes the first of LABEL_FIELDS there is.

    Raises:
        DataError: a shard is missing or damaged, or a label can't be read.
    """

    def __init__(self, path: Path, label: str | None = None) -> None:
        self.path = str(path)
        self.problems: list[tuple[str, str]] = []
        self._shards = shards_at(path, (".tar",))
        self._field = label
        self._places: list[Place] = []
        self.names: list[str] = []
        labels: dict[str, str] = {}
        seen: set[str] = set()
        for shard, prefix in zip(self._shards, split_prefixes(self._shards), strict=True):
            for key, (ending, place), found in self._examples(shard):
                name = prefix + key + ending
                if name in seen:  # the keys of another shard may be the same
                    name = f"{prefix}{key} in {shard.stem}{ending}"
                seen.add(name)
                self.names.append(name)
                self._places.append(place)
                if found is not None:
                    labels[name] = found
        self.tables = table_of(labels)

    def read(self, index: int) -> bytes:
        """See `images.listing.Source`."""
        place = self._places[index]
        if place.size > MAX_FILE:
            raise BadImageError(f"too large ({place.size} bytes)")
        try:
            content = _content(place)
        except OSError as error:
            raise BadImageError(f"can't be read ({error.strerror})") from error
        if len(content) < place.size:
            raise BadImageError("cut short")
        return content

    def state(self) -> str:
        """See `images.listing.Source`."""
        return f"{state_of(self._shards)} {self._field}"

    def identity(self) -> str:
        """See `images.listing.Source`."""
        return identity_of(self._shards)

    def _examples(self, shard: Path) -> Iterator[tuple[str, tuple[str, Place], str | None]]:
        """(key, (ending, where its image is), label) of each example of a shard that has an image."""
        examples: dict[str, dict[str, Place]] = {}
        members, problem = _members(shard)
        if problem is not None:
            self.problems.append((shard.name, problem))
        for name, place in members:
            key, ending = split_key(name)
            examples.setdefault(key, {})[ending] = place
        for key, files in examples.items():
            image = next((ending for ending in files if ending.endswith(ENDINGS)), None)
            if image is not None:
                yield key, (image, files[image]), self._label(f"{key} in {shard}", files)

    def _label(self, where: str, files: dict[str, Place]) -> str | None:
        """Of one example; None if it has no label."""
        ending = next((ending for ending in LABEL_ENDINGS if ending in files), None)
        if ending is None:
            return None
        if files[ending].size > MOST_LABEL_BYTES:
            raise DataError(f"the label {where} has {files[ending].size} bytes; give a .cls with a number")
        try:
            text = _content(files[ending]).decode("utf-8").strip()
            return text if ending == ".cls" else _field(json.loads(text), self._field)
        except (ValueError, RecursionError, OSError) as error:
            raise DataError(
                f"the label {where} can't be read ({str(error)[:80]}); write a number or a name into {ending}"
            ) from error


def is_webdataset(path: Path) -> bool:
    """Whether a tar, a folder of tars or a pattern looks like a WebDataset, by its first members."""
    if path.is_dir():
        tars = files_in(path, (".tar",))
        return bool(tars) and not any(file.suffix.lower() in ENDINGS for file in path.iterdir())
    names = expanded(str(path))
    if len(names) > 1:
        return str(path).endswith(".tar")
    if path.suffix != ".tar" or not path.is_file():
        return False
    try:
        with tarfile.open(path, "r:") as archive:
            first = [harmless(member.name) for member, _ in zip(archive, range(LOOKED_AT), strict=False)]
    except (tarfile.TarError, OSError):
        return False
    keys = [split_key(name) for name in first]
    images = {key for key, ending in keys if ending.endswith(ENDINGS)}
    return any(key in images for key, ending in keys if ending in LABEL_ENDINGS)


def split_key(name: str) -> tuple[str, str]:
    """`a/b.seg.png` as the key `a/b` and the ending `.seg.png`, in lower case."""
    folder, slash, base = name.rpartition("/")
    stem, dot, ending = base.partition(".")
    return folder + slash + stem, (dot + ending).lower()


def _members(shard: Path) -> tuple[list[tuple[str, Place]], str | None]:
    """(name, place) of the files of a tar that is not compressed, and what is wrong after them, if anything.

    A tar ends with blocks of zeros. Where there are none, it was cut, and Python's tarfile says nothing.
    """
    found: list[tuple[str, Place]] = []
    try:
        with tarfile.open(shard, "r:") as archive:
            try:
                for member in archive:
                    if member.isreg():
                        place = Place(shard, member.offset_data, member.size)
                        found.append((harmless(member.name), place))
            except tarfile.ReadError as error:
                return found[:-1], f"damaged after {len(found) - 1} files ({error})"
            end = Place(shard, archive.offset, tarfile.BLOCKSIZE)
        if _content(end).strip(b"\0") or shard.stat().st_size < end.offset + end.size:
            return found, f"cut short after {len(found)} files"
    except (tarfile.TarError, OSError) as error:
        raise DataError(
            f"{shard} is compressed, damaged or no tar file ({error}); unpack it, or copy it again"
        ) from error
    return found, None


def _content(place: Place) -> bytes:
    with open(place.shard, "rb") as file:
        file.seek(place.offset)
        return file.read(place.size)


def _field(found: object, name: str | None) -> str | None:
    """The label in a .json: a number or text."""
    if not isinstance(found, dict):
        raise ValueError("it is no JSON object")
    wanted = LABEL_FIELDS if name is None else (name,)
    value = next((found[field] for field in wanted if field in found), None)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, (int, str)):
        raise ValueError(f"its label is {value!r:.40}")
    return str(value)
