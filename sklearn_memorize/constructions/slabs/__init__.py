"""Slabs around hyperplanes through groups of d points (Baum, 1988)."""

from ._estimator import SlabClassifier

__all__ = ["SlabClassifier"]
