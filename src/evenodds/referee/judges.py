"""Discriminators that are made to judge a generator, not to teach one: they see their data standardised."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from ..networks.mlp import MLPDiscriminator

FLAT_STD = 0.1  # of the overall one: a coordinate that hardly varies is not blown up beyond that
ROWS = 64  # compared with a Parzen window's points at once: what fits into a processor's cache
REACH = 7.0  # widths beyond which a point of a Parzen window is not looked at
NEIGHBOURS = 1_000  # points whose distances set the widths of Parzen windows


class Judge(nn.Module):
    """A network behind a fixed scaling of its input.

    Args:
        network: `(N, *shape) -> (N,)`.
        centre: subtracted first; broadcasts with a sample.
        scale: divided by then; likewise.
        frequencies: (d, F) in cycles per unit of the scaled input, for vectors of few dimensions, or None.
            The network then sees d + 2F features, x, sin 2πxB and cos 2πxB (Tancik et al. 2020), and can
            tell apart what is near.
    """

    def __init__(
        self, network: nn.Module, centre: Tensor, scale: Tensor, frequencies: Tensor | None = None
    ) -> None:
        super().__init__()
        self.network = network
        self.register_buffer("centre", centre)
        self.register_buffer("scale", scale)
        self.register_buffer("frequencies", frequencies)

    def forward(self, x: Tensor) -> Tensor:
        """(N, *shape) -> logits (N,)."""
        scaled = (x - self.get_buffer("centre")) / self.get_buffer("scale")
        if self.frequencies is not None:
            phases = 2 * math.pi * scaled @ self.get_buffer("frequencies")  # (N, F)
            scaled = torch.cat([scaled, phases.sin(), phases.cos()], 1)
        logits: Tensor = self.network(scaled)
        return logits


def mlp_judge(
    real: Tensor,
    *,
    seed: int,
    widths: Sequence[int] = (128, 128),
    dropout: float = 0.0,
    frequency: float = 0.0,
    waves: int = 64,
) -> Judge:
    """Fully connected, for samples of any shape.

    Args:
        real: (N, *shape) that the scaling is taken from.
        seed: of the first weights and the frequencies.
        widths: hidden units, layer by layer.
        dropout: of hidden units.
        frequency: standard deviation of Fourier frequencies, cycles per standard deviation of the data; 0 for
            none.  For vectors only.
        waves: how many frequencies.
    """
    centre = real.mean(0)
    spread = real.std(0)
    # a constant is left as it is
    scale = spread.clamp(min=max(FLAT_STD * float(spread.square().mean().sqrt()), 1e-12))
    frequencies = None
    shape = tuple(real.shape[1:])
    with seeded(seed):
        if frequency:
            frequencies = (frequency * torch.randn(shape[0], waves)).to(real.device)
            shape = (shape[0] + 2 * waves,)
        network = MLPDiscriminator(sample_shape=shape, widths=widths, dropout=dropout)
    return Judge(network, centre, scale, frequencies).to(real.device)


def conv_judge(real: Tensor, *, seed: int, width: int = 32) -> Judge:
    """Convolutions of stride 2 until 4 × 4 or less is left, for images.

    Args:
        real: (N, C, H, W) that the scaling is taken from.
        seed: of the first weights.
        width: channels of the first layer; doubled with each.
    """
    channels, size = real.shape[1], min(real.shape[2:])
    layers: list[nn.Module] = []
    with seeded(seed):
        while size > 4 or not layers:
            layers += [nn.Conv2d(channels, width, 3, stride=2, padding=1), nn.LeakyReLU(0.2)]
            channels, width, size = width, min(2 * width, 256), (size + 1) // 2
        layers += [nn.Flatten(), nn.LazyLinear(1), nn.Flatten(0)]
        network = nn.Sequential(*layers).to(real.device)
        centre, scale = real.mean(), real.std().clamp(min=1e-12)
        network(real[:2])  # the last layer learns its size and draws its weights
    return Judge(network, centre, scale)


class ParzenJudge(NamedTuple):
    """log p̂(x) − log q̂(x) of two Parzen windows of one width (Parzen 1962), for vectors of few dimensions.

    Half a point's weight is added to both, so that the odds are even far from all points.

    Args:
        real: (N, d).
        fake: (M, d).
        width: standard deviation of the Gaussian around every point.
    """

    real: Tensor
    fake: Tensor
    width: float

    def __call__(self, x: Tensor) -> Tensor:
        """(N, d) -> logits (N,)."""
        order = x[:, 0].argsort()
        near = x[order]
        logits = self._log_window(near, self.real) - self._log_window(near, self.fake)
        return torch.empty_like(logits).index_copy_(0, order, logits)

    def _log_window(self, x: Tensor, points: Tensor) -> Tensor:
        """log of the window at x (N, d), which ascends in the first coordinate."""
        points = points[points[:, 0].argsort()]
        sums = [self._sums(rows, points) for rows in x.split(ROWS)]
        return ((torch.cat(sums) + 0.5) / (len(points) + 0.5)).log()

    def _sums(self, x: Tensor, points: Tensor) -> Tensor:
        # what is farther in the first coordinate adds e^(-24) of a point at most
        reach = torch.stack([x[0, 0] - REACH * self.width, x[-1, 0] + REACH * self.width])
        low, high = torch.searchsorted(points[:, 0].contiguous(), reach).tolist()
        squares = torch.zeros(len(x), high - low, device=x.device)
        # differences first, coordinate by coordinate: |x|² − 2x·p + |p|² would cancel
        for axis in range(x.shape[1]):
            squares += (x[:, axis, None] - points[None, low:high, axis]).square_()
        # what is next to nothing is not let become less: exp of numbers that underflow is ten times as slow
        return squares.mul_(-0.5 / self.width**2).clamp_(min=-80).exp_().sum(1)


def parzen_judges(real: Tensor, fake: Tensor, *, widths: int = 6) -> list[ParzenJudge]:
    """Windows from the distance between neighbouring points up to that between all, evenly in the logarithm.

    Args:
        real: (N, d).
        fake: (M, d).
        widths: how many.
    """
    some = real[:NEIGHBOURS]
    squares = torch.cdist(some.double(), some.double(), compute_mode="donot_use_mm_for_euclid_dist")
    nearest = (squares + torch.diag(torch.full((len(some),), math.inf)).to(squares)).min(1).values
    # as far as the neighbour would be if all points were looked at; at least what float32 resolves
    closest = float(nearest.median()) * (len(some) / len(real)) ** (1 / real.shape[1])
    farthest = max(float(squares.median()) / 4, 1e-6)
    closest = min(max(closest, 1e-4 * farthest), farthest)
    ratio = (farthest / closest) ** (1 / max(1, widths - 1))
    return [ParzenJudge(real, fake, closest * ratio**power) for power in range(widths)]


@contextlib.contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Inside, what is drawn on the CPU depends on the seed alone; outside it is as if nothing was drawn."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        yield
