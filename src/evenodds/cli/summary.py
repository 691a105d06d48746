"""What a run has made, with sizes, and what to do next."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

from ..config import Config
from .display import status
from .text import columns, command, duration, size


def made(run: Path, written: Mapping[str, Path]) -> list[tuple[str, str, str]]:
    """(what, path, size) of everything worth looking at in a run directory."""
    pictures = sorted(path for path in (run / "samples").glob("*.png") if path.stem.isdigit())
    plots = [path for name, path in written.items() if name not in ("movie", "report")]
    found = [("samples", pictures[-1])] if pictures else []
    found += [(name, written[name]) for name in ("movie", "report") if name in written]
    found += [("plot", path) for path in plots]
    for name, what in (("generator", "generator"), ("generator-best", "best generator")):
        found.append((what, run / f"{name}.safetensors"))
    rows = [(what, str(path), size(path.stat().st_size)) for what, path in found if path.is_file()]
    checkpoints = list((run / "checkpoints").glob("*.safetensors"))
    if checkpoints:
        total = size(sum(path.stat().st_size for path in checkpoints))
        count = f"{len(checkpoints)} checkpoint" + ("s" if checkpoints[1:] else "")
        rows.append((count, str(run / "checkpoints"), total))
    return rows


def next_commands(run: Path, config: Config, *, complete: bool) -> list[tuple[str, str]]:
    """(what for, command) to copy."""
    rows = [("sample", command("sample", run, "--seeds", "0-63", "--grid", "--out", "samples.png"))]
    rows.append(("measure", command("evaluate", run)))  # by what suits the data
    rows.append(("draw again", command("report", run)))
    go_on = command("train", "--resume", "--dir", run)
    rows.append(
        ("train longer", f"{go_on} --examples {2 * config.examples}") if complete else ("go on", go_on)
    )
    return rows


def finish(run: Path, config: Config, *, seconds: float | None, complete: bool) -> None:
    """Write plots, movie and report, then say what there is and what to do next.

    Args:
        run: its directory.
        config: it was trained under.
        seconds: of training, over all sessions; None if nothing was left to train.
        complete: whether it has seen all the examples it was to see.
    """
    from ..report import write_all
    from ..report.history import read_history

    if seconds is None:
        last = read_history(run).latest("seconds")
        seconds = last[1] if last else 0.0
    skipped: list[str] = []
    with status("drawing plots, movie and report"):
        written = write_all(run, skipped=skipped)
    for sentence in skipped:
        print(f"evenodds: not written: {sentence}", file=sys.stderr)
    print(f"{config.recipe}: {duration(seconds)} of training. Made:")
    print(columns(made(run, written)))
    print("Next:")
    print(columns(next_commands(run, config, complete=complete)))
