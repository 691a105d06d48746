"""Where D's odds are even: a fresh probe says whether G has won, or D no longer sees what there is to see."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from ..algorithm import GAN
from ..config import Config
from ..data.dataset import Dataset
from ..data.loader import to_range
from ..errors import DataError
from .history import Verdict
from .probe import probe
from .scores import evaluating

# D's odds count as even where it shows less than this of the divergence, nats: 3 % of log 2.
EVEN = 0.02
PROVED = 0.05  # nats that a probe must prove beyond doubt before D is called weak
AGAIN = 2.0  # times the training examples seen at the last probe, so that all of them together cost little
FIRST = 10  # reports before the first one
REAL, STEPS, WIDTHS = 2_000, 100, (128, 128)

Line = Mapping[str, Any]


class SecondOpinion:
    """Trains a small fresh discriminator against the generator as it is, when D's odds are even.

    Args:
        config: of the run.
        gan: the game.
        dataset: the probe learns from its training split and is measured on its validation split.
    """

    def __init__(self, config: Config, gan: GAN, dataset: Dataset) -> None:
        self._gan, self._dataset, self._seed = gan, dataset, config.seed
        self._held_out, self._labelled = config.held_out, config.conditional

    def due(self, line: Line, before: Sequence[Line]) -> bool:
        """Whether D shows next to nothing, long enough after the last probe.

        Args:
            line: the report being made.
            before: those before it, the oldest first.
        """
        if line.get("gauge/jsd", 1.0) > EVEN or len(before) < FIRST:
            return False
        probed = [one["examples"] for one in before if "probe/jsd" in one]
        return not probed or line["examples"] >= AGAIN * probed[-1]

    def ask(self, examples: int) -> dict[str, float]:
        """`probe/jsd`, `probe/jsd/low` and `probe/tv`, as the gauge's; nothing from too few examples.

        Args:
            examples: training examples seen; the probe's random numbers depend on them.
        """
        split, device = self._dataset.train, next(self._gan.generator.parameters()).device
        random = torch.Generator().manual_seed(self._seed + examples)
        chosen = torch.randperm(len(split), generator=random)[:REAL].sort().values.numpy()
        labels = None if split.y is None or not self._labelled else torch.from_numpy(split.y[chosen])

        def sample(n: int, generator: torch.Generator) -> Tensor:
            drawn = torch.randint(len(chosen), (n,), generator=generator)
            y = None if labels is None else labels[drawn].to(device)
            with evaluating(self._gan.generator):
                x: Tensor = self._gan.generator(self._gan.prior(n, generator).to(device), y)
            return self._as_saved(x)

        parts = split.x[chosen], self._dataset.validation.x[: self._held_out]
        real, held_out = (to_range(torch.from_numpy(x), self._dataset.value_range).to(device) for x in parts)
        try:
            found = probe(real, held_out, sample, steps=STEPS, seed=self._seed, widths=WIDTHS).bounds
        except DataError:
            return {}
        line = {"probe/jsd": found.jsd.estimate, "probe/jsd/low": found.jsd.low}
        return line | {"probe/tv": found.total_variation.estimate}

    def _as_saved(self, x: Tensor) -> Tensor:
        """Bytes where the data are: else 256 levels against a continuum would be all there is to see."""
        value_range = self._dataset.value_range
        if self._dataset.train.x.dtype != "uint8" or value_range is None:
            return x
        low, high = value_range
        return low + (high - low) / 255 * ((x - low) * (255 / (high - low))).round().clamp(0, 255)


def opinion(lines: Sequence[Line]) -> Verdict | None:
    """What the last probe found, as long as D's odds have been even since; None without one.

    Args:
        lines: reports of metrics.jsonl, the oldest first.
    """
    for line in reversed(lines):
        if line.get("gauge/jsd", 1.0) > EVEN:
            return None
        if "probe/jsd" in line:
            break
    else:
        return None
    found = f"JSD at least {line['probe/jsd']:.2f} of 0.69 nats"
    if line["probe/jsd/low"] > PROVED:
        text = f"D's odds are even, but a fresh discriminator still tells samples from data: {found}."
        advice = "For more, raise critic_steps or discriminator.optimizer.learning_rate, or lower penalties."
        return Verdict("weak_discriminator", text, advice, False)
    text = f"Even odds, and a fresh discriminator agrees: {found}. The generator has won against both."
    return Verdict("even", text, "", False)
