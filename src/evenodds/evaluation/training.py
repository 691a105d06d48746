"""Measuring while training goes on: on validation data, without touching what training draws."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..data.dataset import Dataset
from ..sampling import Sampler
from .log import TRAINING, append_line, line_of
from .measuring import measure
from .names import find_metric
from .record import Evaluation
from .subject import Subject


def measure_in_training(
    sampler: Sampler, dataset: Dataset, names: Sequence[str], log: Path
) -> list[Evaluation]:
    """Every metric on the validation split, added to a run's evaluations.jsonl.

    Real examples are not measured in the samples' place: that costs as much again at every interval.

    Args:
        sampler: of the averaged generator, as it is now.
        dataset: of the run.
        names: of metrics, at least one.
        log: the run's evaluations.jsonl.

    Raises:
        ConfigError, RunError: as `evaluate`, and where the log can't be written to.
    """
    subject = Subject(sampler, dataset, split="validation", with_reference=False)
    began = time.perf_counter()
    results = measure(subject, names)
    line = line_of(
        subject,
        results,
        source=str(log.parent),
        generator=TRAINING,
        sha256=None,
        seconds=time.perf_counter() - began,
        warning="; ".join(subject.notes),
    )
    append_line(log, line)
    return results


def as_metrics(results: Sequence[Evaluation]) -> dict[str, float]:
    """The same for a line of metrics.jsonl: values and standard errors by name."""
    line: dict[str, float] = {}
    for result in results:
        line[f"metric/{result.name}"] = result.value
        if result.standard_error is not None:
            line[f"metric/{result.name}/standard_error"] = result.standard_error
    return line


def is_better(result: Evaluation, than: Mapping[str, Any] | None) -> bool:
    """Whether a metric has improved on the best `value` so far; on None, always."""
    sign = 1 if find_metric(result.name)[0].higher_is_better else -1
    return than is None or sign * result.value > sign * than["value"]
