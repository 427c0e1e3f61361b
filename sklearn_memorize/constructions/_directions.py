"""Random directions on which the features of a data set count alike."""

from __future__ import annotations

import numpy as np
from scipy import sparse
from sklearn.utils.sparsefuncs import min_max_axis

__all__ = ["draw_directions", "feature_ranges"]

# Directions lie on a grid of this step, so that the projections of pixels are exact.
_DIRECTION_STEP = 2.0**-20


def draw_directions(
    X, rng, n_projections: int, step: float = _DIRECTION_STEP
) -> np.ndarray:
    """Draw Gaussian directions for features scaled to about [-1, 1].

    Every other direction scales by the range of a feature, the rest by its largest
    magnitude; powers of two keep this exact. Constant features get no weight.
    """
    low, high = feature_ranges(X)
    magnitude = np.maximum(np.abs(low), np.abs(high))
    spread = high / 2 - low / 2
    if X.shape[1] == 1:
        n_projections = 1
    normal = rng.standard_normal((n_projections, X.shape[1]))
    directions = np.round(normal / step) * step
    directions[0::2] *= _inverse_power_of_two(spread)
    directions[1::2] *= _inverse_power_of_two(magnitude)
    directions[:, low == high] = 0.0
    return directions


def feature_ranges(X) -> tuple[np.ndarray, np.ndarray]:
    """Return the smallest and the largest value of each feature."""
    if sparse.issparse(X):
        low, high = min_max_axis(X, axis=0)
    else:
        low, high = X.min(axis=0), X.max(axis=0)
    return low.astype(np.float64), high.astype(np.float64)


def _inverse_power_of_two(magnitudes: np.ndarray) -> np.ndarray:
    exponents = np.clip(np.frexp(magnitudes)[1], -1000, 1000)
    return np.ldexp(1.0, -exponents)
