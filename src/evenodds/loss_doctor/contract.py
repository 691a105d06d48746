"""What Algorithm 1 asks of a loss: one finite value per example, with gradients in the right directions."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from ..losses import AdversarialLoss, PairLoss
from .findings import Finding

BATCH = "batch"  # name of a finding
COUNT = 6  # logits on either side
ORDINARY = (-30.0, -5.0, -1.0, -0.5, 0.0, 0.5, 1.0, 5.0, 30.0)  # logits that every game meets
EXTREME = (-150.0, 150.0)  # e^150 is beyond float32
STARTS = (-1.0, -0.3, 0.0, 0.3, 1.0)  # logits from which both players take their steps
STEPS, RATE = 20, 0.05


class Sides(NamedTuple):
    """Both functions by the names that are used for them in sentences."""

    discriminator: PairLoss
    generator: PairLoss

    def named(self) -> dict[str, PairLoss]:
        """D's and G's."""
        return {"the discriminator's loss": self.discriminator, "the generator's loss": self.generator}


def check_contract(loss: AdversarialLoss) -> list[Finding]:
    """Findings in order; after a bad one of shapes or values nothing further can be found out.

    Args:
        loss: to test.

    Raises:
        ConfigError: its code fails.
    """
    sides, findings = Sides(loss.discriminator, loss.generator), []
    for check in (_shapes, _values, _gradients):
        findings.append(check(sides))
        if findings[-1].mark == "bad":
            return findings
    return [*findings, _mixing(sides, paired=loss.paired), _pairing(loss), _directions(loss)]


def _logits(seed: int) -> Tensor:
    """(COUNT,) float64."""
    return torch.randn(COUNT, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def _shapes(sides: Sides) -> Finding:
    for name, side in sides.named().items():
        value = side(_logits(0), _logits(1))
        if not isinstance(value, Tensor):
            kind = type(value).__name__
            return Finding("shape", "bad", f"{name} returns a {kind}; return a tensor, one value per example")
        if value.shape != (COUNT,):
            found = f"{name} returns shape {tuple(value.shape)} for {COUNT} logits"
            averaged = "; leave out the mean" if value.ndim == 0 else ""
            return Finding("shape", "bad", f"{found}; return ({COUNT},), one value per example{averaged}")
    return Finding("shape", "good", "one value per example, (N,), on both sides")


def _values(sides: Sides) -> Finding:
    for name, side in sides.named().items():
        for values, mark in ((ORDINARY, "bad"), (EXTREME, "note")):
            pairs = torch.cartesian_prod(torch.tensor(values), torch.tensor(values))
            lost = ~side(*pairs.T).isfinite()
            if lost.any():
                real, fake = pairs[int(lost.nonzero()[0])].tolist()
                found = float(side(*torch.tensor([[real], [fake]])))
                at = f"{name} is {found} at the logits real {real:g}, fake {fake:g}"
                remedy = "logits are unbounded: use softplus or logsigmoid instead of log and exp"
                return Finding("values", "bad" if mark == "bad" else "note", f"{at}; {remedy}")
    return Finding("values", "good", f"finite for logits from {EXTREME[0]:g} to {EXTREME[1]:g}")


def gradients(side: PairLoss, real: Tensor, fake: Tensor) -> tuple[Tensor, Tensor]:
    """∂ Σ loss / ∂ real and / ∂ fake, of the logits' shape; 0 where nothing depends on them."""
    real, fake = real.detach().requires_grad_(), fake.detach().requires_grad_()
    value = side(real, fake).sum()
    if not value.requires_grad:
        return torch.zeros_like(real), torch.zeros_like(fake)
    found = torch.autograd.grad(value, (real, fake), materialize_grads=True)
    return found[0], found[1]


def _gradients(sides: Sides) -> Finding:
    grid = torch.cartesian_prod(*2 * [torch.tensor(ORDINARY, dtype=torch.float64)]).T
    by_real, by_fake = gradients(sides.discriminator, *grid)
    moves = {
        "the discriminator's loss, by the real logits": by_real,
        "the discriminator's loss, by the fake logits": by_fake,
        "the generator's loss, by the fake logits": gradients(sides.generator, *grid)[1],
    }
    for name, gradient in moves.items():
        if not gradient.isfinite().all():
            return Finding("gradients", "bad", f"{name}, has a gradient that is no number; avoid roots of 0")
        if not gradient.any():
            remedy = "do not detach, and do not leave PyTorch"
            return Finding("gradients", "bad", f"{name}, has no gradient: nothing is learnt; {remedy}")
    return Finding("gradients", "good", "finite, and both players have one")


def _mixing(sides: Sides, *, paired: bool) -> Finding:
    """Examples are changed one at a time: a gradient would not see a statistic that was detached.

    A paired loss may compare with the batch's mean, as the relativistic average does (Jolicoeur-Martineau
    2019, section 4.2); its gradients then depend on the batch's size.
    """
    for name, side in sides.named().items():
        real, fake = _logits(0), _logits(1)
        changed = [logits.index_fill(0, torch.tensor([0]), 3.0) for logits in (real, fake)]
        for pair in ((changed[0], fake), (real, changed[1])):
            if not torch.allclose(side(*pair)[1:], side(real, fake)[1:], rtol=1e-9, atol=1e-12):
                found = f"{name} of one example depends on the other examples of the batch"
                cost = "it changes with batch_size and micro_batch"
                if paired:
                    return Finding(BATCH, "note", f"{found}, so {cost}")
                return Finding(BATCH, "bad", f"{found}, so {cost}; leave averages to the training step")
    return Finding(BATCH, "good", "each example's loss is its own")


def _pairing(loss: AdversarialLoss) -> Finding:
    real, fake = _logits(0), _logits(1)
    looks = not torch.equal(loss.generator(real, fake), loss.generator(real + 1, fake))
    if looks and not loss.paired:
        remedy = "it would be given fake ones in their place; set paired=True"
        return Finding(
            "pairs", "bad", f"the generator's loss looks at real logits, but paired is False: {remedy}"
        )
    if loss.paired and not looks:
        cost = "paired=True costs a batch of real examples and changes nothing; leave it out"
        return Finding("pairs", "note", f"the generator's loss does not look at real logits: {cost}")
    return Finding(
        "pairs", "good", "pairs of real and fake logits" if looks else "G's loss sees fake logits only"
    )


def _directions(loss: AdversarialLoss) -> Finding:
    """Both players take steps of their own on free logits, from several places."""
    real = torch.tensor(STARTS, dtype=torch.float64)
    fake = real.clone()
    for _ in range(STEPS):
        by_real, by_fake = gradients(loss.discriminator, real, fake)
        real, fake = real - RATE * by_real, fake - RATE * by_fake
    gap = float((real - fake).mean())
    raised = -float(gradients(loss.generator, real, torch.tensor(STARTS, dtype=torch.float64))[1].mean())
    if gap < 0 and raised < 0:
        both = "D's logit is low for real and G lowers it: both signs are turned round"
        return Finding("directions", "bad", f"{both}; let a high logit mean real, as everywhere here")
    if gap <= 0:
        remedy = "are real and fake exchanged?"
        return Finding("directions", "bad", f"steps of D lower real logits below fake ones; {remedy}")
    if raised <= 0:
        remedy = "change the generator's sign"
        return Finding("directions", "bad", f"steps of G lower D's logit of its samples; {remedy}")
    return Finding("directions", "good", "D's steps raise real above fake, G's raise fake")
