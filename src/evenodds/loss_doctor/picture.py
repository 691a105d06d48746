"""The paths of the Dirac-GAN as a picture."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING

from ..dirac import Point
from ..drawing.canvas import one_line
from ..files import write_with
from ..report.plots import COLOURS, STYLE
from .diagnosis import Diagnosis
from .equilibrium import PATHS, START, Dirac, Stability

if TYPE_CHECKING:
    from matplotlib.axes import Axes

FURTHEST = 3.0  # start radii that are still drawn: what runs away would leave the rest a dot
WORDS: dict[Stability, str] = {
    "converges": "it converges",
    "circles": "it oscillates",
    "leaves": "it diverges",
    "stands": "a player stands still",
}
LABELS = {"simultaneous": "both players at once", "G, D": "in turns"}


def draw_dirac(diagnosis: Diagnosis, path: Path) -> None:
    """A PNG with one panel without a penalty and one with R1.

    Args:
        diagnosis: with the Dirac-GAN played.
        path: of the file.

    Raises:
        RunError: it can't be written.
    """
    import matplotlib
    from matplotlib.figure import Figure

    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(9, 5.6), dpi=150, layout="compressed")
        panels = figure.subplots(1, len(diagnosis.dirac), squeeze=False, sharex=True, sharey=True)[0]
        for axes, (name, dirac) in zip(panels, diagnosis.dirac.items(), strict=True):
            _draw(axes, name, dirac)
        figure.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=4)
        figure.suptitle(one_line(f"{diagnosis.name} on the Dirac-GAN (Mescheder et al. 2018)"))
        write_with(path, lambda file: figure.savefig(file, format="png", metadata={"Software": None}))


def _draw(axes: Axes, name: str, dirac: Dirac) -> None:
    """Both paths from the start, and the equilibrium."""
    colours = dict(zip(PATHS, (COLOURS["generator"], COLOURS["discriminator"]), strict=True))
    for schedule, points in dirac.paths.items():
        shown = _near([START, *points])
        axes.plot(*zip(*shown, strict=True), color=colours[schedule], linewidth=0.8, marker=".", markersize=2,
                  label=LABELS[schedule])  # fmt: skip
    axes.plot(*START, marker="o", zorder=3, color=COLOURS["data"], linestyle="none", label="start")
    axes.plot(0, 0, marker="*", markersize=14, color=COLOURS["even"], linestyle="none", label="equilibrium")
    axes.set_title(f"{name}: {WORDS[dirac.stability]}")
    axes.set_xlabel("θ, the point that G makes")
    axes.set_ylabel("ψ, the weight of D(x) = c − ψx")
    axes.label_outer()
    axes.set_aspect("equal", adjustable="box")


def _near(points: list[Point]) -> list[Point]:
    """The path until it is too far away to be drawn."""
    limit = FURTHEST * math.hypot(*START)
    count = next((index for index, point in enumerate(points) if not math.hypot(*point) < limit), len(points))
    return points[:count]
