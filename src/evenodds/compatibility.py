"""Which choices exclude each other: refused by name, with the reason and a remedy, before training begins.

Only what would fail on the way, or would quietly do something else than its name says, is refused; a game
that is merely hopeless is the user's to play and the referee's to judge.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import nn

from .components import build_discriminator, build_generator, build_prior
from .config import Config
from .data.dataset import Dataset
from .errors import ConfigError
from .networks import GENERATORS
from .networks.layers import BATCH_NORMS
from .networks.spectral import SpectralNorm
from .networks.styled import Styled

GRADIENT_PENALTIES = ("r1", "r2", "wgan_gp")
OUTPUT_RANGES = {"tanh": (-1.0, 1.0), "sigmoid": (0.0, 1.0)}
SLACK = 1e-3  # of the range, for data that were scaled in float32


class Game(NamedTuple):
    """What the rules look at."""

    config: Config
    dataset: Dataset
    generator: nn.Module
    discriminator: nn.Module

    @property
    def augmentation(self) -> dict[str, Any]:
        """The augmentation's name and options; nothing without one."""
        return self.config.augment or {}

    @property
    def gradient_penalties(self) -> list[str]:
        """The names of those that differentiate D with respect to examples."""
        return [name for name in self.config.penalties if name in GRADIENT_PENALTIES]

    def has(self, player: nn.Module, kinds: type[nn.Module] | tuple[type[nn.Module], ...]) -> bool:
        """Whether a player has a layer of that kind."""
        return any(isinstance(layer, kinds) for layer in player.modules())


class Rule(NamedTuple):
    """Choices that exclude each other.

    Args:
        clash: the choices by name, "" where they were not made together.
        reason: why they exclude each other.
        remedy: what to change.
    """

    clash: Callable[[Game], str]
    reason: str
    remedy: str


def _batch_norm_and_gradients(game: Game) -> str:
    name = game.config.discriminator.network["name"]
    found = game.gradient_penalties and game.has(game.discriminator, BATCH_NORMS)
    return (
        f"penalty {game.gradient_penalties[0]!r} and batch normalization in discriminator {name!r}"
        if found
        else ""
    )


def _path_length_without_styles(game: Game) -> str:
    name = game.config.generator.network["name"]
    found = "path_length" in game.config.penalties and not isinstance(game.generator, Styled)
    return f"penalty 'path_length' and generator {name!r}" if found else ""


def _path_length_at_once(game: Game) -> str:
    found = "path_length" in game.config.penalties and game.config.simultaneous
    return "penalty 'path_length' and simultaneous=true" if found else ""


def _clipped_and_normalized(game: Game) -> str:
    name = game.config.discriminator.network["name"]
    found = "weight_clip" in game.config.penalties and game.has(game.discriminator, SpectralNorm)
    return f"penalty 'weight_clip' and spectral normalization in discriminator {name!r}" if found else ""


def _augmented_vectors(game: Game) -> str:
    name, shape = game.augmentation.get("name"), game.dataset.sample_shape
    return f"augment {name!r} and examples of shape {shape}" if name and len(shape) != 3 else ""


def _augmented_between(game: Game) -> str:
    name = game.augmentation.get("name")
    return f"augment {name!r} and penalty 'wgan_gp'" if name and "wgan_gp" in game.config.penalties else ""


def _r2_at_once_in_bfloat16(game: Game) -> str:
    config = game.config
    found = "r2" in config.penalties and config.simultaneous and config.precision == "bfloat16"
    return "penalty 'r2', simultaneous=true and precision=bfloat16" if found else ""


def _batch_norm_of_one(game: Game) -> str:
    size = game.config.micro_batch or game.config.batch_size
    judged = size // game.config.packing
    for player, examples in (("generator", size), ("discriminator", judged)):
        if examples == 1 and game.has(getattr(game, player), BATCH_NORMS):
            return f"batch normalization in the {player} and passes of a single example"
    return ""


def _out_of_reach(game: Game) -> str:
    """A generator's bounded output against the values of the data."""
    spec, x = game.config.generator.network, game.dataset.train.x
    parameters = inspect.signature(GENERATORS[spec["name"]]).parameters if spec["name"] in GENERATORS else {}
    output = spec.get("output", parameters["output"].default if "output" in parameters else "linear")
    if output not in OUTPUT_RANGES:
        return ""
    low, high = OUTPUT_RANGES[output]
    if x.dtype == "uint8":
        least, most = game.dataset.value_range or (0.0, 255.0)
    else:
        least, most = float(x.min()), float(x.max())
    slack = SLACK * (most - least)
    if low - slack <= least and most <= high + slack:
        return ""
    return f"output {output!r} of generator {spec['name']!r} and data in [{least:g}, {most:g}]"


RULES = (
    Rule(
        _batch_norm_and_gradients,
        "an example's gradient would hold the other examples of its batch (Gulrajani et al. 2017, section 4)",
        "give the discriminator another norm, or remove the penalty",
    ),
    Rule(
        _path_length_without_styles,
        "its paths are those of the style, which only some generators have (Karras et al. 2020, Eq. 4)",
        "use generator stylegan2, or remove the penalty",
    ),
    Rule(
        _path_length_at_once,
        "a step of both players at once has no turn of the generator alone, where it is due",
        "set simultaneous=false, or remove the penalty",
    ),
    Rule(
        _clipped_and_normalized,
        "the normalization divides by the size that clipping takes away",
        "use one of them",
    ),
    Rule(_augmented_vectors, "augmentation turns, shifts and colours images", "set augment=null"),
    Rule(
        _augmented_between,
        "the penalty would be on examples without augmentation, which the discriminator never sees",
        "use r1 instead, or set augment=null",
    ),
    Rule(
        _r2_at_once_in_bfloat16,
        "the pass that both players share would round the gradient's gradient to 8 bits",
        "set precision=float32, or simultaneous=false",
    ),
    Rule(
        _batch_norm_of_one,
        "one example has no variance",
        "set a larger batch_size or micro_batch, or another norm",
    ),
    Rule(
        _out_of_reach,
        "it can't make all of these values",
        "set data.value_range to the output's range, or generator.network.output=linear",
    ),
)


def check_compatible(
    config: Config, dataset: Dataset, players: tuple[nn.Module, nn.Module] | None = None
) -> None:
    """Refuse what `RULES` exclude.

    Args:
        config: of the run.
        dataset: that it is to be trained on.
        players: generator and discriminator; left out, they are built without memory to look at their layers.

    Raises:
        ConfigError: choices that exclude each other, or a player that can't be built.
    """
    game = Game(config, dataset, *(players or _without_memory(config, dataset)))
    for rule in RULES:
        if clash := rule.clash(game):
            raise ConfigError(f"{clash} exclude each other: {rule.reason}; {rule.remedy}")


def _without_memory(config: Config, dataset: Dataset) -> tuple[nn.Module, nn.Module]:
    """Both players on the meta device: layers and shapes, but no numbers."""
    classes = dataset.classes if config.conditional else 0
    shape, latent_dim = dataset.sample_shape, build_prior(config.prior).dim
    with torch.random.fork_rng(devices=[]), torch.device("meta"):
        generator = build_generator(
            config.generator.network, latent_dim=latent_dim, sample_shape=shape, classes=classes
        )
        return generator, build_discriminator(config, shape, classes)
