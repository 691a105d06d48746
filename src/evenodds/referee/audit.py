"""The audit: how far generator and data differ at least, by the best discriminators that can be had in time.

Discriminators of several kinds, sizes and seeds are trained, and judged on held-out examples.  The best few
are measured, once, on examples that nothing has seen before.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from ..data.dataset import Dataset
from ..metrics.bounds import Bounds, bounds, calibrate, examples_needed, jsd_of_accuracy
from .evidence import Evidence, Source, gather
from .kinds import STEPS, kinds_for
from .probe import Pairs, minus_value, p_value

FINALISTS = 3
CLIPS = (
    2.0,
    4.0,
    6.0,
    8.0,
)  # of logits: the smaller, the less a rare mistake costs, and the less a hit gains
SHARE = 0.2  # of the time that one discriminator may take: few good ones prove more than many hasty ones
CONCLUDING = 0.2  # share of the time that is kept for measuring


class Trial(NamedTuple):
    """One discriminator, and what it showed where it was chosen.

    Args:
        name: its kind, and which real examples it learnt from.
        logits: `(N, *shape) -> (N,)`, calibrated.
        scores: logits of the examples to choose on.
        clip: of its logits, for the bound by V.
        by: "value" or "accuracy", what the bound on JSD is to be drawn from.
        promise: that bound, nats, and V, on the examples to choose on.
        steps: of training.
        seconds: that it took.
    """

    name: str
    logits: Callable[[Tensor], Tensor]
    scores: Pairs
    clip: float
    by: str
    promise: tuple[float, float]
    steps: int
    seconds: float


class Finalist(NamedTuple):
    """One of the best discriminators, measured.

    Args:
        name: its kind.
        jsd: certified lower bound, nats.
        total_variation: likewise.
        p_value: not corrected.
        bounds: all that was measured; level is the corrected two-sided one.
        real: logits of the measured real examples.
        fake: logits of the measured samples.
    """

    name: str
    jsd: float
    total_variation: float
    p_value: float
    bounds: Bounds
    real: Tensor
    fake: Tensor


class Audit(NamedTuple):
    """What is proved, each statement by itself with probability `level`.

    Args:
        jsd: JSD of generator and data is at least that, nats.
        total_variation: their total variation is at least that.
        p_value: of "they are the same", corrected for the number of finalists.
        level: of "at least".
        finalists: the best first, by promise.
        tried: how many discriminators.
    """

    jsd: float
    total_variation: float
    p_value: float
    level: float
    finalists: list[Finalist]
    tried: int

    def record(self) -> dict[str, Any]:
        """As JSON can hold it."""
        finalists = [
            {
                "name": one.name,
                "jsd_at_least": one.jsd,
                "total_variation_at_least": one.total_variation,
                "p_value": one.p_value,
                "value": one.bounds.value._asdict(),
                "accuracy": one.bounds.accuracy._asdict(),
            }
            for one in self.finalists
        ]
        return {
            "jsd_at_least": self.jsd,
            "total_variation_at_least": self.total_variation,
            "p_value": self.p_value,
            "level": self.level,
            "real": self.finalists[0].bounds.real,
            "fake": self.finalists[0].bounds.fake,
            "discriminators": self.tried,
            "finalists": finalists,
        }


def audit(
    source: Source,
    dataset: Dataset,
    *,
    minutes: float = 1.0,
    level: float = 0.95,
    seed: int = 0,
    most: int | None = None,
) -> Audit:
    """Gather, try, conclude.

    Args:
        source: the generator, such as a `Sampler`.
        dataset: the data; the bound is about what its held-out examples were drawn from.
        minutes: for all of it.
        level: of "at least".
        seed: of everything random.
        most: discriminators to try.  With minutes=inf, `most` and `seed` decide the result.

    Raises:
        ConfigError: samples and data differ in shape or range.
        DataError: too few examples are held out.
        RunError: the generator is too slow, or makes values that are no finite numbers.
    """
    began = time.perf_counter()
    needed = examples_needed(level=corrected(level))
    evidence = gather(source, dataset, needed=needed, seconds=60 * minutes, seed=seed)
    left = 60 * minutes * (1 - CONCLUDING) - (time.perf_counter() - began)
    return conclude(evidence, list(trials(evidence, seconds=left, level=level, seed=seed, most=most)), level)


def trials(
    evidence: Evidence,
    *,
    seconds: float,
    level: float = 0.95,
    seed: int = 0,
    most: int | None = None,
    steps: int = STEPS,
) -> Iterator[Trial]:
    """Discriminators of every kind, then the same with other seeds, until the time is over.

    Args:
        evidence: what to learn from and to choose on.
        seconds: for all of them; at least one is tried.
        level: of the statement to be made.
        seed: of the first weights and minibatches.
        most: discriminators to try.
        steps: of training each, at most.
    """
    began, kinds = time.perf_counter(), kinds_for(evidence, steps)
    for number in itertools.count():
        gone = time.perf_counter() - began
        if number and (gone >= seconds or number == most):
            return
        name, make = kinds[number % len(kinds)]
        if number >= len(kinds) and name.startswith("Parzen"):
            continue  # nothing about it depends on the seed
        start = time.perf_counter()
        fitted = make(evidence, seed + number, min(SHARE * seconds, seconds - gone))
        choice = _promise(fitted.scores, level)
        taken = time.perf_counter() - start
        yield Trial(name, fitted.logits, fitted.scores, *choice, fitted.steps, taken)


def conclude(evidence: Evidence, tried: Sequence[Trial], level: float = 0.95) -> Audit:
    """Measure the most promising few, and their mean; the best bound stands, corrected for their number.

    Each of K finalists is measured at 1 − (1 − level)/K (Bonferroni), so all of their bounds, and the largest
    among them, hold together with probability `level`.

    Args:
        evidence: whose measured part nothing in `tried` has seen.
        tried: at least one.
        level: of "at least".
    """
    best = _ranked(tried)
    entries = [(one, Pairs(*(one.logits(part) for part in evidence.measured))) for one in best]
    if len(best) > 1:
        entries = _with_mean(entries, level)
    each = corrected(level, len(entries))
    finalists = [_measured(trial, scores, each) for trial, scores in entries]
    return Audit(
        jsd=max(one.jsd for one in finalists),
        total_variation=max(one.total_variation for one in finalists),
        p_value=min(1.0, len(finalists) * min(one.p_value for one in finalists)),
        level=level,
        finalists=finalists,
        tried=len(tried),
    )


def _ranked(tried: Sequence[Trial]) -> list[Trial]:
    return sorted(tried, key=lambda trial: trial.promise, reverse=True)[:FINALISTS]


def _with_mean(entries: list[tuple[Trial, Pairs]], level: float) -> list[tuple[Trial, Pairs]]:
    """The best of them and of their mean, which is chosen, like them, without a look at what is measured."""
    chosen_on = _mean([trial.scores for trial, _ in entries])
    line = calibrate(*chosen_on)
    scores, measured = (
        Pairs(line(pairs.real), line(pairs.fake))
        for pairs in (chosen_on, _mean([measured for _, measured in entries]))
    )
    name = f"mean of the best {len(entries)}"
    trial = Trial(name, entries[0][0].logits, scores, *_promise(scores, level), 0, 0.0)
    every = {id(one): (one, pairs) for one, pairs in [*entries, (trial, measured)]}
    return [every[id(one)] for one in _ranked([one for one, _ in every.values()])]


def _mean(scores: Sequence[Pairs]) -> Pairs:
    return Pairs(*(torch.stack(sides).mean(0) for sides in zip(*scores, strict=True)))


def corrected(level: float, statements: int = FINALISTS) -> float:
    """Level of the two-sided intervals whose low ends all hold together with probability `level`."""
    return 1 - 2 * (1 - level) / statements


def _measured(trial: Trial, scores: Pairs, level: float) -> Finalist:
    found = bounds(*scores, level=level, certified=True, clip=trial.clip)
    jsd = _jsd(found, trial.by)
    return Finalist(trial.name, jsd, found.total_variation.low, p_value(*scores), found, *scores)


def _jsd(found: Bounds, by: str) -> float:
    return found.jsd.low if by == "value" else jsd_of_accuracy(found.accuracy.low)


def _promise(scores: Pairs, level: float) -> tuple[float, str, tuple[float, float]]:
    """The clip and the kind of bound by which most would be proved, and how much, with V to decide ties.

    Chosen here, and not where it is measured: the bound would not hold otherwise.
    """
    options = []
    for clip in CLIPS:
        found = bounds(*scores, level=corrected(level), certified=True, clip=clip)
        options += [(_jsd(found, by), clip, by) for by in ("value", "accuracy")]
    jsd, clip, by = max(options, key=lambda option: option[0])
    return clip, by, (jsd, -minus_value(scores))
