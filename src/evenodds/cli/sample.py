"""`evenodds sample`"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import Parameter

from ..errors import ConfigError, RunError, suggest
from .seeds import parse_seeds
from .selecting import Chosen, How, selected
from .signals import uninterrupted

if TYPE_CHECKING:
    from ..sampling import Sampler

ARRAYS = (".npy", ".npz")


def sample(
    source: Path,
    /,
    *,
    out: Path,
    seeds: str = "0-63",
    grid: Annotated[bool, Parameter(negative=(), show_default=False)] = False,
    class_: Annotated[str | None, Parameter(name="--class")] = None,
    generator: Literal["last", "best"] = "last",
    select: How | None = None,
    discriminator_steps: int = 500,
    measure: int = 1_000,
    force: Annotated[bool, Parameter(negative=(), show_default=False)] = False,
) -> int:
    """Draw samples from a trained generator; the same seed always gives the same sample.

    Args:
        source: a run directory or a generator file.
        out: a folder (one file per seed), a .png (with --grid, or for one seed), or an .npy or .npz file, in
            which images are 0 to 255; an .npz also holds seeds, with --select those that were chosen.
            Transparent images are RGBA with colours not multiplied by alpha, as any viewer expects them.
        seeds: a list such as 0,3,5-9.
        grid: draw all samples in one picture.
        class_: name or number of the class to draw; all classes in turn if left out.
        generator: of a run: the last one, or the best by its first metric.
        select: let the run's discriminator choose: by rejection sampling, or by a Metropolis-Hastings chain.
        discriminator_steps: for which the discriminator first goes on training, for --select.
        measure: fresh samples on which the gauge is measured before and after --select; 0 for none.
        force: overwrite what is there.
    """
    asked = _asked(seeds, out)
    files = _files(out, asked, grid)
    _refuse_overwriting(out, files, force)
    drawn = _drawn(source, asked, class_, generator, select, discriminator_steps, measure)
    if grid:
        _write_grid(out, drawn, seeds + (f", selected by {select}" if select else ""))
    else:
        _write(drawn, out, files)
    print("\n".join([f"{_counted(len(asked))} written to {out}", *drawn.report]))
    return 0


def _asked(seeds: str, out: Path) -> list[int]:
    """The seeds, each once where each is a file."""
    asked = parse_seeds(seeds)
    return asked if out.suffix in (".png", *ARRAYS) else list(dict.fromkeys(asked))


def _counted(samples: int) -> str:
    return "1 sample" if samples == 1 else f"{samples:,} samples"


def _drawn(
    source: Path,
    seeds: list[int],
    class_: str | None,
    generator: Literal["last", "best"],
    select: How | None,
    steps: int,
    measure: int,
) -> Chosen:
    """The seeds and labels to draw, and from which generator."""

    def label_of(sampler: Sampler) -> int | None:
        return None if class_ is None else _label(sampler, class_)

    if select is not None:
        return selected(source, select, generator, seeds, label_of, steps=steps, measure=measure)
    with uninterrupted():
        from .opening import open_generator
    sampler = open_generator(source, generator)
    label = label_of(sampler)
    return Chosen(sampler, seeds, None if label is None else [label] * len(seeds), [])


def _files(out: Path, seeds: Sequence[int], grid: bool) -> list[Path]:
    """What will be written, without the ending where it depends on the generator.

    Raises:
        ConfigError: what is asked for doesn't go together.
    """
    if grid and out.suffix != ".png":
        raise ConfigError(f"--grid draws one picture, and --out {out} names none; give a name ending in .png")
    if out.suffix == ".png" and len(seeds) > 1 and not grid:
        raise ConfigError(f"--out {out} is one picture for {len(seeds)} seeds; add --grid, or give a folder")
    if out.suffix in (".png", *ARRAYS):
        return [out]
    if out.suffix:
        raise ConfigError(
            f"--out {out} has an ending that can't be written; use .png, .npy, .npz or a folder"
        )
    return [out / f"seed{seed:04d}" for seed in dict.fromkeys(seeds)]


def _refuse_overwriting(out: Path, files: Sequence[Path], force: bool) -> None:
    """Say before any work is done that it could not be kept.

    Raises:
        RunError: a file is in the way, or the folder to write in is missing.
    """
    if not out.parent.is_dir():
        raise RunError(f"{out.parent} does not exist; make that folder first or change --out")
    if files != [out] and out.exists() and not out.is_dir():
        raise RunError(f"{out} is a file where a folder is to go; give another --out")
    if files == [out] and out.is_dir():
        raise RunError(f"{out} is a folder where a file is to go; give another --out")
    endings = ("",) if files == [out] else (".png", ".npy")
    there = [file for file in (f.with_name(f.name + end) for f in files for end in endings) if file.exists()]
    if there and not force:
        raise RunError(f"{there[0]} exists already; add --force to overwrite it or change --out")


def _label(sampler: Sampler, argument: str) -> int:
    """The label of a class given by name or number.

    Raises:
        ConfigError: there is no such class.
    """
    names = sampler.class_names
    if not names:
        raise ConfigError("this generator was trained without classes; leave out --class")
    if argument in names:
        return names.index(argument)
    if argument.isdecimal() and int(argument) < len(names):
        return int(argument)
    raise ConfigError(f"there is no class {argument!r}{suggest(argument, names)}")


def _write(chosen: Chosen, out: Path, files: Sequence[Path]) -> None:
    """All in one array, or each in a file."""
    if out.suffix in ARRAYS:
        x = chosen.sampler.images(chosen.seeds, chosen.labels)
        _write_arrays(out, chosen.seeds, x, chosen.labels)
    else:
        _write_each(chosen, out, files)


def _write_arrays(out: Path, seeds: Sequence[int], x: Any, labels: Sequence[int] | None) -> None:
    """All samples in one file that --data can read; .npz also holds the seeds."""
    import numpy as np

    from ..files import replacing

    with replacing(out) as temporary, open(temporary, "wb") as file:
        if out.suffix == ".npy":
            np.save(file, x, allow_pickle=False)
        elif labels is None:
            np.savez(file, x=x, seeds=np.asarray(seeds, np.int64))
        else:
            np.savez(file, x=x, y=np.asarray(labels, np.int64), seeds=np.asarray(seeds, np.int64))


def _write_grid(out: Path, chosen: Chosen, text: str) -> None:
    """One picture, titled with where it is from; classes are written below their samples."""
    from ..drawing import draw_samples, save_picture

    sampler, labels = chosen.sampler, chosen.labels
    names = sampler.class_names
    drawn = labels or [seed % len(names) for seed in chosen.seeds] if names else None
    image = draw_samples(
        sampler(chosen.seeds, labels),
        value_range=sampler.value_range,
        title=f"{sampler.facts.get('recipe', 'samples')} · seeds {text}",
        labels=[names[label] for label in drawn] if drawn else None,
        premultiplied=sampler.premultiplied,
    )
    save_picture(image, out)


def _write_each(chosen: Chosen, out: Path, files: Sequence[Path]) -> None:
    """One file per seed: .png for images, .npy for vectors and for images of unusual channels."""
    import numpy as np
    from PIL import Image

    from ..drawing import save_picture
    from ..files import write_with

    sampler = chosen.sampler
    if files != [out]:
        out.mkdir(exist_ok=True)
    drawable = len(sampler.sample_shape) == 3 and sampler.sample_shape[0] in (1, 3, 4) and sampler.value_range
    if files == [out] and not drawable:
        raise ConfigError(f"these samples are no images; give --out a name ending in .npy instead of {out}")
    samples = sampler.images(chosen.seeds, chosen.labels)
    for file, x in zip(files, samples, strict=True):
        if drawable:
            pixels = np.moveaxis(x, 0, -1)  # (H, W, C)
            save_picture(
                Image.fromarray(pixels.squeeze(-1) if len(x) == 1 else pixels), _ending(file, ".png")
            )
        else:
            write_with(_ending(file, ".npy"), lambda path, x=x: _save_npy(path, x))  # type: ignore[misc]


def _ending(file: Path, suffix: str) -> Path:
    return file if file.suffix == suffix else file.with_name(file.name + suffix)


def _save_npy(path: Path, x: Any) -> None:
    """Through an open file: numpy would add .npy to the temporary name."""
    import numpy as np

    with open(path, "wb") as file:
        np.save(file, x, allow_pickle=False)
