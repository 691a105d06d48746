"""How many samples look augmented."""

from __future__ import annotations

import numpy as np
import torch

from ..augment.frame import frame_of
from ..data.dataset import Array, Dataset
from ..data.loader import to_range
from ..errors import ConfigError
from ..metrics.leaks import Leak, leaks
from ..sampling import as_uint8
from .record import Evaluation, count_name
from .subject import Subject

LEAKS_TRAIN = 8_000  # training images that the leak test learns from


def measure_leaks(subject: Subject, count: int) -> Evaluation:
    """How many samples look augmented, by the transformation of which most of them do."""
    dataset, samples, compared = subject.dataset, subject.samples(count), subject.real_examples()
    frame = frame_of(dataset.sample_shape, dataset.value_range, dataset.premultiplied)
    half = len(compared) // 2 if subject.with_reference else len(compared)
    train, held_out = dataset.train.x[:LEAKS_TRAIN], compared[: min(half, count)]
    others = [samples, *([compared[half : half + count]] if subject.with_reference else [])]
    images = [_centred(x, dataset.value_range) for x in (train, held_out, *others)]
    found, *floor = leaks(images[0], images[1], images[2:], frame)
    reference = f"{len(others[1]):,} other {subject.split} images: {_leaks_said(floor[0])}" if floor else None
    return Evaluation(
        name=f"leaks{count_name(count)}",
        value=_percent(found),
        standard_error=None,
        unit="% of samples look augmented",
        protocol=f"{count:,} samples against {len(held_out):,} {subject.split} images, by a network that "
        f"learnt from {len(train):,} training images what each transformation makes of them; Fisher's exact "
        "test at 5 % for all together",
        reference=reference,
        also=_leaks_said(found),
        warning="A generator that is far from the data may look augmented without having been taught it; and "
        "mirror images are no leak where mirror=true.",
        details={leak.name: leak._asdict() for leak in found},
        n=count,
        floor=_percent(floor[0]) if floor else None,
        setting=subject.setting("leaks", count, real=len(held_out), features=False),
    )


def needs_images(dataset: Dataset) -> None:
    """Only images are augmented."""
    if len(dataset.sample_shape) != 3 or dataset.value_range is None:
        shape = dataset.sample_shape
        raise ConfigError(f"metric 'leaks' is one of images, and examples have {shape}; use another metric")


def _percent(found: list[Leak]) -> float:
    """Of samples, by the transformation that leaked most; 0 where none did."""
    return 100 * max((leak.share for leak in found if leak.leaked), default=0.0)


def _leaks_said(found: list[Leak]) -> str:
    """Each that leaked with its share and its chance, then the names of the others."""
    leaked = [f"{one.name} {100 * one.share:.0f} % (p = {one.p_value:.1g})" for one in found if one.leaked]
    others = [one.name for one in found if not one.leaked]
    return "; ".join([*leaked, *([f"no more than data are: {', '.join(others)}"] if others else [])])


def _centred(x: Array, value_range: tuple[float, float] | None) -> torch.Tensor:
    """Images in [−1, 1], in 256 levels as their files hold them: else that would tell samples from data."""
    assert value_range is not None  # by needs_images
    pixels = x if x.dtype == np.uint8 else as_uint8(x, value_range)
    return to_range(torch.from_numpy(np.ascontiguousarray(pixels)), (-1.0, 1.0))
