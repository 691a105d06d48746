"""Fréchet distances: `frechet` in any features, `fid` in Inception's."""

from __future__ import annotations

from ..metrics.frechet import Frechet, frechet
from ..metrics.frechet_limits import frechet_error
from ..metrics.moments import Moments
from .record import Evaluation, count_name, normal_interval
from .subject import Subject
from .words import in_place, space

SPREAD = "; ± is one standard error over other draws of samples"


def measure_frechet(subject: Subject, count: int, *, name: str = "frechet") -> Evaluation:
    """Fréchet distance of features seen as Gaussians; in Inception's, the FID of Heusel et al. (2017)."""
    fake, real = subject.fake(count).features, subject.real().features
    against = Moments.of(real)
    result = frechet(against, Moments.of(fake))
    error = frechet_error(against, fake)
    floor = _floor(subject, count, against)
    return Evaluation(
        name=f"{name}{count_name(count)}",
        value=result.value,
        standard_error=error,
        unit="squared feature units",
        protocol=f"{count:,} samples against all {len(real):,} {subject.split} examples in "
        f"{space(subject)}{'' if error is None else SPREAD}",
        reference=None if floor is None else in_place(subject, count, f"{floor.value:.4g}"),
        warning=_warning(name, result, floor, against.dim),
        details=result._asdict(),
        n=count,
        interval=None if error is None else distance_interval(result.value, error),
        floor=None if floor is None else floor.value,
        setting=subject.setting(name, count, real=len(real), features=True),
    )


def _floor(subject: Subject, count: int, against: Moments) -> Frechet | None:
    """What real examples score in the samples' place; None where that isn't wanted."""
    if not subject.with_reference:
        return None
    return frechet(against, Moments.of(subject.real(count, split=subject.floor_split).features))


def _warning(name: str, result: Frechet, floor: Frechet | None, dim: int) -> str:
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


def distance_interval(value: float, error: float) -> tuple[float, float]:
    """Of 95 %; a distance is not below 0."""
    low, high = normal_interval(value, error)
    return max(0.0, low), high
