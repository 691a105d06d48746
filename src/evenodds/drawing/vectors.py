"""Pictures of samples that are vectors: scatter in the plane, histogram on the line, heat map beyond."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from ..errors import DataError
from .canvas import DATA, INK, PAPER, SAMPLES, Colour, Limits, captioned, draw_axes, draw_legend, font

Array = NDArray[Any]

SIDE = 560  # pixels of the square plot
LEFT, TOP, BOTTOM, RIGHT = 60, 8, 60, 20  # margins around it
BOX = (LEFT, TOP, LEFT + SIDE - 1, TOP + SIDE - 1)
MOST_POINTS = 5_000  # of the reference: more would only make the grey denser
BINS = 60
MOST_ROWS = 256  # of a heat map
MOST_COLUMNS = 1_000
HEAT = np.array([(13, 8, 80), (124, 20, 130), (216, 87, 70), (250, 226, 100)], dtype=np.float64)


def draw_vectors(x: Array, *, value_range: Limits | None, title: str, reference: Array | None) -> Image.Image:
    """A plot of (N, d) samples over (M, d) reference data; the axes follow the reference where there is one.

    Raises:
        DataError: the reference has another number of dimensions than the samples.
    """
    if reference is not None and (reference.ndim != 2 or reference.shape[1] != x.shape[1]):
        raise DataError(
            f"reference data of shape {reference.shape} can't be compared with samples of shape {x.shape}; "
            f"give reference data of shape (M, {x.shape[1]})"
        )
    x = x.astype(np.float64)
    known = x if reference is None or len(reference) == 0 else reference.astype(np.float64)
    if x.shape[1] > 2:
        return _heat_map(x, known, value_range, title)
    stride = math.ceil(len(known) / MOST_POINTS)
    draw = _scatter if x.shape[1] == 2 else _histogram
    return draw(x, known[::stride], reference is not None, title)


def square_limits(points: Array) -> tuple[Limits, Limits]:
    """Limits of x and y that hold all finite points (N, 2) with a margin of a tenth, equally long."""
    finite = points[np.isfinite(points).all(axis=1)]
    if len(finite) == 0:
        return (-1.0, 1.0), (-1.0, 1.0)
    low, high = finite.min(axis=0), finite.max(axis=0)
    half = float((high - low).max()) / 2 * 1.1 or 1.0
    middle = (low + high) / 2
    lower, upper = (middle - half).tolist(), (middle + half).tolist()
    return (lower[0], upper[0]), (lower[1], upper[1])


def _scatter(x: Array, known: Array, has_reference: bool, title: str) -> Image.Image:
    """Samples (N, 2) in the accent colour over the reference (M, 2) in grey."""
    limits = square_limits(known)
    pixels = np.empty((SIDE, SIDE, 3), dtype=np.float32)
    pixels[:] = PAPER
    if has_reference:
        pixels = _blend(pixels, _dots(known, limits, radius=1.7, opacity=0.45), DATA)
    pixels = _blend(pixels, _dots(x, limits, radius=2.0, opacity=0.75), SAMPLES)
    legend = _legend(len(x), _outside(x, limits), has_reference)
    return _framed((pixels + 0.5).astype(np.uint8), limits, legend, title)


def _dots(points: Array, limits: tuple[Limits, Limits], *, radius: float, opacity: float) -> Array:
    """Ink (SIDE, SIDE) in 0..1 that translucent discs at the points (N, 2) leave; overlaps grow darker."""
    place = np.stack([_position(points[:, axis], limits[axis]) for axis in (0, 1)], axis=1)
    place = place[np.isfinite(place).all(axis=1) & (np.abs(place - SIDE / 2) <= SIDE / 2).all(axis=1)]
    columns, rows = np.rint(place).astype(np.int64).T
    rows = SIDE - 1 - rows  # up is positive
    reach = math.ceil(radius)
    down, right = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    cover = opacity * np.clip(radius + 0.5 - np.hypot(down, right), 0, 1).ravel()
    # Light that passes multiplies, so its logarithm adds: one bincount draws every disc.
    depth = np.broadcast_to(-np.log1p(-cover), (len(rows), cover.size))
    row, column = rows[:, None] + down.ravel(), columns[:, None] + right.ravel()
    inside = (row >= 0) & (row < SIDE) & (column >= 0) & (column < SIDE)
    total = np.bincount((row * SIDE + column)[inside], weights=depth[inside], minlength=SIDE * SIDE)
    return 1 - np.exp(-total).reshape(SIDE, SIDE)


def _position(values: Array, limits: Limits) -> Array:
    """Values as pixel positions: the lower limit at 0, the upper at SIDE - 1."""
    return (values - limits[0]) / (limits[1] - limits[0]) * (SIDE - 1)


def _blend(pixels: Array, ink: Array, colour: Colour) -> Array:
    """Colour over pixels (SIDE, SIDE, 3), as opaque as ink (SIDE, SIDE) says."""
    return pixels + (np.array(colour, dtype=np.float32) - pixels) * ink[..., None].astype(np.float32)


def _outside(x: Array, limits: tuple[Limits, ...]) -> int:
    """How many samples (N, d) can't be seen: beyond the axes, or no number."""
    low, high = np.array(limits).T
    return int(len(x) - ((x >= low) & (x <= high)).all(axis=1).sum())


def _legend(count: int, outside: int, has_reference: bool) -> list[tuple[Colour, str]]:
    """What the colours mean; samples that can't be seen are counted."""
    lost = f", {outside:,} of them off the axes" if outside else ""
    return ([(DATA, "data")] if has_reference else []) + [(SAMPLES, f"{count:,} samples{lost}")]


def _framed(
    plot: Array, limits: tuple[Limits, Limits], legend: list[tuple[Colour, str]], title: str
) -> Image.Image:
    """The plot (SIDE, SIDE, 3) with axes, legend and caption."""
    whole = Image.new("RGB", (LEFT + SIDE + RIGHT, TOP + SIDE + BOTTOM), PAPER)
    whole.paste(Image.fromarray(plot), (LEFT, TOP))
    draw = ImageDraw.Draw(whole)
    draw_axes(draw, BOX, *limits)
    draw_legend(draw, (LEFT, TOP + SIDE + 42), legend)
    return captioned(whole, title)


def _histogram(x: Array, known: Array, has_reference: bool, title: str) -> Image.Image:
    """Densities of samples (N, 1) and reference (M, 1): outline over filled bars."""
    limits = square_limits(np.repeat(known, 2, axis=1))[0]
    data, samples = _density(known, limits), _density(x, limits)
    top = float(data.max()) * 1.5 or 1.0  # fixed by the reference, so that the frames of a movie compare
    whole = Image.new("RGB", (SIDE, SIDE), PAPER)
    draw = ImageDraw.Draw(whole)
    edges = np.linspace(0, SIDE - 1, BINS + 1)
    heights = (SIDE - 1) * (1 - np.minimum(np.stack([data, samples]), top) / top)  # (2, BINS), from above
    if has_reference:
        for left, right, height in zip(edges, edges[1:], heights[0], strict=False):
            draw.rectangle((left, height, right, SIDE), fill=(206, 212, 218))
    outline = np.stack([np.repeat(edges, 2)[1:-1], np.repeat(heights[1], 2)], axis=1)
    draw.line([(float(a), float(b)) for a, b in outline], fill=SAMPLES, width=3)
    draw.text((8, 6), "density", fill=INK, font=font(13))
    legend = _legend(len(x), _outside(x, (limits,)), has_reference)
    return _framed(np.asarray(whole), (limits, (0.0, top)), legend, title)


def _density(values: Array, limits: Limits) -> Array:
    """Probability per unit in each of BINS bins; what lies outside the limits counts in the total."""
    counts = np.histogram(values[np.isfinite(values)], bins=BINS, range=limits)[0]
    return counts / len(values) / ((limits[1] - limits[0]) / BINS)


def _heat_map(x: Array, known: Array, value_range: Limits | None, title: str) -> Image.Image:
    """Each sample a row, each dimension a column, its value a colour; magnified to be visible."""
    count, dimensions = x.shape
    finite = known[np.isfinite(known)]
    low, high = value_range or ((float(finite.min()), float(finite.max())) if finite.size else (0.0, 1.0))
    stride = math.ceil(dimensions / MOST_COLUMNS)
    x = x[:MOST_ROWS, ::stride]
    pixels = np.where(np.isfinite(x)[..., None], _heat((x - low) / ((high - low) or 1.0)), 255).astype(
        np.uint8
    )
    pixels = pixels.repeat(max(1, 512 // len(x)), axis=0).repeat(max(1, SIDE // x.shape[1]), axis=1)
    bottom = pixels.shape[0]
    whole = Image.new("RGB", (max(400, pixels.shape[1] + 40), bottom + 52), PAPER)
    whole.paste(Image.fromarray(pixels), (32, 0))
    ramp = _heat(np.linspace(0, 1, 90)).astype(np.uint8)[None].repeat(10, axis=0)
    whole.paste(Image.fromarray(ramp), (32, bottom + 32))
    draw = ImageDraw.Draw(whole)
    every = f", every {stride}th shown" if stride > 1 else ""
    rows = f"; samples 1 to {len(x):,} of {count:,}" if len(x) < count else ""
    said = f"dimensions 0 to {dimensions - 1:,}{every}{rows}"
    draw.text((32, bottom + 6), said, fill=INK, font=font(13))
    scale = f"{low:.3g} to {high:.3g}; white: no number"
    draw.text((130, bottom + 37), scale, fill=INK, font=font(13), anchor="lm")
    _upright(whole, "samples", (16, bottom // 2))
    return captioned(whole, title)


def _heat(share: Array) -> Array:
    """Colours (..., 3) of values in 0..1, clipped; dark to bright, so that it reads in grey too."""
    stops = np.linspace(0, 1, len(HEAT))
    share = np.clip(share, 0, 1)
    return np.stack([np.interp(share, stops, HEAT[:, channel]) for channel in range(3)], axis=-1)


def _upright(picture: Image.Image, text: str, middle: tuple[int, int]) -> None:
    """Write text that reads from below to above, centred."""
    strip = Image.new("RGB", (math.ceil(font(13).getlength(text)) + 2, 18), PAPER)
    ImageDraw.Draw(strip).text((1, 9), text, fill=INK, font=font(13), anchor="lm")
    turned = strip.rotate(90, expand=True)
    picture.paste(turned, (middle[0] - turned.width // 2, max(0, middle[1] - turned.height // 2)))
