"""Which rows lie clearly in the cells of one label, told by few distances.

The squared distances to all centers are bounded from below by products of few numbers;
see `Screen`. Only those to the centers that seem nearest are computed, and the cell of
the nearest one, n, is bounded from below: its sum S_n(x) (see `_decision.py`) grows
where |x - x_j| falls, and, as x is no nearer to x_j than to x_n, where d_nj grows. Let
T be less than the distances to all centers that were not computed. The sum of such a
center's cell is at least (1/2 - a) times the number of centers of other labels that are
nearer than T. What this leaves in doubt, `decide` decides.
"""

from __future__ import annotations

import numpy as np

from ...exact._distances import PointSet
from ...exact._screen import Screen
from ...kernels._memory import blocks_of_rows
from ._decision import RoughCells

# Tables of bounds hold about this many numbers, so that they stay in the cache.
_BLOCK_VALUES = 1 << 21
# The distances to so many centers are computed.
_N_KNOWN = 64


class Glance:
    """Decides the class of rows that are clearly of one label."""

    def __init__(self, points: PointSet, rough: RoughCells):
        self._points = points
        self._rough = rough
        self._screen = Screen(points.centered)
        self.is_useful = self._screen.is_narrow and len(points) > _N_KNOWN

    def blocks(self, n_rows: int) -> list[slice]:
        """Cut rows into blocks that are decided one at a time."""
        return blocks_of_rows(n_rows, len(self._points), _BLOCK_VALUES)

    def classes(self, rows: PointSet) -> np.ndarray:
        """Return the classes of a block of rows, -1 where they are in doubt."""
        near = self._screen.are_near(rows.centered)
        if near.all():
            return self._classes(rows)
        found = np.full(len(rows), -1, dtype=np.intp)
        found[near] = self._classes(PointSet(rows.points[near], rows.scaling))
        return found

    def _classes(self, rows: PointSet) -> np.ndarray:
        low = self._screen.lower_bounds(rows.centered)
        order = np.argpartition(low, _N_KNOWN, axis=1)
        # No center that is not known is nearer than this.
        beyond = np.take_along_axis(low, order[:, [_N_KNOWN]], axis=1)[:, 0]
        known, squared, errors = self._distances(rows, order[:, :_N_KNOWN])
        found = np.full(len(rows), -1, dtype=np.intp)
        nearest = squared[:, 0] + errors
        labels = self._rough.labels[known]
        other = np.where(labels != labels[:, [0]], squared, np.inf).min(axis=1) - errors
        factor = np.square((1 + self._rough.margin) / self._rough.margin) * (1 + 1e-6)
        sure = nearest * factor <= np.minimum(other, beyond)
        found[sure] = labels[sure, 0]
        left = np.flatnonzero(~sure & (nearest <= beyond))
        if len(left) == 0:
            return found
        known, squared, errors = known[left], squared[left], errors[left]
        low = low[left]
        np.put_along_axis(low, known, squared - errors[:, np.newaxis], axis=1)
        sums = self._sums_of_nearest(low, known[:, 0], nearest[left])
        limits = np.maximum(sums, self._rough.positive) * (1 + 1e-6)
        found[left] = np.where(
            self._none_beyond(squared + errors[:, np.newaxis], known, beyond[left])
            > limits,
            labels[left, 0],
            -1,
        )
        rest = found[left] >= 0
        in_doubt = self._contenders(
            known[rest], squared[rest], errors[rest], limits[rest]
        )
        found[left[rest][in_doubt]] = -1
        return found

    def _distances(self, rows: PointSet, known: np.ndarray):
        """Return known centers, the nearest first, and distances with their errors.

        Only the centers have been rounded, to single precision.
        """
        row = np.repeat(np.arange(len(rows)), known.shape[1])
        squared = self._rough.squared_distances_of_pairs(rows, row, known.ravel())
        squared = squared.reshape(known.shape)
        ranks = np.argsort(squared, axis=1)
        errors = self._rough.error_of_pairs(rows)
        return (
            np.take_along_axis(known, ranks, axis=1),
            np.take_along_axis(squared, ranks, axis=1),
            errors,
        )

    def _sums_of_nearest(self, low, nearest, squared) -> np.ndarray:
        """Bound S of the nearest centers from above; `squared` are their distances."""
        rough = self._rough
        eps = float(np.finfo(low.dtype).eps)
        distinct, inverse = np.unique(nearest, return_inverse=True)
        # 2 d_nj^2
        doubled = self._screen.upper_bounds_among(distinct)
        doubled *= 2 * (1 + 16 * eps)
        terms = low
        terms -= np.nextafter(squared.astype(low.dtype), np.inf)[:, np.newaxis]
        np.maximum(terms, 0.0, out=terms)
        terms /= doubled[inverse]
        np.subtract(low.dtype.type(rough.half + 4 * eps), terms, out=terms)
        np.maximum(terms, 0.0, out=terms)
        sums = np.add.reduceat(terms, rough.starts[:-1], axis=1).astype(np.float64)
        np.put_along_axis(sums, rough.labels[nearest, np.newaxis], 0.0, axis=1)
        return sums.sum(axis=1) * (1 + (len(rough) + 16) * eps)

    def _none_beyond(self, upper, known, beyond) -> np.ndarray:
        """Bound S of cells of other labels from below whose centers are not known."""
        row, rank = np.nonzero(upper <= beyond[:, np.newaxis])
        labels = self._rough.labels
        n_classes = len(self._rough.starts) - 1
        slots = row * n_classes + labels[known[row, rank]]
        counts = np.bincount(slots, minlength=len(known) * n_classes)
        counts = counts.reshape(len(known), n_classes)
        total = counts.sum(axis=1)
        np.put_along_axis(counts, labels[known[:, [0]]], 0, axis=1)
        return self._rough.half * (total - counts.max(axis=1))

    def _contenders(self, known, squared, errors, limits) -> np.ndarray:
        """Return which rows have known centers whose S may be as low as the limit."""
        labels = self._rough.labels[known]
        differ = labels[:, :, np.newaxis] != labels[:, np.newaxis]
        sure = squared - 2 * errors[:, np.newaxis]
        counts = (differ & (squared[:, np.newaxis] <= sure[:, :, np.newaxis])).sum(2)
        other = labels != labels[:, [0]]
        row, rank = np.nonzero(
            other & (self._rough.half * counts <= limits[:, np.newaxis])
        )
        in_doubt = np.zeros(len(known), dtype=bool)
        for number in np.unique(row):
            ranks = rank[row == number]
            lower = self._rough.sums_among(
                known[number], squared[number], errors[number], ranks
            )
            in_doubt[number] = (lower <= limits[number]).any()
        return in_doubt
