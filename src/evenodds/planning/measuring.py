"""Images a second of a configuration on this machine, and what its reports and pictures cost."""

from __future__ import annotations

import contextlib
import tempfile
import time
from collections.abc import Callable, Generator
from pathlib import Path
from typing import cast

import numpy as np
import torch

from ..acceleration import precision, use_layout, use_threads
from ..algorithm import GAN, train_step
from ..build import build_gan
from ..config import Config
from ..data.dataset import Dataset, Split
from ..data.loader import Loader
from ..trainer import Progress, training
from .choice import Costs

SECONDS = 3.0  # of steps, for one rate


def rate(config: Config, dataset: Dataset, device: str, *, seconds: float = SECONDS) -> float:
    """Examples a second in training steps alone; nothing of it stays but the number of threads.

    Lazy penalties make some steps dearer: steps with and without them are timed apart and weighed.

    Args:
        config: what would be trained.
        dataset: that it would be trained on; noise of its shape does.
        device: where.
        seconds: about how long to measure; one step of each kind at least.
    """
    use_threads(config)
    place = torch.device(device)
    with torch.random.fork_rng([place] if place.type == "cuda" else []):
        gan, rules = build_gan(config, dataset, place)
        use_layout(gan, config)
        rules.apply(gan, 0, 0)
        loader = Loader(
            dataset.train, config.batch_size, seed=0, value_range=dataset.value_range, device=place
        )
        _timed(gan, loader, config, 0)  # what happens once only
        every = max((penalty.every for penalty in gan.penalties.values()), default=1)
        lazy: list[float] = []
        plain: list[float] = []
        began = time.perf_counter()
        while not plain or time.perf_counter() - began < seconds:
            lazy.append(_timed(gan, loader, config, 0))
            plain.append(_timed(gan, loader, config, 1) if every > 1 else lazy[-1])
    # the median: another program's burst is not this machine's speed
    step = float((np.median(lazy) + (every - 1) * np.median(plain)) / every)
    return config.batch_size * config.critic_steps / step


def _timed(gan: GAN, loader: Loader, config: Config, iteration: int) -> float:
    """Seconds of one step; penalties are due in iteration 0 and, where they are lazy, not in iteration 1."""
    device = next(gan.generator.parameters()).device
    began = time.perf_counter()
    gan.iteration = iteration
    with precision(config, device):
        stats = train_step(gan, loader)
    float(next(iter(stats.values())).sum())  # waits for the device
    return time.perf_counter() - began


def costs(config: Config, dataset: Dataset, step: float) -> Costs:
    """Seconds that a report, a picture and a checkpoint take, tried in a folder that is deleted again.

    Args:
        config: what will be trained.
        dataset: that it will be trained on.
        step: seconds of a training step.
    """
    once = config.batch_size * config.critic_steps
    trial = config.model_copy(
        update={"report_every": once, "samples_every": "never", "checkpoint_every": "never", "start": None}
    )
    with tempfile.TemporaryDirectory() as folder:
        begun = training(trial, Path(folder) / "trial", dataset=dataset)
        with contextlib.closing(cast("Generator[Progress, None, None]", begun)) as steps:
            session = next(steps).session
            spent = [_spent(lambda: next(steps)) for _ in range(2)]
            saver, seen = session.saver, session.examples
            picture = _spent(lambda: saver.picture(seen))
            checkpoint = _spent(lambda: saver.checkpoint(seen, 0.0))
    return Costs(max(0.0, min(spent) - step), picture, checkpoint)


def _spent(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def noise(shape: tuple[int, ...], classes: int, batch: int, *, floats: bool) -> Dataset:
    """Data of that shape without meaning: a step on them takes as long as on others."""
    random = np.random.default_rng(0)
    count = 2 * batch
    x = random.standard_normal((count, *shape), np.float32)
    if not floats:
        x = random.integers(0, 256, (count, *shape), np.uint8)
    split = Split(x, np.arange(count) % classes if classes else None)
    names = tuple(str(label) for label in range(classes))
    return Dataset("noise", split, split, None, names, None if floats else (-1.0, 1.0))
