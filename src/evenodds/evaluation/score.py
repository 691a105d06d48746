"""Scores by a classifier's predictions: `is` with Inception's, `classifier_score` with any other's."""

from __future__ import annotations

import torch

from ..metrics.inception_score import InceptionScore, inception_score
from .record import Evaluation, count_name
from .subject import Subject
from .words import space

SPLITS = 10


def measure_score(subject: Subject, count: int, *, name: str = "classifier_score") -> Evaluation:
    """exp(mean KL(p(y|x) ‖ p(y))); with Inception the score of Salimans et al. (2016).

    Its ceiling is what real examples of the split compared with score, as many as samples where there are.
    """
    logits = subject.fake(count).logits
    assert logits is not None  # by `needs`
    result = inception_score(logits, splits=min(SPLITS, count))
    ceiling = _of_real(subject, count) if subject.with_reference else None
    reference = None
    if ceiling is not None:
        few = "" if ceiling.examples == count else "; there are no more"
        reference = f"{ceiling.examples:,} real {subject.split} examples score {ceiling.value:.4g}{few}"
    return Evaluation(
        name=f"{name}{count_name(count)}",
        value=result.value,
        standard_error=result.standard_error,
        unit=f"of {result.classes}",
        protocol=f"{count:,} samples in {result.splits} splits of {count // result.splits:,}, classified in "
        f"{space(subject)}; ± is one standard error over samples",
        reference=reference,
        also=f"the splits' standard deviation is {result.deviation:.3g}",
        warning="It never looks at the data: one good sample of each class scores best, and so do samples "
        "that fool the classifier.",
        details=result._asdict(),
        n=count,
        interval=result.interval,
        ceiling=None if ceiling is None else ceiling.value,
        setting=subject.setting(name, count, real=0, features=True, more={"splits": result.splits}),
    )


def _of_real(subject: Subject, count: int) -> InceptionScore:
    """Real examples, shuffled, since files often hold one class after the other."""
    logits = subject.real(count).logits
    assert logits is not None
    order = torch.randperm(len(logits), generator=torch.Generator().manual_seed(0))
    return inception_score(logits[order], splits=min(SPLITS, len(logits)))
