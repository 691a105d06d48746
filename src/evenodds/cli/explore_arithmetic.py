"""`evenodds explore arithmetic`"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import ConfigError
from .display import status
from .explore_common import PICTURE, Common, SpaceName, check_out, opened, save_table
from .seeds import parse_seeds
from .signals import uninterrupted
from .text import columns, signed

if TYPE_CHECKING:
    from ..explore.choosing import Changed, Classify
    from ..explore.space import Space


def arithmetic(
    source: Path,
    /,
    *,
    common: Common,
    a: str | None = None,
    b: str | None = None,
    c: str | None = None,
    attribute: str | None = None,
    repeats: int = 20,
    pool: int = 2_000,
    spread: float = 0.25,
    seed: int = 0,
    space: SpaceName = "z",
) -> int:
    """Compute a – b + c with concepts, each the mean latent of some samples, as in "man with glasses".

    Pick exemplars by eye, three for each concept, from `evenodds explore sheet`. Or name an --attribute: a is
    what has much of it, b the like with little, c something else with little, and the sum is measured.

    Args:
        source: a run directory or a generator file.
        a: seeds of the concept that has what c is to get.
        b: seeds of the like of a without it.
        c: seeds of what is to get it.
        attribute: thickness, slant, width, height, ink, brightness, contrast, red, green, blue or saturation.
        repeats: with --attribute: how many sums, each of other exemplars, the numbers are measured on.
        pool: with --attribute: samples that exemplars are chosen from.
        spread: of the noise added to each coordinate for the eight samples around the sum.
        seed: of the noise, and of the choice.
        space: z, or w of a generator with styles.
    """
    given = [text for text in (a, b, c) if text is not None]
    if (attribute is None) != (len(given) == 3) or (attribute is not None and given):
        raise ConfigError("give --a, --b and --c, three seeds each, or --attribute such as thickness")
    check_out(common.out, PICTURE, force=common.force)
    with uninterrupted():
        from ..explore import arithmetic as tools
    found, label = opened(source, common, space)
    if attribute is None:
        concepts = [tools.concept(found, parse_seeds(text), label) for text in given]
        result = tools.arithmetic(found, *concepts, seed=seed, spread=spread)
        save_table(tools.arithmetic_table(found, result, ("a", "b", "c")), common.out)
        print(f"a – b + c in {common.out}")
        return 0
    classify = None if found.sampler.class_names else classifier(source, found)
    with status(f"choosing exemplars by their {attribute}"):
        changes = _measured(found, attribute, label, classify, repeats, pool, spread, seed, common.out)
    print("\n".join(report(attribute, changes)))
    print(f"the first of them in {common.out}")
    return 0


def _measured(
    space: Space,
    name: str,
    label: int | None,
    classify: Classify | None,
    repeats: int,
    count: int,
    spread: float,
    seed: int,
    out: Path,
) -> list[Changed]:
    """The attribute in sums of that many choices of exemplars; the first is drawn."""
    from ..explore.arithmetic import arithmetic as compute
    from ..explore.arithmetic import arithmetic_table
    from ..explore.attributes import attribute
    from ..explore.choosing import changed, choose, measured_pool

    if repeats < 1:
        raise ConfigError(f"--repeats {repeats} measures nothing; give at least 1")
    if count < 1:
        raise ConfigError(f"--pool {count} has no samples to choose from; give some hundreds")
    measure = attribute(name, space.sampler.sample_shape[0])
    pool = measured_pool(space, measure, count=count, classify=classify, label=label)
    changes = []
    for repeat in range(seed, seed + repeats):
        a, b, c = choose(pool, repeat)
        result = compute(space, a, b, c, seed=repeat, spread=spread)
        changes.append(changed(space, result, measure, classify))
        if repeat == seed:
            names = (f"much {name}", f"little {name}", "another")
            save_table(arithmetic_table(space, result, names), out)
    return changes


def classifier(source: Path, space: Space) -> Classify | None:
    """Tells what a sample shows by its nearest training images, where the source is a run on labels."""
    if not (source / "config.yaml").is_file():
        return None
    from ..explore.neighbours import by_neighbours
    from .opening import open_data

    with status("opening the run's data"):
        dataset = open_data(source, space.sampler, None)
    return by_neighbours(dataset, space.sampler.value_range) if dataset.train.y is not None else None


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
