"""Every loss with every penalty: `python benchmarks/loss_study.py --data mnist --dir STATE --seeds 3`

One small pair of networks, one optimizer and one number of examples for all of them, so that a cell differs
from its neighbours in loss and penalty alone; CPU seconds are reported.  Nothing is tuned for any cell: Lucic
et al. (2018), "Are GANs Created Equal?", found that with a search per loss the differences between losses all
but vanish, so the table says how the losses do *as they are published*, on these networks.

Scored by the Fréchet distance of 10,000 samples and the test images in the features of the repository's
classifier of these images (no FID: that name is Inception's).  Every run is kept in STATE and gone on with
when the script is started again.
"""

from __future__ import annotations

import argparse
import json
import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from evenodds.build import build
from evenodds.data.dataset import Dataset
from evenodds.data.sources import DATASETS
from evenodds.evaluation import evaluate
from evenodds.files import write_text
from evenodds.losses import LOSSES
from evenodds.sampling import Sampler
from loss_study_cells import STUDIES, Study, cells, config_of
from loss_study_report import page_of, pictures
from outcome import provenance, write_result
from trained import finished, trained

METRIC = "frechet10k"
Row = dict[str, Any]  # one run: loss, penalty, seed, seconds, what was measured


def name_of(loss: str, penalty: str, seed: int) -> str:
    """Of the run's folder."""
    return f"{loss}-{penalty.lower().replace(' ', '')}-{seed}"


def played(study: Study, loss: str, penalty: str, seed: int, folder: Path, dataset: Dataset) -> Row:
    """One run, trained as far as it wasn't yet."""
    cost = trained(config_of(study, loss, penalty, seed), folder / name_of(loss, penalty, seed), dataset)
    return {"loss": loss, "penalty": penalty, "seed": seed, "examples": study.examples, **cost._asdict()}


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
    parser.add_argument("--data", choices=STUDIES, default="mnist", help="which images; its own --dir each")
    parser.add_argument("--seeds", type=int, default=1, help="how many seeds, from 0")
    parser.add_argument("--losses", nargs="*", choices=LOSSES, default=list(LOSSES), help="all, if not given")
    parser.add_argument("--finished", action="store_true", help="report what is finished, train nothing")
    parser.add_argument("--train-only", action="store_true", help="train, measure nothing, write no report")
    options = parser.parse_args()
    torch.set_num_threads(1)
    study = STUDIES[options.data]
    dataset = build("data set", DATASETS, config_of(study, "hinge", "none", 0).data)
    rows = []
    for seed in range(options.seeds):  # seed by seed, so that a study cut short is balanced
        for loss, penalty in [cell for cell in cells() if cell[0] in options.losses]:
            config = config_of(study, loss, penalty, seed)
            if options.finished and not finished(config, options.dir / name_of(loss, penalty, seed)):
                continue
            row = played(study, loss, penalty, seed, options.dir, dataset)
            rows.append(row if options.train_only else measured(row, options.dir, dataset))
            print({key: value for key, value in rows[-1].items() if key != "setting"}, flush=True)
    if not options.train_only:
        report(study, rows, options.dir, options.seeds)


def report(study: Study, rows: Sequence[Row], folder: Path, seeds: int) -> None:
    """The page, its pictures and the numbers as JSON."""
    command = f"python benchmarks/loss_study.py --data {study.data} --dir STATE --seeds {seeds}"
    sentence, machine = provenance(command)
    lines = summary(rows)
    pictures(study, lines, {(line["loss"], line["penalty"]): folder_of(line, folder) for line in lines})
    text = page_of(study, lines, rows, sentence)
    config = config_of(study, "hinge", "none", 0).model_dump(mode="json")
    write_result(study.result, text, {"machine": machine, "config": config, "cells": lines, "runs": rows})
    print(text)


def folder_of(line: Row, folder: Path) -> Path:
    """Of the run of a cell whose samples are shown: its first seed's."""
    return folder / name_of(line["loss"], line["penalty"], line["seeds"][0])


if __name__ == "__main__":
    main()
