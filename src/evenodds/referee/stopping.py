"""When to stop: once a quarter of the training so far has brought nothing that stands out of its noise."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

LEAST = 10  # reports in each of the two quarters that are compared
WIDTH = 2.0  # standard errors: about 95 %
RESOLUTION = 0.1  # of the range over the whole run: an interval wider than that shows nothing
SAME_RATE = 0.01  # relative change of a learning rate that counts as none

Line = Mapping[str, Any]


class Change(NamedTuple):
    """A mean over the last quarter minus that over the quarter before, with its standard error."""

    name: str
    before: float
    after: float
    error: float
    range: float  # of means of LEAST values, over the whole run

    @property
    def flat(self) -> bool:
        """Nothing that stands out of the noise, and the noise small enough for something to stand out."""
        margin = WIDTH * self.error
        return abs(self.after - self.before) <= margin and margin <= RESOLUTION * self.range


def enough(lines: Sequence[Line], metrics: Sequence[str] = ()) -> str | None:
    """Why more training is not expected to help, in a sentence, or None.

    Two things must be flat: the gauge, and the chosen metric (the first of `metrics`; without one, or as long
    as it was measured too seldom, the energy distance between samples and held-out data).  A learning rate
    that is still being lowered is a reason to go on.

    Args:
        lines: of metrics.jsonl, the oldest first.
        metrics: that the run measures, as in its config.
    """
    quarter = len(lines) // 4
    if quarter < LEAST or _rate_moves(lines[-2 * quarter :]):
        return None
    gauge = _change(lines, "gauge/jsd")
    measured = _change(lines, f"metric/{metrics[0]}") if metrics else None
    quality = measured or _change(lines, "signal/energy")
    if gauge is None or quality is None or not (gauge.flat and quality.flat):
        return None
    seen = lines[-1]["examples"] - lines[-quarter - 1]["examples"]
    return (
        f"Over the last {seen:,} examples {_WORDS.get(gauge.name, gauge.name)} {_moved(gauge)} and "
        f"{_WORDS.get(quality.name, quality.name)} {_moved(quality)}: more training is not expected to help."
    )


_WORDS = {"gauge/jsd": "the gauge (JSD is at least)", "signal/energy": "the energy distance to held-out data"}


def _moved(change: Change) -> str:
    return f"went from {change.before:.3g} to {change.after:.3g} (± {WIDTH * change.error:.1g})"


def _change(lines: Sequence[Line], name: str) -> Change | None:
    """None where the last two quarters hold too few values of that name."""
    quarter = len(lines) // 4
    every = [line[name] for line in lines if _is_number(line.get(name))]
    before, after = (
        [line[name] for line in part if _is_number(line.get(name))]
        for part in (lines[-2 * quarter : -quarter], lines[-quarter:])
    )
    if min(len(before), len(after)) < LEAST:
        return None
    error = math.sqrt(_variance(before) / len(before) + _variance(after) / len(after))
    # of means: the range of single values grows with their noise
    blocks = [_mean(every[at : at + LEAST]) for at in range(0, len(every) - LEAST + 1, LEAST)]
    return Change(name, _mean(before), _mean(after), error, max(blocks) - min(blocks))


def _rate_moves(lines: Sequence[Line]) -> bool:
    """Whether a learning rate was changed on the way."""
    for name in ("learning_rate/discriminator", "learning_rate/generator"):
        rates = [line[name] for line in lines if _is_number(line.get(name))]
        if rates and max(rates) - min(rates) > SAME_RATE * max(rates):
            return True
    return False


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def _variance(values: Sequence[float]) -> float:
    """Of the population that `values` are drawn from."""
    mean = _mean(values)
    return sum((value - mean) ** 2 for value in values) / (len(values) - 1)
