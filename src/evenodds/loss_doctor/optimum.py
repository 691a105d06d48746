"""The best discriminator of a loss: against two known densities, and where data and samples are the same."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor
from torch.optim import Adam

from ..losses import AdversarialLoss
from .findings import Finding

POINTS = torch.linspace(-4.5, 5.5, 75, dtype=torch.float64)
MEANS = (0.0, 1.0)  # of p and q, Gaussians of deviation 1
STEPS, RATE = 400, 0.2
LEAST_MASS = 1e-3  # of a point's share in p or q: below, its D is moved by next to nothing
CONSTANTS = 0.05 * torch.arange(-100, 101, dtype=torch.float64)
TABLES = 24  # random discriminators that a constant one is compared with


class Optimum(NamedTuple):
    """D at its best on a grid of points.

    Args:
        logits: (POINTS,) of each point.
        loss: the mean loss of D there.
        unbounded: whether larger logits of the same signs are always better.
    """

    logits: Tensor
    loss: float
    unbounded: bool


def optimal_discriminator(loss: AdversarialLoss) -> Optimum:
    """D, free at every point, trained until it rests, for p = N(0, 1) and q = N(1, 1).

    Real and fake are independent, so every pair of points (i, j) counts p_i q_j; losses of pairs
    (relativistic ones) need no other treatment than the rest.
    """
    p, q = _shares()
    logits = torch.zeros_like(POINTS).requires_grad_()
    optimizer = Adam([logits], lr=RATE, eps=1e-14)
    for step in range(STEPS):
        # to zero, so that the corners of a hinge are reached, too
        optimizer.param_groups[0]["lr"] = RATE * (1 + math.cos(math.pi * step / STEPS)) / 2
        optimizer.zero_grad()
        _expected(loss, logits, p, q).backward()
        optimizer.step()
    with torch.no_grad():
        least, further = (float(_expected(loss, scale * logits, p, q)) for scale in (1.0, 1.5))
    return Optimum(logits.detach(), least, further < least - 1e-2)


def check_optimum(loss: AdversarialLoss, *, theory: float | None = None) -> Finding:
    """Whether the best D orders points by p/q, and what its logits are.

    Args:
        loss: to test.
        theory: the best D's loss in closed form, where it is known.
    """
    name, found = "best D", optimal_discriminator(loss)
    p, q = _shares()
    heavy = torch.maximum(p, q) > LEAST_MASS
    logits, odds = found.logits[heavy], (p.log() - q.log())[heavy]
    rising = logits[odds.argsort()]
    drop = float((rising.cummax(0).values - rising).max())
    if not (float(rising[-1] - rising[0]) > 0 and drop <= 0.03 * float(rising[-1] - rising[0])):
        wrong = "the best D does not rise with the odds p/q of the densities it is trained on"
        return Finding(name, "bad", f"{wrong}: it misleads G; look at the discriminator's loss")
    if found.unbounded:
        bound = "its loss has no least value, so it needs a bound (R1, wgan_gp or weight_clip)"
        return Finding(name, "note", f"the best D rises with p/q, but {bound}")
    off = float((logits - odds).abs().max())
    kind = "is the log odds log p/q" if off < 0.05 else "rises with p/q, but is a score and no log odds"
    held = "" if theory is None else f", in theory {theory:.3f}"
    return Finding(
        name, "good", f"trained on N(0,1) against N(1,1), it {kind}; its loss {found.loss:.3f}{held}"
    )


def resting_constant(loss: AdversarialLoss) -> float | None:
    """The constant c nearest to 0 at which D rests while samples and data are the same; None: there is none.

    There D's derivative by a common shift of all its logits, d L(c, c) / dc, is 0 and not falling.
    """

    def slope(constants: Tensor) -> Tensor:
        logits = constants.detach().requires_grad_()
        value = loss.discriminator(logits, logits)
        zero = torch.zeros_like(constants)
        return torch.autograd.grad(value.sum(), logits)[0] if value.requires_grad else zero

    slopes = slope(CONSTANTS)
    flat = CONSTANTS[slopes.abs() < 1e-9].tolist()
    crossing = (slopes[:-1] < 0) & (slopes[1:] > 0)
    for low, high in zip(CONSTANTS[:-1][crossing].tolist(), CONSTANTS[1:][crossing].tolist(), strict=True):
        for _ in range(50):
            middle = (low + high) / 2
            low, high = (middle, high) if float(slope(torch.tensor([middle]).double())) < 0 else (low, middle)
        flat.append((low + high) / 2)
    return min(flat, key=abs, default=None)


def check_rest(loss: AdversarialLoss) -> Finding:
    """Whether equal densities leave D nothing to learn."""
    name, constant = "equal odds", resting_constant(loss)
    if constant is None:
        moved = "with samples equal to the data, no constant D rests: its logits run away together"
        return Finding(name, "bad", f"{moved}; let the two halves of its loss balance")
    random = torch.Generator().manual_seed(0)
    same = torch.full((21,), 1 / 21, dtype=torch.float64)
    rest = float(_expected(loss, torch.full((21,), constant, dtype=torch.float64), same, same))
    for scale in (0.1, 1.0) * (TABLES // 2):
        table = constant + scale * torch.randn(21, dtype=torch.float64, generator=random)
        if float(_expected(loss, table, same, same)) < rest - 1e-9:
            wrong = "with samples equal to the data, D lowers its loss by telling them apart"
            return Finding(name, "bad", f"{wrong}; its loss rewards differences that are not there")
    return Finding(name, "good", f"with samples equal to the data, D rests at {constant:g} everywhere")


def _shares() -> tuple[Tensor, Tensor]:
    """p and q of every point, each summing to 1."""
    p, q = (torch.exp(-((POINTS - mean) ** 2) / 2) for mean in MEANS)
    return p / p.sum(), q / q.sum()


def _expected(loss: AdversarialLoss, logits: Tensor, p: Tensor, q: Tensor) -> Tensor:
    """E L(d(x), d(x′)) over x ~ p and x′ ~ q, for logits, p and q of shape (K,)."""
    count = len(logits)
    real, fake = logits.repeat_interleave(count), logits.repeat(count)
    return (loss.discriminator(real, fake) * torch.outer(p, q).flatten()).sum()
