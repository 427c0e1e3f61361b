"""Baum (1988): two units for each d samples of every class but the largest."""

import math

import numpy as np

from .._record import Geometry, Prediction, general_position, n_outputs


def predict_size(geometry: Geometry, estimator) -> Prediction:
    """Return the size of 2 ceil(n / d) units a class, and one output for each class."""
    sizes = np.sort(geometry.class_sizes)[:-1].tolist()
    n_slabs = sum(math.ceil(size / geometry.n_features) for size in sizes)
    # Two units a slab; one output reads them, with several classes two do.
    n_readers = 1 if geometry.n_classes == 2 else 2
    met, evidence = general_position(geometry, estimator)
    return Prediction(
        "general position",
        met,
        evidence,
        "at most",
        2 * n_slabs + n_outputs(geometry),
        2 * n_slabs * (geometry.n_features + 1 + n_readers) + 1,
        depth=2,
    )
