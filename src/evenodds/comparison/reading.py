"""What was measured of a run: evaluations.jsonl, line by line, with the training time until then."""

from __future__ import annotations

import bisect
import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from ..errors import RunError

Limits = tuple[float, float]
NORMAL_95 = 1.959964  # standard errors to either side that hold 95 % of a normal distribution
RUN_FILES = ("config.yaml", "metrics.jsonl", "evaluations.jsonl")


class Result(NamedTuple):
    """One number, as a line of evaluations.jsonl has it.

    Args:
        metric: name and sample count, as in `kid10k`.
        interval: of 95 %, or None where none was measured.
        floor, ceiling: what real training examples score in the samples' place.
        n: samples measured; 0 where that is not said.
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
    setting: Mapping[str, Any]
    generator: str
    examples: int | None
    seconds: float | None
    time: str

    @property
    def key(self) -> str:
        """The setting as text: equal for numbers that are comparable."""
        return json.dumps(self.setting, sort_keys=True)


@dataclass(frozen=True)
class Judged:
    """A run, and what was measured of it.

    Args:
        path: its directory.
        label: what to call it among the others.
        config: config.yaml as it stands there; empty where it is missing or damaged.
        results: in the order of the file.
        remarks: sentences on lines that were skipped.
    """

    path: Path
    label: str
    config: Mapping[str, Any]
    results: tuple[Result, ...]
    remarks: tuple[str, ...]

    @property
    def recipe(self) -> str:
        """The recipe's name, empty where the config names none."""
        name = self.config.get("recipe")
        return name if isinstance(name, str) else ""

    @property
    def data(self) -> str:
        """The data set's name, empty where the config names none."""
        data = self.config.get("data")
        name = data.get("name") if isinstance(data, Mapping) else data
        return name if isinstance(name, str) else ""

    def of(self, metric: str) -> list[Result]:
        """Its results of one metric."""
        return [result for result in self.results if result.metric == metric]


def read_run(path: Path, label: str = "") -> Judged:
    """A run and its evaluations; none is no error.

    Raises:
        RunError: no run there, or its evaluations.jsonl can't be opened.
    """
    if not path.is_dir() or not any((path / name).is_file() for name in RUN_FILES):
        raise RunError(_no_run(path))
    times = _training_times(path / "metrics.jsonl")
    results: list[Result] = []
    damaged: list[int] = []
    older: list[int] = []
    empty: list[str] = []
    for number, line in enumerate(_lines(path / "evaluations.jsonl"), 1):
        record = _object(line)
        found = record.get("results") if record else None
        if record is None or not isinstance(found, list):
            damaged += [number] if line.strip() else []
            continue
        for entry in found:
            if not isinstance(entry, dict) or not isinstance(entry.get("name"), str):
                damaged.append(number)
            elif not isinstance(entry.get("setting"), dict) or not entry["setting"]:
                older.append(number)
            elif (value := _number(entry.get("value"))) is None:
                empty.append(f"{entry['name']} of line {number}")
            else:
                results.append(_result(entry, value, record, times))
    remarks = _remarks(path, damaged, older, empty)
    return Judged(path, label or path.resolve().name, _config(path), tuple(results), remarks)


def read_runs(paths: Iterable[Path]) -> list[Judged]:
    """Several runs, each once, with labels that tell them apart.

    Raises:
        RunError: one of them is no run, or there are fewer than two.
    """
    once = list({path.resolve(): path for path in paths}.values())
    for path in once:  # a folder of runs, or a slip, is said before "one run only"
        if not path.is_dir() or not any((path / name).is_file() for name in RUN_FILES):
            raise RunError(_no_run(path))
    if len(once) < 2:
        given = f"{once[0]} is one run only" if once else "no run is given"
        raise RunError(f"{given}; give two or more, as in: evenodds compare RUN RUN")
    return [read_run(path, label) for path, label in zip(once, _labels(once), strict=True)]


def _no_run(path: Path) -> str:
    """Why a path is no run, and what to give in its place."""
    if not path.exists():
        return f"there is no {path}; give the folders of runs, as in: evenodds compare RUN RUN"
    if not path.is_dir():
        return f"{path} is a file; give the folder of the run that it belongs to"
    inside = sorted({found.parent for found in path.glob("*/config.yaml")})
    remedy = f"give the runs in it, as in: evenodds compare {inside[0]} …" if inside else "give other folders"
    return f"{path} holds no run; {remedy}"


def _labels(paths: list[Path]) -> list[str]:
    """The shortest ends of the paths that are all different."""
    parts = [path.resolve().parts for path in paths]
    for length in range(1, max(map(len, parts)) + 1):
        labels = ["/".join(part[-length:]) for part in parts]
        if len(set(labels)) == len(labels):
            break
    return labels


def _lines(path: Path) -> list[str]:
    """The lines of a file; none where there is no such file."""
    try:
        return path.read_text(encoding="utf-8", errors="replace").split("\n")
    except FileNotFoundError:
        return []
    except OSError as error:
        raise RunError(f"{path} can't be read ({error.strerror}); check its permissions") from error


def _object(line: str) -> dict[str, Any] | None:
    try:
        record = json.loads(line)
    except (ValueError, RecursionError):  # RecursionError: a line of ten thousand brackets
        return None
    return record if isinstance(record, dict) else None


def _number(value: object) -> float | None:
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
    examples = _number(record.get("examples"))
    seen = int(examples) if examples is not None and examples >= 0 else None
    return Result(
        metric=entry["name"],
        value=value,
        interval=_interval(entry, value),
        floor=_number(entry.get("floor")),
        ceiling=_number(entry.get("ceiling")),
        n=int(_number(entry.get("n")) or _number(entry["setting"].get("n")) or 0),
        unit=_text(entry.get("unit")),
        protocol=_text(entry.get("protocol")),
        setting=entry["setting"],
        generator=_text(record.get("generator")) or "last",
        examples=seen,
        seconds=None if seen is None else _trained(times, seen),
        time=_text(record.get("time")),
    )


def _interval(entry: Mapping[str, Any], value: float) -> Limits | None:
    """As recorded; else two standard errors to either side."""
    given = entry.get("interval")
    ends = [_number(end) for end in given] if isinstance(given, list) else []
    if len(ends) == 2 and ends[0] is not None and ends[1] is not None and ends[0] <= ends[1]:
        return ends[0], ends[1]
    error = _number(entry.get("standard_error"))
    return (value - NORMAL_95 * error, value + NORMAL_95 * error) if error is not None else None


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _training_times(path: Path) -> dict[int, float]:
    """Seconds trained by the examples seen, ascending; empty where nothing is recorded."""
    times: dict[int, float] = {}
    for line in _lines(path):
        record = _object(line) or {}
        examples, seconds = _number(record.get("examples")), _number(record.get("seconds"))
        if examples is not None and seconds is not None:
            times[int(examples)] = seconds
    return dict(sorted(times.items()))


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


def _config(path: Path) -> Mapping[str, Any]:
    """Only names are taken from it: a missing or damaged one costs these names, not the comparison."""
    try:
        values = yaml.safe_load((path / "config.yaml").read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError, RecursionError):
        return {}
    return values if isinstance(values, dict) else {}


def _remarks(path: Path, damaged: list[int], older: list[int], empty: list[str]) -> tuple[str, ...]:
    """One sentence for each kind of line that was left out."""
    file, said = path / "evaluations.jsonl", []
    if damaged:
        said.append(f"{file}: {_numbered(damaged)} cut or damaged and left out")
    if older:
        said.append(
            f"{file}: {_numbered(older)} without setting, from an older evenodds, and left out; "
            f"measure again with: evenodds evaluate {path}"
        )
    if empty:
        said.append(f"{file}: {_some(empty)} no number, and left out")
    return tuple(said)


def _numbered(lines: list[int]) -> str:
    """line 3 is, lines 3, 5 and 9 are."""
    once = [str(line) for line in dict.fromkeys(lines)]
    shown = once if len(once) <= 6 else [*once[:5], f"{len(once) - 5} more"]
    if len(once) == 1:
        return f"line {once[0]} is"
    return f"lines {', '.join(shown[:-1])} and {shown[-1]} are"


def _some(names: list[str]) -> str:
    if len(names) == 1:
        return f"{names[0]} is"
    more = f" and {len(names) - 4} more" if len(names) > 4 else ""
    return f"{', '.join(names[:4])}{more} are"
