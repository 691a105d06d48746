"""From the arguments of `evenodds train` to a configuration and a run directory."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..config import Config, config_from, load_config, override
from ..errors import ConfigError, RunError
from ..recipes import recipe as packaged
from .asked import Asked, anchored, source_of
from .display import status
from .planned import names_data, planned
from .signals import uninterrupted

if TYPE_CHECKING:
    from .plan import Plan

DEFAULT_RECIPE = "gan-digits"


def prepare(asked: Asked) -> Plan:
    """Everything that `evenodds train` is asked for, checked and built; nothing is written.

    Raises:
        ConfigError, DataError, RunError: it can't be trained.
    """
    if asked.resume and asked.origin is not None:
        raise ConfigError("--from begins a new run and --resume goes on with one; leave one of them out")
    run = run_to_resume(asked.directory) if asked.resume else None
    if run is None:
        refuse_run_as_base(asked.directory)
    with status("loading PyTorch"), uninterrupted():
        from .plan import plan
    if asked.minutes is not None or names_data(asked.recipe):
        if run is not None or asked.origin is not None:
            other = "--resume" if run is not None else "--from"
            raise ConfigError(
                f"{other} has its settings already; leave out --minutes, and give data by --data"
            )
        return planned(asked)
    with status("loading the data"):
        base = (
            base_config(asked.recipe, run) if asked.origin is None else base_from(asked.origin, asked.recipe)
        )
        config = settled(base, data=asked.data, assignments=asked.assignments, shorthands=asked.shorthands)
        if run is not None:
            refuse_shorter(run, config)
        return plan(config, run or asked.directory, resuming=asked.resume)


def base_config(recipe: str | None, run: Path | None) -> Config:
    """What --data and --set start from: a recipe, a YAML file, or the config of the run that is resumed.

    Raises:
        ConfigError: no such recipe, or a file that is no configuration.
    """
    if recipe is None and run is not None:
        return load_config(run / "config.yaml")
    if recipe is not None and recipe.endswith((".yaml", ".yml")):
        return load_config(Path(recipe))
    return packaged(recipe or DEFAULT_RECIPE)


def base_from(origin: str, recipe: str | None) -> Config:
    """A recipe that starts from trained players; without one, the settings that these were trained under.

    Raises:
        ConfigError, RunError: no such recipe, or nothing to start from.
    """
    from ..fine_tuning import read_source

    source = read_source(origin)
    base = base_config(recipe, None) if recipe is not None or source.config is None else source.config
    values = base.model_dump(mode="json")
    if recipe is None and source.config is None:
        facts = source.facts
        values = packaged(facts["recipe"]).model_dump(mode="json")
        values |= {"prior": facts["prior"], "conditional": facts["conditional"]}
        values["generator"]["network"] = facts["generator"]
    values["start"] = {"file": str(Path(origin).resolve())}
    return config_from(values, origin)


def settled(
    base: Config, *, data: str | None, assignments: Sequence[str], shorthands: Mapping[str, Any]
) -> Config:
    """`base` with --data, then --set, then the shorthands such as --examples applied.

    Raises:
        ConfigError: a setting that doesn't exist, or a value it can't have.
        DataError: `data` is neither a name nor a readable path.
    """
    values = base.model_dump(mode="json")
    if data is not None:
        values["data"] = source_of(data, values["data"])
    values = override(values, tuple(assignments))
    values["data"] = anchored(values["data"]) if isinstance(values["data"], dict) else values["data"]
    values |= {name: value for name, value in shorthands.items() if value is not None}
    return config_from(values, "these settings")


def run_to_resume(directory: Path) -> Path:
    """`directory` if it is a run, else the newest run in it.

    Raises:
        RunError: there is none.
    """
    if (directory / "config.yaml").is_file():
        return directory
    runs = sorted(path.parent for path in directory.glob("*/config.yaml"))
    numbered = [run for run in runs if re.match(r"\d{5}-", run.name)]
    if not numbered:
        raise RunError(f"{directory} holds no run to resume; give the run's own folder as --dir")
    return numbered[-1]


def refuse_run_as_base(directory: Path) -> None:
    """A new run is never put inside another one.

    Raises:
        ConfigError: `directory` is a run.
    """
    if (directory / "config.yaml").is_file():
        raise ConfigError(f"{directory} is a run; add --resume to go on with it, or give another --dir")


def examples_seen(run: Path) -> int:
    """By the last checkpoint of a run; 0 where there is none."""
    names = [path.stem for path in (run / "checkpoints").glob("*.safetensors")]
    return max((int(name) for name in names if name.isdigit()), default=0)


def refuse_shorter(run: Path, config: Config) -> None:
    """A run that has been trained further than it is now asked to be.

    Raises:
        ConfigError: it has.
    """
    seen = examples_seen(run)
    if config.examples < seen and config.examples < load_config(run / "config.yaml").examples:
        raise ConfigError(
            f"{run} has already seen {seen:,} examples, more than the {config.examples:,} asked for; "
            "give a larger --examples"
        )
