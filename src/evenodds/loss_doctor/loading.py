"""A loss by its name, or from a Python file that its user names, and so runs, on purpose."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import NamedTuple

import torch
from torch import Tensor

from ..errors import ConfigError, suggest
from ..losses import LOSSES, AdversarialLoss, PairLoss
from ..plugins import blaming, run_file

MODULE = "evenodds_loss_under_test"
SIDES = ("discriminator", "generator")


class NamedLoss(NamedTuple):
    """A loss and what to call it.

    Args:
        name: of a loss in LOSSES, or of the file.
        loss: whose functions raise a ConfigError that names the line, should the file's own code fail.
        known: whether it is one of LOSSES.
    """

    name: str
    loss: AdversarialLoss
    known: bool = False


def load_loss(argument: str) -> NamedLoss:
    """The loss that `argument` stands for.

    A file defines `loss = AdversarialLoss(…)`, or two functions `discriminator(real, fake)` and
    `generator(real, fake)`; one AdversarialLoss under any other name will do, too.

    Args:
        argument: a name in LOSSES, or the path of a Python file; the file is run.

    Raises:
        ConfigError: no such loss or file, or a file that can't be run or defines no loss.
    """
    if argument in LOSSES:
        return NamedLoss(argument, LOSSES[argument], known=True)
    path = Path(argument)
    if path.suffix != ".py":
        raise ConfigError(f"unknown loss {argument!r}{suggest(argument, LOSSES)} (or give a file mine.py)")
    loss = _defined(run_file(path, MODULE, "a loss"), path)
    discriminator, generator = (_guarded(getattr(loss, side), path) for side in SIDES)
    return NamedLoss(path.name, AdversarialLoss(discriminator, generator, loss.paired))


def _defined(module: ModuleType, path: Path) -> AdversarialLoss:
    """The loss that a module defines."""
    found = {key: value for key, value in vars(module).items() if isinstance(value, AdversarialLoss)}
    if "loss" in vars(module) and "loss" not in found:
        kind = type(module.loss).__name__
        raise ConfigError(
            f"{path}: loss is a {kind}; write loss = AdversarialLoss(discriminator=…, generator=…)"
        )
    own = list({id(value): value for value in found.values() if value not in LOSSES.values()}.values())
    if "loss" in found:
        return found["loss"]
    if len(own) == 1:
        return own[0]
    if own:
        raise ConfigError(
            f"{path} defines the losses {', '.join(sorted(found))}; call the one to test: loss = …"
        )
    sides = {side: getattr(module, side, None) for side in SIDES}
    for side, function in sides.items():
        if not callable(function):
            raise ConfigError(
                f"{path} defines no loss: it has no function {side}(real, fake); define it, or "
                "loss = AdversarialLoss(discriminator=…, generator=…)"
            )
    return AdversarialLoss(
        module.discriminator, module.generator, paired=_looks_at_real(_guarded(module.generator, path))
    )


def _looks_at_real(generator: PairLoss) -> bool:
    """Whether other real logits give another loss of G: two bare functions do not say so themselves."""
    fake = torch.linspace(-1, 1, 4, dtype=torch.float64)
    one, other = (generator(real, fake) for real in (torch.zeros_like(fake), torch.ones_like(fake)))
    return not (isinstance(one, Tensor) and isinstance(other, Tensor) and torch.equal(one, other))


def _guarded(function: PairLoss, path: Path) -> PairLoss:
    """One side of a loss, whose failures become one sentence."""

    def call(real: Tensor, fake: Tensor) -> Tensor:
        with blaming(path):
            return function(real, fake)

    return call
