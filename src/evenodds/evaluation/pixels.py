"""Metrics on the examples' own values, which need no network."""

from __future__ import annotations

from torch import Tensor

from ..metrics.sliced import SlicedWasserstein, sliced_wasserstein
from .levels import in_levels, real_in_levels, samples_in_levels
from .record import Evaluation, count_name
from .refusals import refusing
from .subject import Subject
from .words import in_place

DIRECTIONS = 512


def measure_sliced(subject: Subject, count: int) -> Evaluation:
    """W_2 along random directions of the values' space; Rabin et al. (2011), Bonneel et al. (2015)."""
    name = f"sliced{count_name(count)}"
    with refusing(name):
        real = real_in_levels(subject, count)
        result = _distance(real, samples_in_levels(subject, count))
        floor = None
        if subject.with_reference:
            floor = _distance(real, real_in_levels(subject, count, split=subject.floor_split))
    scale, unit = _scale(subject)
    return Evaluation(
        name=name,
        value=result.value / scale,
        standard_error=None,
        unit=unit,
        protocol=f"{count:,} samples and {len(real):,} {subject.split} examples by their values; Wasserstein "
        f"distance of order 2 along {result.directions} random directions, root of the mean square; "
        "interval over directions",
        reference=None if floor is None else in_place(subject, count, f"{floor.value / scale:.4g}"),
        warning="It sees what straight lines see: means, contrasts and smooth shapes, hardly any detail; and "
        "two sets of real examples are apart by the floor.",
        details={"directions": result.directions},
        n=count,
        interval=(result.interval[0] / scale, result.interval[1] / scale),
        floor=None if floor is None else floor.value / scale,
        setting=subject.setting(
            "sliced", count, real=len(real), features=False, more={"directions": DIRECTIONS, "power": 2}
        ),
    )


def _distance(real: Tensor, fake: Tensor) -> SlicedWasserstein:
    return sliced_wasserstein(real, fake, directions=DIRECTIONS, power=2)


def _scale(subject: Subject) -> tuple[float, str]:
    """What a distance in levels is divided by, and its unit then."""
    return (255.0, "of the range of values") if in_levels(subject) else (1.0, "in the data's units")
