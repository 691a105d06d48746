"""How long one waits for the first step of `evenodds train gan-digits`, for `evenodds --help`, and why.

`python benchmarks/startup.py` launches both five times, in processes of their own, and writes
results/startup.json and results/startup.md.  The clock starts before the process does.  To tell the parts
from each other, the process imports the large packages one by one in the order below; what a package imports
itself counts as its own.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).resolve().parent / "results"
REPEATS = 5
HELP_IMPORTS = {"cyclopts, rich and the command line": ["evenodds.cli.app"]}
TRAIN_IMPORTS = HELP_IMPORTS | {
    "numpy": ["numpy"],
    "torch": ["torch"],
    "pydantic and yaml": ["evenodds.config"],
    "the rest of evenodds, pillow, safetensors": ["evenodds.cli.plan", "evenodds.trainer"],
    "torch._dynamo, which every optimizer imports": ["torch._dynamo"],
    "tensorboard": ["torch.utils.tensorboard"],
}
Seconds = dict[str, float]


class Clock:
    """Seconds by part; a part within another counts for itself alone."""

    def __init__(self) -> None:
        self.seconds: Seconds = {}
        self._open: list[str] = []
        self._since = time.perf_counter()

    @contextlib.contextmanager
    def part(self, name: str) -> Iterator[None]:
        self._book()
        self._open.append(name)
        try:
            yield
        finally:
            self._book()
            self._open.pop()

    def _book(self) -> None:
        now = time.perf_counter()
        if self._open:
            self.seconds[self._open[-1]] = self.seconds.get(self._open[-1], 0.0) + now - self._since
        self._since = now

    def timed(self, holder: Any, attribute: str, name: str) -> None:
        """Let what `holder` calls by that name count as a part."""
        inner: Callable[..., Any] = getattr(holder, attribute)

        def outer(*arguments: Any, **options: Any) -> Any:
            with self.part(name):
                return inner(*arguments, **options)

        setattr(holder, attribute, outer)


def report_and_exit(clock: Clock) -> None:
    """Write the parts to the file that the parent named, and stop at once."""
    clock.seconds["launch to end"] = time.time() - float(os.environ["STARTUP_LAUNCHED"])
    Path(os.environ["STARTUP_RESULT"]).write_text(json.dumps(clock.seconds), encoding="utf-8")
    os._exit(0)


def imported(clock: Clock, table: dict[str, list[str]]) -> None:
    for name, modules in table.items():
        with clock.part(name):
            for module in modules:
                importlib.import_module(module)


def until_help() -> None:
    """In a process of its own: `evenodds --help`."""
    clock = Clock()
    clock.seconds["Python itself"] = time.time() - float(os.environ["STARTUP_LAUNCHED"])
    imported(clock, HELP_IMPORTS)
    from evenodds.cli.main import main

    with clock.part("finding and printing the help"):
        main(["--help"])
    report_and_exit(clock)


def until_first_step() -> None:
    """In a process of its own: `evenodds train gan-digits` up to the end of its first iteration."""
    clock = Clock()
    clock.seconds["Python itself"] = time.time() - float(os.environ["STARTUP_LAUNCHED"])
    imported(clock, TRAIN_IMPORTS)
    from evenodds import saving
    from evenodds.cli import plan
    from evenodds.cli.main import main

    training = importlib.import_module("evenodds.trainer")
    clock.timed(plan, "build", "reading the digits")
    for module in (plan, training):
        clock.timed(module, "build_gan", "building both players (twice: once to check)")
    clock.timed(training.Run, "__init__", "the run directory")
    clock.timed(saving.Saver, "picture", "the first picture of samples")
    clock.timed(training, "train_step", "the first step")
    step = training.train_step

    def first_step(*arguments: Any) -> None:
        step(*arguments)
        report_and_exit(clock)

    training.train_step = first_step
    main(["train", "gan-digits", "--dir", os.environ["STARTUP_RUNS"]])


def launched(what: str) -> Seconds:
    """One process; its parts, and what they leave of the whole."""
    with tempfile.TemporaryDirectory() as folder:
        result = Path(folder) / "result.json"
        environment = os.environ | {"STARTUP_RESULT": str(result), "STARTUP_RUNS": str(Path(folder) / "runs")}
        environment["STARTUP_LAUNCHED"] = repr(time.time())
        subprocess.run(
            [sys.executable, __file__, what], env=environment, stdout=subprocess.DEVNULL, check=True
        )
        seconds: Seconds = json.loads(result.read_text(encoding="utf-8"))
    whole = seconds.pop("launch to end")
    return seconds | {"everything else": whole - sum(seconds.values()), "total": whole}


def table(runs: list[Seconds]) -> list[str]:
    """Medians in Markdown, with the range."""
    lines = ["| part | median, s | fastest to slowest, s |", "|---|---|---|"]
    for name in runs[0]:
        values = [run[name] for run in runs]
        lines.append(f"| {name} | {statistics.median(values):.2f} | {min(values):.2f} to {max(values):.2f} |")
    return lines


def main() -> None:
    from evenodds.files import write_text
    from evenodds.run import environment

    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else float("nan")
    for what in ("train", "help"):
        launched(what)  # so that all files are in the disk's cache
    runs = {what: [launched(what) for _ in range(REPEATS)] for what in ("train", "help")}
    packages = ("torch", "numpy", "pydantic", "cyclopts", "rich", "tensorboard", "pillow", "safetensors")
    machine = environment("cpu") | {
        "load": round(load, 1),
        "versions": {name: version(name) for name in packages},
    }
    made = (
        f"Made by `python benchmarks/startup.py` on {machine['started'][:10]}: "
        f"evenodds {machine['evenodds']}, Python {machine['python']}, "
        f"{', '.join(f'{name} {number}' for name, number in machine['versions'].items())}; "
        f"{machine['processor']}, {machine['cores']} cores, which had a load of {machine['load']} before.\n"
        f"Medians of {REPEATS} launches, files in the disk's cache; parts need not add up to the total."
    )
    lines = ["# How long it takes to start", "", made]
    lines += [
        "",
        "From launching `evenodds train gan-digits` to the end of its first step:",
        "",
        *table(runs["train"]),
    ]
    lines += ["", "From launching `evenodds --help` to its last line:", "", *table(runs["help"])]
    print("\n".join(lines))
    write_text(RESULTS / "startup.md", "\n".join(lines) + "\n")
    write_text(RESULTS / "startup.json", json.dumps({"machine": machine, "seconds": runs}, indent=2) + "\n")


if __name__ == "__main__":
    {"train": until_first_step, "help": until_help}.get(sys.argv[1] if sys.argv[1:] else "", main)()
