"""The discriminator of a run as a judge of samples and examples: trained to the end, calibrated, measured."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from ..data.dataset import Array, Split
from ..data.loader import to_range
from ..errors import ConfigError
from ..metrics.bounds import Bounds, Calibration, bounds, calibrate
from ..opening import Opened
from ..referee.gauge import require_examples
from ..referee.probe import Pairs, fit
from ..sampling import SEEDS, Sampler

LEAST_HELD_OUT = 100  # validation examples: half of them calibrate, half measure
MOST_CALIBRATING = 5_000  # more would not place two numbers any better
MOST_TRAINING = 20_000  # of either kind, for the discriminator's last steps
ROWS = 1_024  # real examples judged at once
CALIBRATING, TRAINING = SEEDS - 2**20, SEEDS - 2**24  # first seeds of samples that are nobody's else


@dataclass(frozen=True)
class Judge:
    """log p_data/p_g of samples and of real examples.

    Args:
        sampler: of the averaged generator.
        network: `(x, y) -> scores (N,)`, the discriminator in evaluation mode.
        line: from its scores to log odds.
        held_out: real examples that neither training nor calibration has seen, to measure on.
        value_range: what 0..255 of uint8 examples are mapped to.
    """

    sampler: Sampler
    network: nn.Module
    line: Calibration
    held_out: Split
    value_range: tuple[float, float] | None

    @property
    def score(self) -> Callable[[Sequence[int], Sequence[int] | None], Array]:
        """`(seeds, labels) -> log odds (N,)` float64 of their samples; the same alone or among others."""
        judged = dataclasses.replace(
            self.sampler,
            generator=_Judging(self.sampler.generator, self.network, self.line).eval(),
            sample_shape=(1,),
            value_range=None,
        )

        def score(seeds: Sequence[int], labels: Sequence[int] | None = None) -> Array:
            return judged(seeds, labels)[:, 0].astype(np.float64)

        return score

    def odds(self, examples: Split) -> Array:
        """log p_data/p_g of real examples, (N,) float64."""
        with torch.inference_mode():
            parts = [
                self.line(self.network(*_tensors(examples, chosen, self)).double())
                for chosen in torch.arange(len(examples)).split(ROWS)
            ]
        odds: Array = torch.cat(parts).cpu().numpy()
        return odds

    def gauge(
        self, seeds: Sequence[int], labels: Sequence[int] | None = None, *, level: float = 0.95
    ) -> Bounds:
        """What the judge proves of the distance between the data and the samples of these seeds.

        Of samples that it has itself selected it sees no longer what it has removed: a bound near 0 then says
        that it has done its work, and another discriminator may still tell.

        Args:
            seeds: at least 2, as they come from `Selection.seeds` or none chosen.
            labels: one per seed, for a conditional generator.
            level: of each interval.
        """
        real, fake = self.odds(self.held_out), self.score(seeds, labels)
        return bounds(torch.from_numpy(real), torch.from_numpy(fake), level=level)


class _Judging(nn.Module):
    """(z, y) -> log odds (N, 1) of G(z, y), so that a sampler draws odds as it draws samples."""

    def __init__(self, generator: nn.Module, discriminator: nn.Module, line: Calibration) -> None:
        super().__init__()
        self.generator, self.discriminator, self.line = generator, discriminator, line

    def forward(self, z: Tensor, y: Tensor | None = None) -> Tensor:
        """(N, L), (N,) -> (N, 1)."""
        scores: Tensor = self.discriminator(self.generator(z, y), y)
        return self.line(scores)[:, None]


class _Rows(nn.Module):
    """A discriminator of one tensor: each row a flattened sample with its label behind it."""

    def __init__(self, discriminator: nn.Module, shape: tuple[int, ...], conditional: bool) -> None:
        super().__init__()
        self.discriminator, self.shape, self.conditional = discriminator, shape, conditional

    def forward(self, rows: Tensor) -> Tensor:
        """(N, features + 1) -> (N,)."""
        y = rows[:, -1].long() if self.conditional else None
        scores: Tensor = self.discriminator(rows[:, :-1].reshape(-1, *self.shape), y)
        return scores


def judge_of(opened: Opened, *, steps: int = 0, seed: int = 0) -> Judge:
    """The judge that a run's discriminator makes.

    The validation split is halved: on one half the discriminator is calibrated (and its last step chosen),
    the other is left for measuring.

    Args:
        opened: the run.
        steps: for which a copy of the discriminator first goes on training against the frozen, averaged
            generator, by the loss of 2014 and without penalties, as Azadi et al. (2018, section 3.2) do; the
            step that is best on held-out data is kept.
        seed: of these steps.

    Raises:
        ConfigError: its discriminator judges several examples at once.
        DataError: too few validation examples.
    """
    if opened.config.packing > 1:
        raise ConfigError(
            f"the discriminator of {opened.directory} judges packs of {opened.config.packing}, which says "
            "nothing of single examples; train with packing=1"
        )
    validation = opened.dataset.validation
    require_examples(len(validation), needed=LEAST_HELD_OUT)
    order = np.random.default_rng(0).permutation(len(validation))
    fitting, measuring = (_part(validation, np.sort(half)) for half in (order[::2], order[1::2]))
    fitting = _part(fitting, np.arange(min(len(fitting), MOST_CALIBRATING)))
    network = copy.deepcopy(opened.gan.discriminator).eval()
    plain = Judge(opened.sampler, network, Calibration(1.0, 0.0), measuring, opened.dataset.value_range)
    if steps:
        _train_on(plain, opened, fitting, steps=steps, seed=seed)
    fake = plain.score(range(CALIBRATING, CALIBRATING + len(fitting)), _labels(opened, fitting))
    line = calibrate(torch.from_numpy(plain.odds(fitting)), torch.from_numpy(fake))
    return dataclasses.replace(plain, line=line)


def _train_on(judge: Judge, opened: Opened, stopping: Split, *, steps: int, seed: int) -> None:
    """Train the judge's network in place, against samples with the labels of the examples they stand for."""
    train = opened.dataset.train
    chosen = np.random.default_rng(seed).permutation(len(train))[:MOST_TRAINING]
    seen = _part(train, np.sort(chosen))
    pairs = []
    for split, first in ((seen, TRAINING), (stopping, TRAINING + MOST_TRAINING)):
        seeds, labels = range(first, first + len(split)), _labels(opened, split)
        fake = Split(opened.sampler(seeds, labels), None if labels is None else np.asarray(labels))
        pairs.append(Pairs(_rows(split, judge), _rows(fake, judge)))
    shape, conditional = opened.dataset.sample_shape, opened.config.conditional
    fit(_Rows(judge.network, shape, conditional), *pairs, steps=steps, seed=seed, learning_rate=1e-3)
    judge.network.eval()


def _labels(opened: Opened, split: Split) -> list[int] | None:
    """Labels for as many samples as the split has examples, distributed as theirs; None without."""
    if not opened.config.conditional or split.y is None:
        return None
    labels: list[int] = split.y.tolist()
    return labels


def _part(split: Split, chosen: Array) -> Split:
    return Split(split.x[chosen], None if split.y is None else split.y[chosen])


def _tensors(split: Split, chosen: Tensor, judge: Judge) -> tuple[Tensor, Tensor | None]:
    """Those examples as the players see them, on the generator's device."""
    x = to_range(torch.from_numpy(split.x[chosen.numpy()]), judge.value_range).to(judge.sampler.device)
    if split.y is None or not judge.sampler.class_names:
        return x, None
    return x, torch.from_numpy(split.y[chosen.numpy()]).to(judge.sampler.device)


def _rows(split: Split, judge: Judge) -> Tensor:
    """(N, features + 1): flattened, with the label, or 0, behind each."""
    x, y = _tensors(split, torch.arange(len(split)), judge)
    labels = torch.zeros(len(x), device=x.device) if y is None else y.float()
    return torch.cat([x.flatten(1), labels[:, None]], 1)
