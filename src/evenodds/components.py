"""From {name, options} in a config to a component; the constructor's signature is the schema."""

from __future__ import annotations

import inspect
import json
import math
import textwrap
from collections.abc import Callable, Mapping
from typing import Any

from pydantic import ConfigDict, TypeAdapter, ValidationError
from torch import Tensor, nn

from .config import Component, Config
from .errors import ConfigError, suggest
from .latents import PRIORS, Prior
from .losses import LOSSES, AdversarialLoss, scaled
from .networks import DISCRIMINATORS, GENERATORS
from .networks.layers import Packed
from .optimizers import OPTIMIZERS, OptimizerRule, Rate, checked
from .penalties import PENALTIES, Penalty
from .schedules import SCHEDULES, Schedule


def build(kind: str, table: Mapping[str, Callable[..., Any]], spec: Component, **offered: Any) -> Any:
    """`table[name](**options)`, with those of `offered` that its signature asks for by name.

    Args:
        kind: what the table holds, for messages.
        table: name -> constructor.
        spec: {name: …, option: value, …}.
        offered: what is known from elsewhere, so that the config can't set it.

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
            remedy = "give it with --data" if (kind, key) == ("data set", "path") else "add it"
            raise ConfigError(f"{kind} {name!r} needs the option {key!r}; {remedy}")
    _check_types(kind, name, table[name], options)
    try:
        return table[name](**options, **given)
    except (TypeError, ValueError, LookupError, ArithmeticError, RuntimeError) as error:
        reason = textwrap.shorten(str(error), 200)
        raise ConfigError(
            f"{kind} {name!r} cannot be built with {options} ({reason}); change the option"
        ) from error


def _check_types(kind: str, name: str, constructor: Callable[..., Any], options: Mapping[str, Any]) -> None:
    """Refuse a value that is not of the type which the signature gives."""
    try:
        parameters = inspect.signature(constructor, eval_str=True).parameters
    except NameError:  # someone's own component, with names that only a type checker imports
        return
    settings = ConfigDict(strict=True, arbitrary_types_allowed=True)
    for option, value in options.items():
        wanted = parameters[option].annotation
        if wanted is inspect.Parameter.empty:
            continue
        try:
            adapter = TypeAdapter(wanted, config=settings)
            if isinstance(value, list):  # YAML and JSON have no tuples: there, a list stands for either
                adapter.validate_json(json.dumps(value))
            else:
                adapter.validate_python(value)
        except ValidationError as error:
            problem = error.errors()[0]["msg"].replace("Input should", "must")
            raise ConfigError(f"{kind} {name!r}: {option} = {value!r:.80} {problem}; change it") from None


def build_loss(spec: Component) -> AdversarialLoss:
    """A loss pair; the options `discriminator_scale` and `generator_scale` multiply its two sides.

    Raises:
        ConfigError: an unknown name or option, or a refused value.
    """

    def side(name: str) -> Callable[..., AdversarialLoss]:
        def pair(*, discriminator_scale: float = 1.0, generator_scale: float = 1.0) -> AdversarialLoss:
            if discriminator_scale == generator_scale == 1:
                return LOSSES[name]
            return scaled(LOSSES[name], discriminator=discriminator_scale, generator=generator_scale)

        return pair

    loss: AdversarialLoss = build("loss", {name: side(name) for name in LOSSES}, spec)
    return loss


def build_optimizer(spec: Component) -> OptimizerRule:
    """How one player learns; any rate among the options may be a schedule `{name: cosine, …}` instead.

    Raises:
        ConfigError: an unknown name or option, or a refused value, here or in a schedule.
    """
    rule: OptimizerRule = build("optimizer", OPTIMIZERS, build_schedules(spec))
    return rule


def build_generator(
    spec: Component,
    *,
    latent_dim: int,
    sample_shape: tuple[int, ...],
    classes: int,
    data_mean: Tensor | None = None,
) -> nn.Module:
    """The generator of a config or of a generator file.

    Args:
        spec: its name and options.
        latent_dim: length L of z.
        sample_shape: (C, H, W) or (features,).
        classes: number of labels K; 0 for a generator without.
        data_mean: (*sample_shape) mean of the training data in [0, 1], for the generators that start from it.

    Raises:
        ConfigError: it can't be built so.
    """
    offered = {"latent_dim": latent_dim, "sample_shape": sample_shape, "data_mean": data_mean}
    return _network("generator", GENERATORS, spec, classes, offered)


def build_discriminator(config: Config, sample_shape: tuple[int, ...], classes: int) -> nn.Module:
    """The discriminator of a config for samples of `sample_shape`, packed where the config says so.

    Raises:
        ConfigError: it can't be built so.
    """
    packed_shape = (sample_shape[0] * config.packing, *sample_shape[1:])
    spec, offered = config.discriminator.network, {"sample_shape": packed_shape}
    discriminator = _network("discriminator", DISCRIMINATORS, spec, classes, offered)
    return discriminator if config.packing == 1 else Packed(discriminator, config.packing)


def build_prior(spec: Component) -> Prior:
    """The noise prior p(z).

    Raises:
        ConfigError: an unknown name or option, or a refused value.
    """
    prior: Prior = build("prior", PRIORS, spec)
    if prior.dim < 1:
        raise ConfigError(f"prior {spec['name']!r} has dim={prior.dim}; give at least 1")
    return prior


def build_schedules(options: Mapping[str, Any]) -> dict[str, Any]:
    """The options, with every `{name: cosine, …}` among them made a schedule.

    Raises:
        ConfigError: an unknown schedule or option, or a refused value.
    """
    return {
        key: build("schedule", SCHEDULES, value) if isinstance(value, dict) else value
        for key, value in options.items()
    }


def build_half_life(config: Config) -> Rate:
    """How the average of the generator's weights forgets: a number of training examples, or its schedule.

    Raises:
        ConfigError: an unknown schedule or option, or a half-life below 0 at either end of training.
    """
    half_life: Rate = build_schedules({"ema_half_life": config.ema_half_life})["ema_half_life"]
    for examples in (0, config.examples):
        checked("ema_half_life", half_life, examples)
    return half_life


def build_penalties(config: Config) -> tuple[dict[str, Penalty], dict[str, Schedule]]:
    """The penalties as they begin, and the weights that change while training.

    Raises:
        ConfigError: an unknown name or option, or a refused value.
    """
    penalties = {name: build_schedules(options) for name, options in config.penalties.items()}
    weights = {
        name: options["weight"] for name, options in penalties.items() if callable(options.get("weight"))
    }
    for name, weight in weights.items():
        penalties[name] = {**penalties[name], "weight": checked(f"the weight of {name!r}", weight, 0)}
    return {name: build_penalty(name, options) for name, options in penalties.items()}, weights


def build_penalty(name: str, options: Mapping[str, Any]) -> Penalty:
    """The penalty of that name.

    Raises:
        ConfigError: an unknown name or option, or a refused value.
    """
    if "name" in options:
        raise ConfigError(f"penalty {name!r} has no option 'name'; its name is its key under penalties")
    penalty: Penalty = build("penalty", PENALTIES, {"name": name, **options})
    if penalty.every < 1 or not 0 <= penalty.weight < math.inf:
        given = f"weight={penalty.weight}, every={penalty.every}"
        raise ConfigError(f"penalty {name!r} has {given}; give a weight from 0 and every from 1")
    return penalty


def _network(
    player: str, table: Mapping[str, type[nn.Module]], spec: Component, classes: int, offered: dict[str, Any]
) -> nn.Module:
    """A network of `table`; one that takes no labels is refused where labels are asked for."""
    name = spec["name"]
    takes_labels = name in table and "classes" in inspect.signature(table[name]).parameters
    if classes and name in table and not takes_labels:
        raise ConfigError(
            f"{player} {name!r} takes no class labels; set conditional=false or choose another network"
        )
    network: nn.Module = build(player, table, spec, **offered, classes=classes)
    return network
