"""Random ReLU features made linearly separable."""

from ._estimator import RandomReLUClassifier

__all__ = ["RandomReLUClassifier"]
