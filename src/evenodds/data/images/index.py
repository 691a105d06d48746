"""What is in a cache beside the pixels; written last, so that a cache with an index is whole."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ...files import write_text
from ..dataset import Array

FORMAT = 1  # of the files in a cache; part of its key
WHOLE = 64 << 20  # bytes up to which all pixels are compared with their digest when a cache is opened
BLOCKS, BLOCK = 256, 4096  # of larger caches, so many blocks of so many bytes


@dataclass(frozen=True)
class Index:
    """The facts of a cache.

    Args:
        shape: (N, C, H, W) of the pixels.
        splits: name -> [first, end) among the N.
        class_names: in label order.
        labels: (N,) label of each image; empty without labels.
        names: (N,) of the files.
        sizes: (N,) (height, width) of the originals.
        bad: (name, reason) of files that could not be used.
        notes: what to tell the user.
        options: that the pixels were made with; `size` and `channels` are what came of auto.
        fingerprint: of the data set.
        digest: of the pixels, see `pixel_digest`.
    """

    shape: tuple[int, int, int, int]
    splits: dict[str, tuple[int, int]]
    class_names: tuple[str, ...]
    labels: tuple[int, ...]
    names: tuple[str, ...]
    sizes: tuple[tuple[int, int], ...]
    bad: tuple[tuple[str, str], ...]
    notes: tuple[str, ...]
    options: dict[str, Any]
    fingerprint: str
    digest: str

    def save(self, path: Path) -> None:
        """Write it, with its own digest."""
        text = json.dumps(asdict(self))
        write_text(path, json.dumps({"sha256": _sha256(text), "index": text}))


def load_index(path: Path) -> Index | None:
    """The index in a file; None if it is damaged."""
    try:
        stored = json.loads(path.read_text(encoding="utf-8"))
        if stored["sha256"] != _sha256(stored["index"]):
            return None
        facts = json.loads(stored["index"])
        return Index(
            shape=tuple(facts["shape"]),
            splits={name: (first, end) for name, (first, end) in facts["splits"].items()},
            class_names=tuple(facts["class_names"]),
            labels=tuple(facts["labels"]),
            names=tuple(facts["names"]),
            sizes=tuple((height, width) for height, width in facts["sizes"]),
            bad=tuple((name, reason) for name, reason in facts["bad"]),
            notes=tuple(facts["notes"]),
            options=facts["options"],
            fingerprint=facts["fingerprint"],
            digest=facts["digest"],
        )
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return None


def load_pixels(path: Path, index: Index) -> Array | None:
    """(N, C, H, W) uint8, read from the disk as it is used; None if the file is not the index's.

    Pages that are written to are copied ("c"), so that PyTorch takes the array as it is.
    """
    try:
        pixels = np.load(path, mmap_mode="c", allow_pickle=False)
        if pixels.shape != index.shape or pixels.dtype != np.uint8 or not pixels.flags.c_contiguous:
            return None
        return pixels if pixel_digest(pixels) == index.digest else None
    except (OSError, ValueError, EOFError):
        return None


def pixel_digest(pixels: Array) -> str:
    """SHA-256 of the pixels; of many, of blocks at equal distances, so that opening takes no time."""
    flat = pixels.reshape(-1)
    if flat.nbytes <= WHOLE:
        return hashlib.sha256(flat.data).hexdigest()
    digest = hashlib.sha256(str(flat.nbytes).encode())
    for start in np.linspace(0, flat.nbytes - BLOCK, BLOCKS).astype(int):
        digest.update(flat[start : start + BLOCK].data)
    return digest.hexdigest()


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
