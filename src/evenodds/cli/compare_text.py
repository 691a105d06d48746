"""A comparison as lines for the terminal, and as JSON."""

from __future__ import annotations

import math
import shutil
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from .text import columns, duration, signed, wrapped

if TYPE_CHECKING:
    from ..comparison.reading import Judged
    from ..comparison.results import Limits
    from ..comparison.table import Column, Score, Table

BEST, NEAR = " *", " ="
MEASURED = (
    "± is the 95 % interval of the measurement; another seed of the same recipe may differ by more "
    "(several runs of a recipe: --by recipe)."
)
SEEDS = (
    "± is the standard deviation over the runs of a recipe, (n) their number; differences of the means are "
    "judged by Welch's t test at 5 %."
)


def as_text(table: Table, *, by_recipe: bool) -> str:
    """The table, then a paragraph on each metric."""
    from ..comparison.verdicts import verdict

    lines = [_grid(table, by_recipe), ""]
    for column in table.columns:
        way = {True: "higher is better", False: "lower is better", None: "not ranked"}[column.higher]
        unit = f" [{column.unit}]" if column.unit else ""
        lines.append(wrapped(f"{column.metric}{unit}, {way}: {verdict(table, column)}"))
        lines.append(wrapped(column.protocol, "  "))
    marks = "* best in its column; = no difference to the best can be told. "
    ranked = any(column.best for column in table.columns)
    lines.append(wrapped((marks if ranked else "") + (SEEDS if by_recipe else MEASURED)))
    return "\n".join(lines)


def _grid(table: Table, by_recipe: bool) -> str:
    """Rows × metrics; metrics that don't fit beside each other stand below, with the rows' names again."""
    names = [row.label for row in table.rows]
    head = [["recipe" if by_recipe else "run", *names, "real data", "samples"]]
    if not by_recipe and any(row.recipe for row in table.rows):
        head.append(["recipe", *(row.recipe or "–" for row in table.rows), "", ""])
    if any(generator != "last" for row in table.rows for generator in row.generators):
        head.append(["generator", *("/".join(row.generators) or "–" for row in table.rows), "", ""])
    head.append(["images seen", *(_seen(row.examples) for row in table.rows), "", ""])
    head.append(["trained for", *(_time(row.seconds) for row in table.rows), "", ""])
    width = max(shutil.get_terminal_size((100, 24)).columns, 60)
    blocks, block = [], head
    for column in table.columns:
        cells = _cells(table, column)
        if _width([*block, cells]) > width and len(block) > 1:
            blocks.append(block)
            block = [head[0]]
        block = [*block, cells]
    blocks.append(block)
    return "\n\n".join(columns(zip(*block, strict=True), "") for block in blocks)


def _width(block: Sequence[Sequence[str]]) -> int:
    return sum(max(map(len, cells)) + 2 for cells in block) - 2


def _cells(table: Table, column: Column) -> list[str]:
    """A metric's name, its number in each row, what real data score, and how many samples were measured."""
    scores = [row.scores[column.metric] for row in table.rows]
    marks = {**dict.fromkeys(column.best, BEST), **dict.fromkeys(column.near, NEAR)}
    cells = [cell(score) + marks.get(at, "") for at, score in enumerate(scores)]
    limit = column.floor if column.floor is not None else column.ceiling
    digits = max((_digits(score) for score in scores if score is not None), default=3)
    real = "–" if limit is None else f"{number(limit, digits)} {_kind(column)}"
    return [column.metric, *cells, real, f"{column.n:,}" if column.n else "–"]


def _kind(column: Column) -> str:
    return "floor" if column.floor is not None else "ceiling"


def cell(score: Score | None) -> str:
    """0.0123 ± 0.0004, 0.012 [0.010, 0.019] where the interval is lopsided, 0.0123 without one."""
    if score is None:
        return "–"
    digits = _digits(score)
    value = number(score.value, digits)
    if score.spread is not None:
        return f"{value} ± {number(score.spread, digits)} ({score.runs})"
    if score.interval is None:
        return value
    below, above = score.value - score.interval[0], score.interval[1] - score.value
    if abs(below - above) > 0.2 * max(below, above):
        return f"{value} [{number(score.interval[0], digits)}, {number(score.interval[1], digits)}]"
    return f"{value} ± {number((below + above) / 2, digits)}"


def _digits(score: Score) -> int:
    """Decimals that show two digits of the interval, or four of a value without one."""
    ends = score.interval
    width = score.spread or ((ends[1] - ends[0]) / 2 if ends else 0.0)
    if width > 0:
        return min(max(1 - math.floor(math.log10(width)), 0), 8)
    if score.value == round(score.value):
        return 0
    return min(max(3 - math.floor(math.log10(abs(score.value))), 0), 8)


def number(value: float, digits: int) -> str:
    """With so many decimals, a real minus sign, and thousands apart."""
    if abs(value) >= 10_000:
        return f"{value:,.{digits}f}".replace("-", "−")
    return signed(value, digits)


def _seen(limits: Limits | None) -> str:
    if limits is None:
        return "–"
    low, high = (f"{int(end):,}" for end in limits)
    return low if low == high else f"{low}–{high}"


def _time(limits: Limits | None) -> str:
    if limits is None:
        return "–"
    low, high = (duration(end) for end in limits)
    return low if low == high else f"{low} – {high}"


def as_record(table: Table, runs: Sequence[Judged]) -> dict[str, Any]:
    """All of it as JSON can hold it."""
    from ..comparison.verdicts import verdict

    return {
        "rows": [
            {
                "label": row.label,
                "recipe": row.recipe,
                "runs": [str(runs[at].path) for at in row.runs],
                "generators": list(row.generators),
                "examples": row.examples,
                "seconds": row.seconds,
                "scores": {name: None if one is None else one._asdict() for name, one in row.scores.items()},
            }
            for row in table.rows
        ],
        "metrics": [
            {
                **column._asdict(),
                "best": [table.rows[at].label for at in column.best],
                "near": [table.rows[at].label for at in column.near],
                "verdict": verdict(table, column),
            }
            for column in table.columns
        ],
        "notes": list(table.notes),
    }
