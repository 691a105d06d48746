"""The pictures in samples/ as the frames of a film: which there are, which to show, at what size."""

from __future__ import annotations

import re
import warnings
from pathlib import Path
from typing import NamedTuple

from PIL import Image

NAME = re.compile(r"\d{10}\.png")


class Frame(NamedTuple):
    """A sample picture and the training examples that D had seen."""

    examples: int
    path: Path
    size: tuple[int, int]


def sample_frames(run: Path) -> list[Frame]:
    """All intact pictures of samples/ that have the size of the last one, by examples."""
    paths = sorted(path for path in (run / "samples").glob("*.png") if NAME.fullmatch(path.name))
    sizes = [(path, _size(path)) for path in paths]
    frames = [Frame(int(path.stem), path, size) for path, size in sizes if size]
    return [frame for frame in frames if frame.size == frames[-1].size]


def choose(frames: list[Frame], most: int) -> list[Frame]:
    """At most `most` frames, evenly spread, with the first and the last."""
    if len(frames) <= most:
        return frames
    if most < 2:
        return frames[-1:]
    return [frames[index * (len(frames) - 1) // (most - 1)] for index in range(most)]


def load(frame: Frame, *, widest: int) -> Image.Image:
    """The picture as RGB, made smaller where it is wider than `widest` or taller than four times that."""
    with Image.open(frame.path, formats=["PNG"]) as image:
        picture = image.convert("RGB")
    picture.thumbnail((widest, 4 * widest), Image.Resampling.BOX)
    return picture


def _size(path: Path) -> tuple[int, int] | None:
    """Width and height, or None where the file is cut off, too large to be a grid, or no PNG."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(path, formats=["PNG"]) as image:
                size = image.size
                image.verify()
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError, Image.DecompressionBombWarning):
        return None
    return size
