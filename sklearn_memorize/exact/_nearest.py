"""The nearest of labelled points, exactly, and how far it is to the other labels.

Rows are compared with all points by fast products whose errors are bounded, or by the
kernel for largest differences. The few points that may be the nearest after that are
measured to many digits, and where these do not suffice in integers; see `_pairs.py`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from functools import cached_property
from itertools import pairwise

import numpy as np
from scipy import sparse
from scipy.spatial.distance import cdist

from .. import kernels
from ..kernels._memory import blocks_of_rows
from ..kernels._threads import even_step, one_blas_thread, run_in_threads
from ._distances import FEATURES_FOR_SINGLE
from ._pairs import (
    DISTANCE_ERROR,
    METRICS,
    PairDistances,
    PairMetric,
    first_nearest,
    smallest,
    starts_of,
)
from ._screen import Screen

# Tables of rows and points hold about this many numbers.
_BLOCK_TABLE = 1 << 24
# Points that differ by less than 2**_LEAST of their largest coordinate are compared in
# pairs only, for the scaled ones have lost digits.
_LEAST = -900
# Sums of sizes below 2**_NEAR_OVERFLOW, of two numbers each, do not overflow.
_NEAR_OVERFLOW = 1000
# Pairs are looked at one by one if they are fewer than this part of all.
_PART_OF_PAIRS = 16
_LARGEST = float(np.finfo(np.float64).max) / 4


def dense_rows(X) -> np.ndarray:
    """Return rows as a contiguous array in double precision, without negative zeros."""
    dense = X.toarray() if sparse.issparse(X) else np.asarray(X)
    return np.ascontiguousarray(dense, dtype=np.float64) + 0.0


class NearestPoints(ABC):
    """Labelled points, to be searched for the nearest of any row.

    Labels are the numbers 0, 1, ..., each of which occurs; points are sorted by them.
    """

    metric: PairMetric

    def __init__(self, points: np.ndarray, labels: np.ndarray):
        self.points = points
        self.labels = labels
        self.starts = np.searchsorted(labels, np.arange(labels[-1] + 2))

    @abstractmethod
    def _closeness(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return a number for each row and point, larger the nearer, and its error.

        Errors are one for each row, and hold for `values` as well.
        """

    @abstractmethod
    def values(self, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
        """Return the closeness of pairs of a row and a point, a function of the two."""

    def _blocks(self, n_rows: int, n_threads: int = 1) -> list[slice]:
        step = _BLOCK_TABLE // n_threads // len(self.points)
        return blocks_of_rows(n_rows, 1, even_step(n_rows, step, n_threads))

    def _prepare(self) -> None:  # noqa: B027
        """Compute what threads share."""

    def _may_be_nearest(self, rows, label=None, other=None):
        """Pair each row with the points of which one is the nearest.

        These are points of one label, or of all but an `other` one, if that is given.
        """
        table, errors = self._closeness(rows)
        return _largest(self._hide(table, -np.inf, label, other), errors)

    def _hide(self, table, value, label, other) -> np.ndarray:
        """Put a value in the place of points that do not count."""
        if label is not None:
            table[:, : self.starts[label]] = value
            table[:, self.starts[label + 1] :] = value
        if other is not None:
            table[:, self.starts[other] : self.starts[other + 1]] = value
        return table

    def nearest_labels(self, X, n_threads: int = 1) -> np.ndarray:
        """Return the label of the nearest point; of equally near ones the smallest.

        Threads share the rows.
        """

        def labels(block):
            rows = dense_rows(X[block])
            return self._labels(rows, *self._may_be_nearest(rows))

        found = self._in_threads(labels, self._blocks(X.shape[0], n_threads), n_threads)
        return np.concatenate([np.empty(0, dtype=np.intp), *found])

    def _in_threads(self, work, blocks, n_threads: int) -> list:
        if blocks:
            self._prepare()
        with one_blas_thread():
            return run_in_threads(work, blocks, n_threads)

    def _labels(self, rows, row, column) -> np.ndarray:
        starts = starts_of(row)
        stops = np.append(starts[1:], len(row))
        found = self.labels[column[starts]]
        doubtful = found != self.labels[column[stops - 1]]
        kept = np.repeat(doubtful, stops - starts)
        if kept.any():
            row, column = row[kept], column[kept]
            first = first_nearest(self.metric, rows, row, self.points, column)
            found[doubtful] = self.labels[column[first]]
        return found

    def label_values(self, X, n_threads: int = 1) -> np.ndarray:
        """Return the largest of `values` of each label, (n_rows, n_labels).

        The nearest label has the largest one, strictly so where it is not the first.
        Threads share the rows.
        """
        scores = np.empty((X.shape[0], len(self.starts) - 1))

        def fill(block):
            rows = dense_rows(X[block])
            table, errors = self._closeness(rows)
            for label, (start, stop) in enumerate(pairwise(self.starts)):
                row, column = _largest(table[:, start:stop], errors)
                values = self.values(rows[row], column + start)
                largest = np.maximum.reduceat(values, starts_of(row))
                scores[block, label] = np.clip(largest, -_LARGEST, _LARGEST)
            _lead(scores[block], self._labels(rows, *_largest(table, errors)))

        self._in_threads(fill, self._blocks(X.shape[0], n_threads), n_threads)
        return scores

    @abstractmethod
    def are_within(self, rows: np.ndarray, reaches: np.ndarray) -> np.ndarray:
        """Return whether points, by number, are within the reach of each point.

        Of shape (n_rows, n_points). The distance is the one that is rounded to a
        double.
        """

    def nearest_others(
        self, X, labels, n_threads: int = 1
    ) -> tuple[PairDistances, np.ndarray]:
        """Return the distance to the nearest point of any other label than those given.

        There are at least two labels. Returns the distances, and which point it is; of
        largest differences that round to the same number it may be any one. Threads
        share the rows.
        """

        def search(rows, label):
            return self._nearest(rows, *self._may_be_nearest(rows, other=label))

        return self._by_label(X, labels, search, n_threads)

    def nearest_own(
        self, X, labels, n_threads: int = 1
    ) -> tuple[PairDistances, np.ndarray]:
        """Return the distance to the nearest point of the given label, and which."""

        def search(rows, label):
            return self._nearest(rows, *self._may_be_nearest(rows, label=label))

        return self._by_label(X, labels, search, n_threads)

    def _by_label(self, X, labels, search, n_threads: int):
        """Search blocks of rows of one label, and put the findings in order."""
        blocks = [
            (label, members[block])
            for label in np.unique(labels)
            for members in [np.flatnonzero(labels == label)]
            for block in self._blocks(len(members), n_threads)
        ]
        parts = self._in_threads(
            lambda some: search(dense_rows(X[some[1]]), some[0]), blocks, n_threads
        )
        back = np.argsort(np.concatenate([members for _, members in blocks]))
        joined = [np.concatenate(part)[back] for part in zip(*parts, strict=True)]
        return PairDistances(*joined[:3]), *joined[3:]

    def _nearest(self, rows, row, column):
        """Return high, low, exponent and number of the nearest of some points."""
        pairs = self.metric.measure(rows, row, self.points, column)
        best = smallest(pairs, row)
        found = pairs.take(best)
        return found.high, found.low, found.exponent, column[best]

    def radii(self, X, labels, metric: str) -> np.ndarray:
        """Return radii of balls around rows in which the nearest label is the same.

        `labels` are the nearest labels of the rows. A point within r of a row has a
        point of that label within d_own + r, and none of another one within d_other -
        r; so r = (d_other - d_own) / 2 is one. It is rounded downwards.
        """
        others, _ = self.nearest_others(X, labels)
        own, _ = self.nearest_own(X, labels)
        with np.errstate(over="ignore", invalid="ignore", under="ignore"):
            far = self.metric.rounded(others) * (1 - 2 * DISTANCE_ERROR)
            near = self.metric.rounded(own) * (1 + 2 * DISTANCE_ERROR)
            half = np.nextafter(far / 2 - near / 2, 0.0)
        return np.maximum(np.nan_to_num(half, nan=0.0, posinf=0.0), 0.0)


class EuclideanPoints(NearestPoints):
    """Points at Euclidean distance.

    With m in the middle, |x - p|^2 is least where <x - m, p - m> - |p - m|^2 / 2 is
    largest: an affine function for each point.
    """

    metric = METRICS["euclidean"]

    def __init__(self, points, labels):
        super().__init__(points, labels)
        single = points.shape[1] >= FEATURES_FOR_SINGLE
        self._dtype = np.dtype(np.float32 if single else np.float64)
        # The points are 2**exponent * (middle + 2**spread * centered).
        self.exponent = int(np.frexp(np.abs(points).max(initial=0.0))[1])
        scaled = np.ldexp(points, -self.exponent)
        self.middle = np.median(scaled, axis=0)
        centered = scaled - self.middle
        self.spread = int(np.frexp(np.abs(centered).max(initial=0.0))[1])
        self.centered = np.ldexp(centered, -self.spread)
        self.half_squares = np.square(self.centered).sum(axis=1) / 2

    @cached_property
    def _targets(self) -> tuple[np.ndarray, np.ndarray, float]:
        """Points and half squares for products, and the radius of the points."""
        radius = float(np.sqrt(2 * self.half_squares.max()))
        points = self.centered.astype(self._dtype)
        return points, self.half_squares.astype(self._dtype), radius

    @cached_property
    def _screen(self) -> Screen | None:
        """Bounds of squared distances, if they take far less time than distances."""
        if self.spread < _LEAST or self._dtype != np.float32:
            return None
        screen = Screen(self.centered)
        return screen if screen.is_narrow else None

    def _prepare(self):
        _ = self._screen, self._targets

    def _may_be_nearest(self, rows, label=None, other=None):
        found = None
        if self._screen is not None:
            with np.errstate(under="ignore"):
                found = self._bounded(*self._scaled(rows), label, other)
        return super()._may_be_nearest(rows, label, other) if found is None else found

    def _bounded(self, scaled, shifts, label, other):
        """Do what `_may_be_nearest` does by bounds; return None if they are too wide.

        Then closeness is computed for few pairs, in which the points alone are rounded.
        """
        screen = self._screen
        if not ((shifts == 0).all() and screen.are_near(scaled).all()):
            return None
        low = self._hide(screen.lower_bounds(scaled), np.inf, label, other)
        rows, first = np.arange(len(scaled)), low.argmin(axis=1)
        norms = np.square(scaled).sum(axis=1)
        closeness, errors = self._closeness_of_pairs(scaled, norms, rows, first)
        limits = norms - 2 * (closeness - errors)
        limits = np.nextafter(limits.astype(low.dtype), low.dtype.type(np.inf))
        row, column = np.nonzero(low <= limits[:, np.newaxis])
        if len(row) > low.size // _PART_OF_PAIRS:
            return None
        closeness, errors = self._closeness_of_pairs(scaled, norms, row, column)
        starts = starts_of(row)
        best = np.maximum.reduceat(closeness - 2 * errors, starts)
        near = closeness >= np.repeat(best, np.diff(np.append(starts, len(row))))
        return row[near], column[near]

    def _closeness_of_pairs(self, scaled, norms, row, column):
        """Return the closeness of some pairs, and its error."""
        points, _, radius = self._targets
        closeness, _ = kernels.pair_sums(scaled, row, points, column)
        closeness -= self.half_squares[column]
        unit = 0.6 * float(np.finfo(self._dtype).eps) + points.shape[1] * 2.0**-51
        return closeness, unit * (np.sqrt(norms[row]) * radius + radius**2)

    def _scaled(self, rows) -> tuple[np.ndarray, np.ndarray]:
        """Return rows as the points are, but divided by 2**n so as to be at most 2."""
        first = np.maximum(_exponents(rows) - self.exponent, 0)[:, np.newaxis]
        # What is so small that it is lost here does not count beside the error.
        centered = np.ldexp(rows, -self.exponent - first)
        centered -= np.ldexp(self.middle, -first)
        more = np.maximum(_exponents(centered) - self.spread, 0)[:, np.newaxis]
        return np.ldexp(centered, -self.spread - more), (first + more)[:, 0]

    def _closeness(self, rows):
        if self.spread < _LEAST:
            table = np.zeros((len(rows), len(self.points)))
            return table, np.ones(len(rows))
        points, halves, radius = self._targets
        with np.errstate(under="ignore"):
            scaled, shifts = self._scaled(rows)
            table = scaled.astype(self._dtype) @ points.T
            weights = np.ldexp(1.0, -shifts)
            if (shifts == 0).all():
                table -= halves
            else:
                table -= weights.astype(self._dtype)[:, np.newaxis] * halves
        # A product of d features, in any order of summation, its factors having been
        # rounded before; and half of a square, rounded; and their difference.
        norms = np.sqrt(np.square(scaled).sum(axis=1))
        unit = (points.shape[1] + 8) * float(np.finfo(self._dtype).eps) / 2 * 1.05
        errors = unit * (norms * radius + weights * radius**2 / 2)
        # What underflows, or is flushed to zero.
        errors += (points.shape[1] + 8) * float(np.finfo(self._dtype).tiny) * 4
        return table, errors

    def values(self, rows, columns):
        values = np.empty(len(rows))
        for block in blocks_of_rows(len(rows), rows.shape[1]):
            some = columns[block]
            scaled, shifts = self._scaled(rows[block])
            with np.errstate(over="ignore", under="ignore"):
                product = np.multiply(scaled, self.centered[some]).sum(axis=1)
                product -= np.ldexp(self.half_squares[some], -shifts)
                values[block] = np.ldexp(product, shifts)
        return values

    def are_within(self, rows, reaches):
        table, errors = self._closeness(self.points[rows])
        if self.spread < _LEAST:
            near, doubtful = (
                np.zeros(table.shape, dtype=bool),
                np.full(table.shape, True),
            )
        else:
            squares = 2 * (self.half_squares[rows][:, np.newaxis] - table)
            bounds = 4 * errors[:, np.newaxis]
            # Of reaches much larger than all distances the squares may be infinite.
            with np.errstate(over="ignore", under="ignore"):
                scaled = np.ldexp(reaches, -self.exponent - self.spread)
                largest = np.square(scaled)
            near = squares + bounds < largest * (1 - 1e-12)
            doubtful = ~near & (squares - bounds <= largest * (1 + 1e-12))
        row, column = np.nonzero(doubtful)
        pairs = self.metric.measure(self.points, rows[row], self.points, column)
        near[row, column] = self.metric.rounded(pairs) <= reaches[column]
        return near

    def radii(self, X, labels, metric):
        """Return radii of balls in which the nearest label is the same.

        Let p be the nearest point of the label of x. The ball is that of the largest
        radius in which no point q of another label gets nearer than p: up to the plane
        in the middle of p and q,

            r = min_q (|x - q|^2 - |x - p|^2) / (2 |p - q|),

        where |p - q| is the norm that is dual to that of the ball. This is at least
        (|x - q| - |x - p|) / 2 for the nearest q. It is rounded downwards.
        """
        others, _ = self.nearest_others(X, labels)
        own, nearest = self.nearest_own(X, labels)
        radii = np.empty(X.shape[0])
        for label in np.unique(labels):
            members = np.flatnonzero(labels == label)
            for block in self._blocks(len(members)):
                some = members[block]
                rows = dense_rows(X[some])
                radii[some] = self._to_planes(
                    rows,
                    label,
                    own.take(some),
                    others.take(some),
                    nearest[some],
                    metric,
                )
        return radii

    def _to_planes(self, rows, label, own, others, nearest, metric) -> np.ndarray:
        table, errors = self._closeness(rows)
        # |x - q|^2 - |x - p|^2 is twice the difference of what is in the table.
        gap = table[np.arange(len(rows)), nearest][:, np.newaxis] - table
        low = np.maximum(gap - 3 * errors[:, np.newaxis], 0.0)
        high = gap + 3 * errors[:, np.newaxis]
        least, most = self._norms_between(nearest, metric)
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            # 0 / 0 where p and q cannot be told apart: they may be the nearest.
            from_below = np.nan_to_num(low / most, nan=0.0)
            from_above = np.nan_to_num(high / least, nan=np.inf)
        self._without_value(from_below, label)
        limit = self._without_value(from_above, label).min(axis=1)
        row, column = np.nonzero(from_below <= limit[:, np.newaxis])
        return self._distances_to_planes(rows, row, column, own, nearest, metric)

    def _without_value(self, table, label) -> np.ndarray:
        table[:, self.starts[label] : self.starts[label + 1]] = np.inf
        return table

    def _norms_between(self, nearest, metric) -> tuple[np.ndarray, np.ndarray]:
        """Bound the dual norms of the differences of some points and all others.

        They are in units of 2**(exponent + spread).
        """
        distinct, inverse = np.unique(nearest, return_inverse=True)
        some = self.points[distinct]
        if self.spread < _LEAST:
            none = np.zeros((len(some), len(self.points)))
            return none[inverse], none[inverse] + 1.0
        if metric == "chebyshev":
            norms = cdist(self.centered[distinct], self.centered, "cityblock")
            # Factors of the products are rounded differences, relatively to them.
            unit = (some.shape[1] + 8) * 2.0**-52
            errors = unit * (norms + some.shape[1] * np.abs(self.centered).max())
            least, most = np.maximum(norms - errors, 0.0), norms + errors
            return least[inverse], most[inverse]
        table, errors = self._closeness(some)
        squares = self.half_squares[distinct].astype(table.dtype)[:, np.newaxis] - table
        errors = 2 * errors[:, np.newaxis]
        least = np.sqrt(np.maximum(2 * squares - 2 * errors, 0.0))
        most = np.sqrt(np.maximum(2 * squares + 2 * errors, 0.0))
        return least[inverse], most[inverse]

    def _distances_to_planes(self, rows, row, column, own, nearest, metric):
        """Return the least distance of each row to a plane, rounded downwards."""
        other = self.metric.measure(rows, row, self.points, column)
        own = own.take(row)
        norms, exponents, slack = self._dual_norms(nearest[row], column, metric)
        # Zero has any exponent.
        exponents_of_own = np.where(own.high == 0, other.exponent, own.exponent)
        exponent = np.maximum(other.exponent, exponents_of_own)
        with np.errstate(over="ignore", under="ignore", invalid="ignore"):
            shifts = 2 * (other.exponent - exponent), 2 * (exponents_of_own - exponent)
            high = np.ldexp(other.high, shifts[0]), np.ldexp(own.high, shifts[1])
            low = np.ldexp(other.low, shifts[0]), np.ldexp(own.low, shifts[1])
            gap = (high[0] - high[1]) + (low[0] - low[1])
            gap -= 4 * self.metric.error * (high[0] + high[1])
            radii = np.ldexp(gap / (2 * norms), 2 * exponent - exponents)
            radii = np.nextafter(radii * (1 - slack), 0.0)
        radii = np.maximum(np.nan_to_num(radii, nan=0.0, posinf=0.0), 0.0)
        return np.minimum.reduceat(radii, starts_of(row))

    def _dual_norms(self, left, right, metric):
        """Return norms of differences as numbers times 2**exponent, and their error."""
        if metric == "euclidean":
            pairs = self.metric.measure(self.points, left, self.points, right)
            norms = np.sqrt(pairs.high + pairs.low)
            return norms, pairs.exponent, 2 * DISTANCE_ERROR
        norms = np.empty(len(left))
        n_features = self.points.shape[1]
        # Halves do not overflow, but denormal numbers have none.
        size = self.exponent + n_features.bit_length()
        unit = 2.0 if size > _NEAR_OVERFLOW else 1.0
        for block in blocks_of_rows(len(left), n_features):
            parts = self.points[left[block]] / unit, self.points[right[block]] / unit
            norms[block] = np.abs(parts[0] - parts[1]).sum(axis=1)
        norms, exponents = np.frexp(norms)
        slack = 2 * DISTANCE_ERROR + (n_features + 4) * 2.0**-52
        return norms, exponents.astype(np.int64) + int(unit) - 1, slack


class ChebyshevPoints(NearestPoints):
    """Points at the distance of the largest difference of a coordinate.

    Rounding is monotone, so a nearest point is one of those at the least rounded
    distance.
    """

    metric = METRICS["chebyshev"]

    def _closeness(self, rows):
        table = kernels.largest_differences(rows, self.points)
        np.minimum(table, _LARGEST, out=table)
        return np.negative(table, out=table), np.zeros(len(rows))

    def _may_be_nearest(self, rows, label=None, other=None):
        if label is None and other is None:
            return super()._may_be_nearest(rows)
        # Many distances are equal if features have few values. One is measured, which
        # rounds to the same number as the nearest; all of them where they were cut off.
        table = self._hide(self._closeness(rows)[0], -np.inf, label, other)
        each, column = np.arange(len(rows)), table.argmax(axis=1)
        if (table[each, column] <= -_LARGEST).any():
            return super()._may_be_nearest(rows, label, other)
        return each, column

    def are_within(self, rows, reaches):
        return -self._closeness(self.points[rows])[0] <= reaches

    def values(self, rows, columns):
        values = np.empty(len(rows))
        for block in blocks_of_rows(len(rows), rows.shape[1]):
            with np.errstate(over="ignore"):
                differences = np.abs(rows[block] - self.points[columns[block]])
            values[block] = -differences.max(axis=1)
        return values


def nearest_points(points: np.ndarray, labels: np.ndarray, metric: str):
    """Return points to be searched by the distance "euclidean" or "chebyshev"."""
    kinds = {"euclidean": EuclideanPoints, "chebyshev": ChebyshevPoints}
    return kinds[metric](points, labels)


def _exponents(rows: np.ndarray) -> np.ndarray:
    """Return n for each row such that its entries are below 2**n; low for zeros."""
    largest = np.abs(rows).max(axis=1, initial=0.0)
    return np.where(largest > 0, np.frexp(largest)[1], -(1 << 12))


def bytes_of_search(n_points: int, n_features: int) -> int:
    """Return the bytes that it takes to look for the neighbours of all points.

    As measured: the points as they came, scaled, and centered in two precisions; a
    table of distances, and who is near.
    """
    each = 5 if n_features >= FEATURES_FOR_SINGLE else 9
    return 45 * n_points * n_features + each * min(n_points**2, _BLOCK_TABLE)


def _largest(table, errors) -> tuple[np.ndarray, np.ndarray]:
    """Pair each row with the columns that may hold its largest number."""
    lowest = (table.max(axis=1) - 4 * errors).astype(table.dtype)
    lowest = np.nextafter(lowest, table.dtype.type(-np.inf))
    row, column = np.nonzero(table >= lowest[:, np.newaxis])
    return row, column


def _lead(scores: np.ndarray, labels: np.ndarray) -> None:
    """Lower scores of other labels so that the given one is the first of the largest.

    Scores are rounded, and labels are exact.
    """
    own = np.take_along_axis(scores, labels[:, np.newaxis], axis=1)
    other = np.arange(scores.shape[1]) != labels[:, np.newaxis]
    before = np.arange(scores.shape[1]) < labels[:, np.newaxis]
    below = np.where(before, np.nextafter(own, -np.inf), own)
    np.minimum(scores, below, out=scores, where=other)
