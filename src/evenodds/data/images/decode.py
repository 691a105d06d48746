"""From the bytes of an image file to uint8 (C, H, W): the only place where pixels are made."""

from __future__ import annotations

import contextlib
import io
import struct
import threading
import warnings
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from PIL import ExifTags, Image, UnidentifiedImageError

from ..dataset import Array

DECODER = 1  # part of every cache's key: raise it whenever the same file would give other pixels
FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "TIFF", "BMP", "PPM")  # told by content, whatever the file's ending
ENDINGS = (
    *(".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".webp", ".gif", ".tif", ".tiff", ".bmp"),
    *(".ppm", ".pgm", ".pnm"),
)
# Filters that average over all pixels under an output pixel: others alias (Parmar, Zhang and Zhu 2022).
FILTERS = {
    "lanczos": Image.Resampling.LANCZOS,
    "bicubic": Image.Resampling.BICUBIC,
    "bilinear": Image.Resampling.BILINEAR,
    "box": Image.Resampling.BOX,
}
FITS = ("crop", "pad", "stretch")
MAX_PIXELS = 20_000 * 20_000  # a larger image is not decoded: it would take more than 1.6 GB
LARGE = 50_000_000  # pixels; of images above this, only one is decoded at a time
DRAFT_GAP = 2.0  # JPEGs may be decoded at 1/2, 1/4 or 1/8, but at least this many times larger than needed
REDUCING_GAP = 3.0  # averaging by a whole factor comes first where an image is this many times too large
TURNS = {  # EXIF orientation (tag 0x0112): how the stored image is turned upright
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_large = threading.Lock()


class BadImageError(Exception):
    """A file that gives no image; the message is the reason in a few words."""


@dataclass(frozen=True)
class How:
    """How files become arrays.

    Args:
        size: (H, W) pixels.
        channels: 1 grey, 3 RGB, 4 RGB multiplied by alpha, and alpha.
        resize: a key of FILTERS.
        fit: `crop` the centre to the wanted aspect ratio, `pad` the whole image with the median colour of its
            edge (with nothing, where it has an alpha channel), or `stretch`.
    """

    size: tuple[int, int]
    channels: int = 4
    resize: str = "lanczos"
    fit: str = "crop"


@dataclass(frozen=True, eq=False)
class Decoded:
    """One image.

    Args:
        pixels: (C, H, W) uint8; of 4 channels the first three are multiplied by the fourth.
        size: (height, width) of the upright original.
        grey: whether all its colours are shades of grey.
        transparent: whether it shows through anywhere.
    """

    pixels: Array
    size: tuple[int, int]
    grey: bool
    transparent: bool


def decode(content: bytes, how: How) -> Decoded:
    """The image in a file's bytes: upright, cropped, resized, with the wanted channels.

    Colours are multiplied by alpha before they are resized, so that what can't be seen has no influence.
    Colour profiles are ignored; of an animation, the first frame is taken.

    Raises:
        BadImageError: the file is damaged, of another format, too large, or a single pixel.
    """
    if not content:
        raise BadImageError("empty file")
    try:
        with _opened(content) as image, _one_at_a_time(image):
            return _decoded(image, how)
    except Image.DecompressionBombError:
        raise BadImageError("too large") from None
    except BadImageError:
        raise
    # Whatever a decoder makes of garbage: OSError, SyntaxError, ValueError, struct.error, IndexError, …
    except Exception as error:
        raise BadImageError(f"damaged or cut short ({str(error) or type(error).__name__:.100})") from error


def header(content: bytes) -> tuple[int, int]:
    """(height, width) of the upright image, without decoding it.

    Raises:
        BadImageError: the file is no image.
    """
    try:
        with _opened(content) as image:
            width, height = image.size
            return (width, height) if _orientation(image) >= 5 else (height, width)
    except BadImageError:
        raise
    except Exception as error:  # as in `decode`
        raise BadImageError(f"damaged ({str(error) or type(error).__name__:.100})") from error


class _Settings:
    """Pillow's limit and Python's warnings, which are the process's own: changed once for all that decode."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._users = 0
        self._undo = contextlib.ExitStack()

    def __enter__(self) -> None:
        with self._lock:
            if self._users == 0:
                self._undo.callback(setattr, Image, "MAX_IMAGE_PIXELS", Image.MAX_IMAGE_PIXELS)
                Image.MAX_IMAGE_PIXELS = MAX_PIXELS
                self._undo.enter_context(warnings.catch_warnings())
                warnings.filterwarnings("ignore", module="PIL")  # of corrupt metadata beside sound pixels
            self._users += 1

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._users -= 1
            if self._users == 0:
                self._undo.close()


_settings = _Settings()


def decoding() -> contextlib.AbstractContextManager[None]:
    """Around everything that decodes: Pillow opens images up to MAX_PIXELS, and warns of nothing."""
    return _settings


@contextlib.contextmanager
def _opened(content: bytes) -> Iterator[Image.Image]:
    """The image, not yet decoded, if its header is that of one that can be used."""
    try:
        image = Image.open(io.BytesIO(content), formats=FORMATS)
    except UnidentifiedImageError:
        raise BadImageError("not an image of a known format") from None
    with image:
        width, height = image.size
        if width * height > MAX_PIXELS:
            raise BadImageError(f"too large ({width} × {height} pixels)")
        if width * height < 2:
            raise BadImageError(f"{width} × {height} pixel")
        yield image


@contextlib.contextmanager
def _one_at_a_time(image: Image.Image) -> Iterator[None]:
    """Among large images: several threads would each hold gigabytes."""
    if image.width * image.height <= LARGE:
        yield
        return
    with _large:
        yield


def _decoded(image: Image.Image, how: How) -> Decoded:
    """See `decode`."""
    turn = _orientation(image)
    height, width = how.size[::-1] if turn >= 5 else how.size
    original = image.size[::-1] if turn < 5 else image.size
    if image.format in ("JPEG", "MPO") and min(image.size) > 0:
        # the smallest of the decoder's own sizes that still covers what will be cut out
        scale = _scale(image.size, (width, height), how.fit) / DRAFT_GAP
        if scale >= 2:
            image.draft(None, (int(image.width / scale), int(image.height / scale)))
    upright = _simple(image)
    if turn in TURNS:
        upright = upright.transpose(TURNS[turn])
    small = _fitted(upright, how)
    pixels, transparent = _bands(small)
    grey = bool((pixels[0] == pixels[1]).all() and (pixels[1] == pixels[2]).all())
    return Decoded(as_channels(pixels, how.channels), original, grey, transparent)


def _scale(size: tuple[int, int], wanted: tuple[int, int], fit: str) -> float:
    """How many times larger than wanted an image is, along the axis that keeps the most."""
    factors = size[0] / wanted[0], size[1] / wanted[1]
    return max(factors) if fit == "pad" else min(factors)


def _orientation(image: Image.Image) -> int:
    """1 to 8 as in EXIF; 1 where nothing readable is said."""
    try:
        turn = image.getexif().get(ExifTags.Base.Orientation, 1)
    except (OSError, SyntaxError, ValueError, KeyError, TypeError, struct.error):
        return 1
    return turn if turn in TURNS else 1


def _simple(image: Image.Image) -> Image.Image:
    """Decoded, in mode L, RGB, or RGBa (multiplied by alpha)."""
    mode = image.mode
    if mode.startswith("I"):
        return _from_integers(image)
    if mode == "F":
        raise BadImageError("floating-point pixels")
    if mode == "RGBA":
        return image.convert("RGBa")
    if mode in ("LA", "PA", "La", "RGBa") or "transparency" in image.info:
        return image.convert("RGBA").convert("RGBa")
    if mode in ("L", "RGB"):
        image.load()
        return image  # not a copy: images may be large
    return image.convert("L" if mode == "1" else "RGB")


def _from_integers(image: Image.Image) -> Image.Image:
    """Grey of 16 bits as 8 bits: 65535 is white, so that divided by 257 it is 255."""
    values = np.asarray(image).astype(np.int64)
    if values.min() < 0 or values.max() > 65535:
        raise BadImageError("32-bit pixels")
    return Image.fromarray(((values + 128) // 257).astype(np.uint8))


def _fitted(image: Image.Image, how: How) -> Image.Image:
    """The image at the wanted size."""
    height, width = how.size
    method = FILTERS[how.resize]
    if how.fit == "pad":
        scale = _scale(image.size, (width, height), "pad")
        fitting = (round(image.width / scale), round(image.height / scale))
        inner = max(1, min(width, fitting[0])), max(1, min(height, fitting[1]))
        part = image.resize(inner, method, reducing_gap=REDUCING_GAP)
        whole = Image.new(image.mode, (width, height), _edge(part))
        whole.paste(part, ((width - inner[0]) // 2, (height - inner[1]) // 2))
        return whole
    box = (0.0, 0.0, float(image.width), float(image.height))
    if how.fit == "crop":
        scale = _scale(image.size, (width, height), "crop")
        left, top = (image.width - width * scale) / 2, (image.height - height * scale) / 2
        box = (left, top, image.width - left, image.height - top)
    return image.resize((width, height), method, box=box, reducing_gap=REDUCING_GAP)


def _edge(image: Image.Image) -> tuple[int, ...] | int:
    """The median colour of the outermost pixels; nothing where there is an alpha channel."""
    if image.mode == "RGBa":
        return (0, 0, 0, 0)
    x = np.asarray(image)
    frame = np.concatenate([x[0], x[-1], x[:, 0], x[:, -1]])  # (P,) or (P, 3)
    middle = np.median(frame, axis=0).astype(int)
    return int(middle) if image.mode == "L" else tuple(int(value) for value in middle)


def _bands(image: Image.Image) -> tuple[Array, bool]:
    """(4, H, W) multiplied by alpha, and whether anything shows through."""
    if image.mode == "RGBa":
        # Pillow has no array of mode RGBa; its bytes are one
        x = np.frombuffer(image.tobytes(), np.uint8).reshape(image.height, image.width, 4)
        x = np.moveaxis(x, -1, 0).copy()
        np.minimum(x[:3], x[3], out=x[:3])  # filters with negative lobes overshoot
        return x, bool(x[3].min() < 255)
    x = np.asarray(image)
    colours = np.broadcast_to(x, (3, *x.shape)) if x.ndim == 2 else np.moveaxis(x, -1, 0)
    return np.concatenate([colours, np.full((1, *x.shape[:2]), 255, np.uint8)]), False


def as_channels(x: Array, channels: int) -> Array:
    """(…, 4, H, W) multiplied by alpha as (…, channels, H, W), over white where alpha is left out.

    Grey is 0.299 R + 0.587 G + 0.114 B (ITU-R BT.601), rounded.
    """
    if channels == 4:
        return x
    rgb = x[..., :3, :, :] + (255 - x[..., 3:, :, :])  # can't exceed 255: colour <= alpha
    if channels == 3:
        return np.ascontiguousarray(rgb)
    weights = np.array([299, 587, 114], np.uint32)[:, None, None]
    grey: Array = (rgb * weights).sum(-3, keepdims=True, dtype=np.uint32)
    return ((grey + 500) // 1000).astype(np.uint8)
