"""From a name such as `kernel10k` to the metric and its sample count."""

from __future__ import annotations

import re

from ..data.dataset import Dataset
from ..data.distributions import counted_modes
from ..errors import ConfigError, suggest
from .metric import Metric
from .record import count_name
from .table import METRICS

ENOUGH = 5_000  # real examples for the covariance of some hundred features


def find_metric(name: str) -> tuple[Metric, int]:
    """The metric and sample count of a name such as `parzen10k`.

    Raises:
        ConfigError: there is none of that name.
    """
    match = re.fullmatch(r"([a-z_]+?)(?:(\d+)(k?))?", name)
    if not match or match[1] not in METRICS:
        word = match[1] if match else name
        raise ConfigError(
            f"unknown metric {name!r}{suggest(word, METRICS)} (a sample count may follow: kernel10k); "
            "evenodds evaluate --metrics help says what each of them is"
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
    distance = [f"frechet{count}"] if size >= ENOUGH else []
    return [*stacks, *distance, f"kernel{count}", f"coverage{count}"]
