"""Memorization that generalizes: cells around the points of a nearby set."""

from ._estimator import NearbySetClassifier

__all__ = ["NearbySetClassifier"]
