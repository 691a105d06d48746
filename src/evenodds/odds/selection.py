"""Choosing samples by the odds p_data/p_g that a discriminator gives them.

Samples of the generator are accepted or refused by these odds, so that what is left is distributed more as
the data: rejection sampling (Azadi et al. 2018) and the Metropolis-Hastings chain (Turner et al. 2018).
Neither can make what the generator never makes.

A selection is a choice of seeds.  The candidates of seed n are seed n itself and then seeds that follow from
n, so that seed n gives the same sample whatever else is drawn, and the plain sampler draws it again.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from ..data.dataset import Array
from ..errors import RunError

# (seeds, labels) -> (N,) log p_data/p_g of the samples that the generator draws from these seeds
Score = Callable[[Sequence[int], Sequence[int] | None], Array]

MOST_CANDIDATES = 10_000  # for one sample
EPSILON = 1e-6  # keeps the acceptance of the very best candidate a little below 1


class Selection(NamedTuple):
    """Samples chosen, named by the seeds that the generator draws them from.

    Args:
        seeds: (N,), one for each seed that was asked for.
        candidates: samples that the discriminator judged.
        accepted: of these; in a chain, moves.
    """

    seeds: list[int]
    candidates: int
    accepted: int

    @property
    def acceptance(self) -> float:
        """Share of the candidates that were accepted."""
        return self.accepted / max(self.candidates, 1)


class Ceiling(NamedTuple):
    """What rejection sampling holds log odds against.

    Args:
        log_ratio: the largest log p_data/p_g that was seen in a burn-in, the paper's D̃*_M.
        shift: the paper's γ; 0 is exact where the ceiling is, lower values accept more and select less.
    """

    log_ratio: float
    shift: float = 0.0

    def acceptance(self, log_odds: Array) -> Array:
        """σ(F̂), F̂ = d − log(1 − exp(d − ε)) − γ with d = log odds − ceiling; Azadi et al. (2018), Eq. 7, 8.

        For γ = 0 that is exp(d), ordinary rejection sampling.  Log odds above the ceiling count as it.

        Args:
            log_odds: (N,).

        Returns:
            (N,) probabilities.
        """
        below = np.minimum(np.asarray(log_odds, np.float64) - self.log_ratio, 0.0)
        shifted = below - np.log(-np.expm1(below - EPSILON)) - self.shift
        return np.exp(-np.logaddexp(0.0, -shifted))


def ceiling(log_odds: Array, *, least: float = 0.02) -> Ceiling:
    """The ceiling of a burn-in, and the shift nearest to 0 that accepts a share `least` of it.

    Azadi et al. (2018) set γ to a percentile for the same reason: where D tells most samples from data, the
    best of them would be nearly all that exact rejection keeps, at thousands of candidates a sample.

    Args:
        log_odds: (N,) of the burn-in's samples.
        least: acceptance rate, above 0 and below 1.
    """
    highest = float(np.max(log_odds))
    if float(Ceiling(highest).acceptance(log_odds).mean()) >= least:
        return Ceiling(highest)
    low, high = -1_000.0, 0.0  # acceptance falls as the shift rises
    for _ in range(60):
        middle = (low + high) / 2
        enough = float(Ceiling(highest, middle).acceptance(log_odds).mean()) >= least
        low, high = (middle, high) if enough else (low, middle)
    return Ceiling(highest, low)


def rejection(
    score: Score, seeds: Sequence[int], labels: Sequence[int] | None = None, *, limit: Ceiling
) -> Selection:
    """Discriminator rejection sampling: each candidate is accepted with `limit`'s probability.

    Args:
        score: log odds of the samples of given seeds.
        seeds: (N,), one sample for each.
        labels: (N,), which candidates keep; None without.
        limit: from a burn-in, see `ceiling`.

    Raises:
        RunError: 10,000 candidates for one sample were refused.
    """
    chosen, pending, candidates = list(seeds), list(range(len(seeds))), 0
    for attempt in range(MOST_CANDIDATES):
        if not pending:
            return Selection(chosen, candidates, len(seeds))
        drawn = [derived(seeds[i], attempt) for i in pending]
        asked = None if labels is None else [labels[i] for i in pending]
        odds = score([seed for seed, _ in drawn], asked)
        candidates += len(pending)
        taken = np.array([uniform for _, uniform in drawn]) < limit.acceptance(odds)
        for position, (seed, _), accepted in zip(pending, drawn, taken, strict=True):
            if accepted:
                chosen[position] = seed
        pending = [i for i, accepted in zip(pending, taken, strict=True) if not accepted]
    raise RunError(
        f"{MOST_CANDIDATES:,} candidates for one sample were refused: D tells all of them from data; "
        "train the generator for longer, or draw without selecting"
    )


def metropolis_hastings(
    score: Score,
    seeds: Sequence[int],
    labels: Sequence[int] | None = None,
    *,
    start: Array,
    steps: int = 200,
) -> Selection:
    """The last state of a chain per sample: x′ replaces x with probability min(1, odds(x′)/odds(x)).

    Turner et al. (2018), Algorithm 1.  A chain begins at a real held-out example, which spares it a burn-in;
    one that has not left it after all its steps begins anew at the plain sample of its seed, so that no real
    example is ever given out.

    Args:
        score: log odds of the samples of given seeds.
        seeds: (N,), one chain for each.
        labels: (N,), which proposals keep; None without.
        start: (M,) log odds of real held-out examples.
        steps: proposals of each chain, the paper's K.
    """
    state = np.array([start[seed % len(start)] for seed in seeds], np.float64)
    chosen: list[int | None] = [None] * len(seeds)
    moves = _chain(score, seeds, labels, chosen, state, range(1, steps + 1))
    candidates = steps * len(seeds)
    stuck = [i for i, seed in enumerate(chosen) if seed is None]
    if stuck:
        fresh = [seeds[i] for i in stuck]
        again = None if labels is None else [labels[i] for i in stuck]
        state, last = np.asarray(score(fresh, again), np.float64), [int(seed) for seed in fresh]
        states: list[int | None] = [*last]
        moves += _chain(score, fresh, again, states, state, range(steps + 1, 2 * steps + 1))
        candidates += steps * len(stuck)
        for i, seed in zip(stuck, states, strict=True):
            chosen[i] = seed
    return Selection([int(seed) for seed in chosen if seed is not None], candidates, moves)


def _chain(
    score: Score,
    seeds: Sequence[int],
    labels: Sequence[int] | None,
    chosen: list[int | None],
    state: Array,
    attempts: range,
) -> int:
    """Move `chosen` and its log odds `state` (N,) on in place by all attempts; how many moves there were."""
    moves = 0
    for attempt in attempts:
        drawn = [derived(seed, attempt) for seed in seeds]
        odds = np.asarray(score([seed for seed, _ in drawn], labels), np.float64)
        uniforms = np.array([uniform for _, uniform in drawn])
        for i in np.flatnonzero(np.log(np.maximum(uniforms, 1e-300)) < odds - state):
            chosen[i], state[i] = drawn[i][0], odds[i]
            moves += 1
    return moves


def derived(seed: int, attempt: int) -> tuple[int, float]:
    """The seed of that candidate of seed n, n itself at attempt 0; and a number from U[0, 1) to decide by."""
    follower, number = np.random.SeedSequence([seed, attempt]).generate_state(2, np.uint32)
    return (int(follower) if attempt else int(seed)), float(number) / 2**32


def expected_ratio(log_odds: Array) -> float:
    """Mean of p_data/p_g over generated samples: 1 where D is calibrated and G makes all that the data hold.

    Args:
        log_odds: (N,) of the generator's samples.
    """
    return float(np.exp(np.logaddexp.reduce(np.asarray(log_odds, np.float64)) - math.log(len(log_odds))))
