"""Exponential moving average of the generator's weights: the copy that is sampled and evaluated."""

from __future__ import annotations

import copy

import torch
from torch import nn


class EMA:
    """Averages with a half-life counted in training examples, so that it does not depend on the batch size.

    Args:
        generator: the network whose weights are averaged; it is copied.
        half_life: training examples after which an old weight counts half; 0 keeps a plain copy.
    """

    def __init__(self, generator: nn.Module, half_life: float) -> None:
        self.half_life = half_life
        self._newest = generator
        self._average = copy.deepcopy(generator).eval().requires_grad_(False)

    @property
    def generator(self) -> nn.Module:
        """The averaged generator, in evaluation mode."""
        if not self.half_life:
            # only when someone looks: a copy after every step would cost as much as the step
            self._copy(decay=0.0)
        return self._average

    def update(self, generator: nn.Module, examples: int) -> None:
        """weights ← d · weights + (1 − d) · newest, with d = 0.5^(examples since last call / half_life)."""
        self._newest = generator
        if self.half_life:
            self._copy(decay=0.5 ** (examples / self.half_life))

    @torch.no_grad()
    def _copy(self, decay: float) -> None:
        for weight, newest in zip(self._average.parameters(), self._newest.parameters(), strict=True):
            weight.lerp_(newest, 1 - decay)
        for buffer, latest in zip(self._average.buffers(), self._newest.buffers(), strict=True):
            buffer.copy_(latest)  # batch-norm statistics are averages already
