"""From what the steps return to a line of metrics.jsonl, with one synchronization a report."""

from __future__ import annotations

import time
from collections.abc import Mapping
from functools import partial
from typing import Any

import torch
from torch import Tensor

from .adaptation import strength
from .algorithm import GAN, Stats
from .checkpoint import first_non_finite, weights
from .data.dataset import Dataset
from .data.loader import to_range
from .errors import NonFiniteError
from .networks.layers import Packed
from .referee.scores import evaluating, held_out_values, in_blocks, value


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
        device = next(gan.generator.parameters()).device
        count = min(held_out, len(dataset.validation))
        x, y = dataset.validation.x[:count], dataset.validation.y
        self._x = to_range(torch.from_numpy(x), dataset.value_range).to(device)
        self._y = torch.from_numpy(y[:count]).to(device) if conditional and y is not None else None
        self._kept: list[tuple[int, Stats]] = []  # with the number of the iteration, from 1
        self._since = gan.iteration, time.perf_counter()
        self.logits: Stats = {}  # what D said of training data and samples since the report before the last

    def add(self, stats: Stats) -> None:
        """Keep the result of the iteration just done."""
        self._kept.append((self._gan.iteration, stats))

    def pending(self) -> dict[str, Tensor]:
        """All that was kept since the last report, for a checkpoint."""
        return _joined(self._kept)

    def restore(self, pending: Mapping[str, Tensor]) -> None:
        """Go on from what `pending` returned, after the game has been put back."""
        device = self._x.device
        stats = {name: values.to(device) for name, values in pending.items()}
        self._kept = [(self._gan.iteration, stats)] if stats else []
        self._since = self._gan.iteration, time.perf_counter()

    def report(self, examples: int, examples_per_iteration: int, *, held_out: bool = True) -> dict[str, Any]:
        """Means over the iterations since the last report, and V(D, G) on held-out data.

        Args:
            examples: training examples seen.
            examples_per_iteration: that D sees.
            held_out: False leaves V(D, G) to the referee, who needs D's logits for more.

        Raises:
            NonFiniteError: a loss, logit or weight is infinite or NaN; names the first and its iteration.
        """
        self.refuse_non_finite(examples_per_iteration)
        joined, self._kept = _joined(self._kept), []
        line: dict[str, Any] = {"examples": examples, "iteration": self._gan.iteration}
        real, fake = joined.pop("logits/real"), joined.pop("logits/fake")
        self.logits = {"logits/real": real, "logits/fake": fake}
        line |= {name: float(values.mean()) for name, values in joined.items()}
        line |= {"d/real": float(real.sigmoid().mean()), "d/fake": float(fake.sigmoid().mean())}
        line["value/train"] = value(real, fake)
        if held_out:
            line |= self._held_out(examples)
        line |= strength(self._gan.augment)
        (iteration, then), now = self._since, time.perf_counter()
        line["rate"] = (self._gan.iteration - iteration) * examples_per_iteration / (now - then)
        self._since = self._gan.iteration, now
        return line

    def refuse_non_finite(self, examples_per_iteration: int) -> None:
        """Stop at a loss, logit, penalty or weight that is no number.

        Raises:
            NonFiniteError: names the first, and its iteration where that is known.
        """
        weight = first_non_finite(weights(self._gan))
        where = f"; the first weight that is no number: {weight}" if weight else ""
        found = [(iteration, name, v) for iteration, stats in self._kept for name, v in stats.items()]
        means = torch.stack([values.float().mean() for _, _, values in found]) if found else torch.empty(0)
        bad = (~torch.isfinite(means)).nonzero().flatten()
        if len(bad):
            iteration, name, values = found[int(bad[0])]
            raise NonFiniteError(
                f"{name} became {float(values.float().mean())} at iteration {iteration} "
                f"({iteration * examples_per_iteration:,} examples){where}"
            )
        if weight:
            raise NonFiniteError(f"a weight stopped being a number by iteration {self._gan.iteration}{where}")

    def _held_out(self, examples: int) -> dict[str, float]:
        """V(D, G) on validation data and as many fresh samples, both players in evaluation mode.

        The latents come from a generator of their own: measuring must not change what training draws.
        """
        gan = self._gan
        pack = gan.discriminator.size if isinstance(gan.discriminator, Packed) else 1
        count = len(self._x) - len(self._x) % pack
        if not count:
            return {}
        x, y = self._x[:count], None if self._y is None else self._y[:count]
        random = torch.Generator().manual_seed(self._seed + examples)
        with evaluating(gan.generator, gan.discriminator):
            fake = in_blocks(gan.generator, gan.prior(count, random).to(x.device), y)
            judge = partial(in_blocks, gan.discriminator, pack=pack)
            real_logits, fake_logits = judge(x, y), judge(fake, y)
        return held_out_values(real_logits, fake_logits, gan.iteration)


def _joined(kept: list[tuple[int, Stats]]) -> dict[str, Tensor]:
    """Every name that any iteration has (a lazy penalty is not in all), float32: bfloat16 has 3 digits."""
    names = dict.fromkeys(name for _, stats in kept for name in stats)
    return {name: torch.cat([stats[name] for _, stats in kept if name in stats]).float() for name in names}
