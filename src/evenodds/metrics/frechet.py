"""Fréchet distance of two sets of features, seen as Gaussians: real, finite and at least 0 whatever they are.

‖μ₁ − μ₂‖² + Tr(Σ₁ + Σ₂ − 2 (Σ₁^½ Σ₂ Σ₁^½)^½), Dowson and Landau (1982); of Inception features it is the FID
of Heusel et al. (2017), Eq. 6.  With Σ₁ = F Fᵀ the last trace is Σ √eig(Fᵀ Σ₂ F): eigenvalues of a symmetric
matrix, so nothing becomes complex, and no square root of a matrix is taken.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

from .moments import Moments

BLOCK = 256  # rows and columns of a matrix product that knows of zeros
EPS = torch.finfo(torch.float64).eps
CONSTANT = 1e-13  # a spread below this part of the mean is the mean's rounding
TOLERANCE = 1e-8  # of both traces, as estimated: rounding that the fast route may leave


class Frechet(NamedTuple):
    """A Fréchet distance, and what must be said beside it.  All but the last three in squared feature units.

    Args:
        value: the distance (that is, the squared one), at least 0.
        means: its part ‖μ₁ − μ₂‖².
        covariances: the other part.
        bias: how much higher `value` is on average than for infinitely many examples, in first order of 1/n
            and for Gaussian features, see `finite_sample_bias`.
        rounding: estimate of how far the arithmetic may have moved `value`.
        rank_deficient: a side has no more examples than features: its covariance can't be had from them, and
            the value says more about n than about the distributions.
        counts: examples (real, fake).
    """

    value: float
    means: float
    covariances: float
    bias: float
    rounding: float
    rank_deficient: bool
    counts: tuple[int, int]


def frechet_distance(real: Moments, fake: Moments) -> float:
    """The value of `frechet` alone."""
    return frechet(real, fake).value


def frechet(real: Moments, fake: Moments) -> Frechet:
    """‖μ₁ − μ₂‖² + Tr(Σ₁ + Σ₂ − 2 (Σ₁^½ Σ₂ Σ₁^½)^½), divisors n − 1; Heusel et al. (2017), Eq. 6.

    Exchanging the sides, rotating the features or permuting the examples changes rounding only.

    Args:
        real: moments of real features, at least 2 examples.
        fake: moments of as many features of generated examples.

    Raises:
        ValueError: another number of features, or fewer than 2 examples.
    """
    if real.dim != fake.dim:
        raise ValueError(
            f"real examples have {real.dim} features and fake ones {fake.dim}; use one feature extractor"
        )
    mean, other_mean = real.mean, fake.mean.to(real.mean.device)
    first, second = real.covariance, fake.covariance.to(mean.device)
    traces = float(first.trace()), float(second.trace())
    # features that don't vary on one side don't count in the product, and would make it singular
    varies = (first.diagonal().sqrt() > CONSTANT * mean.abs()) & (
        second.diagonal().sqrt() > CONSTANT * other_mean.abs()
    )
    if not varies.all():
        first, second = first[varies][:, varies], second[varies][:, varies]
    counts = real.count, fake.count
    roots, rounding = product_roots(first, second, min(counts) - 1)
    means = float((mean - other_mean).square().sum())
    # at least 0 in exact arithmetic: below that is `rounding`
    covariances = max(0.0, sum(traces) - 2 * float(roots.sum()))
    return Frechet(
        means + covariances,
        means,
        covariances,
        finite_sample_bias(roots, traces, counts),
        2 * rounding + EPS * real.dim * sum(traces),
        min(counts) <= real.dim,
        counts,
    )


def finite_sample_bias(roots: Tensor, traces: tuple[float, float], counts: tuple[int, int]) -> float:
    """(Tr Σ₁ + K)/n₁ + (Tr Σ₂ + K)/n₂ with K = ½ Σ_ij (1 + δ_ij) s_i s_j/(s_i + s_j), s = √eig(Σ₁ Σ₂).

    What sampling adds to a Fréchet distance in first order of 1/n where features are Gaussian.  Derivation:
    the second-order term of −2 Tr M^½, M = Σ₂^½ Σ₁ Σ₂^½ (eigenvalues s²), under a perturbation Δ is
    ½ Σ Δ_ij²/(s_i s_j (s_i + s_j)), and a Wishart matrix has E Δ_ij² = (1 + δ_ij) s_i² s_j²/(n − 1).  For two
    samples of N(0, I_d) it is 2d/n + d(d + 1)/(2n).

    Args:
        roots: (R,) s, in squared units of the features.
        traces: Tr Σ₁ and Tr Σ₂.
        counts: n₁ and n₂; what is returned is no estimate where they are not larger than the dimension.
    """
    k = pair_sum(roots, 1) / 2
    (first, second), (n, m) = traces, counts
    return first / n + k / (n - 1) + second / m + k / (m - 1)


def pair_sum(roots: Tensor, power: int) -> float:
    """Σ_ij (1 + δ_ij) (s_i s_j/(s_i + s_j))^power, in blocks that stay in the processor's cache.

    Args:
        roots: (R,) s, at least 0.
        power: 1 or 2.
    """
    s = roots[roots > 0]
    pairs = (part[:, None] * (s / (part[:, None] + s)) for part in s.split(64))
    return sum(float((block**power).sum()) for block in pairs) + float(((s / 2) ** power).sum())


def product_roots(first: Tensor, second: Tensor, rank: int) -> tuple[Tensor, float]:
    """√ of the eigenvalues of Σ₁ Σ₂ that are not 0, and an estimate of the rounding in their sum.

    Fast: Σ₁ = L Lᵀ (Cholesky) and the eigenvalues of Lᵀ Σ₂ L, off by about ε λ_max, of which the square root
    makes √ε √λ_max where the true one is about 0.  Where so many are so small that a Fréchet distance would
    show it, the roots are the singular values of F₁ᵀ F₂ instead: off by ε s_max only, in several times the
    time.

    Args:
        first: (d, d) covariance.
        second: (d, d) covariance.
        rank: neither has more eigenvalues that are not 0; what is computed for the others is rounding.

    Returns:
        (at most d,) in squared units of the features; and a number in the same.
    """
    dim = len(first)
    scales = [float(each.diagonal().mean()) if dim else 0.0 for each in (first, second)]
    if min(scales) <= 0:  # one side is constant
        return first.new_zeros(0), 0.0
    unit = math.sqrt(scales[0]) * math.sqrt(scales[1])  # of what is returned
    first, second = first / scales[0], second / scales[1]  # products of large numbers would overflow
    allowed = TOLERANCE * dim * (scales[0] / unit + scales[1] / unit)
    fast = _roots_by_cholesky(first, second, min(rank, dim))
    if fast is not None and fast[1] <= allowed:
        return fast[0] * unit, fast[1] * unit
    roots = torch.linalg.svdvals(factor_of(first).T @ factor_of(second))
    return roots * unit, float(roots.sum()) * EPS * dim * unit


def _roots_by_cholesky(first: Tensor, second: Tensor, rank: int) -> tuple[Tensor, float] | None:
    """The `rank` largest √eig(Σ₁ Σ₂) and the rounding in their sum; None where Cholesky's method fails."""
    lower, failed = torch.linalg.cholesky_ex(first)
    shift = 0.0
    if failed:
        first, second = second, first
        lower, failed = torch.linalg.cholesky_ex(first)
    if failed:  # both singular: a shift of the size of their rounding, which the estimate takes into account
        shift = 2 * len(first) * EPS
        lower, failed = torch.linalg.cholesky_ex(first + shift * torch.eye(len(first)).to(first))
    if failed:
        return None
    values = torch.linalg.eigvalsh(congruence(lower, second), UPLO="U")
    off = 8 * EPS * max(0.0, float(values[-1])) + shift * float(second.diagonal().max())
    kept = values[len(values) - rank :].clamp(min=0)  # negative ones are 0 and rounding
    error = ((kept + off).sqrt() - (kept - off).clamp(min=0).sqrt()).sum() / 2
    return kept.sqrt(), float(error)


def congruence(lower: Tensor, symmetric: Tensor) -> Tensor:
    """Upper triangle of Lᵀ S L, in blocks that leave out the zeros of L and half of the result; (d, d).

    A third of the operations of two products of matrices.

    Args:
        lower: (d, d) lower triangular L.
        symmetric: (d, d) S.
    """
    half, result = (
        torch.zeros_like(symmetric),
        torch.zeros_like(symmetric),
    )  # upper triangles of Lᵀ S and Lᵀ S L
    for low in range(0, len(lower), BLOCK):
        part = slice(low, low + BLOCK)
        torch.mm(lower[low:, part].T, symmetric[low:, low:], out=half[part, low:])
    for low in range(0, len(lower), BLOCK):
        part = slice(low, low + BLOCK)
        torch.mm(half[: low + BLOCK, low:], lower[low:, part], out=result[: low + BLOCK, part])
    return result


def factor_of(covariance: Tensor) -> Tensor:
    """F (d, r) with F Fᵀ = Σ, r the number of eigenvalues that are more than rounding."""
    smallest = EPS * len(covariance)
    result, failed = torch.linalg.cholesky_ex(covariance)
    # L_ii²/Σ_ii is the part of a feature's variance that those before it don't explain
    if failed or bool((result.diagonal().square() <= smallest * covariance.diagonal()).any()):
        values, vectors = torch.linalg.eigh(covariance)
        kept = values > smallest * values[-1]
        result = vectors[:, kept] * values[kept].sqrt()
    factor: Tensor = result
    return factor
