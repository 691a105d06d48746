"""Runs to compare: what was measured of each, and what to call them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from safetensors import SafetensorError, safe_open

from ..errors import RunError
from .results import Evaluations, Result, as_number, as_object, read_evaluations, read_lines

RUN_FILES = ("config.yaml", "metrics.jsonl", "evaluations.jsonl")


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
    found = read_evaluations(path, _training_times(path))
    return Judged(path, label or path.resolve().name, _config(path), found.results, _remarks(path, found))


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


def _training_times(path: Path) -> dict[int, float]:
    """Seconds trained by the examples seen, ascending; empty where nothing is recorded.

    From the reports, and from the checkpoints: a run that was interrupted ends after its last report.
    """
    times: dict[int, float] = {}
    headers = (_header(file) for file in path.glob("checkpoints/*.safetensors"))
    lines = read_lines(path / "metrics.jsonl")
    for record in (*headers, *(as_object(line) for line in lines)):
        found = record or {}
        examples, seconds = as_number(found.get("examples")), as_number(found.get("seconds"))
        if examples is not None and seconds is not None:
            times[int(examples)] = seconds
    return dict(sorted(times.items()))


def _header(path: Path) -> Mapping[str, Any] | None:
    """What a checkpoint says of itself, tensors unread; None of a damaged one, which costs only its time."""
    try:
        with safe_open(path, framework="numpy") as file:
            return as_object((file.metadata() or {}).get("evenodds", ""))
    except (SafetensorError, OSError):
        return None


def _config(path: Path) -> Mapping[str, Any]:
    """Only names are taken from it: a missing or damaged one costs these names, not the comparison."""
    try:
        values = yaml.safe_load((path / "config.yaml").read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError, RecursionError):
        return {}
    return values if isinstance(values, dict) else {}


def _remarks(path: Path, found: Evaluations) -> tuple[str, ...]:
    """One sentence for each kind of line that was left out."""
    file, said = path / "evaluations.jsonl", []
    if found.damaged:
        said.append(f"{file}: {_numbered(found.damaged)} cut or damaged and left out")
    if found.older:
        said.append(
            f"{file}: {_numbered(found.older)} without setting, from an older evenodds, and left out; "
            f"measure again with: evenodds evaluate {path}"
        )
    if found.empty:
        said.append(f"{file}: {_some(found.empty)} no number, and left out")
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
