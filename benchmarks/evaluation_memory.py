"""How much memory an evaluation of 50,000 samples of a 32 × 32 generator takes.

`python benchmarks/evaluation_memory.py` measures an untrained DCGAN generator on as much data as CIFAR-10 has
(noise: what it shows changes no size) by `frechet50k`, `kernel50k` and `coverage`, each with what real
examples score in the samples' place, and writes results/evaluation_memory.json and .md.  Features of real
examples are not in the cache before.  Resident memory is the process's own, Python and PyTorch included.
"""

from __future__ import annotations

import argparse
import os
import resource
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch

from evenodds.components import build_generator, build_prior
from evenodds.data.dataset import Dataset, Split
from evenodds.evaluation import Subject, measure
from evenodds.sampling import Sampler
from outcome import provenance, table, write_result

SHAPE = (3, 32, 32)
SIZES = {"train": 50_000, "validation": 5_000, "test": 10_000}
METRICS = ("frechet50k", "kernel50k", "coverage")
ALLOWED_MB = 2_000


def noise() -> Dataset:
    """Images without content, as many as CIFAR-10 has."""
    random = np.random.default_rng(0)
    splits = {name: Split(random.integers(0, 256, (size, *SHAPE), np.uint8)) for name, size in SIZES.items()}
    return Dataset("noise", splits["train"], splits["validation"], splits["test"])


def untrained(width: int) -> Sampler:
    """DCGAN's generator as it is before training."""
    torch.manual_seed(0)
    prior = build_prior({"name": "uniform", "dim": 100})
    network = {"name": "dcgan", "width": width}
    generator = build_generator(network, latent_dim=prior.dim, sample_shape=SHAPE, classes=0)
    return Sampler(generator, prior, SHAPE, (-1.0, 1.0))


def peak_mb() -> float:
    """The most memory that this process has ever had, MB."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 1e6 if sys.platform == "darwin" else peak * 1024 / 1e6


def measured(extractor: str, width: int) -> list[dict[str, Any]]:
    """One row for each metric, in the order in which the command line would take them."""
    rows: list[dict[str, Any]] = [{"after": "imports", "peak MB": peak_mb(), "CPU s": time.process_time()}]
    dataset = noise()
    subject = Subject(untrained(width), dataset, extractor=extractor)
    rows.append({"after": "the data", "peak MB": peak_mb(), "CPU s": time.process_time()})
    for name in METRICS:
        (result,) = measure(subject, [name])
        value = result.floor if result.floor is not None else result.ceiling
        rows.append(
            {
                "after": result.name,
                "peak MB": peak_mb(),
                "CPU s": time.process_time(),
                "value": result.value,
                "real examples": value,
                "protocol": result.protocol,
            }
        )
        print(rows[-1], flush=True)
    return rows


def main() -> int:
    """The exit status: 1 where it took more than is allowed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--extractor", default="random")
    parser.add_argument("--width", type=int, default=32)
    options = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        os.environ["EVENODDS_CACHE"] = folder
        rows = measured(options.extractor, options.width)
        kept = sum(path.stat().st_size for path in Path(folder).rglob("*") if path.is_file()) / 1e6
    sentence, machine = provenance("python benchmarks/evaluation_memory.py")
    peak = rows[-1]["peak MB"]
    listed = [[row["after"], f"{row['peak MB']:,.0f}", f"{row['CPU s']:.0f}"] for row in rows]
    text = f"""# Memory of a 50,000-sample evaluation

{sentence}

An untrained DCGAN generator (width {options.width}) of 32 × 32 colour images on noise of CIFAR-10's size
({SIZES["train"]:,} training and {SIZES["test"]:,} test images), features of `{options.extractor}`, every
metric with its floor or ceiling, nothing in the cache before: at most **{peak:,.0f} MB** resident, of
{ALLOWED_MB:,} allowed; {kept:,.0f} MB of features of real examples are left in the cache.

{table(["after", "most resident memory until then, MB", "CPU time until then, s"], listed)}

The protocols: {"; ".join(row["protocol"] for row in rows if "protocol" in row)}.
"""
    write_result("evaluation_memory", text, {"machine": machine, "rows": rows, "cache MB": kept})
    print(text)
    return 0 if peak < ALLOWED_MB else 1


if __name__ == "__main__":
    sys.exit(main())
