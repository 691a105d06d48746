"""Kernel distances: `kernel` in any features, `kid` in Inception's."""

from __future__ import annotations

import torch
from torch import Tensor

from ..metrics.kernel import KernelDistance, kernel_distance, kernel_distance_of_all_pairs
from .record import Evaluation, count_name
from .subject import Subject
from .words import in_place, space

SUBSETS, SIZE = 100, 1_000  # of the KID as most codes have it
MOST_PAIRS = 3e8  # beyond them subsets are faster


def measure_kernel(subject: Subject, count: int, *, name: str = "kernel") -> Evaluation:
    """Unbiased squared MMD with a cubic kernel; of Inception: the KID of Bińkowski et al. (2018)."""
    fake, real = subject.fake(count).features, subject.real().features
    as_published = name == "kid"
    result = distance(real, fake, as_published)
    floor = None
    if subject.with_reference:
        others = subject.real(count, split=subject.floor_split).features
        floor = distance(real, others, as_published)
    said = f"{result.subsets} subsets of {result.size:,}" if result.subsets else "all pairs"
    return Evaluation(
        name=f"{name}{count_name(count)}",
        value=result.value,
        standard_error=result.standard_error,
        unit="squared MMD",
        protocol=f"{count:,} samples against all {len(real):,} {subject.split} examples in {space(subject)}; "
        f"{said}; ± is one standard error over other draws of both",
        reference=None if floor is None else in_place(subject, count, _said(floor)),
        warning="It has no bias, so a perfect generator scores 0 on average, and now and then less.",
        details=result._asdict() | {"floor_standard_error": floor.standard_error if floor else None},
        n=count,
        interval=result.interval,
        floor=None if floor is None else floor.value,
        setting=subject.setting(
            name, count, real=len(real), features=True, more={"subsets": result.subsets, "size": result.size}
        ),
    )


def distance(real: Tensor, fake: Tensor, as_published: bool) -> KernelDistance:
    """By subsets where that is the published protocol or all pairs were too many; else of all pairs.

    Args:
        real: (N, F) features.
        fake: (M, F) features.
        as_published: subsets wherever there are examples enough for them.
    """
    n, m = len(real), len(fake)
    many = (n * n + m * m) / 2 + n * m > MOST_PAIRS
    if min(n, m) >= SIZE and (as_published or many):
        generator = torch.Generator().manual_seed(0)
        return kernel_distance(real, fake, subsets=SUBSETS, size=SIZE, generator=generator)
    return kernel_distance_of_all_pairs(real, fake)


def _said(floor: KernelDistance) -> str:
    return f"{floor.value:.2g} ± {floor.standard_error:.2g}".replace("-", "−")
