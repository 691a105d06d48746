"""How the samples of fixed latents move from report to report: how far, and whether they come back."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import torch
from torch import Tensor

WINDOW = 8  # reports over which a slow oscillation is looked for
PROJECTED = 64  # numbers that are kept of each sample


def projection(values: int, *, seed: int) -> Tensor | None:
    """(values, PROJECTED) that keeps lengths on average (Johnson and Lindenstrauss 1984); None if not needed.

    Args:
        values: of one sample.
        seed: of the directions.
    """
    if values <= PROJECTED:
        return None
    random = torch.Generator().manual_seed(seed)
    return torch.randn(values, PROJECTED, generator=random) / math.sqrt(PROJECTED)


def radius(x: Tensor) -> float:
    """Root mean square distance of examples from their mean, the unit of all moves.

    Args:
        x: (N, ...).
    """
    flat = x.flatten(1).double()
    return float((flat - flat.mean(0)).square().sum(1).mean().sqrt())


def drift(places: Sequence[Tensor], spread: float) -> float:
    """Root mean square move since the last report, in units of the data's spread.

    Args:
        places: (N, d) samples of the same latents at each report, the oldest first; at least 2.
        spread: `radius` of the data.
    """
    return _move(places[-2], places[-1]) / spread


def coming_back(places: Sequence[Tensor]) -> float | None:
    """1 − |net move| / length of the path: 0 on a straight line, 1 where the samples are back.

    A random walk of n steps has 1 − 1/√n; samples that shake around a fixed place come near 1 too, so this
    says something only together with how far they move.

    Args:
        places: (N, d) at each report, the oldest first; at least 3.  None where nothing has moved.
    """
    path = sum(_move(before, after) for before, after in itertools.pairwise(places))
    return 1 - _move(places[0], places[-1]) / path if path > 0 else None


def _move(before: Tensor, after: Tensor) -> float:
    """Root mean square over the samples of how far each moved."""
    return float((after - before).square().sum(1).mean().sqrt())
