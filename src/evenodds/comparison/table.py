"""Runs, or groups of runs that differ in their seed alone, beside each other, and what that shows."""

from __future__ import annotations

import json
import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from ..errors import ConfigError
from .reading import Judged
from .results import Limits, Result
from .settings import agreed, names_of

UNRANKED = ("memorization",)  # a p-value is a verdict on one run: .9 is no better than .3
# what a run may change without becoming another recipe
BESIDE_THE_RECIPE = (
    "seed", "device", "threads", "micro_batch", "report_every", "held_out", "samples_every", "sample_count",
    "checkpoint_every", "keep_every", "metrics", "metrics_every", "on_trouble",
)  # fmt: skip
# 97.5 % quantiles of Student's t with 1 … 30 degrees of freedom
STUDENT = (
    12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160, 2.145, 2.131,
    2.120, 2.110, 2.101, 2.093, 2.086, 2.080, 2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045, 2.042,
)  # fmt: skip


class Score(NamedTuple):
    """What one row scores.

    Args:
        value: of the run, or the mean over the group's runs.
        interval: of 95 %: of the measurement, or for a group of the mean over seeds; None where unknown.
        spread: standard deviation over the group's runs, None for a run.
        runs: that it is a mean of.
    """

    value: float
    interval: Limits | None
    spread: float | None = None
    runs: int = 1


@dataclass(frozen=True)
class Row:
    """A run, or a group of them.

    Args:
        label: the run's, or the group's recipe.
        recipe: its name.
        runs: the positions of its runs.
        generators: that were measured: last, best, training.
        examples, seconds: least and greatest over its results; None where they are not known.
        scores: by metric; None where it was not measured.
    """

    label: str
    recipe: str
    runs: tuple[int, ...]
    generators: tuple[str, ...]
    examples: Limits | None
    seconds: Limits | None
    scores: Mapping[str, Score | None]


class Column(NamedTuple):
    """What holds of a metric in all rows.

    Args:
        higher: whether higher is better; None where that is not known.
        floor, ceiling: what real training examples score in the samples' place.
        best: positions of the rows that score best; none where that is not known.
        near: positions of the other rows that can't be told from the best one, see `told_apart`.
        unsure: whether an interval is missing, so that nothing can be said of differences.
    """

    metric: str
    unit: str
    n: int
    protocol: str
    setting: Mapping[str, Any]
    higher: bool | None
    floor: float | None
    ceiling: float | None
    best: tuple[int, ...]
    near: tuple[int, ...]
    unsure: bool


class Table(NamedTuple):
    """Rows and columns; `notes` are sentences on what was not measured."""

    rows: tuple[Row, ...]
    columns: tuple[Column, ...]
    notes: tuple[str, ...]


def compare(runs: Sequence[Judged], asked: Sequence[str] | None = None, *, by_recipe: bool = False) -> Table:
    """Every run, or every group of runs of one recipe, with its latest number of each metric.

    Raises:
        RunError: nothing to compare, or numbers that were not measured alike.
        ConfigError: a metric that none of them has, or groups where there are none.
    """
    metrics = names_of(runs, asked)
    found = {metric: [last[-1] if last else None for last in agreed(runs, metric)] for metric in metrics}
    groups = recipes(runs) if by_recipe else [(run.label, (at,)) for at, run in enumerate(runs)]
    rows = tuple(_row(label, members, runs, found, by_recipe) for label, members in groups)
    columns = tuple(_column(metric, found[metric], rows) for metric in metrics)
    missing = {metric: [run.label for run, one in zip(runs, found[metric], strict=True) if one is None]
               for metric in metrics}  # fmt: skip
    notes = [f"{metric} was not measured of {_few(names)}" for metric, names in missing.items() if names]
    return Table(rows, columns, tuple(notes))


def recipes(runs: Sequence[Judged]) -> list[tuple[str, tuple[int, ...]]]:
    """(label, positions) of the runs that differ in their seed alone; other settings make another group.

    Raises:
        ConfigError: a run without a config, of which that can't be known.
    """
    groups: dict[str, list[int]] = {}
    for at, run in enumerate(runs):
        if not run.config:
            raise ConfigError(f"{run.path} has no readable config.yaml to group it by; leave out --by recipe")
        kept = {name: value for name, value in run.config.items() if name not in BESIDE_THE_RECIPE}
        groups.setdefault(json.dumps(kept, sort_keys=True, default=str), []).append(at)
    members = list(groups.values())
    names = [runs[first].recipe or runs[first].label for first, *_ in members]
    told = [
        f"{name} ({_unlike(runs, members, at)})" if names.count(name) > 1 else name
        for at, name in enumerate(names)
    ]
    return [(label, tuple(group)) for label, group in zip(told, members, strict=True)]


def _unlike(runs: Sequence[Judged], members: list[list[int]], at: int) -> str:
    """The settings of a group that others of the same recipe's name don't share: `batch_size=64`."""
    own = dict(_flat(runs[members[at][0]].config))
    recipe = runs[members[at][0]].recipe
    others = [
        dict(_flat(runs[group[0]].config))
        for group in members
        if group is not members[at] and runs[group[0]].recipe == recipe
    ]
    names = [name for name in dict.fromkeys([*own, *(name for other in others for name in other)])
             if name.split(".")[0] not in BESIDE_THE_RECIPE]  # fmt: skip
    differing = [name for name in names if any(other.get(name) != own.get(name) for other in others)]
    said = [f"{name}={own.get(name, 'none')}" for name in differing[:2]]
    return ", ".join([*said, *(["…"] if len(differing) > 2 else [])])


def _flat(values: Mapping[str, Any], prefix: str = "") -> list[tuple[str, object]]:
    leaves: list[tuple[str, object]] = []
    for name, value in values.items():
        inner = isinstance(value, Mapping) and value
        leaves += _flat(value, f"{prefix}{name}.") if inner else [(f"{prefix}{name}", value)]
    return leaves


def _row(
    label: str,
    members: tuple[int, ...],
    runs: Sequence[Judged],
    found: Mapping[str, list[Result | None]],
    grouped: bool,
) -> Row:
    own = {metric: [results[at] for at in members] for metric, results in found.items()}
    every = [one for results in own.values() for one in results if one is not None]
    scores = {metric: score([one for one in results if one], grouped) for metric, results in own.items()}
    return Row(
        label,
        runs[members[0]].recipe,
        members,
        tuple(dict.fromkeys(one.generator for one in every)),
        _range([one.examples for one in every]),
        _range([one.seconds for one in every]),
        scores,
    )


def score(results: Sequence[Result], grouped: bool) -> Score | None:
    """The number of a run; of several the mean, standard deviation and Student's interval of the mean."""
    if not results:
        return None
    if not grouped:
        return Score(results[0].value, results[0].interval)
    values = [one.value for one in results]
    mean, count = statistics.fmean(values), len(values)
    if count < 2:
        return Score(mean, None, None, 1)  # one seed says nothing of the others
    spread = statistics.stdev(values)
    half = student(count - 1) * spread / math.sqrt(count)
    return Score(mean, (mean - half, mean + half), spread, count)


def _range(values: Sequence[float | None]) -> Limits | None:
    known = [value for value in values if value is not None]
    return (min(known), max(known)) if known else None


def _column(metric: str, results: Sequence[Result | None], rows: Sequence[Row]) -> Column:
    known = [one for one in results if one is not None]
    higher = is_higher_better(metric, known)
    scores = [row.scores[metric] for row in rows]
    best, near = ranked(scores, higher)
    return Column(
        metric=metric,
        unit=known[0].unit,
        n=known[0].n,
        protocol=known[-1].protocol,
        setting=known[0].setting,
        higher=higher,
        floor=next((one.floor for one in known if one.floor is not None), None),
        ceiling=next((one.ceiling for one in known if one.ceiling is not None), None),
        best=best,
        near=near,
        unsure=any(one is not None and one.interval is None for one in scores),
    )


def ranked(scores: Sequence[Score | None], higher: bool | None) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """(positions of the best, positions of others that can't be told from a best one)."""
    values = {at: one for at, one in enumerate(scores) if one is not None}
    if higher is None or len(values) < 2:
        return (), ()
    top = (max if higher else min)(one.value for one in values.values())
    best = tuple(at for at, one in values.items() if one.value == top)
    near = [
        at
        for at, one in values.items()
        if at not in best and not all(told_apart(one, values[leader]) for leader in best)
    ]
    return best, tuple(near)


def told_apart(one: Score, other: Score) -> bool:
    """Whether intervals of runs don't touch; of groups, whether means differ by Welch's t test at 5 %.

    Where an interval is not known, nothing speaks against it: `Column.unsure` says so.
    """
    if one.spread is not None and other.spread is not None:
        parts = [score.spread**2 / score.runs for score in (one, other) if score.spread is not None]
        if sum(parts) == 0:
            return one.value != other.value
        # Welch (1947): degrees of freedom of the difference of two means
        freedom = sum(parts) ** 2 / sum(
            part**2 / (score.runs - 1) for part, score in zip(parts, (one, other), strict=True)
        )
        return abs(one.value - other.value) > student(freedom) * math.sqrt(sum(parts))
    if one.interval is None or other.interval is None:
        return True
    return one.interval[0] > other.interval[1] or other.interval[0] > one.interval[1]


def student(freedom: float) -> float:
    """97.5 % quantile of Student's t, between whole degrees of freedom on a line in their reciprocal."""
    low = max(int(freedom + 1e-9), 1)
    if low >= len(STUDENT):
        return 1.96 + 2.45 / freedom
    share = (1 / low - 1 / max(freedom, low)) * low * (low + 1)  # 0 at low, 1 at low + 1
    return STUDENT[low - 1] + share * (STUDENT[low] - STUDENT[low - 1])


def is_higher_better(metric: str, results: Sequence[Result]) -> bool | None:
    """As the metric itself says; of one that this evenodds doesn't know, by its floor or ceiling."""
    from ..evaluation import find_metric

    if metric.startswith(UNRANKED):
        return None
    try:
        return find_metric(metric)[0].higher_is_better
    except ConfigError:
        floors = any(one.floor is not None for one in results)
        ceilings = any(one.ceiling is not None for one in results)
        return None if floors == ceilings else ceilings


def _few(names: Sequence[str]) -> str:
    """a, b and 3 more."""
    if len(names) < 2:
        return "".join(names)
    shown = list(names) if len(names) <= 4 else [*names[:3], f"{len(names) - 3} more"]
    return f"{', '.join(shown[:-1])} and {shown[-1]}"
