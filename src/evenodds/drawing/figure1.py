"""Figure 1 of Goodfellow et al. (2014) as a picture of arrays, for data on the line and in the plane."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from .canvas import one_line

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Array = NDArray[Any]

WIDE, DPI = 8.0, 100  # inches
SIDE, GAP = 2.95, 0.35  # inches: one map of four, and the room above it for its name
HEAD, FOOT = 0.8, 2.35  # inches: title and caption; the panel of V
# the paper's own colours: black data, green generator, blue discriminator
DATA, GENERATOR, D, OPTIMAL, VALUE = "#000000", "#2b8a3e", "#1c6fd1", "#868e96", "#5f3dc4"
NOTE = "#495057"
LOWEST_VALUE = -1.75  # a D that is worse than even odds by more than this is off the panel
# The user's own matplotlib settings (LaTeX, fonts) must not change these pictures, nor make them fail.
STYLE: dict[Any, Any] = {
    "text.usetex": False,
    "text.parse_math": False,
    "font.family": "DejaVu Sans",
    "font.size": 9.5,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "legend.frameon": False,
}


class Line(NamedTuple):
    """A game on the line, as it stands.

    Args:
        x: (N,) evenly spaced places.
        data: (N,) density of the data there.
        generator: (N,) density of the generator's samples.
        d: (N,) D(x), from 0 to 1.
        optimal: (N,) D*(x) = p/(p + p_g); NaN where neither density is worth mentioning.
        z: (A,) evenly spaced latents, the lowest and the highest of the picture among them.
        mapped: (A,) G(z).
        top: of the densities' axis.
    """

    x: Array
    data: Array
    generator: Array
    d: Array
    optimal: Array
    z: Array
    mapped: Array
    top: float


class Plane(NamedTuple):
    """A game in the plane, as it stands; rows from low to high second coordinate.

    Args:
        limits: ((left, right), (low, high)) of all four maps.
        data: (H, W) density of the data.
        generator: (H, W) density of the generator's samples.
        d: (h, w) D(x), from 0 to 1.
        optimal: (h, w) D*(x) = p/(p + p_g); NaN where there is neither data nor samples.
    """

    limits: tuple[tuple[float, float], tuple[float, float]]
    data: Array
    generator: Array
    d: Array
    optimal: Array


class Score(NamedTuple):
    """V(D, G) on fresh examples beside the best that any D could reach, in nats."""

    examples: int
    value: float
    value_error: float  # one standard error
    truth: float  # −log 4 + 2 JSD of data and generator
    truth_error: float

    @property
    def gap(self) -> float:
        """By how much D falls short of the best."""
        return self.truth - self.value


def draw_figure1(
    scene: Line | Plane, *, title: str, caption: str, scores: Sequence[Score] = (), until: int = 0
) -> Image.Image:
    """The game as it stands, and below it how V and its best value went.

    Args:
        scene: densities, D and D*.
        title: one line above.
        caption: one line below the title.
        scores: the history, the newest last; without one the panel of V is left out.
        until: examples at the right end of that panel, at least; 0 ends it at the newest score.
    """
    import matplotlib
    from matplotlib.figure import Figure

    with matplotlib.rc_context(STYLE):
        below = 5.6 if isinstance(scene, Line) else 2 * (SIDE + GAP) + 0.3
        height = HEAD + below + (FOOT if scores else 0)
        figure = Figure(figsize=(WIDE, height), dpi=DPI)
        figure.text(0.03, 1 - 0.17 / height, one_line(title, longest=90), va="top", fontsize=13)
        figure.text(0.03, 1 - 0.46 / height, one_line(caption, longest=125), va="top", color=NOTE)
        if isinstance(scene, Line):
            _draw_line(figure, height, scene)
        else:
            _draw_plane(figure, height, scene)
        if scores:
            _draw_scores(_axes(figure, height, 0.75, 0.55, 6.4, 1.45), scores, until)
        buffer = io.BytesIO()
        figure.savefig(buffer, format="rgba")
    size = round(WIDE * DPI), len(buffer.getvalue()) // (4 * round(WIDE * DPI))
    return Image.frombytes("RGBA", size, buffer.getvalue()).convert("RGB")


def as_png(picture: Image.Image) -> bytes:
    """The picture as the bytes of a PNG file: a tenth of the memory that it takes to keep it."""
    buffer = io.BytesIO()
    picture.save(buffer, format="PNG", compress_level=3)
    return buffer.getvalue()


def from_png(data: bytes) -> Image.Image:
    """The picture that `as_png` was given."""
    with Image.open(io.BytesIO(data), formats=["PNG"]) as image:
        return image.convert("RGB")


def side_by_side(pictures: Sequence[Image.Image], columns: int) -> Image.Image:
    """Pictures of one size in rows of `columns`."""
    width, height = pictures[0].size
    rows = math.ceil(len(pictures) / columns)
    whole = Image.new("RGB", (columns * width, rows * height), "white")
    for index, picture in enumerate(pictures):
        whole.paste(picture, (index % columns * width, index // columns * height))
    return whole


def _axes(figure: Figure, height: float, left: float, bottom: float, width: float, tall: float) -> Axes:
    """Axes by inches from the lower left corner; fixed, so that nothing moves in a movie."""
    return figure.add_axes((left / WIDE, bottom / height, width / WIDE, tall / height))


def _draw_line(figure: Figure, height: float, line: Line) -> None:
    """Densities and D on one pair of axes, and below them where G sends each z."""
    axes = _axes(figure, height, 0.75, height - 4.6, 6.4, 3.5)
    right = axes.twinx()
    axes.fill_between(line.x, line.generator, color=GENERATOR, alpha=0.10, linewidth=0)
    curves = [
        axes.plot(line.x, line.data, ":", color=DATA, linewidth=2.2, label="data density p(x)")[0],
        axes.plot(line.x, line.generator, color=GENERATOR, linewidth=2.2, label="generator density")[0],
        right.plot(line.x, line.d, "--", color=D, linewidth=2.0, label="D(x)")[0],
        right.plot(line.x, line.optimal, color=D, linewidth=0.9, label="best D: p/(p + generator's)")[0],
    ]
    limits = (float(line.x[0]), float(line.x[-1]))
    axes.set_xlim(limits)
    axes.set_ylim(0, line.top)
    axes.set_ylabel("density")
    right.set_ylim(0, 1.04)
    right.spines["right"].set_visible(True)
    right.set_ylabel("D(x): probability that x is data", color=D)
    right.tick_params(axis="y", colors=D)
    right.axhline(0.5, color=D, linewidth=0.6, alpha=0.5, linestyle=(0, (1, 3)))
    axes.legend(
        handles=curves, ncols=4, loc="lower center", bbox_to_anchor=(0.5, 1.0), fontsize=9.5,
        columnspacing=1.4, handlelength=2.4,
    )  # fmt: skip
    _draw_mapping(_axes(figure, height, 0.75, height - 6.2, 6.4, 1.15), line, limits)


def _draw_mapping(axes: Axes, line: Line, limits: tuple[float, float]) -> None:
    """Arrows from evenly spaced z on a lower axis to G(z) on an upper one."""
    low, high = limits
    share = (line.z - line.z[0]) / (line.z[-1] - line.z[0])
    start = low + (high - low) * (0.2 + 0.6 * share)  # the axis of z stands under the middle of that of x
    axes.set_xlim(limits)
    axes.set_ylim(-0.32, 1.05)
    axes.axis("off")
    axes.plot(limits, (1, 1), color=DATA, linewidth=1, clip_on=False)
    axes.plot((start[0], start[-1]), (0, 0), color=DATA, linewidth=1)
    shown = (line.mapped >= low) & (line.mapped <= high)
    axes.quiver(
        start[shown], np.zeros(shown.sum()), (line.mapped - start)[shown], np.ones(shown.sum()),
        units="inches", angles="xy", scale_units="xy", scale=1, width=0.011, headwidth=7, headlength=9,
        headaxislength=8, color=GENERATOR, alpha=0.75, clip_on=False,
    )  # fmt: skip
    for at, value in ((start[0], line.z[0]), (start[-1], line.z[-1])):
        axes.text(at, -0.08, f"z = {value:.3g}".replace("-", "−"), ha="center", va="top", fontsize=9)
    axes.text((start[0] + start[-1]) / 2, -0.08, "latents z, evenly spaced", ha="center", va="top",
              fontsize=9, color=NOTE)  # fmt: skip
    axes.text(low, 0.78, "x = G(z)", ha="left", va="center", fontsize=9, color=NOTE)


def _draw_plane(figure: Figure, height: float, plane: Plane) -> None:
    """Four maps: data and generator above, D and D* below."""
    (left, right), (low, high) = plane.limits
    top = 0.8 * float(plane.data.max())
    maps = [
        ("data density p(x)", _ink(plane.data, top), "Greys", DATA),
        ("generator density", _ink(plane.generator, top), "Greens", GENERATOR),
        ("D(x)", plane.d, "RdBu", D),
        ("best D: p/(p + generator's); grey: nothing there", plane.optimal, "RdBu", D),
    ]
    for index, (name, values, colours, ink) in enumerate(maps):
        column, row = index % 2, index // 2
        bottom = height - HEAD - (row + 1) * (SIDE + GAP)
        axes = _axes(figure, height, 0.6 + 3.4 * column, bottom, SIDE, SIDE)
        axes.set_facecolor("white" if index < 2 else "#ced4da")
        image = axes.imshow(
            values, origin="lower", extent=(left, right, low, high), cmap=colours, vmin=0, vmax=1,
            interpolation="nearest", aspect="equal", rasterized=True,
        )  # fmt: skip
        axes.set_title(name, loc="left", fontsize=9.5, color=ink, pad=3)
        axes.tick_params(labelsize=7)
        if index != 2:  # all four have the same axes; labels are half of the time that drawing takes
            axes.set_xticks([])
            axes.set_yticks([])
        if index == 3:
            _draw_scale(figure, height, image, bottom)


def _ink(density: Array, top: float) -> Array:
    """The root of the density as a share of that of `top`, which shows what is thin; NaN where it is 0."""
    return np.sqrt(np.where(density > 1e-4 * top, density, np.nan) / top)


def _draw_scale(figure: Figure, height: float, image: Any, bottom: float) -> None:
    """What the colours of D mean, to the right of the lower maps."""
    scale = figure.colorbar(image, cax=_axes(figure, height, 7.1, bottom, 0.12, SIDE))
    scale.set_ticks([0, 0.5, 1], labels=["0 generated", "½ even", "1 data"], fontsize=7)


def _draw_scores(axes: Axes, scores: Sequence[Score], until: int) -> None:
    """V(D, G) and −log 4 + 2 JSD over the examples seen, with even odds and certainty as levels."""
    x = np.array([score.examples for score in scores], dtype=np.float64)
    value, truth = (np.array([getattr(score, name) for score in scores]) for name in ("value", "truth"))
    error = np.array([score.truth_error for score in scores])
    last = scores[-1]
    spread = f" ± {last.truth_error:.3f}" if last.truth_error >= 5e-4 else ""
    axes.fill_between(x, truth - error, truth + error, color=DATA, alpha=0.15, linewidth=0)
    axes.plot(
        x, truth, color=DATA, linewidth=1.1, label=f"best D: −log 4 + 2 JSD = {_number(last.truth)}{spread}"
    )
    axes.plot(x, value, color=VALUE, linewidth=1.8, label=f"V(D, G) on fresh data = {_number(last.value)}")
    axes.plot(x[-1:], value[-1:], "o", color=VALUE, markersize=5)
    end = max(until, int(x[-1]), 1)
    # most happens at the beginning: a root gives it room
    axes.set_xscale("function", functions=(lambda at: np.sqrt(np.maximum(at, 0)), np.square))
    axes.set_xlim(0, end * 1.01)
    round_end = until or float(f"{end:.1g}")
    axes.set_xticks([round_end * share for share in (0, 0.01, 0.05, 0.2, 0.5, 1) if round_end * share <= end])
    axes.minorticks_off()
    axes.set_ylim(LOWEST_VALUE, 0.12)
    across = axes.get_yaxis_transform()
    for level, text in ((0.0, "0: told apart\nfor certain"), (-math.log(4), "−log 4:\neven odds")):
        axes.axhline(level, color=NOTE, linestyle=(0, (6, 4)), linewidth=0.8)
        axes.text(1.01, level, text, transform=across, va="center", fontsize=8, color=NOTE)
    axes.set_yticks([0, -0.5, -1, -1.5], labels=["0", "−0.5", "−1", "−1.5"])
    axes.xaxis.set_major_formatter(lambda at, _: f"{at:,.0f}")
    axes.set_ylabel("nats")
    axes.set_xlabel("real training examples shown to D", labelpad=2)
    axes.legend(loc="lower center", bbox_to_anchor=(0.5, 0.97), ncols=2, fontsize=9.5)


def _number(value: float) -> str:
    return f"{value:.3f}".replace("-", "−")
