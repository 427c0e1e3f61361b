"""Which class has the best cell, decided by bounds for nearly all rows.

Let S_i(x) = sum_j ReLU(p_ij(x) - a), so that cell_i(x) = 1 - kappa S_i(x). Distances
are computed roughly, by one product in low precision, and their errors are bounded:

- A point much nearer to x_n than to any center of another label, by the factor
  (1 + a) / a, lies in the cell of x_n and in none of another label.
- A center j that is no farther from x than center i has p_ij(x) >= 1/2. So S_i is at
  least (1/2 - a) times the number of nearer centers of other labels: only the cells of
  few centers near x can be the best, as soon as the value of one of them is known.
- S_i of the nearest center is summed with errors rounded upward. Those of contenders
  of other labels are summed with errors rounded downward: over the nearest centers
  first, which mostly is enough, and then over all.

What is still in doubt then is computed as it would have been without bounds, in full
accuracy, for the cells that may be positive or the best.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from ... import kernels
from ...exact._distances import ACCURACY, FEATURES_FOR_SINGLE, PointSet
from ...kernels._memory import blocks_of_rows

# The table of rough distances takes about this many bytes.
BLOCK_BYTES = 1 << 29
# The sums of this many cells are computed together, and of this many rows for a cell.
_BLOCK_CELLS = 256
_BLOCK_SUMMED = 64
# So many centers nearest to each row are ranked.
_N_RANKED = 64
# The cells of this many nearest centers are evaluated first, then those of more.
_RIVALS = ((0, 1), (1, 4), (4, 12))
# S is bounded from below by the terms of so many of the nearest centers first.
_N_SUMMED = (_N_RANKED, 512)
# Rows are decided by affine bounds, which take some time to prepare, if they have more
# contenders than this share of all cells, and more than this number.
_MOST_CONTENDERS = 512
_MOST_SHARE = 0.25


@dataclass
class _Rows:
    """Rows whose class is being decided.

    `distances` are rough, with errors of at most `errors`; `order` are the nearest
    centers. The best cell known so far has S <= `limits`, and is one of class `best`.
    """

    distances: np.ndarray
    errors: np.ndarray
    order: np.ndarray
    best: np.ndarray
    limits: np.ndarray

    def take(self, index) -> _Rows:
        return _Rows(*(getattr(self, name)[index] for name in self.__annotations__))


class RoughCells:
    """Bounds of cells from distances in low precision.

    `points` are the centers, sorted by `labels`; a and kappa are `margin` and `slope`.
    """

    def __init__(self, points: PointSet, labels: np.ndarray, margin, slope):
        single = points.points.shape[1] >= FEATURES_FOR_SINGLE
        self.dtype: np.dtype[Any] = np.dtype(np.float32 if single else np.float64)
        self._eps = float(np.finfo(self.dtype).eps)
        self.labels = labels
        self.margin = margin
        self.half = 0.5 - margin  # the least p_ij - a of a nearer center j
        self.positive = 1.0 / slope  # a cell is positive if S is less
        self.starts = np.searchsorted(labels, np.arange(labels[-1] + 2))
        # Features in which all centers agree add the same to all distances.
        differ = np.ptp(points.centered, axis=0) > 0
        self._used, self._fixed = np.flatnonzero(differ), np.flatnonzero(~differ)
        self._fixed_values = points.centered[0, self._fixed]
        self._points = np.ascontiguousarray(points.centered[:, self._used], self.dtype)
        self._norms = np.square(points.centered[:, self._used]).sum(axis=1)
        self._radius = float(np.sqrt(points.squared_norms.max()))
        self._own_error = float(self._error(self._radius))

    def __len__(self) -> int:
        return len(self.labels)

    def _error(self, radius):
        """Bound the error of squared distances of points of norm `radius`.

        A product of d features in any order of summation is wrong by no more than
        (d + 3) eps / 2 |x| |y|, its two factors having been rounded before.
        """
        n_features = len(self._used) + len(self._fixed)
        unit = (0.275 * n_features + 8) * self._eps + ACCURACY
        return unit * np.square(radius + self._radius)

    def squared_distances_of_pairs(self, rows: PointSet, row, center) -> np.ndarray:
        """Return the squared distances of some pairs of a row and a center.

        Nothing but the centers has been rounded; see `error_of_pairs`.
        """
        used, norms = self._used_part(rows)
        products, _ = kernels.pair_sums(used, row, self._points, center)
        return (norms[row] + self._norms[center]) - 2 * products

    def error_of_pairs(self, rows: PointSet) -> np.ndarray:
        """Bound the error of `squared_distances_of_pairs` for each row."""
        n_features = len(self._used) + len(self._fixed)
        unit = 0.3 * self._eps + (n_features + 16) * 2.0**-51 + ACCURACY
        return unit * np.square(np.sqrt(rows.squared_norms) + self._radius)

    def _used_part(self, rows: PointSet) -> tuple[np.ndarray, np.ndarray]:
        """Return features in which centers differ, and squared norms of all."""
        used = rows.centered[:, self._used]
        fixed = rows.centered[:, self._fixed] - self._fixed_values
        return used, np.square(used).sum(axis=1) + np.square(fixed).sum(axis=1)

    def _rough(self, points, norms, centers: Any = slice(None)) -> np.ndarray:
        distances = points @ self._points[centers].T
        distances *= -2.0
        distances += norms.astype(self.dtype)[:, np.newaxis]
        distances += self._norms[centers].astype(self.dtype)
        return distances

    def rows(self, rows: PointSet) -> _Rows:
        """Return rows with distances and nearest centers; nothing is decided yet."""
        used, norms = self._used_part(rows)
        distances = self._rough(used.astype(self.dtype), norms)
        return _Rows(
            distances,
            self._error(np.sqrt(rows.squared_norms)),
            self._nearest(distances),
            np.full(len(norms), -1, dtype=np.intp),
            np.full(len(norms), np.inf),
        )

    def _nearest(self, distances: np.ndarray) -> np.ndarray:
        n_ranked = min(_N_RANKED, len(self))
        order = np.empty((len(distances), n_ranked), dtype=np.intp)
        for block in blocks_of_rows(len(distances), len(self)):
            near = distances[block]
            chosen = np.argpartition(near, n_ranked - 1, axis=1)[:, :n_ranked]
            ranks = np.argsort(np.take_along_axis(near, chosen, axis=1), axis=1)
            order[block] = np.take_along_axis(chosen, ranks, axis=1)
        return order

    def is_usable(self, rows: _Rows) -> np.ndarray:
        """Return which rows are near enough to the centers for rough distances."""
        # Errors are far more than 2**-30 of the distances, so these are finite then.
        return rows.errors < math.sqrt(float(np.finfo(self.dtype).max))

    def much_nearer_to_one_label(self, rows: _Rows) -> np.ndarray:
        """Return which rows lie in a cell of the nearest label, and in no other."""
        near = np.take_along_axis(rows.distances, rows.order, axis=1).astype(float)
        labels = self.labels[rows.order]
        other = labels != labels[:, [0]]
        first = np.where(other.any(axis=1), other.argmax(axis=1), near.shape[1] - 1)
        nearest = np.sqrt(np.maximum(near[:, 0], 0.0) + rows.errors)
        others = np.take_along_axis(near, first[:, np.newaxis], axis=1)[:, 0]
        others = np.sqrt(np.maximum(others - rows.errors, 0.0))
        return nearest * ((1 + self.margin) / self.margin * (1 + 1e-6)) <= others

    def ask_rivals(self, rows: _Rows, first: int, last: int) -> None:
        """Lower the limits to the values of the cells of some nearest centers."""
        rivals = rows.order[:, first:last]
        row, _ = np.indices(rivals.shape)
        upper = self.sums(rows, row.ravel(), rivals.ravel(), upward=True)
        upper = upper.reshape(rivals.shape)
        # A cell that is positive bars those of other labels that are not.
        limits = np.maximum(upper, self.positive) * (1 + 1e-6)
        if limits.size:
            chosen = upper.argmin(axis=1)[:, np.newaxis]
            found = np.take_along_axis(limits, chosen, axis=1)[:, 0]
            better = found < rows.limits
            centers = np.take_along_axis(rivals, chosen, axis=1)[:, 0]
            rows.best[better] = self.labels[centers[better]]
            rows.limits[better] = found[better]

    def near_contenders(self, rows: _Rows):
        """Find cells of other labels than the best that may reach the limit.

        Returns which rows have none beyond the nearest centers, and pairs of rows and
        cells among these.
        """
        closed = np.empty(len(rows.best), dtype=bool)
        pairs = []
        for block in blocks_of_rows(len(closed), rows.order.shape[1] ** 2):
            some = rows.take(block)
            near = np.take_along_axis(some.distances, some.order, axis=1)
            sure = near - 2 * some.errors[:, np.newaxis]
            labels = self.labels[some.order]
            differ = labels[:, :, np.newaxis] != labels[:, np.newaxis]
            nearer = differ & (near[:, np.newaxis] <= sure[:, :, np.newaxis])
            other = labels != some.best[:, np.newaxis]
            limits = some.limits[:, np.newaxis]
            row, rank = np.nonzero(other & (self.half * nearer.sum(axis=2) <= limits))
            pairs.append((row + block.start, some.order[row, rank]))
            # A center beyond is no nearer than the last one.
            before = near <= sure[:, [-1]]
            counts = (differ & before[:, np.newaxis]).sum(axis=2)
            counts = np.where(other, counts, before.sum(axis=1, keepdims=True))
            closed[block] = self.half * counts.min(axis=1) > some.limits
        if rows.order.shape[1] == len(self):
            closed[:] = True
        row, cell = map(np.concatenate, zip(*pairs, strict=True))
        return closed, row, cell

    def all_contenders(self, rows: _Rows, *, other_labels: bool):
        """Pair rows with all cells that may reach the limit, by the ranks alone."""
        found = [
            self._ranked(rows.take(k), other_labels) for k in range(len(rows.best))
        ]
        row = np.repeat(np.arange(len(found)), [len(cells) for cells in found])
        return row, np.concatenate([np.empty(0, dtype=np.intp), *found])

    def _ranked(self, row: _Rows, other_labels: bool) -> np.ndarray:
        """Return the cells with few nearer centers of other labels before a row."""
        order = np.argsort(row.distances)
        distances = row.distances[order].astype(float)
        sure = distances - 2 * row.errors
        counts = np.searchsorted(distances, sure, side="right")
        # Not even all nearer centers of its own label would make these contenders.
        largest = np.diff(self.starts).max()
        n_may = np.searchsorted(self.half * (counts - largest), row.limits, "right")
        labels = self.labels[order]
        for label in np.unique(labels[:n_may]):
            own = np.flatnonzero(labels == label)
            some = own[: np.searchsorted(own, n_may)]
            counts[some] -= np.searchsorted(distances[own], sure[some], side="right")
        wanted = self.half * counts[:n_may] <= row.limits
        if other_labels:
            wanted &= labels[:n_may] != row.best
        return np.sort(order[:n_may][wanted])

    def of_all_labels(self, rows: _Rows):
        """Pair rows with all cells that may be positive, or the best of their label.

        Returns which rows these are, the others being left out, and the pairs.
        """
        n_rows, n_labels = len(rows.best), len(self.starts) - 1
        centers = np.stack(
            [
                start + rows.distances[:, start:stop].argmin(axis=1)
                for start, stop in pairwise(self.starts)
            ],
            axis=1,
        )
        row = np.repeat(np.arange(n_rows), n_labels)
        upper = self.sums(rows, row, centers.ravel(), upward=True)
        limits = np.maximum(upper, self.positive).reshape(n_rows, n_labels)
        limits *= 1 + 1e-6
        told = self.is_usable(rows) & np.isfinite(limits).all(axis=1)
        found = [
            self._ranked_of_all(rows.take(k), limits[k]) for k in np.flatnonzero(told)
        ]
        row = np.repeat(np.flatnonzero(told), [len(cells) for cells in found])
        cells = np.concatenate([np.empty(0, dtype=np.intp), *found])
        lower = self.sums(rows, row, cells, upward=False)
        may = lower <= limits[row, self.labels[cells]]
        return told, row[may], cells[may]

    def _ranked_of_all(self, row: _Rows, limits) -> np.ndarray:
        """Return the cells with few nearer centers of other labels before a row."""
        order = np.argsort(row.distances)
        distances = row.distances[order].astype(float)
        counts = np.searchsorted(distances, distances - 2 * row.errors, side="right")
        labels = self.labels[order]
        by_label = np.argsort(labels, kind="stable")
        # So many centers of its own label stand before each.
        counts[by_label] -= np.arange(len(self)) - self.starts[labels[by_label]]
        return order[self.half * counts <= limits[labels]]

    def reaching(self, rows: _Rows, row, cells) -> tuple[np.ndarray, np.ndarray]:
        """Return the pairs of a row and a cell whose S may be as low as the limit."""
        for n_near in sorted({min(n, len(self)) for n in (*_N_SUMMED, len(self))}):
            if n_near < len(self):
                lower = self.near_sums(rows, row, cells, n_near)
            else:
                lower = self.sums(rows, row, cells, upward=False)
            may = lower <= rows.limits[row]
            row, cells = row[may], cells[may]
        return row, cells

    def sums(self, rows: _Rows, row, cells, *, upward: bool) -> np.ndarray:
        """Bound S of pairs of a row and a cell, from above or from below."""
        sums = np.empty(len(cells))
        order = np.argsort(cells, kind="stable")
        wanted, starts = np.unique(cells[order], return_index=True)
        ends = np.append(starts[1:], len(order))
        for block in blocks_of_rows(len(wanted), 1, _BLOCK_CELLS):
            inverses, _ = self._half_inverses(wanted[block], upward)
            places = order[starts[block][0] : ends[block][-1]]
            numbers = np.searchsorted(wanted[block], cells[places])
            sums[places] = self._sums(
                rows, row[places], cells[places], inverses, numbers, upward
            )
        return sums

    def _sums(self, rows, row, cells, inverses, numbers, upward) -> np.ndarray:
        # p_ij(x) - a = 1/2 - a + (|x - x_i|^2 - |x - x_j|^2) / (2 d_ij^2)
        sign = 1 if upward else -1
        eps = self._eps
        slacks = sign * 8 / 3 * rows.errors[row]
        # What is added to |x - x_i|^2 - |x - x_j|^2, as in `_lower`.
        constants = (
            sign * 8 / 3 * self._own_error,
            sign * 8 * eps,
            self.half + sign * 4 * eps,
        )
        sums: np.ndarray
        if self.dtype == np.float32:
            sums = kernels.hinge_sums(
                rows.distances, row, inverses, numbers, cells, slacks, constants
            )
        else:
            sums = np.empty(len(row))
            for block in blocks_of_rows(len(row), len(self), _BLOCK_SUMMED * len(self)):
                sums[block] = _hinge_sums(
                    rows.distances[row[block]],
                    inverses[numbers[block]],
                    cells[block],
                    slacks[block],
                    constants,
                )
        sums *= 1.0 + sign * 512.0 * eps
        if upward:
            sums[np.isinf(inverses).any(axis=1)[numbers]] = np.inf
        return sums

    def near_sums(self, rows: _Rows, row, cells, n_near: int) -> np.ndarray:
        """Bound S from below by the terms of the centers nearest to the row alone."""
        sums = np.empty(len(cells))
        order = np.argsort(row, kind="stable")
        wanted, starts = np.unique(row[order], return_index=True)
        places = np.split(order, starts[1:])[: len(wanted)]  # none for no pairs
        for number, at in zip(wanted, places, strict=True):
            some, distances = cells[at], rows.distances[number]
            near = rows.order[number]
            if len(near) < n_near:
                near = np.argpartition(distances, n_near)[:n_near]
            inverses, relative = self._half_inverses(some, False, near)
            error = rows.errors[number]
            sums[at] = self._lower(
                distances[some], distances[near], error, inverses, relative
            )
        return sums

    def sums_among(self, centers, distances, error, ranks) -> np.ndarray:
        """Bound S of some of the centers near a row, by the terms of all of them.

        `distances` are those of the centers, wrong by no more than `error`.
        """
        inverses, relative = self._half_inverses(centers[ranks], False, centers)
        distances = distances.astype(self.dtype)
        error = error + self._eps * distances[-1]
        return self._lower(distances[ranks], distances, error, inverses, relative)

    def _lower(self, own, others, error, inverses, relative) -> np.ndarray:
        """Bound S of cells from below by the terms of some centers."""
        differences = own[:, np.newaxis] - others
        error = self.dtype.type(8 / 3 * error)
        differences -= np.abs(differences) * relative + error
        differences *= inverses
        differences += self.dtype.type(self.half - 4 * self._eps)
        terms = np.where(inverses > 0, np.maximum(differences, 0.0), 0.0)
        return terms.sum(axis=1) * (1.0 - 256.0 * self._eps)

    def _half_inverses(self, cells, upward, centers: Any = slice(None)):
        """Return 1 / (2 d_ij^2), and a bound of its relative error, for some j.

        Pairs that are too near count for nothing from below, infinitely from above.
        """
        squares = self._rough(self._points[cells], self._norms[cells], centers)
        too_near = squares < 4 * self._own_error
        squares[too_near] = 1.0
        inverses = np.divide(0.5, squares, out=squares)
        relative = inverses * self.dtype.type(8 / 3 * self._own_error)
        relative += 8 * self._eps
        inverses[too_near] = np.inf if upward else 0.0
        if isinstance(centers, slice):
            for k, label in enumerate(self.labels[cells]):
                inverses[k, self.starts[label] : self.starts[label + 1]] = 0.0
        else:
            inverses[self.labels[cells, np.newaxis] == self.labels[centers]] = 0.0
        return inverses, relative


def _hinge_sums(distances, factors, positions, slacks, constants) -> np.ndarray:
    """Do what `kernels.hinge_sums` does, in double precision."""
    relative, least, half = constants
    terms = np.take_along_axis(distances, positions[:, np.newaxis], axis=1) - distances
    terms += np.abs(terms) * (factors * relative + least) + slacks[:, np.newaxis]
    terms *= factors
    terms += half
    np.maximum(terms, 0.0, out=terms)
    terms[factors == 0.0] = 0.0
    return terms.sum(axis=1)


def decide(rough: RoughCells, points: PointSet):
    """Decide the classes of rows.

    Returns the class of each, -1 for those in doubt; of these, which have to be decided
    by other means; and for the rest of them pairs of rows and cells among which are
    all that may be positive or the best.
    """
    everything = rough.rows(points)
    classes = np.full(len(points), -1, dtype=np.intp)
    usable = rough.is_usable(everything)
    sure = usable & rough.much_nearer_to_one_label(everything)
    classes[sure] = rough.labels[everything.order[sure, 0]]
    left = np.flatnonzero(usable & ~sure)
    rows = everything if len(left) == len(points) else everything.take(left)
    for rivals in _RIVALS:
        if len(left) == 0:
            break
        rough.ask_rivals(rows, *rivals)
        closed, row, cell = rough.near_contenders(rows)
        row, cell = rough.reaching(rows, *_among(closed, row, cell))
        closed[row] = False
        classes[left[closed]] = rows.best[closed]
        left, rows = left[~closed], rows.take(~closed)
    hopeless = ~usable
    if len(left):
        row, cell = rough.all_contenders(rows, other_labels=True)
        most = max(_MOST_CONTENDERS, _MOST_SHARE * len(rough))
        many = np.bincount(row, minlength=len(left)) > most
        row, cell = rough.reaching(rows, *_among(~many, row, cell))
        closed = ~many
        closed[row] = False
        classes[left[closed]] = rows.best[closed]
        hopeless[left[many]] = True
        doubtful = ~closed & ~many
        left, rows = left[doubtful], rows.take(doubtful)
    pairs = rough.all_contenders(rows, other_labels=False)
    row, cell = rough.reaching(rows, *pairs)
    return classes, np.flatnonzero(hopeless), left[row], cell


def _among(wanted, row, cell):
    kept = wanted[row]
    return row[kept], cell[kept]
