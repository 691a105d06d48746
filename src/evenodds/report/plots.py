"""The charts of a run as PNG files for papers, mails and README files."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..drawing.canvas import one_line
from ..errors import RunError
from ..files import write_with
from .charts import Chart, Series
from .facts import Facts, read_facts
from .history import read_history
from .measured import all_charts

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

POINTS = 2_000  # a curve in a picture 1,350 pixels wide
MOST_METRICS = 6
COLOURS = {
    "discriminator": "#1864ab",
    "generator": "#d9480f",
    "data": "#868e96",
    "value": "#5f3dc4",
    "even": "#2b8a3e",
    "trouble": "#c92a2a",
}
# The user's own matplotlib settings (LaTeX, fonts) must not change these files, nor make them fail.
STYLE: dict[Any, Any] = {
    "text.usetex": False,
    "text.parse_math": False,  # a name with $ in it is a name
    "font.family": "DejaVu Sans",
    "font.size": 11,
    "axes.titlesize": 13,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "legend.frameon": False,
    "legend.fontsize": 10,
}


def write_plots(run: Path) -> list[Path]:
    """Write plots/losses.png, odds.png, value.png, gauge.png, samples.png and metrics.png, where recorded.

    Raises:
        RunError: nothing has been recorded yet, or a file can't be read or written.
    """
    facts = read_facts(run)
    drawn = all_charts(read_history(run), facts, limit=POINTS)
    if not drawn:
        raise RunError(f"{run} has no curves to plot yet; let it train until metrics.jsonl has a record")
    metrics = [chart for chart in drawn if chart.key.startswith("metric-")]
    pages = {chart.key: [chart] for chart in drawn if chart not in metrics}
    if metrics:
        pages["metrics"] = metrics
    return [_write(run / "plots" / f"{key}.png", page, facts) for key, page in pages.items()]


def _write(path: Path, page: list[Chart], facts: Facts) -> Path:
    """One picture of one chart, or of several below each other."""
    import matplotlib
    from matplotlib.figure import Figure

    shown = page[:MOST_METRICS]
    with matplotlib.rc_context(STYLE):
        height = 5 if len(shown) == 1 else 1 + 2.6 * len(shown)
        figure = Figure(figsize=(9, height), dpi=150, layout="constrained")
        for axes, chart in zip(figure.subplots(len(shown), 1, squeeze=False)[:, 0], shown, strict=True):
            _draw(axes, chart)
        _name(figure, facts, len(page) - len(shown))
        try:
            path.parent.mkdir(exist_ok=True)
        except OSError as error:
            raise RunError(
                f"{path.parent} can't be made ({error.strerror}); make the run writable"
            ) from error
        # Without the program's name and version the same curves give the same bytes.
        write_with(path, lambda file: figure.savefig(file, format="png", metadata={"Software": None}))
    return path


def _name(figure: Figure, facts: Facts, hidden: int) -> None:
    """The line at the foot: which run this is."""
    parts = [facts.component("recipe") or facts.name, facts.component("data"), facts.component("loss")]
    more = f" · {hidden} more metrics in metrics.jsonl" if hidden else ""
    text = one_line(" · ".join(part for part in parts if part) + more, longest=110)
    figure.supxlabel(f"real training examples shown to D\n{text}", fontsize=10)


def _draw(axes: Axes, chart: Chart) -> None:
    """One chart on its axes."""
    for series in chart.series:
        _draw_series(axes, series)
    _draw_theory(axes, chart)
    _draw_marks(axes, chart)
    note = one_line(chart.protocol, longest=120) or chart.note
    axes.set_title(one_line(chart.title, longest=90), loc="left", pad=24 if note else 8)
    if note:
        axes.text(0, 1.02, note, transform=axes.transAxes, fontsize=9, color="#495057")
    axes.set_ylabel(one_line(chart.label, longest=40))
    axes.set_ylim(chart.limits)
    axes.set_xlim(left=0, right=1.02 * max(float(series.x[-1]) for series in chart.series) or 1)
    axes.xaxis.set_major_formatter(lambda value, _: short_count(value))
    if chart.right:
        factor, offset, label = chart.right
        axes.secondary_yaxis("right", functions=_line(factor, offset)).set_ylabel(label)
    _legend(axes, chart)


def _draw_theory(axes: Axes, chart: Chart) -> None:
    """Shaded regions named at the left, dashed levels named at the right."""
    across = axes.get_yaxis_transform()
    for region in chart.regions:
        colour = COLOURS[region.role]
        axes.axhspan(region.low, region.high, color=colour, alpha=0.10, linewidth=0)
        axes.text(
            0.008, region.high - 0.012, region.text, transform=across, va="top", fontsize=9, color=colour
        )
    behind = {"facecolor": "white", "alpha": 0.75, "edgecolor": "none", "pad": 1}
    for level in chart.levels:
        axes.axhline(level.y, color="#495057", linestyle=(0, (6, 4)), linewidth=1)
        axes.text(
            0.995, level.y, level.text, transform=across, ha="right", va="top" if level.below else "bottom",
            fontsize=9, color="#343a40", zorder=5, bbox=behind,
        )  # fmt: skip


def _draw_marks(axes: Axes, chart: Chart) -> None:
    """A dotted line with the event's number at its foot; red where it is trouble."""
    for mark in chart.marks:
        colour = COLOURS["trouble" if mark.trouble else "even"]
        axes.axvline(mark.examples, color=colour, linestyle=(0, (1, 2)), linewidth=1.2)
        axes.text(
            mark.examples, 0.01, f"{mark.number} {mark.kind}", transform=axes.get_xaxis_transform(),
            rotation=90, ha="right", va="bottom", fontsize=7, color=colour, clip_on=True,
        )  # fmt: skip


def _line(factor: float, offset: float) -> tuple[Callable[[Any], Any], Callable[[Any], Any]]:
    """y -> factor * y + offset, and back."""
    return lambda y: factor * y + offset, lambda y: (y - offset) / factor


def _draw_series(axes: Axes, series: Series) -> None:
    """The running mean over the faint records; points with error bars where there are errors."""
    colour = COLOURS[series.role]
    name = one_line(series.name, longest=60)
    marker = "o" if len(series.x) < 40 else None
    if series.window > 1:
        axes.fill_between(series.x, series.low, series.high, color=colour, alpha=0.12, linewidth=0)
        axes.plot(series.x, series.y, color=colour, alpha=0.30, linewidth=0.7)
    if series.interval is not None:
        axes.fill_between(series.x, *series.interval, color=colour, alpha=0.15, linewidth=0)
    if series.error is not None:
        axes.errorbar(series.x, series.y, series.error, color=colour, linewidth=0, elinewidth=1.2, capsize=3)
    axes.plot(series.x, series.smooth, color=colour, label=name, marker=marker, markersize=4,
              linewidth=1.0 if series.thin else 2.0, alpha=0.7 if series.thin else 1.0)  # fmt: skip


def _legend(axes: Axes, chart: Chart) -> None:
    """Names of the curves and, where they are smoothed, over how many records."""
    window = max(series.window for series in chart.series)
    if len(chart.series) == 1 and window == 1:
        return
    title = f"bold: mean of {window:,} records" if window > 1 else None
    axes.legend(title=title, title_fontsize=9, loc="best", frameon=True, framealpha=0.85, edgecolor="none")


def short_count(value: float) -> str:
    """1,200,000 as 1.2M."""
    if value == 0:
        return "0"
    power = min(4, max(0, int(math.log10(abs(value)) // 3)))
    return f"{value / 1000**power:.4g}{('', 'k', 'M', 'G', 'T')[power]}"
