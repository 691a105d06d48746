"""evaluations.jsonl line by line, whatever became of it, with the training time until each measurement."""

from __future__ import annotations

import bisect
import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from ..errors import RunError

Limits = tuple[float, float]
NORMAL_95 = 1.959964  # standard errors to either side that hold 95 % of a normal distribution


class Result(NamedTuple):
    """One number, as a line of evaluations.jsonl has it.

    Args:
        metric: name and sample count, as in `kid10k`.
        interval: of 95 %, or None where none was measured.
        floor, ceiling: what real training examples score in the samples' place.
        n: samples measured; 0 where that is not said.
        also: what else was found along the way, in words.
        setting: all that must agree before two numbers may stand side by side; never empty.
        generator: "last", "best", or "training".
        examples: training examples seen.
        seconds: trained until then, None where metrics.jsonl doesn't say.
        time: when it was measured, as text that sorts.
    """

    metric: str
    value: float
    interval: Limits | None
    floor: float | None
    ceiling: float | None
    n: int
    unit: str
    protocol: str
    also: str
    setting: Mapping[str, Any]
    generator: str
    examples: int | None
    seconds: float | None
    time: str

    @property
    def key(self) -> str:
        """The setting as text: equal for numbers that are comparable."""
        return json.dumps(self.setting, sort_keys=True)


def latest(results: Sequence[Result]) -> list[Result]:
    """The last result of each metric in each setting and of each generator, in order of first measuring."""
    last: dict[tuple[str, str, str], Result] = {}
    for one in results:
        last[one.metric, one.key, one.generator] = one
    return list(last.values())


class RealScore(NamedTuple):
    """What real examples score in the samples' place.

    Args:
        value: it.
        kind: "floor" where lower is better, else "ceiling".
        split: "" where it was measured as the numbers beside it, else the other split that it is of.
    """

    value: float
    kind: str
    split: str

    def __str__(self) -> str:
        where = f" on the {self.split} split" if self.split else ""
        return f"{self.kind}: real examples score {self.value:.4g}{where}"


def real_score(results: Sequence[Result], others: Sequence[Result]) -> RealScore | None:
    """The latest floor or ceiling of results of one setting; else one of another split, alike otherwise."""
    for one in [*reversed(results), *reversed(others)]:
        value = one.floor if one.floor is not None else one.ceiling
        if value is None or _beside_split(one.setting) != _beside_split(results[-1].setting):
            continue
        elsewhere = "" if one.key == results[-1].key else str(one.setting.get("split", "other"))
        return RealScore(value, "floor" if one.floor is not None else "ceiling", elsewhere)
    return None


def _beside_split(setting: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in setting.items() if name not in ("split", "real")}


class Evaluations(NamedTuple):
    """The results in evaluations.jsonl, and the numbers of the lines that give none.

    Args:
        damaged: lines that are no record.
        older: lines with results without setting, as evenodds once wrote them.
        empty: results without a number, in words.
    """

    results: tuple[Result, ...]
    damaged: list[int]
    older: list[int]
    empty: list[str]


NOTHING = Evaluations((), [], [], [])


def read_evaluations(path: Path, times: Mapping[int, float] | None = None) -> Evaluations:
    """Every line of evaluations.jsonl in a run's directory; no such file is no result.

    Args:
        path: of the directory.
        times: seconds trained by the examples seen, ascending.

    Raises:
        RunError: it can't be opened.
    """
    results: list[Result] = []
    damaged: list[int] = []
    older: list[int] = []
    empty: list[str] = []
    for number, line in enumerate(read_lines(path / "evaluations.jsonl"), 1):
        record = as_object(line)
        found = record.get("results") if record else None
        if record is None or not isinstance(found, list):
            damaged += [number] if line.strip() else []
            continue
        for entry in found:
            if not isinstance(entry, dict) or not isinstance(entry.get("name"), str):
                damaged.append(number)
            elif not isinstance(entry.get("setting"), dict) or not entry["setting"]:
                older.append(number)
            elif (value := as_number(entry.get("value"))) is None:
                empty.append(f"{entry['name']} of line {number}")
            else:
                results.append(_result(entry, value, record, times or {}))
    return Evaluations(tuple(results), damaged, older, empty)


def read_lines(path: Path) -> list[str]:
    """The lines of a file; none where there is no such file."""
    try:
        return path.read_text(encoding="utf-8", errors="replace").split("\n")
    except FileNotFoundError:
        return []
    except OSError as error:
        raise RunError(f"{path} can't be read ({error.strerror}); check its permissions") from error


def as_object(line: str) -> dict[str, Any] | None:
    """The JSON object in a line, else None."""
    try:
        record = json.loads(line)
    except (ValueError, RecursionError):  # RecursionError: a line of ten thousand brackets
        return None
    return record if isinstance(record, dict) else None


def as_number(value: object) -> float | None:
    """A finite number, else None."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        number = float(value)
    except OverflowError:  # an integer of 400 digits
        return None
    return number if math.isfinite(number) else None


def _result(
    entry: Mapping[str, Any], value: float, record: Mapping[str, Any], times: Mapping[int, float]
) -> Result:
    examples = as_number(record.get("examples"))
    seen = int(examples) if examples is not None and 0 <= examples < 2**53 else None
    return Result(
        metric=entry["name"],
        value=value,
        interval=_interval(entry, value),
        floor=as_number(entry.get("floor")),
        ceiling=as_number(entry.get("ceiling")),
        n=int(as_number(entry.get("n")) or as_number(entry["setting"].get("n")) or 0),
        unit=_text(entry.get("unit")),
        protocol=_text(entry.get("protocol")),
        also=_text(entry.get("also")),
        setting=entry["setting"],
        generator=_text(record.get("generator")) or "last",
        examples=seen,
        seconds=None if seen is None else _trained(times, seen),
        time=_text(record.get("time")),
    )


def _interval(entry: Mapping[str, Any], value: float) -> Limits | None:
    """As recorded; else two standard errors to either side."""
    given = entry.get("interval")
    ends = [as_number(end) for end in given] if isinstance(given, list) else []
    if len(ends) == 2 and ends[0] is not None and ends[1] is not None and ends[0] <= ends[1]:
        return ends[0], ends[1]
    error = as_number(entry.get("standard_error"))
    return (value - NORMAL_95 * error, value + NORMAL_95 * error) if error is not None else None


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _trained(times: Mapping[int, float], examples: int) -> float | None:
    """Seconds until then, on a straight line between two records; None beyond the last one."""
    known = [0, *times]
    seconds = [0.0, *times.values()]
    at = bisect.bisect_left(known, examples)
    if at == len(known):
        return None
    if known[at] == examples:
        return seconds[at] if len(known) > 1 else None
    share = (examples - known[at - 1]) / (known[at] - known[at - 1])
    return seconds[at - 1] + share * (seconds[at] - seconds[at - 1])
