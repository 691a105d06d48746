"""One picture of what an augmentation does to data, before anything is trained on it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from ..augment import ADA, DiffAugment, Pipeline
from ..augment.diffaugment import POLICIES
from ..augment.frame import Frame, plain
from ..data.dataset import Dataset
from ..data.loader import to_range
from ..drawing import draw_samples

COLUMNS = 8
PROBABILITIES = (0.2, 0.5, 0.8)
Transform = Callable[[Tensor], Tensor]


def augment_sheet(dataset: Dataset, augment: nn.Module, *, name: str, seed: int = 0) -> Image.Image:
    """A row for each transformation, then rows with all of them together.

    The row of a transformation begins with an image as it is; the same image follows as seven draws have
    changed it, the least changed first.  The rows at the end show other images, one draw of each.

    Args:
        dataset: whose training images are shown, of as many classes as there are columns.
        augment: one of `AUGMENTS`.
        name: what to call it.
        seed: of the draws; no other random number changes.
    """
    images = _images(dataset)
    rows, labels = [], []
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(seed)
        for number, (label, transform) in enumerate(_singly(augment)):
            rows.append(_by_strength(images[number % len(images)], transform))
            labels.append(label)
        for label, transform in _together(augment):
            rows.append(transform(images))
            labels.append(label)
    return draw_samples(
        torch.cat(rows).numpy(),
        value_range=dataset.value_range,
        title=f"{name} on {dataset.name}: each transformation alone, weak to strong, then all",
        columns=COLUMNS,
        labels=labels,
        premultiplied=dataset.premultiplied,
    )


def _images(dataset: Dataset) -> Tensor:
    """(COLUMNS, C, H, W) training images, of different classes where there are some."""
    x, y = dataset.train.x, dataset.train.y
    first = range(COLUMNS) if y is None else np.unique(y, return_index=True)[1].tolist()
    chosen = [first[number % len(first)] + number // len(first) for number in range(COLUMNS)]
    chosen = [index % len(x) for index in chosen]
    return to_range(torch.from_numpy(np.ascontiguousarray(x[chosen])), dataset.value_range)


def _by_strength(image: Tensor, transform: Transform) -> Tensor:
    """(COLUMNS, C, H, W): the image, and draws from the least changed to the most."""
    copies = image.expand(COLUMNS - 1, *image.shape)
    drawn = transform(copies)
    changes = (drawn - copies).abs().flatten(1).mean(1)
    return torch.cat([image[None], drawn[changes.argsort()]])


def _singly(augment: nn.Module) -> list[tuple[str, Transform]]:
    """Each transformation by itself, always done."""
    if isinstance(augment, DiffAugment):
        return [(policy, _policy(policy, augment.frame)) for policy in augment.policy]
    pipeline = _pipeline(augment)
    return [(name, Pipeline({name: 1.0}, pipeline.frame, 1.0)) for name in pipeline.multipliers]


def _policy(name: str, frame: Frame) -> Transform:
    return lambda x: plain(lambda y: POLICIES[name](y, frame), x, frame)


def _together(augment: nn.Module) -> list[tuple[str, Transform]]:
    """All of them, as training does them, at several probabilities where there is one."""
    if isinstance(augment, DiffAugment):
        return [("all", augment)] * len(PROBABILITIES)
    pipeline = _pipeline(augment)
    return [(f"all, p = {p}", Pipeline(pipeline.multipliers, pipeline.frame, p)) for p in PROBABILITIES]


def _pipeline(augment: nn.Module) -> Pipeline:
    found = augment.pipeline if isinstance(augment, ADA) else augment
    assert isinstance(found, Pipeline)
    return found
