"""Mode coverage on mixtures whose modes are known: the protocol of PacGAN (Lin et al. 2018, section 4.1)."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor


class ModeCoverage(NamedTuple):
    """What samples say about the modes of a mixture.

    Args:
        captured: modes that are nearest to at least one high-quality sample.
        total: modes there are.
        high_quality: share of samples within `radius` standard deviations of their nearest mode.
        high_quality_error: standard error of that share.
        reverse_kl: KL(high-quality samples over modes ‖ uniform), nats; infinite where there are none.
        perfect: the share that samples from the mixture itself would score.
    """

    captured: int
    total: int
    high_quality: float
    high_quality_error: float
    reverse_kl: float
    perfect: float


def mode_coverage(samples: Tensor, modes: Tensor, std: float, *, radius: float = 3.0) -> ModeCoverage:
    """Modes captured, share of high-quality samples, and the divergence of their histogram from uniform.

    Args:
        samples: (N, d) generated points.
        modes: (K, d) centres.
        std: standard deviation of each mode in each direction.
        radius: high quality is at most so many standard deviations from the nearest mode, 3 by the protocol.
    """
    distances = torch.cdist(samples.double(), modes.double(), compute_mode="donot_use_mm_for_euclid_dist")
    nearest, mode = distances.min(1)
    good = nearest <= radius * std
    counts = torch.bincount(mode[good], minlength=len(modes)).double()
    share = float(good.double().mean())
    frequencies = counts[counts > 0] / counts.sum()
    kl = float((frequencies * (frequencies * len(modes)).log()).sum()) if len(frequencies) else math.inf
    error = math.sqrt(share * (1 - share) / len(samples))
    # squared distance / std² is chi-squared with d degrees of freedom
    degrees = torch.tensor(modes.shape[1] / 2, dtype=torch.float64)
    perfect = float(torch.special.gammainc(degrees, torch.tensor(radius**2 / 2, dtype=torch.float64)))
    return ModeCoverage(int((counts > 0).sum()), len(modes), share, error, kl, perfect)
