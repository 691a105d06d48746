"""Losses of pairs: what the best relativistic discriminator can do."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn.functional import softplus

HIGHEST = 700.0  # log odds beyond are as good as infinite
BINS = 2_048


def pair_loss(real: Tensor, real_mass: Tensor, fake: Tensor, fake_mass: Tensor) -> tuple[float, float, float]:
    """E log(1 + exp(−(l(x) − l(y)))) over x ~ p, y ~ q: the least loss of a relativistic discriminator.

    The best logit is l = log p/q plus any constant: of a pair in unknown order the odds are
    p(x) q(y) / (q(x) p(y)).  So the loss is log 2 − JSD(p⊗q, q⊗p).  Log odds are gathered in bins of
    equal width in asinh(l), each at its mean: the error goes with the width squared.

    Args:
        real: (N,) log odds where p has mass.
        real_mass: (N,) of p, summing to 1.
        fake: (M,) log odds where q has mass.
        fake_mass: (M,) of q, summing to 1.

    Returns:
        the loss; by how much half as many bins change it; and its standard error, were the log odds
        those of N and M independent draws of equal mass.
    """
    loss, by_real, by_fake = _binned(real, real_mass, fake, fake_mass, BINS)
    rough, _, _ = _binned(real, real_mass, fake, fake_mass, BINS // 2)
    # Hoeffding's first-order terms of a statistic of two samples.
    return loss, abs(loss - rough), math.sqrt(by_real / len(real) + by_fake / len(fake))


def _binned(
    real: Tensor, real_mass: Tensor, fake: Tensor, fake_mass: Tensor, bins: int
) -> tuple[float, float, float]:
    """The loss, and the variances over x of its mean over y, and over y of its mean over x."""
    low = float(min(_scale(real).min(), _scale(fake).min()))
    high = float(max(_scale(real).max(), _scale(fake).max())) + 1e-9
    a, odds_a = _histogram(real, real_mass, low, high, bins)
    b, odds_b = _histogram(fake, fake_mass, low, high, bins)
    table = softplus(odds_b - odds_a[:, None])  # (A, B)
    of_real, of_fake = table @ b, a @ table
    loss = float(a @ of_real)
    return loss, float(a @ (of_real - loss).square()), float(b @ (of_fake - loss).square())


def _scale(odds: Tensor) -> Tensor:
    return odds.clamp(-HIGHEST, HIGHEST).asinh()


def _histogram(odds: Tensor, mass: Tensor, low: float, high: float, bins: int) -> tuple[Tensor, Tensor]:
    """Mass and mean log odds of the bins that have any mass, summing to 1."""
    index = ((_scale(odds) - low) / (high - low) * bins).long().clamp(0, bins - 1)
    total = torch.bincount(index, weights=mass, minlength=bins)
    mean = torch.bincount(index, weights=mass * odds.clamp(-HIGHEST, HIGHEST), minlength=bins)
    some = total > 0
    return total[some] / total.sum(), mean[some] / total[some]
