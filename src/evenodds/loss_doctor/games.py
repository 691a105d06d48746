"""Short games on known densities with R1: does the loss carry a generator to the data?"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor
from torch.optim import Adam

from ..algorithm import GAN, Batch, train_step
from ..data.densities import gaussian, ring
from ..data.distributions import Mixture
from ..ema import EMA
from ..latents import Normal
from ..losses import AdversarialLoss
from ..metrics.modes import mode_coverage
from ..networks.mlp import MLPDiscriminator, MLPGenerator
from ..penalties import R1
from .findings import Finding

BATCH = 256
SAMPLES = 10_000
BINS, REACH = 50, 5.0  # of the line, up to so many standard deviations from the mean
LEAST_RATE = 0.05  # of the first learning rate, at the end
LARGEST_JSD = 0.15  # nats on the line, over the 0.093 of the library's worst loss in a game this short
RING_STD = 0.05


class Game(NamedTuple):
    """What is played.

    Args:
        density: of the data.
        iterations: of Algorithm 1, with batches of `BATCH`.
        width: of each of the two layers of both players.
        learning_rate: of Adam for both players, falling to `LEAST_RATE` of it.
        r1: weight of R1.
    """

    density: Mixture
    iterations: int
    width: int
    learning_rate: float = 2e-3
    r1: float = 0.1


LINE = Game(gaussian(mean=2.0, std=0.5), iterations=500, width=32)
RING = Game(ring(std=RING_STD), iterations=1_000, width=64)


def play(loss: AdversarialLoss, game: Game, *, seed: int) -> Tensor:
    """Samples (SAMPLES, d) of the averaged generator; ends early where a weight is no number.

    Args:
        loss: to test.
        game: see `LINE` and `RING`.
        seed: of everything random.
    """
    with torch.random.fork_rng(devices=[]):  # nobody else's random numbers change
        torch.manual_seed(seed)
        gan = _gan(loss, game)
        ema, data = EMA(gan.generator, 20 * BATCH), _batches(game.density)
        for iteration in range(game.iterations):
            rate = game.learning_rate * max(1 - iteration / game.iterations, LEAST_RATE)
            for optimizer in (gan.generator_optimizer, gan.discriminator_optimizer):
                optimizer.param_groups[0]["lr"] = rate
            train_step(gan, data)
            ema.update(gan.generator, BATCH)
        with torch.no_grad():
            samples: Tensor = ema.generator(gan.prior(SAMPLES))
    return samples


def check_games(loss: AdversarialLoss, *, seed: int) -> list[Finding]:
    """One Gaussian on the line, a ring of eight in the plane.

    Args:
        loss: to test.
        seed: of both games.
    """
    return [check_line(play(loss, LINE, seed=seed)), check_ring(play(loss, RING, seed=seed))]


def check_line(samples: Tensor) -> Finding:
    """How far samples (N, 1) are from the Gaussian of `LINE`."""
    name = "a Gaussian, with R1"
    if not samples.isfinite().all():
        return Finding(name, "bad", _BROKEN)
    jsd = binned_jsd(samples, LINE.density)
    text = (
        f"samples have mean {samples.mean():.2f} and deviation {samples.std():.2f}, the data 2.00 and 0.50; "
        f"JSD {jsd:.3f} of at most {math.log(2):.3f} nats"
    ).replace("-", "−")
    return Finding(name, "good" if jsd <= LARGEST_JSD else "bad", text)


def check_ring(samples: Tensor) -> Finding:
    """How many modes of `RING` samples (N, 2) have, and how evenly."""
    name = "a ring of 8, with R1"
    if not samples.isfinite().all():
        return Finding(name, "bad", _BROKEN)
    found = mode_coverage(samples, RING.density.modes, RING.density.std)
    share = f"{100 * found.high_quality:.0f} % of the samples within 3 standard deviations of one"
    text = f"{found.captured} of {found.total} modes, {share}"
    if found.captured:
        text += f", JSD between modes {_mode_jsd(samples):.3f} nats"
    return Finding(name, "good" if found.captured == found.total else "bad", text)


_BROKEN = "samples are no numbers any more: the loss or its gradient grew without bound"


def binned_jsd(samples: Tensor, density: Mixture) -> float:
    """JSD of samples (N, 1) from one Gaussian, nats, by `BINS` bins and both tails.

    Binning only ever loses divergence; N samples add about BINS / 4N.
    """
    mean, std = float(density.modes), density.std
    edges = torch.linspace(mean - REACH * std, mean + REACH * std, BINS + 1, dtype=torch.float64)
    below = torch.special.ndtr((edges - mean) / std)
    p = torch.cat([below, below.new_ones(1)]) - torch.cat([below.new_zeros(1), below])
    places = torch.bucketize(samples.double().flatten(), edges)
    q = torch.bincount(places, minlength=BINS + 2).double() / len(samples)
    return _jsd(p, q)


def _mode_jsd(samples: Tensor) -> float:
    """JSD between the shares of the modes nearest to the samples (N, 2) and equal ones, nats."""
    modes = RING.density.modes
    nearest = torch.cdist(samples.double(), modes).argmin(1)
    q = torch.bincount(nearest, minlength=len(modes)).double() / len(samples)
    return _jsd(torch.full_like(q, 1 / len(modes)), q)


def _jsd(p: Tensor, q: Tensor) -> float:
    """Jensen-Shannon divergence of two rows of probabilities, nats."""
    middle = (p + q) / 2
    return float((torch.xlogy(p, p / middle) + torch.xlogy(q, q / middle)).nansum() / 2)


def _gan(loss: AdversarialLoss, game: Game) -> GAN:
    shape, widths = (game.density.dimension,), (game.width, game.width)
    generator = MLPGenerator(latent_dim=2, sample_shape=shape, widths=widths)
    discriminator = MLPDiscriminator(sample_shape=shape, widths=widths)
    players = (generator.parameters(), discriminator.parameters())
    one, other = (Adam(weights, lr=game.learning_rate, betas=(0.0, 0.99), fused=True) for weights in players)
    return GAN(generator, discriminator, one, other, Normal(dim=2), loss, {"r1": R1(weight=game.r1)})


def _batches(density: Mixture) -> Iterator[Batch]:
    while True:
        yield Batch(density.sample(BATCH))
