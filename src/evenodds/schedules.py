"""Schedules: values that change while training, as functions of the training examples seen.

They have no state, so that a resumed run needs nothing to go on with them.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

Schedule = Callable[[int], float]  # training examples seen so far -> value


@dataclass(frozen=True, kw_only=True)
class Constant:
    """The same value always."""

    value: float

    def __call__(self, examples: int) -> float:
        """The value."""
        return self.value


@dataclass(frozen=True, kw_only=True)
class Exponential:
    """max(start · factor^(examples / per), minimum).

    The 2014 code divides the learning rate by 1.000004 after every update: `factor` is 1/1.000004, `per`
    the batch size.

    Args:
        start: value at 0 examples.
        factor: what it is multiplied by every `per` examples.
        per: training examples.
        minimum: it falls no further.
    """

    start: float
    factor: float
    per: int
    minimum: float = 0.0

    def __call__(self, examples: int) -> float:
        """The value after `examples`."""
        value: float = self.start * self.factor ** (examples / self.per)
        return max(value, self.minimum)


@dataclass(frozen=True, kw_only=True)
class Linear:
    """From `start` to `end` in a straight line between two counts of examples, constant outside.

    Args:
        start: value up to `begin`.
        end: value from `until` on.
        begin: training examples.
        until: training examples.
        per: the value changes only at multiples of so many examples; the 2014 code moves its momentum at the
            end of every epoch.
    """

    start: float
    end: float
    begin: int = 0
    until: int
    per: int = 1

    def __call__(self, examples: int) -> float:
        """The value after `examples`."""
        examples -= examples % self.per
        share = min(max((examples - self.begin) / (self.until - self.begin), 0.0), 1.0)
        return self.start + (self.end - self.start) * share


@dataclass(frozen=True, kw_only=True)
class Cosine:
    """start + ½ (1 − cos(π · min(examples / until, 1))) · (end − start), Loshchilov and Hutter (2017).

    Args:
        start: value at 0 examples.
        end: value from `until` on.
        until: training examples.
    """

    start: float
    end: float
    until: int

    def __call__(self, examples: int) -> float:
        """The value after `examples`."""
        share = (1 - math.cos(math.pi * min(examples / self.until, 1.0))) / 2
        return self.start + (self.end - self.start) * share


SCHEDULES: dict[str, type[Constant] | type[Exponential] | type[Linear] | type[Cosine]] = {
    "constant": Constant,
    "exponential": Exponential,
    "linear": Linear,
    "cosine": Cosine,
}
