"""All of a plan together: advice, measurements, choice, and a configuration with its reasons."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..components import build
from ..config import Config
from ..data.advice import Advice
from ..data.dataset import Dataset
from ..data.sources import DATASETS
from ..recipes import recipe as packaged
from . import candidates, choice, measuring
from .candidates import Cadence, Candidate, Variant
from .choice import Budget, Engine
from .expectations import expected
from .machine import Machine
from .reasons import Known, Reason, reasons

FINAL_S = 5.0  # of steps with the configuration that was chosen, for the length of the run
Settle = Callable[[Mapping[str, Any]], Config]  # what the user said applied to values, and checked


@dataclass(frozen=True)
class Made:
    """A plan.

    Args:
        config: complete.
        dataset: in the size that was chosen.
        reasons: what was chosen and why.
        seconds: that the run is expected to take.
        expectation: what to expect of it.
    """

    config: Config
    dataset: Dataset
    reasons: Sequence[Reason]
    seconds: float
    expectation: str


@dataclass
class Planner:
    """Measures and chooses; nothing is written but the data's cache.

    Args:
        dataset: opened as the user named it, in its proposed size.
        data: its component.
        advice: about it.
        machine: to train on.
        budget: what the run may take.
        settle: applies what the user said.
        say: told what is being measured.
        recipe: that the user wants; None leaves it to the plan.
    """

    dataset: Dataset
    data: Mapping[str, Any]
    advice: Advice
    machine: Machine
    budget: Budget
    settle: Settle
    say: Callable[[str], None]
    recipe: str | None = None
    candidate: Candidate = field(init=False)
    engines: dict[Engine, float] = field(default_factory=dict)  # examples a second, of the first variant
    rates: dict[Variant, float] = field(default_factory=dict)
    cadence: Cadence = field(default_factory=Cadence)

    def __post_init__(self) -> None:
        self.candidate = candidates.candidate_for(self.advice, self.machine.device)
        if self.recipe is not None:
            why = "a recipe's networks stay as they are"
            self.candidate = Candidate(self.recipe, self.recipe, self.candidate.kind, why=why)

    @property
    def resizable(self) -> bool:
        """Whether the size is the plan's to choose."""
        takes = "size" in inspect.signature(DATASETS[self.data["name"]]).parameters
        return takes and "size" not in self.data and self.advice.size is not None

    def make(self) -> Made:
        """The plan.

        Raises:
            ConfigError, DataError: what the user said can't be trained.
        """
        resizable = self.resizable and self.recipe is None
        order = candidates.variants(self.candidate, self.advice.size, resizable=resizable)
        while (variant := choice.next_to_measure(self.candidate, order, self.rates, self.budget)) is not None:
            self.rates[variant] = self._measured(variant)
        variant = choice.chosen(self.candidate, order, self.rates, self.budget)
        config = self._config(variant, self.budget.examples_at(self.rates[variant]))
        same = dict(config.data) == dict(self.data) or (variant.height, variant.width) == self.advice.size
        dataset = self.dataset if same else build("data set", DATASETS, config.data)
        self.say("measuring the speed of the chosen configuration, with its reports and pictures")
        rate = measuring.rate(config, dataset, self.machine.device, seconds=FINAL_S)
        once = config.batch_size * config.critic_steps
        costs = measuring.costs(config, dataset, once / rate)
        steps_s = 60 * self.budget.minutes if self.budget.minutes else config.examples / rate
        self.cadence = costs.cadence(steps_s)
        # on a machine so busy that reports would take it all, half is for training: the time ends the run
        beside = min(costs.of(self.cadence), steps_s / 2)
        config = self._config(variant, self.budget.examples_at(rate, beside, batch=once))
        seconds = config.examples / rate + beside
        told = reasons(self._known(), config, variant, rate, beside)
        text = expected(self.candidate.name, config.examples, variant.side)
        return Made(config, dataset, told, seconds, text)

    def _known(self) -> Known:
        fixed = self.recipe is not None
        parts = (self.candidate, self.advice, self.budget, self.resizable, fixed, self.engines, self.rates)
        return Known(*parts)

    def best_engine(self) -> Engine | None:
        """The fastest of those measured; None before."""
        return max(self.engines, key=self.engines.__getitem__, default=None)

    def _measured(self, variant: Variant) -> float:
        """Examples a second; the first variant is measured with every way to use the machine."""
        size = f"{variant.height} × {variant.width} pixels" if self.advice.size else "points"
        what = f"{self.candidate.name} on {size}" + (
            f", width {variant.channels}" if variant.channels else ""
        )
        best = self.best_engine()
        tried = [best] if best else self._engines()
        image = (self.advice.channels, variant.height, variant.width)
        shape = image if self.advice.size else self.dataset.sample_shape
        classes = self.dataset.classes if self.advice.conditional else 0
        found: dict[Engine, float] = {}
        for engine in tried:
            config = self._config(variant, 100_000, engine)
            self.say(f"measuring {what}, in {config.precision}")
            used = Engine(config.threads, config.precision)
            if used not in found:  # what the user said may make two of them the same
                floats = self.dataset.value_range is None
                data = measuring.noise(shape, classes, config.batch_size, floats=floats)
                found[used] = measuring.rate(config, data, self.machine.device)
        if best is None:
            self.engines = found
        return max(found.values())

    def _engines(self) -> list[Engine]:
        """Ways to use the machine that are worth a try."""
        if self.recipe is not None:
            config = packaged(self.recipe)
            return [Engine(config.threads, config.precision)]
        if self.machine.device != "cpu":
            return [Engine(None, "bfloat16"), Engine(None, "float32")]
        if not self.candidate.widths[0]:
            return [Engine(1, "float32")]  # networks this small are no faster on more cores
        cores = self.machine.cores
        ways = [Engine(cores, "bfloat16"), Engine(cores, "float32")]
        return ways if cores == 1 else [*ways, Engine(1, "bfloat16")]

    def _config(self, variant: Variant, examples: int, engine: Engine | None = None) -> Config:
        engine = engine or self.best_engine()
        values = candidates.settings(
            self.candidate,
            variant,
            self.data,
            self.advice,
            examples=examples,
            cadence=self.cadence,
            floats=self.dataset.value_range is None,
            resizable=self.resizable,
        )
        if engine is not None:
            values |= engine._asdict()
        if self.recipe is not None:
            kept = packaged(self.recipe).model_dump(mode="json")
            values |= {key: kept[key] for key in ("recipe", "conditional", "mirror", "augment")}
        return self.settle(values)
