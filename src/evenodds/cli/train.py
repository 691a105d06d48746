"""`evenodds train`"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Generator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

from cyclopts import Parameter
from rich.console import Console

from .display import display, status
from .settings import base_config, examples_seen, refuse_run_as_base, refuse_shorter, run_to_resume, settled
from .signals import Interruption
from .text import command

if TYPE_CHECKING:
    from ..training import Progress, Session
    from .plan import Plan

INTERRUPTED = 130


def train(
    recipe: str | None = None,
    /,
    *,
    data: str | None = None,
    directory: Annotated[Path, Parameter(name="--dir")] = Path("runs"),
    assignments: Annotated[tuple[str, ...], Parameter(name="--set", negative=())] = (),
    examples: int | None = None,
    seed: int | None = None,
    device: str | None = None,
    threads: int | None = None,
    dry_run: Annotated[bool, Parameter(negative=())] = False,
    resume: Annotated[bool, Parameter(negative=())] = False,
) -> int:
    """Train a generator against a discriminator.

    Ctrl-C saves a checkpoint and prints the command that goes on from it.

    Args:
        recipe: name of a recipe (see: evenodds recipes) or a YAML file; gan-digits if left out.
        data: name of a data set, an .npy or .npz file, an IDX file, or a folder of IDX files.
        directory: where the new run's numbered folder is made; with --resume, the run to go on with, or a
            folder whose newest run is meant.
        assignments: change one setting of the recipe, as in --set batch_size=128; may be repeated.
        examples: how many training examples the discriminator sees.
        seed: of everything random.
        device: auto, cpu, cuda, cuda:1, mps …
        threads: of the CPU.
        dry_run: print the complete configuration and stop; nothing is trained or written.
        resume: go on with a run that was interrupted, or train a finished one longer with --examples.
    """
    shorthands = {"examples": examples, "seed": seed, "device": device, "threads": threads}
    with Interruption() as stop:
        try:
            run = run_to_resume(directory) if resume else None
            if run is None:
                refuse_run_as_base(directory)
            with status("loading PyTorch and the data"):
                from .plan import plan

                base = base_config(recipe, run)
                ready = plan(settled(base, data=data, assignments=assignments, shorthands=shorthands))
            if run is not None:
                refuse_shorter(run, ready.config)
            if dry_run:
                _print_dry_run(ready, run, directory)
                return 0
        except KeyboardInterrupt:
            print("evenodds: interrupted before anything was trained; nothing was saved", file=sys.stderr)
            return INTERRUPTED
        return _train(ready, run, directory, stop)


def _print_dry_run(ready: Plan, run: Path | None, base: Path) -> None:
    from ..run import next_run_directory
    from .plan import dry_run

    print(dry_run(ready, run or next_run_directory(base, ready.config.recipe)), end="")


def _train(ready: Plan, run: Path | None, base: Path, stop: Interruption) -> int:
    """Train, then draw; from here on a signal ends the loop instead of breaking it off."""
    from ..run import new_run_directory
    from .plan import describe_plan

    stop.defer()
    seen = examples_seen(run) if run else 0
    run = run or new_run_directory(base, ready.config.recipe)
    for line in describe_plan(ready):
        print(line)
    print(f"resuming {run} at {seen:,} examples" if seen else f"writing to {run}", flush=True)
    session = _loop(ready, run, seen, stop)
    _draw(ready, run, session)
    if session is not None and session.examples < ready.config.examples:
        saved = f"a checkpoint at {session.examples:,} examples is saved; to go on"
        resumed = command("train", "--resume", "--dir", run)
        print(f"evenodds: interrupted, {saved}: {resumed}", file=sys.stderr)
        return INTERRUPTED
    return 0


def _loop(ready: Plan, run: Path, seen: int, stop: Interruption) -> Session | None:
    """Train and show it, until the end or a signal; None if nothing was left to train."""
    from ..report.facts import Facts
    from ..training import training

    config, session, shown = ready.config, None, None
    probabilities = Facts(run.name, config.model_dump(), {}).is_probability
    begun = cast("Generator[Progress, None, None]", training(config, run, dataset=ready.dataset))
    # closing it is what saves a checkpoint, whatever ends the loop
    with contextlib.closing(begun) as iterator:
        try:
            for progress in iterator:
                session = progress.session
                if shown is None:
                    shown = display(
                        Console(highlight=False), seen, config.examples, probabilities=probabilities
                    )
                shown.step(progress.examples, progress.report)
                if stop.requested:
                    break
        finally:
            if shown is not None:
                shown.close()
    return session


def _draw(ready: Plan, run: Path, session: Session | None) -> None:
    """Write plots, movie and report, and say what there is."""
    from ..report import write_all
    from ..report.history import read_history
    from .summary import summary

    last = read_history(run).latest("seconds")
    seconds = session.seconds if session else last[1] if last else 0.0
    skipped: list[str] = []
    with status("drawing plots, movie and report"):
        written = write_all(run, skipped=skipped)
    for sentence in skipped:
        print(f"evenodds: not written: {sentence}", file=sys.stderr)
    print(summary(run, ready.config, ready.dataset, written, seconds=seconds))
