"""The nearest points, and their squared distances, as functions of a row alone.

In few dimensions scikit-learn's tree finds candidates. Its distances are right up to a
few units of rounding, so that it is known which points can be nearer than a candidate:
where that leaves a doubt, or where distances are equal, more candidates are asked for.
In many dimensions a tree is no faster than looking at all points. There all distances
are bounded from below; see `Screen`. Only those to the points that may be among the
nearest are computed, by products of integers, which no batch and no thread can change.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from threading import Lock

import numpy as np
from sklearn.neighbors import NearestNeighbors

from ..._estimator._probabilities import row_sums
from ...exact._distances import (
    PointSet,
    Scaling,
    squared_distances,
    squared_distances_of_pairs,
)
from ...exact._screen import Screen
from ...kernels._memory import blocks_of_rows

# Of more features than this a tree looks at nearly all points.
_MOST_FEATURES_OF_A_TREE = 15
# Asked for beyond the neighbours, so that few rows are asked for again.
_MORE_CANDIDATES = 4
# Of more candidates than this part of all points, all are looked at.
_MOST_CANDIDATES = 1 / 8
# The tree adds up squares of differences one after the other; distances below _EXACT
# may have lost digits where squares underflow.
_UNITS = 8 * np.finfo(np.float64).eps
_EXACT = 2.0**-450
# Distinct rows are no nearer than this, where squares of their differences underflow.
LEAST = 2.0**-1000
# Coordinates below this, in units of the largest of the points, have distances.
_FAR = 2.0**300
# Rows are worked on in blocks of about this many distances or coordinates.
_BLOCK_VALUES = 1 << 21

_preparing = Lock()

_Found = Iterator[tuple[np.ndarray, np.ndarray, np.ndarray | None]]


class Nearest:
    """Finds the `n_neighbors` nearest of some points, nearest first."""

    def __init__(self, points: np.ndarray, n_neighbors: int):
        self._scaling = Scaling.of(points)
        self._points = PointSet(self._scaling.scaled(points), self._scaling)
        self._n_neighbors = n_neighbors
        few = points.shape[1] <= _MOST_FEATURES_OF_A_TREE
        self._has_tree = few and n_neighbors < len(points)

    def _prepare(self) -> None:
        """Compute what threads share, in one of them."""
        with _preparing:
            if self._has_tree:
                _ = self._tree
                return
            _ = self._points.slices, self._points.squared_norms
            if self._n_neighbors < len(self._points):
                _ = self._screen, self._points.single_slices

    def to(self, rows: np.ndarray, which: np.ndarray) -> _Found:
        """Yield some of the rows, squared distances, and places of their neighbours.

        The rows are those of the numbers `which`. Of as many neighbours as there are
        points, the places are None: distances are in the order of the points.
        """
        self._prepare()
        n_points, n_features = self._points.points.shape
        n_candidates = (self._n_neighbors + _MORE_CANDIDATES) * n_features
        n_values = n_candidates if self._has_tree else n_points
        for block in blocks_of_rows(len(which), n_values, _BLOCK_VALUES):
            some = which[block]
            scaled = self._scaling.scaled(rows[some])
            if self._has_tree:
                yield some, *self._by_tree(scaled)
            elif self._n_neighbors == n_points:
                yield some, self._to_all(PointSet(scaled, self._scaling)), None
            else:
                yield some, *self._by_bounds(PointSet(scaled, self._scaling))

    def _to_all(self, rows: PointSet) -> np.ndarray:
        return squared_distances(rows, self._points)

    @cached_property
    def _screen(self) -> Screen:
        return Screen(self._points.centered)

    def _by_bounds(self, rows: PointSet) -> tuple[np.ndarray, np.ndarray]:
        """Compute the distances to those points that may be among the nearest."""
        n_points, k = len(self._points), self._n_neighbors
        n_first = min(2 * k, n_points)
        screen = self._screen
        if not (screen.is_usable and screen.are_near(rows.centered).all()):
            return smallest(self._to_all(rows), k)
        low = screen.lower_bounds(rows.centered)
        first = np.argpartition(low, n_first - 1, axis=1)[:, :n_first]
        row = np.repeat(np.arange(len(rows)), n_first)
        squared = squared_distances_of_pairs(rows, row, self._points, first.ravel())
        most = np.partition(squared.reshape(-1, n_first), k - 1, axis=1)[:, k - 1]
        limits = np.nextafter(most.astype(low.dtype), low.dtype.type(np.inf))
        candidates = low <= limits[:, np.newaxis]
        if np.count_nonzero(candidates) > _MOST_CANDIDATES * candidates.size:
            return smallest(self._to_all(rows), k)
        # Those that have been measured need not be measured again.
        np.put_along_axis(candidates, first, False, axis=1)
        more, places = np.nonzero(candidates)
        row, places = np.append(row, more), np.append(first.ravel(), places)
        others = squared_distances_of_pairs(
            rows, more, self._points, places[len(squared) :]
        )
        squared = np.append(squared, others)
        order = np.lexsort((places, squared, row))
        starts = np.searchsorted(row[order], np.arange(len(rows)))
        nearest = order[starts[:, np.newaxis] + np.arange(k)]
        return squared[nearest], places[nearest]

    def to_all(self, rows: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Yield some of the rows, by number, and their squared distances to all points.

        Rows that are too far away for that are left out. Distances are in units of
        2**`exponent`.
        """
        scaled = self._scaling.scaled(rows)
        near = np.flatnonzero((np.abs(scaled) < _FAR).all(axis=1))
        for block in blocks_of_rows(len(near), len(self._points), _BLOCK_VALUES):
            some = near[block]
            these = PointSet(scaled[some], self._scaling)
            yield some, squared_distances(these, self._points)

    @property
    def exponent(self) -> int:
        """Distances are in units of 2**exponent."""
        return self._scaling.exponent

    @cached_property
    def _tree(self) -> NearestNeighbors:
        return NearestNeighbors(algorithm="kd_tree").fit(self._points.points)

    def _by_tree(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Ask the tree for more and more candidates, until no doubt is left."""
        n_points, n_features = self._points.points.shape
        k = self._n_neighbors
        squared, places = np.empty((len(rows), k)), np.empty((len(rows), k), np.intp)
        left, n_asked = np.arange(len(rows)), k + _MORE_CANDIDATES
        while len(left):
            n_asked = min(n_asked, n_points)
            distances, candidates = self._tree.kneighbors(rows[left], n_asked)
            candidates.sort(axis=1)
            squares = self._squared(rows[left], candidates)
            nearest, columns = smallest(squares, k)
            squared[left] = nearest
            places[left] = np.take_along_axis(candidates, columns, axis=1)
            # No other point is nearer than this.
            bounds = distances[:, -1] * (1 - _UNITS * (n_features + 4))
            sure = (nearest[:, -1] < bounds**2) & (bounds > _EXACT)
            left = left[~sure] if n_asked < n_points else left[:0]
            n_asked *= 4
        return squared, places

    def _squared(self, rows: np.ndarray, candidates: np.ndarray) -> np.ndarray:
        """Return the squared distances of rows and candidates, from differences."""
        n_rows, n_candidates = candidates.shape
        found = np.empty((n_rows, n_candidates))
        n_values = n_candidates * rows.shape[1]
        for block in blocks_of_rows(n_rows, n_values, _BLOCK_VALUES):
            differences = self._points.points[candidates[block]]
            differences -= rows[block, np.newaxis]
            np.square(differences, out=differences)
            sums = row_sums(differences.reshape(-1, rows.shape[1]))
            found[block] = sums.reshape(-1, n_candidates)
        return found


def smallest(values: np.ndarray, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the `n` smallest values of each row in order, and their columns.

    Of equal values the first ones are taken, and stand first.

    >>> from sklearn_memorize.constructions.consistent._neighbors import smallest
    >>> smallest(np.array([[3.0, 1.0, 2.0, 1.0, 2.0]]), 3)
    (array([[1., 1., 2.]]), array([[1, 3, 2]]))
    """
    largest = np.partition(values, n - 1, axis=1)[:, n - 1 : n]
    below, equal = values < largest, values == largest
    missing = n - below.sum(axis=1, keepdims=True)
    taken = below | (equal & (np.cumsum(equal, axis=1) <= missing))
    columns = np.nonzero(taken)[1].reshape(-1, n)
    chosen = np.take_along_axis(values, columns, axis=1)
    order = np.argsort(chosen, axis=1, kind="stable")
    return (
        np.take_along_axis(chosen, order, axis=1),
        np.take_along_axis(columns, order, axis=1),
    )
