"""`evenodds report`"""

from __future__ import annotations

import sys
from pathlib import Path

from ..errors import RunError
from .display import status
from .signals import uninterrupted
from .text import columns, size


def report(run: Path, /) -> int:
    """Draw a run's plots, movie and report.html again.

    Args:
        run: a run directory; it may be one that is still being trained.
    """
    if not (run / "metrics.jsonl").is_file():
        runs = sorted(found.parent for found in run.glob("*/metrics.jsonl"))
        remedy = f"give a run, such as {runs[-1]}" if runs else "give the folder of a run that has begun"
        raise RunError(f"{run} holds no metrics.jsonl; {remedy}")
    skipped: list[str] = []
    with status("drawing plots, movie and report"):
        with uninterrupted():
            from ..report import write_all
        written = write_all(run, skipped=skipped)
    print(columns([(name, str(path), size(path.stat().st_size)) for name, path in written.items()], ""))
    for sentence in skipped:
        print(f"evenodds: not written: {sentence}", file=sys.stderr)
    return 0 if written else 2
