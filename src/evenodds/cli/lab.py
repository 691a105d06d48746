"""`evenodds lab`"""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Generator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

from cyclopts import Parameter
from rich.console import Console

from ..errors import ConfigError
from .display import LINE_S, REFRESH_S, Pace, is_live, status
from .signals import INTERRUPTED, Interruption, uninterrupted
from .text import columns, duration, signed, size

if TYPE_CHECKING:
    from ..drawing.figure1 import Score
    from ..lab import Lab
    from ..trainer import Progress

ENDLESS = 10**9  # examples, where only minutes are given
Settings = Annotated[tuple[str, ...], Parameter(name="--set", negative=(), show_default=False)]


def lab(
    density: str = "gaussian",
    /,
    *,
    examples: int | None = None,
    minutes: float | None = None,
    loss: str | None = None,
    assignments: Settings = (),
    seed: int | None = None,
    critic_steps: int | None = None,
    out: Path | None = None,
    movie: Annotated[bool, Parameter(negative="--no-movie", show_default=False)] = True,
) -> int:
    """Play on a known density, and draw Figure 1 of the 2014 paper while it goes on.

    Ctrl-C ends the game early; its movie and stills are made all the same.

    Args:
        density: gaussian, gaussian_mixture, ring, grid, spiral, swiss_roll, two_moons or checkerboard.
        examples: how many training examples the discriminator sees.
        minutes: end after so many, and play on until then where no --examples are given.
        loss: of the game, as in non_saturating, minimax, hinge.
        assignments: change one setting of the game, as in --set batch_size=128; may be repeated.
        seed: of everything random.
        critic_steps: updates of D for each of G, the paper's k.
        out: folder of the run; a numbered one in runs/ if left out.
        movie: --no-movie leaves the movie out.
    """
    shorthands = {"examples": examples, "loss": loss, "seed": seed, "critic_steps": critic_steps}
    with Interruption() as stop:
        game = _prepared(density, minutes, assignments, shorthands, out)
        stop.defer()
        complete = _play(game, stop)
    return _finish(game, movie=movie, complete=complete)


def _finish(game: Lab, *, movie: bool, complete: bool) -> int:
    """Draw what is drawn at the end, and say what there is; the exit status."""
    with status("drawing the stills and the movie"):
        written = game.finish(movie=movie)
    rows = [(name, str(path), size(path.stat().st_size)) for name, path in written.items()]
    print("Made:\n" + columns(rows))
    if complete:
        return 0
    print("evenodds: interrupted, everything that was seen has been drawn", file=sys.stderr)
    return INTERRUPTED


def _prepared(
    density: str,
    minutes: float | None,
    assignments: tuple[str, ...],
    shorthands: Mapping[str, Any],
    out: Path | None,
) -> Lab:
    """The game, checked and built; its folder is made last of all.

    Raises:
        ConfigError, DataError, RunError: it can't be played.
    """
    if minutes is not None and not 0 < minutes < 1e6:
        raise ConfigError(f"--minutes {minutes:g} is no time to play for; give more than 0")
    with status("loading PyTorch and the data"):
        with uninterrupted():
            from ..lab import Lab, lab_config
        from ..run import new_run_directory
        from .settings import settled

        endless = {"examples": ENDLESS} if minutes is not None and shorthands["examples"] is None else {}
        config = settled(
            lab_config(density), data=None, assignments=assignments, shorthands={**shorthands, **endless}
        )
        if out is not None:
            return Lab(config, out, minutes=minutes)
        game = Lab(config, Path("runs"), minutes=minutes)
        game.settle(new_run_directory(Path("runs"), config.recipe))
        return game


def _play(game: Lab, stop: Interruption) -> bool:
    """Train and show it, until the end or a signal; whether it was the end."""
    shown = None
    begun = cast("Generator[tuple[Progress, Score | None], None, None]", game.play())
    with contextlib.closing(begun) as iterator:  # closing it is what saves a checkpoint
        for progress, score in iterator:
            if shown is None:
                print(f"{game.title}, writing to {game.directory}")
                print(f"watch it in a browser: {game.page.resolve()}", flush=True)
                shown = Shown(Console(highlight=False), game.config.examples)
            shown.step(progress.examples, score)
            if stop.requested:
                break
    if shown is not None:
        shown.close()
    return not stop.requested


class Shown:
    """V, the best that D could reach, and the gap: in place on a terminal, else a line in five seconds."""

    def __init__(self, console: Console, total: int) -> None:
        self._console, self._total, self._pace = console, total, Pace(0, total)
        self._began = time.perf_counter()
        self._live = is_live(console)
        self._text = ""
        self._next = time.perf_counter()

    def step(self, examples: int, score: Score | None) -> None:
        """So many examples have been seen; `score` is the one just measured, if any."""
        if score is not None:
            self._text = standing(score)
        now = time.perf_counter()
        if now < self._next and examples < self._total:
            return
        self._pace.add(examples)
        self._next = now + (REFRESH_S if self._live else LINE_S)
        where = f"{examples:,} examples in {duration(now - self._began)}"
        line = f"{where if self._total == ENDLESS else self._pace.where()} · {self._text}"
        if self._live:
            self._console.file.write("\r\x1b[2K" + line[: self._console.width - 1])
        else:
            self._console.file.write(line + "\n")
        self._console.file.flush()

    def close(self) -> None:
        """Nothing more will come."""
        if self._live:
            self._console.file.write("\n")


def standing(score: Score) -> str:
    """V −1.312 ± 0.004, best D −1.290 ± 0.001, gap 0.022."""
    value = f"V {signed(score.value, 3)} ± {score.value_error:.3f}"
    best = f"best D {signed(score.truth, 3)} ± {score.truth_error:.3f}"
    return f"{value}, {best}, gap {signed(score.gap, 3)}"
