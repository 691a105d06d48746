"""`evenodds evaluate`"""

from __future__ import annotations

import hashlib
import json
import math
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import Parameter

from ..errors import RunError
from .display import status
from .signals import uninterrupted
from .text import signed, wrapped

if TYPE_CHECKING:
    from ..data.dataset import Dataset
    from ..evaluation import Evaluation
    from ..sampling import Sampler
    from .opening import Which


def evaluate(
    source: Path,
    /,
    *,
    metrics: str | None = None,
    data: str | None = None,
    split: Literal["train", "validation", "test"] = "test",
    generator: Literal["last", "best"] = "last",
    as_json: Annotated[bool, Parameter(name="--json", negative=(), show_default=False)] = False,
) -> int:
    """Measure a generator, and say how each number was measured.

    The results of a run are added to its evaluations.jsonl.

    Args:
        source: a run directory or a generator file.
        metrics: names with a sample count, separated by commas, as in parzen10k,modes2500,leaks2000; if left
            out, modes where the data has known ones, else parzen10k.
        data: what to measure on; for a run, its own data if left out.
        split: of the data; test is for the number that is reported.
        generator: of a run: the last one, or the best by its first metric.
        as_json: print JSON.
    """
    record, results = _measured(source, metrics, data, split, generator)
    if source.is_dir():
        _append(source / "evaluations.jsonl", record)
    if as_json:
        print(json.dumps(record, indent=2, ensure_ascii=False))
        return 0
    if record["warning"]:
        print(wrapped(f"warning: {record['warning']}"), file=sys.stderr)
    for result in results:
        print("\n".join(_sentences(result)))
    return 0


def _measured(
    source: Path, metrics: str | None, data: str | None, split: str, which: Which
) -> tuple[dict[str, Any], list[Evaluation]]:
    """The results, and the record of all that they depend on."""
    with status("loading the generator and the data"):
        with uninterrupted():
            from ..data.distributions import counted_modes
            from ..evaluation import check_metric
            from ..evaluation import evaluate as measure
            from .opening import data_warning, open_data, open_generator
        sampler = open_generator(source, which)
        dataset = open_data(source, sampler, data)
        natural = "modes2500" if counted_modes(dataset.density) else "parzen10k"
        names = [name.strip() for name in (natural if metrics is None else metrics).split(",")]
        for name in names:  # all of them, before the first one takes its time
            check_metric(name, dataset)
        dataset.split(split)
    with status(f"measuring {', '.join(names)}"):
        results = measure(sampler, dataset, names, split=split)
    warning = data_warning(sampler, dataset)
    return _record(source, sampler, dataset, split, which, warning, results), results


def _sentences(result: Evaluation) -> list[str]:
    """The number, then how it was measured, what perfect samples score, and what it can't say."""
    spread = "" if result.standard_error is None else f" ± {signed(result.standard_error, 2)}"
    digits = 0 if result.value == round(result.value) and not spread else 2
    lines = [f"{result.name}  {signed(result.value, digits)}{spread} {result.unit}"]
    lines.append(wrapped(result.protocol, "  "))
    if result.reference:
        lines.append(wrapped(f"For comparison: {result.reference}", "  "))
    if result.warning:
        lines.append(wrapped(f"Mind: {result.warning}", "  "))
    return lines


def _record(
    source: Path,
    sampler: Sampler,
    dataset: Dataset,
    split: str,
    which: Which,
    warning: str,
    results: list[Evaluation],
) -> dict[str, Any]:
    """Everything the numbers depend on, as JSON can hold it."""
    from .opening import generator_file

    values: dict[str, Any] = {
        "time": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
        "source": str(source),
        "generator": which,
        "generator_sha256": _sha256(generator_file(source, which)),
        "examples": sampler.facts.get("examples"),
        "data": {"name": dataset.name, "fingerprint": dataset.fingerprint, "split": split},
        "warning": warning,
        "results": [result.record() for result in results],
    }
    return {name: _finite(value) for name, value in values.items()}


def _finite(value: Any) -> Any:
    """JSON has no infinity and no NaN: null stands for them."""
    if isinstance(value, dict):
        return {name: _finite(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(one) for one in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _append(path: Path, record: dict[str, Any]) -> None:
    """One line, in a single write."""
    try:
        with path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(record) + "\n")
    except OSError as error:
        raise RunError(f"{path} could not be written ({error.strerror}); check its permissions") from error
