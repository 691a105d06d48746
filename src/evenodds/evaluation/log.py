"""evaluations.jsonl: one line for each time that a run's generator was measured."""

from __future__ import annotations

import json
import math
import os
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..errors import RunError
from ..files import write_text
from .drawing import labels_come
from .record import Evaluation
from .subject import Subject

TRAINING = "training"  # the generator of lines that training itself writes


def line_of(
    subject: Subject,
    results: Sequence[Evaluation],
    *,
    source: str,
    generator: str,
    sha256: str | None,
    seconds: float,
    warning: str = "",
) -> dict[str, Any]:
    """Everything the numbers depend on, as JSON can hold it.

    Args:
        subject: what was measured.
        results: of all metrics.
        source: the run or file that the generator came from.
        generator: "last", "best" or "training".
        sha256: of the generator's file; None while training, where it is in no file.
        seconds: that measuring took.
        warning: what the numbers can't say together, one sentence; "" for nothing.
    """
    dataset = subject.dataset
    values: dict[str, Any] = {
        "time": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
        "source": source,
        "generator": generator,
        "generator_sha256": sha256,
        "examples": subject.sampler.facts.get("examples"),
        "seeds": [subject.first_seed, max((result.n for result in results), default=0)],
        "labels": labels_come(dataset, len(subject.sampler.class_names)),
        "seconds": round(seconds, 2),
        "data": {"name": dataset.name, "fingerprint": dataset.fingerprint, "split": subject.split},
        "warning": warning,
        "results": [result.record() for result in results],
    }
    return {name: _finite(value) for name, value in values.items()}


def append_line(path: Path, line: Mapping[str, Any]) -> None:
    """One line in a single write, after whatever is there; nothing of it where the disk is full.

    Raises:
        RunError: the file can't be written to.
    """
    text = (json.dumps(line) + "\n").encode()
    try:
        with path.open("ab+", buffering=0) as file:  # O_APPEND: two processes' lines don't mix
            size = file.seek(0, os.SEEK_END)
            if size and not _ends_in_newline(path):  # a kill cut the last line short
                text = b"\n" + text
            if (file.write(text) or 0) < len(text):
                file.truncate(size)
                raise RunError(f"{path} could not be written (the disk is full); free some space")
    except OSError as error:
        raise RunError(f"{path} could not be written ({error.strerror}); check its permissions") from error


def forget_after(path: Path, examples: int) -> None:
    """Drop what training measured after the checkpoint that it goes on from; other lines stay.

    Args:
        path: of evaluations.jsonl; nothing happens where there is none.
        examples: training examples that the checkpoint had seen.
    """
    if not path.exists():
        return
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines(keepends=True)
    kept = [line for line in lines if not _later(line, examples)]
    if len(kept) < len(lines):
        write_text(path, "".join(kept))


def _later(line: str, examples: int) -> bool:
    """Whether training wrote this line, after so many examples."""
    try:
        record = json.loads(line)
        return bool(record["generator"] == TRAINING and record["examples"] > examples)
    except (ValueError, LookupError, TypeError):
        return False


def _ends_in_newline(path: Path) -> bool:
    with path.open("rb") as file:
        file.seek(-1, os.SEEK_END)
        return file.read(1) == b"\n"


def _finite(value: Any) -> Any:
    """JSON has no infinity and no NaN: null stands for them."""
    if isinstance(value, dict):
        return {name: _finite(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(one) for one in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
