"""Modes captured of known ones: of a mixture, or of digits stacked as colours."""

from __future__ import annotations

import torch

from ..data.dataset import Dataset
from ..data.distributions import counted_modes
from ..errors import ConfigError
from ..metrics.modes import mode_coverage
from .record import Evaluation, count_name
from .subject import Subject


def measure_modes(subject: Subject, count: int) -> Evaluation:
    """Modes captured of a known mixture, with the share of high-quality samples."""
    samples = subject.samples(count)
    mixture = counted_modes(subject.dataset.density)
    assert mixture is not None  # by needs_modes
    result = mode_coverage(torch.from_numpy(samples), mixture.modes, mixture.std)
    return Evaluation(
        name=f"modes{count_name(count)}",
        value=float(result.captured),
        standard_error=None,
        unit=f"of {result.total} modes",
        protocol=f"{count:,} samples; high quality within 3 standard deviations of the nearest mode: "
        f"{100 * result.high_quality:.2f} ± {100 * result.high_quality_error:.2f} %; "
        f"reverse KL over modes {result.reverse_kl:.3f} nats",
        reference=f"perfect samples: {result.total} modes, {100 * result.perfect:.2f} % of high quality",
        warning="A generator may hit every mode and still get the shape within a mode wrong.",
        details=result._asdict(),
        n=count,
        ceiling=float(result.total),
        setting=subject.setting("modes", count, real=0, features=False, more={"density": result.total}),
    )


def needs_modes(dataset: Dataset) -> None:
    """Only a mixture of separate Gaussians has modes to count."""
    if counted_modes(dataset.density) is None:
        raise ConfigError(
            f"metric 'modes' needs a mixture of known modes, and {dataset.name} is none; use another metric"
        )
