"""Measuring a generator by any number of metrics."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TypedDict, Unpack

from ..data.dataset import Dataset
from ..errors import ConfigError, DataError
from ..features import FeatureExtractor
from ..features.inception import REMOTE
from ..sampling import Sampler
from .drawing import refuse_seeds
from .metric import Metric
from .names import check_metric
from .opening import INCEPTION, opened, without_weights
from .record import Evaluation
from .refusals import refusing
from .subject import Progress, Subject


class Options(TypedDict, total=False):
    """What `evaluate` passes on to `Subject`, which says what they are."""

    split: str
    first_seed: int
    extractor: str
    inception: Path | None
    preprocessing: str | None
    distance: Path | None
    device: str
    progress: Progress


def evaluate(
    sampler: Sampler,
    dataset: Dataset,
    names: Sequence[str],
    *,
    reference: bool = True,
    **options: Unpack[Options],
) -> list[Evaluation]:
    """Measure a generator on one split by every metric named.

    Args:
        sampler: the generator.
        dataset: what it was trained on.
        names: as in `parzen10k`, `modes2500`; a bare name takes the protocol's own count.
        reference: also measure real samples under the same protocol.
        options: `split` ("test", or "validation" for choices made while training), `first_seed`, `extractor`,
            `inception`, `preprocessing`, `distance`, `device` and `progress` of `Subject`.

    Raises:
        ConfigError: an unknown metric, one that doesn't suit the data, or samples unlike the data.
    """
    return measure(Subject(sampler, dataset, with_reference=reference, **options), names)


def measure(subject: Subject, names: Sequence[str]) -> list[Evaluation]:
    """Every metric named, in order; all of them are refused before the first one takes its time.

    Raises:
        ConfigError, DataError: as `evaluate`.
    """
    _check_alike(subject.sampler, subject.dataset)
    subject.dataset.split(subject.split)
    chosen = [check_metric(name, subject.dataset) for name in names]
    refuse_seeds(subject.first_seed, max((count for _, count in chosen), default=0))
    subjects = [subject.inception if metric.inception else subject for metric, _ in chosen]
    for name, (metric, _), one in zip(names, chosen, subjects, strict=True):
        _refuse_unfit(name, metric, partial(_network_of, one))
    _open_distance(subject, [metric for metric, _ in chosen])
    _note_inception(subject, [metric for metric, _ in chosen])
    for one in subjects:
        one.keeps_logits = any(metric.needs in ("logits", "either") for metric, _ in chosen)
    results = []
    for name, (metric, count), one in zip(names, chosen, subjects, strict=True):
        with refusing(name):
            results.append(metric.measure(one, count))
    return results


def check_metrics(names: Sequence[str], dataset: Dataset) -> None:
    """Whether every metric named can be measured on that data, with what is on this machine.

    Raises:
        ConfigError, DataError: one of them can't.
    """
    for name in names:
        metric, _ = check_metric(name, dataset)
        if metric.needs == "distance":
            raise ConfigError(
                f"{name} needs a file that only evenodds evaluate --distance takes; leave it out"
            )
        _refuse_unfit(name, metric, partial(opened, INCEPTION if metric.inception else "auto", dataset))


def _network_of(subject: Subject) -> FeatureExtractor:
    return subject.extractor


def _refuse_unfit(name: str, metric: Metric, extractor: Callable[[], FeatureExtractor]) -> None:
    """Before anything takes its time: weights that are missing, or classes that nothing tells apart."""
    if metric.needs in ("", "distance"):
        return
    try:
        network = extractor()
    except DataError as error:
        raise without_weights(name, error) if metric.inception else error from None
    if metric.needs == "logits" and network.classes is None:
        raise ConfigError(
            f"metric {name!r} needs a network that classifies, and extractor {network.name!r} gives no "
            "classes; use --extractor with one that does, or another metric"
        )


def _open_distance(subject: Subject, metrics: Sequence[Metric]) -> None:
    """A distance that is missing, or that nothing uses, is found before anything takes its time."""
    if any(metric.needs == "distance" for metric in metrics):
        subject.distance()
    elif subject.distance_file is not None:
        raise ConfigError(
            f"--distance {subject.distance_file} is for ppl, which is not measured; leave it out"
        )


def _note_inception(subject: Subject, metrics: Sequence[Metric]) -> None:
    """Weights that nothing uses are a mistake; others than the published ones make numbers of their own."""
    used = subject.asked == INCEPTION or any(metric.inception for metric in metrics)
    if subject.weights is not None and not used:
        raise ConfigError(
            f"--inception {subject.weights} is for fid, kid, is and mifid, and none of them is measured; "
            "leave it out, or add --extractor inception"
        )
    if used and subject.inception.extractor.sha256 != REMOTE.sha256:
        subject.notes.append(
            "these weights of Inception are not the published ones: distances in them can't be compared with "
            "anyone's FID or KID"
        )


def _check_alike(sampler: Sampler, dataset: Dataset) -> None:
    """Without this, values in [0, 1] would be compared with values in [−1, 1] and give a plausible number."""
    if sampler.sample_shape != dataset.sample_shape:
        shapes = f"samples of shape {sampler.sample_shape}, {dataset.name} examples of {dataset.sample_shape}"
        raise ConfigError(f"the generator makes {shapes}; measure it on the data it was trained on")
    if sampler.value_range != dataset.value_range:
        ranges = f"values in {sampler.value_range}, {dataset.name} has {dataset.value_range}"
        raise ConfigError(f"the generator makes {ranges}; open the data with the generator's value_range")
