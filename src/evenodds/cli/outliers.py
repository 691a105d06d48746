"""`evenodds outliers`"""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter

from ..errors import ConfigError, RunError
from ..files import write_text
from .display import status
from .signals import uninterrupted
from .text import signed, wrapped

if TYPE_CHECKING:
    from ..data.dataset import Array, Dataset

ORDERS = {
    "missed": "the generator makes too few: the discriminator finds them clearly real",
    "doubted": "the generator makes too many: the discriminator takes them for generated",
}


def outliers(
    source: Path,
    /,
    *,
    by: Literal["missed", "doubted"] = "missed",
    data: str | None = None,
    split: Literal["train", "validation", "test"] = "validation",
    count: int = 64,
    out: Path = Path("outliers.png"),
    discriminator_steps: int = 500,
    checkpoint: Literal["last", "best"] = "last",
    force: Annotated[bool, Parameter(negative=(), show_default=False)] = False,
) -> int:
    """Rank real examples by the odds p_data/p_g that a run's discriminator gives them.

    Writes a picture of the first ones and, beside it, a .csv of all: rank, index, log odds, class.

    Args:
        source: a run directory.
        by: missed ranks by high odds, what the generator makes too little of, rare and unusual examples among
            it; doubted by low odds, what it makes too much of.
        data: examples to rank; the run's own if left out.
        split: of these; of examples that the discriminator was trained on it is surer than of others.
        count: examples in the picture.
        out: the picture, a name ending in .png.
        discriminator_steps: for which the discriminator first goes on training.
        checkpoint: of the run.
        force: overwrite what is there.
    """
    table = _checked(source, out, count, discriminator_steps, force)
    ranked, odds = _judged(source, data, split, discriminator_steps, checkpoint)
    order = odds.argsort(kind="stable")
    order = order[::-1] if by == "missed" else order
    _write_table(table, ranked, split, order, odds)
    _draw(out, ranked, split, order[:count], odds, f"{source.resolve().name}: {split} examples most {by}")
    print(f"{len(order):,} {split} examples ranked in {table}, the first {min(count, len(order))} in {out}")
    ends = f"log odds {signed(odds[order[0]], 2)} to {signed(odds[order[-1]], 2)}"
    print(wrapped(f"{ends}; first come those of which {ORDERS[by]}"))
    return 0


def _judged(
    source: Path, data: str | None, split: str, steps: int, checkpoint: Literal["last", "best"]
) -> tuple[Dataset, Array]:
    """The data to rank, and the log odds of its split's examples (N,)."""
    with status("opening the run and its data"):
        with uninterrupted():
            from ..odds import judge_of
            from ..opening import open_run
            from .opening import open_data
        opened = open_run(source, checkpoint=checkpoint)
        ranked = opened.dataset if data is None else open_data(source, opened.sampler, data)
        examples = ranked.split(split)
        _check_alike(opened.dataset, ranked, opened.config.conditional)
    with status(f"training the discriminator on ({steps} steps) and judging"):
        return ranked, judge_of(opened, steps=steps).odds(examples)


def _checked(source: Path, out: Path, count: int, steps: int, force: bool) -> Path:
    """The table's path, after a look at all that would fail at the end.

    Raises:
        ConfigError, RunError: it can't be written, or a count is none.
    """
    if not source.is_dir():
        raise RunError(f"{source} is no run, and ranking needs its discriminator; give the run's folder")
    if out.suffix != ".png":
        raise ConfigError(f"--out {out} is no picture; give a name ending in .png")
    if count < 1 or steps < 0:
        raise ConfigError(f"--count {count}, --discriminator-steps {steps}: give at least 1 and at least 0")
    if not out.parent.is_dir():
        raise RunError(f"{out.parent} does not exist; make that folder first or change --out")
    for path in (out, out.with_suffix(".csv")):
        if path.exists() and not force:
            raise RunError(f"{path} exists already; add --force to overwrite it or change --out")
    return out.with_suffix(".csv")


def _check_alike(trained: Dataset, ranked: Dataset, conditional: bool) -> None:
    """A discriminator can only judge what it could have been trained on.

    Raises:
        ConfigError: other shapes, other values, or labels that it does not know.
    """
    if (ranked.sample_shape, ranked.value_range) != (trained.sample_shape, trained.value_range):
        raise ConfigError(
            f"{ranked.name} holds examples of shape {ranked.sample_shape} in {ranked.value_range}, its data "
            f"{trained.sample_shape} in {trained.value_range}; give data like those that it was trained on"
        )
    if conditional and ranked.class_names != trained.class_names:
        raise ConfigError(
            f"the discriminator sees classes, and those of {ranked.name} differ; leave out --data"
        )


def _write_table(path: Path, ranked: Dataset, split: str, order: Array, odds: Array) -> None:
    """rank, index in the split, log odds, class."""
    labels, names = ranked.split(split).y, ranked.class_names
    rows = io.StringIO(newline="")
    writer = csv.writer(rows, lineterminator="\n")
    writer.writerow(["rank", "index", "log_odds", "class"])
    for rank, index in enumerate(order.tolist(), 1):
        name = "" if labels is None or not names else names[labels[index]]
        writer.writerow([rank, index, f"{odds[index]:.6g}", name])
    write_text(path, rows.getvalue())


def _draw(path: Path, ranked: Dataset, split: str, first: Array, odds: Array, title: str) -> None:
    """A sheet of images with index and odds below each; a scatter of vectors over the whole split."""
    from ..drawing import draw_samples, save_picture

    x = ranked.split(split).x
    labels = [f"{index}: {odds[index]:.1f}" for index in first.tolist()]
    picture = draw_samples(
        x[first],
        value_range=ranked.value_range,
        title=title,
        reference=x if x.ndim == 2 else None,
        labels=labels if x.ndim == 4 else None,
        premultiplied=ranked.premultiplied,
    )
    save_picture(picture, path)
