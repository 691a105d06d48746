"""The Parzen-window log-likelihood of the 2014 paper."""

from __future__ import annotations

from ..data.dataset import Array, Dataset
from ..errors import ConfigError
from ..metrics import parzen as parzen_window
from .record import Evaluation, count_name, normal_interval, unit_interval
from .subject import Subject

SIGMA_EXAMPLES = 1_000  # the first of the validation split: on MNIST, the 2014 protocol


def measure_parzen(subject: Subject, count: int) -> Evaluation:
    """Parzen-window log-likelihood, the number of the 2014 paper's Table 1."""
    dataset, split = subject.dataset, subject.split
    validation = unit_interval(dataset.validation.x[:SIGMA_EXAMPLES], dataset.value_range)
    scored = (
        validation if split == "validation" else unit_interval(dataset.split(split).x, dataset.value_range)
    )

    def score(x: Array) -> parzen_window.ParzenResult:
        return parzen_window.parzen(unit_interval(x, dataset.value_range), validation, scored)

    result, reference, ceiling = score(subject.samples(count)), None, None
    if subject.with_reference:
        chosen = subject.real_examples(count, split="train")
        real = score(chosen)
        ceiling = real.mean
        reference = (
            f"{len(chosen):,} real training examples score {real.mean:.1f} ± {real.standard_error:.1f} "
            f"(sigma {real.sigma:.3f})"
        )
    return Evaluation(
        name=f"parzen{count_name(count)}",
        value=result.mean,
        standard_error=result.standard_error,
        unit="nats",
        protocol=f"{count:,} samples; sigma chosen on {len(validation):,} validation "
        f"examples; mean over {result.test_examples:,} {split} examples ± its standard error",
        reference=reference,
        also=f"sigma {result.sigma:.4f}",
        warning=parzen_window.describe(),
        details={"sigma": result.sigma, "validation": result.validation_mean},
        n=count,
        interval=normal_interval(result.mean, result.standard_error),
        ceiling=ceiling,
        setting=subject.setting("parzen", count, real=len(scored), features=False),
    )


def needs_range(dataset: Dataset) -> None:
    """The 2014 protocol is one for values in [0, 1]."""
    if dataset.value_range is None:
        raise ConfigError(
            f"metric 'parzen' needs values of a known range, and {dataset.name} has none; use another metric"
        )
