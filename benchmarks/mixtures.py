"""Ring of 8 and grid of 25 Gaussians in PacGAN's protocol: `python benchmarks/mixtures.py --dir STATE`

Lin et al. (2018), section 4.1: 100,000 training points, 2,500 samples; of high quality is a sample within 3
standard deviations of its nearest mode, captured a mode that is nearest to one of those; reverse KL from
their histogram over modes to the uniform one.  Ten runs a row, mean ± standard error.

The three methods share networks, optimizer, batch and number of examples, those of the recipes gan-ring and
gan-grid.  PacGAN2 differs from the plain GAN in packing=2 alone; RpGAN + R1 + R2 is the recipe as it is, and
differs from the plain GAN in loss and penalties.  Every finished run leaves a JSON and its samples in STATE;
started again, the script goes on where it was stopped.
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from evenodds import Config, recipe, training
from evenodds.config import config_from, override
from evenodds.files import write_text, write_with
from evenodds.metrics.modes import mode_coverage
from evenodds.opening import open_run
from evenodds.sampling import sampler_of
from outcome import RESULTS, provenance, table, write_result

SAMPLES = 2_500
DATA = {"ring": "gan-ring", "grid": "gan-grid"}  # data -> recipe
PLAIN = ("loss=non_saturating", "penalties={}")
METHODS = {"GAN": PLAIN, "PacGAN2": (*PLAIN, "packing=2"), "RpGAN+R1+R2": ()}
QUIET = (
    "metrics=[]",
    "metrics_every=never",
    "samples_every=never",
    "report_every=102400",
)  # all of it is measured at the end
# Modes, % of high quality, reverse KL as printed in table 1 of Lin et al. (2018).
PUBLISHED = {
    "ring": {
        "GAN": "6.3 ± 0.5 | 98.2 ± 0.2 | 0.45 ± 0.09",
        "PacGAN2": "7.9 ± 0.1 | 95.6 ± 2.0 | 0.07 ± 0.03",
        "PacGAN4": "7.8 ± 0.1 | 95.9 ± 1.4 | 0.07 ± 0.02",
    },
    "grid": {
        "GAN": "17.3 ± 0.8 | 94.8 ± 0.7 | 0.70 ± 0.07",
        "PacGAN2": "23.8 ± 0.7 | 91.3 ± 0.8 | 0.13 ± 0.04",
        "PacGAN4": "24.8 ± 0.2 | 93.6 ± 0.6 | 0.04 ± 0.01",
    },
}
Row = dict[str, Any]  # one run: data, method, seed, what was measured of both generators, seconds


def config_of(data: str, method: str, seed: int) -> Config:
    """The recipe of that data, with what the method changes in it."""
    values = recipe(DATA[data]).model_dump(mode="json")
    return config_from(override(values, [*METHODS[method], *QUIET, f"seed={seed}"]))


def name_of(data: str, method: str, seed: int) -> str:
    """Of the run's folder."""
    return f"{data}-{method.replace('+', '-')}-{seed}"


def run(data: str, method: str, seed: int, folder: Path) -> Row:
    """One run of the table, from its JSON if it is finished."""
    name = name_of(data, method, seed)
    done = folder / f"{name}.json"
    if done.is_file():
        row: Row = json.loads(done.read_text(encoding="utf-8"))
        return row
    config, began = config_of(data, method, seed), time.process_time()
    for _ in training(config, folder / name):
        pass
    seconds = time.process_time() - began
    opened = open_run(folder / name)
    density = opened.dataset.density
    measured: Row = {"data": data, "method": method, "seed": seed, "examples": opened.examples}
    generators: dict[str, nn.Module] = {"averaged": opened.ema.generator, "last": opened.gan.generator}
    for which, generator in generators.items():
        sampler = sampler_of(generator, config, opened.dataset, examples=opened.examples, metrics={})
        x = sampler(range(SAMPLES))
        measured[which] = mode_coverage(torch.from_numpy(x), density.modes, density.std)._asdict()
        if which == "averaged":
            write_with(folder / f"{name}.npy", lambda path, x=x: save_array(path, x))
    measured |= {"seconds": round(seconds, 1), "config": config.model_dump(mode="json")}
    write_text(done, json.dumps(measured, indent=2) + "\n")
    return measured


def save_array(path: Path, x: np.ndarray[Any, Any]) -> None:
    with path.open("wb") as file:
        np.save(file, x, allow_pickle=False)


def mean_and_error(values: Sequence[float], digits: int) -> str:
    """Mean ± standard error over runs; a run without any high-quality sample has no reverse KL."""
    finite = [value for value in values if math.isfinite(value)]
    if not finite:
        return "none"
    error = statistics.stdev(finite) / math.sqrt(len(finite)) if len(finite) > 1 else math.nan
    missing = f" (of {len(finite)} runs)" if len(finite) < len(values) else ""
    return f"{statistics.mean(finite):.{digits}f} ± {error:.{digits}f}{missing}"


def line_of(method: str, rows: Sequence[Row], which: str) -> list[object]:
    """One line of the table: a method's runs on one kind of data."""
    found = [row[which] for row in rows]
    captured = [one["captured"] for one in found]
    return [
        method if which == "averaged" else f"{method}, last weights",
        mean_and_error(captured, 1),
        f"{sum(one['captured'] == one['total'] for one in found)} of {len(found)}",
        min(captured),
        mean_and_error([100 * one["high_quality"] for one in found], 1),
        mean_and_error([one["reverse_kl"] for one in found], 3),
        f"{statistics.mean(row['seconds'] for row in rows):.0f}",
    ]


def text_of(rows: Sequence[Row], sentence: str) -> str:
    """The whole report in Markdown."""
    head = [
        "method",
        "modes",
        "runs with all",
        "fewest",
        "high quality, %",
        "reverse KL, nats",
        "CPU s a run",
    ]
    parts = ["# Ring and grid in PacGAN's protocol", sentence]
    for data, name in DATA.items():
        here = [row for row in rows if row["data"] == data]
        first = here[0]["averaged"]
        parts += [
            f"## {data.capitalize()}: {first['total']} modes",
            f"Recipe `{name}` and its variants, {here[0]['examples']:,} examples, seeds "
            f"{', '.join(str(seed) for seed in sorted({row['seed'] for row in here}))}; "
            f"a perfect sampler has {100 * first['perfect']:.2f} % of high quality.",
        ]
        lines = []
        for which in ("averaged", "last"):
            for method in METHODS:
                runs = [row for row in here if row["method"] == method]
                lines += [line_of(method, runs, which)] if runs else []
        parts.append(table(head, lines))
        published = [[name, *row.split(" | ")] for name, row in PUBLISHED[data].items()]
        parts.append(
            "Published (Lin et al. 2018, table 1; four layers of 400 units with batch norm against maxout, "
            "400,000 updates of 100 examples: 20 times the examples of these runs):"
        )
        parts.append(table(["method", "modes", "high quality, %", "reverse KL, nats"], published))
    parts.append(NOTES)
    return "\n\n".join(parts)


NOTES = """## How to read it

Numbers of the first three lines are of the averaged generator (`ema_half_life` of the recipe), which is what
`evenodds sample` draws from; the next three of the same runs' last weights. The plain GAN and PacGAN2 are
*not* the published ones: they have the recipe's networks (three layers of 128), Adam and number of examples,
so that one line differs from another in the method alone. Settings of the recipes were chosen for
RpGAN + R1 + R2 on seeds from 100, never on those reported; nothing was tuned for the other two.

"Modes" is the protocol's lenient count: one sample of high quality among 2,500 captures a mode, be it on a
bridge between two others. The reverse KL says how evenly modes are served: log 25/17 = 0.39 if 17 of 25 were
served alike and the others not at all. Look at the picture beside both.

![samples of seed 0](mixtures.png)"""


def draw(folder: Path, rows: Sequence[Row]) -> None:
    """results/mixtures.png: the samples of the lowest seed of each method, on both data sets."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(2, 3, figsize=(12, 8.2), layout="constrained")
    for line, data in zip(axes, DATA, strict=True):
        for axis, method in zip(line, METHODS, strict=True):
            runs = [row for row in rows if row["data"] == data and row["method"] == method]
            row = min(runs, key=lambda one: one["seed"])
            x = np.load(folder / f"{name_of(data, method, row['seed'])}.npy", allow_pickle=False)
            reach = 1.4 if data == "ring" else 5.2
            axis.scatter(x[:, 0], x[:, 1], s=2, color="#d9480f", alpha=0.5, linewidths=0)
            axis.set(xlim=(-reach, reach), ylim=(-reach, reach), aspect="equal")
            found = row["averaged"]
            axis.set_title(
                f"{method}, seed {row['seed']}\n{found['captured']} modes, "
                f"{100 * found['high_quality']:.0f} % high quality, reverse KL {found['reverse_kl']:.2f}",
                fontsize=9,
            )
    write_with(RESULTS / "mixtures.png", lambda path: figure.savefig(path, format="png", dpi=110))
    pyplot.close(figure)


def order(data: Sequence[str], seeds: int) -> list[tuple[str, str, int]]:
    """All runs: our own first, then seed by seed, so that a study cut short is balanced."""
    ours = [(name, "RpGAN+R1+R2", seed) for seed in range(seeds) for name in data]
    others = [m for m in METHODS if m != "RpGAN+R1+R2"]
    return ours + [(name, method, seed) for seed in range(seeds) for name in data for method in others]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--dir", type=Path, required=True, help="where runs and their results are kept")
    parser.add_argument("--seeds", type=int, default=10, help="how many seeds, from 0")
    parser.add_argument("--only", choices=DATA, help="play the runs of one of both and write no report")
    options = parser.parse_args()
    torch.set_num_threads(1)
    options.dir.mkdir(parents=True, exist_ok=True)
    rows = []
    for data, method, seed in order([options.only] if options.only else list(DATA), options.seeds):
        rows.append(run(data, method, seed, options.dir))
        found = rows[-1]["averaged"]
        print(
            f"{data} {method} seed {seed}: {found['captured']}/{found['total']}, "
            f"{100 * found['high_quality']:.1f} % high quality, {rows[-1]['seconds']:.0f} s",
            flush=True,
        )
    if options.only:
        return
    sentence, machine = provenance("python benchmarks/mixtures.py --dir STATE")
    text = text_of(rows, sentence)
    write_result("mixtures", text, {"machine": machine, "runs": rows})
    draw(options.dir, rows)
    print(text)


if __name__ == "__main__":
    main()
