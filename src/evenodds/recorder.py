"""From what the steps return to a line of metrics.jsonl, with one synchronization a report."""

from __future__ import annotations

import math
import time
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

from .algorithm import GAN, Stats
from .checkpoint import first_non_finite, weights
from .data.dataset import Dataset
from .data.loader import to_range
from .errors import NonFiniteError


class Recorder:
    """Keeps the steps' results on the device until a report is due.

    Args:
        gan: the game.
        dataset: its validation split is what V(D, G) is measured on.
        held_out: how many of its examples.
        conditional: whether the players see labels.
        seed: of the latents on the other side of that measurement.
    """

    def __init__(self, gan: GAN, dataset: Dataset, *, held_out: int, conditional: bool, seed: int) -> None:
        self._gan, self._seed = gan, seed
        self._device = next(gan.generator.parameters()).device
        count = min(held_out, len(dataset.validation))
        self._x = to_range(torch.from_numpy(dataset.validation.x[:count]), dataset.value_range).to(
            self._device
        )
        labels = dataset.validation.y
        self._y = (
            torch.from_numpy(labels[:count]).to(self._device) if conditional and labels is not None else None
        )
        self._kept: list[Stats] = []
        self._since = time.perf_counter()

    def add(self, stats: Stats) -> None:
        """Keep the result of one iteration."""
        self._kept.append(stats)

    @property
    def pending(self) -> int:
        """Iterations since the last report."""
        return len(self._kept)

    def report(self, examples: int, examples_per_iteration: int) -> dict[str, Any]:
        """Means over the iterations since the last report, and V(D, G) on held-out data.

        Raises:
            NonFiniteError: a loss, logit or weight is infinite or NaN; names the first and its iteration.
        """
        kept, self._kept = self._kept, []
        first = self._gan.iteration - len(kept)
        self._refuse_non_finite(
            kept, first, examples - len(kept) * examples_per_iteration, examples_per_iteration
        )
        joined = {name: torch.cat([stats[name] for stats in kept if name in stats]) for name in kept[-1]}
        line: dict[str, Any] = {"examples": examples, "iteration": self._gan.iteration}
        real, fake = joined.pop("logits/real"), joined.pop("logits/fake")
        line |= {name: float(values.mean()) for name, values in joined.items()}
        line |= {"d/real": float(real.sigmoid().mean()), "d/fake": float(fake.sigmoid().mean())}
        line["value/train"] = value(real, fake)
        line |= self._held_out(examples)
        now = time.perf_counter()
        line["rate"] = len(kept) * examples_per_iteration / (now - self._since)
        self._since = now
        return line

    @torch.no_grad()
    def _held_out(self, examples: int) -> dict[str, float]:
        """V(D, G) on validation data and as many fresh samples, both players in evaluation mode.

        The latents come from a generator of their own: measuring must not change what training draws.
        """
        gan = self._gan
        pack = len(self._x) - len(self._x) % getattr(gan.discriminator, "size", 1)
        x, y = self._x[:pack], None if self._y is None else self._y[:pack]
        random = torch.Generator().manual_seed(self._seed + examples)
        training = gan.generator.training, gan.discriminator.training
        gan.generator.eval(), gan.discriminator.eval()
        fake = gan.generator(gan.prior(len(x), random).to(self._device), y)
        logits = gan.discriminator(x, y).float(), gan.discriminator(fake, y).float()
        gan.generator.train(training[0]), gan.discriminator.train(training[1])
        means = {"d/held_out": float(logits[0].sigmoid().mean()), "value/held_out": value(*logits)}
        return {name: mean for name, mean in means.items() if math.isfinite(mean)}

    def _refuse_non_finite(self, kept: list[Stats], first: int, examples: int, per_iteration: int) -> None:
        for name in kept[-1]:
            means = torch.stack([stats[name].float().mean() for stats in kept if name in stats])
            bad = (~torch.isfinite(means)).nonzero().flatten()
            if len(bad):
                step = int(bad[0]) + 1
                raise NonFiniteError(
                    f"{name} became {float(means[bad[0]])} at iteration {first + step} "
                    f"({examples + step * per_iteration:,} examples){self._first_weight()}"
                )
        if self._first_weight():
            raise NonFiniteError(
                f"a weight stopped being a number by iteration {self._gan.iteration}{self._first_weight()}"
            )

    def _first_weight(self) -> str:
        name = first_non_finite(weights(self._gan))
        return f"; the first weight that is no number: {name}" if name else ""


def value(real: Tensor, fake: Tensor) -> float:
    """V(D, G) = E log D(x) + E log(1 − D(G(z))) in nats, Goodfellow et al. (2014), Eq. 1."""
    return float(logsigmoid(real).mean() + logsigmoid(-fake).mean())
