"""The metrics that training or `evenodds evaluate` measured: curves with intervals and floor."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..comparison.results import Result, real_score
from .charts import Chart, Level, Series, charts, marks
from .facts import Facts
from .history import History


def all_charts(history: History, facts: Facts, *, limit: int) -> list[Chart]:
    """Those of the training, then one for each metric; arguments as of `charts`."""
    drawn, first = charts(history, facts, limit=limit), marks(history)
    old = sum(chart.key.startswith("metric-") for chart in drawn)
    measured = measured_charts(history)
    return [
        *drawn,
        *(one._replace(key=f"metric-{old + at}", marks=first) for at, one in enumerate(measured)),
    ]


def measured_charts(history: History) -> list[Chart]:
    """One for each metric that was measured at two points at least, under the setting of most of them."""
    made: list[Chart] = []
    for metric in measured_names(history):
        results = [one for one in history.evaluations.results if one.metric == metric]
        points = most_points(results)
        if len(points) > 1:
            made.append(_chart(metric, points, results))
    return made


def measured_names(history: History) -> list[str]:
    """Metrics with a result, in the order in which they were first measured."""
    return list(dict.fromkeys(one.metric for one in history.evaluations.results))


def most_points(results: Sequence[Result]) -> list[Result]:
    """Those of one setting, ascending in the examples seen; of several at the same the latest."""
    curves: dict[str, dict[int, Result]] = {}
    for one in results:
        if one.examples is not None:
            curves.setdefault(one.key, {})[one.examples] = one
    points = max(curves.values(), key=len, default={})
    return [points[at] for at in sorted(points)]


def _chart(metric: str, points: Sequence[Result], results: Sequence[Result]) -> Chart:
    """The curve with its intervals, and what real examples score as a dashed line."""
    x = np.array([one.examples for one in points], dtype=np.float64)
    y = np.array([one.value for one in points])
    ends = [one.interval or (one.value, one.value) for one in points]
    low, high = np.array([end[0] for end in ends]), np.array([end[1] for end in ends])
    known = any(one.interval for one in points)
    line = Series(metric, "value", x, y, y, y, y, 1, interval=(low, high) if known else None)
    real = real_score(points, results)
    levels = () if real is None else (Level(real.value, str(real), real.kind == "ceiling"),)
    note = "Shaded: 95 % interval of each measurement." if known else ""
    return Chart(
        key="metric",
        title=f"{metric}{_way(results)}",
        note=note,
        label=points[-1].unit or metric,
        limits=_limits([*y, *low, *high, *(level.y for level in levels)]),
        series=(line,),
        levels=levels,
        protocol=points[-1].protocol,
    )


def _way(results: Sequence[Result]) -> str:
    """Which way is better, where a floor or a ceiling tells."""
    if any(one.floor is not None for one in results):
        return " (lower is better)"
    return " (higher is better)" if any(one.ceiling is not None for one in results) else ""


def _limits(values: Sequence[float]) -> tuple[float, float]:
    low, high = min(values), max(values)
    margin = 0.06 * (high - low) or 0.05 * abs(high) or 1.0
    return low - margin, high + margin
