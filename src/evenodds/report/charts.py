"""The curves of a run as data: what is drawn, against which line of the theory, between which limits.

plots.py draws these charts as PNG, html.py as interactive pictures; both say the same.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .facts import LOG_2, LOG_4, NO_PROBABILITY, Facts
from .history import Curve, History

MOST_MARKS = 12  # on a chart; more can't be told apart

Array = NDArray[np.float64]
Limits = tuple[float, float]


class Series(NamedTuple):
    """One curve, or where it has more records than `limit` of `series`, means of neighbouring records.

    Args:
        role: "discriminator", "generator", "data" or "value"; the colour follows from it.
        y, low, high: (P,) mean, least and greatest of the records that a point stands for.
        smooth: (P,) running mean of y over `window` points, or y where the window is 1.
        error: (P,) standard errors, or None.
        interval: (P,) and (P,), the ends of the interval of each point, or None.
        thin: drawn in the background.
    """

    name: str
    role: str
    x: Array
    y: Array
    low: Array
    high: Array
    smooth: Array
    window: int  # records, not points
    error: Array | None = None
    thin: bool = False
    interval: tuple[Array, Array] | None = None


class Level(NamedTuple):
    """A dashed line of the theory; its text stands on it, or `below` it where a curve ends above."""

    y: float
    text: str
    below: bool = False


class Region(NamedTuple):
    """A shaded stretch of the y axis."""

    low: float
    high: float
    text: str
    role: str


class Mark(NamedTuple):
    """Something that was noticed while training: a vertical line with its number in the table of events."""

    examples: int
    number: int
    kind: str
    trouble: bool


class Chart(NamedTuple):
    """One picture of curves over the examples seen.

    Args:
        marks: of the events of the run, the same in every chart.
        right: (factor, offset, label) of a second y axis: its value is factor * y + offset.
        protocol: how it was measured.
    """

    key: str
    title: str
    note: str
    label: str
    limits: Limits
    series: tuple[Series, ...]
    levels: tuple[Level, ...] = ()
    regions: tuple[Region, ...] = ()
    right: tuple[float, float, str] | None = None
    marks: tuple[Mark, ...] = ()
    protocol: str = ""


def charts(history: History, facts: Facts, *, limit: int) -> list[Chart]:
    """Losses, odds, value and one chart for each metric; those without a finite value are left out.

    Args:
        limit: points a curve may have; longer ones are summarised.
    """
    made = [losses(history, facts, limit), odds(history, facts, limit), value(history, facts, limit)]
    made += [gauge(history, limit), samples(history, limit)]
    drawn = marks(history)
    return [chart._replace(marks=drawn) for chart in (*made, *metrics(history, limit)) if chart.series]


def marks(history: History) -> tuple[Mark, ...]:
    """The latest events, numbered as in the table."""
    numbered = [
        Mark(event.examples, number, event.kind, event.trouble)
        for number, event in enumerate(history.events, 1)
    ]
    return tuple(numbered[-MOST_MARKS:])


def losses(history: History, facts: Facts, limit: int) -> Chart:
    """What D and G minimise, against both values at even odds."""
    series = _all(
        history,
        limit,
        ("D's loss", "discriminator", "loss/discriminator"),
        ("G's loss", "generator", "loss/generator"),
    )
    levels = _loss_levels(facts)
    loss = facts.component("loss")
    unit = "loss [nats]" if loss in ("minimax", "non_saturating", "relativistic") else "loss"
    known = f"Dashed: the losses at even odds under {loss}." if levels else ""
    limits = _limits(series, levels)
    placed = _placed(levels, series, limits)
    return Chart("losses", "Losses of both players", known, unit, limits, series, placed)


def _loss_levels(facts: Facts) -> tuple[Level, ...]:
    if facts.even_odds is None:
        return ()
    discriminator, generator = facts.even_odds
    names = {LOG_4: "log 4", LOG_2: "log 2", -LOG_2: "−log 2", 0.25: "1/4", 0.125: "1/8"}
    said = [names.get(at, f"{at:.3g}") for at in (discriminator, generator)]
    if discriminator == generator:
        return (Level(generator, f"{said[0]}: both losses at even odds"),)
    return (
        Level(discriminator, f"{said[0]}: D's loss at even odds"),
        Level(generator, f"{said[1]}: G's loss at even odds"),
    )


def odds(history: History, facts: Facts, limit: int) -> Chart:
    """How real D takes training data, held-out data and samples to be."""
    series = _all(
        history,
        limit,
        ("D(x), training data", "data", "d/real"),
        ("D(x), held-out data", "discriminator", "d/held_out"),
        ("D(G(z)), samples", "generator", "d/fake"),
    )
    regions = (
        Region(0.9, 1.0, "D wins: what it scores here, it takes to be real", "discriminator"),
        Region(0.4, 0.6, "even odds (1/2): D can't tell", "even"),
        Region(0.0, 0.1, "D wins: what it scores here, it takes to be generated", "discriminator"),
    )
    note = "" if facts.is_probability else f"{_capital(NO_PROBABILITY)}."
    levels = (Level(0.5, ""),)
    title = "Who is winning: mean of D"
    return Chart("odds", title, note, "mean of D [0..1]", (0.0, 1.0), series, levels, regions)


def value(history: History, facts: Facts, limit: int) -> Chart:
    """V(D,G) on held-out data between even odds and a D that tells all apart."""
    thin = _all(history, limit, ("V on training data", "data", "value/train"))
    bold = _all(history, limit, ("V on held-out data", "value", "value/held_out"))
    series = tuple(one._replace(thin=bool(bold)) for one in thin) + bold
    levels = (Level(-LOG_4, "−log 4: even odds (the generator has won)"), Level(0.0, "0: D tells all apart"))
    note = "V = E log D(x) + E log(1 − D(G(z))); any D bounds the Jensen–Shannon divergence (JSD) from below."
    if not facts.is_probability:
        note = f"{_capital(NO_PROBABILITY)}; the bound on JSD holds all the same, but is loose."
    right = (0.5, LOG_4 / 2, "JSD is at least [nats]")
    title, (low, high) = "Value of the game V(D,G)", _limits(series, levels)
    limits = low - 0.06 * (high - low), high  # room below −log 4: a game that goes well ends just above it
    placed = _placed(levels, series, limits)
    return Chart("value", title, note, "V(D,G) [nats]", limits, series, placed, right=right)


def gauge(history: History, limit: int) -> Chart:
    """What D shows of the divergence that is left, on data that it wasn't trained on."""
    series = _all(
        history,
        limit,
        ("JSD is at least: estimate", "value", "gauge/jsd"),
        ("low end of its 95 % interval", "discriminator", "gauge/jsd/low"),
        ("JSD is at least, by a fresh probe", "generator", "probe/jsd"),
    )
    levels = (Level(0.0, "0: even odds"),)
    note = "From held-out data and fresh samples; where D is no probability, from a calibrated read-out."
    limits = _limits(series, levels)
    return Chart("gauge", "The gauge: how far from even odds", note, "JSD [nats]", limits, series, levels)


def samples(history: History, limit: int) -> Chart:
    """What the referee sees of the samples themselves."""
    series = _all(
        history,
        limit,
        ("diversity: distances between samples", "generator", "signal/diversity"),
        ("coverage of the data's clusters", "value", "signal/coverage"),
    )
    levels = (Level(1.0, "1: as in held-out data"),)
    limits = _limits(series, (*levels, Level(0.0, "")))
    title = "Samples against held-out data"
    return Chart("samples", title, "Both near 0: the generator has collapsed.", title, limits, series, levels)


def metrics(history: History, limit: int) -> list[Chart]:
    """One chart for each protocol that only metrics.jsonl tells of, with standard errors where recorded."""
    known = {one.metric for one in history.evaluations.results}
    made: list[Chart] = []
    for protocol in history.protocols():
        if protocol in known:
            continue
        values = history.curve(f"metric/{protocol}")
        if not len(values.values):
            continue
        errors = history.column(f"metric/{protocol}/standard_error")
        one = series(protocol, "value", values, limit)
        if len(one.x) == len(values.examples) and np.isfinite(errors).any():
            at = np.searchsorted(history.examples, values.examples)
            one = one._replace(error=np.where(np.isfinite(errors[at]), errors[at], 0.0))
        # A few exact evaluations: a running mean would hide what each one found.
        one = one._replace(smooth=one.y, window=1)
        note = "Bars: one standard error to either side." if one.error is not None else ""
        made.append(Chart(f"metric-{len(made)}", protocol, note, protocol, _limits((one,), ()), (one,)))
    return made


def series(name: str, role: str, curve: Curve, limit: int) -> Series:
    """A curve in at most `limit` points, with its running mean."""
    records = len(curve.values)
    size = max(1, -(-records // limit))  # records in a point
    starts = np.arange(0, records, size)
    counts = np.diff(np.append(starts, records))
    x = np.add.reduceat(curve.examples, starts) / counts
    y = np.add.reduceat(curve.values, starts) / counts
    low, high = np.minimum.reduceat(curve.values, starts), np.maximum.reduceat(curve.values, starts)
    points = 2 * (len(y) // 80) + 1
    return Series(name, role, x, y, low, high, running_mean(y, points), points * size)


def running_mean(values: Array, window: int) -> Array:
    """Mean over `window` (odd) neighbours, over those there are at both ends; (P,) to (P,)."""
    total = np.concatenate([[0.0], np.cumsum(values)])
    middle = np.arange(len(values))
    first = np.maximum(middle - window // 2, 0)
    after = np.minimum(middle + window // 2 + 1, len(values))
    mean: Array = (total[after] - total[first]) / (after - first)
    return mean


def _capital(text: str) -> str:
    return text[0].upper() + text[1:]


def _all(history: History, limit: int, *wanted: tuple[str, str, str]) -> tuple[Series, ...]:
    """A series for each (name, role, column) that has finite values."""
    found = [(name, role, history.curve(column)) for name, role, column in wanted]
    return tuple(series(name, role, curve, limit) for name, role, curve in found if len(curve.values))


def _placed(levels: tuple[Level, ...], many: tuple[Series, ...], limits: Limits) -> tuple[Level, ...]:
    """The levels, with their texts where fewer curves end."""
    near = 0.1 * (limits[1] - limits[0])
    ends = [float(value) for one in many for value in one.smooth[-max(1, len(one.smooth) // 4) :]]
    above = [sum(0 < end - level.y < near for end in ends) for level in levels]
    below = [sum(0 < level.y - end < near for end in ends) for level in levels]
    # The lowest level has the axis right below it.
    lowest = limits[0] + near
    return tuple(
        level._replace(below=one > other and level.y > lowest)
        for level, one, other in zip(levels, above, below, strict=True)
    )


def _limits(many: tuple[Series, ...], levels: tuple[Level, ...]) -> Limits:
    """Limits of y that hold the levels, the running means and 98 of 100 records, with a margin."""
    parts: list[Any] = [[level.y for level in levels]]
    for one in many:
        error = 0.0 if one.error is None else one.error
        parts += [np.percentile(one.low, [1]), np.percentile(one.high, [99])]
        parts += [one.smooth - error, one.smooth + error]
    values = np.concatenate(parts) if many else np.array([0.0, 1.0])
    low, high = float(values.min()), float(values.max())
    margin = 0.06 * (high - low) or 0.05 * abs(high) or 1.0
    return low - margin, high + margin
