"""Slabs around hyperplanes through groups of d points (Baum, 1988).

Through d points in general position goes one hyperplane {x : <a, x> = b}, which holds
no other point. Two threshold units enclose it in a slab {x : lower < <a, x> <= upper}
that holds no point of another class, and a class is the OR of its slabs:
2 ceil(n / d) + 1 units for n points.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from scipy import linalg, sparse

from .. import kernels
from ..network import Layer, Network
from ..network._exact import SMALLEST_NORMAL, rounding

__all__ = ["DegenerateGroupError", "Frame", "Slab", "SlabNetwork", "find_slabs"]

_DOUBLE = 2.0**-53
# Directions that are tried where a group leaves a choice.
_N_DIRECTIONS = 8
# Columns are scaled by powers of two up to this one.
_LARGEST_EXPONENT = 960
_BLOCK_VALUES = 1 << 22


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


@dataclass(frozen=True)
class Slab:
    """The set of x with lower < <normal, x> <= upper.

    Parameters
    ----------
    normal : ndarray of shape (n_features,)
        Normal vector a.
    lower, upper : float
        The two thresholds.
    members : ndarray
        Positions of the points the slab was built for.
    """

    normal: np.ndarray = field(repr=False)
    lower: float
    upper: float
    members: np.ndarray = field(repr=False)


class Frame:
    """Coordinates in the affine hull of the points, and bounds of rounding errors.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features)
        The points, in double precision.
    """

    def __init__(self, X: np.ndarray):
        self._X = X
        self._magnitudes = np.abs(X)
        # Each difference is rounded once, so it keeps its relative precision.
        differences = X - X[0]
        largest = np.abs(differences).max(axis=0)
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


def _thresholds(values, errors, members, strangers):
    """Return lower and upper threshold, and the strangers that leave no room."""
    low = (values[members] - errors[members]).min()
    high = (values[members] + errors[members]).max()
    outer_high = values[strangers] - errors[strangers]
    outer_low = values[strangers] + errors[strangers]
    on_it = (outer_low >= low) & (outer_high <= high)
    if on_it.any():
        return 0.0, 0.0, strangers[on_it]
    width = 1.0 + abs(low) + abs(high)
    below = outer_low[outer_low < low].max(initial=low - width)
    above = outer_high[outer_high > high].min(initial=high + width)
    lower, upper = below + (low - below) / 2, high + (above - high) / 2
    # Where nothing lies between two doubles: lower < x and not upper < x still hold.
    return (lower if lower < low else below), (upper if upper < above else high), []


def _slab(frame, normal, members, strangers):
    """Return the slab around some points, or the strangers that are in the way."""
    values, errors = frame.projections(normal)
    lower, upper, on_it = _thresholds(values, errors, members, strangers)
    return None if len(on_it) else Slab(normal, lower, upper, members), on_it


def _slab_around(frame, members, strangers, rng) -> Slab:
    """Enclose the points of a group.

    Raises
    ------
    DegenerateGroupError
        If no hyperplane through the group was found that keeps clear of the strangers.
    """
    for normal in frame.normals(members, rng):
        slab, on_it = _slab(frame, normal, members, strangers)
        if slab is not None:
            return slab
    if len(members) == 1:
        for feature in frame.differing_features(members[0], strangers):
            slab, on_it = _slab(frame, frame.axis(feature), members, strangers)
            if slab is not None:
                return slab
    raise DegenerateGroupError(members, on_it)


def find_slabs(frame, members, strangers, split, rng) -> list[Slab]:
    """Cover the points of a class by slabs that hold no point of another class.

    Parameters
    ----------
    frame : Frame
        The points.
    members : ndarray
        Positions of the points of the class.
    strangers : ndarray
        Positions of the points of all other classes.
    split : bool
        Whether a group is made smaller, by an eighth at a time, where a hyperplane
        through it meets a stranger; otherwise this is an error.
    rng : numpy.random.Generator
        Shuffles the points, and chooses among several hyperplanes.

    Returns
    -------
    slabs : list of Slab
        ceil(n / d) slabs for n points in general position whose affine hull has
        dimension d.

    Raises
    ------
    DegenerateGroupError
        If the points are not in general position, and smaller groups are not allowed
        or do not help.
    """
    left = rng.permutation(members)
    size = frame.dimension
    slabs = []
    while len(left):
        group = left[:size]
        try:
            slabs.append(_slab_around(frame, group, strangers, rng))
        except DegenerateGroupError:
            if not split or len(group) == 1:
                raise
            size = len(group) - -(-len(group) // 8)
        else:
            left, size = left[size:], frame.dimension
    assert split or len(slabs) == -(-len(members) // frame.dimension)
    return slabs


class SlabNetwork(Network):
    """Two threshold units for each slab, then one unit for each class.

    Parameters
    ----------
    slabs : sequence of Slab
        The slabs.
    labels : ndarray of shape (n_slabs,)
        Class number of each slab.
    n_classes : int
        Number of classes, at least 2.
    default : int
        The class of what lies in no slab.
    """

    def __init__(self, slabs, labels, n_classes, default):
        self._normals = np.array([slab.normal for slab in slabs])
        self._lower = np.array([slab.lower for slab in slabs])
        self._upper = np.array([slab.upper for slab in slabs])
        # u_i = [<a_i, x> > lower_i], v_i = [<a_i, x> > upper_i], and u_i - v_i is 1
        # in slab i and 0 elsewhere.
        # Class c: [sum over its slabs (u_i - v_i) > 0]; default: [1 - sum (...) > 0].
        member = (np.arange(n_classes)[:, np.newaxis] == labels) * 1
        member[default] = -1
        biases = (np.arange(n_classes) == default) * 1
        if n_classes == 2:
            member, biases = member[1:], biases[1:]
        weights = np.vstack([self._normals, self._normals])
        self._layers = (
            Layer(weights, -np.append(self._lower, self._upper), "threshold"),
            Layer(np.hstack([member, -member]), biases, "threshold"),
        )

    @property
    def layers(self) -> tuple[Layer, ...]:
        """The slab units and the class units."""
        return self._layers

    def forward(self, X) -> np.ndarray:
        """Evaluate the network, each sum in a fixed order; see `Network.forward`."""
        step = max(1, _BLOCK_VALUES // max(self._normals.shape))
        outputs = [
            self._class_units(X[start : start + step])
            for start in range(0, X.shape[0], step)
        ]
        return np.concatenate(outputs)

    def _class_units(self, rows) -> np.ndarray:
        rows = rows.toarray() if sparse.issparse(rows) else rows
        values = kernels.ordered_product(rows, self._normals)
        units = np.hstack([values > self._lower, values > self._upper]) * 1.0
        return self._layers[1].forward(units)
