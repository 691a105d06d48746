"""What the referee looks at, at every report: how the game stands, and what goes wrong in it."""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Iterator, Mapping
from functools import partial

import torch
from torch import Tensor, nn

from ..algorithm import GAN, Batch
from ..data.dataset import Dataset
from ..data.loader import to_range
from ..metrics.diversity import distances
from ..metrics.memorization import nearer_than_held_out, nearest, neighbours_in_training
from ..networks.layers import BATCH_NORMS, Packed
from .movement import WINDOW, coming_back, drift, projection, radius
from .portrait import Reference, energy_between, portrait, reference
from .scores import (
    evaluating,
    gauge_signals,
    gradient_norm,
    held_out_values,
    in_blocks,
    overfitting,
    saturation,
    taken_for_real,
)

LEAST = 20  # held-out examples, below which samples are compared with nothing
COMPARED = 256  # held-out examples, and as many samples, whose distances are looked at
FIXED = 64  # latents whose samples are followed
COPIED = 10_000  # training examples among which copies are looked for
COPIES_EVERY = 4  # reports
BLOCK = 1_000  # training examples in the players' range at a time


class Signals:
    """Measures a game without touching it: no weight, mode or random number of the players changes.

    What can't be measured is left out of a report, so no signal is ever infinite or not a number.

    Args:
        gan: the game.
        dataset: its validation split is the held-out data.
        held_out: how many of its examples.
        conditional: whether the players see labels.
        seed: what is drawn depends on it and on the training examples seen, on nothing else.
        loss: name of the game's loss; D's logits are log odds for some only.
    """

    def __init__(
        self, gan: GAN, dataset: Dataset, *, held_out: int, conditional: bool, seed: int, loss: str
    ) -> None:
        self._gan, self._dataset, self._seed, self._loss = gan, dataset, seed, loss
        self._conditional = conditional
        self._device = next(gan.generator.parameters()).device
        self._pack = gan.discriminator.size if isinstance(gan.discriminator, Packed) else 1
        count = min(held_out, len(dataset.validation))
        self._held_out = self._batch("validation", torch.arange(count - count % self._pack))
        self._real: Reference | None = None
        if len(self._held_out.x) >= LEAST:
            x, y = (part if part is None else part[:COMPARED] for part in self._held_out)
            assert x is not None
            self._real = reference(dataset, x, y, seed=seed)
        random = torch.Generator().manual_seed(seed)
        self._watched = torch.randperm(len(dataset.train), generator=random)[:COPIED].sort().values
        self._latents = gan.prior(FIXED, random).to(self._device)
        self._radius = radius(self._batch("train", self._watched[:: -(-len(self._watched) // BLOCK)]).x)
        self._projection = projection(math.prod(dataset.sample_shape), seed=seed)
        self._places: list[Tensor] = []  # the fixed latents' samples at the last reports, the oldest first
        self._reports = 0
        self._nearness: Tensor | None = None  # (N,) distances of held-out examples to training data

    def __call__(
        self, ema_generator: nn.Module, examples: int, logits: Mapping[str, Tensor]
    ) -> dict[str, float]:
        """Every signal by name; `meanings.SIGNALS` says what they mean.

        Args:
            ema_generator: the averaged generator, `(z, y) -> x`.
            examples: training examples seen.
            logits: "logits/real" and "logits/fake", (N,), of training since the last report.

        Raises:
            NonFiniteError: V(D, G) or D's mean on held-out data is no number.
        """
        started = time.perf_counter()
        line = taken_for_real(logits, self._loss) | gradient_norm(self._gan.generator)
        random = torch.Generator().manual_seed(self._seed + examples)
        with evaluating(self._gan.generator, self._gan.discriminator, ema_generator):
            if len(self._held_out.x):
                z = self._gan.prior(len(self._held_out.x), random).to(self._device)
                fake = in_blocks(self._gan.generator, z, self._held_out.y)
                line |= self._scores(fake, random)
                if self._real is not None:
                    line |= self._comparison(self._real, ema_generator, z, fake, random)
            line |= self._movement()
        self._reports += 1
        finite = {name: value for name, value in line.items() if math.isfinite(value)}
        return finite | {"signal/seconds": time.perf_counter() - started}

    def state(self) -> dict[str, Tensor]:
        """What the next report depends on beside the game, for a checkpoint."""
        places = {f"places/{number}": place for number, place in enumerate(self._places)}
        return {"reports": torch.tensor(self._reports), **places}

    def restore(self, tensors: Mapping[str, Tensor]) -> None:
        """Go on from what `state` returned; without it, from the start."""
        self._reports = int(tensors["reports"]) if "reports" in tensors else 0
        self._places = [tensors[name].cpu() for name in sorted(tensors) if name.startswith("places/")]

    def _batch(self, split: str, indices: Tensor) -> Batch:
        """Examples of a split as the players see them."""
        x, y = self._dataset.split(split).x, self._dataset.split(split).y
        shown = to_range(torch.from_numpy(x[indices.numpy()]), self._dataset.value_range).to(self._device)
        labels = torch.from_numpy(y[indices.numpy()]).to(self._device) if y is not None else None
        return Batch(shown, labels if self._conditional else None)

    def _scores(self, fake: Tensor, random: torch.Generator) -> dict[str, float]:
        """What D's logits on held-out, training and generated examples say.

        D sees the training data in evaluation mode too: under dropout its logits would be smaller.
        """
        judge = partial(in_blocks, self._gan.discriminator, pack=self._pack)
        (x, y), train = self._held_out, self._dataset.train
        real_logits, fake_logits = judge(x, y), judge(fake, y)
        line = held_out_values(real_logits, fake_logits, self._gan.iteration)
        line |= gauge_signals(real_logits, fake_logits, loss=self._loss, pack=self._pack)
        line["signal/gradient"] = saturation(self._gan, real_logits, fake_logits)
        count = min(len(x), len(train))
        chosen = torch.randperm(len(train), generator=random)[: count - count % self._pack]
        if len(chosen):
            line |= overfitting(judge(*self._batch("train", chosen)), real_logits, fake_logits)
        return line

    def _comparison(
        self, real: Reference, ema_generator: nn.Module, z: Tensor, fake: Tensor, random: torch.Generator
    ) -> dict[str, float]:
        """What samples of the averaged and of the newest generator look like beside held-out data."""
        n, y = len(real.x), self._held_out.y
        labels = None if y is None else y[:n]
        newest, averaged = fake[:n], in_blocks(ema_generator, z[:n], labels)
        raw, within = distances(newest), distances(averaged)
        line = real.constants | portrait(averaged, real, within) | portrait(newest, real, raw, suffix="_raw")
        twin = _normalizing_by_batch(self._gan.generator)
        if twin is not None:
            by_batch = twin(self._gan.prior(n, random).to(self._device), labels)
            line["signal/batch_norm"] = energy_between(by_batch, newest, raw) / real.spread
        if self._reports % COPIES_EVERY == 0:
            line |= self._copies(averaged)
        return line

    def _copies(self, samples: Tensor) -> dict[str, float]:
        """Two tests for copies of training examples.

        The first alone is a verdict's ground: in the second, whose p would be for one look at one cell,
        a generator that has collapsed to something common looks like one that copies.
        """
        x = self._held_out.x
        near, far = nearest(samples, self._blocks()), nearest(samples, [x])
        found = neighbours_in_training(near, far, (len(self._watched), len(x)))
        if self._nearness is None:
            self._nearness = nearest(x[:COMPARED], self._blocks())[0]
        copying = nearer_than_held_out(near[0], self._nearness)
        return {
            "signal/memorization": found.z,
            "signal/memorization/p": found.p,
            "signal/copying": copying.z,
        }

    def _blocks(self) -> Iterator[Tensor]:
        """The training examples among which copies are looked for, in the players' range."""
        return (self._batch("train", indices).x for indices in self._watched.split(BLOCK))

    def _movement(self) -> dict[str, float]:
        """How the samples of the newest generator have moved since the reports before."""
        labels = (
            torch.arange(FIXED, device=self._device) % self._dataset.classes if self._conditional else None
        )
        place = self._gan.generator(self._latents, labels).flatten(1).float().cpu()
        place = place if self._projection is None else place @ self._projection
        places = self._places = [*self._places, place][-WINDOW - 1 :]
        line: dict[str, float] = {}
        if len(places) >= 2 and self._radius > 0:
            line["signal/drift"] = drift(places, self._radius)
        for name, moves in (("signal/return", 2), (f"signal/return/{WINDOW}", WINDOW)):
            back = coming_back(places[-moves - 1 :]) if len(places) > moves else None
            if back is not None:
                line[name] = back
        return line


def _normalizing_by_batch(generator: nn.Module) -> nn.Module | None:
    """A copy whose batch-norm layers use the batch's statistics, all else as it is; None without such layers.

    A copy, because looking would otherwise move the running averages.
    """
    if not any(isinstance(layer, BATCH_NORMS) for layer in generator.modules()):
        return None
    twin = copy.deepcopy(generator)
    for layer in twin.modules():
        if isinstance(layer, BATCH_NORMS):
            layer.train()
    return twin
