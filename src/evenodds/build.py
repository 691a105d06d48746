"""From a config to the game, in one place."""

from __future__ import annotations

import inspect

import torch
from torch import Tensor

from .adaptation import build_augment
from .algorithm import GAN
from .compatibility import check_compatible
from .components import build as build
from .components import (
    build_discriminator,
    build_generator,
    build_loss,
    build_optimizer,
    build_penalties,
    build_prior,
)
from .config import Config
from .data.dataset import Dataset
from .errors import ConfigError
from .networks import GENERATORS
from .optimizers import Rules


def build_gan(config: Config, dataset: Dataset, device: torch.device) -> tuple[GAN, Rules]:
    """The game, and what of it changes while it is played.

    Raises:
        ConfigError: a component that can't be built, or labels asked for where there are none.
    """
    classes = dataset.classes if config.conditional else 0
    if config.conditional and not classes:
        raise ConfigError(f"conditional needs labels, and {dataset.name} has none; set conditional=false")
    prior, shape, mean = build_prior(config.prior), dataset.sample_shape, _marginals(config, dataset)
    generator = build_generator(
        config.generator.network, latent_dim=prior.dim, sample_shape=shape, classes=classes, data_mean=mean
    ).to(device)
    discriminator = build_discriminator(config, shape, classes).to(device)
    check_compatible(config, dataset, (generator, discriminator))
    penalties, weights = build_penalties(config)
    augment, follow = build_augment(config, dataset)
    rules = Rules(
        discriminator=build_optimizer(config.discriminator.optimizer),
        generator=build_optimizer(config.generator.optimizer),
        penalty_weights=weights,
        augment=follow,
    )
    gan = GAN(
        generator=generator,
        discriminator=discriminator,
        generator_optimizer=rules.generator.optimizer(generator.parameters()),
        discriminator_optimizer=rules.discriminator.optimizer(discriminator.parameters()),
        prior=prior,
        loss=build_loss(config.loss),
        penalties=penalties,
        augment=augment,
        critic_steps=config.critic_steps,
        simultaneous=config.simultaneous,
        micro_batch=config.micro_batch,
    )
    return gan, rules


def _marginals(config: Config, dataset: Dataset) -> Tensor | None:
    """(*sample_shape) mean of the training data in [0, 1], for a generator whose output bias starts there."""
    name, x = config.generator.network.get("name"), dataset.train.x
    if name not in GENERATORS or "data_mean" not in inspect.signature(GENERATORS[name]).parameters:
        return None
    if dataset.value_range != (0, 1):
        raise ConfigError(f"generator {name!r} makes values in [0, 1]; set data.value_range=[0,1]")
    mean = torch.from_numpy(x.mean(axis=0, dtype="float64"))
    return mean / 255 if x.dtype == "uint8" else mean
