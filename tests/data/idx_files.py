"""IDX files for the tests, written from the format's description and not by the package."""

import gzip
import os
import struct
from pathlib import Path

import numpy as np
import pytest

from evenodds.data.idx import FOLDER_FILES

MNIST = Path(os.environ.get("EVENODDS_DATA", "")) / "mnist"
needs_mnist = pytest.mark.skipif(
    "EVENODDS_DATA" not in os.environ or not (MNIST / FOLDER_FILES[0]).exists(),
    reason="EVENODDS_DATA with mnist/ is not set",
)


def idx_bytes(array: np.ndarray) -> bytes:
    return struct.pack(f">BBBB{array.ndim}I", 0, 0, 8, array.ndim, *array.shape) + array.tobytes()


def ramp(*shape: int) -> np.ndarray:
    return (np.arange(np.prod(shape)) % 251).astype(np.uint8).reshape(shape)


def write_folder(folder: Path, train: int = 30, test: int = 5, side: int = 4) -> None:
    folder.mkdir(exist_ok=True)
    contents = (ramp(train, side, side), ramp(train) % 3, ramp(test, side, side), ramp(test) % 3)
    for name, array in zip(FOLDER_FILES, contents, strict=True):
        (folder / name).write_bytes(gzip.compress(idx_bytes(array)))
