"""How far something countable has got: beside the spinner on a terminal, else a line now and then."""

from __future__ import annotations

import time

from rich.console import Console
from rich.status import Status

from .text import duration, rate

LINE_S = 5.0  # plain lines are at least this far apart
REFRESH_S = 0.25


class Counting:
    """Called with what is done, how many are done, and of how many.

    Args:
        console: to show it on.
        spinner: to write beside, with its usual text; None where lines are printed.
    """

    def __init__(self, console: Console, spinner: tuple[Status, str] | None) -> None:
        self._console, self._spinner = console, spinner
        self._what = ""
        self._begun: tuple[float, int] | None = None  # when, and how many were done by then
        self._next = 0.0

    def __call__(self, what: str, done: int, total: int) -> None:
        """So many of so many are done."""
        now = time.perf_counter()
        if self._begun is None or what != self._what or done < self._begun[1]:
            self._what, self._begun = what, (now, done)
            self._next = now + (0 if self._spinner else LINE_S)
        if self._spinner and done >= total:
            self._spinner[0].update(self._spinner[1])
        elif now >= self._next:
            self._next = now + (REFRESH_S if self._spinner else LINE_S)
            self._show(self._words(now - self._begun[0], done - self._begun[1], done, total))

    def _show(self, text: str) -> None:
        if self._spinner:
            self._spinner[0].update(text)
        else:
            print(text, file=self._console.file, flush=True)

    def _words(self, seconds: float, fresh: int, done: int, total: int) -> str:
        """decoding images, once for all runs: 12,000/60,000 · 2,100/s · 23 s left."""
        parts = [f"{self._what}: {done:,}/{total:,}"]
        if fresh and seconds > 0:
            parts.append(rate(fresh / seconds))
            if done < total:
                parts.append(f"{duration((total - done) * seconds / fresh)} left")
        return " · ".join(parts)
