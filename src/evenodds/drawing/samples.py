"""Pictures of samples: grids of images, and (in vectors.py) scatters, histograms and heat maps of vectors."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from ..errors import DataError
from ..files import write_with
from .canvas import BROKEN, FAINT, INK, PAPER, captioned, fitted, font
from .vectors import draw_vectors

Array = NDArray[Any]
Range = tuple[float, float]

GAP = 2  # pixels between images
WIDTH = 700  # pixels; small images are enlarged by the largest whole factor that keeps the grid within it,
# and within twice that in height
SMOOTH = 16  # pixels; images no larger than this are enlarged by bicubic interpolation
LABEL_HEIGHT = 16  # pixels of the strip under an image that carries a label
CHECK = 8  # pixels of one square of the checkerboard behind transparent images, before enlarging


def draw_samples(
    x: Array,
    *,
    value_range: Range | None,
    title: str,
    reference: Array | None = None,
    columns: int | None = None,
    labels: Sequence[str] | None = None,
    premultiplied: bool = False,
) -> Image.Image:
    """A titled picture of samples: a grid of images, or a plot of vectors over the reference data.

    Args:
        x: (N, C, H, W) images or (N, d) vectors; uint8, or floating point in `value_range`.
        value_range: the values of x that are black and white; None for vectors used as they are,
            and for images that are to be scaled to their own range (the title then says so).
        title: what this is; one line, made smaller where it would not fit.
        reference: (M, d) vectors of the data, which fix the axes; not used for images.
        columns: images in a row; as many as make the grid square where None.
        labels: one for each image, written under it, or one for each row of the grid, written to its left;
            not used for vectors.
        premultiplied: whether images of 4 channels are colours multiplied by alpha, and alpha.

    Raises:
        DataError: x is empty or of another shape, or labels fit neither the images nor the rows.
    """
    x = np.asarray(x)
    if x.ndim not in (2, 4) or 0 in x.shape or x.dtype.kind not in "uif":
        raise DataError(
            f"samples of shape {x.shape} and type {x.dtype} can't be drawn; "
            "give numbers of shape (N, C, H, W) or (N, d), with N at least 1"
        )
    if x.ndim == 2:
        return draw_vectors(x, value_range=value_range, title=title, reference=reference)
    columns = columns or math.ceil(math.sqrt(len(x)))
    columns = max(1, min(columns, len(x)))
    tiles, notes = to_rgb(x, value_range, premultiplied=premultiplied)
    grid = _labelled_grid(tiles, columns, tuple(labels or ()))
    return captioned(grid, f"{title} ({'; '.join(notes)})" if notes else title)


def save_picture(image: Image.Image, path: Path) -> None:
    """Write a PNG atomically; the same picture always gives the same bytes.

    Raises:
        RunError: the file can't be written.
    """
    # Without info, nothing but pixels is stored: no time, no program name.
    bare = image.copy()
    bare.info = {}
    write_with(path, lambda temporary: bare.save(temporary, format="PNG", compress_level=6))


def to_rgb(x: Array, value_range: Range | None, *, premultiplied: bool = False) -> tuple[Array, list[str]]:
    """Images (N, C, H, W) as uint8 (N, H, W, 3), and what the reader has to be told about them.

    Args:
        x: uint8 in 0..255, or other numbers in `value_range`; 1 channel is grey, 3 RGB, 4 RGBA;
            of 2 the first is shown, of more than 4 the first three.
        value_range: as of `draw_samples`.
        premultiplied: likewise.
    """
    notes = []
    channels = x.shape[1]
    if channels == 2 or channels > 4:
        shown = 1 if channels == 2 else 3
        notes.append(f"channel 1 of {channels}" if shown == 1 else f"channels 1 to 3 of {channels}")
        x = x[:, :shown]
    broken: Array = np.zeros((len(x), *x.shape[2:]), dtype=bool)  # (N, H, W)
    if x.dtype != np.uint8:
        broken = np.logical_not(np.isfinite(x).all(axis=1))
        if broken.any():
            notes.append(f"{int(broken.any(axis=(1, 2)).sum())} with values that are no numbers, in pink")
            x = np.where(np.isfinite(x), x, 0.0)
        if value_range is None:
            value_range = (float(x.min()), float(x.max()))
            notes.append(f"scaled from {value_range[0]:.3g}..{value_range[1]:.3g}")
        x = _to_bytes(x, value_range)
    pixels = np.moveaxis(x, 1, -1)  # (N, H, W, C)
    if pixels.shape[-1] == 4:
        pixels = _over_checkerboard(pixels, premultiplied)
    rgb = np.array(np.broadcast_to(pixels, (*pixels.shape[:3], 3)))
    rgb[broken] = BROKEN
    return rgb, notes


def _to_bytes(x: Array, value_range: Range) -> Array:
    """Map value_range to 0..255, rounding to nearest; what lies outside is clipped."""
    low, high = value_range
    scale = 255.0 / (high - low) if high > low else 0.0
    scaled: Array = np.clip((x.astype(np.float32) - low) * scale + 0.5, 0, 255).astype(np.uint8)
    return scaled


def _over_checkerboard(pixels: Array, premultiplied: bool) -> Array:
    """RGBA (N, H, W, 4) over light grey squares, so that white and transparent differ; (N, H, W, 3)."""
    height, width = pixels.shape[1:3]
    square = min(CHECK, max(1, height // 4))
    rows, columns = np.mgrid[:height, :width] // square
    board = np.where((rows + columns) % 2 == 0, 255, 204)[None, :, :, None]  # (1, H, W, 1)
    alpha = pixels[..., 3:].astype(np.float32) / 255
    # a sample may have more colour than alpha, which no picture has: it is shown as the file would be
    colours = np.minimum(pixels[..., :3], pixels[..., 3:]) if premultiplied else pixels[..., :3] * alpha
    return (colours + board * (1 - alpha) + 0.5).astype(np.uint8)


def _labelled_grid(tiles: Array, columns: int, labels: tuple[str, ...]) -> Image.Image:
    """The grid of (N, H, W, 3) images with its labels at the left of the rows or under the images."""
    rows = math.ceil(len(tiles) / columns)
    if labels and len(labels) not in (rows, len(tiles)):
        raise DataError(
            f"{len(labels)} labels fit neither the {len(tiles)} images nor the {rows} rows of the grid; "
            "give one for each image or one for each row"
        )
    beside = bool(labels) and len(labels) == rows
    foot = LABEL_HEIGHT if labels and not beside else 0
    across = (WIDTH - GAP * (columns + 1)) // (columns * tiles.shape[2])
    down = (2 * WIDTH - (GAP + foot) * (rows + 1)) // (rows * tiles.shape[1])
    factor = max(1, min(across, down))
    tiles = _enlarged(tiles, factor)  # (N, H*factor, W*factor, 3)
    height, width = tiles.shape[1:3]
    picture = Image.fromarray(_arrange(tiles, rows, columns, foot))
    if beside:
        return _with_row_labels(picture, labels, GAP + height)
    draw = ImageDraw.Draw(picture)
    for index, label in enumerate(labels):
        text, chosen = fitted(label, width, largest=12, smallest=8)
        left = GAP + (index % columns) * (GAP + width)
        top = GAP + (index // columns) * (GAP + height + foot) + height
        draw.text((left + width / 2, top + foot / 2), text, fill=INK, font=chosen, anchor="mm")
    return picture


def _enlarged(tiles: Array, factor: int) -> Array:
    """Each image `factor` times as large: pixels as squares, but smoothed where they are too few to read."""
    if max(tiles.shape[1:3]) > SMOOTH or factor == 1:
        return tiles.repeat(factor, axis=1).repeat(factor, axis=2)
    size = tiles.shape[2] * factor, tiles.shape[1] * factor
    return np.stack(
        [np.asarray(Image.fromarray(tile).resize(size, Image.Resampling.BICUBIC)) for tile in tiles]
    )


def _arrange(tiles: Array, rows: int, columns: int, foot: int) -> Array:
    """Place (N, H, W, 3) images row by row, GAP pixels apart, each with `foot` free pixels below it."""
    count, height, width, _ = tiles.shape
    cells = np.full((rows * columns, GAP + height + foot, GAP + width, 3), FAINT, dtype=np.uint8)
    cells[:count, GAP : GAP + height, GAP:] = tiles
    cells[count:, GAP:, GAP:] = PAPER  # no sample here
    cells = cells.reshape(rows, columns, *cells.shape[1:]).swapaxes(1, 2)
    grid = cells.reshape(rows * (GAP + height + foot), columns * (GAP + width), 3)
    framed = np.empty((grid.shape[0] + GAP, grid.shape[1] + GAP, 3), dtype=np.uint8)
    framed[:] = FAINT
    framed[:-GAP, :-GAP] = grid
    return framed


def _with_row_labels(grid: Image.Image, labels: tuple[str, ...], pitch: int) -> Image.Image:
    """The grid moved right by a white margin with one label a row; `pitch` is pixels from row to row."""
    size = max(9, min(14, pitch - 2))
    margin = min(160, math.ceil(max(font(size).getlength(label[:60]) for label in labels)) + 12)
    whole = Image.new("RGB", (grid.width + margin, grid.height), PAPER)
    whole.paste(grid, (margin, 0))
    draw = ImageDraw.Draw(whole)
    for row, label in enumerate(labels):
        text, chosen = fitted(label, margin - 8, largest=size, smallest=8)
        draw.text((margin - 6, GAP / 2 + (row + 0.5) * pitch), text, fill=INK, font=chosen, anchor="rm")
    return whole
