"""Yun, Sra, Jadbabaie (2019): two hidden layers with 4 floor(d1/4) floor(d2/4) >= N."""

import math

from .._record import Geometry, Prediction


def predict_size(geometry: Geometry, estimator) -> Prediction:
    """Return the size of two hidden layers of equal width."""
    n = geometry.n_samples
    width = 4 * math.ceil(math.sqrt(n) / 2)
    deeper = getattr(estimator, "n_layers", 3) > 3
    return Prediction(
        "distinct samples",
        True,
        f"{n} of {geometry.n_given} are distinct",
        "up to constants" if deeper else "at most",
        2 * width + 1,
        width * (geometry.n_features + width + 3) + 1,
        depth=None if deeper else 3,
    )
