"""Tables and curves of time_to_quality.py."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from evenodds.files import write_with
from outcome import RESULTS, provenance, table, write_result

LEFT = (0.3, 0.1, 0.03, 0.01)  # shares of the untrained generator's distance above the floor
DAY = 86_400  # seconds
COLOURS = ("tab:blue", "tab:orange", "tab:green")
Point = dict[str, Any]  # examples, cpu_seconds, value, floor, name, protocol …
Curves = dict[str, list[list[Point]]]  # recipe -> runs -> points


def report(
    runs: Curves,
    ends: Mapping[str, Point],
    slow: Mapping[str, tuple[float, int]],
    elsewhere: Mapping[str, str],
    waiting: Sequence[str],
) -> None:
    """Write results/time_to_quality.{md,json,png}.

    Args:
        runs: recipe -> runs -> points, the untrained generator first.
        ends: recipe -> the end of a finished run.
        slow: recipes that were not run -> images per CPU second, and images that the recipe asks for.
        elsewhere: recipes with a benchmark of their own -> its result file.
        waiting: recipes that are to be run here and have not been yet.
    """
    sentence, machine = provenance("python benchmarks/time_to_quality.py --report RUN:CPU_MINUTES …")
    picture = drawn(runs, ends)
    write_with(RESULTS / "time_to_quality.png", lambda path: picture.savefig(path, format="png"))
    text = "\n\n".join(
        [
            "# Quality against images and CPU seconds, recipe by recipe",
            f"{sentence} One thread; CPU seconds are those of training alone, without measuring or drawing.",
            "![curves](time_to_quality.png)",
            "## Where the runs end",
            table(
                ["recipe", "seed", "images", "CPU s", "metric", "untrained", "at the end", "floor"],
                endings(runs, ends),
            ),
            "The floor is what as many real training images score. The longer runs were trained earlier by "
            "the same recipes, at their own lengths, with the referee and pictures on, which their CPU time "
            "includes; a run shorter than its recipe is its beginning, before the learning rate falls. "
            "Measured is the average of the generator's weights, as the recipe has it: one with a constant "
            "half-life, as dcgan-mnist's of 10,000 images, leaves the untrained weights behind only when it "
            "has seen more than that.",
            "## Images and CPU seconds until so much of the way is left",
            "Of the distance between the untrained generator and the floor; between two measured points by "
            "a straight line in log images. Lowest to highest over the seeds; – where a run did not get "
            "there.",
            table(
                ["recipe", "seeds", *(f"{100 * left:g} % left" for left in LEFT)],
                [reached_cells(name, found) for name, found in runs.items()],
            ),
            "## Recipes that were not run here",
            table(
                ["recipe", "why", "full length"],
                [
                    *([f"`{name}`", "not run to its end and measured yet", "–"] for name in waiting),
                    *not_run(slow),
                    *measured_elsewhere(elsewhere),
                ],
            ),
            "Speeds as the recipes note them; of r3gan-64, -cifar10 and -stacked-mnist from one step of two "
            "images on a busy core, which makes them low.",
            "Protocols. " + " ".join(protocols(runs)),
        ]
    )
    data = {"machine": machine, "runs": runs, "finished": ends, "images_per_cpu_second": slow}
    write_result("time_to_quality", text, data)
    print(text)


def protocols(runs: Curves) -> list[str]:
    """One sentence for each recipe."""
    return [f"`{name}`: {found[0][0]['name']}, {found[0][0]['protocol']}." for name, found in runs.items()]


def endings(runs: Curves, ends: Mapping[str, Point]) -> list[list[str]]:
    """Each run's last point, and the finished runs."""
    rows = []
    for name, found in runs.items():
        start = found[0][0]["value"]
        for seed, points in enumerate(found):
            rows.append([f"`{name}`", str(seed), *ending(points[-1], points[0]["value"])])
        if name in ends:
            rows.append([f"`{name}`, full length", "0", *ending(ends[name], start)])
    return rows


def ending(point: Point, start: float) -> list[str]:
    seconds = f"{point['cpu_seconds']:.0f}" if math.isfinite(point["cpu_seconds"]) else "–"
    numbers = [start, point["value"], point["floor"]]
    return [
        f"{point['examples']:,}",
        seconds,
        point["name"],
        *("–" if n is None else f"{n:.4g}" for n in numbers),
    ]


def reached_cells(name: str, found: Sequence[Sequence[Point]]) -> list[str]:
    """A row of the table of images and seconds."""
    cells = [f"`{name}`", str(len(found))]
    for left in LEFT:
        there = [at for points in found if (at := reached(points, left)) is not None]
        if not there:
            cells.append("–")
            continue
        images, seconds = (sorted(column) for column in zip(*there, strict=True))
        some = "" if len(there) == len(found) else f" ({len(there)} of {len(found)})"
        cells.append(f"{span(images, 1000)}k, {span(seconds, 1)} s{some}")
    return cells


def span(values: Sequence[float], unit: float) -> str:
    """The lowest to the highest, or the one number."""
    low, high = (
        f"{value / unit:.2g}" if value < 10 * unit else f"{value / unit:.0f}"
        for value in (values[0], values[-1])
    )
    return low if low == high else f"{low} to {high}"


def reached(points: Sequence[Point], left: float) -> tuple[float, float] | None:
    """(images, CPU seconds) at which so much of the distance above the floor is left; None if never.

    Args:
        points: of one run, the untrained generator first.
        left: share.
    """
    floor, start = points[0]["floor"] or 0.0, points[0]["value"]
    shares = [(point["value"] - floor) / (start - floor) for point in points]
    for number in range(1, len(points)):
        if shares[number] > left:
            continue
        here, before = points[number], points[number - 1]
        if not before["examples"]:
            return here["examples"], here["cpu_seconds"]
        part = (shares[number - 1] - left) / (shares[number - 1] - shares[number])
        images = before["examples"] ** (1 - part) * here["examples"] ** part
        share = (images - before["examples"]) / (here["examples"] - before["examples"])
        return images, before["cpu_seconds"] + share * (here["cpu_seconds"] - before["cpu_seconds"])
    return None


def not_run(slow: Mapping[str, tuple[float, int]]) -> list[list[str]]:
    """Each with what its full length would take here."""
    rows = []
    for name, (speed, examples) in sorted(slow.items()):
        days = examples / speed / DAY
        length = f"{days:,.0f} days" if days >= 2 else f"{24 * days:.1f} hours"
        length = f"{days / 365:,.0f} years" if days >= 730 else length
        why = f"not run: about {speed:.2g} images a second of one core"
        rows.append([f"`{name}`", why, f"{examples:,} images: {length} of one core"])
    return rows


def measured_elsewhere(elsewhere: Mapping[str, str]) -> list[list[str]]:
    return [[f"`{name}`", f"its own table: [{file}]({file})", "run"] for name, file in elsewhere.items()]


def drawn(runs: Curves, ends: Mapping[str, Point]) -> Figure:
    """A row for each recipe: the metric against images, and against CPU seconds."""
    figure = Figure(figsize=(11, 3.1 * len(runs)), dpi=100, layout="constrained")
    for row, (name, found) in enumerate(runs.items()):
        for column, key in enumerate(("examples", "cpu_seconds")):
            axes = figure.add_subplot(len(runs), 2, 2 * row + column + 1)
            for seed, points in enumerate(found):
                trained = points[1:]
                axes.plot(
                    [point[key] for point in trained],
                    [point["value"] for point in trained],
                    marker="o",
                    markersize=4,
                    color=COLOURS[seed],
                    label=f"seed {seed}",
                )
            labelled(axes, name, found[0][0], key, ends.get(name))
    return figure


def labelled(axes: Axes, name: str, start: Point, key: str, end: Point | None) -> None:
    """The untrained generator, the floor, a finished run's end, scales and words."""
    axes.axhline(start["value"], color="0.6", linestyle=":", label="untrained")
    if start["floor"] is not None and start["floor"] > 0:
        axes.axhline(start["floor"], color="0.3", linestyle="--", label="floor: real training images")
    else:
        axes.plot([], [], color="0.3", linestyle="--", label="floor: 0 within its error, off this scale")
    if end is not None and math.isfinite(end[key]):
        axes.plot([end[key]], [end["value"]], marker="*", markersize=12, color="tab:red", linestyle="none",
                  label="the recipe at full length, seed 0")  # fmt: skip
    axes.set_xscale("log")
    axes.set_yscale("log")
    low, high = axes.get_xlim()
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if high < 100 * low else (1,)))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.set_title(name)
    axes.set_xlabel("training images seen" if key == "examples" else "CPU seconds of training, one thread")
    axes.set_ylabel(f"{start['name']} (lower is better)")
    axes.grid(alpha=0.3, which="both")
    if key == "examples":
        axes.legend(fontsize="small")
