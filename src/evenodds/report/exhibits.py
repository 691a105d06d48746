"""What an audit shows beside its numbers: the samples that give themselves away, the data that is missed."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from ..data.dataset import Dataset
from ..drawing import draw_samples, save_picture
from ..errors import RunError
from ..files import write_with
from ..referee.audit import Audit
from ..referee.evidence import Evidence
from .plots import COLOURS, STYLE

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colors import LinearSegmentedColormap
    from matplotlib.figure import Figure

SHOWN = 64  # images in a sheet
POINTS = 10_000  # in a scatter
BINS = 80
STRONG = math.log(9)  # log odds at which a point has its full colour: D is 90 % sure


def write_exhibits(folder: Path, audit: Audit, evidence: Evidence, dataset: Dataset) -> list[Path]:
    """Write what the most promising discriminator of an audit saw; the files that were written.

    Of images betrayed.png and missed.png; of points on the line or in the plane odds.png; of longer vectors
    betrayed.png and missed.png as heat maps.

    Args:
        folder: is made if it isn't there.
        audit: what was concluded.
        evidence: from what.
        dataset: whose range the images have.

    Raises:
        RunError: the folder can't be written to.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RunError(f"{folder} can't be made ({error.strerror}); choose another with --out") from error
    first = audit.finalists[0]
    if evidence.measured.real.ndim == 2 and evidence.measured.real.shape[1] <= 2:
        draw = _line if evidence.measured.real.shape[1] == 1 else _plane
        return [_figure(folder / "odds.png", lambda figure: draw(figure, evidence, first.real, first.fake))]
    sheets = {
        "betrayed": (evidence.measured.fake, -first.fake, "samples that give themselves away most"),
        "missed": (evidence.measured.real, first.real, f"{evidence.split} that are missed most"),
    }
    most = len(evidence.measured.real)
    return [_sheet(folder / f"{name}.png", dataset, *sheet, most) for name, sheet in sheets.items()]


def _sheet(path: Path, dataset: Dataset, x: Tensor, odds: Tensor, words: str, most: int) -> Path:
    """The examples of the highest odds, in that order."""
    order = odds.argsort(descending=True)[:SHOWN]
    pair = "generated : real" if path.stem == "betrayed" else "real : generated"
    title = f"The {len(order)} of {len(x):,} {words}" + (f" (odds {pair})" if x.ndim == 4 else "")
    picture = draw_samples(
        x[order].cpu().numpy(),
        value_range=dataset.value_range,
        title=title,
        labels=[in_odds(float(value), most) for value in odds[order]] if x.ndim == 4 else None,
        premultiplied=dataset.premultiplied,
    )
    save_picture(picture, path)
    return path


def in_odds(logit: float, most: int) -> str:
    """Log odds as 35 : 1 or 1 : 1.4; beyond `most`, the examples there are, nobody could check them."""
    large = math.exp(min(abs(logit), math.log(most)))
    text = f"{large:.1f}" if large < 9.95 else f"{large:,.0f}"
    text = f">{text}" if abs(logit) > math.log(most) else text
    return f"{text} : 1" if logit >= 0 else f"1 : {text}"


def _figure(path: Path, draw: Callable[[Figure], None]) -> Path:
    import matplotlib
    from matplotlib.figure import Figure

    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(11, 5.4), dpi=120, layout="constrained")
        draw(figure)
        write_with(path, lambda file: figure.savefig(file, format="png", metadata={"Software": None}))
    return path


def _plane(figure: Figure, evidence: Evidence, real: Tensor, fake: Tensor) -> None:
    """Samples at the left, held-out data at the right, coloured by the odds."""
    left, right = figure.subplots(1, 2, sharex=True, sharey=True)
    known = evidence.measured.real.numpy()
    low, high = known.min(0), known.max(0)
    half = 0.55 * float((high - low).max()) or 1.0
    middle = (low + high) / 2
    sides = (
        (left, evidence.measured.fake, fake, "samples", "orange: given away"),
        (right, evidence.measured.real, real, evidence.split, "blue: missed by the generator"),
    )
    for axes, x, logits, name, hint in sides:
        count, points = min(len(x), POINTS), x[:POINTS].numpy()
        # what stands out is drawn last
        order = np.argsort(np.abs(logits[:POINTS].numpy()))
        drawn = axes.scatter(
            points[order, 0], points[order, 1], c=logits[:POINTS].numpy()[order], cmap=_colours(),
            vmin=-STRONG, vmax=STRONG, s=5, linewidths=0,
        )  # fmt: skip
        axes.set_title(f"{count:,} {name}\n{hint}", loc="left")
        axes.set_xlim(middle[0] - half, middle[0] + half)
        axes.set_ylim(middle[1] - half, middle[1] + half)
        axes.set_aspect("equal")
    bar = figure.colorbar(drawn, ax=[left, right], ticks=[-STRONG, 0, STRONG], shrink=0.85)
    bar.ax.set_yticklabels(["9 : 1\ngenerated", "even odds", "9 : 1\nreal"])


def _line(figure: Figure, evidence: Evidence, real: Tensor, fake: Tensor) -> None:
    """Densities of both above, the log odds of the discriminator below."""
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=(3, 2))
    sides = (
        (evidence.measured.real, COLOURS["data"], evidence.split),
        (evidence.measured.fake, COLOURS["generator"], "samples"),
    )
    low, high = (float(evidence.measured.real.quantile(q)) for q in (0.0005, 0.9995))
    margin = 0.25 * (high - low) or 1.0
    limits = low - margin, high + margin
    for x, colour, name in sides:
        above.hist(
            x[:, 0].numpy(), bins=np.linspace(*limits, BINS).tolist(), density=True, color=colour,
            histtype="stepfilled", alpha=0.45, label=f"{len(x):,} {name}",
        )  # fmt: skip
    above.set_ylabel("density")
    above.legend()
    every = torch.cat(list(evidence.measured))[:, 0].numpy()
    logits = torch.cat([real, fake]).numpy()
    order = np.argsort(every)
    below.plot(every[order], logits[order], color=COLOURS["discriminator"])
    _name_sides(below)
    below.set_xlim(*limits)
    below.set_ylim(-2 * STRONG, 2 * STRONG)
    below.set_ylabel("log odds, nats")
    below.set_xlabel("x")


def _name_sides(axes: Axes) -> None:
    axes.axhline(0, color="#495057", linestyle=(0, (6, 4)), linewidth=1)
    across = axes.get_yaxis_transform()
    axes.text(0.005, 0.95 * 2 * STRONG, "missed: more real", transform=across, va="top", fontsize=9)
    axes.text(0.005, -0.95 * 2 * STRONG, "given away: more generated", transform=across, fontsize=9)


def _colours() -> LinearSegmentedColormap:
    """Orange where generated, grey at even odds, blue where real."""
    from matplotlib.colors import LinearSegmentedColormap

    stops = [COLOURS["generator"], "#ced4da", COLOURS["discriminator"]]
    return LinearSegmentedColormap.from_list("odds", stops)
