"""How far apart two known densities are, in every sense that a GAN's loss measures, each with its error."""

from __future__ import annotations

import math
from typing import Literal, NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import softplus

from .density import Density
from .pairs import pair_loss
from .quadrature import Panels, quadrature, total
from .transport import wasserstein

Method = Literal["auto", "quadrature", "monte_carlo"]
TERMS = ("p", "q", "jsd", "total_variation", "hellinger", "kl", "reverse_kl", "pearson", "triangular")
LOST = 1e-4  # mass that quadrature may miss before it is no longer believed


class Estimate(NamedTuple):
    """A number and how far off it may be: a bound seen by refining, or one standard error of a mean.

    Args:
        value: the number; infinite where the quantity is, or is beyond what float64 can hold.
        error: in the same unit; 0 where the value is infinite.
    """

    value: float
    error: float


class Divergences(NamedTuple):
    """What lies between p (real) and q (generated), in nats where it is a logarithm.

    Args:
        jsd: Jensen-Shannon divergence, ½ KL(p ‖ m) + ½ KL(q ‖ m) with m = (p + q)/2; from 0 to log 2.
        value: C(G) = −log 4 + 2 JSD, the value of the game for the best D; Goodfellow et al. (2014), Thm. 1.
        kl: KL(p ‖ q).
        reverse_kl: KL(q ‖ p).
        total_variation: ½ ∫ |p − q|, from 0 to 1.
        hellinger: squared Hellinger distance 1 − ∫ √(pq), from 0 to 1.
        pearson: χ²(p ‖ q) = ∫ (p − q)²/q.
        triangular: ∫ (p − q)²/(p + q), from 0 to 2.
        relativistic: JSD between p⊗q and q⊗p, of pairs; from 0 to log 2.
        wasserstein1: E|x − y| under the cheapest transport, on the line by quadrature; otherwise None.
        wasserstein2: the root of E|x − y|², likewise.
        method: "quadrature" or "monte_carlo".
    """

    jsd: Estimate
    value: Estimate
    kl: Estimate
    reverse_kl: Estimate
    total_variation: Estimate
    hellinger: Estimate
    pearson: Estimate
    triangular: Estimate
    relativistic: Estimate
    wasserstein1: Estimate | None
    wasserstein2: Estimate | None
    method: str


def divergences(
    p: Density,
    q: Density,
    *,
    method: Method = "auto",
    evaluations: int = 400_000,
    samples: int = 200_000,
    generator: torch.Generator | None = None,
) -> Divergences:
    """Every divergence between two densities.

    Args:
        p: the data's density.
        q: the generator's.
        method: quadrature, on the line and in the plane; monte_carlo, in any dimension, whose errors are
            standard errors; auto: quadrature where it can be had and finds all of the mass.
        evaluations: of the densities, at most, by quadrature.
        samples: drawn in all, half from each density, by monte_carlo.
        generator: for the draws; None for seed 0.

    Raises:
        ValueError: the dimensions differ, or quadrature was asked for and can't do it.
    """
    if p.dimension != q.dimension:
        raise ValueError(f"densities of {p.dimension} and {q.dimension} dimensions; give two of the same")
    if method == "quadrature" and p.dimension > 2:
        raise ValueError(f"quadrature ends at 2 dimensions, these have {p.dimension}; use method=monte_carlo")
    if method != "monte_carlo" and p.dimension <= 2:
        panels = quadrature(p, q, _terms, evaluations=evaluations)
        mass = panels.integrals.sum(0)[:2]
        lost = float((mass - 1).abs().sum())
        if lost <= LOST:
            return _by_quadrature(p, q, panels, lost)
        if method == "quadrature":
            raise ValueError(
                f"quadrature finds {mass.tolist()} of the masses, which are 1, because the densities are too "
                f"narrow for {evaluations} evaluations; give more, or use method=monte_carlo"
            )
    return _by_sampling(p, q, samples, generator or torch.Generator().manual_seed(0))


def log_ratio(log_p: Tensor, log_q: Tensor) -> Tensor:
    """log p − log q (N,), and 0 where both are −∞."""
    return torch.where(log_p == log_q, 0.0, log_p - log_q)


def _times(mass: Tensor, value: Tensor) -> Tensor:
    """mass · value, and 0 where the mass is, whatever the value."""
    return torch.where(mass == 0, 0.0, mass * value)


def _terms(log_p: Tensor, log_q: Tensor, log_weight: Tensor) -> Tensor:
    """The integrands of TERMS times a weight, (N, F); those of the two KLs as p l − p + q, which is ≥ 0."""
    ratio = log_ratio(log_p, log_q)
    p, q = (log_p + log_weight).exp(), (log_q + log_weight).exp()
    roots = (log_p + log_weight).div(2).exp() - (log_q + log_weight).div(2).exp()
    kl, reverse = (_times(a, s * ratio) - a + b for a, b, s in ((p, q, 1), (q, p, -1)))
    # (p − q)²/q: from the ratio where p is near q, from the logarithms where the ratio would overflow.
    far = (2 * log_p - log_q + log_weight).exp() - 2 * p + q
    pearson = torch.where(ratio > 30, far, _times(q, ratio.clamp(max=30).expm1().square()))
    columns = {
        "p": p,
        "q": q,
        "jsd": (p + q) * (math.log(2) / 2) - (_times(p, softplus(-ratio)) + _times(q, softplus(ratio))) / 2,
        "total_variation": (p - q).abs() / 2,
        "hellinger": roots.square() / 2,
        # A point that one density can reach and the other can't counts, however small the density there.
        "kl": torch.where(ratio == math.inf, math.inf, kl),
        "reverse_kl": torch.where(ratio == -math.inf, math.inf, reverse),
        "pearson": torch.where(ratio == math.inf, math.inf, pearson),
        "triangular": (p + q) * (ratio / 2).tanh().square(),
    }
    return torch.stack([columns[name] for name in TERMS], 1)


def _by_quadrature(p: Density, q: Density, panels: Panels, lost: float) -> Divergences:
    """The divergences, with the mass that was lost added to every error."""
    values, errors = (part.tolist() for part in total(panels))
    errors = [error + lost if value < math.inf else 0.0 for value, error in zip(values, errors, strict=True)]
    ratio = log_ratio(panels.log_p.flatten(), panels.log_q.flatten())
    masses = ((panels.weight * log.exp()).flatten() for log in (panels.log_p, panels.log_q))
    loss, rough, _ = pair_loss(ratio, next(masses), ratio, next(masses))
    moved: list[Estimate | None] = [None, None]
    if p.dimension == 1:
        edges = torch.cat([panels.low[:, 0], panels.high[:, 0]]).unique()
        moved = [Estimate(value, error + lost * value) for value, error in wasserstein(p, q, edges)]
    pairs = Estimate(math.log(2) - loss, rough + lost)
    return _gathered(values, errors, pairs, moved, "quadrature")


def _by_sampling(p: Density, q: Density, samples: int, generator: torch.Generator) -> Divergences:
    """Means over samples of m = (p + q)/2, half from each; most integrands over m are bounded."""
    count = samples // 2
    logs = []
    for density in (p, q):
        x = density.sample(count, generator)
        logs.append((p.log_density(x), q.log_density(x)))
    means, variances = [], []
    for log_p, log_q in logs:
        weight = math.log(2) - torch.logaddexp(log_p, log_q)
        values = _terms(log_p, log_q, weight)
        means.append(values.mean(0))
        variances.append(values.var(0) / count)
    value = torch.stack(means).mean(0)
    error = torch.where(value.isfinite(), torch.stack(variances).sum(0).sqrt() / 2, 0.0)
    share = torch.full((count,), 1 / count, dtype=torch.float64)
    loss, rough, spread = pair_loss(log_ratio(*logs[0]), share, log_ratio(*logs[1]), share)
    pairs = Estimate(math.log(2) - loss, rough + spread)
    return _gathered(value.tolist(), error.tolist(), pairs, [None, None], "monte_carlo")


def _gathered(
    values: list[float], errors: list[float], pairs: Estimate, moved: list[Estimate | None], method: str
) -> Divergences:
    """From the integrals of TERMS."""
    known = {name: Estimate(*found) for name, *found in zip(TERMS, values, errors, strict=True)}
    jsd = known["jsd"]
    return Divergences(
        jsd=jsd,
        value=Estimate(2 * jsd.value - math.log(4), 2 * jsd.error),
        kl=known["kl"],
        reverse_kl=known["reverse_kl"],
        total_variation=known["total_variation"],
        hellinger=known["hellinger"],
        pearson=known["pearson"],
        triangular=known["triangular"],
        relativistic=pairs,
        wasserstein1=moved[0],
        wasserstein2=moved[1],
        method=method,
    )
