"""What each threshold of the verdicts is laid between: the signals of sound runs and of planted ones."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from evenodds.referee.faults_of_discriminator import by_heart, idleness
from evenodds.referee.faults_of_generator import imbalance, least_imbalance, spread
from evenodds.referee.history import OFTEN, THRESHOLDS, Game, Lines, approach, at, first_of
from outcome import provenance, table, write_result


class Measure(NamedTuple):
    """A number that a rule compares with a threshold.

    Args:
        threshold: its name.
        what: in words.
        failures: planted, in which it is on the wrong side.
        of: the lines up to a report.
        above: whether trouble is above the threshold.
    """

    threshold: str
    what: str
    failures: tuple[str, ...]
    of: Callable[[Lines, Game], float]
    above: bool = True


def last(name: str) -> Callable[[Lines, Game], float]:
    """The newest value of a signal."""
    return lambda lines, game: at(lines[-1], name)


def lost_spread(lines: Lines, game: Game) -> float:
    """Diversity over the best before."""
    best = max((value for line in lines[:-OFTEN] if math.isfinite(value := spread(line))), default=math.nan)
    return spread(lines[-1]) / best


MEASURES = (
    Measure(
        "far",
        "energy distance to the data",
        ("lazy D", "strong D", "oscillation", "dead G"),
        lambda lines, game: first_of(lines[-1], "signal/energy_raw", "signal/energy"),
    ),
    Measure(
        "improving",
        "energy distance, newest two over oldest two of four reports",
        ("lazy D", "strong D"),
        lambda lines, game: approach(lines),
    ),
    Measure(
        "idle loss",
        "D's loss over a coin's",
        ("lazy D",),
        lambda lines, game: idleness(lines[-1], game),
    ),
    Measure("strong jsd", "gauge/jsd", ("strong D",), last("gauge/jsd")),
    Measure("saturated slope", "signal/gradient", ("strong D",), last("signal/gradient"), above=False),
    Measure("dead drift", "signal/drift", ("dead G",), last("signal/drift"), above=False),
    Measure(
        "over-fitting",
        "r_v pooled over six reports, less two errors",
        ("over-fitting D",),
        lambda lines, game: by_heart(lines)[0] - 2 * by_heart(lines)[1],
    ),
    Measure(
        "collapsed",
        "diversity of the newest generator's samples",
        ("collapse",),
        lambda lines, game: spread(lines[-1]),
        above=False,
    ),
    Measure("collapse", "diversity over the best before", ("collapse",), lost_spread, above=False),
    Measure(
        "unbalanced",
        "imbalance of samples over the clusters",
        ("partial collapse",),
        lambda lines, game: imbalance(lines[-1]),
    ),
    Measure(
        "imbalance",
        "imbalance above the least before",
        ("partial collapse",),
        lambda lines, game: imbalance(lines[-1]) - least_imbalance(lines[:-OFTEN]),
    ),
    Measure("swinging", "signal/drift", ("oscillation",), last("signal/drift")),
    Measure("returning", "signal/return", ("oscillation",), last("signal/return")),
    Measure("copies", "signal/memorization, z", ("memorising G",), last("signal/memorization")),
)


def quantiles(values: Sequence[float], *, above: bool) -> str:
    """Median and the end that lies towards the threshold."""
    if not values:
        return "none"
    ordered = sorted(values)
    ends = {share: ordered[round(share * (len(ordered) - 1))] for share in (0.05, 0.5, 0.95, 0.99, 0.01)}
    low, high = (0.5, 0.99) if above else (0.01, 0.5)
    return f"{ends[low]:.3g}, {ends[high]:.3g}"


def values_of(
    measure: Measure, runs: Mapping[Any, Lines], games: Mapping[Any, Game], late: int
) -> list[float]:
    """Of every report from number `late` on, counted from 0 after the start of a failure."""
    found = [
        measure.of(lines[: count + 1], games[case])
        for case, lines in runs.items()
        for count in range(case.starts + late, len(lines))
        if "examples" in lines[count]
    ]
    return [value for value in found if math.isfinite(value)]


def distributions(runs: Mapping[Any, Lines], games: Mapping[Any, Game]) -> None:
    """The committed table of both kinds of run."""
    sentence, machine = provenance("python benchmarks/planted_failures.py --calibrate")
    rows: list[list[object]] = []
    data: dict[str, Any] = {"machine": machine, "thresholds": THRESHOLDS, "measures": {}}
    sound = {case: lines for case, lines in runs.items() if case.failure == "sound"}
    for measure in MEASURES:
        failing = {case: lines for case, lines in runs.items() if case.failure in measure.failures}
        early, later = (values_of(measure, sound, games, late) for late in (0, 8))
        bad = values_of(measure, failing, games, 2)
        sides = ">" if measure.above else "<"
        rows.append(
            [
                measure.threshold,
                measure.what,
                f"{sides} {THRESHOLDS[measure.threshold]:g}",
                quantiles(early, above=measure.above),
                quantiles(later, above=measure.above),
                quantiles(bad, above=not measure.above),
                ", ".join(measure.failures),
            ]
        )
        data["measures"][measure.threshold] = {"sound": early, "sound from report 9": later, "planted": bad}
    head = ["threshold", "of", "trouble", "sound runs", "from report 9", "planted runs", "planted"]
    text = TEXT.format(
        sentence=sentence, sound=len(sound), rest=len(runs) - len(sound), rows=table(head, rows)
    )
    write_result("planted_failures_calibration", text, data)
    print(text)


TEXT = """# Where the verdicts' thresholds come from

{sentence}

{sound} sound runs and {rest} with planted failures, on seeds that [the test](planted_failures.md) does not
use.  Given are the median and the 99th of 100 reports in the direction of the threshold: for sound runs how
near they come to trouble; for planted ones, from the third report of the failure on, how near they come to
passing for sound.

No rule looks at one number in one report alone.  Most ask for three of the last four reports, and for a
second sign: what looks collapsed or idle or far from the data is only trouble where it has been better, or
does not get better.  So the columns may overlap, as they do in the first reports, when every G is untrained.

{rows}

Verdicts of the averages (ema_slow, ema_fast), of batch norm and of even odds are no trouble, and their
thresholds are round numbers that no run was planted for.
"""
