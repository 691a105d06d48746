"""Fréchet distances without end to the samples, and class by class."""

from __future__ import annotations

import torch
from torch import Tensor

from ..data.dataset import Dataset
from ..errors import ConfigError
from ..metrics.frechet_limits import IntraClass, frechet_infinity, intra_class
from ..metrics.moments import Moments
from .frechet import SPREAD, distance_interval
from .record import Evaluation, count_name
from .subject import Subject
from .words import in_place, space


def measure_infinity(subject: Subject, count: int, *, name: str = "frechet_infinity") -> Evaluation:
    """A Fréchet distance at infinitely many samples; of Inception the FID∞ of Chong and Forsyth (2020)."""
    real = subject.real().features
    against, dim = Moments.of(real), real.shape[1]
    if count < 4 * dim:
        raise ConfigError(
            f"{name}{count_name(count)} draws a line through distances of ever fewer samples, which needs at "
            f"least {4 * dim:,} for {dim:,} features; write {name}{count_name(1000 * -(-4 * dim // 1000))}"
        )
    result = frechet_infinity(against, subject.fake(count).features, generator=_fixed())
    floor = None
    if subject.with_reference:
        others = subject.real(count, split=subject.floor_split).features
        floor = frechet_infinity(against, others, generator=_fixed()) if len(others) >= 4 * dim else None
    return Evaluation(
        name=f"{name}{count_name(count)}",
        value=result.value,
        standard_error=result.standard_error,
        unit="squared feature units",
        protocol=f"{count:,} samples against all {len(real):,} {subject.split} examples in {space(subject)}; "
        f"a line through the distances of {', '.join(f'{size:,}' for size in result.sizes)} samples, at "
        "infinity; ± is one standard error over other draws of samples",
        reference=None if floor is None else in_place(subject, count, f"{floor.value:.4g}"),
        warning=f"What {len(real):,} real examples add stays; and a curve that isn't straight misleads.",
        details=result._asdict(),
        n=count,
        interval=result.interval,
        floor=None if floor is None else floor.value,
        setting=subject.setting(name, count, real=len(real), features=True),
    )


def measure_intra(subject: Subject, count: int, *, name: str = "intra_frechet") -> Evaluation:
    """Mean over classes of the Fréchet distance within a class; Miyato and Koyama (2018)."""
    labels = subject.fake_labels(count)
    if labels is None or len(subject.sampler.class_names) != subject.dataset.classes:
        raise ConfigError(
            f"{name} compares classes, and this generator was not trained on those of "
            f"{subject.dataset.name}; use {'fid' if name == 'intra_fid' else 'frechet'}"
        )
    real, classes = subject.real().features, _labels(subject, None, subject.split)
    result = intra_class(real, classes, subject.fake(count).features, labels)
    floor, split = None, subject.floor_split
    if subject.with_reference:
        others = subject.real(count, split=split).features
        floor = intra_class(real, classes, others, _labels(subject, count, split))
    values = [one.value for one in result.of_each]
    named = [subject.dataset.class_names[label] for label in result.classes]
    worst = values.index(max(values))
    return Evaluation(
        name=f"{name}{count_name(count)}",
        value=result.value,
        standard_error=result.standard_error,
        unit="squared feature units",
        protocol=f"{count:,} samples of {len(result.classes)} classes, as frequent as in the data, against "
        f"all {len(real):,} {subject.split} examples in {space(subject)}; mean over classes"
        f"{'' if result.standard_error is None else SPREAD}",
        reference=None if floor is None else in_place(subject, count, f"{floor.value:.4g}"),
        also=f"the worst class is {named[worst]!r} with {values[worst]:.4g}",
        warning=_few(result, real.shape[1]),
        details={"classes": dict(zip(named, values, strict=True))},
        n=count,
        interval=None
        if result.standard_error is None
        else distance_interval(result.value, result.standard_error),
        floor=None if floor is None else floor.value,
        setting=subject.setting(name, count, real=len(real), features=True),
    )


def needs_classes(dataset: Dataset) -> None:
    """Classes are what these distances are means over."""
    if dataset.train.y is None or not dataset.classes:
        raise ConfigError(
            f"intra_fid and intra_frechet need classes, and {dataset.name} has no labels; use fid or frechet"
        )


def _labels(subject: Subject, count: int | None, split: str) -> Tensor:
    labels = subject.real_labels(count, split=split)
    assert labels is not None  # by needs_classes
    return labels


def _few(result: IntraClass, dim: int) -> str:
    """Each class has its own n, and its own bias."""
    fewest = min(min(one.counts) for one in result.of_each)
    bias = sum(one.bias for one in result.of_each) / len(result.of_each)
    if any(one.rank_deficient for one in result.of_each):
        return (
            f"a class has {fewest:,} examples only, too few for the covariance of {dim:,} features: read it "
            "beside the floor, or measure more samples"
        )
    return f"So few examples in a class alone add about {bias:.3g}; compare at the same n only."


def _fixed() -> torch.Generator:
    return torch.Generator().manual_seed(0)
