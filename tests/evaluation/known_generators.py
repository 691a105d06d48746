"""Generators whose quality is known, as far as `Subject` looks at them, and an extractor that is none."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from evenodds.data.dataset import Dataset, Split
from evenodds.evaluation import Subject
from evenodds.features import Features


class Values:
    """Examples are their own features."""

    name, sha256, preprocessing, classes = "values", "", "as they are", None
    precision = "float32"

    def __init__(self, dim: int) -> None:
        self.dim = dim

    def __call__(self, images: Tensor) -> Features:
        return Features(images.flatten(1).float(), None)


class Given:
    """Seed i is sample i of an array."""

    def __init__(
        self, x: np.ndarray, value_range=(-1.0, 1.0), labels: np.ndarray | None = None, classes: int = 0
    ) -> None:
        self.x, self.value_range, self.labels = x, value_range, labels
        self.sample_shape = x.shape[1:]
        self.class_names = tuple(str(at) for at in range(classes))
        self.premultiplied, self.facts = False, {"examples": 0}

    def __call__(self, seeds, labels=None) -> np.ndarray:
        return self.x[np.asarray(list(seeds))]


def gaussian(seed: int, count: int, dim: int = 8, shift: float = 0.0, scale: float = 1.0) -> np.ndarray:
    return (np.random.default_rng(seed).normal(size=(count, dim)) * scale + shift).astype(np.float32)


def gaussian_data(count: int = 1_500, dim: int = 8) -> Dataset:
    splits = [Split(gaussian(seed, count, dim)) for seed in (1, 2, 3)]
    return Dataset("gaussian", train=splits[0], validation=splits[1], test=splits[2], value_range=None)


def subject_of(x: np.ndarray, dataset: Dataset, **options) -> Subject:
    value_range = dataset.value_range
    subject = Subject(Given(x, value_range), dataset, **options)
    subject.__dict__["extractor"] = Values(int(np.prod(dataset.sample_shape)))
    return subject


def pixels(x: np.ndarray) -> np.ndarray:
    """uint8 images as a generator makes them, in [−1, 1]."""
    return torch.from_numpy(x).float().div(127.5).sub(1).numpy()
