"""Modes that a classifier tells apart: how many of them samples reach, and how evenly (stacked MNIST)."""

from __future__ import annotations

import functools
import math
from statistics import NormalDist
from typing import NamedTuple

import torch
from torch import Tensor


class ClassModes(NamedTuple):
    """What the classes of N samples say about a generator whose data has K modes.

    Args:
        captured: modes with at least one sample.
        total: K.
        samples: N.
        reverse_kl: KL(samples over modes ‖ uniform), nats, plug-in: the number of the literature.
        corrected: the same without the bias that counting N samples gives it; can be a little below 0.
        interval: of KL(generator over modes ‖ uniform), about `corrected`.
        floor: what N samples of the data itself would score as `reverse_kl`, on average.
        ceiling: modes that N samples of the data itself would capture, on average.
    """

    captured: int
    total: int
    samples: int
    reverse_kl: float
    corrected: float
    interval: tuple[float, float]
    floor: float
    ceiling: float


def class_modes(
    labels: Tensor, classes: int, *, prior: Tensor | None = None, alpha: float = 0.05
) -> ClassModes:
    """Modes captured and reverse KL: VEEGAN (Srivastava et al. 2017), PacGAN (Lin et al. 2018).

    The plug-in value is too high by about (K₊ − 1)/2N (Miller 1955), K₊ the modes that a generator reaches
    at all: 999/2N for a perfect one.  `corrected` has Grassberger's (2003) estimate of the entropy in its
    place, right with 3 samples per mode already.  The interval is the normal one: simulated with 1,000 modes,
    one of 95 % holds the truth in 92 to 97 % at 26,000 samples and in 90 to 99 % at 10,000; below, in as few
    as 80 % where the frequencies differ by orders of magnitude.

    Args:
        labels: (N,) integers 0 … K − 1, the mode of each sample; `stacked` makes them from several classes.
        classes: K.
        prior: (K,) frequencies of the modes in the data, in any unit; None for equal ones.
        alpha: probability that the interval misses.

    Raises:
        ValueError: no samples, a label outside 0 … K − 1, or a prior that is none.
    """
    labels = labels.flatten()
    if not len(labels):
        raise ValueError("no samples, no modes; give at least one")
    if int(labels.min()) < 0 or int(labels.max()) >= classes:
        raise ValueError(
            f"labels from {int(labels.min())} to {int(labels.max())} do not fit {classes} modes;"
            " count the modes from 0"
        )
    counts, n = torch.bincount(labels.cpu().long(), minlength=classes).double(), len(labels)
    frequencies, captured = counts / n, int((counts > 0).sum())
    plug_in = divergence_from_uniform(frequencies)
    corrected = math.log(classes / n) + float(_terms(counts).sum()) / n
    half = NormalDist().inv_cdf(1 - alpha / 2) * math.sqrt(_variance(counts, n))
    interval = (max(0.0, corrected - half), max(0.0, min(math.log(classes), corrected + half)))
    data = _normalized(prior, classes)
    floor = expected_plug_in(data, n)
    ceiling = float(-torch.expm1(n * torch.log1p(-data)).sum())
    return ClassModes(captured, classes, n, plug_in, corrected, interval, floor, ceiling)


def stacked(parts: Tensor, classes: int) -> Tensor:
    """One label for several, (N,): with 3 digits of 10 classes the number that they write, red first.

    Args:
        parts: (N, P) integers 0 … classes − 1.
        classes: of each part; there are classes^P modes.
    """
    powers = classes ** torch.arange(parts.shape[1] - 1, -1, -1, device=parts.device)
    return (parts.long() * powers).sum(1)


def product_prior(frequencies: Tensor, parts: int = 3) -> Tensor:
    """Frequencies of modes whose parts are drawn independently, (classes^parts,) in the order of `stacked`.

    Args:
        frequencies: (classes,) of one part, in any unit.
        parts: how many.
    """
    one = frequencies.double() / frequencies.double().sum()
    product = one
    for _ in range(parts - 1):
        product = torch.outer(product, one).flatten()
    return product


def divergence_from_uniform(frequencies: Tensor) -> float:
    """Σ p log(K p), nats.

    Args:
        frequencies: (K,) float64 with sum 1.
    """
    return math.log(len(frequencies)) + float(torch.special.xlogy(frequencies, frequencies).sum())


def expected_plug_in(frequencies: Tensor, n: int) -> float:
    """Mean of the plug-in KL of n samples from these frequencies, nats, exactly: each count is binomial.

    Args:
        frequencies: (K,) float64 with sum 1, on the CPU.
        n: samples.
    """
    p, times = frequencies.unique(return_counts=True)
    total = 0.0
    for probability, count in zip(p.tolist(), times.tolist(), strict=True):
        reach = 12 * math.sqrt(n * probability) + 30
        low, high = max(1, int(n * probability - reach)), min(n, int(n * probability + reach))
        k = torch.arange(low, high + 1, dtype=torch.float64)
        choose = math.lgamma(n + 1) - torch.lgamma(k + 1) - torch.lgamma(n - k + 1)
        log_pmf = choose + torch.special.xlogy(k, torch.tensor(probability, dtype=torch.float64))
        log_pmf += torch.special.xlog1py(n - k, torch.tensor(-probability, dtype=torch.float64))
        total += count * float((log_pmf.exp() * (k / n) * (k / n).log()).sum())
    return math.log(len(frequencies)) + total


def _terms(counts: Tensor) -> Tensor:
    """c G(c), whose mean over a Poisson c is nearly λ log λ; Grassberger (2003).

    G(c) = ψ(c) + ½ (−1)^c (ψ((c + 1)/2) − ψ(c/2)).

    Args:
        counts: float64, integers of at least 0.
    """
    c = counts.clamp_min(1)  # 0 log 0
    sign = 1 - 2 * (c % 2)
    return counts * (c.digamma() + sign / 2 * (((c + 1) / 2).digamma() - (c / 2).digamma()))


def _variance(counts: Tensor, n: int) -> float:
    """Variance of the corrected KL: Var(log p)/N (delta method), and what is left where that is 0.

    With equal frequencies nothing is left in first order; then each count adds the part of Var c G(c) that is
    not linear in c, ½ for large counts (2N KL is χ² with K − 1 degrees of freedom).  Var(log p) of counted
    frequencies is too large by their own noise, (K₊ − 1)/N.
    """
    seen = counts[counts > 0]
    p = seen / n
    mean = float((p * p.log()).sum())
    spread = float((p * (p.log() - mean).square()).sum())
    rest = sum(
        _curvature(float(c)) * int(times) for c, times in zip(*seen.unique(return_counts=True), strict=True)
    )
    return max(0.0, spread - (len(seen) - 1) / n) / n + rest / n**2


@functools.lru_cache(maxsize=2_048)
def _curvature(rate: float) -> float:
    """Var h − Cov(h, c)²/Var c for h = c G(c) and a Poisson count c."""
    if rate > 1_000:
        return 0.5
    c = torch.arange(int(rate + 12 * math.sqrt(rate) + 30), dtype=torch.float64)
    pmf = (c * math.log(rate) - rate - torch.lgamma(c + 1)).exp()
    h = _terms(c)
    apart = h - (pmf * h).sum()
    return float((pmf * apart.square()).sum() - (pmf * apart * (c - rate)).sum().square() / rate)


def _normalized(prior: Tensor | None, classes: int) -> Tensor:
    """Frequencies with sum 1."""
    if prior is None:
        return torch.full((classes,), 1 / classes, dtype=torch.float64)
    data = prior.detach().cpu().double()
    if data.shape != (classes,) or not bool((data >= 0).all()) or not 0 < float(data.sum()) < math.inf:
        raise ValueError(
            f"a prior of shape {tuple(prior.shape)} is not one of {classes} modes;"
            " give frequencies, none below 0"
        )
    return data / data.sum()
