"""What can be measured of an image: stroke thickness, slant, colour; pure functions of pixels.

Images are (N, C, H, W) in [0, 1]; with 4 channels the colours are multiplied by alpha.  "Ink" is what differs
from the background, which is transparency where there is alpha, and else the median of the border.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ..data.dataset import Array
from ..errors import ConfigError, suggest

Measure = Callable[[Array], Array]
LUMA = np.array([0.299, 0.587, 0.114])  # ITU-R BT.601
TINY = 1e-9


def ink(x: Array) -> Array:
    """(N, H, W) in [0, 1]: how much each pixel differs from the background."""
    if x.shape[1] == 4:
        alpha: Array = x[:, 3]
        return alpha
    luma = brightness_map(x)
    border = np.concatenate([luma[:, 0], luma[:, -1], luma[:, :, 0], luma[:, :, -1]], axis=1)
    difference: Array = np.abs(luma - np.median(border, axis=1)[:, None, None])
    return difference


def brightness_map(x: Array) -> Array:
    """(N, H, W) luma; of images with other than 3 or 4 channels, their mean."""
    x = x.astype(np.float64)
    if x.shape[1] in (3, 4):
        x = x[:, :3] * (LUMA * 3)[:, None, None]
    mean: Array = x.mean(1)
    return mean


def thickness(x: Array) -> Array:
    """Mean width of the strokes in pixels: 2 · area / perimeter.

    A stroke of width w and length l has the area w·l and the perimeter 2·l; of a grey image these are ∫x and
    ∫|∇x|, the latter the same for a sharp edge and for a blurred one, as long as the stroke is full inside.
    """
    padded = np.pad(ink(x), ((0, 0), (1, 1), (1, 1)))
    across = padded[:, :-1, 1:] - padded[:, :-1, :-1]
    down = padded[:, 1:, :-1] - padded[:, :-1, :-1]
    perimeter = np.hypot(across, down).sum((1, 2))
    width: Array = 2 * padded.sum((1, 2)) / np.maximum(perimeter, TINY)
    return width


def slant(x: Array) -> Array:
    """Degrees that the ink leans to the right of upright: the angle whose tangent is −μ11/μ02."""
    _, vertical, mixed = _moments(ink(x))
    degrees: Array = np.degrees(np.arctan2(-mixed, np.maximum(vertical, TINY)))
    return degrees


def width(x: Array) -> Array:
    """Pixels that the ink is wide: an even bar of w pixels has the variance (w² − 1)/12."""
    pixels: Array = np.sqrt(12 * _moments(ink(x))[0] + 1)
    return pixels


def height(x: Array) -> Array:
    """Pixels that the ink is high, as `width`."""
    pixels: Array = np.sqrt(12 * _moments(ink(x))[1] + 1)
    return pixels


def amount(x: Array) -> Array:
    """Mean ink, from 0 to 1."""
    mean: Array = ink(x).mean((1, 2))
    return mean


def brightness(x: Array) -> Array:
    """Mean luma, of what is not transparent."""
    return _visible_mean(x, brightness_map(x))


def contrast(x: Array) -> Array:
    """Standard deviation of the luma."""
    deviation: Array = brightness_map(x).std((1, 2))
    return deviation


def redness(x: Array) -> Array:
    """Mean red less the mean of green and blue."""
    return _visible_mean(x, x[:, 0] - (x[:, 1] + x[:, 2]) / 2)


def greenness(x: Array) -> Array:
    """Mean green less the mean of red and blue."""
    return _visible_mean(x, x[:, 1] - (x[:, 0] + x[:, 2]) / 2)


def blueness(x: Array) -> Array:
    """Mean blue less the mean of red and green."""
    return _visible_mean(x, x[:, 2] - (x[:, 0] + x[:, 1]) / 2)


def saturation(x: Array) -> Array:
    """Mean of the largest less the smallest of red, green and blue."""
    return _visible_mean(x, x[:, :3].max(1) - x[:, :3].min(1))


def _visible_mean(x: Array, values: Array) -> Array:
    """(N,) mean of (N, H, W); of colours multiplied by alpha, over the visible area."""
    area = x[:, 3].mean((1, 2)) if x.shape[1] == 4 else 1.0
    mean: Array = values.mean((1, 2)) / np.maximum(area, 1e-3)
    return mean


def _moments(mass: Array) -> tuple[Array, Array, Array]:
    """Central second moments of (N, H, W) ink: (N,) across, down, and mixed, y pointing down."""
    total = np.maximum(mass.sum((1, 2)), TINY)
    y, x = np.arange(mass.shape[1])[None, :, None], np.arange(mass.shape[2])[None, None, :]
    dx = x - ((mass * x).sum((1, 2)) / total)[:, None, None]
    dy = y - ((mass * y).sum((1, 2)) / total)[:, None, None]
    across, down, mixed = ((mass * part).sum((1, 2)) / total for part in (dx * dx, dy * dy, dx * dy))
    return across, down, mixed


ANY: dict[str, Measure] = {
    "thickness": thickness,
    "slant": slant,
    "width": width,
    "height": height,
    "ink": amount,
    "brightness": brightness,
    "contrast": contrast,
}
COLOURED: dict[str, Measure] = {
    "red": redness,
    "green": greenness,
    "blue": blueness,
    "saturation": saturation,
}
ATTRIBUTES: dict[str, Measure] = ANY | COLOURED
UNITS = {
    "thickness": "pixels",
    "slant": "degrees",
    "width": "pixels",
    "height": "pixels",
}  # the others: 0 to 1

WORDS = {  # what has much of it, and what has little
    "thickness": ("thick", "thin"),
    "slant": ("leaning right", "leaning left"),
    "width": ("wide", "narrow"),
    "height": ("tall", "low"),
    "brightness": ("bright", "dark"),
    "red": ("red", "not red"),
    "green": ("green", "not green"),
    "blue": ("blue", "not blue"),
    "saturation": ("colourful", "grey"),
}


def attribute(name: str, channels: int) -> Measure:
    """The measure of that name.

    Raises:
        ConfigError: there is none, or it needs colours and there are none.
    """
    if name not in ATTRIBUTES:
        raise ConfigError(f"there is no attribute {name!r}{suggest(name, ATTRIBUTES)}")
    if name in COLOURED and channels not in (3, 4):
        raise ConfigError(
            f"attribute {name!r} needs red, green and blue, and these images have {channels} channels; "
            f"choose one of: {', '.join(ANY)}"
        )
    return ATTRIBUTES[name]
