"""Building a classifier's weights: data, training that may be interrupted, test accuracy, one file."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import safetensors
import safetensors.torch
import torch
from torch import Tensor

from .. import __version__
from ..data.dataset import Dataset
from ..data.named import cache_folder
from ..data.sources import DATASETS
from ..download import make_folder
from ..errors import ConfigError, DataError, suggest
from ..files import replacing, write_with
from .classifier_training import RECIPES, Progress, Recipe, Training, folded
from .classifiers import SHAPES, Classifier
from .classifying import classifier_of, save_classifier

Report = Callable[[Progress], None]


class Built(NamedTuple):
    """What `build_classifier` made.

    Args:
        path: of the file.
        sha256: of its content.
        facts: that it holds, see `classifying.facts_of`.
    """

    path: Path
    sha256: str
    facts: dict[str, Any]


def build_classifier(
    name: str,
    *,
    data: Dataset | None = None,
    path: Path | None = None,
    report: Report,
    recipe: Recipe | None = None,
) -> Built:
    """Train a classifier on the training and validation images, and measure it on the test images, once.

    An interruption loses the epoch that it falls into; the same call goes on with it.

    Args:
        name: of the classifier, a key of SHAPES.
        data: left out, the data set of that name.
        path: of the file to write; left out, in the folder `extractors` of the cache.
        report: called after every update.
        recipe: left out, that of RECIPES.

    Raises:
        ConfigError: an unknown name, or data of another shape or without the classes.
        DataError: the data is not there; the folder can't be made.
        RunError: the disk is full.
    """
    if name not in SHAPES:
        raise ConfigError(f"there is no classifier {name!r} to build{suggest(name, SHAPES)}")
    dataset, chosen = data or DATASETS[name](), recipe or RECIPES[name]
    x, y = _training_examples(name, dataset)
    path = path or cache_folder() / "extractors" / f"{name}-built.safetensors"
    make_folder(path.parent)
    kept, key = path.with_suffix(".training"), _key(name, chosen, dataset)
    training = Training(name, x, y, chosen)
    seconds = _run(training, kept, key, report)
    facts = _facts(name, chosen, dataset, len(x)) | {"seconds": round(seconds)}
    built = finish(folded(training.network, SHAPES[name]), dataset, facts, path)
    kept.unlink(missing_ok=True)
    return built


def _run(training: Training, kept: Path, key: str, report: Report) -> float:
    """All epochs that are left, each saved; the seconds that they and those before them took."""
    before, started = _go_on(training, kept, key), time.perf_counter()
    while training.epoch < training.recipe.epochs:
        training.run_epoch(report)
        seconds = torch.tensor(before + time.perf_counter() - started, dtype=torch.float64)
        content = safetensors.torch.save(training.state() | {"seconds": seconds}, {"key": key})
        with replacing(kept) as temporary:
            temporary.write_bytes(content)
    return before + time.perf_counter() - started


def finish(network: Classifier, dataset: Dataset, facts: dict[str, Any], path: Path) -> Built:
    """Round to what is written, measure that on the test images, and write it with what is known of it."""
    assert dataset.test is not None  # by _training_examples
    write_with(path, lambda place: save_classifier(place, network, facts))
    y = torch.from_numpy(np.array(dataset.test.y))
    logits = classifier_of(path)(torch.from_numpy(np.array(dataset.test.x))).logits
    assert logits is not None  # a classifier's
    confusion = confused(y, logits.argmax(1), len(dataset.class_names))
    right = confusion.diagonal()
    measured = {
        "accuracy": int(right.sum()) / len(y),
        "test_examples": len(y),
        "class_accuracy": [round(value, 4) for value in (right / confusion.sum(1)).tolist()],
        "confusion": confusion.tolist(),
    }
    write_with(path, lambda place: save_classifier(place, network, facts | measured))
    return Built(path, hashlib.sha256(path.read_bytes()).hexdigest(), facts | measured)


def confused(y: Tensor, found: Tensor, classes: int) -> Tensor:
    """(K, K) counts: row the true class, column the class found."""
    return torch.bincount(y * classes + found, minlength=classes**2).view(classes, classes)


def _training_examples(name: str, dataset: Dataset) -> tuple[Tensor, Tensor]:
    """The images and labels of the training and validation splits, together.

    Raises:
        ConfigError: the data set is not one of that kind.
    """
    shape = SHAPES[name]
    wanted = (shape.channels, shape.size, shape.size)
    parts = (dataset.train, dataset.validation)
    fits = dataset.sample_shape == wanted and dataset.classes == len(shape.class_names)
    if not fits or dataset.train.x.dtype != np.uint8 or dataset.test is None:
        raise ConfigError(
            f"{dataset.source or dataset.name} is not what {name}'s classifier is built from: uint8 images "
            f"of {' × '.join(map(str, wanted))} in {len(shape.class_names)} classes with a test split; use "
            f"--data {name}"
        )
    x = np.concatenate([part.x for part in parts])
    y = np.concatenate([part.y for part in parts if part.y is not None])
    return torch.from_numpy(x), torch.from_numpy(y)


def _key(name: str, recipe: Recipe, dataset: Dataset) -> str:
    """What an interrupted training must agree in to be gone on with."""
    return json.dumps([name, asdict(recipe), dataset.fingerprint, __version__])


def _facts(name: str, recipe: Recipe, dataset: Dataset, count: int) -> dict[str, Any]:
    return {
        "classifier": name,
        "recipe": asdict(recipe),
        "train_examples": count,
        "data": {"name": dataset.name, "fingerprint": dataset.fingerprint},
        "versions": {"evenodds": __version__, "torch": torch.__version__},
        "threads": torch.get_num_threads(),
    }


def _go_on(training: Training, kept: Path, key: str) -> float:
    """Restore what an interrupted training of the same kind left, if any; the seconds it had taken."""
    try:
        with safetensors.safe_open(kept, framework="pt") as file:
            if (file.metadata() or {}).get("key") != key:
                return 0.0
            state = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        training.restore(state)
        return float(state["seconds"])
    except FileNotFoundError:
        return 0.0
    except (OSError, safetensors.SafetensorError, KeyError, RuntimeError) as error:
        raise DataError(f"{kept} can't be read ({error}); delete it to begin the training anew") from error
