"""Inception score, of Inception's logits; of another classifier's the same number has another name."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

NORMAL_95 = 1.959964
BLOCK = 8192  # examples in float64 at once: 66 MB of 1,008 classes


class InceptionScore(NamedTuple):
    """An Inception score, from 1 to the number of classes.

    Args:
        value: mean over the splits.
        deviation: standard deviation over the splits (divisor: their number), as it is mostly reported with;
            it is how much one split varies, not how well `value` is known.
        standard_error: of `value`, over other draws of as many examples.
        interval: of 95 %; symmetric in log score.
        splits: how many; scores of smaller splits are lower.
        classes: K, the largest score there is.
        examples: scored.
    """

    value: float
    deviation: float
    standard_error: float
    interval: tuple[float, float]
    splits: int
    classes: int
    examples: int


def inception_score(logits: Tensor, *, splits: int = 10) -> InceptionScore:
    """exp(E_x KL(p(y|x) ‖ p(y))), mean over splits in the order given; Salimans et al. (2016), section 4.

    E_x KL is the mutual information of example and class.  In first order an example changes it by its own
    KL(p(y|x) ‖ p(y)) minus the mean, what it does to p(y) included (the entropy of p(y) has the derivative
    −log p(y) − 1), so the standard error of log score is that of a mean of KL.

    Args:
        logits: (N, K), N ≥ splits; examples of one kind next to each other must be shuffled first.
        splits: equal parts (to one example), each with its own p(y).

    Raises:
        ValueError: another shape, fewer examples than splits, or logits that are NaN or +∞.
    """
    if logits.ndim != 2 or logits.shape[1] == 0 or not 1 <= splits <= len(logits):
        raise ValueError(
            f"an Inception score needs logits (N, K) of at least as many examples as splits, not "
            f"{tuple(logits.shape)} and {splits} splits"
        )
    place = (
        torch.device("cpu") if logits.device.type == "mps" else logits.device
    )  # no float64 on Apple's GPUs
    divergences = [_divergences(part.detach(), place) for part in logits.tensor_split(splits)]
    scores = torch.stack([part.mean() for part in divergences]).exp()
    value = float(scores.mean())
    # of the mean log score: the splits are parts of one sample
    error = float(torch.cat(divergences).std(correction=0)) / math.sqrt(len(logits))
    low, high = value * math.exp(-NORMAL_95 * error), value * math.exp(NORMAL_95 * error)
    return InceptionScore(
        value,
        float(scores.std(correction=0)),
        value * error,
        (max(1.0, low), min(float(logits.shape[1]), high)),
        splits,
        logits.shape[1],
        len(logits),
    )


def _divergences(logits: Tensor, place: torch.device) -> Tensor:
    """KL(p(y|x) ‖ p(y)) of each example of one split, (N,) float64 in nats; p(y) is the split's mean."""
    blocks = logits.split(BLOCK)
    marginal = torch.zeros(logits.shape[1], dtype=torch.float64, device=place)
    for block in blocks:
        marginal += block.to(place, torch.float64).softmax(1).sum(0)
    marginal /= len(logits)
    if not marginal.isfinite().all():
        raise ValueError("logits hold values that are NaN or infinite; look at what the classifier gives")
    parts = []
    for block in blocks:
        p = block.to(place, torch.float64).softmax(1)
        # xlogy is 0 where p is, also where p(y) is 0
        parts.append((torch.xlogy(p, p) - torch.xlogy(p, marginal)).sum(1).clamp(min=0))
    return torch.cat(parts)
