"""Measuring a generator by any number of metrics."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ..data.dataset import Dataset
from ..errors import ConfigError
from ..sampling import Sampler
from .record import Evaluation
from .subject import Progress, Subject, silent
from .table import check_metric


def evaluate(
    sampler: Sampler,
    dataset: Dataset,
    names: Sequence[str],
    *,
    split: str = "test",
    reference: bool = True,
    first_seed: int = 0,
    extractor: str = "auto",
    inception: Path | None = None,
    preprocessing: str | None = None,
    device: str = "cpu",
    progress: Progress = silent,
) -> list[Evaluation]:
    """Measure a generator on one split by every metric named.

    Args:
        sampler: the generator.
        dataset: what it was trained on.
        names: as in `parzen10k`, `modes2500`; a bare name takes the protocol's own count.
        split: "test", or "validation" for choices made while training.
        reference: also measure real samples under the same protocol.
        first_seed, extractor, inception, preprocessing, device, progress: see `Subject`.

    Raises:
        ConfigError: an unknown metric, one that this data can't be measured by, or samples and data of
            different shapes or ranges.
    """
    subject = Subject(
        sampler,
        dataset,
        split=split,
        with_reference=reference,
        first_seed=first_seed,
        extractor=extractor,
        inception=inception,
        preprocessing=preprocessing,
        device=device,
        progress=progress,
    )
    return measure(subject, names)


def measure(subject: Subject, names: Sequence[str]) -> list[Evaluation]:
    """Every metric named, in order; all of them are refused before the first one takes its time.

    Raises:
        ConfigError, DataError: as `evaluate`.
    """
    _check_alike(subject.sampler, subject.dataset)
    subject.dataset.split(subject.split)
    chosen = [check_metric(name, subject.dataset) for name in names]
    subjects = [subject.inception if metric.inception else subject for metric, _ in chosen]
    for name, (metric, _), one in zip(names, chosen, subjects, strict=True):
        if metric.needs == "logits" and one.extractor.classes is None:
            raise ConfigError(
                f"metric {name!r} needs a network that classifies, and extractor {one.extractor.name!r} "
                "gives no classes; use --extractor with one that does, or another metric"
            )
        if metric.needs:
            _ = one.extractor  # opened now, so that missing weights are refused before anything is drawn
    return [metric.measure(one, count) for (metric, count), one in zip(chosen, subjects, strict=True)]


def _check_alike(sampler: Sampler, dataset: Dataset) -> None:
    """Without this, values in [0, 1] would be compared with values in [−1, 1] and give a plausible number."""
    if sampler.sample_shape != dataset.sample_shape:
        shapes = f"samples of shape {sampler.sample_shape}, {dataset.name} examples of {dataset.sample_shape}"
        raise ConfigError(f"the generator makes {shapes}; measure it on the data it was trained on")
    if sampler.value_range != dataset.value_range:
        ranges = f"values in {sampler.value_range}, {dataset.name} has {dataset.value_range}"
        raise ConfigError(f"the generator makes {ranges}; open the data with the generator's value_range")
