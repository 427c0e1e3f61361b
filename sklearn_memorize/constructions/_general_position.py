"""Hyperplanes through groups of points, and the points that come too close to them.

Points of R^d are in general position if no d + 1 of them lie on a hyperplane: then a
hyperplane through d of them holds no other one.
"""

from __future__ import annotations

import numpy as np
from scipy import linalg

from ..exact._signs import SMALLEST_NORMAL, rounding

__all__ = ["DegenerateGroupError", "Frame", "room"]

_DOUBLE = 2.0**-53
# Directions that are tried where a group leaves a choice.
_N_DIRECTIONS = 8
# Columns are scaled by powers of two up to this one.
_LARGEST_EXPONENT = 960


class DegenerateGroupError(ValueError):
    """A hyperplane through a group of points comes too close to another class.

    Parameters
    ----------
    members : ndarray
        Positions of the points of the group.
    strangers : ndarray
        Positions of the points of other classes on the hyperplane, up to rounding.
    """

    def __init__(self, members, strangers):
        super().__init__("degenerate group")
        self.members = members
        self.strangers = strangers


class Frame:
    """Coordinates in the affine hull of the points, and bounds of rounding errors.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features)
        The points, in double precision.

    Raises
    ------
    ValueError
        If the distances between the points overflow.
    """

    def __init__(self, X: np.ndarray):
        self._X = X
        self._magnitudes = np.abs(X)
        # Each difference is rounded once, so it keeps its relative precision.
        with np.errstate(over="ignore"):
            differences = X - X[0]
        largest = np.abs(differences).max(axis=0)
        if not np.isfinite(largest).all():
            raise ValueError(
                f"Samples as large as {self._magnitudes.max():.3g} leave no room in "
                "double precision for distances between them. Scale the features down."
            )
        exponents = np.clip(np.frexp(largest)[1], -_LARGEST_EXPONENT, _LARGEST_EXPONENT)
        self._scale = np.ldexp((largest > 0) * 1.0, -exponents)
        differences *= self._scale
        self._basis = _row_space(differences)
        self._coordinates = differences @ self._basis

    @property
    def dimension(self) -> int:
        """Dimension of the affine hull, the number of points of a group."""
        return self._basis.shape[1]

    @property
    def n_features(self) -> int:
        """Number of features."""
        return self._X.shape[1]

    def normals(self, members, rng):
        """Yield normal vectors of random hyperplanes through some points."""
        rows = self._coordinates[members]
        complement = _complement(rows[1:] - rows[0])
        n_choices = complement.shape[1]
        for _ in range(_N_DIRECTIONS if n_choices > 1 else 1):
            coefficients = rng.standard_normal(n_choices)
            direction = complement @ (coefficients / np.linalg.norm(coefficients))
            yield self._single(self._basis @ direction * self._scale)

    def axis(self, feature: int) -> np.ndarray:
        """Return the normal vector of the hyperplanes on which a feature is constant.

        Its one entry is a power of two, so products with it are exact, unless they
        underflow.
        """
        normal = np.zeros(self.n_features)
        normal[feature] = self._scale[feature]
        return normal

    def _single(self, normal) -> np.ndarray:
        used = np.flatnonzero(normal)
        return self.axis(used[0]) if len(used) == 1 else normal

    def projections(self, normal) -> tuple[np.ndarray, np.ndarray]:
        """Return <normal, x> for all points, and how far any evaluation may be off.

        Two evaluations in double precision, whatever the order of their sums, differ
        by at most the second value.
        """
        values = self._X @ normal
        n_terms = int(np.count_nonzero(normal))
        if n_terms == 1:
            return values, np.zeros(len(values))
        magnitudes = self._magnitudes @ np.abs(normal)
        # 2 gamma_k sum |a_j x_j|, doubled for the rounding of the bound itself.
        errors = 4 * rounding(n_terms + 1, _DOUBLE) * magnitudes
        return values, errors + n_terms * SMALLEST_NORMAL

    def differing_features(self, member, strangers) -> np.ndarray:
        """Return the features in which a point differs from all strangers."""
        differs = self._X[strangers] != self._X[member]
        return np.flatnonzero(differs.all(axis=0) & (self._scale > 0))


def _row_space(rows) -> np.ndarray:
    """Return an orthonormal basis, shape (n_features, rank), of what rows span."""
    if rows.shape[0] > rows.shape[1]:
        rows = linalg.qr(rows, mode="r")[0][: rows.shape[1]]
    _, values, basis = linalg.svd(rows, full_matrices=False)
    tolerance = max(rows.shape) * np.finfo(float).eps * values[0]
    return basis[values > tolerance].T


def _complement(rows) -> np.ndarray:
    """Return an orthonormal basis of what is orthogonal to few enough rows."""
    if len(rows) == 0:
        return np.eye(rows.shape[1])
    basis, triangle, _ = linalg.qr(rows.T, pivoting=True)
    sizes = np.abs(np.diag(triangle))
    tolerance = max(rows.shape) * np.finfo(float).eps * sizes[0]
    return basis[:, np.count_nonzero(sizes > tolerance) :]


def room(values, errors, members, strangers):
    """Measure the room between the members of a group and all strangers, on a line.

    Parameters
    ----------
    values, errors : ndarray of shape (n_samples,)
        Positions of the points on the line, and how far each of them may be off.
    members, strangers : ndarray
        Which points belong to the group, and which are to be kept out.

    Returns
    -------
    below, low, high, above : float
        All members lie in [low, high], and all strangers outside of (below, above).
    on_it : ndarray
        The strangers that come too close to tell; if any, the rest means nothing.
    """
    low = (values[members] - errors[members]).min()
    high = (values[members] + errors[members]).max()
    outer_high = values[strangers] - errors[strangers]
    outer_low = values[strangers] + errors[strangers]
    on_it = strangers[(outer_low >= low) & (outer_high <= high)]
    width = 1.0 + abs(low) + abs(high)
    below = outer_low[outer_low < low].max(initial=low - width)
    above = outer_high[outer_high > high].min(initial=high + width)
    return below, low, high, above, on_it
