"""The probe: a fresh discriminator against a frozen generator, for a bounded time.

It tells "even odds because the generator has won" from "even odds because the discriminator learnt nothing".
"""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import softplus
from torch.optim import Adam

from ..metrics.bounds import Bounds, bounds, calibrate, examples_needed
from ..metrics.intervals import binomial_tail
from .gauge import require_examples
from .judges import mlp_judge, parzen_judges

Logits = Callable[[Tensor], Tensor]  # (N, *shape) -> (N,)
CHECKS = 20  # looks at the examples held back for stopping
PATIENCE = 6  # checks without an improvement, after which training ends
BATCH = 256
ROWS = 4096  # judged at once
STOPPING = 0.2  # share of the real examples that is held back to decide when to stop
MOST_REAL = 5_000  # that a probe looks at: in so few steps it would not see more
WINDOW_POINTS = 1_500  # of either kind
FEW_DIMENSIONS = 3  # in which Parzen windows see what is near better than a network of few steps


class Pairs(NamedTuple):
    """Real examples and generated samples, (N, *shape) and (M, *shape), alike in type, scale and device."""

    real: Tensor
    fake: Tensor


class Fitted(NamedTuple):
    """A discriminator as it was where it did best.

    Args:
        logits: of the calibrated discriminator, without gradients.
        loss: −V(D, G) on the examples held back for stopping, nats.
        steps: that were taken; 0 for Parzen windows.
        scores: its logits of those examples, (N,) and (M,).
    """

    logits: Logits
    loss: float
    steps: int
    scores: Pairs


class Probed(NamedTuple):
    """What the fresh discriminator found.

    Args:
        bounds: on the held-out examples, which it never saw before.
        p_value: of "generator and data are the same": the probability of telling as many right by guessing.
        steps: that it was trained.
    """

    bounds: Bounds
    p_value: float
    steps: int


def probe(
    real: Tensor,
    held_out: Tensor,
    sample: Callable[[int, torch.Generator], Tensor],
    *,
    steps: int = 200,
    seed: int = 0,
    widths: Sequence[int] = (128, 128),
    level: float = 0.95,
    certified: bool = False,
) -> Probed:
    """Train a fresh MLP on real examples against samples, and measure it on held-out ones.

    It sees no labels: of a conditional generator, `sample` gives samples whose labels are distributed as the
    data's, and the bounds are about the marginals, which differ no more than the pairs (x, y) do.

    Args:
        real: (N, *shape) float32 examples to learn from, such as the training split.
        held_out: (M, *shape) float32 examples that neither the generator nor anything else has seen.
        sample: `(n, generator) -> (n, *shape)`, independent samples.
        steps: of training, at most.
        seed: of everything random; the same gives the same result.
        widths: hidden units, layer by layer.
        level: of the intervals.
        certified: as in `metrics.bounds.bounds`.

    Raises:
        DataError: there are too few examples.
    """
    require_examples(len(real), needed=50, what="examples to train a probe on")
    require_examples(len(held_out), needed=examples_needed(level=level) if certified else 10)
    random = torch.Generator().manual_seed(seed)
    real = real[torch.randperm(len(real), generator=random)[:MOST_REAL].to(real.device)]
    fake = sample(len(real) + len(held_out), random).detach().to(real)
    fitted = _best(Pairs(real, fake[: len(real)]), steps, seed, widths)
    logits = fitted.logits(held_out.to(real)), fitted.logits(fake[len(real) :])
    found = bounds(*logits, level=level, certified=certified)
    return Probed(found, p_value(*logits), fitted.steps)


def _best(pairs: Pairs, steps: int, seed: int, widths: Sequence[int]) -> Fitted:
    """What does best on the share held back for stopping: an MLP or, for few dimensions, Parzen windows."""
    kept = math.ceil(STOPPING * len(pairs.real))
    stopping, seen = (Pairs(*(part[rows] for part in pairs)) for rows in (slice(kept), slice(kept, None)))
    fits = [fit(mlp_judge(seen.real, seed=seed, widths=widths), seen, stopping, steps=steps, seed=seed)]
    if seen.real.ndim == 2 and seen.real.shape[1] <= FEW_DIMENSIONS:
        few = (part[:WINDOW_POINTS] for part in seen)
        fits += [calibrated(parzen.__call__, stopping) for parzen in parzen_judges(*few, widths=4)]
    return min(fits, key=lambda one: one.loss)


def fit(
    network: nn.Module,
    seen: Pairs,
    stopping: Pairs,
    *,
    steps: int,
    seed: int,
    learning_rate: float = 2e-3,
    seconds: float = math.inf,
) -> Fitted:
    """Train by the 2014 loss, with Adam and a rate that falls along a cosine; keep the best, calibrate it.

    Args:
        network: `(N, *shape) -> logits (N,)`; it is trained in place.
        seen: to learn from.
        stopping: to choose the step on, and to calibrate.
        steps: of training, at most; fewer where it begins to over-fit.
        seed: of the minibatches.
        learning_rate: at the beginning.
        seconds: after which to stop, too; the result then depends on the machine.
    """
    optimizer = Adam(network.parameters(), lr=learning_rate, betas=(0.9, 0.99))
    random = torch.Generator().manual_seed(seed)
    began, best, weights, since = time.perf_counter(), math.inf, copy.deepcopy(network.state_dict()), 0
    step, passed, checks = 0, 0.0, 0
    while passed < 1 and since < PATIENCE:
        for group in optimizer.param_groups:
            group["lr"] = learning_rate * (1 + math.cos(math.pi * passed)) / 2
        _descend(network, optimizer, seen, random)
        step += 1
        passed = max(step / steps, (time.perf_counter() - began) / seconds)
        if passed * CHECKS >= checks + 1:
            checks = int(passed * CHECKS)
            scores = Pairs(*(judged(network, part) for part in stopping))
            loss, since = minus_value(scores), since + 1
            if loss < best:
                best, weights, since = loss, copy.deepcopy(network.state_dict()), 0
    network.load_state_dict(weights)
    return calibrated(lambda x: judged(network, x), stopping)._replace(steps=step)


def _descend(network: nn.Module, optimizer: Adam, seen: Pairs, random: torch.Generator) -> None:
    """One step on a minibatch drawn with replacement."""
    network.train()
    real, fake = (part[torch.randint(len(part), (BATCH,), generator=random).to(part.device)] for part in seen)
    logits = network(torch.cat([real, fake]))
    loss = softplus(-logits[:BATCH]).mean() + softplus(logits[BATCH:]).mean()
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    optimizer.step()


def calibrated(logits: Logits, pairs: Pairs) -> Fitted:
    """The same with slope and offset fitted on these pairs: what was over-confident no longer is."""
    scores = Pairs(*(logits(part) for part in pairs))
    line = calibrate(scores.real, scores.fake)
    scores = Pairs(line(scores.real), line(scores.fake))
    return Fitted(lambda x: line(logits(x)), minus_value(scores), 0, scores)


def minus_value(scores: Pairs) -> float:
    """−V(D, G) of its logits (N,) and (M,), nats."""
    return float(softplus(-scores.real).mean() + softplus(scores.fake).mean())


@torch.inference_mode()
def judged(network: nn.Module, x: Tensor) -> Tensor:
    """Logits (N,) in evaluation mode."""
    network.eval()
    return torch.cat([network(rows) for rows in x.split(ROWS)])


def p_value(real: Tensor, fake: Tensor) -> float:
    """Probability of telling as many right by guessing; Lopez-Paz and Oquab (2017), exact binomial test.

    Args:
        real: (N,) logits of held-out examples.
        fake: (M,) logits of samples; of the larger side as many are used as the smaller one has.
    """
    pairs = min(len(real), len(fake))
    right = int((real[:pairs] > 0).sum() + (fake[:pairs] <= 0).sum())
    return binomial_tail(right, 2 * pairs)
