"""`evenodds explore`: the table of its verbs, and those that walk through latent space."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from ..errors import ConfigError
from .display import status
from .explore_arithmetic import arithmetic
from .explore_common import FILMS, PICTURE, Common, SpaceName, check_out, opened, save_film, save_table
from .explore_directions import directions
from .explore_images import invert, neighbours
from .seeds import parse_seeds

Numbers = Annotated[str, Parameter(allow_leading_hyphen=True)]
FRAMES = 24  # from one seed to the next, and per second of the default speed
PSIS = "1,0.7,0.5,0.3,0,-0.5,-1"


def sheet(source: Path, /, *, common: Common, seeds: str = "0-99") -> int:
    """Draw many samples with their seeds below them, to pick from.

    Args:
        source: a run directory or a generator file.
        seeds: a list such as 0,3,5-9.
    """
    asked = parse_seeds(seeds)
    check_out(common.out, PICTURE, force=common.force)
    space, label = opened(source, common)
    from ..explore.interpolation import sheet_table

    save_table(sheet_table(space, asked, label=label), common.out)
    print(f"{len(asked):,} samples with their seeds in {common.out}")
    return 0


def interpolate(
    source: Path,
    /,
    *,
    common: Common,
    seeds: str = "0-15",
    steps: int = 9,
    space: SpaceName = "z",
    side_by_side: int | None = None,
    seconds: float | None = None,
) -> int:
    """Go from sample to sample: rows of a picture, or a film that returns to where it began.

    Args:
        source: a run directory or a generator file.
        seeds: a picture goes from the first to the second, the third to the fourth, …; a film through all.
        steps: samples in a row of a picture, both ends included.
        space: z, or w of a generator with styles.
        side_by_side: samples that a film shows at a time; as many as leave each four seeds, if left out.
        seconds: that a film takes.
    """
    asked = parse_seeds(seeds)
    check_out(common.out, (*PICTURE, *FILMS), force=common.force)
    found, label = opened(source, common, space)
    from ..explore.interpolation import film, interpolation_table, pairs_of

    if common.out.suffix == ".png":
        pairs = pairs_of(asked)
        save_table(interpolation_table(found, pairs, steps=steps, label=label), common.out)
        print(f"{len(pairs):,} rows of {steps} in {common.out}")
        return 0
    walkers = side_by_side if side_by_side is not None else max(1, len(asked) // 4)
    walkers = walkers if side_by_side is not None or len(asked) % walkers == 0 else 1
    with status("drawing the frames"):
        frames = film(found, asked, walkers=walkers, steps=FRAMES, label=label)
        save_film(frames, common.out, seconds or len(asked) / walkers)
    print(f"{walkers} side by side, through {len(asked) // walkers} seeds each and back, in {common.out}")
    return 0


def mix(
    source: Path, /, *, common: Common, rows: str = "0-4", columns: str = "5-10", layers: str = "coarse"
) -> int:
    """Mix styles: every row's sample, with some of its layers' styles from every column's.

    For generators with styles, such as stylegan2.

    Args:
        source: a run directory or a generator file.
        rows: seeds that give all other styles.
        columns: seeds that give the styles of --layers.
        layers: coarse, middle or fine (thirds of the layers), or numbers such as 2-5.
    """
    takers, givers = parse_seeds(rows), parse_seeds(columns)
    check_out(common.out, PICTURE, force=common.force)
    space, label = opened(source, common)
    from ..explore.mixing import mixing_table

    save_table(mixing_table(space, givers, takers, part=layers, label=label), common.out)
    print(f"{len(takers)} × {len(givers)} mixtures in {common.out}")
    return 0


def truncate(source: Path, /, *, common: Common, seeds: str = "0-5", psi: Numbers = PSIS) -> int:
    """Pull samples towards the mean: less variety, and often better ones.

    A generator with styles has them pulled towards their mean; any other its latents scaled.

    Args:
        source: a run directory or a generator file.
        seeds: one for each row.
        psi: one for each column: 1 is the sample as it is, 0 the mean, below 0 the opposite.
    """
    asked = parse_seeds(seeds)
    check_out(common.out, PICTURE, force=common.force)
    psis = _numbers(psi)
    space, label = opened(source, common)
    from ..explore.mixing import truncation_table
    from ..networks.styled import Styled

    save_table(truncation_table(space, asked, psis=psis, label=label), common.out)
    what = (
        "styles pulled towards their mean"
        if isinstance(space.sampler.generator, Styled)
        else ("latents scaled, since this generator has no styles")
    )
    print(f"{what}; {len(asked)} rows in {common.out}")
    return 0


def _numbers(text: str) -> list[float]:
    """The numbers of `1,0.5,-1`.

    Raises:
        ConfigError: not such a list.
    """
    try:
        found = [float(part) for part in text.split(",")]
    except ValueError:
        found = []
    if not found or any(not -100 <= number <= 100 for number in found):
        raise ConfigError(f"--psi {text!r} is no list of numbers; write one such as 1,0.5,0,-1")
    return found


explore_app = App(
    name="explore",
    help="Look into the latent space of a trained generator.",
    result_action="return_value",
    sort_key=11,
)
VERBS: tuple[Callable[..., int], ...] = (
    sheet,
    interpolate,
    arithmetic,
    directions,
    invert,
    neighbours,
    mix,
    truncate,
)
for position, verb in enumerate(VERBS):
    explore_app.command(verb, sort_key=position)
