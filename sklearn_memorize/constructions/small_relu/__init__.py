"""Small ReLU networks: about 2 sqrt(N) nodes in each of two layers."""

from ._estimator import SmallReLUClassifier, SmallReLURegressor

__all__ = ["SmallReLUClassifier", "SmallReLURegressor"]
