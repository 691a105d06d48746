"""Exponential moving average of the generator's weights: the copy that is sampled and evaluated."""

from __future__ import annotations

import copy

import torch
from torch import nn

from .schedules import Schedule


class EMA:
    """Averages with a half-life counted in training examples, so that it does not depend on the batch size.

    A half-life that grows with the examples seen forgets the first, bad generators sooner: a straight line
    from 0 with slope 0.05 (Karras et al. 2020, "Training GANs with limited data", appendix C), or a cosine
    from 0 (Huang et al. 2024).

    Args:
        generator: the network whose weights are averaged; it is copied.
        half_life: training examples after which an old weight counts half, or a schedule of it; 0 keeps a
            plain copy.
    """

    def __init__(self, generator: nn.Module, half_life: float | Schedule) -> None:
        self.half_life = half_life
        self._newest = generator
        self._average = copy.deepcopy(generator).eval().requires_grad_(False)

    @property
    def generator(self) -> nn.Module:
        """The averaged generator, in evaluation mode."""
        if self.half_life == 0:
            # only when someone looks: a copy after every step would cost as much as the step
            self._copy(decay=0.0)
        return self._average

    def update(self, generator: nn.Module, examples: int, *, seen: int = 0) -> None:
        """weights ← d · weights + (1 − d) · newest, with d = 0.5^(examples since last call / half_life).

        Args:
            generator: with the newest weights.
            examples: training examples seen since the last call.
            seen: training examples seen before those, where a scheduled half-life is looked up.
        """
        self._newest = generator
        if callable(self.half_life):
            half_life = self.half_life(seen)
            self._copy(decay=0.5 ** (examples / half_life) if half_life > 0 else 0.0)
        elif self.half_life:
            self._copy(decay=0.5 ** (examples / self.half_life))

    @torch.no_grad()
    def _copy(self, decay: float) -> None:
        for weight, newest in zip(self._average.parameters(), self._newest.parameters(), strict=True):
            weight.lerp_(newest, 1 - decay)
        for buffer, latest in zip(self._average.buffers(), self._newest.buffers(), strict=True):
            buffer.copy_(latest)  # batch-norm statistics are averages already
