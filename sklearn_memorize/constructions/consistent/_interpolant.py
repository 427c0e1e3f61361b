"""Means of labels or targets with weights that grow without bound near a sample.

At a point x the interpolant is

    f(x) = sum_i w_i y_i / sum_i w_i,    w_i = |x - x_i|**-exponent,

over the `n_neighbors` points x_i that are nearest to x. At x = x_i it is y_i, exactly:
a row that equals a point is found by its values, whatever the distances say.

What is computed for a row depends on the row alone. Distances of a pair are a function
of the two points; neighbours at equal distances are taken in the order of the points;
sums are taken in a fixed order, of terms that IEEE 754 rounds correctly.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise

import numpy as np
from scipy import sparse

from ..._estimator._probabilities import exponential, logarithm, row_sums
from ..._estimator._training_set import row_hashes
from ...kernels import standard_arithmetic
from ...kernels._memory import blocks_of_rows
from ...kernels._threads import even_step, one_blas_thread, run_in_threads
from ...network._layer import freeze
from ...network._storage import require, require_shape, storable
from ._neighbors import LEAST, Nearest
from ._radii import WEAKEST, Neighborhood

# Rows are worked on in blocks of about this many distances or coordinates.
_BLOCK_VALUES = 1 << 21
# The least quotient of two squared distances that has a logarithm.
_LEAST_QUOTIENT = 2.0**-1000


@storable
@dataclass(frozen=True, eq=False)
class Labels:
    """Class numbers of the points, in increasing order."""

    numbers: np.ndarray = field(repr=False)
    n_classes: int

    def __post_init__(self):
        freeze(self, "numbers")
        require_shape("numbers", self.numbers, None)
        increases = (self.numbers[1:] >= self.numbers[:-1]).all()
        require(increases, "numbers must not decrease")
        known = (self.numbers >= 0) & (self.numbers < self.n_classes)
        require(known.all(), "numbers must be those of classes")

    def __len__(self) -> int:
        return len(self.numbers)

    @property
    def n_outputs(self) -> int:
        """One share for each class."""
        return self.n_classes

    def at(self, places: np.ndarray) -> np.ndarray:
        """Return shares of 1 for the classes of some points, and of 0 for others."""
        return (self.numbers[places, np.newaxis] == np.arange(self.n_classes)) * 1.0

    def means(self, weights: np.ndarray, places: np.ndarray | None) -> np.ndarray:
        """Return the share of each class in the weights of each row.

        The weights are those of the points at `places`, or of all points in order.
        """
        totals = np.zeros((len(weights), self.n_classes))
        if places is None:  # the points of a class stand side by side
            ends = np.searchsorted(self.numbers, np.arange(self.n_classes + 1))
            for number, (start, end) in enumerate(zip(ends, ends[1:], strict=False)):
                if end > start:
                    totals[:, [number]] = row_sums(weights[:, start:end])
        else:
            rows = np.arange(len(weights))
            for column, labels in enumerate(self.numbers[places].T):
                totals[rows, labels] += weights[:, column]
        return totals / row_sums(totals)


@storable
@dataclass(frozen=True, eq=False)
class Targets:
    """Targets of the points, (n_points, n_outputs)."""

    values: np.ndarray = field(repr=False)

    def __post_init__(self):
        freeze(self, "values")
        require_shape("values", self.values, None, None)
        require(len(self.values) > 0, "there must be some values")

    def __len__(self) -> int:
        return len(self.values)

    @property
    def n_outputs(self) -> int:
        """One mean for each target."""
        return self.values.shape[1]

    def at(self, places: np.ndarray) -> np.ndarray:
        """Return the targets of some points."""
        return self.values[places]

    def means(self, weights: np.ndarray, places: np.ndarray | None) -> np.ndarray:
        """Return the weighted means of targets; the weights are as for `Labels`.

        They are taken of targets between -1 and 1, so that sums stay finite, and are
        never outside of the range of the targets.
        """
        totals = row_sums(weights)
        low, high = self.values.min(axis=0), self.values.max(axis=0)
        found = np.empty((len(weights), self.n_outputs))
        for output, values in enumerate(self.values.T):
            exponent = np.frexp(np.abs(values).max())[1]
            values = np.ldexp(values, -exponent)
            values = values if places is None else values[places]
            means = row_sums(weights * values) / totals
            with np.errstate(over="ignore"):  # is cut off at the largest target
                found[:, [output]] = np.ldexp(means, exponent)
        return np.clip(found, low, high)


@storable
@dataclass(frozen=True, eq=False)
class Interpolant:
    """Points, what is known there, and the weights in between.

    `points` are distinct rows in double precision, without negative zeros. They hold
    the columns `columns` of rows of `n_inputs` features, all of them if it is None.
    """

    points: np.ndarray = field(repr=False)
    known: Labels | Targets
    n_neighbors: int
    exponent: float
    columns: np.ndarray | None = field(repr=False)
    n_inputs: int

    def __post_init__(self):
        freeze(self, "points")
        require(isinstance(self.known, (Labels, Targets)), "known is not known")
        if self.columns is None:
            require_shape("points", self.points, len(self.known), self.n_inputs)
        else:
            freeze(self, "columns")
            require_shape("columns", self.columns, None)
            require_shape("points", self.points, len(self.known), len(self.columns))
        within = 1 <= self.n_neighbors <= len(self.points)
        require(within, "n_neighbors must be a number of points")
        require(self.exponent > 0, "the exponent must be positive")

    @property
    def _n_outputs(self) -> int:
        return self.known.n_outputs

    def forward(self, X, n_threads: int = 1) -> np.ndarray:
        """Return the interpolant at some rows, (n_rows, n_outputs).

        Threads share the rows.
        """
        outputs = np.empty((X.shape[0], self._n_outputs))
        if len(outputs) > 0:
            _ = self._by_hash, self._nearest
        step = _BLOCK_VALUES // max(1, self.points.shape[1])
        step = even_step(len(outputs), step, n_threads)
        with one_blas_thread():
            run_in_threads(
                lambda block: self._fill(outputs[block], self._read(X[block])),
                blocks_of_rows(len(outputs), 1, step),
                n_threads,
            )
        return outputs

    @standard_arithmetic
    def certified_radii(self, X, numbers: np.ndarray, metric: str) -> np.ndarray:
        """Return radii of balls in which the class is that of the row, `numbers`."""
        assert isinstance(self.known, Labels)
        radii = np.zeros(X.shape[0])
        if self.exponent < WEAKEST:
            return radii
        ends = np.searchsorted(self.known.numbers, np.arange(self.known.n_classes + 1))
        classes = [slice(*pair) for pair in pairwise(ends)]
        k = self.n_neighbors
        for number in np.unique(numbers):
            members = np.flatnonzero(numbers == number)
            for some, squared in self._nearest.to_all(self._read(X[members])):
                distances = np.sqrt(squared)
                by_class = [distances[:, of_class] for of_class in classes]
                near = Neighborhood(by_class, number, k, self.exponent)
                radii[members[some]] = near.radii()
        if metric == "chebyshev":  # a cube of this size is in the ball
            radii /= np.sqrt(self.points.shape[1]) * (1 + 2.0**-50)
        with np.errstate(over="ignore"):
            radii = np.ldexp(radii, self._nearest.exponent)
        return np.where(np.isfinite(radii), np.nextafter(radii, 0.0), 0.0)

    def _read(self, rows) -> np.ndarray:
        """Return the columns that count, dense, in double precision; 0.0 for -0.0."""
        rows = rows if self.columns is None else rows[:, self.columns]
        rows = rows.toarray() if sparse.issparse(rows) else rows
        return rows.astype(np.float64) + 0.0

    @standard_arithmetic
    def _fill(self, outputs: np.ndarray, rows: np.ndarray) -> None:
        same = self._point_that_equals(rows)
        is_known = same >= 0
        outputs[is_known] = self.known.at(same[is_known])
        if is_known.all():
            return
        for some, squared, places in self._nearest.to(rows, np.flatnonzero(~is_known)):
            outputs[some] = self.known.means(self._weights(squared), places)

    def _weights(self, squared: np.ndarray) -> np.ndarray:
        """Return weights in units of the largest one of each row.

        (D_nearest / D)**(exponent / 2), of squared distances D.
        """
        squared = np.maximum(squared, LEAST)
        quotients = squared.min(axis=1, keepdims=True) / squared
        logarithms = logarithm(np.maximum(quotients, _LEAST_QUOTIENT))
        return exponential(0.5 * self.exponent * logarithms)

    @cached_property
    def _nearest(self) -> Nearest:
        return Nearest(self.points, self.n_neighbors)

    @cached_property
    def _by_hash(self) -> tuple[np.ndarray, np.ndarray]:
        """Hashes of the points in increasing order, and which points these are."""
        hashes = row_hashes(self.points)
        order = np.argsort(hashes, kind="stable")
        return hashes[order], order

    def _point_that_equals(self, rows: np.ndarray) -> np.ndarray:
        """Return the place of the point that equals a row, value by value, or -1."""
        hashes, order = self._by_hash
        wanted = row_hashes(rows)
        places = np.searchsorted(hashes, wanted)
        found = np.full(len(rows), -1)
        left = np.arange(len(rows))
        while len(left):
            left = left[places[left] < len(hashes)]
            left = left[hashes[places[left]] == wanted[left]]
            candidates = order[places[left]]
            equal = (self.points[candidates] == rows[left]).all(axis=1)
            found[left[equal]] = candidates[equal]
            left = left[~equal]  # another point of the same hash
            places[left] += 1
        return found
