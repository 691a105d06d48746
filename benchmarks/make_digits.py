"""Makes src/evenodds/data/digits.npz from scikit-learn's copy of the UCI digits.

Run: `python benchmarks/make_digits.py`.

Needs scikit-learn, which evenodds itself does not. The examples are stored in the order of their splits,
so that reading them needs no random numbers: 1297 train, then 250 validation and 250 test, each
with 25 of each class.
"""

from __future__ import annotations

import hashlib
import io
import sys
import zipfile
from pathlib import Path

import numpy as np
from sklearn.datasets import load_digits

HERE = Path(__file__).resolve().parent
TARGET = HERE.parent / "src" / "evenodds" / "data" / "digits.npz"
PER_CLASS = 25  # of each class in validation, and again in test
SEED = 20140610  # the day the 2014 paper appeared


def split_order(labels: np.ndarray) -> np.ndarray:
    """Indices: all of train, then validation, then test; stratified, shuffled within each split."""
    rng = np.random.default_rng(SEED)
    shuffled = rng.permutation(len(labels))
    by_class = [shuffled[labels[shuffled] == digit] for digit in range(10)]
    test = np.concatenate([chosen[:PER_CLASS] for chosen in by_class])
    validation = np.concatenate([chosen[PER_CLASS : 2 * PER_CLASS] for chosen in by_class])
    train = np.concatenate([chosen[2 * PER_CLASS :] for chosen in by_class])
    return np.concatenate([rng.permutation(part) for part in (train, validation, test)])


def write_npz(path: Path, arrays: dict[str, np.ndarray]) -> None:
    """A compressed npz whose bytes depend on nothing but the arrays: fixed times, fixed order."""
    with zipfile.ZipFile(path, "w") as archive:
        for name, array in arrays.items():
            content = io.BytesIO()
            np.lib.format.write_array(content, array, allow_pickle=False)
            entry = zipfile.ZipInfo(f"{name}.npy", date_time=(1980, 1, 1, 0, 0, 0))
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, content.getvalue(), compresslevel=9)


def main() -> None:
    digits = load_digits()
    order = split_order(digits.target)
    counts = digits.images[order]  # (1797, 8, 8), whole numbers 0..16
    images = np.round(counts * 255 / 16).astype(np.uint8)
    if not np.array_equal(np.round(images * (16 / 255)), counts):
        sys.exit("the scaling to 0..255 can't be undone exactly")
    write_npz(TARGET, {"images": images, "labels": digits.target[order].astype(np.uint8)})
    content = TARGET.read_bytes()
    print(f"{TARGET.name}: {len(content)} bytes, sha256 {hashlib.sha256(content).hexdigest()}")


if __name__ == "__main__":
    main()
