"""The rule of the plan: pure functions of the rates that were measured and the time there is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from .candidates import Cadence, Candidate, Variant, examples_needed

SHARE = 0.95  # of the time is planned with: a machine is seldom faster than it was measured, but often slower


class Engine(NamedTuple):
    """How the machine is used."""

    threads: int | None
    precision: str


@dataclass(frozen=True)
class Costs:
    """Seconds that one of each takes, beside the training steps."""

    report: float = 0.0
    picture: float = 0.0
    checkpoint: float = 0.0

    def of(self, cadence: Cadence) -> float:
        """Seconds of a whole run that are no training steps."""
        parts = zip((self.report, self.picture, self.checkpoint), cadence, strict=True)
        return sum(seconds * times for seconds, times in parts)

    def cadence(self, seconds: float) -> Cadence:
        """How often to do each in a run of so many seconds, so that all of it takes a tenth or less.

        Few things are done a few times at least, however long they take.
        """

        def times(cost: float, share: float, least: int, most: int) -> int:
            return max(least, min(most, int(share * seconds / cost))) if cost > 0 else most

        return Cadence(
            times(self.report, 0.05, 10, 50),
            times(self.picture, 0.03, 4, 25),
            times(self.checkpoint, 0.02, 2, 10),
        )


@dataclass(frozen=True)
class Budget:
    """What a run may take: a time, or a number of examples."""

    minutes: float | None = None
    examples: int | None = None

    def examples_at(self, rate: float, beside: float = 0.0, *, batch: int = 1) -> int:
        """Whole batches that fit, at `rate` examples a second; one at least.

        Args:
            rate: of training steps.
            beside: seconds of the run that are no training steps.
            batch: examples.
        """
        if self.examples is not None:
            return self.examples
        assert self.minutes is not None
        seconds = SHARE * 60 * self.minutes - beside
        return max(1, int(seconds * rate / batch)) * batch


def next_to_measure(
    candidate: Candidate, order: Sequence[Variant], rates: Mapping[Variant, float], budget: Budget
) -> Variant | None:
    """What to measure before `chosen` can be asked: the largest images first, then what they allow.

    Args:
        candidate: the row of the table.
        order: its variants, the smallest first.
        rates: examples a second, of what was measured so far.
        budget: of the run.

    Returns:
        None where nothing more needs to be known.
    """
    if budget.examples is not None and rates:
        return None
    sizes = list(dict.fromkeys((variant.height, variant.width) for variant in reversed(order)))
    for height, width in sizes:
        for variant in (one for one in order if (one.height, one.width) == (height, width)):
            if variant not in rates:
                return variant
            if not affordable(candidate, variant, rates[variant], budget):
                break
        if affordable(candidate, first(order, height, width), rates[first(order, height, width)], budget):
            return None
    return None


def chosen(
    candidate: Candidate, order: Sequence[Variant], rates: Mapping[Variant, float], budget: Budget
) -> Variant:
    """The largest images, then the widest networks, that see as many examples as they need.

    Where none does, the smallest images.

    Args:
        candidate: the row of the table.
        order: its variants, the smallest first.
        rates: examples a second, of those that were measured.
        budget: of the run.
    """
    known = [variant for variant in order if variant in rates]
    good = [variant for variant in known if affordable(candidate, variant, rates[variant], budget)]
    return good[-1] if good else known[0]


def affordable(candidate: Candidate, variant: Variant, rate: float, budget: Budget) -> bool:
    """Whether the time is enough for good pictures."""
    return budget.examples_at(rate) >= examples_needed(candidate, variant)


def first(order: Sequence[Variant], height: int, width: int) -> Variant:
    """The narrowest variant of that size."""
    return next(one for one in order if (one.height, one.width) == (height, width))
