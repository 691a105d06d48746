"""Generated digits as a training set: `python benchmarks/digits_1nn.py RUN`

The protocol of Radford et al. (2015), appendix: 50,000 samples of a class-conditional generator,
labels drawn evenly, are the training set of a 1-nearest-neighbour classifier (Euclid, pixels), which is
scored on the 10,000 real test images.  RUN is a run of `evenodds train dcgan-mnist`; without it, only real
images are scored.  Needs MNIST in $EVENODDS_DATA, and writes results/digits_1nn.json and .md.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from evenodds.data.named import load_named
from evenodds.metrics.neighbours import nearest_neighbour_error
from evenodds.sampling import Sampler, as_uint8
from outcome import provenance, table, write_result

SAMPLES = 50_000
FIRST_SEED = 1_000_000  # far from the seeds that people look at
PUBLISHED = 0.0298


def generated(source: Path, seed: int) -> tuple[Tensor, Tensor]:
    """50,000 images in [0, 255] as files would hold them, and their labels."""
    sampler = Sampler.load(source)
    labels = np.random.default_rng(seed).integers(0, len(sampler.class_names), SAMPLES)
    first = FIRST_SEED + seed * SAMPLES
    x = sampler(range(first, first + SAMPLES), [int(label) for label in labels])
    assert sampler.value_range is not None
    return torch.from_numpy(as_uint8(x, sampler.value_range)), torch.from_numpy(labels)


def row(what: str, x: Tensor, y: Tensor, test: tuple[Tensor, Tensor]) -> dict[str, Any]:
    error = nearest_neighbour_error(x, y, *test)
    # the standard error over test images; a training set of other samples moves it less
    return {
        "training_set": what,
        "error": error,
        "standard_error": (error * (1 - error) / len(test[0])) ** 0.5,
    }


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("run", nargs="*", type=Path, help="runs or generator files")
    parser.add_argument("--dry", action="store_true", help="print, write nothing")
    arguments = parser.parse_args()
    data = load_named("mnist", folder=None, value_range=None)
    assert data.test is not None
    test = (torch.from_numpy(data.test.x), torch.from_numpy(data.test.y))
    rows = []
    if not arguments.dry:
        real = torch.from_numpy(data.train.x), torch.from_numpy(data.train.y)
        rows.append(row("50,000 real images", *real, test))
    for run in arguments.run:
        for seed in (0,) if arguments.dry else (0, 1):
            rows.append(row(f"50,000 samples of {run.name}, draw {seed}", *generated(run, seed), test))
            print(rows[-1], flush=True)
    if arguments.dry:
        return
    text, machine = provenance("python benchmarks/digits_1nn.py RUN")
    cells = [(r["training_set"], f"{r['error']:.2%} ± {r['standard_error']:.2%}") for r in rows]
    cells.append(("50,000 samples of DCGAN, as published", f"{PUBLISHED:.2%}"))
    write_result(
        "digits_1nn",
        f"# 1-nearest-neighbour error on MNIST's test images\n\n{text}\n\n"
        + table(["training set", "error"], cells),
        {"machine": machine, "rows": rows, "published": PUBLISHED, "runs": _recipes(arguments.run)},
    )


def _recipes(runs: list[Path]) -> list[dict[str, Any]]:
    """What each run was, by its own record."""
    found = []
    for run in runs:
        facts = Sampler.load(run).facts
        found.append({"run": run.name, "recipe": facts["recipe"], "examples": facts["examples"]})
    return json.loads(json.dumps(found))


if __name__ == "__main__":
    main()
