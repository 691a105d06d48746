"""metrics.jsonl as columns, and evaluations.jsonl: what was recorded while a run trained."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..comparison.results import NOTHING, Evaluations, read_evaluations
from ..errors import RunError

Column = NDArray[np.float64]


class Event(NamedTuple):
    """Something that was said once while training."""

    examples: int
    kind: str
    text: str
    trouble: bool = False


class Curve(NamedTuple):
    """The finite values of one column, in ascending order of the examples seen; both (P,)."""

    examples: Column
    values: Column


@dataclass(frozen=True)
class History:
    """All records of a run, one row for each number of examples.

    Args:
        examples: (R,) real training examples shown to D, strictly ascending.
        rows: R records, name -> number; NaN where null was written.
        texts: the latest value of every name whose value is text.
        events: in the order in which they were written, without repetitions.
        unreadable: lines that are no record, such as the last one of a killed process.
        evaluations: what was measured, from evaluations.jsonl.
    """

    examples: Column
    rows: tuple[dict[str, float], ...]
    texts: dict[str, str]
    events: tuple[Event, ...]
    unreadable: int
    evaluations: Evaluations = NOTHING

    def column(self, name: str) -> Column:
        """(R,) values of that name, NaN where there is none."""
        return np.array([row.get(name, math.nan) for row in self.rows], dtype=np.float64)

    def curve(self, name: str) -> Curve:
        """The finite values of that name, and where they were recorded."""
        values = self.column(name)
        finite = np.isfinite(values)
        return Curve(self.examples[finite], values[finite])

    def latest(self, name: str) -> tuple[int, float] | None:
        """(examples, value) of the last finite value of that name."""
        curve = self.curve(name)
        return (int(curve.examples[-1]), float(curve.values[-1])) if len(curve.values) else None

    def names(self, prefix: str = "") -> list[str]:
        """Names with a number in some record, in alphabetical order."""
        return sorted({name for row in self.rows for name in row if name.startswith(prefix)})

    def protocols(self) -> list[str]:
        """Evaluation protocols: each p of `metric/p`; `metric/p/...` says more about it."""
        return [name[7:] for name in self.names("metric/") if "/" not in name[7:]]


def read_history(run: Path) -> History:
    """Read metrics.jsonl; where two records have the same examples, the later one's values win.

    After a crash the run goes on from its last checkpoint and records the examples since then once more.
    Lines that are no record are counted, not fatal: a killed process leaves one cut in half.

    Raises:
        RunError: there is no metrics.jsonl, or it can't be read.
    """
    path = run / "metrics.jsonl"
    rows: dict[int, dict[str, float]] = {}
    texts: dict[str, str] = {}
    events: dict[Event, None] = {}
    unreadable = 0
    for record in _records(path):
        examples = None if record is None else _number(record.get("examples"))
        if record is None or examples is None or not 0 <= examples < 2**53:
            unreadable += 1
            continue
        row = rows.setdefault(int(examples), {})
        for name, value in record.items():
            if name == "event":
                events.update(dict.fromkeys(_events(int(examples), value)))
            elif isinstance(value, str):
                texts[name] = value
            elif (number := _number(value)) is not None and name != "examples":
                row[name] = number
    order = sorted(rows)
    return History(
        np.array(order, dtype=np.float64),
        tuple(rows[at] for at in order),
        texts,
        tuple(events),
        unreadable,
        read_evaluations(run),
    )


def _records(path: Path) -> Iterator[dict[str, Any] | None]:
    """Each non-empty line as an object, or None where it is none."""
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            for line in file:
                if line.strip():
                    yield _record(line)
    except FileNotFoundError as error:
        raise RunError(
            f"{path.parent} holds no metrics.jsonl; give the folder of a run that has begun to train"
        ) from error
    except OSError as error:
        raise RunError(f"{path} can't be read ({error.strerror}); check its permissions") from error


def _record(line: str) -> dict[str, Any] | None:
    try:
        record = json.loads(line)
    except (ValueError, RecursionError):  # RecursionError: a line of ten thousand brackets
        return None
    return record if isinstance(record, dict) else None


def _number(value: object) -> float | None:
    """The number, NaN for null, None for what is no number."""
    if value is None:
        return math.nan
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        return float(value)
    except OverflowError:  # an integer of 400 digits
        return None


def _events(examples: int, value: object) -> Iterator[Event]:
    for event in value if isinstance(value, list) else [value]:
        if isinstance(event, dict):
            kind, text = str(event.get("kind", "")), str(event.get("text", ""))
            yield Event(examples, kind, text, event.get("trouble") is True)
