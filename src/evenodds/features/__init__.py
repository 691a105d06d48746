"""Networks with fixed weights that turn images into vectors, for the metrics that compare distributions."""

from .extractor import FeatureExtractor, Features, identity
from .opening import EXTRACTORS, open_extractor, suitable

__all__ = ["EXTRACTORS", "FeatureExtractor", "Features", "identity", "open_extractor", "suitable"]
