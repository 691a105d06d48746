"""What to train on a data set: size, channels, mirroring, augmentation, and what so many images can carry."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from .dataset import Array, Dataset
from .images.size import proposed_size
from .mirroring import mirror_test

Fit = Literal["crop", "pad", "stretch"]
Augment = Literal["none", "light", "strong"]
PADDED = 1.5  # where proportions differ by more than this from the frame's, cropping would lose a third


@dataclass(frozen=True)
class Facts:
    """What only the original files tell of images; all of it may be unknown.

    Args:
        sizes: (height, width) of the originals, or of enough of them.
    """

    sizes: Sequence[tuple[int, int]] = ()


@dataclass(frozen=True)
class Advice:
    """Proposals for training on a data set, each with its reason.

    Args:
        examples: to train on.
        size: (height, width) in pixels; None for vectors.
        channels: 1, 3, 4 or what the data have; 0 for vectors.
        fit: how an image of other proportions gets into the frame.
        conditional: whether the labels are good for a conditional generator.
        conditional_reason: one sentence without its full stop, as are the others.
        mirror: whether the data may be mirrored.
        mirror_reason: why, or why not.
        augment: how much of what D sees has to be augmented.
        augment_reason: why.
        capacity: what a data set of this size can carry.
    """

    examples: int
    size: tuple[int, int] | None
    channels: int
    fit: Fit
    conditional: bool
    conditional_reason: str
    mirror: bool
    mirror_reason: str
    augment: Augment
    augment_reason: str
    capacity: str


# What was published of training with few images.  FID of BigGAN on CIFAR-10 without → with DiffAugment: all
# 50,000: 9.59 → 8.70; 10,000: 21.58 → 14.04; 5,000: 39.78 → 22.40 (Zhao et al. 2020).
# Each: examples below which it applies, augmentation, its reason, what they can carry.
CAPACITY: tuple[tuple[float, Augment, str, str], ...] = (
    (
        100,
        "strong",
        "a discriminator learns so few images by heart",
        "fewer than 100 images: expect copies of them, whatever is trained; add images",
    ),
    (
        1_000,
        "strong",
        "a discriminator learns a few hundred images by heart",
        "a few hundred images: expect near-copies of them; start from a generator of similar images "
        "(--from) or add images (the fewest that the figures for CIFAR-10 speak of are 5,000: FID 22.4 where "
        "all 50,000 gave 8.7; BigGAN with DiffAugment, Zhao et al. 2020)",
    ),
    (
        10_000,
        "strong",
        "augmentation nearly halved the FID on 5,000 images of CIFAR-10 (39.8 to 22.4; Zhao et al. 2020)",
        "thousands of images: enough for one kind of motif with strong augmentation; on CIFAR-10, 5,000 of "
        "the 50,000 images gave FID 22.4 where all gave 8.7 (BigGAN with DiffAugment, Zhao et al. 2020)",
    ),
    (
        100_000,
        "light",
        "augmentation took the FID from 9.6 to 8.7 on the 50,000 images of CIFAR-10 (Zhao et al. 2020)",
        "tens of thousands of images: enough for several kinds of motifs at small sizes, as CIFAR-10 shows",
    ),
    (
        float("inf"),
        "none",
        "a discriminator seldom over-fits so many images",
        "more than 100,000 images: the time to train is the limit, not the data",
    ),
)


def advise(dataset: Dataset, facts: Facts | None = None, *, seed: int = 0) -> Advice:
    """Proposals for training on this data set; the same data and seed give the same ones.

    Args:
        dataset: images (C, H, W), of the size that they were opened with, or vectors.
        facts: of the originals, where they are known; then the size is proposed from them.
        seed: of the images that are compared.
    """
    count, shape = len(dataset.train), dataset.sample_shape
    _, augment, augment_reason, capacity = next(row for row in CAPACITY if count < row[0])
    conditional, conditional_reason = _labels(dataset)
    sizes = facts.sizes if facts is not None else ()
    image = len(shape) == 3
    mirror, mirror_reason = _mirror(dataset.train.x, seed) if image else (False, "these are no images")
    if not image:
        augment, augment_reason = "none", "vectors have no augmentation"
    frame = (proposed_size(sizes) if sizes else (shape[1], shape[2])) if image else None
    return Advice(
        examples=count,
        size=frame,
        channels=shape[0] if image else 0,
        fit=proposed_fit(sizes, frame) if frame and sizes else "crop",
        conditional=conditional,
        conditional_reason=conditional_reason,
        mirror=mirror,
        mirror_reason=mirror_reason,
        augment=augment,
        augment_reason=augment_reason,
        capacity=capacity if image else f"{count:,} points",
    )


def proposed_fit(sizes: Sequence[tuple[int, int]], frame: tuple[int, int]) -> Fit:
    """Crop, unless that would cut a third or more off most of the images.

    Args:
        sizes: (height, width) of the originals.
        frame: (height, width) that they are brought to.
    """
    heights, widths = np.array(sizes, float).T
    off = np.abs(np.log(widths / heights * frame[0] / frame[1]))
    return "pad" if np.mean(off > np.log(PADDED)) > 0.5 else "crop"


def _mirror(x: Array, seed: int) -> tuple[bool, str]:
    found = mirror_test(x, seed=seed)
    return found.allowed, found.reason


def _labels(dataset: Dataset) -> tuple[bool, str]:
    """Whether to train a conditional generator: every class has to have something to learn from."""
    if dataset.train.y is None or dataset.classes < 2:
        return False, "there are no labels of two classes or more"
    per_class = np.bincount(dataset.train.y, minlength=dataset.classes)
    least, few = int(per_class.min()), 20
    if least < few:
        rare = int((per_class < few).sum())
        return False, f"{rare} of {dataset.classes} classes have fewer than {few} examples"
    return True, f"{dataset.classes} classes of at least {least:,} examples each"
