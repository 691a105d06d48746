"""`evenodds explore arithmetic`"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cyclopts import Parameter

from ..errors import ConfigError
from .display import status
from .explore_common import PICTURE, Common, SpaceName, check_out, opened, save_table
from .seeds import parse_seeds
from .text import columns, signed

if TYPE_CHECKING:
    from ..explore.choosing import Changed, Classify
    from ..explore.space import Space

    # tell what a sample shows, the first only where it is sure; and the names of that
    Seen = tuple[Classify | None, Classify | None, tuple[str, ...]]


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Measuring:
    """How exemplars are found without picking them."""

    attribute: str | None = None
    "thickness, slant, width, height, ink, brightness, contrast, red, green, blue or saturation."
    repeats: int = 20
    "with --attribute: how many sums, each of other exemplars, the numbers are measured on."
    pool: int = 2_000
    "with --attribute: samples that exemplars are chosen from."
    spread: float = 0.25
    "of the noise added to each coordinate for the eight samples around the sum."
    seed: int = 0
    "of the noise, and of the choice."


DEFAULT = Measuring()


def arithmetic(
    source: Path,
    /,
    *,
    common: Common,
    a: str | None = None,
    b: str | None = None,
    c: str | None = None,
    how: Measuring = DEFAULT,
    space: SpaceName = "z",
) -> int:
    """Compute a - b + c with concepts, each the mean latent of some samples, as in "man with glasses".

    Pick exemplars by eye, three for each concept, from `evenodds explore sheet`. Or name an --attribute: a is
    what has much of it, b the like with little, c something else with little, and the sum is measured.

    Args:
        source: a run directory or a generator file.
        a: seeds of the concept that has what c is to get.
        b: seeds of the like of a without it.
        c: seeds of what is to get it.
        space: z, or w of a generator with styles.
    """
    given = [parse_seeds(text) for text in (a, b, c) if text is not None]
    if len(given) != (0 if how.attribute else 3):
        raise ConfigError("give --a, --b and --c, three seeds each, or --attribute such as thickness")
    check_out(common.out, PICTURE, force=common.force)
    found, label = opened(source, common, space)
    if how.attribute is None:
        _picked(found, given, label, how, common.out)
        return 0
    seen: Seen = (None, None, found.sampler.class_names)
    if not found.sampler.class_names:
        seen = classifiers(source, found)
    with status(f"choosing exemplars by their {how.attribute}"):
        changes = _measured(found, how.attribute, how, label, seen, common.out)
    print("\n".join([*report(how.attribute, changes), f"the first of them in {common.out}"]))
    return 0


def _picked(space: Space, given: Sequence[list[int]], label: int | None, how: Measuring, out: Path) -> None:
    """The sum of concepts whose exemplars the user has picked."""
    from ..explore import arithmetic as tools

    a, b, c = (tools.concept(space, seeds, label) for seeds in given)
    result = tools.arithmetic(space, a, b, c, seed=how.seed, spread=how.spread)
    save_table(tools.arithmetic_table(space, result, ("a", "b", "c")), out)
    print(f"a - b + c in {out}")


def _measured(
    space: Space, name: str, how: Measuring, label: int | None, seen: Seen, out: Path
) -> list[Changed]:
    """The attribute in sums of many choices of exemplars; the first is drawn."""
    from ..explore.arithmetic import arithmetic as compute
    from ..explore.arithmetic import arithmetic_table
    from ..explore.attributes import attribute
    from ..explore.choosing import changed, choose, measured_pool, names_of

    if how.repeats < 1 or how.pool < 1:
        raise ConfigError(
            f"--repeats {how.repeats}, --pool {how.pool}: nothing is measured; "
            "give at least 1 and some hundreds"
        )
    measure = attribute(name, space.sampler.sample_shape[0])
    sure, classify, kinds = seen
    pool = measured_pool(space, measure, count=how.pool, classify=sure, label=label)
    changes = []
    for repeat in range(how.seed, how.seed + how.repeats):
        a, b, c = choose(pool, repeat)
        result = compute(space, a, b, c, seed=repeat, spread=how.spread)
        changes.append(changed(space, result, measure, classify))
        if repeat == how.seed:
            save_table(arithmetic_table(space, result, names_of(name, (a, b, c), kinds)), out)
    return changes


def classifiers(source: Path, space: Space) -> Seen:
    """Tell what a sample shows by its nearest training images, where the source is a run on labelled data."""
    if not (source / "config.yaml").is_file():
        return None, None, ()
    from ..explore.neighbours import by_neighbours
    from .opening import open_data

    with status("opening the run's data"):
        dataset = open_data(source, space.sampler, None)
    if dataset.train.y is None or len(dataset.sample_shape) != 3:
        return None, None, ()
    sure, any_ = (by_neighbours(dataset, space.sampler.value_range, sure=sure) for sure in (True, False))
    return sure, any_, dataset.class_names


def report(name: str, changes: Sequence[Changed]) -> list[str]:
    """What became of the attribute, over all sums: means with their standard errors, and shares."""
    import numpy as np

    from ..explore.attributes import UNITS
    from ..explore.choosing import shares

    def stated(of: Callable[[Changed], float]) -> str:
        values = np.array([of(one) for one in changes])
        error = values.std(ddof=1) / len(values) ** 0.5 if len(values) > 1 else np.nan
        return f"{signed(values.mean(), 3)} ± {error:.3f}"

    latents, images = shares(changes)
    rows: list[Any] = [
        ("exemplars of a", stated(lambda one: one.target)),
        ("c before", stated(lambda one: one.before)),
        ("sum of latents", stated(lambda one: one.after), f"has it in {100 * latents:.0f} %"),
        ("  nine of the panel", stated(lambda one: one.around)),
        ("sum of images", stated(lambda one: one.images), f"has it in {100 * images:.0f} %"),
    ]
    if changes[0].kept is not None:
        for row, kept in ((2, [one.kept for one in changes]), (4, [one.images_kept for one in changes])):
            share = f"still shows what c does in {100 * sum(map(bool, kept)) / len(kept):.0f} %"
            rows[row] = (*rows[row][:2], f"{rows[row][2]}, {share}")
    padded = [(*row, "")[:3] for row in rows]
    unit = f" in {UNITS[name]}" if name in UNITS else ""
    return [f"{name}{unit}, mean ± standard error over {len(changes)} sums:", columns(padded)]
