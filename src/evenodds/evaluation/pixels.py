"""Metrics on the examples' own values, which need no network."""

from __future__ import annotations

import math
import statistics

import torch
from torch import Tensor

from ..metrics.sliced import SlicedWasserstein, sliced_wasserstein
from .levels import in_levels, real_in_levels, samples_in_levels
from .record import Evaluation, count_name
from .refusals import refusing
from .subject import Subject
from .words import in_place

DIRECTIONS = 512
GROUPS, GROUP_DIRECTIONS = 10, 64  # of samples, each left out once: what other samples would change
T9 = 2.262  # 97.5 % quantile of Student's t with GROUPS − 1 degrees of freedom


def measure_sliced(subject: Subject, count: int) -> Evaluation:
    """W_2 along random directions of the values' space; Rabin et al. (2011), Bonneel et al. (2015)."""
    name = f"sliced{count_name(count)}"
    with refusing(name):
        real = real_in_levels(subject, count)
        fake = samples_in_levels(subject, count)
        result = _distance(real, fake)
        error = error_of(result, real, fake)
        floor = None
        if subject.with_reference:
            floor = _distance(real, real_in_levels(subject, count, split=subject.floor_split))
    scale, unit = _scale(subject)
    return Evaluation(
        name=name,
        value=result.value / scale,
        standard_error=None if error is None else error / scale,
        unit=unit,
        protocol=f"{count:,} samples and {len(real):,} {subject.split} examples by their values; Wasserstein "
        f"distance of order 2 along {result.directions} random directions, root of the mean square; "
        "interval over samples and directions",
        reference=None if floor is None else in_place(subject, count, f"{floor.value / scale:.4g}"),
        warning="It sees what straight lines see: means, contrasts and smooth shapes, hardly any detail; and "
        "two sets of real examples are apart by the floor.",
        details={"directions": result.directions},
        n=count,
        interval=None if error is None else _interval(result.value / scale, error / scale),
        floor=None if floor is None else floor.value / scale,
        setting=subject.setting(
            "sliced", count, real=len(real), features=False, more={"directions": DIRECTIONS, "power": 2}
        ),
    )


def error_of(result: SlicedWasserstein, real: Tensor, fake: Tensor) -> float | None:
    """Standard error over other samples, by leaving out each of GROUPS groups once, and other directions.

    None where there are too few samples for groups.
    """
    if len(fake) < 2 * GROUPS:
        return None
    groups = fake.chunk(GROUPS)
    rest = [torch.cat([*groups[:at], *groups[at + 1 :]]) for at in range(len(groups))]
    values = [sliced_wasserstein(real, part, directions=GROUP_DIRECTIONS).value for part in rest]
    over_samples = (len(values) - 1) ** 2 / len(values) * statistics.variance(values)  # Tukey (1958)
    over_directions = (result.interval[1] - result.value) / 1.96
    return math.sqrt(over_samples + over_directions**2)


def _interval(value: float, error: float) -> tuple[float, float]:
    return max(0.0, value - T9 * error), value + T9 * error


def _distance(real: Tensor, fake: Tensor) -> SlicedWasserstein:
    return sliced_wasserstein(real, fake, directions=DIRECTIONS, power=2)


def _scale(subject: Subject) -> tuple[float, str]:
    """What a distance in levels is divided by, and its unit then."""
    return (255.0, "of the range of values") if in_levels(subject) else (1.0, "in the data's units")
