"""Fetching a file that is pinned by its SHA-256, only ever because the user asked for it."""

from __future__ import annotations

import hashlib
import http.client
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from .errors import DataError
from .files import replacing

CHUNK_BYTES = 1 << 16
TIMEOUT_S = 30.0
PARTIAL = 206  # HTTP's answer to a request for the rest of a file; other servers send it from the beginning

Progress = Callable[[str, int, int], None]  # file name, bytes so far, bytes in all


@dataclass(frozen=True)
class RemoteFile:
    """A file to download: its address, length and SHA-256 in hexadecimal digits."""

    url: str
    bytes: int
    sha256: str


def silent(file: str, done: int, total: int) -> None:
    """A `Progress` that says nothing."""


def download(
    remote: RemoteFile,
    path: Path,
    *,
    resume: bool = False,
    progress: Progress = silent,
    timeout_s: float = TIMEOUT_S,
    otherwise: str = "put the file there by hand",
) -> None:
    """Put the pinned file at `path`; one that is there and matches is kept.

    Args:
        remote: what to fetch.
        path: where to; its folder is made.
        resume: keep what an interruption leaves as NAME.part beside it, and go on with it the next time.
        progress: called with (file name, bytes so far, bytes in all).
        timeout_s: seconds without a byte after which the download fails.
        otherwise: what to do where this file can't be had, for messages.

    Raises:
        DataError: no connection, a refusal by the server, or another file than the pinned one.
        RunError: the disk is full or the folder can't be written to.
    """
    make_folder(path.parent)
    if path.is_file() and sha256_of(path) == remote.sha256:
        return
    part = path.with_name(path.name + ".part")
    with replacing(path) as temporary:
        place = part if resume else temporary
        _append_rest(remote, place, lambda done: progress(path.name, done, remote.bytes), timeout_s)
        _verify(remote, place, otherwise)
        if resume:
            part.rename(temporary)


def make_folder(folder: Path) -> None:
    """Make the folder.

    Raises:
        DataError: it can't be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DataError(
            f"{folder} can't be made ({error.strerror}); set EVENODDS_CACHE to a folder"
        ) from error


def sha256_of(path: Path) -> str:
    """64 hexadecimal digits of a file's content."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _append_rest(remote: RemoteFile, place: Path, progress: Callable[[int], None], timeout_s: float) -> None:
    """Fetch what `place` lacks of the file."""
    with open(place, "ab") as out:
        if out.tell() >= remote.bytes:  # nothing is missing, and yet it is not the file
            out.seek(0)
            out.truncate()
        for start, chunk in _chunks(remote, out.tell(), timeout_s):
            if start == 0:
                out.truncate(0)
            out.write(chunk)
            progress(start + len(chunk))


def _verify(remote: RemoteFile, place: Path, otherwise: str) -> None:
    """Refuse a download that is not the pinned file; one that broke off is left to go on with."""
    done, digest = place.stat().st_size, sha256_of(place)
    if digest == remote.sha256:
        return
    if done < remote.bytes:
        raise DataError(
            f"{remote.url} could not be downloaded whole ({done} of {remote.bytes} bytes); try again"
        )
    place.unlink()
    raise DataError(
        f"{remote.url} has SHA-256 {digest} ({done} bytes) where {remote.sha256} ({remote.bytes} bytes) "
        f"is pinned, and was not kept; try again, or {otherwise}"
    )


def _chunks(remote: RemoteFile, done: int, timeout_s: float) -> Iterator[tuple[int, bytes]]:
    """(offset, bytes) of the content from `done` on, or from 0 where the server gives nothing else.

    It is cut soon after the pinned length: a wrong file must not fill the disk.
    """
    if not remote.url.startswith(("https://", "http://")):
        raise DataError(f"{remote.url} is not a web address; use one that begins with https://")
    request = urllib.request.Request(remote.url, headers={"Range": f"bytes={done}-"} if done else {})
    try:
        with urllib.request.urlopen(request, timeout=timeout_s) as response:
            offset = done if response.status == PARTIAL else 0
            while offset <= remote.bytes and (chunk := response.read(CHUNK_BYTES)):
                yield offset, chunk
                offset += len(chunk)
    except urllib.error.HTTPError as error:
        raise DataError(f"{remote.url} answered {error.code} ({error.reason}); try again later") from error
    # URLError, timeouts and broken connections are OSError.
    except (OSError, http.client.HTTPException) as error:
        raise DataError(f"{remote.url} could not be downloaded ({error}); check the connection") from error
