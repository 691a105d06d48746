"""What training shows while it goes on: a live display on a terminal, plain lines everywhere else."""

from __future__ import annotations

import contextlib
import math
import os
import time
from collections import deque
from collections.abc import Iterator, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from ..data.images.progress import reporting
from .counting import Counting
from .text import duration, rate, signed

if TYPE_CHECKING:
    from ..config import Config

PROBABILITIES = ("minimax", "non_saturating")  # the losses under which D's output is trained to be one
EVEN_ODDS = -math.log(4)  # V(D, G) where D(x) = 1/2 everywhere: Goodfellow et al. (2014), Theorem 1
REFRESH_S = 0.25  # the live display: often enough to look alive, too seldom to cost anything
LINE_S = 5.0  # plain lines are at least this far apart
LATEST = 3  # verdicts that stay on the screen
DECODING = "decoding images, once for all runs"
WINDOW_S = 30.0  # of training that the speed is taken over


class Display(Protocol):
    """Told about every iteration and every report."""

    def step(self, examples: int, line: Mapping[str, Any] | None) -> None:
        """So many examples have been seen; `line` is the report just made, if any."""

    def close(self) -> None:
        """Nothing more will come."""


class Pace:
    """Examples a second and seconds left, from the last half minute."""

    def __init__(self, examples: int, total: int) -> None:
        self._total = total
        self._marks = deque([(time.perf_counter(), examples)])

    def add(self, examples: int) -> None:
        """So many were seen by now; called a few times a second at most."""
        now = time.perf_counter()
        self._marks.append((now, examples))
        while len(self._marks) > 2 and now - self._marks[0][0] > WINDOW_S:
            self._marks.popleft()

    @property
    def per_second(self) -> float:
        """Examples a second, 0 as long as that isn't known."""
        (start, first), (end, last) = self._marks[0], self._marks[-1]
        return (last - first) / (end - start) if end > start else 0.0

    def where(self) -> str:
        """128,000/600,000 examples · 5,900/s · 1 min 20 s left."""
        examples, speed = self._marks[-1][1], self.per_second
        parts = [f"{examples:,}/{self._total:,} examples"]
        if speed > 0:
            parts.append(rate(speed))
            if examples < self._total:
                parts.append(f"{duration((self._total - examples) / speed)} left")
        return " · ".join(parts)


def odds(line: Mapping[str, Any], *, probabilities: bool) -> str:
    """Losses, D's mean output on either side, and V on held-out data, as far as the report has them.

    Args:
        line: of metrics.jsonl.
        probabilities: whether D's output is trained to be one; D(x) and V mean nothing where it isn't.
    """
    parts = []
    losses = [("D", line.get("loss/discriminator")), ("G", line.get("loss/generator"))]
    said = [f"{player} {signed(loss, 2)}" for player, loss in losses if loss is not None]
    if said:
        parts.append("loss " + " ".join(said))
    if probabilities:
        for name, label in (("d/real", "D(x)"), ("d/fake", "D(G(z))")):
            if line.get(name) is not None:
                parts.append(f"{label} {line[name]:.2f}")
        if line.get("value/held_out") is not None:
            value = signed(line["value/held_out"], 2)
            parts.append(f"V {value} (even odds {signed(EVEN_ODDS, 3)})")
    return " · ".join(parts)


def measured(line: Mapping[str, Any]) -> str:
    """parzen10k 225.1 ± 2.0: the metrics of a report."""
    names = [name for name in line if name.startswith("metric/") and name.count("/") == 1]
    parts = []
    for name in names:
        error = line.get(f"{name}/standard_error")
        spread = "" if error is None else f" ± {error:.2g}"
        parts.append(f"{name.removeprefix('metric/')} {signed(line[name], 2)}{spread}")
    return " · ".join(parts)


def said(line: Mapping[str, Any]) -> list[str]:
    """What the referee has newly seen, a sentence each, with the mark of trouble where it is one."""
    events = line.get("event", [])
    return [f"{'TROUBLE' if event['trouble'] else 'referee'}: {event['text']}" for event in events]


class Lines:
    """One line at a report, at least five seconds apart; the last one and measurements always come."""

    def __init__(self, console: Console, examples: int, total: int, *, probabilities: bool) -> None:
        self._console, self._total, self._probabilities = console, total, probabilities
        self._pace = Pace(examples, total)
        self._next = time.perf_counter() + LINE_S

    def step(self, examples: int, line: Mapping[str, Any] | None) -> None:
        """See `Display`."""
        if line is None:
            return
        self._pace.add(examples)
        metrics, now, verdicts = measured(line), time.perf_counter(), said(line)
        if now < self._next and examples < self._total and not metrics and not verdicts:
            return
        self._next = now + LINE_S
        parts = [self._pace.where(), odds(line, probabilities=self._probabilities), metrics]
        # print, flushed: Rich would fold the line at 80 columns, and a pipe would hold it back
        text = " · ".join(part for part in parts if part)
        print(
            "\n".join([text, *(f"  {sentence}" for sentence in verdicts)]),
            file=self._console.file,
            flush=True,
        )

    def close(self) -> None:
        """See `Display`."""


class Dashboard:
    """A bar, the speed, and the last report, in place; drawn by the training thread, four times a second."""

    def __init__(self, console: Console, examples: int, total: int, *, probabilities: bool) -> None:
        self._total, self._probabilities = total, probabilities
        self._pace = Pace(examples, total)
        self._odds = self._metrics = ""
        self._said: deque[str] = deque(maxlen=LATEST)
        self._began = self._next = time.perf_counter()
        self._live = Live(console=console, auto_refresh=False)
        self._live.start()

    def step(self, examples: int, line: Mapping[str, Any] | None) -> None:
        """See `Display`."""
        if line is not None:
            self._odds = odds(line, probabilities=self._probabilities)
            if measured(line):
                self._metrics = f"{measured(line)} at {examples:,} examples"
            self._said.extend(f"at {examples:,}: {sentence}" for sentence in said(line))
        now = time.perf_counter()
        if now < self._next and examples < self._total:
            return
        self._next = now + REFRESH_S
        self._pace.add(examples)
        self._live.update(self._picture(examples, now), refresh=True)

    def close(self) -> None:
        """See `Display`."""
        self._live.stop()

    def _picture(self, examples: int, now: float) -> Group:
        bar = Table.grid(padding=(0, 1))
        elapsed = f"{duration(now - self._began)} so far"
        bar.add_row(ProgressBar(total=self._total, completed=min(examples, self._total), width=40), elapsed)
        lines = [self._pace.where(), self._odds, self._metrics, *self._said]
        return Group(bar, *(Text(line) for line in lines if line))


def display(console: Console, examples: int, config: Config) -> Display:
    """The live display on a terminal, plain lines in a pipe, a log or continuous integration.

    Args:
        console: to show it on.
        examples: seen in earlier sessions.
        config: of the run.
    """
    size = config.batch_size * config.critic_steps
    total = -(-config.examples // size) * size  # the last iteration is never cut short
    kind = Dashboard if is_live(console) else Lines
    return kind(console, examples, total, probabilities=config.loss["name"] in PROBABILITIES)


def is_live(console: Console) -> bool:
    """Whether what was printed can be drawn over."""
    return console.is_terminal and not console.is_dumb_terminal and not os.environ.get("CI")


@contextlib.contextmanager
def status(text: str) -> Iterator[Counting]:
    """A spinner with `text` beside it while the block runs; nothing where there is no terminal.

    What the block tells the `Counting` that it gets is shown also without a terminal, a line now and then;
    so is the decoding of images, should it come to that.
    """
    console = Console(stderr=True)
    if not is_live(console):
        counting = Counting(console, None)
        with reporting(partial(counting, DECODING)):
            yield counting
        return
    with console.status(text) as spinner:
        counting = Counting(console, (spinner, text))
        with reporting(partial(counting, DECODING)):
            yield counting
