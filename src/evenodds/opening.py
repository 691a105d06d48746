"""A run, opened for reading: the game as a checkpoint left it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch

from .algorithm import GAN
from .build import build, build_gan
from .checkpoint import load_tensors, restore_game
from .components import build_half_life
from .config import Config, load_config
from .data.dataset import Dataset
from .data.sources import DATASETS
from .ema import EMA
from .errors import ConfigError, RunError
from .run import resolve_device
from .sampling import Sampler, sampler_of


@dataclass
class Opened:
    """What a checkpoint holds, as objects.

    Args:
        directory: of the run.
        checkpoint: the file.
        config: of the run.
        dataset: that it trains on.
        gan: both players and their optimizers, in evaluation mode.
        ema: the average of the generator's weights.
        sampler: draws from that average, as the run's generator file does.
        examples: training examples that the checkpoint had seen.
    """

    directory: Path
    checkpoint: Path
    config: Config
    dataset: Dataset
    gan: GAN
    ema: EMA
    sampler: Sampler
    examples: int


def open_run(
    directory: str | Path,
    *,
    checkpoint: int | str = "last",
    dataset: Dataset | None = None,
    device: str = "cpu",
) -> Opened:
    """The game of a run; nothing is written, no lock is taken, nobody's random numbers change.

    Args:
        directory: of the run.
        checkpoint: "last", "best", or the training examples that one of its checkpoints had seen.
        dataset: instead of reading what `config.data` names.
        device: where to put the players: cpu, cuda, mps …, or auto.

    Raises:
        RunError: no run, no such checkpoint, or a damaged one.
        ConfigError, DataError: its parts can't be built on this machine.
    """
    directory = Path(directory)
    path = checkpoint_file(directory, checkpoint)
    config = load_config(directory / "config.yaml")
    if dataset is None:
        dataset = build("data set", DATASETS, config.data)
    assert dataset is not None
    tensors, facts = load_tensors(path, "checkpoint")
    examples: int = facts["examples"]
    with torch.random.fork_rng():
        try:
            gan, rules = build_gan(config, dataset, torch.device(resolve_device(device)))
        except ConfigError as error:
            raise RunError(f"{directory} can't be opened with {dataset.name} ({error})") from None
        ema = EMA(gan.generator, build_half_life(config))
        restore_game(tensors, gan, ema, path)
    gan.iteration = facts["iteration"]
    rules.apply(gan, examples, examples, factor=float(facts.get("rate_factor", 1.0)))
    gan.generator.eval()
    gan.discriminator.eval()
    sampler = sampler_of(ema.generator, config, dataset, examples=examples, metrics=facts["measured"])
    return Opened(directory, path, config, dataset, gan, ema, sampler, examples)


def checkpoint_file(directory: Path, checkpoint: int | str = "last") -> Path:
    """The file of a run's last or best checkpoint, or of the one after so many examples.

    Raises:
        RunError: no run, or no such checkpoint in it.
    """
    if not (directory / "config.yaml").is_file():
        runs = sorted(path.parent for path in directory.glob("*/config.yaml"))
        remedy = f"such as {runs[-1]}" if runs else "a folder that evenodds train has made"
        raise RunError(f"{directory} is no run; give the folder of a run, {remedy}")
    folder = directory / "checkpoints"
    numbered = {int(p.stem): p for p in folder.glob("*.safetensors") if p.stem.isdigit()}
    best = folder / "best.safetensors"
    if checkpoint == "last" and numbered:
        return numbered[max(numbered)]
    if checkpoint == "best" and best.is_file():
        return best
    if isinstance(checkpoint, int) and checkpoint in numbered:
        return numbered[checkpoint]
    there = ", ".join(str(examples) for examples in sorted(numbered)) or "none"
    raise RunError(f"{directory} has no checkpoint {checkpoint!r}; there are: {there}")
