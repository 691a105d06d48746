"""A generator's own density, on the line and in the plane: that of its samples with known noise added.

A sampler has no density that could be read off, and may have none at all.  Its output plus noise N(0, h² I)
has one, p_h(x) = E N(x; G(z), h² I), and a mean over n samples estimates it without bias, with a standard
error: the bandwidth h is part of what is stated, not an error of it.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import softplus

from .density import Density, Smoothable
from .distances import Estimate

CHUNK = 50_000  # distances that are held at once: as many as stay in a processor's cache


class SampledDensity(NamedTuple):
    """What samples say of the density of a generator's output plus noise.

    Args:
        value: (A,) float64 density at the places asked for, an unbiased estimate.
        error: (A,) its standard error; where no sample is near, both are 0, and the density is small.
        bandwidth: h, standard deviation of the noise in each direction.
    """

    value: Tensor
    error: Tensor
    bandwidth: float


def default_bandwidth(samples: Tensor) -> float:
    """n^(−1/(d+4)) times the samples' smallest standard deviation per coordinate; Scott (1992), Eq. 6.42.

    That suits data like one Gaussian.  Where there are narrow modes it is too wide to see them: give their
    own standard deviation there.

    Args:
        samples: (n, d).

    Raises:
        ValueError: all samples are alike in some coordinate.
    """
    spread = float(samples.double().std(0).min())
    if not spread > 0:
        raise ValueError(
            "samples that are all alike have no width to choose a bandwidth from; give bandwidth"
        )
    return spread * math.pow(len(samples), -1 / (samples.shape[1] + 4))


def sample_density(samples: Tensor, at: Tensor, *, bandwidth: float | None = None) -> SampledDensity:
    """The density p_h(x) = E N(x; G(z), h² I) at places x, from samples G(z).

    Args:
        samples: (n, d) independent samples, n ≥ 2.
        at: (A, d) places.
        bandwidth: h, in the samples' unit; None for `default_bandwidth`.

    Raises:
        ValueError: fewer than 2 samples, shapes that don't fit, or a bandwidth that is not above 0.
    """
    h = _checked(samples, at, bandwidth)
    n, dimension = samples.shape
    constant = dimension * math.log(h * math.sqrt(2 * math.pi))
    means, squares = [], []
    for places in at.double().split(max(1, CHUNK // n)):
        kernels = (-_half_squares(places, samples.double(), h) - constant).exp()  # (a, n)
        means.append(kernels.mean(1))
        squares.append(kernels.var(1))
    return SampledDensity(torch.cat(means), (torch.cat(squares) / n).sqrt(), h)


def jsd_of_samples(
    samples: Tensor,
    density: Smoothable,
    *,
    bandwidth: float | None = None,
    generator: torch.Generator | None = None,
) -> Estimate:
    """JSD between a density and a sampler, both with noise N(0, h² I) added, between two bounds.

    Noise can't tell the two apart better (data processing), so this is at most the JSD without noise.
    The lower bound is what the discriminator log p_h − log q̂_h of one half of the samples scores on the
    other half and on fresh data: any D scores at most JSD (2014, Theorem 1).  The upper bound is the JSD to
    q̂_h of all samples, which is too large in the mean, since JSD is convex.  The value is midway, its error
    half of what lies between plus the standard error of the draws.

    Args:
        samples: (n, d) independent samples of the generator, n ≥ 4; the cost goes with n².
        density: of the data; Points too, for with noise they have one.
        bandwidth: h; None for `default_bandwidth`.
        generator: for the draws from the density and of the noise; None for seed 0.

    Raises:
        ValueError: too few samples, shapes that don't fit, or a bandwidth not above 0.
    """
    if len(samples) < 4:
        raise ValueError(f"{len(samples)} samples can't be split in halves to measure; give at least 4")
    random = generator or torch.Generator().manual_seed(0)
    real = density.sample(len(samples), random).double()
    h = _checked(samples, real, bandwidth)
    fake = samples.double()[torch.randperm(len(samples), generator=random)]
    data, noisy = (x + h * torch.randn(x.shape, dtype=torch.float64, generator=random) for x in (real, fake))
    truth, (first, second) = density.smoothed(h), fake.chunk(2)
    halves = list(zip(data.chunk(2), noisy.chunk(2), strict=True))
    low = (_score(truth, second, *halves[0], h)[0] + _score(truth, first, *halves[1], h)[0]) / 2
    high, variance = _score(truth, fake, data, noisy, h)
    ends = sorted(max(0.0, end) for end in (low, high))
    return Estimate(sum(ends) / 2, (ends[1] - ends[0]) / 2 + math.sqrt(variance))


def _score(truth: Density, known: Tensor, real: Tensor, fake: Tensor, h: float) -> tuple[float, float]:
    """What D = truth / (truth + the density of noisy `known`) scores as JSD, and its variance."""
    odds = [truth.log_density(x) - _log_kernels(x, known, h) for x in (real, fake)]
    gains = math.log(2) - softplus(-odds[0]), math.log(2) - softplus(odds[1])
    variance = sum(float(gain.var()) / len(gain) for gain in gains)
    return sum(float(gain.mean()) for gain in gains) / 2, variance / 4


def _log_kernels(x: Tensor, known: Tensor, h: float) -> Tensor:
    """log of the mean of N(x; known, h² I): x (A, d), known (n, d) to (A,)."""
    constant = math.log(len(known)) + x.shape[1] * math.log(h * math.sqrt(2 * math.pi))
    parts = x.split(max(1, CHUNK // len(known)))
    return torch.cat([(-_half_squares(part, known, h)).logsumexp(1) for part in parts]) - constant


def _half_squares(x: Tensor, known: Tensor, h: float) -> Tensor:
    """|x − known|² / 2h² of all pairs, (A, n); by differences, which don't cancel."""
    unit = math.sqrt(2) * h
    result = torch.zeros(len(x), len(known), dtype=torch.float64)
    for coordinate in range(x.shape[1]):
        result += (x[:, coordinate, None] / unit - known[:, coordinate] / unit).square()
    return result


def _checked(samples: Tensor, at: Tensor, bandwidth: float | None) -> float:
    """The bandwidth, once all that was given makes sense."""
    if samples.ndim != 2 or at.ndim != 2 or samples.shape[1] != at.shape[1] or len(samples) < 2:
        shapes = f"{tuple(samples.shape)} and {tuple(at.shape)}"
        raise ValueError(f"samples and places of shapes {shapes}; give (n, d) with n ≥ 2, and (A, d)")
    h = default_bandwidth(samples) if bandwidth is None else bandwidth
    if not 0 < h < math.inf:
        raise ValueError(f"bandwidth={h} is no width; give a number above 0")
    return h
