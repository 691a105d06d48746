"""Networks with fixed weights that turn images into vectors, for the metrics that compare distributions."""

from .extractor import FeatureExtractor, Features, identity

__all__ = ["FeatureExtractor", "Features", "identity"]
