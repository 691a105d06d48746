"""Pictures of latent space: tables of samples with headings, signs between them and words below them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from PIL import Image, ImageDraw

from ..data.dataset import Array
from ..drawing.canvas import INK, PAPER, captioned, fitted, font
from ..drawing.samples import SMOOTH, to_rgb
from ..errors import ConfigError
from ..sampling import Sampler

GAP = 4  # pixels between cells
WIDTH = 860  # pixels; small samples are enlarged by the largest whole factor that keeps the table within it
LARGEST = 112  # pixels; no sample is enlarged beyond that
SIGN = 26  # pixels across of a column that holds signs only
HEADING = 20  # pixels above the cells for the columns' names
FOOT = 16  # pixels below a cell for its words
MARGIN = 190  # pixels, at most, for the rows' names

Cell = Array | str | None  # a sample as uint8 (H, W, 3), a sign, or nothing


@dataclass(frozen=True, kw_only=True)
class Table:
    """What stands in a picture, before it is drawn.

    Args:
        cells: row by row, all of one length; samples all of one size.
        title: one line above everything.
        rows: names to the left; none if empty.
        columns: names above; none if empty.
        words: below each cell, in the shape of `cells`; none if empty.
    """

    cells: Sequence[Sequence[Cell]]
    title: str
    rows: Sequence[str] = ()
    columns: Sequence[str] = ()
    words: Sequence[Sequence[str]] = field(default_factory=tuple)

    def draw(self) -> Image.Image:
        """RGB; tables of one shape give pictures of one size."""
        height, width = next(
            cell.shape[:2] for row in self.cells for cell in row if isinstance(cell, np.ndarray)
        )
        signs = [
            not any(isinstance(cell, np.ndarray) for cell in column)
            for column in zip(*self.cells, strict=True)
        ]
        left = self._margin()
        free = WIDTH - left - GAP * (len(signs) + 1) - SIGN * sum(signs)
        factor = max(1, min(free // (width * max(1, len(signs) - sum(signs))), LARGEST // max(height, width)))
        height, width = height * factor, width * factor
        across = [SIGN if sign else width for sign in signs]
        foot = FOOT if self.words else 0
        top = HEADING if self.columns else 0
        size = (
            left + sum(across) + GAP * (len(across) + 1),
            top + len(self.cells) * (height + foot + GAP) + GAP,
        )
        picture = Image.new("RGB", size, PAPER)
        draw = ImageDraw.Draw(picture)
        lefts = [left + GAP + sum(across[:index]) + GAP * index for index in range(len(across))]
        for name, at, breadth in zip(self.columns, lefts, across, strict=False):
            _text(draw, name, (at + breadth / 2, top / 2), breadth + GAP)
        for row, cells in enumerate(self.cells):
            y = top + GAP + row * (height + foot + GAP)
            if self.rows:
                _text(draw, self.rows[row], (left - 4, y + height / 2), left - 6, anchor="rm")
            for column, cell in enumerate(cells):
                middle = lefts[column] + across[column] / 2
                if isinstance(cell, str):
                    draw.text((middle, y + height / 2), cell, fill=INK, font=font(22), anchor="mm")
                elif cell is not None:
                    picture.paste(enlarged(cell, factor), (lefts[column], y))
                if self.words and self.words[row][column]:
                    _text(
                        draw, self.words[row][column], (middle, y + height + foot / 2), across[column] + GAP
                    )
        return captioned(picture, self.title)

    def _margin(self) -> int:
        """Pixels that the rows' names take."""
        longest = max((font(13).getlength(name) for name in self.rows), default=0)
        return min(MARGIN, math.ceil(longest) + 12) if self.rows else 0


def _text(
    draw: ImageDraw.ImageDraw, text: str, at: tuple[float, float], width: float, *, anchor: str = "mm"
) -> None:
    text, chosen = fitted(text, width, largest=13, smallest=8)
    draw.text(at, text, fill=INK, font=chosen, anchor=anchor)


def enlarged(tile: Array, factor: int) -> Image.Image:
    """The sample `factor` times as large: pixels as squares, but smoothed where they are too few to read."""
    image = Image.fromarray(tile)
    how = Image.Resampling.BICUBIC if max(tile.shape[:2]) <= SMOOTH else Image.Resampling.NEAREST
    return image.resize((image.width * factor, image.height * factor), how)


def tiles(sampler: Sampler, x: Array) -> list[Array]:
    """Samples (N, C, H, W), as floats in the sampler's range or uint8, as they are drawn: uint8 (H, W, 3)."""
    return list(to_rgb(x, sampler.value_range, premultiplied=sampler.premultiplied)[0])


def heading(sampler: Sampler, text: str) -> str:
    """`text` with the recipe before it, and after it which channels are shown where it isn't all."""
    channels = sampler.sample_shape[0]
    shown = {2: " (channel 1 of 2)"}.get(
        channels, f" (channels 1 to 3 of {channels})" if channels > 4 else ""
    )
    recipe = sampler.facts.get("recipe")
    return (f"{recipe} · " if recipe else "") + text + shown


def need_images(sampler: Sampler, what: str) -> None:
    """Vectors are refused by name.

    Raises:
        ConfigError: the samples are no images.
    """
    if len(sampler.sample_shape) != 3:
        size = " × ".join(map(str, sampler.sample_shape))
        raise ConfigError(
            f"this generator makes vectors of {size} numbers, and {what} draws images; give another"
        )


def rows_of(cells: Sequence[Array], columns: int) -> list[list[Cell]]:
    """A flat list of samples as rows of that many."""
    return [list(cells[start : start + columns]) for start in range(0, len(cells), columns)]
