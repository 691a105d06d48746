"""Arithmetic on concepts: a − b + c of averaged latents, and of averaged images for comparison.

Radford, Metz and Chintala (2015), section 6.3.2: "smiling woman − neutral woman + neutral man" is a smiling
man if each concept is the mean latent of three exemplars; with single exemplars the results were unstable.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ..data.dataset import Array
from ..errors import ConfigError
from .figures import Cell, Table, heading, need_images, tiles
from .space import Space

SPREAD = 0.25  # of the uniform noise added to every coordinate of Y for the eight around it
AROUND = 8
CENTRE = 4  # of the 3 × 3 panel, row by row


@dataclass(frozen=True)
class Concept:
    """What some samples have in common.

    Args:
        seeds: of its exemplars; three in the paper.
        label: their class; None for a generator without classes.
        kind: what they show, if somebody could tell.
    """

    seeds: tuple[int, ...]
    label: int | None = None
    kind: int | None = None

    @property
    def labels(self) -> list[int] | None:
        """One for each exemplar."""
        return None if self.label is None else [self.label] * len(self.seeds)


@dataclass(frozen=True, eq=False)
class Arithmetic:
    """a − b + c, E exemplars each, as samples in the generator's range.

    Args:
        exemplars: for a, b and c, (E, *sample_shape).
        means: (3, *sample_shape), samples at the mean latents.
        panel: (9, *sample_shape), samples at Y = a − b + c, in the middle, and at eight points around it.
        image_means: (3, *sample_shape), mean images of the exemplars.
        image: (*sample_shape), the same sum of these images, which may leave the range.
    """

    exemplars: tuple[Array, Array, Array]
    means: Array
    panel: Array
    image_means: Array
    image: Array


def concept(space: Space, seeds: Sequence[int], label: int | None) -> Concept:
    """The concept of exemplars that a user has picked.

    Args:
        label: of all; None for the class that the seeds have by default, seed mod K.

    Raises:
        ConfigError: no seeds, or of several classes.
    """
    classes = len(space.sampler.class_names)
    if not seeds:
        raise ConfigError("a concept needs exemplars; give three seeds, as in 3,17,42")
    if not classes:
        return Concept(tuple(seeds))
    found = {seed % classes for seed in seeds} if label is None else {label}
    if len(found) > 1:
        names = ", ".join(space.sampler.class_names[one] for one in sorted(found))
        raise ConfigError(
            f"seeds {', '.join(map(str, seeds))} are of several classes ({names}), and a mean of latents has "
            "one; give seeds of one class, or --class for all"
        )
    return Concept(tuple(seeds), found.pop())


def arithmetic(
    space: Space, a: Concept, b: Concept, c: Concept, *, seed: int = 0, spread: float = SPREAD
) -> Arithmetic:
    """a − b + c by the published protocol; the result takes c's class.

    Args:
        seed: of the noise around Y.
        spread: ± this for every coordinate; on a sphere in units of 1/√L, and in w of its spread.
    """
    concepts = (a, b, c)
    means = [space.on(space.points(one.seeds, one.labels).mean(0)) for one in concepts]
    centre = space.on(means[0] - means[1] + means[2])
    points = torch.cat([torch.stack(means), around(space, centre, seed, spread)])
    # a mean stands in its first exemplar's row of the pass, the panel in those that follow c's
    seeds = [*(one.seeds[0] for one in concepts), *(c.seeds[0] + 1 + place for place in range(AROUND + 1))]
    labels = [one.label or 0 for one in concepts] + [c.label or 0] * (AROUND + 1)
    x = space.samples(points, seeds, None if c.label is None else labels)
    first, second, third = _exemplars(space, concepts)
    images = np.stack([first.mean(0), second.mean(0), third.mean(0)])
    return Arithmetic((first, second, third), x[:3], x[3:], images, images[0] - images[1] + images[2])


def _exemplars(space: Space, concepts: Sequence[Concept]) -> list[Array]:
    """The samples of each concept's seeds, drawn together: in one pass, if no two need the same row."""
    seeds = [seed for one in concepts for seed in one.seeds]
    labels = [one.label or 0 for one in concepts for _ in one.seeds] if space.sampler.class_names else None
    ends = np.cumsum([len(one.seeds) for one in concepts])[:-1]
    return np.split(space.sampler(seeds, labels), ends)


def around(space: Space, centre: Tensor, seed: int, spread: float) -> Tensor:
    """(9, F): the centre in the middle of eight points, each U(−spread, spread) away in every coordinate."""
    unit = space.spread if space.name == "w" or space.on(centre) is not centre else 1.0
    noise = torch.rand(AROUND + 1, len(centre), generator=torch.Generator().manual_seed(seed))
    noise = (2 * noise - 1) * spread * unit
    noise[CENTRE] = 0
    points = space.on(centre + noise)
    points[CENTRE] = centre
    return points


def arithmetic_table(space: Space, result: Arithmetic, names: Sequence[str]) -> Table:
    """The paper's figure 7: exemplars and panel above, then both sums written out.

    Args:
        names: of the concepts a, b and c.
    """
    sampler = space.sampler
    need_images(sampler, "arithmetic")
    exemplars = [tiles(sampler, x) for x in result.exemplars]
    means, images = tiles(sampler, result.means), tiles(sampler, result.image_means)
    panel, (image,) = tiles(sampler, result.panel), tiles(sampler, result.image[None])
    count = max(3, max(len(column) for column in exemplars))
    cells: list[list[Cell]] = []
    for row in range(count):
        given = [column[row] if row < len(column) else None for column in exemplars]
        made = panel[3 * row : 3 * row + 3] if row < 3 else [None] * 3
        cells.append([given[0], None, given[1], None, given[2], None, *made])
    for (first, second, third), sum_ in ((means, panel[CENTRE]), (images, image)):
        cells.append([first, "-", second, "+", third, "=", None, sum_, None])
    rows = [f"exemplar {index + 1}" for index in range(count)]
    return Table(
        cells=cells,
        title=heading(sampler, f"{names[0]} - {names[1]} + {names[2]}"),
        columns=[names[0], "", names[1], "", names[2], "", "", "the sum", ""],
        rows=[*rows, f"sum of latents {space.name}", "sum of images"],
    )
