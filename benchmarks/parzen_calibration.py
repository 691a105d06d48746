"""What real images score under the Parzen window of 2014: `python benchmarks/parzen_calibration.py`

No model is involved: the "samples" are real training images, or their mean.  A generator's number on MNIST
means little without these beside it.  Needs MNIST in $EVENODDS_DATA or the cache, and writes
results/parzen_calibration.json and results/parzen_calibration.md.
"""

from __future__ import annotations

import json
import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from evenodds.data.named import load_named
from evenodds.files import write_text
from evenodds.metrics.parzen import describe, parzen
from evenodds.run import environment

RESULTS = Path(__file__).resolve().parent / "results"
SAMPLES = 10_000
VALIDATION = 1_000
Images = NDArray[np.float32]  # (N, 784) in [0, 1]


def images() -> tuple[Images, Images, Images]:
    """The 50,000 training images, the first 1,000 of the next 10,000, and the 10,000 test images."""
    data = load_named("mnist", folder=None, value_range=None)
    train, validation, test = (
        data.split(name).x.reshape(-1, 784) / np.float32(255) for name in ("train", "validation", "test")
    )
    return train, validation[:VALIDATION], test


def generators(train: Images) -> dict[str, Images]:
    """What is scored, by name."""
    rows = {"the mean of the training images": train.mean(0, keepdims=True, dtype=np.float64)}
    for seed in (0, 1):
        chosen = np.random.default_rng(seed).permutation(len(train))[:SAMPLES]
        rows[f"{SAMPLES:,} real training images, seed {seed}"] = train[chosen]
    return rows


def main() -> None:
    train, validation, test = images()
    rows = []
    for name, samples in generators(train).items():
        started = time.perf_counter()
        result = parzen(samples, validation, test)
        rows.append(
            {"samples_are": name, **result._asdict(), "seconds": round(time.perf_counter() - started, 2)}
        )
    lines = [
        "| samples | σ | test log-likelihood, nats | validation | seconds |",
        "|---|---|---|---|---|",
    ]
    for row in rows:
        lines.append(
            f"| {row['samples_are']} | {row['sigma']:.4f} | {row['mean']:.2f} ± {row['standard_error']:.2f} "
            f"| {row['validation_mean']:.2f} | {row['seconds']:.1f} |"
        )
    table = "\n".join(lines)
    print(table)
    machine = environment("cpu")
    text = (
        "# Parzen-window log-likelihood of real MNIST images\n\n"
        f"Made by `python benchmarks/parzen_calibration.py` on {machine['started'][:10]}: evenodds "
        f"{machine['evenodds']}, torch {machine['torch']}, numpy {np.__version__}, "
        f"Python {machine['python']}, {machine['processor']}, threads: {machine['threads']}.\n"
        f"σ from {VALIDATION:,} validation images, scored on {len(test):,} test images, ± standard error.\n\n"
        f"{table}\n\n{describe()}\n"
    )
    write_text(RESULTS / "parzen_calibration.md", text)
    content = {"machine": machine | {"numpy": np.__version__}, "results": rows}
    write_text(RESULTS / "parzen_calibration.json", json.dumps(content, indent=2) + "\n")


if __name__ == "__main__":
    main()
