"""What the recorded signals mean, in words, and what to do about it: a pure function of the lines."""

from __future__ import annotations

import math

from .faults_of_discriminator import lazy_discriminator, overfitting, strong_discriminator
from .faults_of_generator import (
    batch_norm,
    collapse,
    dead_generator,
    fast_average,
    memorization,
    never_spread,
    oscillation,
    partial_collapse,
    slow_average,
)
from .history import LOOKS_BACK as LOOKS_BACK
from .history import THRESHOLDS as THRESHOLDS
from .history import Game as Game
from .history import Line, Lines, Rule, at, distance, often
from .history import Verdict as Verdict

CAUSES: tuple[Rule, ...] = (dead_generator, oscillation, lazy_discriminator, strong_discriminator)
LOSSES: tuple[Rule, ...] = (collapse,)
FAULTS: tuple[Rule, ...] = (
    never_spread,
    partial_collapse,
    overfitting,
    memorization,
    slow_average,
    fast_average,
    batch_norm,
)


def judge(lines: Lines, game: Game) -> list[Verdict]:
    """What is going on, the gravest first: what is wrong, or else that G is learning or the odds are even.

    Args:
        lines: reports of metrics.jsonl, the oldest first; the last is judged by those before.
        game: of the run.
    """
    if not lines:
        return []
    broken = non_finite(lines)
    if broken:
        return [broken]
    if at(lines[-1], "iteration") < THRESHOLDS["young"]:
        return [standing(lines)]
    found = [verdict for rule in CAUSES if (verdict := rule(lines, game))]
    # a G that never lived, or that no D has taught, lacks everything: only what it has had and lost is news
    rules = LOSSES if found else LOSSES + FAULTS
    found += [verdict for rule in rules if (verdict := rule(lines, game))]
    if any(verdict.trouble for verdict in found):
        return found
    return [standing(lines), *found]


def non_finite(lines: Lines) -> Verdict | None:
    """A number that is none, or the event that says so."""
    bad = [name for name, value in lines[-1].items() if isinstance(value, float) and not math.isfinite(value)]
    events = lines[-1].get("event") or []
    told = [
        str(event.get("text", ""))
        for event in (events if isinstance(events, list) else [events])
        if event.get("kind") == "non_finite"
    ]
    if not bad and not told:
        return None
    text = f"{bad[0]} is no longer a finite number." if bad else told[0]
    return Verdict("non_finite", text, "Lower the learning rates, or set penalties.r1.weight=1.", True)


def standing(lines: Lines) -> Verdict:
    """Even odds, or learning."""
    jsd, energy = at(lines[-1], "gauge/jsd"), at(lines[-1], "signal/energy")

    def even(line: Line) -> bool:
        near = at(line, "signal/energy") <= THRESHOLDS["even"] * at(line, "signal/energy_floor")
        return near and at(line, "gauge/jsd/low") <= 0

    if often(lines, even):
        text = "Even odds: on held-out data D does no better than a coin, and samples lie where data do."
        return Verdict("even", text, "A fresh D may still tell them apart: evenodds audit.", False)
    said = [f"JSD is at least {jsd:.2f} of 0.69 nats"] if math.isfinite(jsd) else []
    said += [f"samples are {distance(lines[-1])} from the data"] if math.isfinite(energy) else []
    return Verdict("learning", f"G is learning{': ' if said else ''}{', '.join(said)}.", "", False)
