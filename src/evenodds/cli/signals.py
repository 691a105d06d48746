"""Ctrl-C and SIGTERM: at once before training has begun, after the current iteration once it has."""

from __future__ import annotations

import os
import signal
import threading
from types import FrameType, TracebackType
from typing import Any

INTERRUPTED = 130  # exit status after Ctrl-C, as shells have it
SIGNALS = (signal.SIGINT, signal.SIGTERM)


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
        """From now on the loop looks at `requested`."""
        self._deferring = True

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if not self._deferring:
            raise KeyboardInterrupt("interrupted before anything was trained; nothing was saved")
        if not self.requested:
            # os.write, since print is not safe in the middle of another print
            os.write(2, b"\nevenodds: stopping after this iteration and saving a checkpoint\n")
        self.requested = True
