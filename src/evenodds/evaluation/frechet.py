"""Fréchet distances: `frechet` in any features, `fid` in Inception's."""

from __future__ import annotations

import math

import torch

from ..metrics.frechet import Frechet, frechet
from ..metrics.moments import Moments
from .record import Evaluation, count_name
from .subject import Subject
from .words import in_place, space

GROUPS = 10  # of samples, each left out once for the interval
SPREAD = f"; ± is one standard error over samples, by leaving out each of {GROUPS} groups once"
T9 = 2.262157162740992  # of Student's t with GROUPS − 1 degrees of freedom, 97.5 %


def measure_frechet(subject: Subject, count: int, *, name: str = "frechet") -> Evaluation:
    """Fréchet distance of features seen as Gaussians; in Inception's, the FID of Heusel et al. (2017)."""
    fake, real = subject.fake(count).features, subject.real().features
    groups = [Moments.of(part) for part in fake.chunk(GROUPS)]
    against = Moments.of(real)
    result = frechet(against, groups[0].merged(groups[1:]))
    error = None if result.rank_deficient or count < 10 * GROUPS else jackknife(against, groups)
    floor = floor_of(subject, count, against)
    return Evaluation(
        name=f"{name}{count_name(count)}",
        value=result.value,
        standard_error=error,
        unit="squared feature units",
        protocol=f"{count:,} samples against all {len(real):,} {subject.split} examples in "
        f"{space(subject)}{'' if error is None else SPREAD}",
        reference=None if floor is None else in_place(subject, count, f"{floor.value:.4g}"),
        warning=warning_of(name, result, floor, against.dim),
        details=result._asdict(),
        n=count,
        interval=None if error is None else (max(0.0, result.value - T9 * error), result.value + T9 * error),
        floor=None if floor is None else floor.value,
        setting=subject.setting(name, count, real=len(real), features=True),
    )


def floor_of(subject: Subject, count: int, against: Moments) -> Frechet | None:
    """What real examples score in the samples' place; None where that isn't wanted."""
    if not subject.with_reference:
        return None
    return frechet(against, Moments.of(subject.real(count, split=subject.floor_split).features))


def jackknife(real: Moments, groups: list[Moments]) -> float:
    """Standard error of the distance over samples: each group is left out once; Tukey (1958).

    Args:
        real: of real examples.
        groups: of samples, equally many in each.
    """
    rest = [groups[:index] + groups[index + 1 :] for index in range(len(groups))]
    values = torch.tensor(
        [frechet(real, some[0].merged(some[1:])).value for some in rest], dtype=torch.float64
    )
    return math.sqrt(float((values - values.mean()).square().sum()) * (len(groups) - 1) / len(groups))


def warning_of(name: str, result: Frechet, floor: Frechet | None, dim: int) -> str:
    """What the number can't say: it is biased, and below F + 1 examples it says little but that."""
    fewest = min(result.counts)
    kernel = "kid" if name == "fid" else "kernel"
    if result.rank_deficient:
        perfect = "" if floor is None else f", and perfect samples would score about {floor.value:.3g}"
        return (
            f"{fewest:,} examples are too few for the covariance of {dim:,} features{perfect}: use {kernel}, "
            f"which has no bias, or more than {dim:,} examples on both sides"
        )
    return (
        f"So few examples alone add about {result.bias:.3g} (first order, Gaussian features); compare at the "
        "same n only."
    )
