"""Features of real examples on the disk: made once for all evaluations on the same data."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import torch

from ..features import Features


def stored(facts: Mapping[str, Any], count: int, blocks: Iterator[Features], notes: list[str]) -> Features:
    """Features of all blocks."""
    parts = list(blocks)
    logits = [part.logits for part in parts if part.logits is not None]
    return Features(torch.cat([part.features for part in parts]), torch.cat(logits) if logits else None)
