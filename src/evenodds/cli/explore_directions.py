"""`evenodds explore directions`"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter

from ..errors import ConfigError
from .display import status
from .explore_common import FILMS, PICTURE, Common, SpaceName, check_out, opened, save_film, save_table
from .seeds import parse_seeds
from .text import columns, signed

if TYPE_CHECKING:
    from torch import Tensor

    from ..explore.directions import Regressed
    from ..explore.space import Space

Method = Literal["closed-form", "pca"]
FRAMES = 48  # of a film
SAMPLES = 4_000  # on which an attribute is measured: half to fit, half to test


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Strip:
    """How directions are drawn."""

    seeds: str = "0"
    "samples that are changed."
    steps: int = 7
    "samples in a row of a picture, an odd number."
    reach: float = 3.0
    "standard deviations to either end."
    seconds: float = 4.0
    "that a film takes."


DEFAULT = Strip()


def directions(
    source: Path,
    /,
    *,
    common: Common,
    method: Method = "closed-form",
    count: int = 5,
    attribute: Annotated[tuple[str, ...], Parameter(negative=(), show_default=False)] = (),
    space: SpaceName | None = None,
    strip: Strip = DEFAULT,
) -> int:
    """Find directions in which samples change, without labels, and draw what they do.

    Args:
        source: a run directory or a generator file.
        method: closed-form (Shen and Zhou 2021), or pca of the activations (Härkönen et al. 2020).
        count: the first so many directions.
        attribute: instead, the direction of thickness, slant, width, height, ink, brightness, contrast, red,
            green, blue or saturation; may be repeated.
        space: z or w; w if left out, where there are styles.
    """
    seeds = parse_seeds(strip.seeds)
    check_out(common.out, (*PICTURE, *FILMS), force=common.force)
    if not 0 < strip.reach <= 100:
        raise ConfigError(f"--reach {strip.reach:g} leads nowhere; give more than 0, such as 3")
    found, label = opened(source, common)
    found = best_space(found, space)
    from ..explore.figures import need_images

    need_images(found.sampler, "directions")
    with status("finding directions"):
        vectors, names, lines = _vectors(found, method, count, attribute, label)
    with status("drawing"):
        _draw(found, vectors, names, seeds, label, strip, common.out)
    print("\n".join([*lines, f"{len(names)} directions in {common.out}"]))
    return 0


def _draw(
    space: Space,
    vectors: Tensor,
    names: list[str],
    seeds: list[int],
    label: int | None,
    strip: Strip,
    out: Path,
) -> None:
    """Rows of a picture, or a film."""
    from ..explore.strips import strips_film, strips_table

    if out.suffix == ".png":
        table = strips_table(space, vectors, names, seeds, steps=strip.steps, reach=strip.reach, label=label)
        save_table(table, out)
    else:
        frames = strips_film(space, vectors, names, seeds, frames=FRAMES, reach=strip.reach, label=label)
        save_film(frames, out, strip.seconds)


def best_space(space: Space, name: SpaceName | None) -> Space:
    """The space asked for; w where nothing is asked and there are styles."""
    from ..explore.space import Space
    from ..networks.styled import Styled

    return Space(space.sampler, name or ("w" if isinstance(space.sampler.generator, Styled) else "z"))


def _vectors(
    space: Space, method: Method, count: int, attributes: tuple[str, ...], label: int | None
) -> tuple[Tensor, list[str], list[str]]:
    """Unit vectors, their names, and what was measured of them."""
    import torch

    from ..explore import directions as tools

    if not attributes:
        find = tools.closed_form if method == "closed-form" else tools.components
        result = find(space, count)
        strengths = ", ".join(f"{strength:.3g}" for strength in result.strengths)
        return result.vectors, [f"{index + 1}" for index in range(count)], [f"{result.meaning}: {strengths}"]
    fitted = {name: _fitted(space, name, label) for name in dict.fromkeys(attributes)}
    rows = [
        (
            name,
            f"{signed(one.slope, 3)} for one σ, of a standard deviation of {one.deviation:.3f}",
            f"explains {100 * max(0.0, one.r_squared):.0f} % of it on held-out samples",
        )
        for name, one in fitted.items()
    ]
    return torch.stack([one.vector for one in fitted.values()]), list(fitted), [columns(rows)]


def _fitted(space: Space, name: str, label: int | None) -> Regressed:
    """The direction of an attribute, measured on samples of all classes or of one."""
    import numpy as np

    from ..explore.attributes import attribute
    from ..explore.choosing import unit_images
    from ..explore.directions import for_attribute

    measure = attribute(name, space.sampler.sample_shape[0])
    classes = len(space.sampler.class_names)
    labels = None
    if classes:
        labels = np.arange(SAMPLES) % classes if label is None else np.full(SAMPLES, label)
    x = space.sampler(range(SAMPLES), None if labels is None else labels.tolist())
    return for_attribute(space, measure(unit_images(space, x)), labels)
