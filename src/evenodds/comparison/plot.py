"""Metrics over training, of several runs in one picture."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from ..drawing.canvas import one_line
from ..files import write_with
from ..report.plots import STYLE, short_count
from .reading import Judged
from .results import Limits, RealScore, Result, real_score
from .settings import shared_settings
from .table import recipes

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Okabe and Ito's colours, that most colour-blind readers tell apart, less yellow, which is faint on white
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00", "#000000")
DASHES: tuple[tuple[float, tuple[float, ...]], ...] = (
    (0, ()),
    (0, (5, 2)),
    (0, (1, 1.5)),
    (0, (6, 2, 1, 2)),
    (0, (3, 1, 1, 1, 1, 1)),
)
LEGEND_ROWS = 26  # names below each other beside the picture
FEW = 8  # names that fit below it
LONGEST = 48  # letters of a name
SPAN_OF_LOGARITHMS = 30.0  # greatest over least value from which on the y axis is logarithmic


class Line(NamedTuple):
    """One run's or recipe's curve, (P,) each, x ascending; NaN-free.

    Args:
        low, high: of the band around it; equal to y where nothing is known.
    """

    label: str
    x: list[float]
    y: list[float]
    low: list[float]
    high: list[float]


class Panel(NamedTuple):
    """One metric."""

    metric: str
    unit: str
    real: RealScore | None
    protocol: str
    lines: list[Line]


def write_plot(
    path: Path,
    runs: Sequence[Judged],
    metrics: Sequence[str],
    *,
    against_seconds: bool = False,
    by_recipe: bool = False,
) -> list[str]:
    """One panel for each metric, a line for each run with the band of its intervals, real data dashed.

    Args:
        runs: in the order of the legend.
        metrics: that the runs share, as `comparable` says.
        against_seconds: the x axis is the time trained; else real training images seen.
        by_recipe: a line is the mean over the runs of a recipe, its band their range.

    Returns:
        Sentences on what could not be drawn.

    Raises:
        RunError: the picture can't be written.
        ConfigError: runs without a config, which no recipe can be known of.
    """
    import matplotlib
    from matplotlib.figure import Figure

    groups = recipes(runs) if by_recipe else [(run.label, (at,)) for at, run in enumerate(runs)]
    order = [label for label, _ in groups]
    panels = [panel(runs, groups, metric, against_seconds=against_seconds) for metric in metrics]
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=_size(panels, order), dpi=140, layout="constrained")
        every = figure.subplots(len(panels), 1, squeeze=False)[:, 0]
        for axes, one in zip(every, panels, strict=True):
            _draw(axes, one, order)
        what = "seconds trained" if against_seconds else "real training images shown to D"
        every[-1].set_xlabel(f"{what}\n{_bands(order, by_recipe)}")
        _legend(figure, order)
        write_with(path, lambda file: figure.savefig(file, format="png", metadata={"Software": None}))
    return [f"{one.metric} has no point with {what} and is left empty" for one in panels if not one.lines]


def panel(
    runs: Sequence[Judged],
    groups: Sequence[tuple[str, tuple[int, ...]]],
    metric: str,
    *,
    against_seconds: bool,
) -> Panel:
    """The curves of a metric, under the setting in which most was measured."""
    shared = shared_settings(runs, metric)
    key = max(shared, key=lambda one: len(shared[one]))
    sample = shared[key][-1]
    curves = [curve(run, metric, key, against_seconds=against_seconds) for run in runs]
    lines = [merged(label, [curves[at] for at in members]) for label, members in groups]
    return Panel(
        metric,
        sample.unit,
        real_score(shared[key], [one for run in runs for one in run.of(metric)]),
        sample.protocol,
        [line for line in lines if line.x],
    )


def curve(run: Judged, metric: str, key: str, *, against_seconds: bool) -> Line:
    """What was measured of one run; of several results at the same point the latest."""
    points: dict[float, Result] = {}
    for one in run.of(metric):
        x = one.seconds if against_seconds else one.examples
        if one.key == key and x is not None:
            points[float(x)] = one
    order = sorted(points)
    bands: list[Limits] = [points[x].interval or (points[x].value, points[x].value) for x in order]
    return Line(
        run.label, order, [points[x].value for x in order], [low for low, _ in bands], [up for _, up in bands]
    )


def merged(label: str, lines: Sequence[Line]) -> Line:
    """One line alone; of several the mean and the range at every x that half of them have, at least."""
    if len(lines) == 1:
        return lines[0]._replace(label=label)
    at = {x: [line.y[line.x.index(x)] for line in lines if x in line.x] for line in lines for x in line.x}
    kept = [x for x in sorted(at) if 2 * len(at[x]) >= len(lines)]
    return Line(
        label,
        kept,
        [statistics.fmean(at[x]) for x in kept],
        [min(at[x]) for x in kept],
        [max(at[x]) for x in kept],
    )


def _size(panels: Sequence[Panel], order: Sequence[str]) -> tuple[float, float]:
    """Inches; room for the names beside the panels where they don't fit below them."""
    beside = 0.0 if len(order) <= FEW else 0.6 + 0.062 * min(max(map(len, order)), LONGEST)
    columns = -(-len(order) // LEGEND_ROWS)
    return 9 + columns * beside, max(1.2 + 3.8 * len(panels), 0.22 * min(len(order), LEGEND_ROWS))


def _bands(order: Sequence[str], by_recipe: bool) -> str:
    """What the shaded bands are."""
    if by_recipe:
        return "lines: mean over the runs of a recipe; bands: their range"
    return "bands: 95 % interval of the measurement" if len(order) <= FEW else ""


def _draw(axes: Axes, one: Panel, order: Sequence[str]) -> None:
    """One metric on its axes; of many runs no bands, which would cover each other."""
    few = len(order) <= FEW
    for line in one.lines:
        colour, dash = look(order.index(line.label))
        marker = "o" if len(line.x) == 1 or (few and len(line.x) < 40) else None
        axes.plot(line.x, line.y, color=colour, linestyle=dash, marker=marker, markersize=4,
                  linewidth=1.8 if few else 1.2)  # fmt: skip
        if few:
            axes.fill_between(line.x, line.low, line.high, color=colour, alpha=0.15, linewidth=0)
        if len(line.x) == 1:  # a band of no width can't be seen
            axes.vlines(line.x, line.low, line.high, color=colour, linewidth=1.2)
    if one.real is not None:
        _draw_real(axes, one.real)
    axes.set_title(one_line(one.metric, longest=90), loc="left", pad=22 if one.protocol else 8)
    note = one_line(one.protocol, longest=125)
    axes.text(0, 1.02, note, transform=axes.transAxes, fontsize=8, color="#495057")
    axes.set_ylabel(one_line(one.unit or one.metric, longest=40))
    _scale(axes, one)


def _draw_real(axes: Axes, real: RealScore) -> None:
    """What real data score, dashed; a ceiling's name stands below it, where no curve is."""
    axes.axhline(real.value, color="#495057", linestyle=(0, (6, 4)), linewidth=1)
    axes.text(
        0.995, real.value, str(real), transform=axes.get_yaxis_transform(), ha="right",
        va="bottom" if real.kind == "floor" else "top", fontsize=9, color="#343a40",
        bbox={"facecolor": "white", "alpha": 0.75, "edgecolor": "none", "pad": 1},
    )  # fmt: skip


def _scale(axes: Axes, one: Panel) -> None:
    """From 0 examples on; logarithmic values where they span much."""
    values = [value for line in one.lines for value in line.y]
    lows = [value for line in one.lines for value in line.low]
    if values and min(lows) > 0 and max(values) / min(values) > SPAN_OF_LOGARITHMS:
        axes.set_yscale("log")
    last = max((line.x[-1] for line in one.lines), default=0.0)
    axes.set_xlim(0, 1.03 * last or 1)
    axes.xaxis.set_major_formatter(lambda value, _: short_count(value))
    axes.grid(axis="y", color="#e9ecef", linewidth=0.8)
    axes.set_axisbelow(True)


def look(position: int) -> tuple[str, tuple[float, tuple[float, ...]]]:
    """Colour and dashes; 35 lines are all different."""
    return COLOURS[position % len(COLOURS)], DASHES[position // len(COLOURS) % len(DASHES)]


def _legend(figure: Figure, order: Sequence[str]) -> None:
    """Names beside the picture, in the order in which the runs were given."""
    from matplotlib.lines import Line2D

    handles = [
        Line2D([], [], color=look(at)[0], linestyle=look(at)[1], linewidth=1.8) for at in range(len(order))
    ]
    names = [one_line(label, longest=LONGEST) for label in order]
    few = len(order) <= FEW
    figure.legend(
        handles,
        names,
        loc="outside lower center" if few else "outside right upper",
        ncols=min(3, len(order)) if few else -(-len(order) // LEGEND_ROWS),
        fontsize=9 if few else 8,
        frameon=False,
        handlelength=3,
    )
