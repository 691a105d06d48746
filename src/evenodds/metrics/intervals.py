"""Confidence intervals that hold at every number of examples: for a bounded mean, and for a share."""

from __future__ import annotations

import functools
import math
from typing import cast

import torch
from torch import Tensor

HALVINGS = 36  # of an interval of length 1
MOST_LOST = 0.9  # of a gambler's capital on one value; 1/2 would keep him from values that hardly vary


def mean_interval(x: Tensor, alpha: float) -> tuple[float, float]:
    """[low, high] that holds E x with probability 1 − α at least; betting, Waudby-Smith and Ramdas (2024).

    Against each m a gambler stakes λ_i on x_i ≠ m; if m were the mean, the capital Π(1 + λ_i (x_i − m)) would
    be a martingale and reach 2/α with probability α/2 at most (Ville 1939).  The stakes are those of the
    paper's section 4.1 for a fixed number of values: λ_i = √(2 log(2/α)/(n σ̂²_{i−1})), at most 0.9/m.

    Args:
        x: (n,) float64 in [0, 1], independent, of one mean.
        alpha: probability that the mean lies outside.
    """
    low = _betting_low(x, alpha / 2)
    return low, max(low, 1 - _betting_low(1 - x, alpha / 2))


def _betting_low(x: Tensor, alpha: float) -> float:
    """The largest m that a gambler on "the mean is above m" has beaten, multiplying his capital by 1/α."""
    n = len(x)
    counts = torch.arange(1, n + 1, dtype=torch.float64)
    # each stake from the values before it only, starting from the guess 1/2 with variance 1/4
    means = (0.5 + x.cumsum(0)) / (counts + 1)
    variances = (0.25 + (x - means).square().cumsum(0)) / (counts + 1)
    before = torch.cat([x.new_full((1,), 0.25), variances[:-1]])
    stakes = (2 * math.log(1 / alpha) / (n * before)).sqrt()
    target = math.log(1 / alpha)
    low, high = 0.0, 1.0
    for _ in range(HALVINGS):
        m = (low + high) / 2
        capital = torch.log1p(stakes.clamp(max=MOST_LOST / m) * (x - m)).cumsum(0)
        low, high = (m, high) if float(capital.max()) >= target else (low, m)
    return low


@functools.lru_cache(maxsize=4096)
def binomial_interval(successes: int, trials: int, alpha: float) -> tuple[float, float]:
    """[low, high] that holds a share with probability 1 − α at least; Clopper and Pearson (1934).

    It holds for the mean share, too, where the trials are independent but not alike (Hoeffding 1956,
    Theorem 5).

    Args:
        successes: among the trials.
        trials: independent ones.
        alpha: probability that the share lies outside.
    """
    low = 0.0 if successes == 0 else _binomial_low(successes, trials, alpha / 2)
    high = 1.0 if successes == trials else 1 - _binomial_low(trials - successes, trials, alpha / 2)
    return low, high


def _binomial_low(successes: int, trials: int, alpha: float) -> float:
    """The share p at which P(at least so many successes) = α."""
    low, high = 0.0, successes / trials
    for _ in range(HALVINGS):
        p = (low + high) / 2
        low, high = (low, p) if binomial_tail(successes, trials, p) > alpha else (p, high)
    return low


def binomial_tail(successes: int, trials: int, p: float = 0.5) -> float:
    """P(at least so many successes in independent trials of probability p), exactly, to about 1e-10."""
    if successes <= 0 or p >= 1:
        return 1.0
    if p <= 0:
        return 0.0
    k = torch.arange(successes, trials + 1, dtype=torch.float64)
    n = torch.tensor(float(trials), dtype=torch.float64)
    choose = torch.lgamma(n + 1) - torch.lgamma(k + 1) - torch.lgamma(n - k + 1)
    tail = (choose + k * math.log(p) + (n - k) * math.log1p(-p)).logsumexp(0).exp()
    return min(1.0, cast(float, tail.item()))
