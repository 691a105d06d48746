"""IDX files of unsigned bytes, plain or gzip-compressed: the format of MNIST (LeCun, Cortes and Burges 1998).

Two zero bytes, a type byte (0x08 for unsigned bytes), the rank, as many sizes as big-endian 32-bit numbers,
then the values, the last axis fastest.
"""

from __future__ import annotations

import gzip
import math
import struct
import zlib
from pathlib import Path

import numpy as np

from ..errors import DataError
from .dataset import Array

GZIP_MAGIC = b"\x1f\x8b"
UNSIGNED_BYTES = 0x08
OTHER_TYPES = {0x09: "int8", 0x0B: "int16", 0x0C: "int32", 0x0D: "float32", 0x0E: "float64"}
# The four files of an MNIST-like folder, each also without ".gz".
FOLDER_FILES = (
    "train-images-idx3-ubyte.gz",
    "train-labels-idx1-ubyte.gz",
    "t10k-images-idx3-ubyte.gz",
    "t10k-labels-idx1-ubyte.gz",
)


def parse_idx(content: bytes, where: str) -> Array:
    """The uint8 array in the bytes of an IDX file.

    Args:
        content: the uncompressed file.
        where: its name, for messages.

    Raises:
        DataError: the header is not that of unsigned bytes, or the length is not what the header says.
    """
    if len(content) < 4 or content[:2] != b"\0\0":
        raise DataError(
            f"{where} is not an IDX file, which begins with two zero bytes; check that it is the right file"
        )
    kind, rank = content[2], content[3]
    if kind != UNSIGNED_BYTES:
        name = OTHER_TYPES.get(kind, "an unknown type")
        raise DataError(
            f"{where} holds {name} (IDX type 0x{kind:02x}); only unsigned bytes (0x08) can be read"
        )
    start = 4 + 4 * rank
    if len(content) < start:
        raise DataError(f"{where} ends in the middle of its IDX header; copy or download it again")
    shape = struct.unpack(f">{rank}I", content[4:start])
    expected, found = math.prod(shape), len(content) - start
    if rank == 0 or expected == 0:
        raise DataError(f"{where} holds no values (shape {shape}); give a file with at least one example")
    if found != expected:
        problem = "truncated" if found < expected else "followed by something else"
        raise DataError(
            f"{where} is {problem}: shape {_times(shape)} needs {expected} bytes, and there are {found}; "
            "copy or download it again"
        )
    return np.frombuffer(bytearray(content), np.uint8, offset=start).reshape(shape)


def read_idx(path: Path) -> Array:
    """The uint8 array in an IDX file, which may be gzip-compressed whatever its name is.

    Raises:
        DataError: the file is missing, unreadable, corrupt or of another format.
    """
    try:
        content = path.read_bytes()
    except FileNotFoundError as error:
        raise DataError(f"{path} does not exist; check the path") from error
    except OSError as error:
        raise DataError(
            f"{path} can't be read ({error.strerror}); check that it is a file you may read"
        ) from error
    if content[:2] == GZIP_MAGIC:
        try:
            content = gzip.decompress(content)
        except (EOFError, zlib.error, OSError) as error:
            raise DataError(f"{path} is a damaged gzip file ({error}); copy or download it again") from error
    return parse_idx(content, str(path))


def load_idx_images(path: Path) -> Array:
    """Grey images (N, 1, H, W) uint8 from a file of shape (N, H, W), as of MNIST.

    Raises:
        DataError: as `read_idx`, or the shape is another one.
    """
    images = read_idx(path)
    if images.ndim != 3:
        raise DataError(
            f"{path} has shape {_times(images.shape)}, not N × height × width; give a file of images"
        )
    return images[:, None]


def load_idx_labels(path: Path, count: int) -> Array:
    """(count,) int64 labels.

    Raises:
        DataError: as `read_idx`, or there are not `count` labels.
    """
    labels = read_idx(path)
    if labels.shape != (count,):
        raise DataError(
            f"{path} has shape {_times(labels.shape)} where {count} labels are needed, one for each image; "
            "give the labels that belong to the images"
        )
    return labels.astype(np.int64)


def load_idx_folder(folder: Path) -> tuple[tuple[Array, Array], tuple[Array, Array]]:
    """The training and the test images (N, 1, H, W) and labels (N,) of an MNIST-like folder.

    Raises:
        DataError: a file is missing or bad, or training and test images differ in size.
    """
    paths = [find_file(folder, name) for name in FOLDER_FILES]
    missing = [name for name, path in zip(FOLDER_FILES, paths, strict=True) if path is None]
    if missing:
        raise DataError(
            f"{folder} lacks {', '.join(missing)}; put the four IDX files there, with or without .gz"
        )
    train_x, train_y, test_x, test_y = (path for path in paths if path is not None)
    train, test = load_idx_images(train_x), load_idx_images(test_x)
    if train.shape[1:] != test.shape[1:]:
        raise DataError(
            f"the training images in {folder} are {_times(train.shape[2:])} and the test images "
            f"{_times(test.shape[2:])} pixels; use files of one data set"
        )
    return (train, load_idx_labels(train_y, len(train))), (test, load_idx_labels(test_y, len(test)))


def find_file(folder: Path, name: str) -> Path | None:
    """`folder/name`, or the same without .gz, whichever exists."""
    candidates = (folder / name, folder / name.removesuffix(".gz"))
    return next((path for path in candidates if path.is_file()), None)


def _times(shape: tuple[int, ...]) -> str:
    return " × ".join(str(size) for size in shape) or "()"
