"""Bounds of squared distances to many points, from few numbers for each.

With k orthonormal columns Q, h(x) = Q'x, and t(x) = |x - Q h(x)|, the length of what
they leave out, the squared distance of two points is bounded by

    |h(x) - h(y)|^2 + (t(x) -+ t(y))^2,

from below with the minus sign and from above with the plus sign. Where points vary in
few directions more than in others, these bounds are close, and their products take k
operations a pair. Each bound is one product of vectors, in which squares and errors
are coordinates: <(-2 h(x), -2 t(x), |x|^2 - error, 1), (h(y), t(y), 1, |y|^2)>.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np

from ..kernels._threads import one_blas_thread
from ._distances import ACCURACY, FEATURES_FOR_SINGLE, LEAST_RADIUS

# Directions are found from about this many points, by so many steps.
_N_SEEN = 1024
_N_STEPS = 3
# They are as many as leave out so much of the variance, up to this part of all
# features, and are of no use if they leave out more than that.
_LEFT_OUT = 0.03
_PART_OF_FEATURES = 4
_MOST_LEFT_OUT = 0.12
# Of fewer points all distances are computed as soon.
_LEAST_POINTS = 1024


class Screen:
    """Points, and bounds of the squared distances of rows to them.

    Points and rows are of shape (n, n_features), around a center that both have. The
    bounds hold for the distances of real numbers and for `squared_distances`.
    """

    def __init__(self, points: np.ndarray):
        single = points.shape[1] >= FEATURES_FOR_SINGLE
        self.dtype: np.dtype[Any] = np.dtype(np.float32 if single else np.float64)
        self._directions = None
        if single and len(points) >= _LEAST_POINTS:
            # Decompositions of so few numbers take longer on several threads.
            with one_blas_thread():
                self._directions = _leading_directions(points)
        parts = self._parts(points)
        self._norms = _squares(parts)
        self._radius = float(np.sqrt(_squares(points).max(initial=0.0)))
        self.is_usable = self._radius > LEAST_RADIUS
        self._targets = self._factors(parts, 1.0, self._norms)
        # A product of n terms, in any order of summation, is wrong by no more than
        # (n + 2) eps / 2 times the sum of their sizes, its factors being rounded.
        eps = float(np.finfo(self.dtype).eps)
        self._unit = 0.53 * (self._targets.shape[1] + 6) * eps + ACCURACY
        self._unit += 8 * self._looseness

    def __len__(self) -> int:
        return len(self._targets)

    @property
    def is_narrow(self) -> bool:
        """Whether bounds take far less time than distances."""
        return self.is_usable and self._directions is not None

    @cached_property
    def _looseness(self) -> float:
        """Bound what is wrong with parts of points, as a part of their norms."""
        if self._directions is None:
            return 0.0
        n_features, n_directions = self._directions.shape
        products = self._directions.T @ self._directions
        lost = float(np.linalg.norm(products - np.eye(n_directions)))
        return 4 * (lost + (n_features + n_directions) * n_directions**0.5 * 2.0**-52)

    def _parts(self, centered: np.ndarray) -> np.ndarray:
        """Return h(x) and t(x) of points, or the points themselves."""
        if self._directions is None:
            return centered
        heads = centered @ self._directions
        rests = centered - heads @ self._directions.T
        return np.column_stack([heads, np.sqrt(_squares(rests))])

    def _factors(self, parts, first, second) -> np.ndarray:
        factors = np.empty((len(parts), parts.shape[1] + 2), dtype=self.dtype)
        factors[:, :-2] = parts
        factors[:, -2], factors[:, -1] = first, second
        return factors

    def _errors(self, rows: np.ndarray) -> np.ndarray:
        """Return how much lower than what is computed the bounds of rows are."""
        return self._unit * np.square(np.sqrt(_squares(rows)) + self._radius)

    def are_near(self, rows: np.ndarray) -> np.ndarray:
        """Return which rows are so near that their bounds are finite numbers."""
        # Errors are far more than 2**-31 of the squares that are computed.
        return self._errors(rows) < float(np.finfo(self.dtype).max) ** 0.5

    def lower_bounds(self, rows: np.ndarray) -> np.ndarray:
        """Bound the squared distances of rows to all points from below."""
        parts = self._parts(rows)
        norms = _squares(parts) - self._errors(rows)
        return self._factors(-2.0 * parts, norms, 1.0) @ self._targets.T

    def lower_bounds_among(self, left: np.ndarray, right) -> np.ndarray:
        """Bound the squared distances of points, given by index, from below."""
        return self._among(left, -1) @ self._targets[right].T

    def upper_bounds_among(self, left: np.ndarray) -> np.ndarray:
        """Bound the squared distances of some points to all from above."""
        return self._among(left, 1) @ self._targets.T

    def _among(self, places: np.ndarray, sign: int) -> np.ndarray:
        factors = -2 * self._targets[places]
        if self._directions is not None and sign == 1:
            factors[:, -3] *= -1
        # The norms of parts are those of points, up to rounding.
        error = 1.01 * self._unit * (2 * self._radius) ** 2
        factors[:, -2] = self._norms[places] + sign * error
        factors[:, -1] = 1
        return factors


def _squares(rows: np.ndarray) -> np.ndarray:
    """Return the squared norms of rows."""
    return np.einsum("ij,ij->i", rows, rows)


def _leading_directions(centered: np.ndarray) -> np.ndarray | None:
    """Return orthonormal columns, in the directions in which points vary most.

    Returns None if points vary in too many directions. Which ones are found matters
    for speed alone.
    """
    some = centered[:: -(-len(centered) // _N_SEEN)]
    some = some - some.mean(axis=0)
    n_features = some.shape[1]
    directions = np.random.default_rng(0).standard_normal(
        (n_features, n_features // _PART_OF_FEATURES)
    )
    for _ in range(_N_STEPS):
        directions = np.linalg.qr(some.T @ (some @ directions))[0]
    seen = some @ directions
    variances, rotation = np.linalg.eigh(seen.T @ seen)
    total = np.square(some).sum()
    left_out = total - np.cumsum(variances[::-1])
    if not left_out[-1] <= _MOST_LEFT_OUT * total or total == 0:
        return None
    n_wanted = int(np.argmax(left_out <= max(_LEFT_OUT * total, left_out[-1]))) + 1
    return directions @ rotation[:, ::-1][:, :n_wanted]
