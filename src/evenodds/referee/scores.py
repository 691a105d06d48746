"""What D's scores say: V and its bounds on held-out data, over-fitting, and how much gradient G gets."""

from __future__ import annotations

import contextlib
import itertools
import math
from collections.abc import Iterator, Mapping
from statistics import NormalDist

import torch
from torch import Tensor, nn
from torch.nn.functional import logsigmoid

from ..algorithm import GAN
from ..errors import NonFiniteError
from .gauge import LOG_ODDS, gauge

BLOCK = 256  # examples in one pass of a measurement
LEVEL = 0.95  # of the gauge's intervals
LEAST_LOGITS = 20  # on each side, for a gauge
CLEAR = 3.0  # standard errors by which D must tell training data from fakes before it can over-fit


@contextlib.contextmanager
def evaluating(*networks: nn.Module) -> Iterator[None]:
    """All networks in evaluation mode and without gradients; after it every layer's mode is as before."""
    modes = [(layer, layer.training) for network in networks for layer in network.modules()]
    for network in networks:
        network.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        for layer, mode in modes:
            layer.training = mode


def in_blocks(network: nn.Module, x: Tensor, y: Tensor | None, *, pack: int = 1) -> Tensor:
    """`network(x, y)` for many examples, a block at a time: a thousand may not fit where a batch does.

    Args:
        network: a player in evaluation mode.
        x: (N, …) examples or latents.
        y: (N,) labels, or None.
        pack: examples that it judges together; N is a multiple.
    """
    size = max(1, BLOCK // pack) * pack
    labels = itertools.repeat(None) if y is None else y.split(size)
    return torch.cat([network(part, label) for part, label in zip(x.split(size), labels, strict=False)])


def held_out_values(real: Tensor, fake: Tensor, iteration: int) -> dict[str, float]:
    """d/held_out, D's mean on held-out data, and value/held_out, V(D, G) in nats; 2014, Eq. 1.

    Args:
        real: (N,) logits of held-out examples.
        fake: (M,) logits of as many fresh samples.
        iteration: for the message.

    Raises:
        NonFiniteError: one of both is no number.
    """
    line = {"d/held_out": float(real.sigmoid().mean()), "value/held_out": value(real, fake)}
    for name, mean in line.items():
        if not math.isfinite(mean):
            raise NonFiniteError(f"{name} is {mean} at iteration {iteration}")
    return line


def value(real: Tensor, fake: Tensor) -> float:
    """V(D, G) = E log D(x) + E log(1 − D(G(z))) in nats, Goodfellow et al. (2014), Eq. 1.

    Args:
        real: (N,) logits of real examples.
        fake: (M,) logits of generated ones.
    """
    return float(logsigmoid(real).mean() + logsigmoid(-fake).mean())


def gauge_signals(real: Tensor, fake: Tensor, *, loss: str, pack: int) -> dict[str, float]:
    """V with its standard error, and what it proves of JSD and TV; nothing from fewer than 20 logits.

    A D that judges packs of m compares p^m with q^m.  JSD(p^m, q^m) ≤ m JSD(p, q), as m independent examples
    tell no more than m times what one tells of where they are from, and so for TV; a bound divided by m
    therefore holds for single examples.

    Args:
        real: (N,) logits of held-out examples.
        fake: (M,) logits of fresh samples.
        loss: name of the game's loss.
        pack: m, 1 without packing.
    """
    finite = bool(real.isfinite().all() and fake.isfinite().all())
    if min(len(real), len(fake)) < LEAST_LOGITS or not finite:
        return {}
    found = gauge(real, fake, loss=loss, level=LEVEL)
    width = NormalDist().inv_cdf((1 + LEVEL) / 2)
    return {
        "gauge/value": found.value.estimate,
        # downwards: the upper end is cut off at 0, the most that V can be
        "gauge/value/error": (found.value.estimate - found.value.low) / width,
        "gauge/jsd": found.jsd.estimate / pack,
        "gauge/jsd/low": found.jsd.low / pack,
        "gauge/tv": found.total_variation.estimate / pack,
        "gauge/tv/low": found.total_variation.low / pack,
    }


def overfitting(train: Tensor, held_out: Tensor, fake: Tensor) -> dict[str, float]:
    """r_v = (E D(train) − E D(held out)) / (E D(train) − E D(fake)); Karras et al. (2020), Eq. 1.

    0: D takes held-out data for what it was taught on; 1: for generated.  Left out while D does not clearly
    tell training data from fakes.  The error is that of the numerator and denominator together, to first
    order, from the spread of the logits.

    Args:
        train: (N,) logits of training examples, D in evaluation mode as for the others.
        held_out: (M,) logits of held-out examples.
        fake: (K,) logits of fresh samples.
    """
    sides = (train, held_out, fake)
    if min(len(side) for side in sides) < 2:
        return {}
    a, b, c = (float(side.double().mean()) for side in sides)
    variances = [float(side.double().var()) / len(side) for side in sides]
    apart = a - c
    if not apart > CLEAR * math.sqrt(variances[0] + variances[2]):
        return {}
    ratio = (a - b) / apart
    slopes = ((1 - ratio) / apart, -1 / apart, ratio / apart)
    error = math.sqrt(sum(slope**2 * variance for slope, variance in zip(slopes, variances, strict=True)))
    return {"signal/overfit": ratio, "signal/overfit/error": error}


def saturation(gan: GAN, real: Tensor, fake: Tensor) -> float:
    """Root mean square over fakes of |∂ loss of G / ∂ logit|; it vanishes where G's loss saturates.

    Minimax: σ(logit), which goes to 0 while D wins; non-saturating: 1 − σ(logit); 2014, section 3.

    Args:
        gan: for the generator's loss.
        real: (N,) logits that a paired loss compares with.
        fake: (N,) logits.
    """
    with torch.enable_grad():
        logits = fake.detach().requires_grad_()
        loss = gan.loss.generator(real.detach(), logits).sum()
        (slope,) = torch.autograd.grad(loss, logits)
    return float(slope.square().mean().sqrt())


def gradient_norm(generator: nn.Module) -> dict[str, float]:
    """Euclidean norm of the gradient that the last step left; nothing where there is none."""
    gradients = [weight.grad for weight in generator.parameters() if weight.grad is not None]
    return {"signal/gradient_norm": float(torch.nn.utils.get_total_norm(gradients))} if gradients else {}


def taken_for_real(logits: Mapping[str, Tensor], loss: str) -> dict[str, float]:
    """r_t = E sign(D(train)) over the steps since the last report; Karras et al. (2020), Eq. 1.

    Nothing where D's score is no log odds: its 0 means nothing.

    Args:
        logits: of training; "logits/real" is (N,).
        loss: name of the game's loss.
    """
    real = logits.get("logits/real")
    if real is None or not len(real) or loss not in LOG_ODDS:
        return {}
    return {"signal/sign": float(real.sign().float().mean())}
