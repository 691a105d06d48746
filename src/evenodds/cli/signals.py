"""Ctrl-C and SIGTERM: at once before training has begun, after the current iteration once it has."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Iterator
from types import FrameType, TracebackType
from typing import Any

INTERRUPTED, REFUSED = 130, 2  # exit status after Ctrl-C, as shells have it; and where the user must act
NOTHING = "interrupted before anything was trained; nothing was saved"
SIGNALS = (signal.SIGINT, signal.SIGTERM)


@contextlib.contextmanager
def uninterrupted() -> Iterator[None]:
    """A signal that comes in the block takes effect after it.

    For imports: one that is broken off leaves half a module behind, which fails later in strange ways.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    came: list[int] = []

    def note(number: int, frame: FrameType | None) -> None:
        if not came:
            _say(b"stopping")
        came.append(number)

    before = {number: signal.signal(number, note) for number in SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    if came:
        signal.raise_signal(came[0])


class Interruption:
    """Within the `with` block a signal raises KeyboardInterrupt until `defer()`, then only sets `requested`.

    A second signal changes nothing, so that it can't break the save that the first one led to.
    """

    def __init__(self) -> None:
        self.requested = False
        self._deferring = False
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Interruption:
        # Only the main thread may handle signals; in another one somebody else does.
        if threading.current_thread() is threading.main_thread():
            self._before = {number: signal.signal(number, self._handle) for number in SIGNALS}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def defer(self) -> None:
        """From now on the loop looks at `requested`.

        Raises:
            KeyboardInterrupt: a signal came before, and what it raised was lost, in a destructor say.
        """
        self._deferring = True
        if self.requested:
            raise KeyboardInterrupt(NOTHING)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        first, self.requested = not self.requested, True
        if not self._deferring:
            raise KeyboardInterrupt(NOTHING)
        if first:
            _say(b"stopping after this iteration and saving a checkpoint")


def _say(text: bytes) -> None:
    # os.write, since print is not safe in the middle of another print
    os.write(2, b"\nevenodds: " + text + b"\n")
