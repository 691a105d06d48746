"""All that can be drawn of a run: what there is data for, and why the rest is missing."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

from ..errors import EvenoddsError
from .html import write_report
from .movie import write_movie
from .plots import write_plots

_log = logging.getLogger(__name__)


def write_all(run: Path, *, skipped: list[str] | None = None) -> dict[str, Path]:
    """Write plots, movie and report as far as the run has data for them; never raises for a run's content.

    Args:
        skipped: receives one sentence for each part that could not be written; logged where it is None.

    Returns:
        Name -> path of what was written: `losses`, `odds`, `value`, `metrics`, `movie`, `report`.
    """
    written: dict[str, Path] = {}
    steps: dict[str, Callable[[], dict[str, Path]]] = {
        "plots": lambda: {path.stem: path for path in write_plots(run)},
        "movie": lambda: {"movie": write_movie(run)},
        "report": lambda: {"report": write_report(run)},
    }
    for name, step in steps.items():
        try:
            written |= step()
        except EvenoddsError as error:
            _tell(f"{name}: {error}", skipped)
        except Exception as error:  # a fault in a picture must not end a training that took days
            _tell(f"{name}: {type(error).__name__}: {error}; please report this fault", skipped)
    return written


def _tell(sentence: str, skipped: list[str] | None) -> None:
    if skipped is None:
        _log.warning(sentence)
    else:
        skipped.append(sentence)
