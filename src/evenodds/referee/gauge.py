"""The value gauge: which read-out of D fits the loss it was trained by, and the bounds in words."""

from __future__ import annotations

from torch import Tensor

from ..errors import DataError
from ..metrics.bounds import LOG_2, Bounds, bounds, examples_needed, read_out

# The losses whose logits are log odds: their D is trained to be a probability, the paper's D(x).
LOG_ODDS = frozenset({"minimax", "non_saturating"})


def gauge(real: Tensor, fake: Tensor, *, loss: str, level: float = 0.95, certified: bool = False) -> Bounds:
    """What D proves of the distance between generator and data; 2014, Eq. 4 to 6.

    A D that is no probability (Wasserstein, hinge, least squares, relativistic, or a loss of one's own) is
    calibrated on one half of both vectors and measured on the other.

    Args:
        real: (N,) logits or scores of held-out examples, never of those that D was trained on.
        fake: (M,) those of fresh samples.
        loss: name in LOSSES of what D was trained by.
        level: of each interval.
        certified: whether the intervals hold at every N and M; else they are normal approximations.

    Raises:
        DataError: too few examples.
        ValueError: D's logits are no finite numbers.
    """
    halved = loss not in LOG_ODDS
    enough = examples_needed(level=level) if certified else 2
    require_examples(min(len(real), len(fake)), needed=enough * (2 if halved else 1))
    measure = read_out if halved else bounds
    return measure(real, fake, level=level, certified=certified)


def require_examples(count: int, *, needed: int, what: str = "held-out examples") -> None:
    """Refuse where even a perfect discriminator would show nothing.

    Raises:
        DataError: count is below needed.
    """
    if count < needed:
        raise DataError(
            f"{count} {what} are too few for a bound on the divergence; give at least {needed}, "
            "or keep more of the data out of training (validation= and test=)"
        )


def in_words(found: Bounds) -> str:
    """JSD is at least 0.13 of the possible 0.693 nats, TV at least 0.36 of 1 (95 %)."""
    share = f"{100 * found.level:.4g} %"
    return at_least(found.jsd.low, found.total_variation.low) + f" ({share})"


def at_least(jsd: float, total_variation: float) -> str:
    """Both divergences in words.

    Args:
        jsd: its lower bound in nats.
        total_variation: its lower bound.
    """
    return (
        f"JSD is at least {_rounded_down(jsd)} of the possible {LOG_2:.3f} nats, "
        f"TV at least {_rounded_down(total_variation)} of 1"
    )


def _rounded_down(bound: float) -> str:
    """Three decimals, and never more than was proved."""
    return f"{int(bound * 1000) / 1000:.3f}" if bound >= 0.001 else "0"
