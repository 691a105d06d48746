"""Modes captured of digits stacked as colours, which a classifier of digits counts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import torch
from torch import Tensor

from ..data.dataset import Array
from ..features import FeatureExtractor, identity
from ..metrics.class_modes import ClassModes, class_modes, product_prior, stacked
from .record import Evaluation, count_name
from .subject import Subject
from .words import in_place

BLOCK = 1_000  # images that are classified at once


def measure_stacks(subject: Subject, count: int) -> Evaluation:
    """Of 1000 triples of digits, how many samples show; Metz et al. (2017), Srivastava et al. (2017).

    The modes' own frequencies come from the digits of the training split, as if colours were independent.
    """
    extractor = _classifier(subject)
    digits = extractor.classes or 0
    prior = _prior(subject, digits)
    result = _counted(_triples(subject.images(count), extractor), digits, prior)
    real = None
    if subject.with_reference:
        real = _counted(_triples(_real(subject, count), extractor), digits, prior)
    return Evaluation(
        name=f"modes{count_name(count)}",
        value=float(result.captured),
        standard_error=None,
        unit=f"of {result.total} modes",
        protocol=f"{count:,} samples, each channel classified by {extractor.name} (weights "
        f"{extractor.sha256[:8]}…)",
        reference=None
        if real is None
        else in_place(subject, count, f"{real.captured} modes, KL {_kl(real)}"),
        also=f"KL(samples over modes ‖ equal frequencies) {_kl(result)}",
        warning=f"Counting {count:,} samples alone makes the KL {result.floor:.4f} for the data itself "
        f"({result.total - 1}/2n, and digits that are not equally frequent). The classifier gives smudges a "
        "digit, too: look at the samples.",
        details=result._asdict() | {"real": None if real is None else real._asdict()},
        n=count,
        ceiling=None if real is None else float(real.captured),
        setting=subject.setting(
            "modes", count, real=0, features=False, more={"classifier": identity(extractor)}
        ),
    )


def _classifier(subject: Subject) -> FeatureExtractor:
    """Of one channel."""
    from ..features.classifying import load_classifier

    name = subject.dataset.mode_classifier
    assert name is not None  # by needs_modes
    return load_classifier(name, device=subject.device)


def _real(subject: Subject, count: int) -> Iterator[Array]:
    """As many real images, block by block."""
    x = subject.real_examples(count, split=subject.floor_split)
    for low in range(0, len(x), BLOCK):
        subject.progress(f"modes of real {subject.floor_split} examples", low, len(x))
        yield x[low : low + BLOCK]


def _counted(triples: Tensor, digits: int, prior: Tensor) -> ClassModes:
    return class_modes(stacked(triples, digits), digits ** triples.shape[1], prior=prior)


def _kl(result: ClassModes) -> str:
    return f"{result.reverse_kl:.4f} nats"


def _prior(subject: Subject, digits: int) -> Tensor:
    """Frequencies of the modes where each colour is drawn by itself, from the training split's labels."""
    channels, y = subject.dataset.sample_shape[0], subject.real_labels(split="train")
    if y is None:
        return torch.ones(digits**channels)
    parts = [(y // digits**power) % digits for power in range(channels)]
    return product_prior(torch.bincount(torch.cat(parts), minlength=digits), channels)


def _triples(images: Iterable[Array], extractor: FeatureExtractor) -> Tensor:
    """The digit of each channel, (N, C) int64.

    Args:
        images: blocks (n, C, H, W) uint8.
        extractor: of gray images.
    """
    found = []
    for x in images:
        channels = torch.from_numpy(x).flatten(0, 1)[:, None]  # (n · C, 1, H, W)
        logits = extractor(channels).logits
        assert logits is not None  # by the data's mode_classifier
        found.append(logits.argmax(1).view(len(x), -1))
    return torch.cat(found)
