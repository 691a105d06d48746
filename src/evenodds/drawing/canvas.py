"""Text, colours and scales of the pictures drawn without matplotlib, because training waits for them."""

from __future__ import annotations

import functools
import math

from PIL import Image, ImageDraw, ImageFont

Colour = tuple[int, int, int]
Limits = tuple[float, float]
Font = ImageFont.FreeTypeFont | ImageFont.ImageFont

PAPER: Colour = (255, 255, 255)
INK: Colour = (33, 37, 41)
FAINT: Colour = (222, 226, 230)
DATA: Colour = (134, 142, 150)  # grey: what is given
SAMPLES: Colour = (217, 72, 15)  # the accent: what the generator made; blue is the discriminator's
BROKEN: Colour = (240, 62, 162)  # a pixel that is no number

CAPTION_HEIGHT = 34  # pixels; always one line, so that the frames of a movie have one size
NARROWEST = 320  # pixels; under this a caption can't be read


@functools.lru_cache(maxsize=16)
def font(size: int) -> Font:
    """The font that comes with Pillow, at `size` pixels."""
    return ImageFont.load_default(size=size)


def one_line(text: str, *, longest: int = 300) -> str:
    """Text without line breaks and control characters, at most `longest` characters."""
    clean = "".join(letter if letter.isprintable() else " " for letter in text[: longest + 1])
    return clean if len(clean) <= longest else clean[: longest - 1] + "…"


def fitted(text: str, width: float, *, largest: int = 17, smallest: int = 10) -> tuple[str, Font]:
    """The text and the largest font in which it is at most `width` pixels long; cut with … at `smallest`."""
    text = one_line(text)
    for size in range(largest, smallest, -1):
        if font(size).getlength(text) <= width:
            return text, font(size)
    if font(smallest).getlength(text) <= width:
        return text, font(smallest)
    while text and font(smallest).getlength(text + "…") > width:
        text = text[:-1]
    return text + "…", font(smallest)


def captioned(picture: Image.Image, title: str) -> Image.Image:
    """The picture under a white band with its title, centred where it is narrower than NARROWEST."""
    width = max(picture.width, NARROWEST)
    whole = Image.new("RGB", (width, picture.height + CAPTION_HEIGHT), PAPER)
    whole.paste(picture, ((width - picture.width) // 2, CAPTION_HEIGHT))
    text, chosen = fitted(title, width - 16)
    ImageDraw.Draw(whole).text((8, CAPTION_HEIGHT / 2), text, fill=INK, font=chosen, anchor="lm")
    return whole


def ticks(limits: Limits, *, about: int = 5) -> list[float]:
    """Round numbers (1, 2 or 5 times a power of ten apart) inside the limits."""
    low, high = limits
    raw = (high - low) / about
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= raw * 0.999)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [index * step for index in range(first, last + 1)]


def draw_axes(draw: ImageDraw.ImageDraw, box: tuple[int, int, int, int], x: Limits, y: Limits) -> None:
    """A frame around `box` (left, top, right, bottom in pixels) with numbered ticks below and to its left."""
    left, top, right, bottom = box
    small = font(12)
    for value in ticks(x):
        at = left + (value - x[0]) / (x[1] - x[0]) * (right - left)
        draw.line((at, bottom, at, bottom + 4), fill=INK)
        draw.text((at, bottom + 6), f"{value:.4g}", fill=INK, font=small, anchor="ma")
    for value in ticks(y):
        at = bottom - (value - y[0]) / (y[1] - y[0]) * (bottom - top)
        draw.line((left - 4, at, left, at), fill=INK)
        draw.text((left - 7, at), f"{value:.4g}", fill=INK, font=small, anchor="rm")
    draw.rectangle(box, outline=DATA)


def draw_legend(draw: ImageDraw.ImageDraw, at: tuple[int, int], entries: list[tuple[Colour, str]]) -> None:
    """Coloured dots with their names in one row, from `at` (left, middle in pixels) to the right."""
    x, y = at
    for colour, name in entries:
        draw.ellipse((x, y - 5, x + 10, y + 5), fill=colour)
        draw.text((x + 15, y), name, fill=INK, font=font(13), anchor="lm")
        x += 15 + math.ceil(font(13).getlength(name)) + 22
