"""What a metric is, and data that it can't be measured on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ..data.dataset import Dataset
from ..errors import ConfigError
from .frechet_limits import needs_classes
from .record import Evaluation
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
        needs: "features", "logits" (of a network that classifies), "either" (logits where there are),
            "distance" (between images, in a file of the user's), or "".
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


def needs_intra_fid(dataset: Dataset) -> None:
    """Images with classes."""
    needs_pictures(dataset)
    needs_classes(dataset)
