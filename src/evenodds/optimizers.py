"""How a player's weights follow its gradient: optimizers whose numbers may be schedules."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import NamedTuple, Protocol

import torch
from torch import nn
from torch.optim import Optimizer

from .algorithm import GAN
from .errors import ConfigError
from .schedules import Schedule

Rate = float | Schedule  # a number, or a function of the training examples seen


class OptimizerRule(Protocol):
    """What may stand in `OPTIMIZERS`."""

    def optimizer(self, parameters: Iterable[nn.Parameter]) -> Optimizer:
        """A fresh optimizer of these weights."""

    def set_rates(self, optimizer: Optimizer, examples: int, previous: int) -> None:
        """Set its numbers for the update after `examples`; the update before came after `previous`.

        Args:
            optimizer: that `optimizer` made.
            examples: training examples seen before this update.
            previous: training examples seen before the update before this one.

        Raises:
            ConfigError: a schedule has left its range.
        """


def at(rate: Rate, examples: int) -> float:
    """The value of a number or schedule after so many training examples."""
    return rate(examples) if callable(rate) else float(rate)


def checked(name: str, rate: Rate, examples: int, below: float = math.inf) -> float:
    """`at`, for a number that must be from 0 and below a bound.

    Raises:
        ConfigError: it is not.
    """
    try:
        value = at(rate, examples)
    except ArithmeticError as error:
        found = f"the schedule of {name} has no value after {examples:,} examples ({error})"
        raise ConfigError(f"{found}; give it per and until above 0") from None
    if not 0 <= value < below:
        bound = "" if below == math.inf else f" and below {below:g}"
        found = f"{name} is {value:g} after {examples:,} examples and must be from 0{bound}"
        raise ConfigError(f"{found}; change it or its schedule")
    return value


@dataclass(frozen=True, kw_only=True)
class Adam:
    """Adam, Kingma and Ba (2015), Algorithm 1; fused, which spares a CPU most of the update's time."""

    learning_rate: Rate = 2e-4
    beta1: Rate = 0.5
    beta2: Rate = 0.999
    epsilon: float = 1e-8

    def __post_init__(self) -> None:
        checked("epsilon", self.epsilon, 0)
        self._rates(0)

    def optimizer(self, parameters: Iterable[nn.Parameter]) -> Optimizer:
        """torch.optim.Adam."""
        return torch.optim.Adam(parameters, eps=self.epsilon, fused=True)

    def set_rates(self, optimizer: Optimizer, examples: int, previous: int) -> None:
        """Learning rate and betas."""
        rate, betas = self._rates(examples)
        for group in optimizer.param_groups:
            group["lr"], group["betas"] = rate, betas

    def _rates(self, examples: int) -> tuple[float, tuple[float, float]]:
        betas = (checked("beta1", self.beta1, examples, 1), checked("beta2", self.beta2, examples, 1))
        return checked("learning_rate", self.learning_rate, examples), betas


@dataclass(frozen=True, kw_only=True)
class SGD:
    """v ← m·v − lr·g, w ← w + v: gradient descent with momentum (Polyak 1964), as in the 2014 code."""

    learning_rate: Rate = 0.1
    momentum: Rate = 0.0

    def __post_init__(self) -> None:
        checked("learning_rate", self.learning_rate, 0)
        checked("momentum", self.momentum, 0, 1)

    def optimizer(self, parameters: Iterable[nn.Parameter]) -> Optimizer:
        """torch.optim.SGD."""
        return torch.optim.SGD(parameters, lr=0.1, momentum=0.5, fused=True)

    def set_rates(self, optimizer: Optimizer, examples: int, previous: int) -> None:
        """Learning rate and momentum.

        PyTorch keeps u = −v/lr, so that a changed rate would rescale the velocity; momentum times the ratio
        of the rates undoes that exactly (of several critic steps in one iteration, for the first).  Where the
        rate is 0 the weights stand still, and the velocity is lost.
        """
        rate = checked("learning_rate", self.learning_rate, examples)
        ratio = at(self.learning_rate, previous) / rate if rate else 0.0
        for group in optimizer.param_groups:
            group["lr"] = rate
            group["momentum"] = checked("momentum", self.momentum, examples, 1) * ratio


@dataclass(frozen=True, kw_only=True)
class RMSprop:
    """RMSprop, Tieleman and Hinton (2012); used by Arjovsky et al. (2017) and Mescheder et al. (2018)."""

    learning_rate: Rate = 1e-4
    smoothing: float = 0.99
    epsilon: float = 1e-8

    def __post_init__(self) -> None:
        checked("learning_rate", self.learning_rate, 0)
        checked("smoothing", self.smoothing, 0, 1)
        checked("epsilon", self.epsilon, 0)

    def optimizer(self, parameters: Iterable[nn.Parameter]) -> Optimizer:
        """torch.optim.RMSprop."""
        return torch.optim.RMSprop(parameters, alpha=self.smoothing, eps=self.epsilon)

    def set_rates(self, optimizer: Optimizer, examples: int, previous: int) -> None:
        """Learning rate."""
        for group in optimizer.param_groups:
            group["lr"] = checked("learning_rate", self.learning_rate, examples)


OPTIMIZERS: dict[str, type[Adam] | type[SGD] | type[RMSprop]] = {"adam": Adam, "sgd": SGD, "rmsprop": RMSprop}


class Rules(NamedTuple):
    """Everything about a game that changes with the training examples seen."""

    discriminator: OptimizerRule
    generator: OptimizerRule
    penalty_weights: Mapping[str, Schedule]  # of the penalties whose weight is a schedule
    augment: Callable[[GAN, int, int], None] | None = None  # sets its probability, by `apply`'s counts

    def apply(self, gan: GAN, examples: int, previous: int, *, factor: float = 1.0) -> None:
        """Set it for the iteration after `examples`; the iteration before came after `previous`.

        Args:
            gan: its optimizers, penalties and augmentation are set.
            examples: training examples seen before the iteration.
            previous: the same of the iteration before it.
            factor: that both players' learning rates are multiplied by.
        """
        self.discriminator.set_rates(gan.discriminator_optimizer, examples, previous)
        self.generator.set_rates(gan.generator_optimizer, examples, previous)
        if factor != 1:
            for optimizer in (gan.discriminator_optimizer, gan.generator_optimizer):
                for group in optimizer.param_groups:
                    group["lr"] *= factor
        if self.augment:
            self.augment(gan, examples, previous)
        if self.penalty_weights:
            changed = {}
            for name, schedule in self.penalty_weights.items():
                weight = checked(f"the weight of penalty {name!r}", schedule, examples)
                changed[name] = replace(gan.penalties[name], weight=weight)  # type: ignore[type-var]
            gan.penalties = {**gan.penalties, **changed}
