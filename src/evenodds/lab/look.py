"""One look at a game whose data are known: both densities, D beside the best D, V beside its best value."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import logsigmoid

from ..drawing.figure1 import Line, Plane, Score
from ..errors import NonFiniteError
from ..latents import Prior
from ..metrics.bounds import calibrate
from .pushforward import CELLS, binned_jsd, even_latents, mapped, masses_of_cells, masses_of_points, merged
from .target import Target

FRESH = 10_000  # of data and of samples on which V is measured
SPREAD = 2**15  # latents that stand for the generator's distribution in the plane
COARSEST = 20  # bins in each direction
BIAS = 0.01  # nats that a small number of samples may add to JSD in the plane
ARROWS = 17
NOTHING = 1e-3  # of the data's highest density: where both are lower, D* is not drawn
Judge = Callable[[Tensor], Tensor]  # x (N, d) to log odds (N,) float64


class Look(NamedTuple):
    """How the game stands."""

    score: Score
    scene: Line | Plane
    jsd: float  # of data and generator, nats


def look(
    generator: nn.Module,
    discriminator: nn.Module,
    prior: Prior,
    target: Target,
    *,
    examples: int,
    seed: int,
    probability: bool,
) -> Look:
    """Measure and prepare a picture; nothing that training depends on changes.

    Args:
        generator: (z, y) -> x.
        discriminator: (x, y) -> its score (N,).
        prior: p(z).
        target: the data.
        examples: seen so far, for the record.
        seed: of the fresh data and latents, together with `examples`.
        probability: whether D's score is trained to be log odds; where it isn't, they are read out of it by
            a logistic regression on fresh examples other than those that V is measured on.

    Raises:
        NonFiniteError: a player returns something that is no number.
    """
    random = torch.Generator().manual_seed((seed * 1_000_003 + examples) % 2**63)
    with evaluating(generator, discriminator):
        judge, real, fake = _judged(generator, discriminator, prior, target, random, probability)
        value, error = _value(real, fake)
        apart = distance(generator, prior, target)
        if target.density.dimension == 1:
            scene: Line | Plane = _on_the_line(generator, prior, target, apart, judge)
        else:
            scene = _in_the_plane(target, apart, judge)
    truth = 2 * apart.jsd - math.log(4)
    return Look(Score(examples, value, error, truth, 2 * apart.error), scene, apart.jsd)


class Distance(NamedTuple):
    """Between data and generator.

    Args:
        jsd: in nats.
        error: how far off that may be.
        data: (bins,) * d masses of the data, in the bins that `jsd` was taken from.
        generator: (bins,) * d masses of the generator's samples.
    """

    jsd: float
    error: float
    data: Tensor
    generator: Tensor


def distance(generator: nn.Module, prior: Prior, target: Target) -> Distance:
    """How far the generator is from the data, by the masses of bins.

    On the line the masses are exact, and the error is what bins half as wide have brought.  In the plane they
    come from samples, of which narrow bins get too few: the bins are the narrowest whose bias is small, and
    the error is that bias and what bins twice or half as wide make of it.
    """
    low, high, bins, data = target.low, target.high, target.bins, target.masses
    if target.density.dimension == 1:
        ends = mapped(generator, even_latents(prior, CELLS + 1))[:, 0]
        masses = masses_of_cells(ends, float(low[0]), float(high[0]), bins)
        jsd = binned_jsd(data, masses)
        return Distance(jsd, jsd - binned_jsd(merged(data), merged(masses)), data, masses)
    samples = mapped(generator, even_latents(prior, SPREAD))
    # of a Sobol sequence every second point lies on one side: its halves are the first and the last
    halves = [masses_of_points(half, low, high, bins) for half in samples.chunk(2)]
    rounds = [(data, halves)]
    while len(data) > COARSEST:
        data, halves = merged(data), [merged(half) for half in halves]
        rounds.append((data, halves))
    found = [_corrected(*masses) for masses in rounds]
    chosen = next((i for i, (_, bias) in enumerate(found) if abs(bias) <= BIAS), len(found) - 1)
    jsd, bias = found[chosen]
    error = abs(bias) + max(abs(jsd - other) for other, _ in found[max(0, chosen - 1) : chosen + 2])
    data, halves = rounds[chosen]
    return Distance(jsd, error, data, (halves[0] + halves[1]) / 2)


@contextlib.contextmanager
def evaluating(*players: nn.Module) -> Iterator[None]:
    """Players in evaluation mode within the block, afterwards in the mode they had."""
    before = [player.training for player in players]
    for player in players:
        player.eval()
    try:
        yield
    finally:
        for player, mode in zip(players, before, strict=True):
            player.train(mode)


def _judged(
    generator: nn.Module,
    discriminator: nn.Module,
    prior: Prior,
    target: Target,
    random: torch.Generator,
    probability: bool,
) -> tuple[Judge, Tensor, Tensor]:
    """x -> log odds, and those of fresh data and of fresh samples."""
    device = next(discriminator.parameters()).device

    @torch.no_grad()
    def score(x: Tensor) -> Tensor:
        parts = [discriminator(part.float().to(device), None) for part in x.split(2**14)]
        return torch.cat(parts).double().cpu()

    count = FRESH if probability else 2 * FRESH
    fresh = target.density.sample(count, random), mapped(generator, prior(count, random))
    real, fake = (score(x) for x in fresh)
    if not bool(real.isfinite().all() and fake.isfinite().all()):
        raise NonFiniteError(
            "D's output or G's is no longer a number; try a smaller learning rate or penalties.r1.weight=1"
        )
    if probability:
        return score, real, fake
    line = calibrate(real[::2], fake[::2])
    return lambda x: line(score(x)), line(real[1::2]), line(fake[1::2])


def _value(real: Tensor, fake: Tensor) -> tuple[float, float]:
    """V = E log D(x) + E log(1 − D(G(z))) and its standard error; Goodfellow et al. (2014), Eq. 1."""
    gains = logsigmoid(real), logsigmoid(-fake)
    variance = sum(float(gain.var()) / len(gain) for gain in gains)
    return sum(float(gain.mean()) for gain in gains), math.sqrt(variance)


def _on_the_line(generator: nn.Module, prior: Prior, target: Target, apart: Distance, judge: Judge) -> Line:
    """The picture: the middle half of the bins, by eights."""
    bins, width = target.bins // 8, 8 * float(target.high[0] - target.low[0]) / target.bins
    drawn = slice(bins // 4, 3 * bins // 4)
    p, q = (merged(merged(merged(mass)))[drawn] / width for mass in (apart.data, apart.generator))
    places = target.centres(bins)[drawn]
    z = even_latents(prior, CELLS + 1)[:: CELLS // (ARROWS - 1)]
    return Line(
        x=places[:, 0].numpy(),
        data=p.numpy(),
        generator=q.numpy(),
        d=judge(places).sigmoid().numpy(),
        optimal=_optimal(p, q, NOTHING * float(p.max())),
        z=z[:, 0].numpy(),
        mapped=mapped(generator, z)[:, 0].numpy(),
        top=1.75 * float(p.max()),
    )


def _in_the_plane(target: Target, apart: Distance, judge: Judge) -> Plane:
    """The picture: D and the data as fine as can be seen, what comes from samples as fine as they allow."""
    area = float((target.high - target.low).prod())
    p, q = (masses * masses.numel() / area for masses in (apart.data, apart.generator))
    bins = target.bins // 2
    d = judge(target.centres(bins)).sigmoid().view(bins, bins)
    (left, bottom), (right, top) = target.low.tolist(), target.high.tolist()
    # transposed: rows are the second coordinate, which goes up
    return Plane(
        limits=((left, right), (bottom, top)),
        data=(merged(target.masses) * bins**2 / area).T.numpy(),
        generator=q.T.numpy(),
        d=d.T.numpy(),
        optimal=_optimal(p, q, 2 / SPREAD * p.numel() / area).T,
    )


def _corrected(p: Tensor, halves: list[Tensor]) -> tuple[float, float]:
    """JSD less its bias by the number of samples, and that bias.

    A finite sample looks farther off than its generator is, by something in proportion to 1/n or less: what
    half of the samples have more of it is all that the whole has left, or more.
    """
    whole = binned_jsd(p, (halves[0] + halves[1]) / 2)
    bias = sum(binned_jsd(p, half) for half in halves) / 2 - whole
    return max(0.0, whole - bias), bias


def _optimal(p: Tensor, q: Tensor, least: float) -> NDArray[np.float64]:
    """D* = p/(p + q), Goodfellow et al. (2014), Proposition 1; NaN where both are at most `least`."""
    best: NDArray[np.float64] = torch.where((p > least) | (q > least), p / (p + q), math.nan).numpy()
    return best
