"""Coverage class by class: whether a generator makes all kinds of what it is asked for."""

from __future__ import annotations

import math

from torch import Tensor

from ..data.dataset import Dataset
from ..errors import ConfigError
from ..metrics.class_coverage import ClassCoverage, class_coverage
from ..metrics.intervals import binomial_interval
from .record import Evaluation, count_name
from .refusals import refusing
from .subject import Subject
from .words import in_place, space

K = 5  # neighbours of a real ball, as in coverage


def measure_class_coverage(subject: Subject, count: int) -> Evaluation:
    """Mean over classes of the coverage (Naeem et al. 2020) of each by its own samples."""
    name = f"class_coverage{count_name(count)}"
    labels, how = _classes_of_samples(subject, name, count)
    with refusing(name):
        result = _coverage(subject, count, subject.fake(count).features, labels)
        perfect = _of_real(subject, count) if subject.with_reference else None
    if result.mean_coverage is None:
        raise ConfigError(f"{name} needs more than {K} real examples of a class; measure more samples")
    names, real = subject.dataset.class_names, int(result.real.sum())
    return Evaluation(
        name=name,
        value=result.mean_coverage,
        standard_error=error_of(result),
        unit="",
        protocol=f"mean over classes of the share of real examples with a sample of {how} in their ball, to "
        f"neighbour number {K}; {count:,} samples and {real:,} {subject.split} examples in {space(subject)}; "
        "interval over real examples",
        reference=None if perfect is None else in_place(subject, count, f"{perfect:.3f}"),
        also=_worst(result, names),
        warning="Balls overlap: the interval, which takes them as independent, is up to half too narrow.",
        details={
            "coverage": dict(zip(names, result.coverage, strict=True)),
            "density": dict(zip(names, result.density, strict=True)),
        },
        n=count,
        interval=_interval(result),
        ceiling=perfect,
        setting=subject.setting(
            "class_coverage", count, real=real, features=True, more={"k": K, "labels": how}
        ),
    )


def _worst(result: ClassCoverage, names: tuple[str, ...]) -> str:
    """The class that is covered least, and how many could not be measured."""
    known = {at: value for at, value in enumerate(result.coverage) if value is not None}
    least = min(known, key=lambda at: known[at])
    said = f"least {known[least]:.3f} of {names[least]!r}"
    missing = len(names) - len(known)
    return said if not missing else f"{said}; {missing} classes have too few examples"


def error_of(result: ClassCoverage) -> float:
    """Standard error of the mean of independent shares."""
    known = [
        (value, int(size))
        for value, size in zip(result.coverage, result.real, strict=True)
        if value is not None
    ]
    return math.sqrt(sum(value * (1 - value) / size for value, size in known)) / len(known)


def _interval(result: ClassCoverage) -> tuple[float, float]:
    """As if all examples were of one class: not too narrow, also where every share is 1."""
    assert result.mean_coverage is not None
    real = sum(
        int(size) for value, size in zip(result.coverage, result.real, strict=True) if value is not None
    )
    return binomial_interval(round(result.mean_coverage * real), real, 0.05)


def _coverage(subject: Subject, count: int, features: Tensor, labels: Tensor) -> ClassCoverage:
    truth = subject.real_labels(count)
    assert truth is not None  # by needs_class_names
    classes = subject.dataset.classes
    return class_coverage(subject.real(count).features, truth, features, labels, classes, k=K)


def _of_real(subject: Subject, count: int) -> float | None:
    """The mean of real examples in the samples' place."""
    split = subject.floor_split
    labels = subject.real_labels(count, split=split)
    assert labels is not None  # by needs_class_names
    return _coverage(subject, count, subject.real(count, split=split).features, labels).mean_coverage


def _classes_of_samples(subject: Subject, name: str, count: int) -> tuple[Tensor, str]:
    """The classes asked for, else those that a classifier sees, and which of the two.

    Raises:
        ConfigError: neither is to be had.
    """
    labels, classes = subject.fake_labels(count), subject.dataset.classes
    if labels is not None and len(subject.sampler.class_names) == classes:
        return labels, "that class asked for"
    logits = subject.fake(count).logits
    if logits is None or logits.shape[1] != classes:
        raise ConfigError(
            f"{name} needs to know the class of each sample: train with --set conditional=true, or give an "
            f"--extractor that classifies the {classes} classes of {subject.dataset.name}"
        )
    return logits.argmax(1), "that class by the classifier"


def needs_class_names(dataset: Dataset) -> None:
    """Without classes there is nothing to go by."""
    if dataset.train.y is None or not dataset.classes:
        raise ConfigError(f"class_coverage needs classes, and {dataset.name} has no labels; use coverage")
