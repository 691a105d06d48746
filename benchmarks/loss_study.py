"""Every loss with every penalty on MNIST: `python benchmarks/loss_study.py --dir STATE --seeds 2`

One small pair of MLPs, one optimizer and one number of examples for all of them, so that a cell differs from
its neighbours in loss and penalty alone; CPU seconds are reported.  Nothing is tuned for any cell: Lucic et
al. (2018), "Are GANs Created Equal?", found that with a search per loss the differences between losses all
but vanish, so the table says how the losses do *as they are published*, on these networks.

Scored by the Fréchet distance of 10,000 samples and the test images in the features of the repository's MNIST
classifier (no FID: that name is Inception's).  Every run is kept in STATE and gone on with when the script is
started again.
"""

from __future__ import annotations

import argparse
import json
import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from evenodds import Config
from evenodds.build import build
from evenodds.config import config_from
from evenodds.data.dataset import Dataset
from evenodds.data.sources import DATASETS
from evenodds.evaluation import evaluate
from evenodds.files import write_text
from evenodds.losses import LOSSES
from evenodds.sampling import Sampler
from loss_study_report import page_of, pictures
from outcome import provenance, write_result
from trained import finished, trained

EXAMPLES = 48_000
METRIC = "frechet10k"
PENALTIES: dict[str, dict[str, dict[str, float]]] = {
    "none": {},
    "R1": {"r1": {"weight": 1.0}},
    "R1 + R2": {"r1": {"weight": 1.0}, "r2": {"weight": 1.0}},
    "WGAN-GP": {"wgan_gp": {"weight": 10.0}},
    "weight clipping": {"weight_clip": {"bound": 0.01}},
}
CLIPPED = "wasserstein"  # the one loss that clipping was published for
ADAM = {"name": "adam", "learning_rate": 5e-4, "beta1": 0.0, "beta2": 0.99}  # of the recipe gan-mnist
Row = dict[str, Any]  # one run: loss, penalty, seed, seconds, what was measured


def cells() -> list[tuple[str, str]]:
    """(loss, penalty) of all cells, line by line."""
    return [
        (loss, penalty)
        for loss in LOSSES
        for penalty in PENALTIES
        if penalty != "weight clipping" or loss == CLIPPED
    ]


def config_of(loss: str, penalty: str, seed: int, examples: int = EXAMPLES) -> Config:
    """One cell: loss, penalties and seed are all that differs from the others."""
    return config_from(
        {
            "recipe": "loss-study",
            "data": {"name": "mnist", "value_range": [-1, 1]},
            "generator": {
                "network": {"name": "mlp", "widths": [256, 256], "output": "tanh"},
                "optimizer": ADAM,
            },
            "discriminator": {"network": {"name": "mlp", "widths": [256, 256]}, "optimizer": ADAM},
            "prior": {"name": "normal", "dim": 64},
            "loss": loss,
            "penalties": PENALTIES[penalty],
            "batch_size": 32,
            "ema_half_life": 3_000,
            "examples": examples,
            "seed": seed,
            "device": "cpu",
            "threads": 1,
            "referee": False,
            "report_every": 16_000,
            "samples_every": "never",
            "checkpoint_every": 16_000,
        }
    )


def name_of(loss: str, penalty: str, seed: int) -> str:
    """Of the run's folder."""
    return f"{loss}-{penalty.lower().replace(' ', '')}-{seed}"


def played(loss: str, penalty: str, seed: int, examples: int, folder: Path, dataset: Dataset) -> Row:
    """One run, trained as far as it wasn't yet."""
    cost = trained(config_of(loss, penalty, seed, examples), folder / name_of(loss, penalty, seed), dataset)
    return {"loss": loss, "penalty": penalty, "seed": seed, "examples": examples, **cost._asdict()}


def measured(row: Row, folder: Path, dataset: Dataset) -> Row:
    """The row with its score, which is kept beside the run."""
    name = name_of(row["loss"], row["penalty"], row["seed"])
    done = folder / f"{name}.{METRIC}.json"
    if not done.is_file():
        sampler = Sampler.load(folder / name)
        (result,) = evaluate(sampler, dataset, [METRIC], split="test")
        write_text(done, json.dumps(result.record() | {"examples": sampler.facts["examples"]}) + "\n")
    found = json.loads(done.read_text(encoding="utf-8"))
    keys = ("value", "standard_error", "interval", "floor", "protocol", "setting")
    return row | {"reached": found["examples"]} | {key: found[key] for key in keys}


def spread(values: Sequence[float]) -> float | None:
    """Standard deviation over seeds; None of a single one."""
    return statistics.stdev(values) if len(values) > 1 else None


def summary(rows: Sequence[Row]) -> list[Row]:
    """One line per cell: mean and standard deviation over its seeds."""
    lines = []
    for loss, penalty in cells():
        runs = [row for row in rows if (row["loss"], row["penalty"]) == (loss, penalty)]
        if not runs:
            continue
        values = [row["value"] for row in runs]
        line = {"loss": loss, "penalty": penalty, "seeds": [row["seed"] for row in runs]}
        line |= {"value": statistics.mean(values), "deviation": spread(values), "floor": runs[0]["floor"]}
        line |= {"interval": runs[0]["interval"], "seconds": statistics.mean(r["seconds"] for r in runs)}
        lines.append(line | {"failed": sum(row["failure"] is not None for row in runs)})
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--dir", type=Path, required=True, help="where runs and their results are kept")
    parser.add_argument("--seeds", type=int, default=1, help="how many seeds, from 0")
    parser.add_argument("--losses", nargs="*", choices=LOSSES, default=list(LOSSES), help="all, if not given")
    parser.add_argument("--examples", type=int, default=EXAMPLES, help="of every run")
    parser.add_argument("--finished", action="store_true", help="report what is finished, train nothing")
    parser.add_argument("--train-only", action="store_true", help="train, measure nothing, write no report")
    options = parser.parse_args()
    torch.set_num_threads(1)
    dataset = build("data set", DATASETS, config_of("hinge", "none", 0).data)
    rows = []
    for seed in range(options.seeds):  # seed by seed, so that a study cut short is balanced
        for loss, penalty in [cell for cell in cells() if cell[0] in options.losses]:
            config = config_of(loss, penalty, seed, options.examples)
            if options.finished and not finished(config, options.dir / name_of(loss, penalty, seed)):
                continue
            row = played(loss, penalty, seed, options.examples, options.dir, dataset)
            rows.append(row if options.train_only else measured(row, options.dir, dataset))
            print({key: value for key, value in rows[-1].items() if key != "setting"}, flush=True)
    if options.train_only:
        return
    sentence, machine = provenance(f"python benchmarks/loss_study.py --dir STATE --seeds {options.seeds}")
    lines = summary(rows)
    shown = [(line["loss"], line["penalty"]) for line in lines]
    pictures(lines, {cell: options.dir / name_of(*cell, 0) for cell in shown})
    text = page_of(lines, rows, sentence)
    config = config_of("hinge", "none", 0, options.examples).model_dump(mode="json")
    write_result("loss_study", text, {"machine": machine, "config": config, "cells": lines, "runs": rows})
    print(text)


if __name__ == "__main__":
    main()
