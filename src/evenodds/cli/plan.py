"""What a configuration amounts to, found out before anything is written: data, players, where it would go."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
import yaml

from ..build import build, build_gan
from ..config import Config
from ..data.dataset import Dataset
from ..data.loader import Loader
from ..data.sources import DATASETS
from ..evaluation import check_metric
from ..run import resolve_device
from .text import shape, signed


@dataclass(frozen=True)
class Plan:
    """A configuration that can be trained.

    Args:
        config: of the run.
        dataset: read and checked.
        device: that `config.device` stands for.
        generator_parameters: how many numbers the generator learns.
        discriminator_parameters: likewise.
    """

    config: Config
    dataset: Dataset
    device: str
    generator_parameters: int
    discriminator_parameters: int


def plan(config: Config) -> Plan:
    """Build everything once, so that what can't be built is refused before a directory is made for it.

    Raises:
        ConfigError, DataError: what is asked for can't be built.
    """
    device = resolve_device(config.device)
    dataset: Dataset = build("data set", DATASETS, config.data)
    gan, _ = build_gan(config, dataset, torch.device("cpu"))
    Loader(dataset.train, config.batch_size, seed=config.seed, value_range=dataset.value_range)
    for name in config.metrics:
        check_metric(name, dataset)
    counts = (sum(p.numel() for p in player.parameters()) for player in (gan.generator, gan.discriminator))
    return Plan(config, dataset, device, *counts)


def describe_plan(plan: Plan) -> list[str]:
    """Data, players and length, one line each."""
    config, dataset = plan.config, plan.dataset
    counts = ", ".join(f"{len(split):,} {name}" for name, split in dataset.splits.items())
    values = "values as they are"
    if dataset.value_range is not None:
        low, high = (signed(end, 0) if end == round(end) else signed(end, 2) for end in dataset.value_range)
        values = f"values in [{low}, {high}]"
    labels = f", {dataset.classes} classes" if dataset.classes else ""
    use = " (given to both players)" if config.conditional else " (not used)" if dataset.classes else ""
    networks = config.generator.network["name"], config.discriminator.network["name"]
    return [
        f"data: {dataset.name}: {counts} examples of {shape(dataset.sample_shape)}, {values}{labels}{use}",
        f"generator: {networks[0]}, {plan.generator_parameters:,} parameters",
        f"discriminator: {networks[1]}, {plan.discriminator_parameters:,} parameters",
        f"training: {config.examples:,} examples in batches of {config.batch_size}, on {plan.device}",
    ]


def dry_run(plan: Plan, directory: Path) -> str:
    """The complete configuration as YAML, the rest as comments: the whole can be saved and trained."""
    facts = [*describe_plan(plan), f"would be written to: {directory} (nothing has been written)"]
    settings = yaml.safe_dump(plan.config.model_dump(mode="json"), sort_keys=False, allow_unicode=True)
    return "".join(f"# {fact}\n" for fact in facts) + settings
