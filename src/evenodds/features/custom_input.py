"""What a network of one's own takes, and how that is written after the name of its file."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path

from ..errors import ConfigError, suggest

FILES = (".py", ".onnx", ".safetensors")
EXAMPLE = "mine.py,size=224,range=-1:1,channels=3"
RANGES = ("0:1", "-1:1", "0:255")
OPTIONS = ("size", "range", "channels")


@dataclass(frozen=True)
class Input:
    """What a network takes.

    Args:
        size: (height, width) that images are resized to; None leaves them as they are.
        channels: 1 or 3.
        low: what 0 becomes.
        high: what 255 becomes.
    """

    size: tuple[int, int] | None = None
    channels: int = 3
    low: float = 0.0
    high: float = 1.0

    def words(self) -> str:
        """As a preprocessing's name."""
        kind = "gray" if self.channels == 1 else "RGB"
        size = f"{self.size[0]} × {self.size[1]}, bilinear, antialiased" if self.size else "of their own size"
        return f"{kind} in [{self.low:g}, {self.high:g}], {size}".replace("-", "−")


def file_and_input(text: str) -> tuple[Path, Input] | None:
    """The file and what it takes, as in mine.py,size=64x48,range=-1:1,channels=1; None if it names no file.

    Raises:
        ConfigError: an unknown option, or a value that it can't have.
    """
    if Path(text).is_file() and Path(text).suffix in FILES:  # commas may stand in a name
        return Path(text), Input()
    name, *options = text.split(",")
    if Path(name).suffix not in FILES:
        return None
    taken = Input()
    for option in options:
        key, equals, value = option.strip().partition("=")
        if key not in OPTIONS or not equals:
            raise ConfigError(f"{name} takes no {option.strip()!r}{suggest(key, OPTIONS)}, as in {EXAMPLE}")
        taken = _with(taken, key, value)
    return Path(name), taken


def _with(taken: Input, key: str, value: str) -> Input:
    """`taken` with one option."""
    if key == "size" and (match := re.fullmatch(r"([1-9]\d{0,3})(?:x([1-9]\d{0,3}))?", value)):
        return replace(taken, size=(int(match[1]), int(match[2] or match[1])))
    if key == "channels" and value in ("1", "3"):
        return replace(taken, channels=int(value))
    if key == "range" and value in RANGES:
        low, high = value.split(":")
        return replace(taken, low=float(low), high=float(high))
    allowed = {"size": "pixels, as 64 or 64x48", "channels": "1 or 3", "range": " or ".join(RANGES)}
    raise ConfigError(f"{key}={value} can't be; give {allowed[key]}, as in {EXAMPLE}")
