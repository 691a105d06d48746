"""CIFAR-10 and CIFAR-100 in their binary version (Krizhevsky 2009), in a folder or inside a .tar.gz.

A file is a row of records: one label byte (CIFAR-100: a coarse and a fine one), then 3072 bytes of a red, a
green and a blue plane of 32 × 32 pixels, rows first. The version "for Python" is pickled: never opened.
"""

from __future__ import annotations

import gzip
import io
import tarfile
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..errors import ConfigError, DataError, suggest
from .dataset import Array

PIXELS = 3 * 32 * 32
MOST_BYTES = 1 << 30  # that are unpacked while looking for the files: CIFAR is 0.2 GB, and a bomb much more
GZIP_MAGIC = b"\x1f\x8b"
ARCHIVES = (".tar.gz", ".tgz", ".tar")
LABELS = ("fine", "coarse")


@dataclass(frozen=True)
class Version:
    """How one of the two data sets is stored.

    Args:
        title: for messages.
        train: names of the files to train on.
        test: name of the file of test images.
        names: file of the class names, by the kind of label.
        label_bytes: before the pixels of each record, and which of them is the label, by its kind.
    """

    title: str
    train: tuple[str, ...]
    test: str
    names: Mapping[str, str]
    label_bytes: int
    label_at: Mapping[str, int]


VERSIONS = (
    Version(
        title="CIFAR-10",
        train=tuple(f"data_batch_{number}.bin" for number in range(1, 6)),
        test="test_batch.bin",
        names={"fine": "batches.meta.txt", "coarse": "batches.meta.txt"},
        label_bytes=1,
        label_at={"fine": 0, "coarse": 0},
    ),
    Version(
        title="CIFAR-100",
        train=("train.bin",),
        test="test.bin",
        names={"fine": "fine_label_names.txt", "coarse": "coarse_label_names.txt"},
        label_bytes=2,
        label_at={"fine": 1, "coarse": 0},
    ),
)
WANTED = {name for version in VERSIONS for name in (*version.train, version.test, *version.names.values())}
# What the files for Python are called: the first five of the one, and the other's.
PICKLED = {"data_batch_1", "test_batch", "batches.meta"}
FOLDERS_OF_PICKLES = ("cifar-10-batches-py", "cifar-100-python")

Labelled = tuple[Array, Array]


def is_cifar(path: Path) -> bool:
    """Whether a folder or archive holds CIFAR, in the binary version or the pickled one."""
    if path.is_dir():
        names = {entry.name for entry in path.iterdir()}
        return bool(names & (PICKLED | {v.train[0] for v in VERSIONS} | {v.test for v in VERSIONS})) or (
            path.name in FOLDERS_OF_PICKLES
        )
    if not path.name.lower().endswith(ARCHIVES):
        return False
    try:
        with tarfile.open(path, "r:*") as archive:
            first = [member.name for member, _ in zip(archive, range(8), strict=False)]
    except (tarfile.TarError, OSError, EOFError, zlib.error):
        return "cifar" in path.name.lower()  # opening it says what is wrong with it
    return any(_base(name) in WANTED | PICKLED or _pickled(name) for name in first)


def load_cifar(path: Path, *, labels: str = "fine") -> tuple[Labelled, Labelled | None, tuple[str, ...]]:
    """Training images (N, 3, 32, 32) uint8 and labels (N,) int64, the test images likewise, and class names.

    Of the training files, those that are there are used; without a test file there are no test images.

    Args:
        path: the folder, or the .tar.gz or .tar, which is read without being unpacked to the disk.
        labels: of CIFAR-100, the 100 "fine" classes or the 20 "coarse" ones.

    Raises:
        DataError: a file is missing, cut short, or of another kind.
        ConfigError: there are no such labels.
    """
    if labels not in LABELS:
        raise ConfigError(f"labels={labels!r} does not exist{suggest(labels, LABELS)}")
    files = dict(_in_folder(path) if path.is_dir() else _in_archive(path))
    version = next((v for v in VERSIONS if any(name in files for name in v.train)), None)
    if version is None:
        raise DataError(
            f"{path} holds no training file of CIFAR's binary version; give a folder or .tar.gz with "
            "data_batch_1.bin to data_batch_5.bin, or with train.bin"
        )
    names = _class_names(files, version, labels, path)
    parts = [
        _records(files[name], version, labels, len(names), f"{name} in {path}")
        for name in version.train
        if name in files
    ]
    train = np.concatenate([x for x, _ in parts]), np.concatenate([y for _, y in parts])
    if version.test not in files:
        return train, None, names
    return (
        train,
        _records(files[version.test], version, labels, len(names), f"{version.test} in {path}"),
        names,
    )


def _records(content: bytes, version: Version, labels: str, classes: int, where: str) -> Labelled:
    """Images and labels of one file."""
    size = version.label_bytes + PIXELS
    if not content or len(content) % size:
        raise DataError(
            f"{where} has {len(content)} bytes, not a multiple of the {size} of a record of {version.title}; "
            "copy or download it again"
        )
    rows = np.frombuffer(content, np.uint8).reshape(-1, size)
    y = rows[:, version.label_at[labels]].astype(np.int64)
    if int(y.max()) >= classes:
        raise DataError(
            f"{where} has the label {int(y.max())} where there are {classes} classes; "
            "copy or download it again"
        )
    return rows[:, version.label_bytes :].reshape(-1, 3, 32, 32).copy(), y


def _class_names(files: Mapping[str, bytes], version: Version, labels: str, path: Path) -> tuple[str, ...]:
    """Of the text file, or numbers where there is none."""
    name = version.names[labels]
    if name not in files:
        count = 10 if version.title == "CIFAR-10" else 100 if labels == "fine" else 20
        return tuple(map(str, range(count)))
    try:
        names = tuple(line.strip() for line in files[name].decode("utf-8").splitlines() if line.strip())
    except UnicodeDecodeError as error:
        raise DataError(f"{name} in {path} is no text ({error}); copy or download it again") from error
    if not 1 <= len(names) <= 256:
        raise DataError(f"{name} in {path} has {len(names)} class names; copy or download it again")
    return names


def _in_folder(path: Path) -> Iterator[tuple[str, bytes]]:
    """(name, content) of the files there."""
    names = {entry.name for entry in path.iterdir()}
    if not names & WANTED and (names & PICKLED or path.name in FOLDERS_OF_PICKLES):
        raise _refusal(path)
    for name in sorted(names & WANTED):
        try:
            with (path / name).open("rb") as file:
                yield name, _Limited(file, path / name).read(MOST_BYTES + 1)
        except OSError as error:
            raise DataError(f"{path / name} can't be read ({error.strerror}); check the file") from error


def _in_archive(path: Path) -> Iterator[tuple[str, bytes]]:
    """(name, content) of the files in a tar, compressed or not, in one pass."""
    try:
        with path.open("rb") as file:
            opener = gzip.open if file.read(2) == GZIP_MAGIC else open
        with opener(path, "rb") as stream, tarfile.open(fileobj=_Limited(stream, path), mode="r|") as archive:
            for member in archive:
                if _pickled(member.name):
                    raise _refusal(path)
                name = _base(member.name)
                content = archive.extractfile(member) if member.isreg() and name in WANTED else None
                if content is not None:
                    yield name, content.read()
    except FileNotFoundError as error:
        raise DataError(f"{path} does not exist; check the path") from error
    except (tarfile.TarError, EOFError, zlib.error, OSError) as error:
        raise DataError(f"{path} is cut short or damaged ({error}); copy or download it again") from error


class _Limited(io.RawIOBase):
    """A stream that ends with an error where more comes out of it than CIFAR has: a bomb, or another file."""

    def __init__(self, stream: gzip.GzipFile | io.BufferedReader, path: Path) -> None:
        self._stream, self._path, self._left = stream, path, MOST_BYTES

    def read(self, size: int = -1) -> bytes:
        """The next bytes."""
        content = self._stream.read(size)
        self._left -= len(content)
        if self._left < 0:
            raise DataError(
                f"{self._path} unpacks to more than {MOST_BYTES >> 20} MiB, which CIFAR does not; "
                "check that it is the right file"
            )
        return content


def _refusal(path: Path) -> DataError:
    return DataError(
        f"{path} is the Python version of CIFAR, pickled files that could run code when they are opened; "
        'give the "binary version" instead (cifar-10-binary.tar.gz or cifar-100-binary.tar.gz)'
    )


def _pickled(name: str) -> bool:
    parts = name.split("/")
    return parts[-1] in PICKLED or parts[0] in FOLDERS_OF_PICKLES


def _base(name: str) -> str:
    return name.rpartition("/")[2]
