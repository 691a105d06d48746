"""What describes a run: typed, complete, saved as YAML in the run directory."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from .errors import ConfigError, suggest
from .files import write_text


def _component(value: object) -> object:
    """`hinge` stands for `{name: hinge}`."""
    if isinstance(value, str):
        return {"name": value}
    if isinstance(value, Mapping) and not isinstance(value.get("name"), str):
        raise ValueError("needs a name, as in {name: …, option: value}")
    return value


Component = Annotated[dict[str, Any], BeforeValidator(_component)]  # {name: …, option: value, …}
Every = Annotated[int, Field(gt=0)] | Literal["epoch", "never"]  # training examples
Count = Annotated[int, Field(gt=0)]


class _Settings(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class PlayerConfig(_Settings):
    """One player: its network and how it learns."""

    network: Component
    optimizer: Component


class Config(_Settings):
    """A complete run.  Durations are counted in training examples shown to the discriminator."""

    recipe: str = "custom"
    data: Component
    conditional: bool = False  # both players see the class labels
    generator: PlayerConfig
    discriminator: PlayerConfig
    prior: Component
    loss: Component
    penalties: dict[str, dict[str, Any]] = Field(default_factory=dict)  # name -> options, weight and every
    packing: Count = 1  # examples that D judges together (PacGAN's m)
    critic_steps: Count = 1  # the paper's k
    simultaneous: bool = False  # both players move at once, as the code of 2014 did
    batch_size: Count
    micro_batch: Count | None = None  # examples per backward pass, for less memory
    ema_half_life: Annotated[float, Field(ge=0)] = 0.0  # training examples; 0 samples the generator itself
    examples: Count  # how long to train
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 0
    device: str = "auto"
    threads: Count | None = None  # CPU threads; None leaves the choice to PyTorch
    precision: Literal["float32", "bfloat16"] = "float32"
    report_every: Every = 10_000
    held_out: Count = 1_000  # validation examples on which V(D, G) is measured at every report
    samples_every: Every = 100_000
    sample_count: Count = 64
    checkpoint_every: Every = 100_000
    keep_every: Count | None = None  # keep a checkpoint for good whenever so many more examples are reached
    metrics: tuple[str, ...] = ()  # measured on validation data; the first one chooses the best checkpoint
    metrics_every: Every = "never"

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
        if self.metrics and self.metrics_every == "never":
            raise ValueError(
                "metrics are never measured: set metrics_every to a number of examples or 'epoch'"
            )
        return self

    def save(self, path: Path) -> None:
        """Write every setting as YAML."""
        write_text(path, yaml.safe_dump(self.model_dump(mode="json"), sort_keys=False, allow_unicode=True))


def config_from(values: Mapping[str, Any], source: str = "the configuration") -> Config:
    """A checked Config.

    Raises:
        ConfigError: an unknown setting (the nearest one is named) or a value outside its range.
    """
    try:
        return Config.model_validate(dict(values))
    except ValidationError as error:
        raise ConfigError(f"{source}: {_first_problem(error)}") from None


def load_config(path: Path) -> Config:
    """The Config in a YAML file.

    Raises:
        ConfigError: the file is missing, is no YAML mapping, or holds a wrong setting.
    """
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        reason = str(error).splitlines()[0]
        raise ConfigError(
            f"{path} could not be read as YAML ({reason}); give a config.yaml of a run"
        ) from None
    if not isinstance(values, dict):
        raise ConfigError(f"{path} holds no settings; give a config.yaml of a run")
    return config_from(values, str(path))


def override(values: Mapping[str, Any], assignments: list[str] | tuple[str, ...]) -> dict[str, Any]:
    """`values` with `key.sub=value` assignments applied; a component whose name changes loses its options.

    Raises:
        ConfigError: an assignment without "=", or a path through something that has no parts.
    """
    result = _copied(values)
    for assignment in assignments:
        path, equals, text = assignment.partition("=")
        if not equals or not path.strip():
            raise ConfigError(f"--set {assignment!r} is no assignment; write --set key=value")
        _assign(result, path.strip().split("."), _parsed(text), assignment)
    return result


def differences(old: Config, new: Config, *, ignoring: frozenset[str] = frozenset()) -> list[str]:
    """`setting: old -> new` for every setting that differs."""
    flat_old, flat_new = _flat(old.model_dump(mode="json")), _flat(new.model_dump(mode="json"))
    return [
        f"{key}: {flat_old.get(key, 'absent')} -> {flat_new.get(key, 'absent')}"
        for key in sorted(flat_old.keys() | flat_new.keys())
        if flat_old.get(key) != flat_new.get(key) and key not in ignoring
    ]


def _assign(values: dict[str, Any], keys: list[str], value: object, assignment: str) -> None:
    *parents, last = keys
    for key in parents:
        below = values.setdefault(key, {})
        if isinstance(below, str):
            below = values[key] = {"name": below}
        if not isinstance(below, dict):
            raise ConfigError(f"--set {assignment!r}: {key!r} has no parts; write --set {key}=value")
        values = below
    if last == "name" and values.get("name") != value:
        values.clear()  # another component: the options were the old one's
    values[last] = value


def _parsed(text: str) -> object:
    """YAML, but 1e-4 is a number as everywhere else, and a broken bracket is a string."""
    if re.fullmatch(r"\s*[+-]?\d+(\.\d*)?[eE][+-]?\d+\s*", text):
        return float(text)
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError:
        return text


def _copied(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _copied(item) for key, item in value.items()}
    return list(value) if isinstance(value, (list, tuple)) else value


def _flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in values.items():
        if isinstance(value, Mapping):
            flat |= _flat(value, f"{prefix}{key}.")
        else:
            flat[prefix + key] = value
    return flat


def _first_problem(error: ValidationError) -> str:
    """One sentence about the first problem, in the user's words."""
    problem = error.errors()[0]
    where = [
        str(part)
        for part in problem["loc"]
        if not str(part).startswith(("function-", "constrained", "literal"))
    ]
    where = [part for part in where if part not in ("int", "str")]
    path = ".".join(where)
    if problem["type"] == "extra_forbidden":
        fields = (
            PlayerConfig.model_fields if where[0] in ("generator", "discriminator") else Config.model_fields
        )
        return f"unknown setting {path!r}{suggest(where[-1], fields)}"
    if problem["type"] == "missing":
        return f"setting {path!r} is missing; give it a value"
    message = problem["msg"].removeprefix("Value error, ")
    message = message[0].lower() + message[1:]
    return f"{path} = {problem['input']!r}: {message}" if path else message
