"""What all verbs of `evenodds explore` share: opening the generator, checking and writing --out."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter

from ..errors import ConfigError, RunError, suggest
from .display import status
from .signals import uninterrupted

if TYPE_CHECKING:
    from PIL import Image

    from ..explore.figures import Table
    from ..explore.space import Space
    from ..sampling import Sampler

PICTURE, FILMS = (".png",), (".webp", ".gif", ".mp4")
Which = Literal["last", "best"]
SpaceName = Literal["z", "w"]
Flag = Annotated[bool, Parameter(negative=(), show_default=False)]


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Common:
    """Options of every verb."""

    out: Path
    "the picture to write, ending in .png; interpolate and directions also make films: .webp, .gif, .mp4."
    class_: Annotated[str | None, Parameter(name="--class")] = None
    "name or number of the class to draw; each seed's own, as in evenodds sample, if left out."
    generator: Which = "last"
    "of a run: the last generator, or the best by its first metric."
    force: Flag = False
    "overwrite what is there."


def opened(source: Path, common: Common, space: SpaceName = "z") -> tuple[Space, int | None]:
    """The latent space of the generator in a run or a file, and the label that --class means.

    Raises:
        RunError: there is none, or it is damaged.
        ConfigError: no such class, or no space w.
    """
    with status("opening the generator"):
        with uninterrupted():
            from ..explore.space import Space
            from .opening import open_generator
        sampler = open_generator(source, common.generator)
        return Space(sampler, space), _label(sampler, common.class_)


def check_out(out: Path, endings: Sequence[str], *, force: bool) -> None:
    """Say before any work is done that it could not be kept.

    Raises:
        ConfigError: an ending that can't be written.
        RunError: a file is in the way, or the folder to write in is missing.
    """
    if out.suffix not in endings:
        raise ConfigError(f"--out {out} has an ending that can't be written here; use {' or '.join(endings)}")
    if not out.parent.is_dir():
        raise RunError(f"{out.parent} does not exist; make that folder first or change --out")
    if out.is_dir():
        raise RunError(f"{out} is a folder where a file is to go; give another --out")
    if out.suffix == ".mp4" and shutil.which("ffmpeg") is None:
        raise RunError(f"--out {out} needs the program ffmpeg; install it, or end the name in .webp or .gif")
    if out.exists() and not force:
        raise RunError(f"{out} exists already; add --force to overwrite it or change --out")


def save_table(table: Table, out: Path) -> None:
    """Draw it and write the PNG."""
    from ..drawing import save_picture

    save_picture(table.draw(), out)


def save_film(frames: Iterable[Image.Image], out: Path, seconds: float) -> None:
    """Draw the frames and write the film, a closed loop.

    Raises:
        ConfigError: no time to show it in.
    """
    if not 0 < seconds <= 3_600:
        raise ConfigError(f"--seconds {seconds:g} is no time for a film; give more than 0, 3600 at most")
    from ..report.movie import save_movie

    save_movie(out, list(frames), seconds=seconds, last_ms=None)


def _label(sampler: Sampler, argument: str | None) -> int | None:
    """The label of a class given by name or number.

    Raises:
        ConfigError: there is no such class.
    """
    names = sampler.class_names
    if argument is None:
        return None
    if not names:
        raise ConfigError("this generator was trained without classes; leave out --class")
    if argument in names:
        return names.index(argument)
    if argument.isdecimal() and int(argument) < len(names):
        return int(argument)
    raise ConfigError(f"there is no class {argument!r}{suggest(argument, names)}")
