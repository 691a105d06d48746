"""Who is told how far reading has got: nobody, unless the caller asks for it."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from contextvars import ContextVar

Progress = Callable[[int, int], None]  # files done so far, files in all


def _nobody(done: int, total: int) -> None:
    pass


# Not an argument of the data sets: those are built from plain options, far from who shows it.
_listener: ContextVar[Progress] = ContextVar("progress of reading images", default=_nobody)


@contextlib.contextmanager
def reporting(progress: Progress) -> Iterator[None]:
    """Within the block, `progress(done, total)` is called while images are decoded."""
    token = _listener.set(progress)
    try:
        yield
    finally:
        _listener.reset(token)


def report(done: int, total: int) -> None:
    """So many of so many files are done."""
    _listener.get()(done, total)
