"""What the shipped extractors see: `python benchmarks/extractors.py`

Fréchet and kernel distances between test images and as many training images, as they are (the floor: no
generator can be expected to do better) and made worse in known ways.
Needs MNIST and CIFAR-10 in $EVENODDS_DATA, and writes results/extractors.json and .md.
"""

from __future__ import annotations

import argparse
import json
import time
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from evenodds.data.dataset import Dataset
from evenodds.data.sources import DATASETS
from evenodds.features import FeatureExtractor, identity, open_extractor
from evenodds.metrics.frechet import frechet_distance
from evenodds.metrics.kernel import kernel_distance
from evenodds.metrics.moments import Moments
from outcome import RESULTS, provenance, table, write_result

# data, extractor, images on either side
PAIRS = (("mnist", "mnist", 10_000), ("cifar10", "random", 2_000), ("cifar10", "cifar10", 2_000))

EXPLAINED = (
    "Distances of the first test images to as many training images: drawn with seed 0, the same ones in all "
    "rows but those of fewer classes.  Kernel distances are means over 20 subsets of 1,000, ± their standard "
    "error; one draw each.  The classifiers were trained on these training images: a part of their floor."
)


def worse(x: Tensor, y: Tensor) -> dict[str, Tensor]:
    """Training images as they are, and made worse, by what was done to them."""
    return {
        "as they are (the floor)": x,
        "noise of σ = 5": noisy(x, 5),
        "noise of σ = 20": noisy(x, 20),
        "blur of σ = 0.7 pixels": blurred(x, 0.7),
        "blur of σ = 1.5 pixels": blurred(x, 1.5),
        "only 9 of 10 classes": x[y != 9],
        "only 5 of 10 classes": x[y < 5],
    }


def noisy(x: Tensor, sigma: float) -> Tensor:
    """White noise of that standard deviation in 0..255, the same for every call."""
    noise = torch.randn(x.shape, generator=torch.Generator().manual_seed(0))
    return (x + sigma * noise).round().clamp(0, 255).byte()


def blurred(x: Tensor, sigma: float) -> Tensor:
    """A Gaussian of that standard deviation in pixels, cut off at 5 of them."""
    place = torch.arange(-5, 6).float()
    kernel = torch.exp(-(place**2) / (2 * sigma**2))
    kernel = (kernel / kernel.sum()).view(1, 1, 1, -1)
    single = functional.pad(x.float().flatten(0, 1)[:, None], (5,) * 4, mode="replicate")
    soft = functional.conv2d(functional.conv2d(single, kernel), kernel.transpose(2, 3))
    return soft.view(x.shape).round().byte()


def earlier(data_name: str, wanted: dict[str, Any], count: int) -> list[dict[str, Any]]:
    """Rows that an interrupted run, or one of fewer pairs, measured with the same weights and n."""
    path = RESULTS / "extractors.json"
    rows = json.loads(path.read_text(encoding="utf-8"))["rows"] if path.is_file() else []
    rows = [row for row in rows if row["data"] == data_name and row["extractor"] == wanted]
    return rows if rows and rows[0]["n"] == count else []


def measured(data_name: str, data: Dataset, extractor: FeatureExtractor, count: int) -> list[dict[str, Any]]:
    """A row for everything in `worse`, each of `count` images, or a few less where classes are left out."""
    assert data.test is not None
    chosen = np.sort(np.random.default_rng(0).permutation(len(data.train))[: 2 * count])
    assert data.train.y is not None
    x, y = torch.from_numpy(data.train.x[chosen]), torch.from_numpy(data.train.y[chosen])
    real = extractor(torch.from_numpy(np.array(data.test.x[:count]))).features
    rows = []
    for what, images in worse(x, y).items():
        shuffled = torch.randperm(len(images), generator=torch.Generator().manual_seed(0))[:count]
        started = time.process_time()
        fake = extractor(images[shuffled]).features
        seconds = time.process_time() - started
        kernel = kernel_distance(real, fake, subsets=20, generator=torch.Generator().manual_seed(0))
        rows.append(
            {
                "data": data_name,
                "extractor": identity(extractor),
                "images": what,
                "n": len(fake),
                "frechet": frechet_distance(Moments.of(real), Moments.of(fake)),
                "kernel": kernel.value,
                "kernel_standard_error": kernel.standard_error,
                "milliseconds": 1000 * seconds / len(fake),
            }
        )
        print(what, *(f"{key} {rows[-1][key]:.5g}" for key in ("n", "frechet", "kernel")), flush=True)
    return rows


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--pairs", type=int, default=len(PAIRS), help="only the first of them")
    parser.add_argument("--dry", action="store_true", help="print, write nothing")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    rows = []
    for data_name, extractor_name, count in PAIRS[: arguments.pairs]:
        data = DATASETS[data_name]()
        extractor = open_extractor(extractor_name, dataset=data)
        found = earlier(data_name, identity(extractor), count)
        rows += found or measured(data_name, data, extractor, count)
    if arguments.dry:
        return
    text, machine = provenance("python benchmarks/extractors.py")
    parts = ["# What the shipped extractors see", text, EXPLAINED]
    for data_name, extractor_name, count in PAIRS[: arguments.pairs]:
        found = [r for r in rows if (r["data"], r["extractor"]["name"]) == (data_name, extractor_name)]
        title = f"## {data_name} in features of `{extractor_name}`, {count:,} images on either side"
        parts += [title, table(_head(), _cells(found))]
    write_result("extractors", "\n\n".join(parts), {"machine": machine, "rows": rows})


def _head() -> list[str]:
    return ["training images", "n", "Fréchet distance", "kernel distance", "ms an image"]


def _cells(rows: list[dict[str, Any]]) -> list[list[str]]:
    return [
        [
            row["images"],
            f"{row['n']:,}",
            f"{row['frechet']:.4g}",
            f"{row['kernel']:.3g} ± {row['kernel_standard_error']:.2g}",
            f"{row['milliseconds']:.1f}",
        ]
        for row in rows
    ]


if __name__ == "__main__":
    main()
