"""`evenodds compare`"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter

from ..errors import ConfigError
from .compare_text import as_record, as_text
from .display import status
from .explore_common import Flag, check_out
from .signals import uninterrupted
from .text import wrapped

if TYPE_CHECKING:
    from ..comparison.reading import Judged
    from ..comparison.table import Table


def compare(
    *runs: Path,
    metrics: str | None = None,
    by: Literal["run", "recipe"] = "run",
    against: Literal["examples", "seconds"] = "examples",
    out: Path | None = None,
    force: Flag = False,
    as_json: Annotated[bool, Parameter(name="--json", negative=(), show_default=False)] = False,
) -> int:
    """Set what was measured of several runs side by side, where it was measured alike.

    Numbers come from each run's evaluations.jsonl, which evenodds evaluate and training with metrics write.

    Args:
        runs: two run directories or more.
        metrics: names separated by commas, as in kid10k,modes26k; all that two runs have, if left out.
        by: recipe shows mean and spread over the runs of a recipe, such as several seeds.
        against: what the plot has on its x axis: training images seen, or seconds trained.
        out: also draw every metric over the training, a picture ending in .png.
        force: overwrite the picture that is there.
        as_json: print JSON.
    """
    if out is not None:
        check_out(out, (".png",), force=force)
    by_recipe = by == "recipe"
    read, table = _compared(runs, metrics, by_recipe=by_recipe)
    drawn = [] if out is None else _draw(read, table, out, against=against, by_recipe=by_recipe)
    if as_json:
        print(json.dumps(as_record(table, read), indent=2, ensure_ascii=False))
    else:
        print(as_text(table, by_recipe=by_recipe))
    _say([*table.notes, *drawn])
    if out is not None:
        print(f"the curves are in {out}", file=sys.stderr if as_json else sys.stdout)
    return 0


def _compared(runs: tuple[Path, ...], metrics: str | None, *, by_recipe: bool) -> tuple[list[Judged], Table]:
    """The runs, and what they score beside each other."""
    asked = None if metrics is None else _asked(metrics)
    with status("reading the runs"):
        with uninterrupted():
            from ..comparison.reading import read_runs
            from ..comparison.table import compare as side_by_side
        read = read_runs(runs)
        try:
            return read, side_by_side(read, asked, by_recipe=by_recipe)
        finally:  # a line that was left out may be why there is nothing to compare
            _say([remark for run in read for remark in run.remarks])


def _draw(read: list[Judged], table: Table, out: Path, *, against: str, by_recipe: bool) -> list[str]:
    """Write the picture; sentences on what could not be drawn."""
    with status("drawing"):
        with uninterrupted():
            from ..comparison.plot import write_plot
        names = [column.metric for column in table.columns]
        return write_plot(out, read, names, against_seconds=against == "seconds", by_recipe=by_recipe)


def _asked(metrics: str) -> list[str]:
    """Names, each once.

    Raises:
        ConfigError: none is given.
    """
    names = list(dict.fromkeys(name.strip() for name in metrics.split(",") if name.strip()))
    if not names:
        raise ConfigError("--metrics names none; give names such as kid10k, or leave it out")
    return names


def _say(notes: list[str]) -> None:
    for note in notes:
        print(wrapped(f"note: {note}"), file=sys.stderr)
