"""Modes captured of known ones: of a mixture, or of digits stacked as colours."""

from __future__ import annotations

from dataclasses import replace

import torch

from ..data.dataset import Dataset
from ..data.distributions import Mixture, counted_modes
from ..errors import ConfigError
from ..metrics.modes import mode_coverage
from .record import Evaluation, count_name
from .stacks import measure_stacks
from .subject import Subject


def measure_modes(subject: Subject, count: int) -> Evaluation:
    """How many of the data's modes samples reach; their divergence from equal frequencies is found, too."""
    key = ("modes", count)
    if key not in subject.memo:
        mixture = counted_modes(subject.dataset.density)
        counted = _of_mixture(subject, count, mixture) if mixture else measure_stacks(subject, count)
        subject.memo[key] = counted
    return subject.memo[key]


def measure_reverse_kl(subject: Subject, count: int) -> Evaluation:
    """KL(samples over modes ‖ equal frequencies): how evenly the modes are reached."""
    modes = measure_modes(subject, count)
    known = modes.details
    interval = floor = None
    if counted_modes(subject.dataset.density) is None:
        shift = known["reverse_kl"] - known["corrected"]  # the interval is about the value without its bias
        interval = (known["interval"][0] + shift, known["interval"][1] + shift)
        floor = None if known["real"] is None else float(known["real"]["reverse_kl"])
    return replace(
        modes,
        name=f"reverse_kl{count_name(count)}",
        value=float(known["reverse_kl"]),
        unit="nats",
        interval=interval,
        floor=floor,
        ceiling=None,
        also=f"{modes.value:.0f} {modes.unit}",
        setting=modes.setting | {"metric": f"reverse_kl{count_name(count)}"},
    )


def _of_mixture(subject: Subject, count: int, mixture: Mixture) -> Evaluation:
    """Modes captured of a known mixture, with the share of high-quality samples."""
    result = mode_coverage(torch.from_numpy(subject.samples(count)), mixture.modes, mixture.std)
    return Evaluation(
        name=f"modes{count_name(count)}",
        value=float(result.captured),
        standard_error=None,
        unit=f"of {result.total} modes",
        protocol=f"{count:,} samples; a mode is captured by one within 3 standard deviations of it",
        reference=f"perfect samples: {result.total} modes, {100 * result.perfect:.2f} % of high quality",
        also=f"{100 * result.high_quality:.2f} ± {100 * result.high_quality_error:.2f} % of them lie so near "
        f"to a mode; reverse KL over modes {result.reverse_kl:.3f} nats",
        warning="A generator may hit every mode and still get the shape within a mode wrong.",
        details=result._asdict(),
        n=count,
        ceiling=float(result.total),
        setting=subject.setting("modes", count, real=0, features=False, more={"density": result.total}),
    )


def needs_modes(dataset: Dataset) -> None:
    """A mixture of separate Gaussians has modes to count, and so have images that a classifier sorts."""
    if counted_modes(dataset.density) is None and dataset.mode_classifier is None:
        raise ConfigError(
            f"metric 'modes' needs a mixture of known modes, and {dataset.name} is none; use another metric"
        )
