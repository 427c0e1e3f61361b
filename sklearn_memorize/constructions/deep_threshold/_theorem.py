"""Rajput et al. (2021): O(log N / delta + sqrt N) neurons, O(d log N / delta + N)."""

import math

from .._record import Geometry, Prediction, classes_apart


def predict_size(geometry: Geometry, estimator) -> Prediction:
    """Return log N / delta hyperplanes and the gates of the table, constants one."""
    met, evidence = classes_apart(geometry)
    n = geometry.n_samples
    n_hyperplanes = math.log(max(n, 2)) / geometry.delta
    return Prediction(
        "samples at distance delta",
        met,
        evidence,
        "up to constants",
        n_hyperplanes + math.sqrt(n),
        geometry.n_features * n_hyperplanes + n,
    )
