"""The page and the two pictures of loss_study.py."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from evenodds.files import write_with
from evenodds.sampling import Sampler
from loss_study_cells import Study
from outcome import RESULTS, table

Row = dict[str, Any]
SHOWN = 6  # samples of a cell, side by side


def page_of(study: Study, lines: Sequence[Row], rows: Sequence[Row], sentence: str) -> str:
    """The whole report in Markdown.

    Args:
        study: which table it is.
        lines: one per cell, as `summary` makes them.
        rows: one per run.
        sentence: how it was made.
    """
    losses, penalties = axes_of(lines)
    grid = {(line["loss"], line["penalty"]): line for line in lines}
    scores, seconds = [], []
    for loss in losses:
        found = [grid.get((loss, penalty), missing(penalty)) for penalty in penalties]
        scores.append([f"`{loss}`", *(line if isinstance(line, str) else score_cell(line) for line in found)])
        costs = [line if isinstance(line, str) else f"{line['seconds']:.0f}" for line in found]
        seconds.append([f"`{loss}`", *costs])
    examples, seeds = rows[0]["examples"], sorted({row["seed"] for row in rows})
    floor = lines[0]["floor"]
    return "\n\n".join(
        [
            f"# Loss × penalty on {study.title}",
            sentence,
            f"Fréchet distance of 10,000 samples and the 10,000 test images in the features of the "
            f"repository's {study.title} classifier (lower is better; **10,000 real training images score "
            f"{floor:.2f}**). {examples:,} examples a run, {of_seeds(seeds)}. {study.players}.",
            table(["loss", *penalties], scores),
            f"![the same as a map]({study.result}.png)",
            "## CPU seconds of a run",
            table(["loss", *penalties], seconds),
            "## Samples of seed 0",
            f"![samples]({study.result}_samples.png)",
            reading(study, lines),
        ]
    )


def axes_of(lines: Sequence[Row]) -> tuple[list[str], list[str]]:
    """Losses and penalties in the order in which they come."""
    losses = list(dict.fromkeys(line["loss"] for line in lines))
    return losses, list(dict.fromkeys(line["penalty"] for line in lines))


def of_seeds(seeds: Sequence[int]) -> str:
    """How many runs a number stands for."""
    if len(seeds) == 1:
        return f"one seed ({seeds[0]}): differences of cells are no better known than one run is"
    return f"mean ± standard deviation over seeds {', '.join(map(str, seeds))}"


def missing(penalty: str) -> str:
    """What stands in a cell without runs: clipping was published for one loss alone."""
    return "–" if penalty == "weight clipping" else "not run"


def score_cell(line: Row) -> str:
    """One score with its spread; a run that ended in NaN is named."""
    text = number(line["value"])
    if line["deviation"] is not None:
        text += f" ± {line['deviation']:.{1 if line['value'] < 100 else 0}f}"
    return f"{text} ({line['failed']} ended in NaN)" if line["failed"] else text


def number(value: float) -> str:
    """Three figures or so."""
    return "∞" if math.isinf(value) else f"{value:.1f}" if value < 100 else f"{value:,.0f}"


def reading(study: Study, lines: Sequence[Row]) -> str:
    """What the table says and what it doesn't, with its extremes."""
    ordered = sorted(lines, key=lambda line: line["value"])
    best, worst = (f"`{line['loss']}` with {line['penalty']}" for line in (ordered[0], ordered[-1]))
    return f"""## How to read it

Best here: {best} ({number(ordered[0]["value"])}); worst: {worst} ({number(ordered[-1]["value"])}). From the
best to the worst loss: {ranges(lines)}.{of_spread(lines)}

Nothing was tuned for any cell: learning rates and betas are those of the recipe `{study.recipe}`,
penalty weights 1 for R1 and R2, 10 for WGAN-GP and the bound 0.01 for clipping as published. Lucic et al.
(2018) found that with an equal search of these numbers for every loss, most losses reach similar scores, and
that the spread over seeds and settings is larger than that between losses. A bad cell here says "not with
these numbers", no more: Wasserstein critics are meant to take several steps to one of G, and clipping was
published with RMSprop at 5e-5. Runs are equal in examples, not in seconds; a penalty costs what the second
table says.

**Not run**: a search per loss; critics with five steps to one."""


def of_spread(lines: Sequence[Row]) -> str:
    """How many cells several seeds don't tell from the best one."""
    best = min(lines, key=lambda line: line["value"])
    if best["deviation"] is None:
        return ""
    near = [
        line
        for line in lines
        if line["value"] - best["value"] <= (line["deviation"] or 0) + best["deviation"]
    ]
    told = "not told apart from it, as they are nearer than the deviations of both together"
    return f"\nOther cells that are {told}: {len(near) - 1}."


def ranges(lines: Sequence[Row]) -> str:
    """How far apart the losses are with each penalty, in words."""
    said = []
    for penalty in axes_of(lines)[1]:
        values = [line["value"] for line in lines if line["penalty"] == penalty]
        if len(values) > 1:
            said.append(f"{number(min(values))} to {number(max(values))} with {penalty}")
    return ", ".join(said) or "one loss alone was run"


def pictures(study: Study, lines: Sequence[Row], runs: Mapping[tuple[str, str], Path]) -> None:
    """results/loss_study*.png, the map, and results/loss_study*_samples.png.

    Args:
        study: which table it is.
        lines: one per cell.
        runs: (loss, penalty) -> folder of the run whose samples are shown.
    """
    import matplotlib

    matplotlib.use("Agg")
    draw_map(study, lines)
    draw_samples_of(study, lines, runs)


def draw_map(study: Study, lines: Sequence[Row]) -> None:
    """Scores as colours on a logarithmic scale: dark is near the data."""
    from matplotlib import pyplot
    from matplotlib.colors import LogNorm

    losses, penalties = axes_of(lines)
    values = np.full((len(losses), len(penalties)), np.nan)
    for line in lines:
        values[losses.index(line["loss"]), penalties.index(line["penalty"])] = line["value"]
    floor = lines[0]["floor"]
    figure, axis = pyplot.subplots(figsize=(8.4, 5), layout="constrained")
    scale = LogNorm(np.nanmin(values), np.nanmax(values))
    image = axis.imshow(values, norm=scale, cmap="viridis", aspect="auto")
    for line in lines:
        i, j = losses.index(line["loss"]), penalties.index(line["penalty"])
        dark = scale(line["value"]) < 0.6
        text = score_cell(line).replace(" (", "\n(")
        axis.text(j, i, text, ha="center", va="center", color="white" if dark else "black", fontsize=9)
    axis.set_xticks(range(len(penalties)), penalties)
    axis.set_yticks(range(len(losses)), [loss.replace("_", " ") for loss in losses])
    axis.set_title(f"Fréchet distance in {study.title} features, lower is better (real images: {floor:.1f})")
    figure.colorbar(image, label="logarithmic scale")
    write_with(RESULTS / f"{study.result}.png", lambda path: figure.savefig(path, format="png", dpi=120))
    pyplot.close(figure)


def draw_samples_of(study: Study, lines: Sequence[Row], runs: Mapping[tuple[str, str], Path]) -> None:
    """The same seeds of every cell, in the order of the map."""
    from matplotlib import pyplot

    losses, penalties = axes_of(lines)
    figure, axes = pyplot.subplots(
        len(losses), len(penalties), figsize=(12, 3.2), squeeze=False, layout="constrained"
    )
    for i, loss in enumerate(losses):
        for j, penalty in enumerate(penalties):
            axis = axes[i][j]
            axis.set(xticks=[], yticks=[])
            axis.set_frame_on(False)
            if i == 0:
                axis.set_title(penalty, fontsize=10)
            if j == 0:
                axis.set_ylabel(loss.replace("_", " "), rotation=0, ha="right", va="center", fontsize=10)
            if (loss, penalty) in runs:
                x = Sampler.load(runs[loss, penalty]).images(range(SHOWN))  # uint8 (N, C, H, W)
                strip = (
                    np.concatenate(list(x), axis=2).transpose(1, 2, 0).squeeze()
                )  # (H, N·W) or (H, N·W, C)
                axis.imshow(strip, cmap="gray", vmin=0, vmax=255)
    path = RESULTS / f"{study.result}_samples.png"
    write_with(path, lambda target: figure.savefig(target, format="png", dpi=130))
    pyplot.close(figure)
