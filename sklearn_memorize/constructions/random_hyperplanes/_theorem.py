"""Dirksen, Finke, Genzel (2024): sizes by a mutual covering of the classes."""

import math

import numpy as np

from .._record import Geometry, Prediction, classes_apart

_FAILURE = 0.05  # eta, the probability that the theorem fails


def predict_size(geometry: Geometry, estimator) -> Prediction:
    """Return n = lambda log(M- M+ / eta) / delta + lambda omega^2 / delta^3, and M-."""
    met, evidence = classes_apart(geometry)
    delta = geometry.delta
    bias = max(float(getattr(estimator, "max_bias", 1.0)), delta)
    balls = np.max(geometry.n_own_balls * geometry.n_rest_balls)
    n_hyperplanes = bias * math.log(balls / _FAILURE) / delta
    n_hyperplanes += bias * float(geometry.omega) ** 2 / delta / delta / delta
    width = int(geometry.n_own_balls.sum())
    return Prediction(
        "classes at distance delta",
        met,
        f"{evidence}, M- = {width}, omega = {geometry.omega:.2g} R",
        "up to constants",
        n_hyperplanes + width + geometry.n_classes,
        n_hyperplanes * (geometry.n_features + 1) + (n_hyperplanes + 2) * width,
    )
