"""What describes a run: typed, complete, saved as YAML in the run directory."""

from __future__ import annotations

import math
import os
import textwrap
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from .errors import ConfigError, suggest
from .files import write_text
from .settings_text import YAML_ERRORS, Dumper, from_yaml
from .settings_text import differences as differences
from .settings_text import override as override


def _component(value: object) -> object:
    """`hinge` stands for `{name: hinge}`."""
    if isinstance(value, str):
        return {"name": value}
    if isinstance(value, Mapping) and not isinstance(value.get("name"), str):
        raise ValueError("needs a name, as in {name: …, option: value}")
    return _plain(value)


def _plain(value: object) -> object:
    """Options as YAML holds them, so that a saved config is read back equal."""
    if isinstance(value, Mapping):
        return {_plain_key(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"an option is {value}; give a finite number")
    if value is None or type(value) in (bool, int, float, str):
        return value
    raise ValueError(f"an option is a {type(value).__name__}; give a number, a text, a list or a mapping")


def _plain_key(key: object) -> str:
    if not isinstance(key, str):
        raise ValueError(f"an option is called {key!r}; give it a name")
    return key


def _no_switch(value: object) -> object:
    if isinstance(value, bool):  # to Python, True is the number 1
        raise ValueError("must be a number")
    return value


def _every(value: object) -> object:
    number = value if isinstance(value, (int, float)) and not isinstance(value, bool) else 0
    if value in ("epoch", "never") or number > 0:
        return value
    raise ValueError("must be a number of training examples above 0, or epoch, or never")


def _number_or_schedule(value: object) -> object:
    if isinstance(value, Mapping):
        return _component(value)
    if isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value < math.inf:
        return float(value)
    raise ValueError("must be a finite number from 0, or a schedule as in {name: cosine, option: value}")


Component = Annotated[dict[str, Any], BeforeValidator(_component)]  # {name: …, option: value, …}
Options = Annotated[dict[str, Any], BeforeValidator(_plain)]
Every = Annotated[int | Literal["epoch", "never"], BeforeValidator(_every)]  # training examples
NumberOrSchedule = Annotated[float | dict[str, Any], BeforeValidator(_number_or_schedule)]
Count = Annotated[int, Field(gt=0), BeforeValidator(_no_switch)]


class _Settings(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class PlayerConfig(_Settings):
    """One player: its network and how it learns."""

    network: Component
    optimizer: Component


class StartConfig(_Settings):
    """Trained players to start from."""

    file: str  # a run, one of its checkpoints, or a generator file; read when the run begins, and never again
    optimizers: bool = False  # take over their state, too, with its memory of the old data


class Config(_Settings):
    """A complete run.  Durations are counted in training examples shown to the discriminator."""

    recipe: str = "custom"
    data: Component
    conditional: bool = False  # both players see the class labels
    generator: PlayerConfig
    discriminator: PlayerConfig
    prior: Component
    loss: Component
    penalties: dict[str, Options] = Field(default_factory=dict)  # name -> options, weight and every
    packing: Count = 1  # examples that D judges together (PacGAN's m)
    critic_steps: Count = 1  # the paper's k
    simultaneous: bool = False  # both players move at once, as the code of 2014 did
    batch_size: Count
    micro_batch: Count | None = None  # examples per backward pass, for less memory
    ema_half_life: NumberOrSchedule = 0.0  # training examples; 0 samples the generator itself
    examples: Count  # how long to train
    seed: Annotated[int, Field(ge=0, lt=2**32), BeforeValidator(_no_switch)] = 0
    device: str = "auto"
    threads: Annotated[Count, Field(le=1024)] | None = None  # CPU threads; None leaves the choice to PyTorch
    precision: Literal["float32", "bfloat16"] = "float32"
    report_every: Every = 10_000
    held_out: Count = 1_000  # validation examples on which V(D, G) is measured at every report
    samples_every: Every = 100_000
    sample_count: Count = 64
    checkpoint_every: Every = 100_000
    keep_every: Count | None = None  # keep a checkpoint for good whenever so many more examples are reached
    metrics: tuple[str, ...] = ()  # measured on validation data; the first one chooses the best checkpoint
    metrics_every: Every = "never"
    referee: bool = True  # signals and verdicts at every report
    on_trouble: Literal["warn", "stop", "rollback"] = "warn"  # what a verdict of trouble leads to
    until: Literal["examples", "even"] = "examples"  # even: stop once more training is not expected to help
    augment: Component | None = None  # applied to all that D sees in training, real and generated alike
    mirror: bool = False  # every image counts as two: itself and its mirror image
    start: StartConfig | None = None  # None: both players start untrained

    @model_validator(mode="after")
    def _consistent(self) -> Config:
        for size, what in ((self.packing, "packing"), (self.micro_batch, "micro_batch")):
            if size and self.batch_size % size:
                raise ValueError(f"batch_size {self.batch_size} must be a multiple of {what} {size}")
        if self.micro_batch and self.micro_batch % self.packing:
            raise ValueError(f"micro_batch {self.micro_batch} must be a multiple of packing {self.packing}")
        if self.packing > 1 and self.conditional:
            raise ValueError(
                "packing and conditional exclude each other: set one of packing=1, conditional=false"
            )
        wanted = [name for name in ("on_trouble", "until") if getattr(self, name) not in ("warn", "examples")]
        if wanted and not self.referee:
            raise ValueError(
                f"{wanted[0]}={getattr(self, wanted[0])} waits for the referee: set referee=true"
            )
        if self.metrics and self.metrics_every == "never":
            raise ValueError(
                "metrics are never measured: set metrics_every to a number of examples or 'epoch'"
            )
        return self

    def save(self, path: Path) -> None:
        """Write every setting as YAML.

        Raises:
            RunError: the disk is full or the folder can't be written to.
        """
        text = yaml.dump(self.model_dump(mode="json"), Dumper=Dumper, sort_keys=False, allow_unicode=True)
        write_text(path, text)


def config_from(values: Mapping[str, Any], source: str = "the configuration") -> Config:
    """A checked Config.

    Args:
        values: setting -> value, as a YAML file holds them.
        source: what to call it in a message.

    Raises:
        ConfigError: an unknown setting (the nearest one is named) or a value outside its range.
    """
    try:
        return Config.model_validate(dict(values))
    except ValidationError as error:
        raise ConfigError(f"{source}: {_first_problem(error)}") from None
    except RecursionError:
        raise ConfigError(f"{source}: a value contains itself; write it out") from None


def load_config(path: Path) -> Config:
    """The Config in a YAML file.

    Raises:
        ConfigError: the file is missing, is no YAML mapping, or holds a wrong setting.
    """
    try:
        values = from_yaml(path.read_text(encoding="utf-8"))
    except (OSError, *YAML_ERRORS) as error:
        reason = textwrap.shorten(str(error), 200)
        raise ConfigError(
            f"{path} could not be read as YAML ({reason}); give a config.yaml of a run"
        ) from None
    if not isinstance(values, dict):
        raise ConfigError(f"{path} holds no settings; give a config.yaml of a run")
    return config_from(values, str(path))


def _is_pydantics(part: str) -> bool:
    """Whether a part of a location says which of several types was tried."""
    return part in ("int", "str") or part.startswith(("function-", "constrained", "literal"))


def _first_problem(error: ValidationError) -> str:
    """One sentence about the first problem, in the user's words."""
    problem = error.errors()[0]
    unknown = problem["type"] == "extra_forbidden"
    parts = [str(part) for part in problem["loc"]]
    own = {0, len(parts) - 1} if unknown else {0}  # the user's words, even "int"; between them pydantic's
    where = [part for at, part in enumerate(parts) if at in own or not _is_pydantics(part)]
    path = ".".join(where)
    if unknown:
        fields = (
            PlayerConfig.model_fields if where[0] in ("generator", "discriminator") else Config.model_fields
        )
        return f"unknown setting {path!r}{suggest(where[-1], fields)}"
    if problem["type"] == "missing":
        return f"setting {path!r} is missing; give it a value"
    if problem["type"] in ("model_type", "dict_type"):
        return f"{path} must be a mapping, as in {{name: …, option: value}}, not {problem['input']!r:.80}"
    message = problem["msg"].removeprefix("Value error, ").replace("Input should", "must")
    message = message.replace("a valid tuple", "a list")
    return f"{path} = {problem['input']!r:.80}: {message}" if path else message
