"""Memorization-informed Fréchet distance: one that copies of the training data make worse, not better."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

BLOCK = 2_048  # examples on each side of a matrix of cosines
THRESHOLD = 0.1
_LEAST = 1e-14  # of a distance that divides


class MemorizationPenalty(NamedTuple):
    """What a Fréchet distance is multiplied with.

    Args:
        factor: 1/(distance + 1e-14) where the distance is below the threshold, else 1.
        distance: mean over fakes of the least cosine distance to a training example, 0 … 1.
        threshold: below which a distance counts as memorization; it depends on the extractor.
    """

    factor: float
    distance: float
    threshold: float


def memorization_distance(training: Tensor, fake: Tensor) -> float:
    """Mean over fakes of min_j (1 − |cos(fake_i, training_j)|); Bai et al. (2021), Eqs. 1, 2.

    torchmetrics 1.9 takes the mean over training examples of the distance to the nearest fake instead: its
    value is this one with the sides exchanged.

    Args:
        training: (N, F) features of the training data, not of held-out data: copies are of the former.
        fake: (M, F) of the same extractor; rows of zeros have no direction and are left out on both sides.

    Raises:
        ValueError: no rows are left, the sizes differ, or a value is not finite.
    """
    references, samples = (_rows(x, name) for x, name in ((training, "training"), (fake, "fake")))
    if references.shape[1] != samples.shape[1]:
        raise ValueError(
            f"training examples have {references.shape[1]} features and fakes {samples.shape[1]};"
            " compute both with one extractor"
        )
    total = 0.0
    for part in samples.split(BLOCK):
        left = _directions(part)
        best = torch.zeros(len(part), dtype=torch.float64, device=left.device)
        for block in references.split(BLOCK):
            cosines = (left @ _directions(block).T).abs_()
            best = torch.maximum(best, cosines.amax(1))
        total += float((1 - best).clamp_min(0).sum())  # rounding takes a copy to 1 + 1e-16
    return total / len(samples)


def memorization_penalty(training: Tensor, fake: Tensor, threshold: float = THRESHOLD) -> MemorizationPenalty:
    """1/(m + ε) where the memorization distance m is below the threshold, else 1; Bai et al. (2021), Eq. 3.

    Times a Fréchet distance it is their MiFID, and may be called so with Inception features only.

    Args:
        training: (N, F) features.
        fake: (M, F) features.
        threshold: τ, .1 for Inception; for another extractor take one below what held-out data score.
    """
    distance = memorization_distance(training, fake)
    factor = 1 / (distance + _LEAST) if distance < threshold else 1.0
    return MemorizationPenalty(factor, distance, threshold)


def memorization_informed(frechet: float, penalty: MemorizationPenalty) -> float:
    """The Fréchet distance times the penalty; 0 where the distance is 0 up to rounding (at most 1e-8).

    Args:
        frechet: at least 0.
        penalty: of the same features.
    """
    return frechet * penalty.factor if frechet > 1e-8 else 0.0


def _rows(x: Tensor, name: str) -> Tensor:
    """(N, F) without rows of zeros."""
    flat = x.detach().flatten(1).to("cpu" if x.device.type == "mps" else x.device)
    if not bool(flat.isfinite().all()):
        raise ValueError(f"{name} features are not finite; a cosine with them says nothing")
    kept = flat[(flat != 0).any(1)]
    if not len(kept):
        raise ValueError(f"no {name} example has features other than 0; their cosines are not defined")
    return kept


def _directions(x: Tensor) -> Tensor:
    """Rows of length 1, float64: in float32 a copy would be 1e-7 from itself, its factor 1e7, not 1e14."""
    wide = x.double()
    wide = wide / wide.abs().amax(1, keepdim=True)  # so that no square under- or overflows
    return wide / wide.square().sum(1, keepdim=True).sqrt()
