"""How image files become examples, as the data set's options say."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

from ...errors import ConfigError, suggest
from .decode import FILTERS, FITS

MOST_PIXELS = 4096  # on a side


@dataclass(frozen=True)
class Options:
    """The options of `constructors.images`, which says what each means.

    Raises:
        ConfigError: one is out of range.
    """

    size: int | Sequence[int] | None = None
    channels: int | str = "auto"
    validation: float = 0.1
    test: float = 0.0
    labels: str | None = None
    resize: str = "lanczos"
    fit: str = "crop"
    seed: int = 0
    strict: bool = False
    value_range: tuple[float, float] | None = (-1.0, 1.0)

    def __post_init__(self) -> None:
        object.__setattr__(self, "size", _checked_size(self.size))
        if self.channels not in ("auto", 1, 3, 4) or isinstance(self.channels, bool):
            raise ConfigError(
                f"channels={self.channels!r} can't be made; use auto, 1 (grey), 3 (RGB) or 4 (RGBA)"
            )
        for option, value, known in (("resize", self.resize, FILTERS), ("fit", self.fit, FITS)):
            if value not in known:
                raise ConfigError(f"{option}={value!r} does not exist{suggest(value, known)}")
        if not (0 < self.validation < 1 and 0 <= self.test < 1 and self.validation + self.test < 1):
            raise ConfigError(
                f"validation={self.validation} and test={self.test} must be fractions, the first above 0, "
                "the sum below 1; use validation=0.1, test=0"
            )
        if self.seed < 0:
            raise ConfigError(f"seed={self.seed} is negative; use 0 or more")

    @property
    def shape(self) -> tuple[int, int] | None:
        """(H, W), None where the images decide."""
        return None if self.size is None else (self.size[0], self.size[1])  # type: ignore[index]

    def of_pixels(self) -> dict[str, object]:
        """Those that the cache's content depends on."""
        every = dataclasses.asdict(self)
        return {name: value for name, value in every.items() if name not in ("strict", "value_range")}


def _checked_size(size: int | Sequence[int] | None) -> tuple[int, int] | None:
    """(H, W)."""
    if size is None:
        return None
    pair = (size, size) if isinstance(size, int) else tuple(size)
    if len(pair) != 2 or not all(isinstance(side, int) and 1 <= side <= MOST_PIXELS for side in pair):
        raise ConfigError(f"size={size!r} is no image size; use a number such as 64, or [height, width]")
    return pair
