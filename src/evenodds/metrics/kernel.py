"""Kernel distance (KID in Inception features): unbiased squared MMD with a cubic kernel, with its interval.

k(x, y) = (x·y/d + 1)³, Bińkowski et al. (2018), section 4.  Being unbiased it is 0 on average where real and
fake features have one distribution, at any number of examples; so it can be negative.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

NORMAL_95 = 1.959964
BLOCK = 512  # examples: a block of the kernel matrix takes 2 MB, which stays in the processor's cache
FEWEST = 4  # examples that variances of a U-statistic can be estimated from


class KernelDistance(NamedTuple):
    """A kernel distance.  Its unit is the kernel's, which depends on the scale of the features.

    Args:
        value: mean over the subsets, or the estimate from all pairs; not below 0 but for chance.
        deviation: standard deviation over the subsets (divisor: their number), as KID is often reported with;
            it is how much one subset varies, not how well `value` is known.  0 where all pairs were taken.
        standard_error: of `value`, over other draws of real examples, of fake ones and of the subsets.
        interval: of 95 %, a little more of it above the value than below.
        subsets: how many; 0 where all pairs were taken.
        size: real and fake examples of a subset; 0 where all pairs were taken.
        counts: examples (real, fake).
    """

    value: float
    deviation: float
    standard_error: float
    interval: tuple[float, float]
    subsets: int
    size: int
    counts: tuple[int, int]


class _Parts(NamedTuple):
    """A U-statistic and the variances in Hoeffding's decomposition of it, scalars in float64.

    Args:
        value: unbiased squared MMD.
        real, fake: Var_x (E k(x, X') − E k(x, Y)), and the same of fake examples.
        real_pairs, fake_pairs, mixed_pairs: E k̃² of the kernel centred in both arguments.
    """

    value: Tensor
    real: Tensor
    fake: Tensor
    real_pairs: Tensor
    fake_pairs: Tensor
    mixed_pairs: Tensor


def kernel_distance(
    real: Tensor, fake: Tensor, *, subsets: int = 100, size: int = 1000, generator: torch.Generator
) -> KernelDistance:
    """Mean over subsets of the unbiased squared MMD, k = (x·y/d + 1)³; Bińkowski et al. (2018), section 4.

    Subsets overlap, so their spread can't say how well their mean is known.  Given the features, the subsets
    are independent and their mean estimates the value of all pairs, thus

        Var(value) = Var(U of all pairs) + Var(one subset | features)/subsets,

    with the first from Hoeffding's decomposition (Serfling 1980, section 5.2): 4 ζ/n + 2 E k̃²/n² for
    each side, 4 E k̃²/(n m) for the pairs of both, whose unbiased estimates are averaged over the subsets.

    Args:
        real: (N, d) features.
        fake: (M, d) features of generated examples.
        subsets: how many.
        size: real and fake examples in each, drawn without replacement.
        generator: that draws them.

    Raises:
        ValueError: shapes that don't match, values that are not finite, or too few examples.
    """
    _check(real, fake)
    if not FEWEST <= size <= min(len(real), len(fake)) or subsets < 1:
        raise ValueError(
            f"{subsets} subsets of {size} can't be drawn from {len(real)} real and {len(fake)} fake ones; "
            f"a subset has at least {FEWEST} of each and at most as many as there are"
        )
    drawn = []
    for _ in range(subsets):
        chosen = [_draw(x, size, generator) for x in (real, fake)]
        drawn.append(torch.stack(_parts(*chosen)))
    table = torch.stack(drawn)  # (subsets, 6)
    deviation = float(table[:, 0].std(correction=0))
    resampling = float(table[:, 0].var()) / subsets if subsets > 1 else 0.0
    return _result(_Parts(*table.mean(0)), deviation, resampling, (subsets, size), (len(real), len(fake)))


def kernel_distance_of_all_pairs(real: Tensor, fake: Tensor) -> KernelDistance:
    """The unbiased squared MMD of all pairs, k(x, y) = (x·y/d + 1)³; Gretton et al. (2012), Eq. 3.

    What the mean over ever more subsets goes to: it draws nothing and has the smaller standard error.  Takes
    (N² + M²)/2 + N M kernel values, in blocks.

    Args:
        real: (N, d) features.
        fake: (M, d) features of generated examples.

    Raises:
        ValueError: shapes that don't match, values that are not finite, or fewer than 4 examples.
    """
    _check(real, fake)
    if min(len(real), len(fake)) < FEWEST:
        raise ValueError(
            f"a kernel distance needs {FEWEST} real and fake examples at least, not {len(real)} and "
            f"{len(fake)}; give more of them"
        )
    return _result(_parts(real, fake), 0.0, 0.0, (0, 0), (len(real), len(fake)))


def _check(real: Tensor, fake: Tensor) -> None:
    if real.ndim != 2 or fake.ndim != 2 or real.shape[1] != fake.shape[1] or real.shape[1] == 0:
        raise ValueError(
            f"features must have the shapes (N, d) and (M, d), not {tuple(real.shape)} and "
            f"{tuple(fake.shape)}; use one feature extractor for both"
        )
    for name, x in (("real", real), ("fake", fake)):
        if not all(block.isfinite().all() for block in x.split(BLOCK)):
            raise ValueError(f"{name} features hold values that are not finite; look at their extractor")


def _draw(x: Tensor, size: int, generator: torch.Generator) -> Tensor:
    """Rows without replacement."""
    order = torch.randperm(len(x), generator=generator, device=generator.device)
    return x[order[:size].to(x.device)]


def _result(
    parts: _Parts, deviation: float, resampling: float, subsets: tuple[int, int], counts: tuple[int, int]
) -> KernelDistance:
    """Variances put together for the number of examples there are; Serfling (1980), section 5.2."""
    n, m = counts
    # each is at least 0; an estimate needn't be
    real, fake, real_pairs, fake_pairs, mixed = (max(0.0, float(part)) for part in parts[1:])
    first = 4 * real / n + 4 * fake / m
    second = 2 * real_pairs / (n * (n - 1)) + 2 * fake_pairs / (m * (m - 1)) + 4 * mixed / (n * m)
    value, error = float(parts.value), math.sqrt(first + second + resampling)
    if not math.isfinite(value + error):
        raise ValueError("features are too large for a cubic kernel; scale them down")
    return KernelDistance(value, deviation, error, _interval(value, first, error), *subsets, counts)


def _interval(value: float, first: float, error: float) -> tuple[float, float]:
    """All distances θ that `value` is at most 1.96 of *their* standard errors from; after Wilson (1927).

    The variance of first order is about proportional to θ, so low values come with small errors; an interval
    that takes the error of the value for that of the truth misses too often, and on one side.
    """
    slope = first / max(value, error) if error > 0 else 0.0
    shift = NORMAL_95**2 * slope / 2
    reach = math.hypot(NORMAL_95 * error, shift)
    return value + shift - reach, value + shift + reach


def _parts(x: Tensor, y: Tensor) -> _Parts:
    """Everything from sums over the three kernel matrices, their rows and their squares."""
    n, m = len(x), len(y)
    x_mean, x_rows, x_pairs = _within(x)
    y_mean, y_rows, y_pairs = _within(y)
    rows, columns, squares = _sums(x, y)
    mean = rows.sum() / (n * m)
    mixed = squares - rows.square().sum() / m - columns.square().sum() / n + n * m * mean.square()
    mixed_pairs = mixed / ((n - 1) * (m - 1))
    # what a row's mean differs by because it is a mean over so few, is taken off again
    real = (x_rows / (n - 1) - rows / m).var() - x_pairs / (n - 1) - mixed_pairs / m
    fake = (y_rows / (m - 1) - columns / n).var() - y_pairs / (m - 1) - mixed_pairs / n
    return _Parts(x_mean + y_mean - 2 * mean, real, fake, x_pairs, y_pairs, mixed_pairs)


def _within(x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Mean of k(x_i, x_j) over i ≠ j, sums over j, and the unbiased E k̃²; Székely and Rizzo (2014), Eq. 3.

    The last is their inner product of a U-centred matrix with itself.
    """
    n = len(x)
    rows, _, squares = _sums(x, None)
    total = rows.sum()
    centred = squares - 2 * rows.square().sum() / (n - 2) + total.square() / ((n - 1) * (n - 2))
    return total / (n * (n - 1)), rows, centred / (n * (n - 3))


def _sums(x: Tensor, y: Tensor | None) -> tuple[Tensor, Tensor, Tensor]:
    """Σ_j k, Σ_i k and Σ_ij k², block by block in float64: (N,), (M,) and ().

    Args:
        x: (N, d).
        y: (M, d); None for x itself without the diagonal, of which half is computed.
    """
    place = torch.device("cpu") if x.device.type == "mps" else x.device  # Apple's GPUs don't have float64
    other = x if y is None else y
    rows = torch.zeros(len(x), dtype=torch.float64, device=place)
    columns = torch.zeros(len(other), dtype=torch.float64, device=place)
    squares = torch.zeros((), dtype=torch.float64, device=place)
    for i in range(0, len(x), BLOCK):
        left = x[i : i + BLOCK].detach().to(place, torch.float64)
        for j in range(i if y is None else 0, len(other), BLOCK):
            right = left if y is None and i == j else other[j : j + BLOCK].detach().to(place, torch.float64)
            base = (left @ right.T).div_(x.shape[1]).add_(1)
            k = base.square().mul_(base)
            if y is None and i == j:
                k.fill_diagonal_(0)
            rows[i : i + BLOCK] += k.sum(1)
            columns[j : j + BLOCK] += k.sum(0)
            if y is None and i != j:  # the mirrored block
                rows[j : j + BLOCK] += k.sum(0)
            squares += k.square_().sum() * (2 if y is None and i != j else 1)
    return rows, columns, squares
