"""Augmentation in a run: built from the config, its probability following a schedule or D's over-fitting."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn

from .algorithm import GAN, Batch, generate_like, micro_batches, score
from .augment import ADA, AUGMENTS, Pipeline
from .components import build, build_schedules
from .config import Component, Config
from .data.dataset import Dataset
from .data.loader import Loader
from .errors import ConfigError
from .optimizers import checked
from .referee.gauge import LOG_ODDS
from .referee.scores import evaluating
from .schedules import Schedule

Follow = Callable[[GAN, int, int], None]  # (game, examples seen, before the iteration before)


def build_augment(config: Config, dataset: Dataset) -> tuple[nn.Module, Follow | None]:
    """The augmentation, and what sets its probability while training; the identity where none is asked for.

    Raises:
        ConfigError: an unknown name or option, a refused value, or data that can't be augmented so.
    """
    if config.augment is None:
        return nn.Identity(), None
    options = build_schedules(config.augment)
    schedule = options.get("probability")
    if callable(schedule):
        for examples in (0, config.examples):
            if checked("the probability of augment", schedule, examples) > 1:
                raise ConfigError(
                    f"the probability of augment is {schedule(examples):g} after {examples:,} examples; "
                    "give its schedule values from 0 to 1"
                )
        options["probability"] = schedule(0)
    augment = augment_for(dataset, options)
    return augment, _follower(augment, schedule if callable(schedule) else None, config, dataset)


def augment_for(dataset: Dataset, spec: Component) -> nn.Module:
    """An augmentation of that data.

    Raises:
        ConfigError: an unknown name or option, a refused value, or data that can't be augmented so.
    """
    offered = {
        "sample_shape": dataset.sample_shape,
        "value_range": dataset.value_range,
        "premultiplied": dataset.premultiplied,
    }
    augment: nn.Module = build("augment", AUGMENTS, spec, **offered)
    return augment


def _follower(
    augment: nn.Module, schedule: Schedule | None, config: Config, dataset: Dataset
) -> Follow | None:
    """What sets the probability of this augmentation; None where it stays as it is.

    Raises:
        ConfigError: a schedule and a target, or r_t where D's score is no log odds.
    """
    if isinstance(augment, ADA) and augment.target is not None:
        if schedule is not None:
            raise ConfigError("augment has a schedule and a target for its probability; set target=null")
        if augment.signal == "sign" and config.loss["name"] not in LOG_ODDS:
            raise ConfigError(
                f"augment.signal=sign asks whether D's score is above 0, which means nothing to the loss "
                f"{config.loss['name']!r}; set augment.signal=held_out"
            )
        return Adaptation(config, dataset)
    if schedule is None:
        return None
    chosen = schedule

    def follow(gan: GAN, examples: int, previous: int) -> None:
        set_probability(gan.augment, chosen(examples))

    return follow


def set_probability(augment: Callable[..., object], value: float) -> None:
    """p of an augmentation that has one."""
    if isinstance(augment, (ADA, Pipeline)):
        augment.set_probability(value)


class Adaptation:
    """Measures D's over-fitting every so many examples, and moves ADA's probability accordingly.

    A minibatch each of training data that D sees next, of held-out data and of samples are augmented alike
    and scored by D in evaluation mode; the numbers come from the global generator, always in this order.
    Which examples are taken follows from the count of examples seen, so that a resumed run measures the same.

    Args:
        config: of the run.
        dataset: its validation split is what is held out.

    Raises:
        DataError: that split is too small for a pack.
    """

    def __init__(self, config: Config, dataset: Dataset) -> None:
        held_out = min(config.batch_size, len(dataset.validation))
        held_out = max(held_out - held_out % config.packing, config.packing)
        self._train, self._held_out = (
            Loader(split, size, seed=config.seed, value_range=dataset.value_range, mirror=config.mirror)
            for split, size in ((dataset.train, config.batch_size), (dataset.validation, held_out))
        )

    def __call__(self, gan: GAN, examples: int, previous: int) -> None:
        """Measure and move p where a multiple of `every` was passed between both counts."""
        ada = gan.augment
        assert isinstance(ada, ADA)  # by build_augment
        passed = examples // ada.every - previous // ada.every
        if not passed:
            return
        device = next(gan.discriminator.parameters()).device
        self._train.position = gan.iteration * (gan.critic_steps + gan.loss.paired)
        self._held_out.position = examples // ada.every
        train, held_out = (_on(device, next(loader)) for loader in (self._train, self._held_out))
        with evaluating(gan.generator, gan.discriminator):
            logits = [_logits(gan, batch) for batch in (train, held_out, generate_like(gan, train))]
        ada.follow(*logits, examples=passed * ada.every)


def _on(device: torch.device, batch: Batch) -> Batch:
    return Batch(batch.x.to(device), None if batch.y is None else batch.y.to(device))


def _logits(gan: GAN, batch: Batch) -> torch.Tensor:
    """(N,) of augmented examples, as few at a time as in training."""
    parts = micro_batches(batch, gan.micro_batch or len(batch.x))
    return torch.cat([score(gan, part).logits for part in parts])


def strength(augment: Callable[..., object]) -> dict[str, float]:
    """What a report says of an augmentation: p, and the over-fitting that it follows."""
    if isinstance(augment, Pipeline):
        return {"augment/probability": float(augment.probability)}
    if not isinstance(augment, ADA):
        return {}
    found = {"augment/probability": augment.probability}
    return found if augment.target is None else found | {"augment/overfit": float(augment.overfitting)}
