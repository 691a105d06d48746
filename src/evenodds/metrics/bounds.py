"""What a discriminator's logits on held-out data prove about the distance of generator and data.

For any discriminator D, V(D, G) = E log D(x) + E log(1 − D(G(z))) ≤ −log 4 + 2 JSD (Goodfellow et al. 2014,
Eq. 4 to 6), so JSD ≥ (V + log 4)/2; and TV ≥ 2 · accuracy − 1 at equal priors.  Both hold only where D was
fixed before it saw the examples that it is measured on.
"""

from __future__ import annotations

import functools
import math
from statistics import NormalDist
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

from .intervals import binomial_interval, mean_interval

LOG_2, LOG_4 = math.log(2), math.log(4)


class Interval(NamedTuple):
    """An estimate, and the ends of its confidence interval."""

    estimate: float
    low: float
    high: float


class Bounds(NamedTuple):
    """What a fixed discriminator shows.

    Of `jsd` and `total_variation`, `estimate` and `low` are lower bounds on the divergence of generator and
    data; `high` is where this discriminator's own bound ends, never an upper bound on the divergence.

    Args:
        value: V(D, G) in nats, at most 0; −log 4 where D sees no difference.
        jsd: (V + log 4)/2 in nats, 0 where that is negative; at most log 2.
        total_variation: 2 · accuracy − 1, 0 where that is negative.
        accuracy: share that D tells right, real and fake in equal numbers.
        real: held-out examples.
        fake: generated samples.
        level: probability with which each interval holds its own truth.
    """

    value: Interval
    jsd: Interval
    total_variation: Interval
    accuracy: Interval
    real: int
    fake: int
    level: float


def bounds(
    real: Tensor, fake: Tensor, *, level: float = 0.95, certified: bool = False, clip: float | None = None
) -> Bounds:
    """V(D, G), JSD ≥ (V + log 4)/2 and TV ≥ 2 · accuracy − 1, each with an interval; 2014, Eq. 4 to 6.

    Args:
        real: (N,) logits of held-out examples, N at least 2.
        fake: (M,) logits of generated samples, M at least 2; more than N make V sharper.
        level: of each two-sided interval; a statement at 1 − α about `low` alone may use level 1 − 2α.
        certified: False for normal approximations; True for intervals that hold at every N and M.  Those
            are about D with its logits clipped, which is another discriminator: any will do for a lower
            bound, and this one's terms are bounded.
        clip: of the logits where certified, chosen without these examples; None for
            1 + log(min(N, M))/2.

    Raises:
        ValueError: the logits are not two such vectors of numbers, or level is not between 0 and 1.
    """
    _check(real, fake, level)
    real, fake = real.detach().double(), fake.detach().double()
    if certified:
        value, accuracy = _certified(real, fake, 1 - level, clip)
    else:
        value, accuracy = _approximate(real, fake, 1 - level)
    jsd = Interval(*(min(max(0.0, (v + LOG_4) / 2), LOG_2) for v in value))
    total_variation = Interval(*(max(0.0, 2 * a - 1) for a in accuracy))
    return Bounds(value, jsd, total_variation, accuracy, len(real), len(fake), level)


def _approximate(real: Tensor, fake: Tensor, alpha: float) -> tuple[Interval, Interval]:
    """V and the accuracy with normal intervals."""
    z = NormalDist().inv_cdf(1 - alpha / 2)
    gains = logsigmoid(real), logsigmoid(-fake)  # log D(x), log(1 − D(G(z)))
    value = float(sum(float(gain.mean()) for gain in gains))
    error = z * math.sqrt(sum(float(gain.var()) / len(gain) for gain in gains))
    shares, variance = 0.0, 0.0
    for right in (real > 0, fake <= 0):
        n, hits = len(right), float(right.sum())
        shares += hits / n / 2
        smoothed = (hits + 1) / (n + 2)  # a share of 0 or 1 is uncertain too
        variance += smoothed * (1 - smoothed) / n / 4
    spread = z * math.sqrt(variance)
    accuracy = Interval(shares, max(0.0, shares - spread), min(1.0, shares + spread))
    return Interval(value, value - error, min(0.0, value + error)), accuracy


def _certified(real: Tensor, fake: Tensor, alpha: float, clip: float | None) -> tuple[Interval, Interval]:
    """V of the clipped D by betting, and the accuracy by Clopper and Pearson."""
    pairs = min(len(real), len(fake))
    clip = clip or 1 + math.log(pairs) / 2
    worst, best = 2 * float(logsigmoid(torch.tensor(-clip).double())), 0.0
    gains = logsigmoid(real.clamp(-clip, clip)), logsigmoid(-fake.clamp(-clip, clip))
    # As many independent terms as the smaller side has examples, each an average over the larger side's.
    terms = sum((_averaged(gain, pairs) for gain in gains), torch.zeros(pairs, dtype=torch.float64))
    low, high = mean_interval((terms - worst) / (best - worst), alpha)
    ends = [worst + (best - worst) * end for end in (low, high)]
    value = Interval(min(max(float(terms.mean()), ends[0]), ends[1]), *ends)
    right = int((real[:pairs] > 0).sum() + (fake[:pairs] <= 0).sum())
    return value, Interval(right / (2 * pairs), *binomial_interval(right, 2 * pairs, alpha))


def _averaged(values: Tensor, parts: int) -> Tensor:
    """Means of `parts` consecutive stretches whose lengths differ by one at most; (parts,)."""
    edges = torch.arange(parts + 1) * len(values) // parts
    sums = torch.cat([values.new_zeros(1), values.cumsum(0)])[edges.to(values.device)].diff()
    return (sums / edges.diff().to(values)).cpu()


@functools.cache
def examples_needed(*, jsd: float = 0.1, level: float = 0.95) -> int:
    """The fewest held-out examples with which a perfect discriminator could prove so large a divergence.

    Args:
        jsd: what the certified bound should reach, nats, below log 2.
        level: of the statement "at least".

    Raises:
        ValueError: no number of examples can prove that.
    """
    if not 0 < jsd < 0.99 * LOG_2:
        raise ValueError(f"jsd={jsd} can't be proved; ask for more than 0 and less than {0.99 * LOG_2:.3f}")

    def proves(n: int) -> bool:
        logits = torch.full((n,), 1e9)
        return bounds(logits, -logits, level=2 * level - 1, certified=True).jsd.low >= jsd

    high = 2
    while not proves(high):
        high *= 2
    low = high // 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if proves(middle) else (middle, high)
    return high


def jsd_of_accuracy(accuracy: float) -> float:
    """JSD ≥ log 2 − h(accuracy), h the entropy of a coin in nats; Fano (1961).

    JSD is the information that x holds about whether it is real, and D's guess holds no more than x.  Of few
    examples that can prove more than V does: a share has a narrow interval.

    Args:
        accuracy: of any discriminator, real and fake in equal numbers; 1/2 or less proves nothing.
    """
    if accuracy <= 0.5:
        return 0.0
    error = 1 - min(accuracy, 1.0)
    entropy = -error * math.log(error) - (1 - error) * math.log1p(-error) if error > 0 else 0.0
    return LOG_2 - entropy


class Calibration(NamedTuple):
    """Log odds of being real by a line through the score; see `calibrate`."""

    slope: float
    offset: float

    def __call__(self, score: Tensor) -> Tensor:
        """(N,) scores to (N,) logits."""
        return self.slope * score + self.offset


def calibrate(real: Tensor, fake: Tensor) -> Calibration:
    """log p(real | s)/p(fake | s) ≈ slope · s + offset at equal priors; logistic regression, Platt (1999).

    Platt's targets, (N + 1)/(N + 2) rather than 1, keep the slope finite where no score is shared.

    Args:
        real: (N,) scores of real examples.
        fake: (M,) scores of generated samples.

    Raises:
        ValueError: the scores are not two vectors of numbers with at least 2 each.
    """
    _check(real, fake, 0.5)
    scores = torch.cat([real, fake]).detach().double().cpu()
    centre, scale = float(scores.mean()), max(float(scores.std()), 1e-30)
    design = torch.stack([(scores - centre) / scale, torch.ones_like(scores)], 1)  # (N + M, 2)
    n, m = len(real), len(fake)
    ones, zeros = torch.ones(n).double(), torch.ones(m).double()
    targets = torch.cat([ones * (n + 1) / (n + 2), zeros / (m + 2)])
    weights = torch.cat([ones / n, zeros / m])
    line = _logistic(design, targets, weights)
    slope = float(line[0]) / scale
    return Calibration(slope, float(line[1]) - slope * centre)


def _logistic(design: Tensor, targets: Tensor, weights: Tensor) -> Tensor:
    """argmin_b Σ_i weights_i · [softplus(x_i · b) − targets_i x_i · b] by damped Newton steps; (d,)."""

    def loss(b: Tensor) -> float:
        logits = design @ b
        return float((weights * (torch.logaddexp(logits, torch.zeros(())) - targets * logits)).sum())

    line = torch.zeros(design.shape[1], dtype=torch.float64)
    identity = 1e-9 * torch.eye(design.shape[1], dtype=torch.float64)
    for _ in range(50):
        share = (design @ line).sigmoid()
        slope = design.T @ (weights * (share - targets))
        curvature = design.T @ ((weights * share * (1 - share))[:, None] * design) + identity
        step = torch.linalg.solve(curvature, slope)
        while loss(line - step) > loss(line) + 1e-15 and float(step.abs().max()) > 1e-9:
            step = step / 2
        line = line - step
        if float(step.abs().max()) < 1e-9:
            break
    return line


def read_out(real: Tensor, fake: Tensor, *, level: float = 0.95, certified: bool = False) -> Bounds:
    """`bounds` of a score that is no log odds: calibrated on every other example, measured on the rest.

    For the critics of Wasserstein, hinge, relativistic and least-squares games.

    Args:
        real: (N,) scores of held-out examples, N at least 4.
        fake: (M,) scores of generated samples, M at least 4.
        level: as in `bounds`.
        certified: as in `bounds`.

    Raises:
        ValueError: as `bounds`, of the halves.
    """
    line = calibrate(real[::2], fake[::2])
    return bounds(line(real[1::2]), line(fake[1::2]), level=level, certified=certified)


def _check(real: Tensor, fake: Tensor, level: float) -> None:
    for name, logits in (("real", real), ("fake", fake)):
        if logits.ndim != 1 or len(logits) < 2:
            shape = tuple(logits.shape)
            raise ValueError(f"{name} logits have shape {shape}; give a vector of at least 2 numbers")
        if not bool(logits.isfinite().all()):
            raise ValueError(f"{name} logits hold values that are no finite numbers; measure another network")
    if not 0 < level < 1:
        raise ValueError(f"level={level} is no probability; give a number between 0 and 1, such as 0.95")
