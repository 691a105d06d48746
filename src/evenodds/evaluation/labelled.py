"""Metrics that need labels: whether samples can teach the classes."""

from __future__ import annotations

import math

from torch import Tensor

from ..data.dataset import Dataset
from ..errors import ConfigError
from ..metrics.intervals import binomial_interval
from ..metrics.neighbours import nearest_neighbour_error
from .levels import real_in_levels, samples_in_levels
from .record import Evaluation, count_name
from .refusals import refusing
from .subject import Subject
from .words import in_place


def measure_nn_error(subject: Subject, count: int) -> Evaluation:
    """1-NN classification of real examples by labelled samples; Radford et al. (2015), appendix, Table 3."""
    name = f"nn_error{count_name(count)}"
    labels, truth = labels_of(subject, name, count), subject.real_labels()
    assert truth is not None  # by needs_labels
    with refusing(name):
        test = real_in_levels(subject)
        error = nearest_neighbour_error(samples_in_levels(subject, count), labels, test, truth)
        floor = _of_real(subject, count, test, truth) if subject.with_reference else None
    low, high = binomial_interval(round(error * len(test)), len(test), 0.05)
    return Evaluation(
        name=name,
        value=100 * error,
        standard_error=100 * math.sqrt(error * (1 - error) / len(test)),
        unit="% of examples misclassified",
        protocol=f"all {len(test):,} {subject.split} examples, each given the class of the nearest of "
        f"{count:,} samples by the distance of their values (Radford et al. 2015, Table 3); interval over "
        f"{subject.split} examples",
        reference=None if floor is None else in_place(subject, count, f"{100 * floor:.2f} %"),
        warning="A sharp sample of every kind teaches a neighbour well: shares and details are not judged.",
        n=count,
        interval=(100 * low, 100 * high),
        floor=None if floor is None else 100 * floor,
        setting=subject.setting("nn_error", count, real=len(test), features=False),
    )


def _of_real(subject: Subject, count: int, test: Tensor, truth: Tensor) -> float:
    """The error with as many real examples as the training set."""
    x = real_in_levels(subject, count, split=subject.floor_split)
    y = subject.real_labels(count, split=subject.floor_split)
    assert y is not None  # by needs_labels
    return nearest_neighbour_error(x, y, test, truth)


def labels_of(subject: Subject, name: str, count: int) -> Tensor:
    """The classes of the first `count` samples.

    Raises:
        ConfigError: the generator makes samples without classes, or classes that the data don't have.
    """
    labels, classes = subject.fake_labels(count), subject.dataset.classes
    if labels is None:
        raise ConfigError(
            f"{name} needs samples with labels, and this generator was trained without classes; train with "
            "--set conditional=true, or use another metric"
        )
    if len(subject.sampler.class_names) != classes:
        raise ConfigError(
            f"{name} needs the data's classes, and the generator knows {len(subject.sampler.class_names)} "
            f"where {subject.dataset.name} has {classes}; give the data that it was trained on"
        )
    return labels


def needs_labels(dataset: Dataset) -> None:
    """Without labels there is nothing to classify."""
    if dataset.train.y is None:
        raise ConfigError(f"{dataset.name} has no labels, which this metric needs; use another metric")
