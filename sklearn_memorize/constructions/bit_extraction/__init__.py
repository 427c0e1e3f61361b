"""ReLU networks with about sqrt(N log N) parameters, by extracting bits."""

from ._estimator import BitExtractionClassifier

__all__ = ["BitExtractionClassifier"]
