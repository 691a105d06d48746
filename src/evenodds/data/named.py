"""MNIST and Fashion-MNIST by name: where their files are looked for, and fetching them when asked to."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ..download import TIMEOUT_S, Progress, RemoteFile, download, silent
from ..errors import DataError, suggest
from .dataset import Dataset, Split, pair
from .idx import FOLDER_FILES, find_file, load_idx_folder

TRAIN = 50_000  # of the 60,000 training images; the others are the validation split


@dataclass(frozen=True)
class Named:
    """A data set of four IDX files: its title, folder names and class names in label order."""

    title: str
    folders: tuple[str, ...]
    class_names: tuple[str, ...]
    files: Mapping[str, RemoteFile]


def _files(base: str, *facts: tuple[int, str]) -> dict[str, RemoteFile]:
    """The four files below one address."""
    pairs = zip(FOLDER_FILES, facts, strict=True)
    return {name: RemoteFile(base + name, size, sha256) for name, (size, sha256) in pairs}


# Lengths and SHA-256 of the original .gz files as published in tensorflow/datasets (Apache-2.0), files
# url_checksums/mnist.txt and url_checksums/fashion_mnist.txt; several other projects pin the same digests.
NAMED: Mapping[str, Named] = {
    "mnist": Named(
        title="MNIST",
        folders=("mnist", "MNIST"),
        class_names=tuple("0123456789"),
        files=_files(
            "https://ossci-datasets.s3.amazonaws.com/mnist/",
            (9_912_422, "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609"),
            (28_881, "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c"),
            (1_648_877, "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6"),
            (4_542, "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6"),
        ),
    ),
    "fashion_mnist": Named(
        title="Fashion-MNIST",
        folders=("fashion_mnist", "fashion-mnist", "FashionMNIST"),
        class_names=(
            "T-shirt/top",
            "trouser",
            "pullover",
            "dress",
            "coat",
            "sandal",
            "shirt",
            "sneaker",
            "bag",
            "ankle boot",
        ),
        files=_files(
            "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
            (26_421_880, "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84"),
            (29_515, "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845"),
            (4_422_102, "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073"),
            (5_148, "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5"),
        ),
    ),
}


def load_named(name: str, *, folder: str | None, value_range: tuple[float, float] | None) -> Dataset:
    """MNIST (LeCun et al. 1998) or Fashion-MNIST (Xiao et al. 2017).

    Train is the first 50,000 training images, validation the other 10,000, test the 10,000 test images.

    Args:
        name: a key of NAMED.
        folder: where the four files are; None looks in $EVENODDS_DATA, then in the cache.
        value_range: what 0..255 is mapped to for the players; None leaves 0..255.

    Raises:
        DataError: the files are not there, damaged, or not those of this data set.
    """
    known = _known(name)
    place = Path(folder) if folder is not None else find_folder(name)
    (x, y), (test_x, test_y) = load_idx_folder(place)
    found = (len(x), len(test_x), *x.shape[2:])
    if found != (60_000, 10_000, 28, 28) or max(y.max(), test_y.max()) > 9:
        raise DataError(
            f"{place} holds {found[0]} training and {found[1]} test images of {found[2]} × {found[3]}, "
            f"not the 60000 and 10000 of 28 × 28 in 10 classes of {known.title}; use --data {place}"
        )
    return Dataset(
        name=name,
        train=Split(x[:TRAIN], y[:TRAIN]),
        validation=Split(x[TRAIN:], y[TRAIN:]),
        test=Split(test_x, test_y),
        class_names=known.class_names,
        value_range=pair(value_range),
        source=str(place),
    )


def find_folder(name: str) -> Path:
    """The first folder that holds all four files, in $EVENODDS_DATA or the cache.

    Raises:
        DataError: there is none.
    """
    known = _known(name)
    root = os.environ.get("EVENODDS_DATA")
    candidates = [Path(root) / folder for folder in known.folders] if root else []
    candidates.append(cache_folder() / name)
    for folder in candidates:
        if all(find_file(folder, file) for file in FOLDER_FILES):
            return folder
    looked = " or ".join(str(folder) for folder in dict.fromkeys((candidates[0], candidates[-1])))
    raise DataError(f"{known.title} is not in {looked}; run: evenodds data fetch {name}")


def cache_folder() -> Path:
    """$EVENODDS_CACHE, else the platform's folder for files that can be fetched again."""
    chosen = os.environ.get("EVENODDS_CACHE")
    if chosen:
        return Path(chosen)
    if sys.platform == "win32":
        root = Path(os.environ.get("LOCALAPPDATA", Path.home() / "AppData" / "Local"))
    elif sys.platform == "darwin":
        root = Path.home() / "Library" / "Caches"
    else:
        root = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return root / "evenodds"


def fetch(
    name: str,
    *,
    folder: Path | None = None,
    files: Mapping[str, RemoteFile] | None = None,
    progress: Progress = silent,
    timeout_s: float = TIMEOUT_S,
) -> Path:
    """Download what is missing of a named data set, verify it, and return the folder it is in.

    A file is put in place only when its SHA-256 is the pinned one; a file that is there and matches is kept.

    Args:
        name: a key of NAMED.
        folder: where to put the files; None for the cache.
        files: by file name, instead of the pinned table (for tests and mirrors).
        progress: called with (file name, bytes so far, bytes in all).
        timeout_s: seconds without a byte after which the download fails.

    Raises:
        DataError: unknown name, no connection, a refusal by the server, or another file than the pinned one.
        RunError: the disk is full or the folder can't be written to.
    """
    table = files if files is not None else _known(name).files
    target = folder if folder is not None else cache_folder() / name
    for file, remote in table.items():
        download(
            remote,
            target / file,
            progress=progress,
            timeout_s=timeout_s,
            otherwise="put the files in $EVENODDS_DATA by hand",
        )
    return target


def _known(name: str) -> Named:
    if name not in NAMED:
        raise DataError(f"there is no data set {name!r} to fetch{suggest(name, NAMED)}")
    return NAMED[name]
