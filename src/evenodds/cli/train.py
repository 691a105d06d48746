"""`evenodds train`"""

from __future__ import annotations

import contextlib
import math
import sys
import time
from collections.abc import Generator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, cast

from cyclopts import Parameter
from rich.console import Console

from .asked import Asked
from .display import display
from .signals import INTERRUPTED, REFUSED, Interruption
from .text import command

if TYPE_CHECKING:
    from ..trainer import Progress, Session
    from .plan import Plan

Flag = Annotated[bool, Parameter(negative=(), show_default=False)]
Settings = Annotated[tuple[str, ...], Parameter(name="--set", negative=(), show_default=False)]


def train(
    recipe: str | None = None,
    /,
    *,
    data: str | None = None,
    minutes: float | None = None,
    directory: Annotated[Path, Parameter(name="--dir")] = Path("runs"),
    assignments: Settings = (),
    examples: int | None = None,
    seed: int | None = None,
    device: str | None = None,
    threads: int | None = None,
    on_trouble: Literal["warn", "stop", "rollback"] | None = None,
    until: Literal["examples", "even"] | None = None,
    dry_run: Flag = False,
    resume: Flag = False,
    origin: Annotated[str | None, Parameter(name="--from")] = None,
) -> int:
    """Train a generator against a discriminator; Ctrl-C saves a checkpoint and says how to go on from it.

    Args:
        recipe: of evenodds recipes, a YAML file, or data to plan a run for; gan-digits if left out.
        data: name of a data set, a folder, .zip or .tar of images, .npz, .parquet, IDX and other files.
        minutes: plan a run of that length for the data; an hour where data stand in place of a recipe.
        directory: where the new run gets its folder; with --resume, a run, or the folder of the newest one.
        assignments: change one setting of the recipe, as in --set batch_size=128; may be repeated.
        examples: how many training examples the discriminator sees.
        seed: of everything random.
        device: auto, cpu, cuda, cuda:1, mps …
        threads: of the CPU.
        on_trouble: rollback returns to a checkpoint from before it, with half the learning rates.
        until: even stops once the referee finds that more training is not expected to help.
        dry_run: print the complete configuration and stop; nothing is trained or written.
        origin: a run or generator file whose trained players are where the new run starts, for other data.
        resume: go on with an interrupted run, or train a finished one longer with --examples.
    """
    wanted: dict[str, Any] = {"examples": examples, "seed": seed, "device": device, "threads": threads}
    wanted |= {"on_trouble": on_trouble, "until": until}
    asked = Asked(recipe, directory, data, assignments, wanted, resume, origin, minutes)
    return _prepared(asked, dry_run=dry_run)


def _prepared(asked: Asked, *, dry_run: bool) -> int:
    from .settings import prepare

    with Interruption() as stop:
        ready = prepare(asked)
        return _printed(ready) if dry_run else _train(ready, stop)


def _printed(ready: Plan) -> int:
    print(ready.dry_run(), end="")
    return 0


def _train(ready: Plan, stop: Interruption) -> int:
    """Train, then draw; from here on a signal ends the loop instead of breaking it off."""
    from ..run import new_run_directory
    from .settings import examples_seen
    from .summary import finish

    stop.defer()
    config = ready.config
    run = ready.directory if ready.resuming else new_run_directory(ready.directory, config.recipe)
    seen = examples_seen(run)
    session = _loop(ready, run, seen, stop)
    if session is None:
        print(f"{run} has seen {seen:,} examples, as many as it was to be trained for")
        finish(run, config, seconds=None, complete=True)
        return 0
    complete = session.examples >= config.examples or session.stopped is not None
    finish(run, config, seconds=session.seconds, complete=complete)
    if session.stopped is not None:
        said = f"the referee ended the run at {session.examples:,} examples: {session.stopped['text']}"
        print(f"evenodds: {said}", file=sys.stderr)
        return REFUSED if session.stopped["trouble"] else 0
    if complete:
        return 0
    if not stop.requested:
        go_on = command("train", "--resume", "--dir", run)
        print(f"the time is over, at {session.examples:,} of {config.examples:,} examples; to go on: {go_on}")
        return 0
    saved = f"a checkpoint at {session.examples:,} examples is saved; to go on"
    print(f"evenodds: interrupted, {saved}: {command('train', '--resume', '--dir', run)}", file=sys.stderr)
    return INTERRUPTED


def _loop(ready: Plan, run: Path, seen: int, stop: Interruption) -> Session | None:
    """Train and show it, until the end or a signal; None if nothing was left to train."""
    from ..trainer import training

    session, shown = None, None
    end = math.inf if ready.minutes is None else time.perf_counter() + 60 * ready.minutes
    begun = cast("Generator[Progress, None, None]", training(ready.config, run, dataset=ready.dataset))
    # closing it is what saves a checkpoint, whatever ends the loop
    with contextlib.closing(begun) as iterator:
        try:
            for progress in iterator:
                session = progress.session
                if shown is None:  # not earlier: the directory may yet have been refused
                    print("\n".join(ready.introduction(run, seen)), flush=True)
                    shown = display(Console(highlight=False), seen, ready.config)
                shown.step(progress.examples, progress.report)
                if stop.requested or time.perf_counter() > end:
                    break
        finally:
            if shown is not None:
                shown.close()
    return session
