"""What the rules share: their thresholds, what they return, and numbers read out of recorded lines."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

Line = Mapping[str, Any]
Lines = Sequence[Line]

LOOKS_BACK = 4  # reports that most rules look at
OFTEN = 3  # of them, in which a condition must hold
LONG = 8  # reports without change, after which a run is stuck

# Between the distributions in benchmarks/results/planted_failures_calibration.md.
THRESHOLDS: dict[str, float] = {
    "young": 15,  # iterations, before which nothing but a broken number is held against a run
    "improving": 0.9,  # energy distance, newest two reports over oldest two: below, G is still learning
    "far": 0.2,  # energy distance in mean distances of data: samples are not where the data are
    "idle loss": 0.98,  # D's loss over that of a D which says the same of everything
    "strong jsd": 0.65,  # of log 2 = 0.693
    "saturated jsd": 0.5,  # where G's loss saturates too
    "saturated slope": 0.1,  # |∂ loss of G / ∂ logit|
    "dead drift": 1e-6,  # in units of the data's spread
    "dead diversity": 1e-4,
    "over-fitting": 0.15,  # r_v, less two standard errors
    "collapsed": 0.35,  # diversity of samples over that of data
    "collapse": 0.5,  # diversity over the best so far
    "spreading": 1.15,  # diversity, newest two reports over oldest two: above, it is still growing
    "unbalanced": 0.25,  # total variation between samples and data over the clusters
    "imbalance": 0.09,  # more than at best
    "stuck": 0.4,  # imbalance that never was less
    "swinging": 0.25,  # drift between two reports, in units of the data's spread
    "returning": 0.1,  # 1 − net move / path over two reports; 0 is straight on
    "copies": 5.0,  # z of the test for memorization
    "lagging": 2.0,  # energy distance of the averaged generator over that of the newest
    "shaking": 0.25,  # mean rise of the newest generator's energy distance between reports, over its mean
    "batch norm": 3.0,  # energy distance between both modes, over what chance makes of real examples
    "even": 1.5,  # energy distance over what chance makes of real examples
}


class Game(NamedTuple):
    """What the rules must know of a run beside its lines."""

    loss: str  # name of the adversarial loss
    conditional: bool = False
    scale: float = 1.0  # that D's loss is multiplied by


class Verdict(NamedTuple):
    """One thing that is going on.

    Args:
        kind: in one word, as `metrics.jsonl` has it.
        text: what was seen, with its numbers.
        advice: what to do, naming a setting; empty where nothing need be done.
        trouble: whether training on as before is a waste.
    """

    kind: str
    text: str
    advice: str
    trouble: bool


Rule = Callable[[Lines, Game], Verdict | None]


def at(line: Line, name: str) -> float:
    """The number of that name; NaN, to which no comparison applies, where there is none."""
    value = line.get(name)
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if is_number and value is not None else math.nan


def first_of(line: Line, *names: str) -> float:
    """The first of these numbers that the line has, NaN for none."""
    return next((value for name in names if math.isfinite(value := at(line, name))), math.nan)


def often(lines: Lines, holds: Callable[[Line], bool]) -> bool:
    """Whether it holds in OFTEN of the last LOOKS_BACK reports."""
    return sum(holds(line) for line in lines[-LOOKS_BACK:]) >= OFTEN


def mean(values: Sequence[float]) -> float:
    """Of at least one."""
    return sum(values) / len(values)


def median(values: Sequence[float]) -> float:
    """Of at least one; the upper one of two in the middle."""
    return sorted(values)[len(values) // 2]


def far(lines: Lines) -> bool:
    """Whether samples are clearly not where the data are."""
    bar = THRESHOLDS["far"]
    return often(lines, lambda line: first_of(line, "signal/energy_raw", "signal/energy") >= bar)


def approach(lines: Lines) -> float:
    """Energy distance to the data, the newest two reports' over the oldest two's of those looked at."""
    found = [first_of(line, "signal/energy_raw", "signal/energy") for line in lines[-LOOKS_BACK:]]
    return sum(found[-2:]) / sum(found[:2]) if len(found) >= OFTEN and sum(found[:2]) > 0 else math.nan


def improving(lines: Lines) -> bool:
    """Whether samples come nearer to the data, or it is too early to say."""
    return len(lines) < OFTEN or approach(lines) < THRESHOLDS["improving"]


def distance(line: Line) -> str:
    """The energy distance in words."""
    return f"{first_of(line, 'signal/energy_raw', 'signal/energy'):.2g} mean distances"
