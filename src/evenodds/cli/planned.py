"""`evenodds train PATH --minutes 60`: what to train is found out first, and said."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..config import Config, config_from, override
from ..errors import ConfigError
from ..recipes import recipe_names
from .asked import Asked, anchored, source_of
from .display import status
from .text import duration, listed

if TYPE_CHECKING:
    from ..planning.choice import Budget
    from ..planning.making import Planner
    from ..planning.reasons import Reason
    from .plan import Plan

DEFAULT_MINUTES = 60.0
MOST_MINUTES = 10**6
AS_YOU_SAID = "as you said"


def names_data(argument: str | None) -> bool:
    """Whether the argument of `evenodds train` is data rather than a recipe or a file of settings."""
    if argument is None or argument.endswith((".yaml", ".yml")) or argument in recipe_names():
        return False
    from ..data.sources import DATASETS

    return argument in DATASETS or Path(argument).exists() or any(sign in argument for sign in "/\\.")


def planned(asked: Asked) -> Plan:
    """What to train on these data in this time; measured, chosen and said, with nothing written.

    Data stand in place of the recipe, or in --data beside a recipe whose networks are then kept.

    Raises:
        ConfigError, DataError, RunError: it can't be trained.
    """
    from .plan import plan

    planner = _planner(asked)
    made = planner.make()
    said = {*(one.partition("=")[0].strip() for one in asked.assignments), *asked.given}
    lines = [
        f"a plan for {planner.machine.text}:",
        *listed([(one.what, _phrase(one, said)) for one in made.reasons]).splitlines(),
        f"time: about {duration(made.seconds)}",
        f"expect: {made.expectation}",
        f"the data: {planner.advice.capacity}",
    ]
    ready = plan(made.config, asked.directory, resuming=False, dataset=made.dataset)
    return dataclasses.replace(ready, planned=tuple(lines), minutes=planner.budget.minutes)


def _planner(asked: Asked) -> Planner:
    """With the data opened and everything that the user said."""
    from ..planning.machine import inspect_machine
    from ..planning.making import Planner
    from .plan import opened

    recipe = None if names_data(asked.recipe) else asked.recipe
    named = asked.data if recipe is not None or asked.recipe is None else asked.recipe
    if named is None or (asked.data is not None and named != asked.data):
        raise ConfigError("a plan is for one data set; name it, as in: evenodds train PATH --minutes 60")
    budget = _budget(asked)
    data_settings = [one for one in asked.assignments if one.startswith("data.")]
    source = anchored(override({"data": source_of(named, {})}, data_settings)["data"])
    with status("reading the data"):
        dataset, advice = opened(source)

    def settle(values: Mapping[str, Any]) -> Config:
        settled = override(values, tuple(asked.assignments)) | asked.given
        return config_from(settled | {"data": anchored(settled["data"])}, "these settings")

    machine = inspect_machine(asked.given.get("device", "auto"))
    return Planner(dataset, source, advice, machine, budget, settle, _say, recipe)


def _budget(asked: Asked) -> Budget:
    from ..planning.choice import Budget

    minutes, examples = asked.minutes, asked.given.get("examples")
    if minutes is not None and examples is not None:
        raise ConfigError("--minutes and --examples say the same twice; leave one of them out")
    if minutes is not None and not 0 < minutes < MOST_MINUTES:
        raise ConfigError(f"--minutes {minutes:g} is no time to train in; give a number above 0")
    return Budget(None if examples else minutes or DEFAULT_MINUTES, examples)


def _phrase(reason: Reason, said: set[str]) -> str:
    """The value and why, or that the user wanted it so."""
    mine = any(
        one == setting or one.startswith(f"{setting}.") or setting.startswith(f"{one}.")
        for one in said
        for setting in reason.settings
    )
    return f"{reason.value}: {AS_YOU_SAID if mine else reason.why}"


def _say(text: str) -> None:
    print(f"evenodds: {text}", file=sys.stderr, flush=True)
