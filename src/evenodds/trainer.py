"""A training run, as an iterator: build, resume, then step, record and save until done.

The caller owns the loop, so that the command line, a notebook and any other front end drive the same code:

    for progress in training(config, "runs/mine"):
        print(progress.examples, progress.report)
"""

from __future__ import annotations

import atexit
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import torch

from .acceleration import precision, use_layout, use_threads
from .algorithm import GAN, Stats, train_step
from .build import build, build_gan
from .components import build_half_life
from .config import Config
from .data.dataset import Dataset
from .data.loader import Loader, loader_of
from .data.sources import DATASETS
from .ema import EMA
from .errors import NonFiniteError
from .evaluation import check_metrics
from .fine_tuning import start_from
from .memory import Memory
from .optimizers import Rules
from .recorder import Recorder
from .run import Run, has_checkpoint, resolve_device
from .saving import Saver


class Progress(NamedTuple):
    """Where training stands after one iteration."""

    examples: int  # real training examples shown to the discriminator so far
    stats: Stats  # of this iteration, on the device
    report: dict[str, Any] | None  # the line just written to metrics.jsonl, at every report
    session: Session


@dataclass
class Session:
    """The parts of a run while it is trained."""

    config: Config
    run: Run
    dataset: Dataset
    gan: GAN
    rules: Rules
    ema: EMA
    loader: Loader
    recorder: Recorder
    saver: Saver
    memory: Memory
    started: float = 0.0  # perf_counter() at which the whole run would have begun without interruptions
    stopped: Mapping[str, Any] | None = None  # the event for which the referee ended the run before its time

    @property
    def seconds(self) -> float:
        """Spent training, over all sessions."""
        return time.perf_counter() - self.started

    @property
    def per_iteration(self) -> int:
        """Training examples that the discriminator sees in one iteration."""
        return self.config.batch_size * self.config.critic_steps

    @property
    def examples(self) -> int:
        """Training examples that the discriminator has seen."""
        return self.gan.iteration * self.per_iteration


def training(config: Config, directory: str | Path, *, dataset: Dataset | None = None) -> Iterator[Progress]:
    """Train to `config.examples`, going on from the directory's last checkpoint if it has one.

    Leaving the loop early saves a checkpoint first.

    Args:
        config: what to train.
        directory: the run's own.
        dataset: examples already in memory, instead of what `config.data` names.

    Raises:
        ConfigError, DataError: what is asked for can't be built.
        RunError: the directory can't be used, or a checkpoint in it is damaged.
        NonFiniteError: a loss or weight is no longer a number; the last good checkpoint stays.
    """
    use_threads(config)
    device = torch.device(resolve_device(config.device))
    if dataset is None:
        dataset = build("data set", DATASETS, config.data)
    torch.manual_seed(config.seed)
    gan, rules = build_gan(config, dataset, device)
    use_layout(gan, config)
    loader = loader_of(dataset.train, config, dataset.value_range, device)
    recorder = Recorder(
        gan, dataset, held_out=config.held_out, conditional=config.conditional, seed=config.seed
    )
    ema = EMA(gan.generator, build_half_life(config))
    check_metrics(config.metrics, dataset)
    origin = None if has_checkpoint(Path(directory)) else start_from(gan, ema, config, dataset)
    with Run(Path(directory), config) as run:  # from here on things are written
        saver = Saver(config, run, dataset, gan, ema, loader, recorder)
        memory = Memory(gan, loader, config)
        session = Session(config, run, dataset, gan, rules, ema, loader, recorder, saver, memory)
        session.started = time.perf_counter() - saver.restore()
        if origin is not None:
            saver.begin_from(origin)
        if not saver.resumed and (said := memory.fit(partial(precision, config, device))):
            saver.note("memory", said)
        yield from _play(session)


def _play(session: Session) -> Iterator[Progress]:
    """The loop; leaving it early saves a checkpoint, an error in it does not."""
    gan, config = session.gan, session.config
    device = next(gan.generator.parameters()).device
    if session.examples == 0:
        session.saver.picture(0)

    def iteration() -> Stats:
        with precision(config, device):
            return train_step(gan, session.loader)

    def save() -> None:
        session.saver.save_unsaved(session.seconds)

    # a program that ends in the middle of the loop closes it too late: PyTorch is half gone by then
    atexit.register(save)
    try:
        while session.examples < config.examples:
            before = session.examples
            factor = session.saver.rate_factor
            session.rules.apply(gan, before, max(before - session.per_iteration, 0), factor=factor)
            stats = session.memory.careful(iteration, partial(session.saver.note, "memory"))
            session.ema.update(gan.generator, session.per_iteration, seen=before)
            session.recorder.add(stats)
            try:
                report = session.saver.save_due(before, session.seconds)
            except NonFiniteError as error:
                if not _rolled_back(session, str(error), before=session.examples):
                    raise
                continue
            yield Progress(session.examples, stats, report, session)
            if report is not None and _ended(session, report):
                save()
                break
    except GeneratorExit:
        save()
        raise
    finally:
        atexit.unregister(save)
        session.saver.close()


def _ended(session: Session, report: Mapping[str, Any]) -> bool:
    """Do what the config wants done about the referee's verdicts; whether the run ends with that."""
    for event in report.get("event", []):
        wanted = session.config.on_trouble if event["trouble"] else "warn"
        if wanted == "rollback" and _rolled_back(session, event["text"], before=event["since"]):
            return False
        if wanted != "warn" or (event["kind"] == "enough" and session.config.until == "even"):
            session.stopped = event
    return session.stopped is not None


def _rolled_back(session: Session, reason: str, *, before: int) -> bool:
    """Go back to before the trouble, where the config wants that and it can be done."""
    wanted = session.config.on_trouble == "rollback"
    return wanted and session.saver.roll_back(reason, session.seconds, before=before)
