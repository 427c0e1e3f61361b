"""Residual networks for samples in general position (Yun, Sra, Jadbabaie, 2019)."""

from ._estimator import ResidualMemorizingClassifier

__all__ = ["ResidualMemorizingClassifier"]
