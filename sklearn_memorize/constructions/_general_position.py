"""Hyperplanes through groups of points, and the points that come too close to them.

Points of R^d are in general position if no d + 1 of them lie on a hyperplane: then a
hyperplane through d of them holds no other one. Two constructions build on that, each
in its way: slabs side by side, and residual blocks one after the other.
"""

from __future__ import annotations

from abc import abstractmethod
from functools import cached_property
from numbers import Integral
from typing import NamedTuple

import numpy as np
from scipy import linalg

from .._estimator._base import BaseMemorizingClassifier, constant_network
from .._estimator._callbacks import Progress
from .._estimator._parameters import threads_for
from .._estimator._sklearn import StrOptions, draw_seeds
from .._estimator._training_set import TrainingSet
from ..exact._signs import DOUBLE, SMALLEST_NORMAL, rounding
from ..exceptions import InterpolationError
from ..kernels._threads import one_blas_thread, run_in_threads
from ..network import Network
from ._beside import LEAST_FEATURES

# Directions that are tried where a group leaves a choice.
N_DIRECTIONS = 8
# Of so many other points that are looked at, so many on a hyperplane, up to rounding,
# leave no doubt that one is too close to it.
_LOOKED_AT = 1024
_CERTAIN = 64
# Two ways to compute a normal vector of unit length differ by less than this.
_NORMAL_ERROR = 2.0**-36
# Parts of unit vectors that are no rounding errors, nor their directions.
_SMALLEST_TILT = 2.0**-26
# Columns are scaled by powers of two up to this one.
_LARGEST_EXPONENT = 960
# Points are worked on in blocks of about this many values.
_BLOCK_VALUES = 1 << 18
# So many rows at once are one step of a product with a vector.
_ROWS_OF_A_STEP = 4


class DegenerateGroupError(ValueError):
    """A hyperplane through the points `members` comes too close to the points `others`.

    Both are positions; the others lie on the hyperplane, up to rounding.
    """

    def __init__(self, members, others):
        super().__init__("degenerate group")
        self.members = members
        self.others = others


class GeneralPositionClassifier(BaseMemorizingClassifier):
    """What slabs and residual blocks share: groups of d samples of one class."""

    _parameter_constraints: dict = {
        "degenerate": [StrOptions({"split", "raise"})],
        "conflicts": [StrOptions({"majority", "raise"})],
        "n_jobs": [Integral, None],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        *,
        degenerate="split",
        conflicts="majority",
        n_jobs=None,
        random_state=None,
    ):
        self.degenerate = degenerate
        self.conflicts = conflicts
        self.n_jobs = n_jobs
        self.random_state = random_state

    def _bytes_to_build(self, training: TrainingSet) -> int:
        return 8 * n_values_to_build(training)

    def _build(self, training: TrainingSet, progress: Progress):
        sizes = np.bincount(training.labels)
        default = largest_class(training.labels)
        network = constant_network(training.n_features)
        groups: list[np.ndarray] = []
        dimension = 0
        if training.n_classes > 1:
            network, groups, dimension = self._build_groups(training)
        n_groups = sum(-(-n // dimension) for n in np.delete(sizes, default))
        return {
            "network_": training.embedded(network),
            "default_class_": self.classes_[default],
            "group_size_": dimension,
            "groups_": [training.rows[group] for group in groups],
            "n_split_": len(groups) - int(n_groups),
        }, None

    def _build_groups(self, training: TrainingSet):
        X = training.dense_points()
        (seed,) = draw_seeds(self.random_state, 1)
        rng, split = np.random.default_rng(seed), self.degenerate == "split"
        try:
            # With several threads sums come in another order, and their number would
            # show in the last digits of the hyperplanes.
            with one_blas_thread():
                return self._construct(
                    X,
                    training.labels,
                    training.n_classes,
                    split=split,
                    rng=rng,
                    n_threads=threads_for(self.n_jobs),
                )
        except DegenerateGroupError as problem:
            raise self._not_in_general_position(X, training.rows, problem) from None

    @staticmethod
    @abstractmethod
    def _construct(
        X, labels, n_classes, *, split, rng, n_threads
    ) -> tuple[Network, list[np.ndarray], int]:
        """Return the network, the positions of each group's points, and d."""

    @staticmethod
    @abstractmethod
    def _not_in_general_position(X, rows, problem) -> InterpolationError:
        """Say which training samples are in the way of which group."""

    def _outputs(self, X) -> np.ndarray:
        if len(self.classes_) == 1:
            return self.network_.forward(X)
        return self.network_.forward(X, threads_for(self.n_jobs))


def n_values_to_build(training: TrainingSet) -> int:
    """Return how many numbers in double precision an affine hull takes."""
    # The points, differences, and two more for their row space, which is found by four
    # square matrices of the smaller size; and magnitudes of few features.
    n_copies = 4 if training.n_features >= LEAST_FEATURES else 5
    smaller = min(training.n_samples, training.n_features)
    return n_copies * training.n_values + 4 * smaller**2


def smaller(size: int) -> int:
    """Return the size of a group that is made smaller by an eighth."""
    return size - -(-size // 8)


def largest_class(labels) -> int:
    """Return the class of most samples, which needs no groups of its own."""
    return int(np.bincount(labels).argmax())


class SomePoints(NamedTuple):
    """Some of the points, by which a hyperplane is judged at first."""

    positions: np.ndarray
    rows: np.ndarray


class AffineHull:
    """Coordinates in the affine hull of the points, and bounds of rounding errors.

    The points are of shape (n_samples, n_features), in double precision. Where the
    distances between them overflow, this is a ValueError.
    """

    def __init__(self, X: np.ndarray, n_threads: int = 1):
        self._X = X
        self._n_threads = n_threads
        # |X|, where it is there already, or small enough to be kept.
        self._sizes = X if X.min() >= 0 else None
        if self._sizes is None and X.shape[1] < LEAST_FEATURES:
            self._sizes = np.abs(X)
        # Each difference is rounded once, so it keeps its relative precision.
        with np.errstate(over="ignore"):
            differences = X - X[0]
        largest = np.maximum(differences.max(axis=0), -differences.min(axis=0))
        if not np.isfinite(largest).all():
            raise ValueError(
                f"Samples as large as {np.abs(X).max():.3g} leave no room in "
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
    def n_points(self) -> int:
        """Number of points."""
        return self._X.shape[0]

    @property
    def n_features(self) -> int:
        """Number of features."""
        return self._X.shape[1]

    def through(self, members) -> HyperplanesThrough:
        """Return the hyperplanes through some points."""
        rows = self._coordinates[members]
        return HyperplanesThrough(self, rows[1:] - rows[0])

    @property
    def n_used_features(self) -> int:
        """Number of features that are not constant."""
        return int(np.count_nonzero(self._scale))

    @property
    def coordinates(self) -> np.ndarray:
        """Coordinates of the points, (n_points, dimension), with the first at 0."""
        return self._coordinates

    def in_coordinates(self, vectors) -> np.ndarray:
        """Return a for vectors in columns, with <vector, x - y> = a . (c(x) - c(y)).

        c(x) are the coordinates of a point. The vectors are those of `normal`.
        """
        return self._to_coordinates @ vectors

    @cached_property
    def _to_coordinates(self) -> np.ndarray:
        scales = np.where(self._scale > 0, self._scale, np.inf)
        return np.ascontiguousarray(self._basis.T / scales)

    def direction(self, feature: int) -> np.ndarray:
        """Return the direction along which a feature grows, up to its scale."""
        return self._basis[feature]

    def normal(self, direction) -> np.ndarray:
        """Return the normal vector of a direction in coordinates of the hull."""
        normal = self._basis @ direction * self._scale
        used = np.flatnonzero(normal)
        return self.axis(used[0]) if len(used) == 1 else normal

    def rough_normals(self, directions) -> np.ndarray:
        """Return what `normal` does, up to rounding, for directions in columns."""
        return self._basis @ directions * self._scale[:, np.newaxis]

    def some_of(self, others) -> SomePoints:
        """Return evenly chosen ones of the others, for `meets`."""
        positions = others[:: max(1, len(others) // _LOOKED_AT)]
        return SomePoints(positions, self._X[positions])

    def has_common_value(self, share: float) -> bool:
        """Return whether some feature is equal in so many of evenly chosen points."""
        some = self._X[:: max(1, self.n_points // _LOOKED_AT)][:, self._scale > 0]
        some = np.sort(some, axis=0)
        apart = max(1, int(share * len(some)))
        return bool((some[apart:] == some[:-apart]).any())

    def meets(self, normals, members, some: SomePoints) -> np.ndarray:
        """Return which hyperplanes through members come too close to others for sure.

        The normal vectors, in columns, are those of `rough_normals`. Among many points
        on a hyperplane, up to rounding, some lie between members that do. What is on
        several random hyperplanes is on all, for it is in the affine hull of the group.
        """
        of_members = self._X[members] @ normals
        of_others = some.rows @ normals
        low, high = of_members.min(axis=0), of_members.max(axis=0)
        inside = (of_others >= low) & (of_others <= high)
        inside[np.isin(some.positions, members)] = False
        on_all = inside.shape[1] > 1 and inside.all(axis=1).any()
        return (inside.sum(axis=0) >= _CERTAIN) | on_all

    def axis(self, feature: int) -> np.ndarray:
        """Return the normal vector of the hyperplanes on which a feature is constant.

        Its one entry is a power of two, so products with it are exact, unless they
        underflow.
        """
        normal = np.zeros(self.n_features)
        normal[feature] = self._scale[feature]
        return normal

    def projections(self, normal, rows=None) -> tuple[np.ndarray, np.ndarray]:
        """Return <normal, x> for all points, and how far any evaluation may be off.

        Two evaluations in double precision, whatever the order of their sums, differ
        by at most the second value. With `rows`, of the points at these positions.
        """
        n_terms = int(np.count_nonzero(normal))
        if rows is None or 2 * len(rows) > self.n_points:
            values, magnitudes = self._products(normal)
            if rows is not None:
                values, magnitudes = values[rows], magnitudes[rows]
        else:
            values, magnitudes = self._products_of(normal, rows)
        if n_terms == 1:
            return values, np.zeros(len(values))
        # 2 gamma_k sum |a_j x_j|, doubled for the rounding of the bound itself.
        errors = 4 * rounding(n_terms + 1, DOUBLE) * magnitudes
        return values, errors + n_terms * SMALLEST_NORMAL

    def _products(self, normal) -> np.ndarray:
        """Return X a and |X| |a| in blocks of whole steps, (2, n_points)."""
        n_points = self.n_points
        step = max(2, _BLOCK_VALUES // (_ROWS_OF_A_STEP * self.n_features))
        starts = list(range(0, n_points, step * _ROWS_OF_A_STEP))
        # One row alone is multiplied in another order.
        if len(starts) > 1 and n_points - starts[-1] < 2 * _ROWS_OF_A_STEP:
            starts.pop()
        blocks = map(slice, starts, [*starts[1:], n_points])
        products, sizes = np.empty((2, n_points)), np.abs(normal)

        def multiply(block) -> None:
            products[0, block] = self._X[block] @ normal
            products[1, block] = self._sizes_of(block) @ sizes

        run_in_threads(multiply, blocks, self._n_threads)
        return products

    def _products_of(self, normal, rows) -> np.ndarray:
        """Return X a and |X| |a| of some rows, to the last digit as of all of them.

        Linear algebra libraries multiply several rows in one step, and what is left
        over in another order: rows stay in the sort of step that they are in.
        """
        n_in_steps = self.n_points - self.n_points % _ROWS_OF_A_STEP
        is_last = rows >= n_in_steps
        inner = rows[~is_last]
        n_padded = -(-len(inner) // _ROWS_OF_A_STEP) * _ROWS_OF_A_STEP
        products, sizes = np.empty((2, len(rows))), np.abs(normal)
        some = self._X[np.resize(inner, n_padded)]
        products[0, ~is_last] = (some @ normal)[: len(inner)]
        products[1, ~is_last] = (np.abs(some) @ sizes)[: len(inner)]
        if is_last.any():
            start = max(0, n_in_steps - _ROWS_OF_A_STEP)
            last = rows[is_last] - start
            products[0, is_last] = (self._X[start:] @ normal)[last]
            products[1, is_last] = (np.abs(self._X[start:]) @ sizes)[last]
        return products

    def _sizes_of(self, block: slice) -> np.ndarray:
        """Return |X| of some rows."""
        return np.abs(self._X[block]) if self._sizes is None else self._sizes[block]

    def located(self, positions, normal, members, near):
        """Return what `positions` says of a group and of others, and where these are.

        `positions` is `projections`, or takes its arguments. Returns its arrays, and
        the places of members and others in them; a last array turns places into the
        positions of points. They are those of all points if most have to be looked at.
        """
        if 2 * (len(members) + len(near)) > self.n_points:
            return positions(normal), members, near, np.arange(self.n_points)
        rows = np.concatenate([members, near])
        places = np.arange(len(rows))
        n_members = len(members)
        return positions(normal, rows), places[:n_members], places[n_members:], rows

    def slopes(self, members, heights: np.ndarray) -> np.ndarray:
        """Return the slopes v, (n_outputs, n_features), of affine functions.

        They take the heights, (n_members, n_outputs), at some points, up to a constant;
        of all such slopes they are the smallest.
        """
        rows = self._coordinates[members]
        found = linalg.lstsq(rows[1:] - rows[0], heights[1:] - heights[0])[0]
        return np.ascontiguousarray((self._basis @ found).T * self._scale)

    def values(self, slopes: np.ndarray, rows=slice(None)) -> np.ndarray:
        """Return <v, x> for all points, or those at some positions, and some slopes."""
        return self._X[rows] @ slopes.T

    def rough_projections(
        self, normals, rows=slice(None)
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return what `projections` does for vectors in columns, (n_vectors, n_rows).

        The vectors are those of `rough_normals`. The values, up to a number that is the
        same for all points, are no farther from those of `projections` than the errors,
        one for each vector, and these are no smaller than its errors: with the scales s
        of the features, sum |a_j x_j| <= |a / s| |x s|.
        """
        errors = self.rough_errors(normals, rows)
        return normals.T @ self._X[rows].T, errors[:, np.newaxis]

    def rough_errors(self, normals, rows=slice(None)) -> np.ndarray:
        """Return the errors that `rough_projections` returns, (n_vectors,)."""
        used = self._scale > 0
        scaled = normals[used] / self._scale[used, np.newaxis]
        lengths = np.linalg.norm(scaled, axis=0) + self.normal_error
        units = 5 * rounding(self.n_features + 1, DOUBLE) * lengths
        errors = units * self._lengths[rows].max()
        errors += self.normal_error * self._spans[rows].max()
        return errors + self.n_features * SMALLEST_NORMAL

    def intervals(self, rows, normals) -> tuple[np.ndarray, np.ndarray]:
        """Return ends of intervals that hold the values of `projections`.

        They hold all that these may be off, and are (n_vectors, n_rows).
        """
        values, errors = self.rough_projections(normals, rows)
        return values - 2 * errors, values + 2 * errors

    @property
    def normal_error(self) -> float:
        """How far a vector of `rough_normals` may be from that of `normal`.

        This is the length of the difference, in units of the scales of the features.
        """
        return _NORMAL_ERROR

    @cached_property
    def _lengths(self) -> np.ndarray:
        """The lengths of the points in units of the scales."""
        lengths = np.empty(self.n_points)
        step = max(1, _BLOCK_VALUES // self.n_features)
        for start in range(0, self.n_points, step):
            scaled = self._X[start : start + step] * self._scale
            squares = np.einsum("ij,ij->i", scaled, scaled)
            lengths[start : start + step] = np.sqrt(squares)
        return lengths

    @cached_property
    def _spans(self) -> np.ndarray:
        """Bounds of the distances from the first point, in units of the scales."""
        squares = np.einsum("ij,ij->i", self._coordinates, self._coordinates)
        return np.sqrt(squares) * (1 + _NORMAL_ERROR)

    def differing_features(self, member, others) -> np.ndarray:
        """Return the features in which a point differs from all others."""
        differs = self._X[others] != self._X[member]
        return np.flatnonzero(differs.all(axis=0) & (self._scale > 0))


def _row_space(rows) -> np.ndarray:
    """Return an orthonormal basis, shape (n_features, rank), of what rows span."""
    if rows.shape[0] > rows.shape[1]:
        rows = linalg.qr(rows, mode="r")[0][: rows.shape[1]]
    _, values, basis = linalg.svd(rows, full_matrices=False)
    tolerance = max(rows.shape) * np.finfo(float).eps * values[0]
    return basis[values > tolerance].T


class HyperplanesThrough:
    """The hyperplanes through a group of points, whose differences are given.

    Their normal vectors are the last columns of Q in a decomposition Q R. All of Q
    takes as long to form as to find, so this is done for few groups.
    """

    def __init__(self, hull: AffineHull, differences):
        self._hull = hull
        self._dimension = differences.shape[1]
        self._reflectors: tuple | None = None
        rank = 0
        if len(differences):
            self._reflectors = _pivoted_qr(differences.T)
            sizes = np.abs(np.diag(self._reflectors[0]))
            tolerance = max(differences.shape) * np.finfo(float).eps * sizes[0]
            rank = int(np.count_nonzero(sizes > tolerance))
        self._rank = rank

    @property
    def n_choices(self) -> int:
        """Dimension of the space of all normal vectors."""
        return self._dimension - self._rank

    def draw(self, rng):
        """Yield random coefficients, several where there is a choice."""
        for _ in range(self._n_drawn):
            yield _unit(rng.standard_normal(self.n_choices))

    def nearest(self, direction, units) -> np.ndarray:
        """Return the coefficients of the normal vector that is nearest to a direction.

        The direction is in coordinates that are multiples of these units.
        """
        basis = self._complement * units[:, np.newaxis]
        if self.n_choices == 1:
            return np.copysign(1.0, direction @ basis)
        found = linalg.lstsq(basis, direction)[0]
        return found / np.linalg.norm(found)

    def coefficients(self, numbers) -> list[np.ndarray]:
        """Return what `draw` yields, from rows of random numbers that are there."""
        return [_unit(row[: self.n_choices]) for row in numbers[: self._n_drawn]]

    @property
    def _n_drawn(self) -> int:
        return N_DIRECTIONS if self.n_choices > 1 else 1

    def levelled(self, several, feature: int) -> list[np.ndarray]:
        """Return the coefficients nearest to some, of normals without a feature.

        Its entry is zero up to rounding. What is not far from it alone stays as it is.
        """
        tilt = self._hull.direction(feature)[:, np.newaxis]
        if self._reflectors is not None and several:
            tilt = np.array(tilt, order="F")
            tilt = _with_room(linalg.lapack.dormqr, "L", "T", *self._reflectors, tilt)
        tilt = tilt[self._rank :, 0]
        square = max(float(tilt @ tilt), _SMALLEST_TILT**2)
        found = []
        for coefficients in several:
            level = coefficients - tilt * (tilt @ coefficients / square)
            length = float(np.linalg.norm(level))
            found.append(level / length if length > _SMALLEST_TILT else coefficients)
        return found

    def normal(self, coefficients) -> np.ndarray:
        """Return a normal vector."""
        return self._hull.normal(self._complement @ coefficients)

    def rough_normals(self, coefficients) -> np.ndarray:
        """Return normal vectors in columns, up to rounding, for some coefficients."""
        columns = np.zeros((self._dimension, len(coefficients)), order="F")
        columns[self._rank :] = np.transpose(coefficients)
        if self._reflectors is not None:
            columns = _with_room(
                linalg.lapack.dormqr, "L", "N", *self._reflectors, columns
            )
        return self._hull.rough_normals(columns)

    @cached_property
    def _complement(self) -> np.ndarray:
        if self._reflectors is None:
            return np.eye(self._dimension)
        reflectors, factors = self._reflectors
        basis = np.empty((self._dimension, self._dimension), order="F")
        basis[:, : reflectors.shape[1]] = reflectors
        basis = _with_room(linalg.lapack.dorgqr, basis, factors)
        return basis[:, self._rank :]


def _unit(vector) -> np.ndarray:
    return vector / np.linalg.norm(vector)


def _pivoted_qr(matrix) -> tuple[np.ndarray, np.ndarray]:
    """Return the reflectors and their factors of Q R with column pivoting.

    The matrix is in Fortran's order, and is overwritten.
    """
    decompose = linalg.lapack.dgeqp3
    *_, room, _ = decompose(matrix, lwork=-1, overwrite_a=True)
    found, _, factors, _, _ = decompose(matrix, lwork=int(room[0]), overwrite_a=True)
    return found, factors


def _with_room(function, *arguments) -> np.ndarray:
    """Call a function of LAPACK with as much room as it asks for."""
    *_, room, _ = function(*arguments, lwork=-1)
    return function(*arguments, lwork=int(room[0]))[0]


def clearance(values, errors, members, others):
    """Measure how far the members of a group are from all others, on a line.

    `values` are the positions of the points on the line, `errors` how far each of them
    may be off; `members` and `others` are indices of these. All members lie in
    [low, high], and all others outside of (below, above).

    Returns `below, low, high, above`, and the others that come too close to tell. If
    there are any of these, the rest means nothing.
    """
    low = (values[members] - errors[members]).min()
    high = (values[members] + errors[members]).max()
    outer_high = values[others] - errors[others]
    outer_low = values[others] + errors[others]
    too_close = others[(outer_low >= low) & (outer_high <= high)]
    width = 1.0 + abs(low) + abs(high)
    below = outer_low[outer_low < low].max(initial=low - width)
    above = outer_high[outer_high > high].min(initial=high + width)
    return below, low, high, above, too_close
