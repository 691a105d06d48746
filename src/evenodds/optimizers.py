"""How a player's weights follow its gradient: optimizers whose numbers may be schedules."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import nn
from torch.optim import Optimizer

from .schedules import Schedule

Rate = float | Schedule  # a number, or a function of the training examples seen


class OptimizerRule(Protocol):
    """What may stand in `OPTIMIZERS`."""

    def optimizer(self, parameters: Iterable[nn.Parameter]) -> Optimizer:
        """A fresh optimizer of these weights."""

    def set_rates(self, optimizer: Optimizer, examples: int, previous: int) -> None:
        """Set its numbers for the update after `examples`; the update before came after `previous`."""


def at(rate: Rate, examples: int) -> float:
    """The value of a number or schedule after so many training examples."""
    return rate(examples) if callable(rate) else float(rate)


@dataclass(frozen=True, kw_only=True)
class Adam:
    """Adam, Kingma and Ba (2015), Algorithm 1; fused, which on a CPU is seven times as fast as the default."""

    learning_rate: Rate = 2e-4
    beta1: Rate = 0.5
    beta2: Rate = 0.999
    epsilon: float = 1e-8

    def optimizer(self, parameters: Iterable[nn.Parameter]) -> Optimizer:
        """torch.optim.Adam."""
        return torch.optim.Adam(parameters, eps=self.epsilon, fused=True)

    def set_rates(self, optimizer: Optimizer, examples: int, previous: int) -> None:
        """Learning rate and betas."""
        for group in optimizer.param_groups:
            group["lr"] = at(self.learning_rate, examples)
            group["betas"] = (at(self.beta1, examples), at(self.beta2, examples))


@dataclass(frozen=True, kw_only=True)
class SGD:
    """v ← m·v − lr·g, w ← w + v: gradient descent with classical momentum (Polyak 1964), as in the 2014 code."""

    learning_rate: Rate = 0.1
    momentum: Rate = 0.0

    def optimizer(self, parameters: Iterable[nn.Parameter]) -> Optimizer:
        """torch.optim.SGD."""
        return torch.optim.SGD(parameters, lr=0.1, momentum=0.5, fused=True)

    def set_rates(self, optimizer: Optimizer, examples: int, previous: int) -> None:
        """Learning rate and momentum.

        PyTorch keeps u = −v/lr, so that a changed rate would rescale the velocity; momentum times the ratio
        of the rates undoes that exactly.
        """
        rate = at(self.learning_rate, examples)
        for group in optimizer.param_groups:
            group["lr"] = rate
            group["momentum"] = at(self.momentum, examples) * at(self.learning_rate, previous) / rate


@dataclass(frozen=True, kw_only=True)
class RMSprop:
    """RMSprop, Tieleman and Hinton (2012); the choice of Arjovsky et al. (2017) and Mescheder et al. (2018)."""

    learning_rate: Rate = 1e-4
    smoothing: float = 0.99
    epsilon: float = 1e-8

    def optimizer(self, parameters: Iterable[nn.Parameter]) -> Optimizer:
        """torch.optim.RMSprop."""
        return torch.optim.RMSprop(parameters, alpha=self.smoothing, eps=self.epsilon)

    def set_rates(self, optimizer: Optimizer, examples: int, previous: int) -> None:
        """Learning rate."""
        for group in optimizer.param_groups:
            group["lr"] = at(self.learning_rate, examples)


OPTIMIZERS: dict[str, type[Adam] | type[SGD] | type[RMSprop]] = {"adam": Adam, "sgd": SGD, "rmsprop": RMSprop}
