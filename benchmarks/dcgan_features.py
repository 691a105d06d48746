"""What a discriminator has learnt of CIFAR-10: `python benchmarks/dcgan_features.py --run RUN [--dir STATE]`

Radford, Metz and Chintala (2015), section 5.1: every convolution's activations, max-pooled to 4 × 4 and
joined, are classified by a linear L2-SVM.  Theirs is a discriminator trained on ImageNet at 32 × 32 that
never saw CIFAR-10; RUN's saw CIFAR-10's training images themselves, and their labels where the run is
conditional, so the result is a labelled variation, not the published experiment.  Beside it stand the same
classifier on raw pixels and on the same network untrained.  The strength of the regularization is chosen on
the validation images; then the classifier is trained on training and validation images together and scored
once on the test images; and ten times on 400 random images a class.  With --dir, features (1.7 GB a network)
and finished rows are kept there.  Writes results/dcgan_features.{md,json}.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from evenodds.build import build_gan
from evenodds.data.dataset import Split
from evenodds.data.loader import to_range
from evenodds.features.discriminator import discriminator_features
from evenodds.files import replacing, write_text
from evenodds.metrics.linear_probe import accuracy, choose_c, fit_svm
from evenodds.opening import Opened, open_run
from outcome import provenance, table, write_result

GRID = (1e-4, 1e-3, 1e-2, 1e-1)  # C of the SVM, tried on the validation images
TOLERANCE = 1e-2  # how far above its minimum an objective may be, as a share of itself
SEARCHED = 10_000  # training images on which they are tried
FEW = 400  # labels a class
DRAWS = 10
PUBLISHED = (
    ("1-layer K-means (Coates and Ng 2011)", "4,800", "80.6 %", "63.7 ± 0.7 %"),
    ("D of a DCGAN trained on ImageNet (Radford et al. 2015)", "28,672", "82.8 %", "73.8 ± 0.4 %"),
    ("Exemplar CNN (Dosovitskiy et al. 2015)", "1,024", "84.3 %", "77.4 ± 0.2 %"),
)


class Labelled(NamedTuple):
    """Features and labels."""

    x: Tensor  # (N, F)
    y: Tensor  # (N,)


def representations(run: Opened) -> Iterator[tuple[str, Callable[[Tensor], Tensor]]]:
    """Name, and what makes (N, F) of (N, C, H, W) images in the players' range."""
    yield "raw pixels", lambda x: x.flatten(1)
    with torch.random.fork_rng():
        torch.manual_seed(run.config.seed)
        untrained, _ = build_gan(run.config, run.dataset, torch.device("cpu"))
    yield "the same D, untrained", lambda x: discriminator_features(untrained.discriminator, x)
    yield f"D after {run.examples:,} images", lambda x: discriminator_features(run.gan.discriminator, x)


def labelled(split: Split, run: Opened, features: Callable[[Tensor], Tensor], kept: Path | None) -> Labelled:
    """A split's features and labels; the features from the file `kept`, if it is there."""
    assert split.y is not None
    if kept is not None and kept.is_file():
        return Labelled(torch.from_numpy(np.load(kept, allow_pickle=False)), torch.from_numpy(split.y))
    x = features(to_range(torch.from_numpy(split.x), run.dataset.value_range))
    if kept is not None:
        with replacing(kept) as temporary, temporary.open("wb") as file:
            np.save(file, x.numpy(), allow_pickle=False)
    return Labelled(x, torch.from_numpy(split.y))


def few(train: Labelled, draw: int) -> Labelled:
    """400 random examples of each class."""
    random = np.random.default_rng(draw)
    classes = [np.flatnonzero(train.y.numpy() == label) for label in range(int(train.y.max()) + 1)]
    rows = torch.from_numpy(np.concatenate([random.choice(rows, FEW, replace=False) for rows in classes]))
    return Labelled(train.x[rows], train.y[rows])


def scored(name: str, train: Labelled, validation: Labelled, test: Labelled) -> dict[str, Any]:
    """One row of the table; C is chosen on the validation images alone."""
    begun, classes = time.process_time(), int(train.y.max()) + 1
    part = Labelled(train.x[:SEARCHED], train.y[:SEARCHED])
    many = choose_c(part, validation, classes, GRID, tolerance=TOLERANCE)
    small = choose_c(few(train, DRAWS), validation, classes, GRID, tolerance=TOLERANCE)  # a draw of its own
    draws = []
    for draw in range(DRAWS):
        svm = fit_svm(*few(train, draw), classes, c=small.c, tolerance=TOLERANCE)
        draws.append(accuracy(svm, *test))
    joined = Labelled(torch.cat([train.x, validation.x]), torch.cat([train.y, validation.y]))
    svm = fit_svm(*joined, classes, c=many.c, tolerance=TOLERANCE)
    right = accuracy(svm, *test)
    row = {
        "name": name,
        "features": train.x.shape[1],
        "c": many.c,
        "validation": many.accuracies,
        "accuracy": right,
        "standard_error": (right * (1 - right) / len(test.y)) ** 0.5,
        "gap": float(svm.gap.max()),
        "few_c": small.c,
        "few_validation": small.accuracies,
        "few": draws,
        "cpu_seconds": time.process_time() - begun,
    }
    print(f"{name}: {100 * right:.1f} %, {FEW} a class {100 * np.mean(draws):.1f} %", flush=True)
    return row


def cells(row: dict[str, Any]) -> list[str]:
    return [
        row["name"],
        f"{row['features']:,}",
        f"{100 * row['accuracy']:.1f} ± {100 * row['standard_error']:.1f} %",
        f"{100 * np.mean(row['few']):.1f} ± {100 * np.std(row['few'], ddof=1):.1f} %",
    ]


def rows_of(run: Opened, state: Path | None) -> list[dict[str, Any]]:
    """Every representation, scored; what is in `state` is not made again."""
    data, rows = run.dataset, []
    assert data.test is not None
    splits = {"train": data.train, "validation": data.validation, "test": data.test}
    for number, (name, features) in enumerate(representations(run)):
        done = state / f"{number}.json" if state else None
        if done is not None and done.is_file():
            rows.append(json.loads(done.read_text(encoding="utf-8")))
            continue
        kept = {split: state / f"{number}-{split}.npy" if state else None for split in splits}
        parts = [labelled(split, run, features, kept[key]) for key, split in splits.items()]
        rows.append(scored(name, *parts))
        if done is not None:
            write_text(done, json.dumps(rows[-1]) + "\n")
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--run", type=Path, required=True, help="a run on CIFAR-10 with a convolutional D")
    parser.add_argument("--dir", type=Path, help="where to keep features and rows")
    options = parser.parse_args()
    torch.set_num_threads(1)
    if options.dir is not None:
        options.dir.mkdir(parents=True, exist_ok=True)
    run = open_run(options.run)
    page, data = report(run, rows_of(run, options.dir))
    write_result("dcgan_features", page, data)
    print(page)


def report(run: Opened, rows: list[dict[str, Any]]) -> tuple[str, dict[str, Any]]:
    """The page and the data of the result files."""
    sentence, machine = provenance("python benchmarks/dcgan_features.py --run RUN")
    labels = len(run.dataset.train) + len(run.dataset.validation)
    seen = "with their labels" if run.config.conditional else "without labels"
    head = ["features", "number", f"accuracy, {labels:,} labels", f"accuracy, {FEW} labels a class"]
    page = (
        "# Features of a discriminator, CIFAR-10\n\n"
        f"{sentence} RUN is of the recipe `{run.config.recipe}`, seed {run.config.seed}, and had seen "
        f"{run.examples:,} of CIFAR-10's own training images {seen}; the features are taken without a label. "
        "In the published experiment D was trained on ImageNet, without labels, and never saw CIFAR-10: "
        "these rows are a variation.\n\n"
        + table(head, [*map(cells, rows), *PUBLISHED])
        + "\n\nThe last three rows are published numbers; those of the last column and of Exemplar CNN are "
        "quoted from memory of the papers. Linear L2-SVM, one class against the others; C chosen on the "
        f"validation images among {', '.join(f'{c:g}' for c in GRID)}. ± is the standard error over "
        f"the test images, and in the last column the standard deviation over {DRAWS} draws of the labelled "
        f"images. CPU seconds of the classifiers: {sum(row['cpu_seconds'] for row in rows):.0f}."
    )
    config = run.config.model_dump(mode="json")
    config["data"] = {key: value for key, value in config["data"].items() if key != "path"}
    return page, {"machine": machine, "rows": rows, "config": config}


if __name__ == "__main__":
    main()
