"""Samples and examples by their own values, images in the 256 levels of files."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from ..data.dataset import Array
from ..sampling import as_uint8
from .subject import Subject


def samples_in_levels(subject: Subject, count: int) -> Tensor:
    """The first `count` samples, (N, *sample_shape): uint8 images, or float32 where they are none.

    Floats would tell samples from data, and take four times the memory.
    """
    return torch.cat([_levels(subject, block) for block in subject.blocks(0, count)])


def real_in_levels(subject: Subject, count: int | None = None, *, split: str | None = None) -> Tensor:
    """Real examples alike: `count` of a split picked at random, or all of them."""
    return _levels(subject, subject.real_examples(count, split=split))


def _levels(subject: Subject, x: Array) -> Tensor:
    value_range = subject.dataset.value_range
    if x.dtype != np.uint8 and value_range is not None and in_levels(subject):
        x = as_uint8(x, value_range)
    return torch.from_numpy(np.ascontiguousarray(x))


def in_levels(subject: Subject) -> bool:
    """Whether examples are given in 0 … 255: images of a known range, and whatever the data hold so."""
    dataset = subject.dataset
    bytes_ = dataset.train.x.dtype == np.uint8
    return dataset.value_range is not None and (bytes_ or len(dataset.sample_shape) == 3)
