"""How far several trainings, one after the other, have come: one line in place, or one every few seconds."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.live import Live
from rich.text import Text

from .display import LINE_S, REFRESH_S, Pace, is_live, odds


class Race:
    """Told about every iteration of every training.

    Args:
        console: to show it on.
        total: training examples that all of them are still to see.
    """

    def __init__(self, console: Console, total: int) -> None:
        self._console, self._pace = console, Pace(0, total)
        self._name, self._before, self._odds = "", 0, ""
        self._live = Live(console=console, auto_refresh=False) if is_live(console) and total else None
        self._every = REFRESH_S if self._live else LINE_S
        self._next = time.perf_counter() + self._every
        if self._live:
            self._live.start()

    def begin(self, name: str, *, before: int) -> None:
        """The training of this name comes next, after so many examples of the others."""
        self._name, self._before = name, before

    def step(self, examples: int, line: Mapping[str, Any] | None) -> None:
        """The training has seen so many examples in this session; `line` is its report, if there was one."""
        if line is not None:
            self._odds = odds(line, probabilities=False)
        now = time.perf_counter()
        if now < self._next:
            return
        self._next = now + self._every
        self._pace.add(self._before + examples)
        said = " · ".join(part for part in (self._name, self._pace.where(), self._odds) if part)
        if self._live:
            self._live.update(Text(said), refresh=True)
        else:
            print(said, file=self._console.file, flush=True)

    def close(self) -> None:
        """Nothing more will come."""
        if self._live:
            self._live.stop()
