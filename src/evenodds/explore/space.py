"""A generator's latent space: from seeds to points in it, and from points to samples."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from ..data.dataset import Array
from ..errors import ConfigError
from ..latents import Sphere, Uniform
from ..networks.styled import Styled
from ..sampling import CHUNK, Sampler

Name = Literal["z", "w"]
Labels = Sequence[int] | None
MEASURED = 4_096  # points from which the spread of w is measured


@dataclass(frozen=True, eq=False)
class Space:
    """Latents z, or styles w of a generator that first maps z to a style.

    Args:
        sampler: the generator.
        name: z or w.

    Raises:
        ConfigError: w of a generator without styles.
    """

    sampler: Sampler
    name: Name = "z"

    def __post_init__(self) -> None:
        if self.name == "w":
            styled(self.sampler, "has no space w; leave out --space w")

    @property
    def straight(self) -> bool:
        """Whether a straight line stays where the generator was trained: in a cube, and in w."""
        return self.name == "w" or isinstance(self.sampler.prior, Uniform)

    @functools.cached_property
    def spread(self) -> float:
        """Standard deviation of one coordinate of z; of w, the root mean square over its coordinates."""
        if self.name == "w":
            return float((self.pool - self.pool.mean(0)).square().mean().sqrt())
        prior = self.sampler.prior
        if isinstance(prior, Uniform):
            return prior.bound / math.sqrt(3)
        return 1 / math.sqrt(prior.dim) if isinstance(prior, Sphere) else 1.0

    @functools.cached_property
    def pool(self) -> Tensor:
        """(MEASURED, F) points of the first seeds, classes in turn."""
        return self.points(range(MEASURED))

    def points(self, seeds: Sequence[int] | range, labels: Labels = None) -> Tensor:
        """(N, F) points of these seeds, float32 on the CPU; w depends on the label, too.

        Args:
            seeds: one per point.
            labels: one per seed; by default the classes in turn, seed mod K.
        """
        z = self.sampler.latents(seeds)
        if self.name == "z":
            return z
        generator = styled(self.sampler, "has no space w")
        return in_passes(generator.style, z, seeds, self._labels(seeds, labels), self.sampler.device)

    def samples(self, points: Tensor, seeds: Sequence[int] | range, labels: Labels = None) -> Array:
        """float32 (N, *sample_shape) of these points.

        A point at which a seed stands gives that seed's sample, to the last bit.

        Args:
            points: (N, F), or in w (N, style layers, F).
            seeds: where each point comes from: the row in which it is computed, see `in_passes`, and its
                label where none is given.
            labels: one per point.
        """
        device = self.sampler.device
        if self.name == "w":
            generator = styled(self.sampler, "has no space w")
            return in_passes(lambda w, _: generator.synthesize(w), points, seeds, None, device).numpy()
        y = self._labels(seeds, labels)
        return in_passes(self.sampler.generator, points, seeds, y, device).numpy()

    def on(self, points: Tensor) -> Tensor:
        """Points moved to where the prior has its mass, if that is a sphere; elsewhere they stay."""
        if self.name == "z" and isinstance(self.sampler.prior, Sphere):
            return torch.nn.functional.normalize(points, dim=-1)
        return points

    def _labels(self, seeds: Sequence[int] | range, labels: Labels) -> Labels:
        classes = len(self.sampler.class_names)
        if not classes:
            return None
        return [seed % classes for seed in seeds] if labels is None else labels


def styled(sampler: Sampler, lack: str) -> Styled:
    """The sampler's generator as one with styles.

    Raises:
        ConfigError: it has none; `lack` says what it therefore can't do, and the remedy.
    """
    generator = sampler.generator
    if not isinstance(generator, Styled):
        name = sampler.facts.get("generator", {}).get("name", type(generator).__name__)
        raise ConfigError(f"generator {name!r} has no styles, as stylegan2 has, so it {lack}")
    return generator


@torch.no_grad()
def in_passes(
    function: Callable[..., Tensor],
    points: Tensor,
    seeds: Sequence[int] | range,
    labels: Labels,
    device: torch.device,
) -> Tensor:
    """`function(points, labels)` row by row, float32 on the CPU.

    As in `Sampler`, every pass has CHUNK rows and seed n stands in row n mod CHUNK, because a matrix product
    may round differently by row and number of rows: no result depends on what else is computed.

    Args:
        points: (N, …).
        seeds: one per point.
        labels: one per point, or None.
    """
    passes: list[list[int]] = []  # of positions in `points`, in each no two for the same row
    filled = [0] * CHUNK
    for position, seed in enumerate(seeds):
        row = seed % CHUNK
        if filled[row] == len(passes):
            passes.append([])
        passes[filled[row]].append(position)
        filled[row] += 1
    out: Tensor | None = None
    for positions in passes:
        rows = torch.tensor([seeds[position] % CHUNK for position in positions])
        x = torch.zeros(CHUNK, *points.shape[1:])
        x[rows] = points[positions].cpu().float()
        y = torch.zeros(CHUNK, dtype=torch.int64)
        if labels is not None:
            y[rows] = torch.tensor([labels[position] for position in positions])
        result = function(x.to(device), None if labels is None else y.to(device)).float().cpu()[rows]
        out = torch.empty(len(points), *result.shape[1:]) if out is None else out
        out[positions] = result
    return torch.empty(0) if out is None else out
