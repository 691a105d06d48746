"""From {name, options} in a config to a component; the constructor's signature is the schema."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from .algorithm import GAN
from .config import Component, Config
from .data.dataset import Dataset
from .errors import ConfigError, suggest
from .latents import PRIORS, Prior
from .losses import LOSSES, AdversarialLoss, scaled
from .networks import DISCRIMINATORS, GENERATORS
from .networks.layers import Packed
from .optimizers import OPTIMIZERS, OptimizerRule
from .penalties import PENALTIES
from .schedules import SCHEDULES


def build(kind: str, table: Mapping[str, Callable[..., Any]], spec: Component, **offered: Any) -> Any:
    """`table[name](**options)`, with those of `offered` that its signature asks for by name.

    Raises:
        ConfigError: an unknown name or option (the nearest is named), a missing option, or a refused value.
    """
    options = dict(spec)
    name = options.pop("name", None)
    if name not in table:
        raise ConfigError(f"unknown {kind} {name!r}{suggest(name, table)}")
    parameters = inspect.signature(table[name]).parameters
    given = {key: value for key, value in offered.items() if key in parameters}
    for option in options:
        if option not in parameters or option in given:
            known = [key for key in parameters if key not in given]
            raise ConfigError(f"{kind} {name!r} has no option {option!r}{suggest(option, known)}")
    for key, parameter in parameters.items():
        if parameter.default is inspect.Parameter.empty and key not in options and key not in given:
            raise ConfigError(f"{kind} {name!r} needs the option {key!r}; add it")
    try:
        return table[name](**options, **given)
    except (TypeError, ValueError, RuntimeError) as error:
        raise ConfigError(
            f"{kind} {name!r} cannot be built with {options}: {error}; change the option"
        ) from error


def build_loss(spec: Component) -> AdversarialLoss:
    """A loss pair; the options `discriminator_scale` and `generator_scale` multiply its two sides."""

    def side(name: str) -> Callable[..., AdversarialLoss]:
        def pair(*, discriminator_scale: float = 1.0, generator_scale: float = 1.0) -> AdversarialLoss:
            if discriminator_scale == generator_scale == 1:
                return LOSSES[name]
            return scaled(LOSSES[name], discriminator=discriminator_scale, generator=generator_scale)

        return pair

    loss: AdversarialLoss = build("loss", {name: side(name) for name in LOSSES}, spec)
    return loss


def build_optimizer(spec: Component) -> OptimizerRule:
    """How one player learns; any number among the options may be a schedule `{name: cosine, …}` instead."""
    resolved = {
        key: build("schedule", SCHEDULES, value) if isinstance(value, dict) else value
        for key, value in spec.items()
    }
    rule: OptimizerRule = build("optimizer", OPTIMIZERS, resolved)
    return rule


def build_generator(
    spec: Component,
    *,
    latent_dim: int,
    sample_shape: tuple[int, ...],
    classes: int,
    data_mean: Tensor | None = None,
) -> nn.Module:
    """The generator of a config or of a generator file."""
    offered = {"latent_dim": latent_dim, "sample_shape": sample_shape, "data_mean": data_mean}
    return _network("generator", GENERATORS, spec, classes, offered)


def build_discriminator(config: Config, sample_shape: tuple[int, ...], classes: int) -> nn.Module:
    """The discriminator of a config, packed where the config says so."""
    packed_shape = (sample_shape[0] * config.packing, *sample_shape[1:])
    spec, offered = config.discriminator.network, {"sample_shape": packed_shape}
    discriminator = _network("discriminator", DISCRIMINATORS, spec, classes, offered)
    return discriminator if config.packing == 1 else Packed(discriminator, config.packing)


def build_prior(spec: Component) -> Prior:
    """The noise prior p(z)."""
    prior: Prior = build("prior", PRIORS, spec)
    return prior


def build_gan(config: Config, dataset: Dataset, device: torch.device) -> tuple[GAN, list[OptimizerRule]]:
    """Every choice the config makes about the game, in one place; then the players' rules, D's first."""
    classes = dataset.classes if config.conditional else 0
    if config.conditional and not classes:
        raise ConfigError(f"conditional needs labels, and {dataset.name} has none; set conditional=false")
    prior = build_prior(config.prior)
    generator = build_generator(
        config.generator.network,
        latent_dim=prior.dim,
        sample_shape=dataset.sample_shape,
        classes=classes,
        data_mean=_marginals(config, dataset),
    ).to(device)
    discriminator = build_discriminator(config, dataset.sample_shape, classes).to(device)
    rules = [build_optimizer(player.optimizer) for player in (config.discriminator, config.generator)]
    gan = GAN(
        generator=generator,
        discriminator=discriminator,
        generator_optimizer=rules[1].optimizer(generator.parameters()),
        discriminator_optimizer=rules[0].optimizer(discriminator.parameters()),
        prior=prior,
        loss=build_loss(config.loss),
        penalties={
            name: build("penalty", PENALTIES, {"name": name, **options})
            for name, options in config.penalties.items()
        },
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


def _network(
    player: str, table: Mapping[str, type[nn.Module]], spec: Component, classes: int, offered: dict[str, Any]
) -> nn.Module:
    """A network of `table`; one that takes no labels is refused where labels are asked for."""
    name = spec.get("name")
    takes_labels = name in table and "classes" in inspect.signature(table[name]).parameters
    if classes and name in table and not takes_labels:
        raise ConfigError(
            f"{player} {name!r} takes no class labels; set conditional=false or choose another network"
        )
    network: nn.Module = build(player, table, spec, **offered, classes=classes)
    return network
