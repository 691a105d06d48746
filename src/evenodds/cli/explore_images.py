"""`evenodds explore invert | neighbours`: images that were not drawn from the generator."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cyclopts import Parameter

from ..errors import ConfigError, RunError
from .display import status
from .explore_common import PICTURE, Common, Flag, SpaceName, check_out, opened, save_table
from .explore_directions import best_space
from .seeds import parse_seeds
from .text import columns

if TYPE_CHECKING:
    from ..data.dataset import Dataset
    from ..explore.features import Features
    from ..explore.inversion import Inverted
    from ..explore.space import Space


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Descent:
    """How latents are sought."""

    features: Flag = False
    "compare also what the run's discriminator sees in the images."
    space: SpaceName | None = None
    "z or w; w if left out, where there are styles."
    steps: int = 400
    "of each descent."
    restarts: int = 8
    "descents for each image."


DEFAULT = Descent()


def invert(
    source: Path,
    /,
    *images: Path,
    common: Common,
    held_out: str | None = None,
    data: str | None = None,
    descent: Descent = DEFAULT,
) -> int:
    """Find the latents whose samples are nearest to given images, by gradient descent with restarts.

    Next to the picture, an .npz file of the same name keeps them: points, errors, labels.

    Args:
        source: a run directory or a generator file.
        images: files, cropped and resized as training images are.
        held_out: numbers of images of the validation split, such as 0-3, to compare with or instead.
        data: where that split is, if not the data of the run.
    """
    if not images and held_out is None:
        raise ConfigError("there is nothing to invert; give image files, or --held-out 0-3")
    numbers = [] if held_out is None else parse_seeds(held_out)
    check_out(common.out, PICTURE, force=common.force)
    beside = common.out.with_suffix(".npz")
    check_out(beside, (".npz",), force=common.force)
    space, label = opened(source, common)
    space = best_space(space, descent.space)
    short = len({path.name for path in images}) == len(images)
    targets = {path.name if short else str(path): _target(path, space) for path in images}
    targets |= _held_out(source, space, data, numbers)
    results = _inverted(source, space, targets, label, descent)
    from ..explore.inversion import inversion_table

    save_table(inversion_table(space, list(targets.values()), results, list(targets)), common.out)
    _save_points(beside, space, results, list(targets))
    print("\n".join([*_lines(space, list(targets), results), f"drawn in {common.out}, kept in {beside}"]))
    return 0


def _inverted(
    source: Path, space: Space, targets: dict[str, Any], label: int | None, how: Descent
) -> list[Inverted]:
    """One after the other."""
    from ..explore.inversion import candidates
    from ..explore.inversion import invert as descend

    seen = _features(source, space) if how.features else None
    with status("drawing samples to begin from"):
        begin = candidates(space, label)
    results = []
    for name, target in targets.items():
        with status(f"{name}: {how.restarts} descents of {how.steps} steps"):
            found = descend(space, target, begin, steps=how.steps, restarts=how.restarts, features=seen)
            results.append(found)
    return results


def neighbours(
    source: Path,
    /,
    *,
    common: Common,
    seeds: str = "0-7",
    count: int = 8,
    features: Flag = False,
    data: str | None = None,
) -> int:
    """Draw the nearest training images beside samples: are they copies?

    Args:
        source: a run directory or a generator file.
        seeds: of the samples, one for each row.
        count: training images for each.
        features: compare what the run's discriminator sees in them instead of pixels.
        data: what the generator was trained on, if not the data of the run.
    """
    asked = parse_seeds(seeds)
    check_out(common.out, PICTURE, force=common.force)
    space, label = opened(source, common)
    from ..explore.figures import need_images
    from ..explore.neighbours import neighbours_table

    need_images(space.sampler, "neighbours")
    dataset = _dataset(source, space, data)
    seen = _features(source, space) if features else None
    with status(f"searching {len(dataset.train):,} training images"):
        labels = None if label is None else [label] * len(asked)
        table, found = neighbours_table(space, asked, labels, dataset, k=count, features=seen)
    save_table(table, common.out)
    nearest = found.distances[:, 0]
    print(
        f"nearest of {len(dataset.train):,} training images: mean distance {nearest.mean():.3f}, "
        f"least {nearest.min():.3f} (seed {asked[int(nearest.argmin())]})\n"
        f"{len(asked)} rows in {common.out}"
    )
    return 0


def _dataset(source: Path, space: Space, data: str | None) -> Dataset:
    from .opening import open_data

    with status("opening the data"):
        return open_data(source, space.sampler, data)


def _features(source: Path, space: Space) -> Features:
    """Of the discriminator in the run's last checkpoint.

    Raises:
        RunError: the source is a file, or its run has no checkpoint.
    """
    if not source.is_dir():
        raise RunError(f"{source} is no run, and --features needs its discriminator; give the run's folder")
    from ..explore.features import features_of
    from ..opening import open_run

    with status("opening the discriminator"):
        opened_run = open_run(source)
    return features_of(opened_run.gan.discriminator, space.sampler.sample_shape)


def _target(path: Path, space: Space) -> Any:
    """An image file as the generator would have to draw it, (C, H, W) in its range."""
    from ..explore.targets import target_of

    return target_of(path, space.sampler)


def _held_out(source: Path, space: Space, data: str | None, numbers: list[int]) -> dict[str, Any]:
    """Images of the validation split by number, named.

    Raises:
        ConfigError: there are not so many.
    """
    if not numbers:
        return {}
    from ..explore.targets import in_range

    dataset = _dataset(source, space, data)
    if max(numbers) >= len(dataset.validation):
        raise ConfigError(
            f"--held-out {max(numbers)}: {dataset.name} has {len(dataset.validation):,} held-out images; "
            f"give numbers up to {len(dataset.validation) - 1}"
        )
    if dataset.sample_shape != space.sampler.sample_shape:
        raise ConfigError(
            f"{dataset.name} has examples of {dataset.sample_shape}, the generator makes "
            f"{space.sampler.sample_shape}; give --data of that shape"
        )
    return {f"held-out {n}": in_range(dataset.validation.x[n], space.sampler) for n in numbers}


def _lines(space: Space, names: list[str], results: list[Inverted]) -> list[str]:
    """What was reached for each image."""
    typical = space.points(range(64)).norm(dim=1).mean()
    rows = [
        (
            name,
            f"error {float(one.errors[0]):.4f}",
            f"{float(one.errors[0]) / one.nearest:.2f} of the nearest of 1,024 samples ({one.nearest:.4f})",
            f"length {float(one.points[0].norm() / typical):.2f} of a typical {space.name}",
        )
        for name, one in zip(names, results, strict=True)
    ]
    held = [
        float(one.errors[0]) for name, one in zip(names, results, strict=True) if name.startswith("held-out ")
    ]
    lines = ["root mean square error of pixels, on a scale from 0 to 1:", columns(rows)]
    if held and len(held) < len(names):
        lines.append(f"held-out images get {sum(held) / len(held):.4f} on average")
    return lines


def _save_points(path: Path, space: Space, results: list[Inverted], names: list[str]) -> None:
    """points (T, R, F), errors (T, R) and labels (T, R), the nearest restart first."""
    import numpy as np

    from ..files import replacing

    arrays: dict[str, Any] = {
        space.name: np.stack([one.points.numpy() for one in results]),
        "errors": np.stack([one.errors.numpy() for one in results]),
        "images": np.array(names),
    }
    if results[0].labels is not None:
        arrays["labels"] = np.array([one.labels for one in results], np.int64)
    with replacing(path) as temporary, open(temporary, "wb") as file:
        np.savez(file, **arrays)
