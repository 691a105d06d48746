"""Interpolation: rows of samples from one seed to another, and films that walk through many and return."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import torch
from PIL import Image

from ..errors import ConfigError
from .figures import Cell, Table, heading, need_images, rows_of, tiles
from .paths import loop, path
from .space import Space

Pair = tuple[int, int]


def pairs_of(seeds: Sequence[int]) -> list[Pair]:
    """Seeds two by two: (0, 1), (2, 3), …

    Raises:
        ConfigError: an odd number of them, or none.
    """
    if len(seeds) < 2 or len(seeds) % 2:
        raise ConfigError(f"{len(seeds)} seeds are not pairs; give an even number of them, as in 0-7")
    return list(zip(seeds[::2], seeds[1::2], strict=True))


def interpolation_table(space: Space, pairs: Sequence[Pair], *, steps: int, label: int | None) -> Table:
    """One row for each pair of seeds, from the one to the other.

    Args:
        steps: samples in a row, both ends included.
        label: of all rows; None for the label of each row's first seed, seed mod K.

    Raises:
        ConfigError: vectors, or fewer than 2 steps.
    """
    need_images(space.sampler, "interpolate")
    if steps < 2:
        raise ConfigError(f"{steps} steps can't hold both ends of a row; give at least 2")
    points, seeds, labels = [], [], []
    for first, last in pairs:
        own = row_label(space, first, label)
        ends = space.points([first, last], own and own * 2)
        points.append(path(space, ends[0], ends[1], steps))
        seeds += [first + step for step in range(steps)]
        labels += (own or []) * steps
    x = space.samples(torch.cat(points), seeds, labels or None)
    how = "straight" if space.straight else "on great circles"
    return Table(
        cells=rows_of(tiles(space.sampler, x), steps),
        title=heading(space.sampler, f"from seed to seed in {space.name}, {how}"),
        rows=[
            f"{first} to {last}" + class_name(space, row_label(space, first, label)) for first, last in pairs
        ],
    )


def film(
    space: Space, seeds: Sequence[int], *, walkers: int, steps: int, label: int | None
) -> Iterator[Image.Image]:
    """The frames of a closed loop: each of `walkers` samples walks through its share of the seeds and back.

    Args:
        seeds: dealt out in turn, the first to walker 0, the second to walker 1, and so on.
        walkers: samples side by side in a frame.
        steps: frames from one seed to the next.
        label: of all; None for the label of each walker's first seed.

    Raises:
        ConfigError: vectors, or not two seeds for each walker.
    """
    need_images(space.sampler, "interpolate")
    if not 1 <= walkers <= len(seeds) // 2 or len(seeds) % walkers:
        raise ConfigError(
            f"{len(seeds)} seeds for {walkers} samples side by side; give each as many, and at least two"
        )
    tracks, labels = [], []
    for walker in range(walkers):
        keys = seeds[walker::walkers]
        own = row_label(space, keys[0], label)
        tracks.append(loop(space, space.points(keys, own and own * len(keys)), steps))
        labels += own or []
    columns = math.ceil(math.sqrt(walkers))
    title = heading(
        space.sampler, f"{len(seeds) // walkers} seeds each, in {space.name}, and back to the first"
    )
    for frame in range(len(tracks[0])):
        points = torch.stack([track[frame] for track in tracks])
        # every walker in its own row of the pass, the same in all frames: nothing flickers by rounding
        x = space.samples(points, range(walkers), labels or None)
        yield Table(cells=_filled(rows_of(tiles(space.sampler, x), columns), columns), title=title).draw()


def sheet_table(space: Space, seeds: Sequence[int], *, columns: int = 10, label: int | None = None) -> Table:
    """Samples with their seeds below them, to pick from.

    Args:
        columns: samples in a row.
        label: of all; None for each seed's own, seed mod K.

    Raises:
        ConfigError: vectors.
    """
    need_images(space.sampler, "sheet")
    x = space.sampler(seeds, None if label is None else [label] * len(seeds))
    columns = min(columns, len(seeds))
    words = [f"{seed}{class_name(space, row_label(space, seed, label))}" for seed in seeds]
    rows = [words[start : start + columns] for start in range(0, len(words), columns)]
    rows[-1] += [""] * (columns - len(rows[-1]))
    return Table(
        cells=_filled(rows_of(tiles(space.sampler, x), columns), columns),
        words=rows,
        title=heading(space.sampler, "samples and their seeds"),
    )


def row_label(space: Space, seed: int, label: int | None) -> list[int] | None:
    """[label] of a row that begins with that seed; None without classes."""
    classes = len(space.sampler.class_names)
    return ([seed % classes] if label is None else [label]) if classes else None


def class_name(space: Space, labels: list[int] | None) -> str:
    """` · cat` or ` · class 7` for a row's class; nothing without classes."""
    name = space.sampler.class_names[labels[0]] if labels else ""
    return f" · {'class ' if name.isdecimal() else ''}{name}" if name else ""


def _filled(rows: list[list[Cell]], columns: int) -> list[list[Cell]]:
    """The last row as long as the others."""
    return [row + [None] * (columns - len(row)) for row in rows]
