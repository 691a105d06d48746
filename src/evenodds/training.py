"""A training run, as an iterator: build, resume, then step, record and save until done.

The caller owns the loop, so that the command line, a notebook and any other front end drive the same code:

    for progress in training(config, "runs/mine"):
        print(progress.examples, progress.report)
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import torch

from .acceleration import precision, use_threads
from .algorithm import GAN, Stats, train_step
from .build import build, build_gan
from .config import Config
from .data.dataset import Dataset
from .data.loader import Loader
from .data.sources import DATASETS
from .ema import EMA
from .errors import NonFiniteError
from .optimizers import OptimizerRule
from .recorder import Recorder
from .run import Run, resolve_device
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
    rules: list[OptimizerRule]  # the discriminator's, the generator's
    ema: EMA
    loader: Loader
    recorder: Recorder
    saver: Saver
    started: float = 0.0  # perf_counter() at which the whole run would have begun without interruptions

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
    loader = Loader(
        dataset.train, config.batch_size, seed=config.seed, value_range=dataset.value_range, device=device
    )
    recorder = Recorder(
        gan, dataset, held_out=config.held_out, conditional=config.conditional, seed=config.seed
    )
    ema = EMA(gan.generator, config.ema_half_life)
    with Run(Path(directory), config) as run:
        saver = Saver(config, run, dataset, gan, ema, loader)
        session = Session(config, run, dataset, gan, rules, ema, loader, recorder, saver)
        session.started = time.perf_counter() - saver.restore()
        yield from _play(session)


def _play(session: Session) -> Iterator[Progress]:
    """The loop; leaving it early saves a checkpoint, an error in it does not."""
    gan, config = session.gan, session.config
    optimizers = (gan.discriminator_optimizer, gan.generator_optimizer)
    device = next(gan.generator.parameters()).device
    if session.examples == 0:
        session.saver.picture(0)
    try:
        while session.examples < config.examples:
            before = session.examples
            for optimizer, rule in zip(optimizers, session.rules, strict=True):
                rule.set_rates(optimizer, before, max(before - session.per_iteration, 0))
            with precision(config, device):
                stats = train_step(gan, session.loader)
            session.ema.update(gan.generator, session.per_iteration)
            session.recorder.add(stats)
            yield Progress(session.examples, stats, _save_what_is_due(session, before), session)
    except GeneratorExit:
        if session.examples > session.saver.saved_at:
            _save(session, report=session.recorder.pending > 0, checkpoint=True)
        raise
    finally:
        session.saver.close()


def _save_what_is_due(session: Session, before: int) -> dict[str, Any] | None:
    """Report, measure, draw and save whatever became due since `before` examples; the report if there was one."""
    config, examples = session.config, session.examples
    last = examples >= config.examples

    def due(every: int | str) -> bool:
        size = len(session.dataset.train) if every == "epoch" else every
        return last or (isinstance(size, int) and before // size != examples // size)

    measure = bool(config.metrics) and due(config.metrics_every)
    picture, checkpoint = due(config.samples_every), due(config.checkpoint_every)
    report = due(config.report_every) or measure or picture or checkpoint
    return _save(session, report=report, measure=measure, picture=picture, checkpoint=checkpoint)


def _save(
    session: Session, *, report: bool, measure: bool = False, picture: bool = False, checkpoint: bool = False
) -> dict[str, Any] | None:
    """A report comes first: it refuses weights that are no numbers, so that no checkpoint ever holds them."""
    line = _report(session, measure) if report else None
    if picture:
        session.saver.picture(session.examples)
    if checkpoint:
        session.saver.checkpoint(session.examples, session.seconds)
    return line


def _report(session: Session, measure: bool) -> dict[str, Any]:
    """One line of metrics.jsonl."""
    examples, saver = session.examples, session.saver
    try:
        line = session.recorder.report(examples, session.per_iteration)
    except NonFiniteError as error:
        raise NonFiniteError(f"{error}; {saver.advice()}") from None
    line["seconds"] = session.seconds
    line |= {f"learning_rate/{name}": rate for name, rate in _rates(session.gan).items()}
    if measure:
        line |= saver.measure(examples, session.seconds)
    saver.record(line)
    return line


def _rates(gan: GAN) -> dict[str, float]:
    return {
        "discriminator": float(gan.discriminator_optimizer.param_groups[0]["lr"]),
        "generator": float(gan.generator_optimizer.param_groups[0]["lr"]),
    }
