"""The metrics by name."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from ..data.dataset import Dataset
from ..data.distributions import counted_modes
from ..errors import ConfigError, suggest
from .frechet import measure_frechet
from .kernel import measure_kernel
from .labelled import measure_nn_error, needs_labels
from .leaks import measure_leaks, needs_images
from .manifold import measure_manifold, measure_two_sample
from .memorization import measure_memorization
from .modes import measure_modes, measure_reverse_kl, needs_modes
from .parzen import measure_parzen, needs_range
from .record import Evaluation, count_name
from .score import measure_score
from .subject import Subject


@dataclass(frozen=True)
class Metric:
    """How a metric is measured, and what it takes.

    Args:
        check: raises ConfigError for data that it can't be measured on.
        measure: `(subject, count)`; of `subject.inception` where it is defined with that network.
        higher_is_better: whether it is.
        samples: where the name gives no count.
        says: what it is, in one line.
        needs: "features", "logits" (features of a network that classifies), or "" for neither.
        inception: whether the name stands for the number in Inception's features alone.
    """

    check: Callable[[Dataset], None]
    measure: Callable[[Subject, int], Evaluation]
    higher_is_better: bool
    samples: int
    says: str = ""
    needs: str = ""
    inception: bool = False


def anything(dataset: Dataset) -> None:
    """A metric's `check` that refuses no data."""


def needs_pictures(dataset: Dataset) -> None:
    """Inception sees images."""
    if len(dataset.sample_shape) != 3:
        raise ConfigError(
            f"fid, kid, is and mifid are of images, and {dataset.name} has examples of shape "
            f"{dataset.sample_shape}; use frechet or kernel"
        )


ENOUGH = 5_000

METRICS: dict[str, Metric] = {
    "fid": Metric(
        needs_pictures,
        partial(measure_frechet, name="fid"),
        higher_is_better=False,
        samples=50_000,
        says="Fréchet distance of Inception's features (Heusel et al. 2017)",
        needs="features",
        inception=True,
    ),
    "frechet": Metric(
        anything,
        measure_frechet,
        higher_is_better=False,
        samples=10_000,
        says="the same distance in any extractor's features",
        needs="features",
    ),
    "precision": Metric(
        anything,
        partial(measure_manifold, name="precision"),
        higher_is_better=True,
        samples=10_000,
        says="share of samples that are near real examples",
        needs="features",
    ),
    "recall": Metric(
        anything,
        partial(measure_manifold, name="recall"),
        higher_is_better=True,
        samples=10_000,
        says="share of real examples that are near samples",
        needs="features",
    ),
    "density": Metric(
        anything,
        partial(measure_manifold, name="density"),
        higher_is_better=True,
        samples=10_000,
        says="how densely real examples lie around samples",
        needs="features",
    ),
    "coverage": Metric(
        anything,
        partial(measure_manifold, name="coverage"),
        higher_is_better=True,
        samples=10_000,
        says="share of real examples with a sample as near as their own neighbours",
        needs="features",
    ),
    "two_sample": Metric(
        anything,
        measure_two_sample,
        higher_is_better=False,
        samples=5_000,
        says="how often a nearest neighbour tells samples from real examples; 1/2 is chance",
        needs="features",
    ),
    "memorization": Metric(
        anything,
        measure_memorization,
        higher_is_better=True,
        samples=10_000,
        says="p-value of a test for copies of training examples; small means copies",
        needs="features",
    ),
    "nn_error": Metric(
        needs_labels,
        measure_nn_error,
        higher_is_better=False,
        samples=10_000,
        says="error on real examples of a nearest-neighbour classifier taught by samples",
    ),
    "kid": Metric(
        needs_pictures,
        partial(measure_kernel, name="kid"),
        higher_is_better=False,
        samples=10_000,
        says="kernel distance of Inception's features, without bias (Bińkowski et al. 2018)",
        needs="features",
        inception=True,
    ),
    "kernel": Metric(
        anything,
        measure_kernel,
        higher_is_better=False,
        samples=10_000,
        says="the same distance in any extractor's features",
        needs="features",
    ),
    "is": Metric(
        needs_pictures,
        partial(measure_score, name="is"),
        higher_is_better=True,
        samples=50_000,
        says="Inception score (Salimans et al. 2016)",
        needs="logits",
        inception=True,
    ),
    "classifier_score": Metric(
        anything,
        measure_score,
        higher_is_better=True,
        samples=10_000,
        says="the same score with any classifier that tells the data's classes apart",
        needs="logits",
    ),
    "parzen": Metric(
        needs_range,
        measure_parzen,
        higher_is_better=True,
        samples=10_000,
        says="log-likelihood by a Parzen window, as in the 2014 paper",
    ),
    "modes": Metric(
        needs_modes,
        measure_modes,
        higher_is_better=True,
        samples=2_500,
        says="modes captured of known ones",
    ),
    "reverse_kl": Metric(
        needs_modes,
        measure_reverse_kl,
        higher_is_better=False,
        samples=26_000,
        says="how unevenly the same modes are reached: KL(samples over modes ‖ equal frequencies)",
    ),
    "leaks": Metric(
        needs_images,
        measure_leaks,
        higher_is_better=False,
        samples=2_000,
        says="share of samples that look augmented",
    ),
}


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


def natural_metrics(dataset: Dataset, split: str) -> list[str]:
    """A few that suit the data and are cheap, for whoever names none.

    Args:
        dataset: to measure on.
        split: to compare with; as many samples as it has examples, in round numbers, say what can be said.
    """
    if counted_modes(dataset.density) is not None:
        return ["modes2500"]
    size = len(dataset.split(split))
    round_numbers = (10_000, 5_000, 2_000, 1_000, 500, 200, 100)
    count = count_name(next((number for number in round_numbers if number <= size), 100))
    if len(dataset.sample_shape) != 3:
        density = ["parzen10k"] if dataset.value_range is not None else []
        return [*density, f"kernel{count}", f"two_sample{count_name(min(size, 5_000))}"]
    stacks = ["modes26k", "reverse_kl26k"] if dataset.mode_classifier is not None else []
    # below that many examples a covariance of some hundred features says little
    distance = [f"frechet{count}"] if size >= ENOUGH else []
    return [*stacks, *distance, f"kernel{count}", f"coverage{count}"]
