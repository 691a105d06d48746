"""`evenodds train PATH --minutes 60`: what to train is found out first, and said."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..config import Config, config_from, override
from ..errors import ConfigError
from ..recipes import recipe_names
from .text import duration, listed

if TYPE_CHECKING:
    from ..planning.reasons import Reason
    from .plan import Plan

DEFAULT_MINUTES = 60.0
AS_YOU_SAID = "as you said"


def names_data(argument: str | None) -> bool:
    """Whether the argument of `evenodds train` is data rather than a recipe or a file of settings."""
    if argument is None or argument.endswith((".yaml", ".yml")) or argument in recipe_names():
        return False
    from ..data.sources import DATASETS

    return argument in DATASETS or Path(argument).exists() or any(sign in argument for sign in "/\\.")


def planned(
    argument: str | None,
    data: str | None,
    directory: Path,
    assignments: Sequence[str],
    shorthands: Mapping[str, Any],
    minutes: float | None,
) -> Plan:
    """What to train on these data in this time; measured, chosen and said, with nothing written.

    Args:
        argument: data, or a recipe, whose networks are then kept.
        data: as given by --data.
        directory: as given by --dir.
        assignments: those of --set, which overrule the plan.
        shorthands: setting -> value of --examples and its like, likewise.
        minutes: to train for.

    Raises:
        ConfigError, DataError, RunError: it can't be trained.
    """
    from ..planning.choice import Budget
    from ..planning.machine import inspect_machine
    from ..planning.making import Planner
    from .plan import opened, plan
    from .settings import source_of

    recipe = None if names_data(argument) else argument
    named = data if names_data(argument) is False else argument
    if named is None or (data is not None and recipe is None):
        raise ConfigError(
            "a plan needs data; name one data set or path, as in: evenodds train PATH --minutes 60"
        )
    given = {name: value for name, value in shorthands.items() if value is not None}
    source = _with(source_of(named, {}), [one for one in assignments if one.startswith("data.")])
    dataset, advice = opened(source)
    budget = Budget(
        minutes=None if "examples" in given else minutes or DEFAULT_MINUTES, examples=given.get("examples")
    )
    if budget.minutes is not None and not 0 < budget.minutes < 10**6:
        raise ConfigError(f"--minutes {minutes} is no time to train in; give a number above 0")

    def settle(values: Mapping[str, Any]) -> Config:
        return config_from(override(values, tuple(assignments)) | given, "these settings")

    planner = Planner(
        dataset, source, advice, inspect_machine(given.get("device", "auto")), budget, settle, _say, recipe
    )
    made = planner.make()
    said = {*(one.partition("=")[0].strip() for one in assignments), *given}
    lines = [
        f"a plan for {planner.machine.text}:",
        *listed([(one.what, _phrase(one, said)) for one in made.reasons]).splitlines(),
        f"time: about {duration(made.seconds)}",
        f"expect: {made.expectation}",
        f"the data: {advice.capacity}",
    ]
    ready = plan(made.config, directory, resuming=False, dataset=made.dataset)
    return dataclasses.replace(ready, planned=tuple(lines), minutes=budget.minutes)


def _phrase(reason: Reason, said: set[str]) -> str:
    """The value and why, or that the user wanted it so."""
    mine = any(
        one == setting or one.startswith(f"{setting}.") or setting.startswith(f"{one}.")
        for one in said
        for setting in reason.settings
    )
    return f"{reason.value}: {AS_YOU_SAID if mine else reason.why}"


def _with(source: Mapping[str, Any], assignments: Sequence[str]) -> dict[str, Any]:
    values: dict[str, Any] = override({"data": dict(source)}, tuple(assignments))["data"]
    return values


def _say(text: str) -> None:
    print(f"evenodds: {text}", file=sys.stderr, flush=True)
