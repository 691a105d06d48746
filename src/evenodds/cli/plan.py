"""What a configuration amounts to, found out before anything is written: data, players, where it would go."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import torch
import yaml

from ..build import build_gan
from ..components import build
from ..config import Component, Config
from ..data.advice import Advice, advise
from ..data.dataset import Dataset
from ..data.loader import loader_of
from ..data.sources import DATASETS
from ..ema import EMA
from ..evaluation import check_metric
from ..fine_tuning import start_from
from ..run import next_run_directory, resolve_device
from .text import shape, signed


@dataclass(frozen=True)
class Plan:
    """A configuration that can be trained.

    Args:
        config: of the run.
        dataset: read and checked.
        device: that `config.device` stands for.
        directory: the run to resume, or the folder in which a new one is made.
        resuming: which of the two it is.
        generator_parameters: how many numbers the generator learns.
        discriminator_parameters: likewise.
        planned: what was planned, and why, line by line.
        minutes: after which training ends, whatever is left to be done.
        origin: where the first weights come from; "" for fresh ones.
    """

    config: Config
    dataset: Dataset
    device: str
    directory: Path
    resuming: bool
    generator_parameters: int
    discriminator_parameters: int
    origin: str = ""
    planned: tuple[str, ...] = ()
    minutes: float | None = None

    def facts(self) -> list[str]:
        """Data, players and length, one line each."""
        config, dataset = self.config, self.dataset
        counts = ", ".join(f"{len(split):,} {name}" for name, split in dataset.splits.items())
        values = "values as they are"
        if dataset.value_range is not None:
            ends = (signed(end, 0 if end == round(end) else 2) for end in dataset.value_range)
            values = f"values in [{', '.join(ends)}]"
        use = ""
        if dataset.classes:
            told = "which both players see" if config.conditional else "not used"
            use = f", {dataset.classes} classes ({told})"
        networks = config.generator.network["name"], config.discriminator.network["name"]
        facts = [
            *self.planned,
            *(f"data: {note}" for note in dataset.notes),
            f"data: {dataset.name}, {counts} examples of {shape(dataset.sample_shape)}, {values}{use}",
            f"generator: {networks[0]}, {self.generator_parameters:,} parameters",
            f"discriminator: {networks[1]}, {self.discriminator_parameters:,} parameters",
            f"training: {config.examples:,} examples in batches of {config.batch_size}, on {self.device}",
        ]
        return [*facts, self.origin] if self.origin else facts

    def introduction(self, run: Path, seen: int) -> list[str]:
        """What is trained, and where it goes."""
        return [*self.facts(), f"resuming {run} at {seen:,} examples" if seen else f"writing to {run}"]

    def dry_run(self) -> str:
        """The complete configuration as YAML, the rest as comments: the whole can be saved and trained."""
        run = self.directory if self.resuming else next_run_directory(self.directory, self.config.recipe)
        facts = [*self.facts(), f"would be written to: {run} (nothing has been written)"]
        values = self.config.model_dump(mode="json")
        # without a width YAML would break a long path at its spaces
        settings = yaml.safe_dump(values, sort_keys=False, allow_unicode=True, width=math.inf)
        return "".join(f"# {fact}\n" for fact in facts) + settings


def opened(source: Component) -> tuple[Dataset, Advice]:
    """The data set that a component stands for, and what is advised to be made of it.

    Raises:
        ConfigError, DataError: it can't be opened.
    """
    dataset: Dataset = build("data set", DATASETS, source)
    return dataset, advise(dataset)


def plan(config: Config, directory: Path, *, resuming: bool, dataset: Dataset | None = None) -> Plan:
    """Build everything once, so that what can't be built is refused before a directory is made for it.

    Args:
        config: of the run.
        directory: the run to resume, or the folder for a new one.
        resuming: which of the two.
        dataset: opened already.

    Raises:
        ConfigError, DataError: what is asked for can't be built.
    """
    device = resolve_device(config.device)
    if dataset is None:
        dataset = build("data set", DATASETS, config.data)
    assert dataset is not None
    gan, _ = build_gan(config, dataset, torch.device("cpu"))
    origin = None if resuming else start_from(gan, EMA(gan.generator, 0.0), config, dataset)
    loader_of(dataset.train, config, dataset.value_range)
    for name in config.metrics:
        check_metric(name, dataset)
    said = origin.text if origin else ""
    counts = tuple(
        sum(p.numel() for p in player.parameters()) for player in (gan.generator, gan.discriminator)
    )
    return Plan(config, dataset, device, directory, resuming, counts[0], counts[1], said)
