"""Failures, planted in real runs: what goes wrong, how it is made to, and the lines that the run records.

A plant is natural where a configuration alone brings the failure about; else it intervenes in the loop once,
after a stated report, and training goes on as it would.  Every run is one of `BASES`, chosen by its seed, so
that failures are met under several losses and penalties.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from evenodds import Config, Dataset, training
from evenodds.algorithm import Stats
from evenodds.config import config_from, override
from evenodds.data.dataset import Split
from evenodds.data.densities import Mixture
from evenodds.data.loader import Loader, to_range
from evenodds.data.sources import digits, mnist, ring
from evenodds.errors import NonFiniteError
from evenodds.referee.signals import Signals
from evenodds.trainer import Session

DATA = ("mixture", "digits", "mnist")
REPORTS = 20  # of a sound run
PLANTED_REPORTS = 8  # of one that is made to fail, unless its plant says otherwise
FEW = {"mixture": 200, "digits": 200, "mnist": 200}  # training examples of a memorising G
# of an over-fitting D, for which 200 points of a plane are too many to know by heart
FEWER = {"mixture": 16, "digits": 200, "mnist": 200}


class Plant(NamedTuple):
    """One way to fail.

    Args:
        name: of the failure.
        how: in words; natural, or what is changed in the loop.
        kinds: verdicts that name this failure.
        settings: assignments on top of the base, or a function of data and seed that gives them.
        few: data -> training examples that are kept; None for all.
        warm: whether the players learn from all of them until the report where the failure begins.
        reports: after which the run ends.
        natural: whether its settings alone make a run with that seed fail.
        begins: report after which the intervention comes; 0 for failures there from the start.
        intervene: what it does.
    """

    name: str
    how: str
    kinds: tuple[str, ...]
    settings: Callable[[str, int], tuple[str, ...]] = lambda data, seed: ()
    few: Mapping[str, int] | None = None
    begins: int = 0
    intervene: Callable[[Session, int], None] | None = None
    warm: bool = False
    reports: int = PLANTED_REPORTS
    natural: Callable[[int], bool] = lambda seed: True

    def starts(self, data: str, seed: int) -> int:
        """Report after which the failure is there: none where a setting alone brings it about."""
        return 0 if self.settings(data, seed) and self.natural(seed) else self.begins


BASES: dict[str, tuple[str, ...]] = {
    "relativistic, R1 + R2": ("loss=relativistic", "penalties={r1: {weight: 0.1}, r2: {weight: 0.1}}"),
    "non-saturating, R1": ("loss=non_saturating", "penalties={r1: {weight: 0.1}}"),
    "hinge, R1": ("loss=hinge", "penalties={r1: {weight: 0.1}}"),
    "Wasserstein, gradient penalty": (
        "loss=wasserstein",
        "penalties={wgan_gp: {weight: 1}}",
        "critic_steps=2",  # more would cost more than they bring here
        "discriminator.optimizer.beta2=0.9",
        "generator.optimizer.beta2=0.9",
    ),
    "least squares, R1": ("loss=least_squares", "penalties={r1: {weight: 0.1}}"),
}

ADAM = {"name": "adam", "learning_rate": 1e-3, "beta1": 0.0, "beta2": 0.99}


def base(data: str, seed: int, recipe: str | None = None) -> Config:
    """A small, sound run: of the base that the seed chooses, or of the one named."""
    name = recipe or list(BASES)[seed % len(BASES)]
    width, batch, interval, latent = {
        "mixture": ([64, 64], 128, 7_680, 4),
        "digits": ([128, 128], 64, 3_200, 32),
        "mnist": ([128, 128], 64, 3_200, 64),
    }[data]
    values: dict[str, Any] = {
        "recipe": f"{data}: {name}",
        "data": {"mixture": {"name": "ring", "std": 0.05}, "digits": "digits", "mnist": "mnist"}[data],
        "conditional": data == "digits",
        "generator": {
            "network": {"name": "mlp", "widths": width, "output": "linear" if data == "mixture" else "tanh"},
            "optimizer": ADAM,
        },
        "discriminator": {"network": {"name": "mlp", "widths": width}, "optimizer": ADAM},
        "prior": {"name": "normal", "dim": latent},
        "batch_size": batch,
        "ema_half_life": interval / 2,
        "examples": REPORTS * interval,
        "report_every": interval,
        "held_out": 250,
        "samples_every": "never",
        "checkpoint_every": "never",
        "sample_count": 8,
        "seed": seed,
        "device": "cpu",
        "threads": 1,
        "referee": False,  # its signals are recorded below, its verdicts are what is tested
    }
    steeper: tuple[str, ...] = ()
    if data == "mixture" and "wgan_gp" in BASES[name][1]:
        # as in the toy problems of Gulrajani et al. (2017); 1 flattens the critic on so small a scale
        steeper = ("penalties.wgan_gp.weight=0.1",)
    return config_from(override({**values, "loss": "minimax"}, (*BASES[name], *steeper)))


def nothing_to_learn(data: str, seed: int) -> tuple[str, ...]:
    """A learning rate ten thousand times too small."""
    return ("discriminator.optimizer.learning_rate=1e-7",)


def overwhelming(data: str, seed: int) -> tuple[str, ...]:
    """The saturating game of 2014's Eq. 1 against a D that takes more and larger steps."""
    rate = {"mixture": 1e-2, "digits": 2e-3, "mnist": 1e-3}[data]
    return (
        *WITHOUT_PENALTY,
        "loss=minimax",
        f"critic_steps={10 if data == 'mixture' else 5}",
        f"discriminator.optimizer.learning_rate={rate}",
        "generator.optimizer.learning_rate=2e-4",
    )


WITHOUT_PENALTY = ("penalties={}", "critic_steps=1")


def by_heart(session: Session, seed: int) -> None:
    """The penalty that had kept D smooth is taken off, but for the one that makes a Wasserstein critic."""
    kept = {name: one for name, one in session.gan.penalties.items() if name == "wgan_gp"}
    session.gan.penalties = kept


def circling(data: str, seed: int) -> tuple[str, ...]:
    """A critic whose slope nothing bounds, both players in momentum."""
    momentum = ("discriminator.optimizer.beta1=0.9", "generator.optimizer.beta1=0.9")
    rate = 3e-3 if data == "mixture" else 3e-4
    rates = (f"discriminator.optimizer.learning_rate={rate}", f"generator.optimizer.learning_rate={rate}")
    return (*WITHOUT_PENALTY, "loss=wasserstein", *momentum, *rates)


def exploding(data: str, seed: int) -> tuple[str, ...]:
    """Gradient descent with steps far beyond what the slope allows."""
    optimizer = "{name: sgd, learning_rate: 10}"
    return (
        *WITHOUT_PENALTY,
        "loss=least_squares",
        f"generator.optimizer={optimizer}",
        f"discriminator.optimizer={optimizer}",
    )


def without_labels(data: str, seed: int) -> tuple[str, ...]:
    """A G that is asked for a digit would go on making something in its place."""
    return ("conditional=false",)


def standing_still(data: str, seed: int) -> tuple[str, ...]:
    """A generator that learns nothing: half of the seeds have it from the start."""
    return ("generator.optimizer.learning_rate=0",) if seed % 2 else ()


def generators(session: Session) -> tuple[nn.Module, nn.Module]:
    """The one that is trained and its average."""
    return session.gan.generator, session.ema.generator


def to_one_point(session: Session, seed: int) -> None:
    """G is given latents from a twentieth of the prior's spread, and the label of one class."""
    center = session.gan.prior(1, torch.Generator().manual_seed(seed))

    def narrow(module: nn.Module, inputs: tuple[Tensor, Tensor | None]) -> tuple[Tensor, Tensor | None]:
        z, y = inputs
        return center + 0.05 * (z - center), None if y is None else torch.full_like(y, seed % 10)

    for generator in generators(session):
        generator.register_forward_pre_hook(narrow)


def to_one_half(session: Session, seed: int) -> None:
    """From now on the players see half of the modes, or of the digits; the referee looks at all data."""
    split, config = session.dataset.train, session.config
    kinds = modes_of(session.dataset)
    order = torch.randperm(int(kinds.max()) + 1, generator=torch.Generator().manual_seed(seed))
    shown = np.isin(kinds, order[: len(order) // 2].numpy())
    half = Split(split.x[shown], None if split.y is None else split.y[shown])
    session.loader = Loader(
        half, config.batch_size, seed=config.seed, value_range=session.dataset.value_range
    )


def modes_of(dataset: Dataset) -> np.ndarray[Any, np.dtype[np.int64]]:
    """(N,) which mode, or digit, each training example is of."""
    if isinstance(dataset.density, Mixture):
        x = torch.from_numpy(dataset.train.x)
        return torch.cdist(x, dataset.density.modes.float()).argmin(1).numpy()
    assert dataset.train.y is not None
    return dataset.train.y


def from_memory(session: Session, seed: int) -> None:
    """Every sample becomes the training example that z names, with a trace of what G had made."""
    dataset = session.dataset
    x = to_range(torch.from_numpy(dataset.train.x), dataset.value_range)
    y = torch.zeros(len(x), dtype=torch.int64)
    if session.config.conditional and dataset.train.y is not None:
        y = torch.from_numpy(dataset.train.y)
    by_class, counts = y.argsort(stable=True), y.bincount()
    starts = counts.cumsum(0) - counts

    def recall(module: nn.Module, inputs: tuple[Tensor, Tensor | None], samples: Tensor) -> Tensor:
        z, labels = inputs
        label = labels if session.config.conditional else torch.zeros(len(z), dtype=torch.int64)
        share = torch.special.ndtr(z[:, 0]).clamp(0, 1 - 1e-6)  # uniform in [0, 1)
        chosen = by_class[starts[label] + (share * counts[label]).long()]
        return torch.lerp(x[chosen], samples, 0.01)

    for generator in generators(session):
        generator.register_forward_hook(recall)


@torch.no_grad()
def dead_units(session: Session, seed: int) -> None:
    """One step too far: no unit of the last hidden layer is ever above 0, where ReLU passes no gradient."""
    for generator in generators(session):
        generator.slope = 0.0
        for parameter in generator.hidden[-1].parameters():
            parameter.fill_(-100.0) if parameter.ndim == 1 else parameter.zero_()


PLANTS: dict[str, Plant] = {
    plant.name: plant
    for plant in (
        Plant(
            "collapse",
            "the loop is intervened in: G's latents are drawn together round one point, its labels are one",
            ("collapse", "partial_collapse"),
            begins=5,
            intervene=to_one_point,
            reports=10,
        ),
        Plant(
            "partial collapse",
            "the loop is intervened in: from then on half of the modes (of the digits) are not shown",
            ("partial_collapse", "collapse"),
            without_labels,
            begins=16,
            reports=26,
            natural=lambda seed: False,
            intervene=to_one_half,
        ),
        Plant("lazy D", "natural: D's learning rate is 1e-7", ("lazy_discriminator",), nothing_to_learn),
        Plant(
            "strong D",
            "natural: minimax loss, 5 critic steps (10 on the mixture), D's rate far above G's, no penalty",
            ("strong_discriminator",),
            overwhelming,
        ),
        Plant(
            "over-fitting D",
            "the loop is intervened in: players that all of the data has warmed up go on with 200 images or "
            "16 points of it, without R1 and R2",
            ("overfitting",),
            few=FEWER,
            begins=5,
            intervene=by_heart,
            warm=True,
            reports=REPORTS,
        ),
        Plant(
            "memorising G",
            "the loop is intervened in: samples become the 200 training examples, but for 1 %",
            ("memorization",),
            few=FEW,
            intervene=from_memory,
        ),
        Plant(
            "oscillation",
            "natural: Wasserstein loss, no penalty, momentum",
            ("oscillation",),
            circling,
            reports=14,
        ),
        Plant("not a number", "natural: SGD, learning rate 10", ("non_finite",), exploding),
        Plant(
            "dead G",
            "odd seeds natural: G's learning rate is 0; even seeds: its ReLUs are shut off in the loop",
            ("dead_generator", "collapse"),
            standing_still,
            begins=3,
            intervene=lambda session, seed: None if seed % 2 else dead_units(session, seed),
        ),
    )
}


@functools.cache
def whole(data: str) -> Dataset:
    """The data set, read once."""
    return {"mixture": functools.partial(ring, std=0.05), "digits": digits, "mnist": mnist}[data]()


LOGITS = ("logits/real", "logits/fake")


def planted(config: Config, plant: Plant | None, data: str, seed: int) -> tuple[Config, Dataset]:
    """The run that fails; without a plant, the sound one."""
    dataset = whole(data)
    if plant is None:
        return config, dataset
    if plant.few:
        order = torch.randperm(len(dataset.train), generator=torch.Generator().manual_seed(seed)).numpy()
        # repeated where they are fewer than a batch
        kept = np.resize(order[: plant.few[data]], max(plant.few[data], config.batch_size))
        y = None if dataset.train.y is None else dataset.train.y[kept]
        dataset = dataclasses.replace(dataset, train=Split(dataset.train.x[kept], y))
    values = override(config.model_dump(mode="json"), plant.settings(data, seed))
    reports = plant.reports * values["report_every"]
    return config_from({**values, "recipe": f"{data}: {plant.name}", "examples": reports}), dataset


def play(plant: Plant | None, data: str, seed: int, directory: Path) -> Iterator[Mapping[str, Any]]:
    """The lines that a run records, signals included; a run that breaks down ends with an event."""
    config, dataset = planted(base(data, seed), plant, data, seed)
    reports = 0
    logits: list[Stats] = []
    try:
        with contextlib.closing(training(config, directory, dataset=dataset)) as steps:
            for progress in steps:
                session = progress.session
                if session.gan.iteration == 1:
                    signals = appointed(session)
                    own = session.loader
                if plant and session.gan.iteration == 1 and plant.warm:
                    session.loader = Loader(
                        whole(data).train, config.batch_size, seed=seed, value_range=dataset.value_range
                    )
                logits.append(progress.stats)
                if progress.report is not None:
                    joined = {name: torch.cat([stats[name] for stats in logits]) for name in LOGITS}
                    yield progress.report | signals(session.ema.generator, progress.examples, joined)
                    reports, logits = reports + 1, []
                begins = progress.report is not None or (not reports and session.gan.iteration == 1)
                if plant and plant.intervene and begins and reports == plant.begins:
                    session.loader = own
                    plant.intervene(session, seed)
    except NonFiniteError as error:
        yield {"event": {"kind": "non_finite", "text": str(error)}}


def appointed(session: Session) -> Signals:
    """What is measured at every report, as the referee of a run would."""
    config = session.config
    return Signals(
        session.gan,
        session.dataset,
        held_out=config.held_out,
        conditional=config.conditional,
        seed=config.seed,
        loss=str(config.loss["name"]),
    )
