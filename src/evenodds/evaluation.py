"""Measuring a generator: metrics by name, each with its protocol, sample count and the perfect score."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import torch

from .augment.frame import frame_of
from .data.dataset import Array, Dataset
from .data.distributions import counted_modes
from .data.loader import to_range
from .errors import ConfigError, suggest
from .metrics import parzen as parzen_window
from .metrics.leaks import Leak, leaks
from .metrics.modes import mode_coverage
from .sampling import Sampler, as_uint8

LEAKS_TRAIN = 8_000  # training images that the leak test learns from
SIGMA_EXAMPLES = 1_000  # the first of the validation split: on MNIST, the 2014 protocol


@dataclass(frozen=True)
class Evaluation:
    """One number and how it was measured.

    Args:
        name: metric and sample count, as in `parzen10k`.
        value: the number.
        standard_error: of the value over what `protocol` names.
        unit: of the value.
        protocol: sample count, split, and choices, in words.
        reference: what real or perfect samples score under the same protocol, in words; None if not measured.
        warning: one sentence on what the number can't say.
        details: whatever else was measured along the way.
    """

    name: str
    value: float
    standard_error: float | None
    unit: str
    protocol: str
    reference: str | None = None
    warning: str = ""
    details: dict[str, Any] = field(default_factory=dict)

    def record(self) -> dict[str, Any]:
        """As JSON can hold it."""
        return asdict(self)


@dataclass(frozen=True)
class Metric:
    """How a metric is measured: `measure(samples, dataset, split, with_reference)`."""

    check: Callable[[Dataset], None]  # raises ConfigError for data that it can't be measured on
    measure: Callable[[Array, Dataset, str, bool], Evaluation]
    higher_is_better: bool
    samples: int  # where the name gives no count


def evaluate(
    sampler: Sampler, dataset: Dataset, names: Sequence[str], *, split: str = "test", reference: bool = True
) -> list[Evaluation]:
    """Measure a generator on one split by every metric named.

    Args:
        sampler: the generator.
        dataset: what it was trained on.
        names: as in `parzen10k`, `modes2500`; a bare name takes the protocol's own count.
        split: "test", or "validation" for choices made while training.
        reference: also measure real samples under the same protocol.

    Raises:
        ConfigError: an unknown metric, one that this data can't be measured by, or samples and data of
            different shapes or ranges.
    """
    _check_alike(sampler, dataset)
    results = []
    for name in names:
        metric, count = check_metric(name, dataset)
        samples = sampler(range(count))
        result = metric.measure(samples, dataset, split, reference)
        results.append(result)
    return results


def find_metric(name: str) -> tuple[Metric, int]:
    """The metric and sample count of a name such as `parzen10k`.

    Raises:
        ConfigError: there is none of that name.
    """
    match = re.fullmatch(r"([a-z_]+?)(?:(\d+)(k?))?", name)
    if not match or match[1] not in METRICS:
        word = match[1] if match else name
        raise ConfigError(
            f"unknown metric {name!r}{suggest(word, METRICS)} (a sample count may follow: parzen10k)"
        )
    metric = METRICS[match[1]]
    count = int(match[2]) * (1000 if match[3] else 1) if match[2] else metric.samples
    if count < 1:
        raise ConfigError(f"metric {name!r} takes at least 1 sample; write, say, {match[1]}{metric.samples}")
    return metric, count


def check_metric(name: str, dataset: Dataset) -> tuple[Metric, int]:
    """`find_metric`, refused where the metric can't be measured on that data.

    Raises:
        ConfigError: there is none of that name, or the data lacks what it needs.
    """
    metric, count = find_metric(name)
    metric.check(dataset)
    return metric, count


def _check_alike(sampler: Sampler, dataset: Dataset) -> None:
    """Without this, values in [0, 1] would be compared with values in [−1, 1] and give a plausible number."""
    if sampler.sample_shape != dataset.sample_shape:
        shapes = f"samples of shape {sampler.sample_shape}, {dataset.name} examples of {dataset.sample_shape}"
        raise ConfigError(f"the generator makes {shapes}; measure it on the data it was trained on")
    if sampler.value_range != dataset.value_range:
        ranges = f"values in {sampler.value_range}, {dataset.name} has {dataset.value_range}"
        raise ConfigError(f"the generator makes {ranges}; open the data with the generator's value_range")


def count_name(count: int) -> str:
    """10000 -> 10k, 2500 -> 2500."""
    return f"{count // 1000}k" if count % 1000 == 0 else str(count)


def unit_interval(x: Array, value_range: tuple[float, float] | None) -> Array:
    """float32 in [0, 1]: uint8 images / 255, samples and float images by `value_range`, clipped."""
    if x.dtype == np.uint8:
        return x.astype(np.float32) / 255
    low, high = value_range or (0.0, 1.0)
    return np.clip((x - low) / (high - low), 0, 1).astype(np.float32)


def measure_parzen(samples: Array, dataset: Dataset, split: str, with_reference: bool) -> Evaluation:
    """Parzen-window log-likelihood, the number of the 2014 paper's Table 1."""
    validation = unit_interval(dataset.validation.x[:SIGMA_EXAMPLES], dataset.value_range)
    scored = (
        validation if split == "validation" else unit_interval(dataset.split(split).x, dataset.value_range)
    )

    def score(x: Array) -> parzen_window.ParzenResult:
        return parzen_window.parzen(unit_interval(x, dataset.value_range), validation, scored)

    result, reference = score(samples), None
    if with_reference:
        train = dataset.train.x
        chosen = np.random.default_rng(0).permutation(len(train))[: len(samples)]
        real = score(train[np.sort(chosen)])
        reference = (
            f"{len(chosen):,} real training examples score {real.mean:.1f} ± {real.standard_error:.1f} "
            f"(sigma {real.sigma:.3f})"
        )
    return Evaluation(
        name=f"parzen{count_name(len(samples))}",
        value=result.mean,
        standard_error=result.standard_error,
        unit="nats",
        protocol=f"{len(samples):,} samples; sigma {result.sigma:.4f}, chosen on {len(validation):,} "
        f"validation examples; mean over {result.test_examples:,} {split} examples ± its standard error",
        reference=reference,
        warning=parzen_window.describe(),
        details={"sigma": result.sigma, "validation": result.validation_mean},
    )


def measure_modes(samples: Array, dataset: Dataset, split: str, with_reference: bool) -> Evaluation:
    """Modes captured of a known mixture, with the share of high-quality samples."""
    mixture = counted_modes(dataset.density)
    assert mixture is not None  # by needs_modes
    result = mode_coverage(torch.from_numpy(samples), mixture.modes, mixture.std)
    return Evaluation(
        name=f"modes{count_name(len(samples))}",
        value=float(result.captured),
        standard_error=None,
        unit=f"of {result.total} modes",
        protocol=f"{len(samples):,} samples; high quality within 3 standard deviations of the nearest mode: "
        f"{100 * result.high_quality:.2f} ± {100 * result.high_quality_error:.2f} %; "
        f"reverse KL over modes {result.reverse_kl:.3f} nats",
        reference=f"perfect samples: {result.total} modes, {100 * result.perfect:.2f} % of high quality",
        warning="A generator may hit every mode and still get the shape within a mode wrong.",
        details=result._asdict(),
    )


def measure_leaks(samples: Array, dataset: Dataset, split: str, with_reference: bool) -> Evaluation:
    """How many samples look augmented, by the transformation of which most of them do."""
    frame = frame_of(dataset.sample_shape, dataset.value_range, dataset.premultiplied)
    compared = dataset.split(split).x
    half = len(compared) // 2 if with_reference else len(compared)
    train, held_out = dataset.train.x[:LEAKS_TRAIN], compared[: min(half, len(samples))]
    others = [samples, *([compared[half : half + len(samples)]] if with_reference else [])]
    images = [_centred(x, dataset.value_range) for x in (train, held_out, *others)]
    found, *floor = leaks(images[0], images[1], images[2:], frame)
    share = max((leak.share for leak in found if leak.leaked), default=0.0)
    return Evaluation(
        name=f"leaks{count_name(len(samples))}",
        value=100 * share,
        standard_error=None,
        unit="% of samples look augmented",
        protocol=f"{len(samples):,} samples against {len(held_out):,} {split} images, by a network that "
        f"learnt from {len(train):,} training images what each transformation makes of them; Fisher's exact "
        f"test at 5 % for all together: {_leaks_said(found)}",
        reference=f"{len(others[1]):,} other {split} images: {_leaks_said(floor[0])}" if floor else None,
        warning="A generator that is far from the data may look augmented without having been taught it; and "
        "mirror images are no leak where mirror=true.",
        details={leak.name: leak._asdict() for leak in found},
    )


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


def needs_range(dataset: Dataset) -> None:
    """The 2014 protocol is one for values in [0, 1]."""
    if dataset.value_range is None:
        raise ConfigError(
            f"metric 'parzen' needs values of a known range, and {dataset.name} has none; use another metric"
        )


def needs_modes(dataset: Dataset) -> None:
    """Only a mixture of separate Gaussians has modes to count."""
    if counted_modes(dataset.density) is None:
        raise ConfigError(
            f"metric 'modes' needs a mixture of known modes, and {dataset.name} is none; use another metric"
        )


def needs_images(dataset: Dataset) -> None:
    """Only images are augmented."""
    if len(dataset.sample_shape) != 3 or dataset.value_range is None:
        shape = dataset.sample_shape
        raise ConfigError(f"metric 'leaks' is one of images, and examples have {shape}; use another metric")


METRICS: dict[str, Metric] = {
    "parzen": Metric(needs_range, measure_parzen, higher_is_better=True, samples=10_000),
    "modes": Metric(needs_modes, measure_modes, higher_is_better=True, samples=2_500),
    "leaks": Metric(needs_images, measure_leaks, higher_is_better=False, samples=2_000),
}
