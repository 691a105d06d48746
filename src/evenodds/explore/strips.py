"""Strips: what a direction in latent space does to samples, from −3 to +3 standard deviations."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from ..errors import ConfigError
from .directions import moved
from .figures import Table, heading, need_images, rows_of, tiles
from .interpolation import class_name, row_label
from .space import Space

REACH = 3.0  # standard deviations to either side


def strips_table(
    space: Space,
    vectors: Tensor,
    names: Sequence[str],
    seeds: Sequence[int],
    *,
    steps: int = 7,
    reach: float = REACH,
    label: int | None = None,
) -> Table:
    """For each direction a row for each seed, the sample itself in the middle.

    Args:
        vectors: (k, F) of length 1.
        names: of the directions.
        steps, reach: samples in a row, an odd number, and standard deviations to either end.
        label: of all; None for each seed's own, seed mod K.

    Raises:
        ConfigError: vectors, or an even number of steps.
    """
    need_images(space.sampler, "directions")
    if steps < 3 or steps % 2 == 0:
        raise ConfigError(f"{steps} steps have no middle; give an odd number from 3")
    at = np.linspace(-reach, reach, steps).tolist()
    points, row_seeds, labels, rows = [], [], [], []
    for vector, name in zip(vectors, names, strict=True):
        for seed in seeds:
            own = row_label(space, seed, label)
            points.append(moved(space, space.points([seed], own)[0], vector, at))
            row_seeds += [seed] * steps
            labels += (own or []) * steps
            rows.append(f"{name} · seed {seed}{class_name(space, own)}")
    x = space.samples(torch.cat(points), row_seeds, labels or None)
    return Table(
        cells=rows_of(tiles(space.sampler, x), steps),
        title=heading(space.sampler, f"directions in {space.name}"),
        columns=[f"{step:+.3g} sigma" if step else "0" for step in at],
        rows=rows,
    )


def strips_film(
    space: Space,
    vectors: Tensor,
    names: Sequence[str],
    seeds: Sequence[int],
    *,
    frames: int,
    reach: float = REACH,
    label: int | None = None,
) -> Iterator[Image.Image]:
    """A closed loop, 0 → +reach → −reach → 0: a row for each direction, a column for each seed.

    Args:
        vectors: (k, F) of length 1.
        names: of the directions.
        frames: in the whole loop.
        reach: standard deviations to either side.
        label: of all; None for each seed's own, seed mod K.

    Raises:
        ConfigError: vectors.
    """
    need_images(space.sampler, "directions")
    labels = [own[0] for seed in seeds if (own := row_label(space, seed, label))] or None
    starts = space.points(seeds, labels)
    for frame in range(frames):
        at = reach * float(np.sin(2 * np.pi * frame / frames))
        points = torch.cat([moved(space, start, vector, [at]) for vector in vectors for start in starts])
        x = space.samples(points, [*seeds] * len(vectors), labels and labels * len(vectors))
        title = f"directions in {space.name}: {at:+.1f} sigma"
        yield Table(
            cells=rows_of(tiles(space.sampler, x), len(seeds)),
            title=heading(space.sampler, title),
            columns=[f"seed {seed}" for seed in seeds],
            rows=names,
        ).draw()
