"""Vectors as their own features: for data of few numbers, where no network has to be asked."""

from __future__ import annotations

import math

from torch import Tensor

from ..errors import ConfigError
from .extractor import Features


class Values:
    """The numbers of an example as they are, one after the other.

    Args:
        sample_shape: of an example.
    """

    def __init__(self, sample_shape: tuple[int, ...]) -> None:
        self.name, self.precision = "values", "float32"
        self.sha256 = ""
        self.preprocessing = "the numbers as they are"
        self.dim = math.prod(sample_shape)
        self.classes: int | None = None

    def __call__(self, images: Tensor) -> Features:
        """See `FeatureExtractor`; here (N, …) of any type of number.

        Raises:
            ConfigError: examples of another shape.
        """
        features = images.flatten(1)
        if len(images) == 0 or features.shape[1] != self.dim:
            shape = tuple(images.shape)
            raise ConfigError(f"the extractor values takes at least 1 row of {self.dim} numbers, not {shape}")
        return Features(features.float().cpu(), None)
