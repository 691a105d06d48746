"""Whether a generator copies its training data."""

from __future__ import annotations

from torch import Tensor

from ..errors import ConfigError
from ..metrics.frechet import frechet
from ..metrics.frechet_limits import frechet_error
from ..metrics.memorization import Memorization, nearer_than_held_out, nearest, neighbours_in_training
from ..metrics.mifid import (
    THRESHOLD,
    MemorizationPenalty,
    memorization_distance,
    memorization_informed,
    memorization_penalty,
)
from ..metrics.moments import Moments
from .record import Evaluation, Z, count_name
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
        protocol=f"how many of {count:,} samples have their nearest real example among the {len(train):,} "
        f"training and not the {len(held_out):,} {subject.split} examples, {100 * chance:.1f} % by chance, "
        f"in {space(subject)}; exact variance over permutations of the real examples",
        reference=_reference(subject, count, train, held_out) if subject.with_reference else None,
        also=f"{100 * share:.1f} % are nearest to a training example (z = {result.z:.2f})",
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


def measure_mi_frechet(subject: Subject, count: int, *, name: str = "mi_frechet") -> Evaluation:
    """A Fréchet distance that copies of the training data make worse; of Inception MiFID, Bai et al. (2021).

    Inception's threshold is the paper's; in other features it is half of what unseen examples have.
    """
    title = f"{name}{count_name(count)}"
    if subject.split == "train":
        raise ConfigError(f"{title} compares with examples held out from training; use --split test")
    fake, real = subject.fake(count).features, subject.real().features
    train = subject.real(split="train").features
    with refusing(title):
        unseen = memorization_distance(train, real)
        penalty = memorization_penalty(train, fake, THRESHOLD if name == "mifid" else unseen / 2)
        against = Moments.of(real)
        distance, error = frechet(against, Moments.of(fake)).value, frechet_error(against, fake)
        floor = _floor(subject, count, against, train, penalty.threshold)
    value = memorization_informed(distance, penalty)
    error = None if error is None else error * penalty.factor
    return Evaluation(
        name=title,
        value=value,
        standard_error=error,
        unit="squared feature units",
        protocol=f"{count:,} samples against all {len(real):,} {subject.split} examples in {space(subject)}: "
        f"Fréchet distance times a penalty for being near to the {len(train):,} training examples",
        reference=None if floor is None else f"{floor[1]:,} other unseen examples score {floor[0]:.4g}",
        also=f"a distance of {distance:.4g} times {_said(penalty, len(train), unseen)}",
        warning="The penalty is a step: above the threshold copies cost nothing; memorization tests for it.",
        details={"frechet": distance, **penalty._asdict(), "unseen_distance": unseen},
        n=count,
        interval=None if error is None else (max(0.0, value - Z * error), value + Z * error),
        floor=None if floor is None else floor[0],
        setting=subject.setting(name, count, real=len(real), features=True),
    )


def _said(penalty: MemorizationPenalty, train: int, unseen: float) -> str:
    """The factor, and why it is that."""
    return (
        f"{penalty.factor:.4g}; mean cosine distance to the nearest of {train:,} training examples "
        f"{penalty.distance:.4f}, of unseen ones {unseen:.4f}, punished below {penalty.threshold:.4f}"
    )


def _floor(
    subject: Subject, count: int, against: Moments, train: Tensor, threshold: float
) -> tuple[float, int] | None:
    """(score, number) of unseen examples that are neither training examples nor those compared with."""
    others = [name for name in ("validation", "test") if name != subject.split]
    split = next((name for name in others if name in subject.dataset.splits), None)
    if split is None or not subject.with_reference:
        return None
    stand_in = subject.real(count, split=split).features
    penalty = memorization_penalty(train, stand_in, threshold)
    return memorization_informed(frechet(against, Moments.of(stand_in)).value, penalty), len(stand_in)
