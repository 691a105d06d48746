"""One measured number, with all that it depends on."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from ..data.dataset import Array

Z = 1.959963984540054  # of a normal distribution 95 % lie within so many standard deviations
VERSION = 1  # of how things are measured: raised where the same words would give another number


@dataclass(frozen=True)
class Evaluation:
    """One number and how it was measured.

    Args:
        name: metric and sample count, as in `parzen10k`.
        value: the number.
        standard_error: of the value over what `protocol` names.
        unit: of the value.
        protocol: sample count, split, and choices, in words: the same for whatever is measured that way.
        reference: what real or perfect samples score under the same protocol, in words; None if not measured.
        also: what else was found along the way, in words.
        warning: one sentence on what the number can't say.
        details: whatever else was measured along the way.
        n: samples measured.
        interval: of 95 %, over what `protocol` names; None if not known.
        floor: where lower is better: what real examples score in the samples' place, at the same n.
        ceiling: where higher is better: the same.
        setting: all that must agree before two numbers may stand side by side, see `Subject.setting`.
    """

    name: str
    value: float
    standard_error: float | None
    unit: str
    protocol: str
    reference: str | None = None
    also: str = ""
    warning: str = ""
    details: dict[str, Any] = field(default_factory=dict)
    n: int = 0
    interval: tuple[float, float] | None = None
    floor: float | None = None
    ceiling: float | None = None
    setting: dict[str, Any] = field(default_factory=dict)

    def record(self) -> dict[str, Any]:
        """As JSON can hold it."""
        return asdict(self)


def count_name(count: int) -> str:
    """10000 -> 10k, 2500 -> 2500."""
    return f"{count // 1000}k" if count % 1000 == 0 else str(count)


def unit_interval(x: Array, value_range: tuple[float, float] | None) -> Array:
    """float32 in [0, 1]: uint8 images / 255, samples and float images by `value_range`, clipped."""
    if x.dtype == np.uint8:
        return x.astype(np.float32) / 255
    low, high = value_range or (0.0, 1.0)
    return np.clip((x - low) / (high - low), 0, 1).astype(np.float32)


def normal_interval(value: float, standard_error: float) -> tuple[float, float]:
    """Of 95 %, where the value is a mean of many."""
    return value - Z * standard_error, value + Z * standard_error
