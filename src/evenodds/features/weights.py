"""Where the weights of extractors are: in the package, in the cache, or nowhere until they are asked for."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ..data.named import cache_folder
from ..download import Progress, RemoteFile, download, sha256_of, silent
from ..errors import ConfigError, DataError, suggest
from . import inception

SHIPPED = Path(__file__).parent / "shipped"


@dataclass(frozen=True)
class Weights:
    """A file of weights that numbers may be compared in.

    Args:
        file: its name.
        sha256: 64 hexadecimal digits of its content.
        remote: where it can be fetched; None for files that come with the package.
    """

    file: str
    sha256: str
    remote: RemoteFile | None = None


# What `evenodds extractors build` made, once; weights of another machine differ in their last bits, and so
# do the numbers measured with them: the pinned files are the ones to compare with.
WEIGHTS: Mapping[str, Weights] = {
    "inception": Weights(inception.FILE, inception.REMOTE.sha256, inception.REMOTE),
    "mnist": Weights("mnist.safetensors", "2b96ec73b1c3a547fa965caff34a70686706a6f8ba0ae8a0714ba7edbdae13df"),
    "cifar10": Weights(
        "cifar10.safetensors", "0295ee8d0585e6b0861f1bbd6f7b4ab443be06c77aa734e36ffaa86c8d3d89f4"
    ),
}


def weights_path(name: str) -> Path:
    """The file of that extractor's weights.

    What can be fetched is looked for in $EVENODDS_DATA, then in the folder `extractors` of the cache.

    Raises:
        ConfigError: an extractor without weights.
        DataError: the file is not there, or is another one than the pinned.
    """
    known = _known(name)
    if known.remote is None:
        path = SHIPPED / known.file
        return _verified(path, known, "install evenodds again")
    for path in places(known):
        if path.is_file():
            return _verified(path, known, f"delete it and run: evenodds extractors fetch {name}")
    looked = " or ".join(str(path.parent) for path in places(known))
    raise DataError(
        f"{name}'s weights are not in {looked}; give the file with --{name} PATH, or run: evenodds "
        f"extractors fetch {name}"
    )


def places(known: Weights) -> list[Path]:
    """Where a file that can be fetched may be."""
    root = os.environ.get("EVENODDS_DATA")
    return [*([Path(root) / known.file] if root else []), cache_folder() / "extractors" / known.file]


def fetch_weights(
    name: str, *, progress: Progress = silent, remote: RemoteFile | None = None, folder: Path | None = None
) -> Path:
    """Download an extractor's weights, verify them, and return the file; one that is there is kept.

    Args:
        name: of the extractor.
        progress: called with (file name, bytes so far, bytes in all).
        remote: instead of the pinned address (for tests and mirrors).
        folder: where to; left out, the cache.

    Raises:
        ConfigError: an unknown name, or weights that are never fetched.
        DataError, RunError: see `download.download`.
    """
    known = _known(name)
    source = remote or known.remote
    if source is None:
        raise ConfigError(f"{name}'s weights come with evenodds; there is nothing to fetch, just use it")
    path = (folder or cache_folder() / "extractors") / known.file
    download(source, path, resume=True, progress=progress, otherwise=f"put {known.file} there by hand")
    return path


def read_weights(path: Path) -> tuple[bytes, str]:
    """A small file's content and its SHA-256.

    Raises:
        DataError: it can't be read.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path} can't be read ({error.strerror}); give another file of weights") from error
    return content, hashlib.sha256(content).hexdigest()


def _verified(path: Path, known: Weights, remedy: str) -> Path:
    try:
        digest = sha256_of(path)
    except OSError as error:
        raise DataError(f"{path} can't be read ({error.strerror}); {remedy}") from error
    if digest != known.sha256:
        raise DataError(f"{path} has SHA-256 {digest} where {known.sha256} is pinned; {remedy}")
    return path


def _known(name: str) -> Weights:
    if name in WEIGHTS:
        return WEIGHTS[name]
    if name in ("random", "values"):
        raise ConfigError(f"extractor {name!r} needs no weights; there is nothing to fetch, just use it")
    raise ConfigError(f"there are no weights of an extractor {name!r}{suggest(name, WEIGHTS)}")
