"""`evenodds data preview`"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from ..errors import ConfigError
from .display import status
from .signals import uninterrupted
from .text import wrapped


def preview(
    source: str,
    /,
    *,
    augment: str | None = None,
    assignments: Annotated[Sequence[str], Parameter(name="--set", negative=())] = (),
    out: Path = Path("augment.png"),
    seed: int = 0,
) -> int:
    """Draw what an augmentation does to images, to see whether they are still what they are.

    A row for each transformation, from weak to strong, then rows with all of them together.

    Args:
        source: a data set, as for data check; or a run directory, for its data and its augmentation.
        augment: ada, diffaugment or r3gan; ada if left out, or what the run has.
        assignments: an option of the augmentation, as in transformations=[blit]; may be given several times.
        out: the picture, a PNG.
        seed: of the draws.
    """
    if out.suffix.lower() != ".png":
        raise ConfigError(f"--out {out} is no PNG; give a file name that ends with .png")
    if seed < 0:
        raise ConfigError(f"--seed {seed} is negative; give 0 or more")
    with status(f"reading {source}"):
        with uninterrupted():
            from ..adaptation import augment_for
            from ..components import build
            from ..data.sources import DATASETS
            from ..drawing import save_picture
            from ..report.augment_sheet import augment_sheet
        data, spec = _described(source, augment)
        spec = _with_options(spec, assignments)
        dataset = build("data set", DATASETS, data)
        module = augment_for(dataset, spec)
    with status("drawing"):
        save_picture(augment_sheet(dataset, module, name=spec["name"], seed=seed), out)
    text = "rows from weak to strong, then all together. What you would not call an example of your data any"
    print(wrapped(f"{out}: {text} more should be rare; leave it out with --set transformations=[…]."))
    return 0


def _described(source: str, augment: str | None) -> tuple[dict[str, Any], dict[str, Any]]:
    """Components of the data and of the augmentation.

    Raises:
        ConfigError: a run without augmentation, and none is named.
    """
    from ..config import load_config
    from ..data.sources import source_for

    file = Path(source) / "config.yaml"
    if not file.is_file():
        return source_for(source), {"name": augment or "ada"}
    config = load_config(file)
    if augment is not None:
        return config.data, {"name": augment}
    if config.augment is None:
        raise ConfigError(f"{source} augments nothing; name what to draw, as in --augment ada")
    return config.data, config.augment


def _with_options(spec: dict[str, Any], assignments: Sequence[str]) -> dict[str, Any]:
    """With the options that were given; a schedule is none of the picture's business.

    Raises:
        ConfigError: an assignment without "=".
    """
    from ..config import override

    options = override(spec, list(assignments))
    if isinstance(options.get("probability"), dict):
        del options["probability"]
    return options
