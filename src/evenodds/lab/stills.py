"""The four stills of Figure 1 (Goodfellow et al. 2014), as its caption describes them."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import nn

from ..algorithm import GAN
from ..drawing.figure1 import Line, Plane
from ..losses import minimax_discriminator, non_saturating_generator
from .look import Look, distance, evaluating, look
from .target import Target

START = (
    0.1  # nats: the pair of (a) is the one of the run whose JSD, and D's gap to the best, are nearest this
)
FIT_STEPS, FIT_BATCH, FIT_RATE = 2_000, 1_024, 2e-3
MOVE_STEPS, MOVE_RATE, MOVE_LOOK = 300, 2e-4, 5


class Still(NamedTuple):
    """One of the four pictures."""

    name: str  # a, b, c or d
    scene: Line | Plane
    title: str
    caption: str


@dataclass
class Pair:
    """Copies of both players, as they stood at one look."""

    generator: nn.Module
    discriminator: nn.Module
    look: Look


def _far_off(seen: Look) -> float:
    """From a pair near convergence whose D is half as good as it could be."""
    return abs(seen.jsd - START) + abs(seen.score.gap - START)


class Candidate:
    """Keeps the pair that suits still (a) best among all that it is shown."""

    def __init__(self) -> None:
        self.pair: Pair | None = None

    def offer(self, gan: GAN, seen: Look) -> None:
        """Keep copies of the players if none before were nearer to START."""
        if self.pair is None or _far_off(seen) < _far_off(self.pair.look):
            players = copy.deepcopy(gan.generator), copy.deepcopy(gan.discriminator)
            self.pair = Pair(*players, seen)


def stills(gan: GAN, pair: Pair, last: Look, target: Target, *, seed: int) -> list[Still]:
    """(a) a pair on its way, (b) its D trained to D*, (c) its G moved by that D, (d) the end of the run.

    The run's own players are not touched; (b) and (c) play on with copies.

    Args:
        gan: the game; its prior is used.
        pair: the players of (a).
        last: look at the end of the run.
        target: the data.
        seed: of the fresh data for (b) and (c).
    """
    generator, discriminator = copy.deepcopy(pair.generator), copy.deepcopy(pair.discriminator)

    def seen() -> Look:
        examples = pair.look.score.examples
        players = generator, discriminator
        return look(*players, gan.prior, target, examples=examples, seed=seed, probability=True)

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        steps = fit(discriminator, generator, gan, target)
        fitted = seen()
        moves = move(generator, discriminator, gan, lambda: distance(generator, gan.prior, target).jsd)
        moved = seen()
    start, jsd = pair.look, f"JSD {fitted.jsd:.3f} → {moved.jsd:.3f} nats"
    captions = (
        f"after {start.score.examples:,} examples: JSD {start.jsd:.3f} nats, {_short_of(start)}",
        f"G held still, D trained for {steps:,} more steps on V alone: {_short_of(fitted)}",
        f"{moves} small steps of G up the slope of that D: {jsd}",
        f"after {last.score.examples:,} examples: JSD {last.jsd:.3f} nats, {_short_of(last)}",
    )
    titles = (
        _beginning(start),
        "(b) inner loop: D trained toward the best D, p/(p + generator's)",
        "(c) D's slope has led G's samples to where data are",
        "(d) after training: " + _end(last),
    )
    scenes = [seen.scene for seen in (start, fitted, moved, last)]
    return [Still(*parts) for parts in zip("abcd", scenes, titles, captions, strict=True)]


def fit(discriminator: nn.Module, generator: nn.Module, gan: GAN, target: Target) -> int:
    """Train D on V alone with G held still, the rate falling to nothing; the number of steps."""
    optimizer = torch.optim.Adam(discriminator.parameters(), lr=FIT_RATE, betas=(0.9, 0.99))
    device = next(discriminator.parameters()).device
    for step in range(FIT_STEPS):
        optimizer.param_groups[0]["lr"] = FIT_RATE * (1 + math.cos(math.pi * step / FIT_STEPS)) / 2
        real = target.density.sample(FIT_BATCH).to(device)
        with torch.no_grad(), evaluating(generator):
            fake = generator(gan.prior(FIT_BATCH, device=device), None)
        loss = minimax_discriminator(discriminator(real, None), discriminator(fake, None)).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return FIT_STEPS


def move(generator: nn.Module, discriminator: nn.Module, gan: GAN, jsd: Callable[[], float]) -> int:
    """Let G descend −log D(G(z)), D held still, as long as that brings G nearer to the data; the steps.

    Past that point G would end where D is highest, in one place: only a D that follows can hold it back.
    """
    optimizer = torch.optim.Adam(generator.parameters(), lr=MOVE_RATE, betas=(0.0, 0.99))
    device = next(generator.parameters()).device
    nearest, best, kept = 0, jsd(), copy.deepcopy(generator.state_dict())
    for step in range(1, MOVE_STEPS + 1):
        fake = discriminator(generator(gan.prior(FIT_BATCH, device=device), None), None)
        loss = non_saturating_generator(fake, fake).mean()
        optimizer.zero_grad()
        loss.backward(inputs=list(generator.parameters()))
        optimizer.step()
        if step % MOVE_LOOK == 0:
            now = jsd()
            if now > best:
                break
            nearest, best, kept = step, now, copy.deepcopy(generator.state_dict())
    generator.load_state_dict(kept)
    return nearest


def _short_of(seen: Look) -> str:
    """V −1.24, the best D's −1.19."""
    value, truth = (f"{number:.3f}".replace("-", "−") for number in (seen.score.value, seen.score.truth))
    return f"V {value}, the best D's {truth}"


def _beginning(start: Look) -> str:
    """The paper's words, where they are true of this pair."""
    if start.jsd < 2 * START and start.score.gap < 1.5 * start.jsd:  # 2 JSD is all that a D can gain
        return "(a) near convergence: D is a partly accurate classifier"
    return "(a) before convergence: an adversarial pair on its way"


def _end(last: Look) -> str:
    """What of the paper's "p_g = p_data, D = 1/2" came true."""
    if last.jsd < 0.03 and last.score.value < -1.33:
        return "the generator's density is near the data's, D near 1/2"
    return "how far this run got"
