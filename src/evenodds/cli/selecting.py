"""Samples chosen by a run's discriminator, for `evenodds sample --select`."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple

from ..errors import ConfigError, RunError
from .display import status
from .signals import uninterrupted

if TYPE_CHECKING:
    from ..metrics.bounds import Bounds
    from ..odds import Judge, Selection
    from ..opening import Opened
    from ..sampling import Sampler

How = Literal["odds", "mh"]
CHAIN = 100  # proposals for one sample
BURN_IN = 4_000  # samples in which the largest ratio is looked for
LEAST_MEASURED = 100  # half of them train a fresh discriminator
FIRST_BURN_IN, FIRST_MEASURED = 2**32 - 2**26, 2**32 - 2**27  # seeds that nobody asks for


class Chosen(NamedTuple):
    """What was selected, and from whom.

    Args:
        sampler: that draws it.
        seeds: of the generator, one for each that was asked for.
        labels: theirs; None without classes.
        report: on acceptance and gauge, line by line.
    """

    sampler: Sampler
    seeds: list[int]
    labels: list[int] | None
    report: list[str]


def selected(
    source: Path,
    how: How,
    which: Literal["last", "best"],
    seeds: Sequence[int],
    label_of: Callable[[Sampler], int | None],
    *,
    steps: int,
    measure: int,
) -> Chosen:
    """Choose samples by the discriminator in a run's checkpoint; arguments as `evenodds sample` has them.

    Args:
        label_of: the label asked for; None for all classes in turn.

    Raises:
        RunError, ConfigError, DataError: no run, or one whose discriminator can't judge.
    """
    if not source.is_dir():
        raise RunError(f"{source} is no run, and --select needs its discriminator; give the run's folder")
    if steps < 0 or (measure != 0 and measure < LEAST_MEASURED):
        raise ConfigError(
            f"--discriminator-steps {steps}, --measure {measure}: give at least 0 and at least "
            f"{LEAST_MEASURED}, or --measure 0 for no gauge"
        )
    with status("opening the run and its data"):
        with uninterrupted():
            from ..odds import judge_of
            from ..opening import open_run
        opened = open_run(source, checkpoint=which)
    with status(f"training the discriminator on ({steps} steps) and calibrating it"):
        judge = judge_of(opened, steps=steps)
    label, classes = label_of(opened.sampler), len(opened.sampler.class_names)
    labels = None if not classes else [seed % classes if label is None else label for seed in seeds]
    with status(f"selecting {len(seeds):,} samples"):
        found, lines = _selection(judge, how, seeds, labels)
    if measure:
        with status(f"measuring {measure:,} samples as they come and {measure:,} selected ones"):
            lines += _measured(opened, judge, how, measure)
    return Chosen(opened.sampler, found.seeds, labels, lines)


def _selection(
    judge: Judge, how: How, seeds: Sequence[int], labels: Sequence[int] | None
) -> tuple[Selection, list[str]]:
    """The selection, and what became of the candidates."""
    from ..odds import ceiling, metropolis_hastings, rejection

    if how == "mh":
        start = judge.odds(judge.held_out)
        found = metropolis_hastings(judge.score, seeds, labels, start=start, steps=CHAIN)
        text = f"chains of {CHAIN} steps: {found.accepted:,} of {found.candidates:,} proposals accepted"
        return found, [f"{text} ({100 * found.acceptance:.2g} %)"]
    limit = ceiling(judge.score(range(FIRST_BURN_IN, FIRST_BURN_IN + BURN_IN), None))
    found = rejection(judge.score, seeds, labels, limit=limit)
    text = f"{found.accepted:,} of {found.candidates:,} candidates accepted ({100 * found.acceptance:.2g} %)"
    if limit.shift:
        text += f", with the odds shifted by {-limit.shift:.1f} to accept 2 % at least"
    return found, [text]


def _measured(opened: Opened, judge: Judge, how: How, count: int) -> list[str]:
    """The gauge before and after, by the judge itself and by a fresh discriminator."""
    half = min(count // 2, len(judge.held_out))
    plain = list(range(FIRST_MEASURED, FIRST_MEASURED + 2 * half))
    classes = len(opened.sampler.class_names)
    labels = [seed % classes for seed in plain] if classes else None
    kinds = {"before": plain, "after": _selection(judge, how, plain, labels)[0].seeds}
    own = [judge.gauge(seeds[:half], labels and labels[:half]) for seeds in kinds.values()]
    fresh = [fresh_bounds(opened, judge, seeds, labels) for seeds in kinds.values()]
    return [
        f"the gauge before and after, on {half:,} held-out examples and as many fresh samples (95 %):",
        f"  by the discriminator that selects: {_change(*own)}",
        f"  by a fresh one for each: {_change(*fresh)}",
    ]


def _change(before: Bounds, after: Bounds) -> str:
    """What is proved of both, rounded so that it is never more than was proved."""
    low = [math.floor(1000 * one) / 1000 for one in (before.jsd.low, after.jsd.low)]
    tv = [math.floor(1000 * one.total_variation.low) / 1000 for one in (before, after)]
    return f"JSD at least {low[0]:.3f} -> {low[1]:.3f} nats, TV at least {tv[0]:.3f} -> {tv[1]:.3f}"


def fresh_bounds(opened: Opened, judge: Judge, seeds: Sequence[int], labels: Sequence[int] | None) -> Bounds:
    """What a discriminator proves that was trained on the samples of these seeds and has selected none.

    Half of the samples train it, the others are measured against held-out examples.
    """
    import numpy as np
    import torch

    from ..data.loader import to_range
    from ..referee.probe import probe

    half = len(seeds) // 2
    x = torch.from_numpy(opened.sampler(seeds, labels))
    chosen = np.random.default_rng(0).permutation(len(opened.dataset.train))[:half]
    real, held_out = (
        to_range(torch.from_numpy(part), opened.dataset.value_range)
        for part in (opened.dataset.train.x[np.sort(chosen)], judge.held_out.x[:half])
    )
    return probe(real, held_out, lambda n, _: x[:n]).bounds
