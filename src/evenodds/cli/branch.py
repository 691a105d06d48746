"""`evenodds branch`"""

from __future__ import annotations

import contextlib
import json
import shlex
import sys
from collections.abc import Generator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

from cyclopts import Parameter
from rich.console import Console

from ..errors import ConfigError, NonFiniteError
from .display import status
from .race import Race
from .signals import INTERRUPTED, Interruption, uninterrupted
from .text import columns, command, signed, wrapped

if TYPE_CHECKING:
    from ..branching import Branch, Judged
    from ..data.dataset import Dataset
    from ..trainer import Progress

Repeated = Annotated[tuple[str, ...], Parameter(name="--set", negative=(), show_default=False)]
Combined = Annotated[tuple[str, ...], Parameter(name="--branch", negative=(), show_default=False)]
SHARE = 0.1  # of the examples that the run was trained for, where --examples is left out
CAVEAT = (
    "The verdicts are about these generators; the same settings may end elsewhere with another seed. "
    "--set seed=1 adds a second unchanged branch, on batches in another order, that shows by how much."
)


def branch(
    run: Path,
    /,
    *,
    assignments: Repeated = (),
    combined: Combined = (),
    examples: int | None = None,
    start_at: Annotated[str, Parameter(name="--from")] = "last",
    directory: Annotated[Path | None, Parameter(name="--dir")] = None,
) -> int:
    """Continue a run from one checkpoint under several settings, and say which of them helped.

    Every --set is a branch of its own with that one change; --branch "critic_steps=3 batch_size=128" is one
    branch with several.  A branch without any change is always trained with them, as the control.  All start
    from the same weights, optimizers, random numbers and place in the data, and see as many more training
    examples.  Their generators are then judged by the same fresh discriminators.

    Each branch is an ordinary run in RUN/branches/.  The same command goes on after Ctrl-C.

    Args:
        run: a run directory.
        assignments: one change, as in --set critic_steps=3; may be repeated.
        combined: several changes in one branch, in quotes; may be repeated.
        examples: how many more training examples each branch sees; a tenth of the run's if left out.
        start_at: last, best, or the training examples that a checkpoint had seen.
        directory: for the branches' folders, instead of RUN/branches/EXAMPLES.
    """
    changes = [(one,) for one in assignments] + [tuple(_split(text)) for text in combined]
    if not changes:
        raise ConfigError("nothing is to be compared; give a change, such as --set critic_steps=3")
    with Interruption() as stop:
        planned, dataset = _planned(run, changes, examples, start_at, directory)
        stop.defer()
        broken = _train(planned, dataset, stop)
        judged = None if stop.requested else _judge(planned, dataset, broken, stop)
    if judged is None:
        print(f"evenodds: interrupted; to go on: {_again()}", file=sys.stderr)
        return INTERRUPTED
    _finish(planned, judged, broken)
    return 0


def _split(text: str) -> list[str]:
    try:
        parts = shlex.split(text)
    except ValueError as error:
        raise ConfigError(f"--branch {text!r} can't be read ({error}); close the quotes") from None
    if not parts:
        raise ConfigError('--branch is empty; give changes, as in --branch "critic_steps=3 batch_size=128"')
    return parts


def _planned(
    run: Path, changes: Sequence[tuple[str, ...]], examples: int | None, start_at: str, directory: Path | None
) -> tuple[list[Branch], Dataset]:
    """All branches, checked and started, and the data."""
    with status("loading PyTorch, the run and the data"):
        with uninterrupted():
            from ..branching import plan_branches, start
            from ..branching.plans import check_buildable
            from ..opening import open_run
        checkpoint: int | str = int(start_at) if start_at.isdecimal() else start_at
        opened = open_run(run, checkpoint=checkpoint)
        more = max(1, int(SHARE * opened.config.examples)) if examples is None else examples
        planned = plan_branches(
            run, changes, seen=opened.examples, examples=more, checkpoint=checkpoint, directory=directory
        )
        for each in planned:
            check_buildable(each, opened.dataset)
        for each in planned:
            start(each, len(opened.dataset.train))
    print(
        f"{len(planned)} branches from {run} at {opened.examples:,} examples, {more:,} more for each, "
        f"in {planned[0].directory.parent}",
        flush=True,
    )
    return planned, opened.dataset


def _train(planned: Sequence[Branch], dataset: Dataset, stop: Interruption) -> dict[str, str]:
    """Train one after the other to the end or a signal; branch -> why it broke down."""
    from ..branching import examples_seen

    left = [max(each.config.examples - examples_seen(each.directory), 0) for each in planned]
    shown, broken = Race(Console(highlight=False), sum(left)), dict[str, str]()
    try:
        for number, each in enumerate(planned):
            shown.begin(f"{each.title} ({number + 1} of {len(planned)})", before=sum(left[:number]))
            if not left[number]:
                continue
            try:
                _continue(each, dataset, stop, shown, already=each.config.examples - left[number])
            except NonFiniteError as error:
                broken[each.name] = str(error)
            if stop.requested:
                break
    finally:
        shown.close()
    return broken


def _continue(each: Branch, dataset: Dataset, stop: Interruption, shown: Race, *, already: int) -> None:
    """Train one branch; leaving the loop saves a checkpoint."""
    from ..trainer import training

    begun = cast("Generator[Progress, None, None]", training(each.config, each.directory, dataset=dataset))
    with contextlib.closing(begun) as iterator:
        for progress in iterator:
            shown.step(progress.examples - already, progress.report)
            if stop.requested:
                return


def _judge(
    planned: Sequence[Branch], dataset: Dataset, broken: Mapping[str, str], stop: Interruption
) -> dict[str, Judged] | None:
    """The verdicts; None after a signal."""
    from ..branching import CONTROL, judge
    from ..sampling import Sampler

    if CONTROL in broken:
        return {}
    standing = [each for each in planned if each.name not in broken]
    samplers = {each.name: Sampler.load(each.directory) for each in standing}
    with status(f"judging {len(samplers)} generators by fresh discriminators"):
        return judge(samplers, dataset, planned[0].config, go_on=lambda: not stop.requested)


def _finish(planned: Sequence[Branch], judged: Mapping[str, Judged], broken: Mapping[str, str]) -> None:
    """Print and write what came out."""
    from ..branching import examples_seen

    print(_table(planned, judged, broken))
    for each in planned:
        seen = examples_seen(each.directory)
        if each.name not in broken and seen < each.config.examples:
            print(f"{each.title} ended itself after {seen:,} examples: its on_trouble is stop")
    path = planned[0].directory.parent / "branches.json"
    _write(path, planned, judged, broken)
    print(f"\n{wrapped(CAVEAT)}\n\nwritten to {path}")


def _table(planned: Sequence[Branch], judged: Mapping[str, Judged], broken: Mapping[str, str]) -> str:
    """Branches below each other, and those that broke down under the table."""
    measured = next((one.metric[0] for one in judged.values() if one.metric), None)
    head = ["branch", "JSD seen by probes", "against unchanged", "energy distance"]
    head += [measured] if measured else []
    rows = [[*head, "verdict"]]
    titles = {each.name: each.title for each in planned}
    for name, one in judged.items():
        row = [titles[name], f"{signed(one.jsd, 4)} ± {one.error:.4f}"]
        row += ["" if one.outcome == "control" else f"{signed(one.difference, 4)} ± {one.margin:.4f}"]
        row += [signed(one.energy, 4)] + ([signed(one.metric[1], 2)] if one.metric else [])
        rows.append([*row, one.outcome])
    lines = ["", columns(rows, "")] if judged else []
    lines += [f"{titles[name]} broke down: {why}" for name, why in broken.items()]
    if not judged:
        lines.append("the unchanged branch broke down, so there is nothing to compare with")
    else:
        lines.append(
            "\n"
            + wrapped(
                "JSD in nats, at least, by fresh discriminators on validation data, ± its standard error; "
                "differences ± half their 95 % interval, for all branches together.  Lower is better."
            )
        )
    return "\n".join(lines)


def _write(
    path: Path, planned: Sequence[Branch], judged: Mapping[str, Judged], broken: Mapping[str, str]
) -> None:
    """branches.json: what was compared and what came out."""
    from dataclasses import asdict

    from ..branching.verdicts import LEVEL, SEEDS, STEPS
    from ..files import write_text

    found: list[dict[str, Any]] = []
    for each in planned:
        record: dict[str, Any] = {"branch": each.title, "changes": each.changes, "run": each.directory.name}
        record |= asdict(judged[each.name]) if each.name in judged else {}
        record |= {"broke_down": broken[each.name]} if each.name in broken else {}
        found.append(record)
    content = {
        "parent": str(planned[0].parent.resolve()),
        "checkpoint": planned[0].checkpoint.name,
        "examples": planned[0].config.examples,
        "probes": {"seeds": SEEDS, "steps": STEPS, "split": "validation", "level": LEVEL},
        "branches": found,
    }
    write_text(path, json.dumps(content, indent=2, ensure_ascii=False) + "\n")


def _again() -> str:
    return command(*sys.argv[1:]) if sys.argv[1:2] == ["branch"] else "give the same command again"
