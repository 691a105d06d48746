"""Whether a generator copies its training data."""

from __future__ import annotations

from torch import Tensor

from ..errors import ConfigError
from ..metrics.memorization import Memorization, nearer_than_held_out, nearest, neighbours_in_training
from .record import Evaluation, count_name
from .refusals import refusing
from .subject import Subject
from .words import space

BLOCK = 8_192  # real examples whose distances are held at once


def measure_memorization(subject: Subject, count: int) -> Evaluation:
    """p-value: are the samples' nearest real examples training examples more often than chance explains?"""
    name = f"memorization{count_name(count)}"
    if subject.split == "train":
        raise ConfigError(f"{name} compares with examples held out from training; use --split test")
    fake = subject.fake(count).features
    train, held_out = subject.real(split="train").features, subject.real().features
    with refusing(name):
        to_train = nearest(fake, train.split(BLOCK))
        to_held_out = nearest(fake, held_out.split(BLOCK))
        result = neighbours_in_training(to_train, to_held_out, (len(train), len(held_out)))
        closer = nearer_than_held_out(to_train[0], nearest(held_out, train.split(BLOCK))[0])
    share = float((to_train[0] <= to_held_out[0]).double().mean())
    chance = len(train) / (len(train) + len(held_out))
    return Evaluation(
        name=name,
        value=result.p,
        standard_error=None,
        unit="p-value of no memorization",
        protocol=f"of {count:,} samples {100 * share:.1f} % have their nearest real example among the "
        f"{len(train):,} training and not the {len(held_out):,} {subject.split} examples, where "
        f"{100 * chance:.1f} % are expected (z = {result.z:.2f}), in {space(subject)}; exact variance over "
        "permutations of the real examples",
        reference=_reference(subject, count, train, held_out) if subject.with_reference else None,
        warning="Without memorization p is anywhere between 0 and 1: only a small one, below .01, says "
        "something. What a network of features can't see, it can't find copied.",
        details={
            "z": result.z,
            "share": share,
            "expected": chance,
            "nearer_than_held_out": {"z": closer.z, "p": closer.p},
        },
        n=count,
        setting=subject.setting("memorization", count, real=len(train) + len(held_out), features=True),
    )


def _reference(subject: Subject, count: int, train: Tensor, held_out: Tensor) -> str:
    """What unseen examples score in the samples' place, and what copies do."""
    unseen, rest = held_out[::2][:count], held_out[1::2]
    honest = _test(unseen, train, rest)
    copies = _test(train[:count], train, held_out)
    return (
        f"{len(unseen):,} unseen {subject.split} examples in the samples' place score p = {honest.p:.2g} "
        f"(z = {honest.z:.1f}), {min(count, len(train)):,} training examples, all copies, p = {copies.p:.2g} "
        f"(z = {copies.z:.0f})"
    )


def _test(samples: Tensor, train: Tensor, held_out: Tensor) -> Memorization:
    return neighbours_in_training(
        nearest(samples, train.split(BLOCK)),
        nearest(samples, held_out.split(BLOCK)),
        (len(train), len(held_out)),
    )
