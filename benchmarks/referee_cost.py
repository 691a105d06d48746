"""What the referee costs: the share of training time that signals and verdicts take.

`python benchmarks/referee_cost.py` plays gan-digits and gan-mnist twice at once, with the referee and
without, in turns of four reports (one in four looks for copies of training data), and writes
results/referee_cost.md and .json.  Times are CPU seconds of this process on one thread, so other jobs on the
machine count less.  It gives two numbers: the seconds inside the referee, less what its forward passes
replace, over all seconds; and, noisier, the median over the turns of how much longer a turn with it takes.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

os.environ["OMP_NUM_THREADS"] = "1"  # before torch is imported

from evenodds.config import Config, config_from, override
from evenodds.recipes import recipe
from evenodds.recorder import Recorder
from evenodds.referee.referee import Referee
from evenodds.trainer import training
from outcome import provenance, table, write_result

TURN = 4  # reports
TURNS = {"gan-digits": 9, "gan-mnist": 2}  # a first one, not counted, comes before
ALLOWED = 0.03


class Watch:
    """CPU seconds within one method, over all its calls."""

    def __init__(self, holder: Any, attribute: str) -> None:
        self.seconds, inner = 0.0, getattr(holder, attribute)

        def timed(*arguments: Any) -> Any:
            before = time.process_time()
            try:
                return inner(*arguments)
            finally:
                self.seconds += time.process_time() - before

        setattr(holder, attribute, timed)


def settings(name: str, *, referee: bool) -> Config:
    """The recipe on one thread, without pictures, metrics and checkpoints, which have costs of their own."""
    never = [f"{what}=never" for what in ("samples_every", "checkpoint_every", "metrics_every")]
    assignments = ["threads=1", "device=cpu", "metrics=[]", *never, f"referee={str(referee).lower()}"]
    return config_from(override(recipe(name).model_dump(mode="json"), assignments))


def turns(config: Config, folder: Path) -> Iterator[float]:
    """Train, and yield the CPU seconds of every four reports' time."""
    reports, since = 0, time.process_time()
    for progress in training(config, folder):
        if progress.report is not None:
            reports += 1
            if reports % TURN == 0:
                yield time.process_time() - since
                since = time.process_time()  # not before the other player has had its turn


def measured(name: str, watches: dict[str, Watch]) -> dict[str, Any]:
    """Turns with and without in alternation; which of both goes first alternates too."""
    seconds: dict[bool, list[float]] = {True: [], False: []}
    inside: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as place:
        games = {on: turns(settings(name, referee=on), Path(place) / str(on)) for on in (True, False)}
        for number in range(TURNS[name] + 1):
            if number == 1:
                inside = {part: watch.seconds for part, watch in watches.items()}
            for on in (True, False) if number % 2 else (False, True):
                spent = next(games[on])
                if number:
                    seconds[on].append(spent)
        for play in games.values():
            play.close()
    parts = {part: watch.seconds - inside[part] for part, watch in watches.items()}
    extra = parts["judge"] - parts["held_out"]
    pairs = zip(seconds[True], seconds[False], strict=True)
    return {
        "recipe": name,
        "reports": TURN * TURNS[name],
        "seconds_per_report": sum(seconds[False]) / (TURN * TURNS[name]),
        "referee_seconds_per_report": parts["judge"] / (TURN * TURNS[name]),
        "replaced_seconds_per_report": parts["held_out"] / (TURN * TURNS[name]),
        "share_inside": extra / sum(seconds[False]),
        "share_by_turns": statistics.median(on / off - 1 for on, off in pairs),
        "turns": {"on": seconds[True], "off": seconds[False]},
    }


def written(found: list[dict[str, Any]], load: float) -> str:
    """Leave the result of the recipes so far, and return it as text."""
    sentence, machine = provenance("python benchmarks/referee_cost.py")
    head = ("recipe", "reports", "CPU s per report without", "in the referee, ms", "of which replaced, ms",
            "cost", "cost by turns")  # fmt: skip
    rows = [
        (
            one["recipe"],
            one["reports"],
            f"{one['seconds_per_report']:.2f}",
            f"{1e3 * one['referee_seconds_per_report']:.0f}",
            f"{1e3 * one['replaced_seconds_per_report']:.0f}",
            f"{one['share_inside']:.2%}",
            f"{one['share_by_turns']:.2%}",
        )
        for one in found
    ]
    verdict = "kept" if all(one["share_inside"] <= ALLOWED for one in found) else "missed"
    text = "\n\n".join(
        [
            "# What the referee costs",
            f"{sentence} One thread; the machine had a load of {load:.1f} before.",
            table(head, rows),
            "Cost: seconds in the referee less the forward passes on held-out data that every run makes, "
            "over the seconds without it.  By turns: median of how much longer four reports' time is with "
            "it, in CPU seconds, which other jobs on the machine disturb through its caches.",
            f"The bar, at most {ALLOWED:.0%} of training time, is {verdict}.",
        ]
    )
    write_result("referee_cost", text, {"machine": machine, "load": load, "recipes": found})
    return text


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("recipes", nargs="*", default=list(TURNS))
    load = os.getloadavg()[0]
    watches = {"judge": Watch(Referee, "judge"), "held_out": Watch(Recorder, "_held_out")}
    found: list[dict[str, Any]] = []
    for name in parser.parse_args().recipes:
        found.append(measured(name, watches))
        print(written(found, load), flush=True)


if __name__ == "__main__":
    main()
