"""Metrics on neighbours in features: precision, recall, density, coverage, and the two-sample test."""

from __future__ import annotations

import math
from typing import NamedTuple
from weakref import WeakKeyDictionary

from torch import Tensor

from ..metrics.intervals import binomial_interval
from ..metrics.prdc import (
    COVERAGE_WORTH,
    Prdc,
    PrdcExamples,
    PrdcIntervals,
    intervals,
    neighbours,
    prdc_examples,
    summary,
)
from ..metrics.two_sample import TwoSample, two_sample_test
from .record import Evaluation, count_name
from .refusals import refusing
from .subject import Subject
from .words import in_place, space

K_PRECISION, K_DENSITY = 3, 5  # neighbours, as in the papers
LEVEL = 0.05


class Pass(NamedTuple):
    """All four numbers of one pass, and the same of real examples in the samples' place.

    Args:
        values, limits: of the samples.
        perfect: of real examples; None where that isn't wanted.
        real: real examples compared with.
        density_error: standard error of the density.
    """

    values: Prdc
    limits: PrdcIntervals
    perfect: Prdc | None
    real: int
    density_error: float


# one pass gives all four: they are kept as long as what was measured
_PASSES: WeakKeyDictionary[Subject, dict[int, Pass]] = WeakKeyDictionary()

SAYS = {
    "precision": (
        f"share of samples in a ball around a real example, to its neighbour number {K_PRECISION} "
        "(Kynkäänniemi et al. 2019)",
        "Samples that crowd in one dense place are precise, too: read it with recall.",
    ),
    "recall": (
        f"share of real examples in a ball around a sample, to its neighbour number {K_PRECISION} "
        "(Kynkäänniemi et al. 2019)",
        "A few samples far out, with large balls, raise it; coverage is harder to deceive.",
    ),
    "density": (
        f"real balls around a sample, to neighbour number {K_DENSITY}, over {K_DENSITY} (Naeem et al. 2020)",
        "More than real examples score means samples in dense places only, not better ones.",
    ),
    "coverage": (
        f"share of real examples with a sample in their ball, to neighbour number {K_DENSITY} "
        "(Naeem et al. 2020)",
        "Balls overlap, so that the interval counts each real example as two fifths of an independent one.",
    ),
}
OVER = {
    "precision": "samples",
    "recall": "real examples",
    "density": "samples",
    "coverage": "real examples",
}


def measure_manifold(subject: Subject, count: int, *, name: str) -> Evaluation:
    """One of precision, recall, density and coverage; the others come from the same pass."""
    with refusing(f"{name}{count_name(count)}"):
        found = one_pass(subject, count)
    value, limits = getattr(found.values, name), getattr(found.limits, name)
    perfect = None if found.perfect is None else getattr(found.perfect, name)
    over = count if OVER[name] == "samples" else found.real
    independent = over * (COVERAGE_WORTH if name == "coverage" else 1)
    error = found.density_error if name == "density" else math.sqrt(value * (1 - value) / independent)
    meaning, warning = SAYS[name]
    return Evaluation(
        name=f"{name}{count_name(count)}",
        value=value,
        standard_error=error,
        unit="",
        protocol=f"{meaning}; {count:,} samples and {found.real:,} {subject.split} examples in "
        f"{space(subject)}; interval over {OVER[name]}",
        reference=None if perfect is None else in_place(subject, count, f"{perfect:.3f}"),
        warning=warning,
        details=found.values._asdict(),
        n=count,
        interval=limits,
        ceiling=perfect,
        setting=subject.setting(
            name,
            count,
            real=found.real,
            features=True,
            more={"k": K_DENSITY if name in ("density", "coverage") else K_PRECISION},
        ),
    )


def one_pass(subject: Subject, count: int) -> Pass:
    """As many real examples as samples, where there are so many: all four depend on both numbers.

    Raises:
        ValueError: too few of either, or features that are not finite.
    """
    passes = _PASSES.setdefault(subject, {})
    if count not in passes:
        real = subject.real(count).features
        near = neighbours(real, max(K_PRECISION, K_DENSITY))
        found = _examples(real, subject.fake(count).features, near)
        perfect = None
        if subject.with_reference:
            stand_in = subject.real(count, split=subject.floor_split).features
            perfect = summary(_examples(real, stand_in, near))
        density = found.density
        error = float(density.std()) / math.sqrt(len(density)) if len(density) > 1 else math.inf
        passes[count] = Pass(summary(found), intervals(found, LEVEL), perfect, len(real), error)
    return passes[count]


def _examples(real: Tensor, fake: Tensor, near: Tensor) -> PrdcExamples:
    return prdc_examples(real, fake, k_precision=K_PRECISION, k_density=K_DENSITY, real_neighbours=near)


def measure_two_sample(subject: Subject, count: int) -> Evaluation:
    """How often an example's nearest neighbour is of its own kind; 1/2 where none can tell them apart."""
    real, fake = subject.real(count).features, subject.fake(count).features
    n = min(len(real), len(fake))
    with refusing(f"two_sample{count_name(count)}"):
        result = two_sample_test(real[:n], fake[:n])
    perfect = None
    if subject.with_reference:
        stand_in = subject.real(n, split=subject.floor_split).features
        perfect = two_sample_test(subject.real(len(stand_in)).features, stand_in).accuracy
    few = f", of which the first {n:,}" if n < count else ""
    return Evaluation(
        name=f"two_sample{count_name(count)}",
        value=result.accuracy,
        standard_error=None,
        unit="of nearest neighbours are of the own kind",
        protocol=f"1-nearest-neighbour test, each example left out once (Lopez-Paz and Oquab 2017): "
        f"{count:,} samples{few} and {n:,} {subject.split} examples in {space(subject)}",
        reference=None if perfect is None else in_place(subject, n, f"{perfect:.3f}"),
        also=f"for equal distributions {result.expected:.4f} ± {result.deviation:.4f}, so p = {result.p:.2g}",
        warning="Below 1/2 is no success: samples that avoid each other and sit on real examples are copies "
        f"(p = {result.p_copies:.2g}).",
        details=result._asdict(),
        n=count,
        interval=accuracy_interval(result),
        floor=perfect,
        setting=subject.setting("two_sample", count, real=n, features=True),
    )


def accuracy_interval(result: TwoSample) -> tuple[float, float]:
    """Clopper and Pearson's, for as many independent answers as would vary like these under chance."""
    independent = round(0.25 / result.deviation**2) if result.deviation > 0 else 1
    low, high = binomial_interval(round(result.accuracy * independent), independent, LEVEL)
    return min(low, result.accuracy), max(high, result.accuracy)
