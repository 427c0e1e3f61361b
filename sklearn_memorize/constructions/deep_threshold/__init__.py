"""Deep threshold networks (Rajput, Sreenivasan, Papailiopoulos and Karbasi, 2021)."""

from ._estimator import DeepThresholdClassifier

__all__ = ["DeepThresholdClassifier"]
