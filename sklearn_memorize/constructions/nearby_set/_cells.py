"""The cells around the centers of a nearby set, without their hyperplanes.

See `_construction.py` for the formulas. On which side of the plane between two centers
a point lies is told by distances alone,

    p_ij(x) = 1/2 + (|x - x_i|^2 - |x - x_j|^2) / (2 |x_i - x_j|^2),

and few of the cells have to be evaluated: all terms are nonnegative, and by convexity

    sum_j ReLU(p_ij(x) - a) >= ReLU(sum_j (p_ij(x) - a)),

the right side being one affine function of x for each cell. Cells that these bounds
show to be neither positive nor the largest are left out.
"""

from __future__ import annotations

from functools import cached_property
from itertools import pairwise

import numpy as np
from scipy import sparse

from ...exact._distances import PointSet, Scaling, squared_distances
from ...kernels._memory import blocks_of_rows
from ...kernels._threads import even_step, run_in_threads
from ...network._layer import frozen
from ...network._storage import require_shape
from ._decision import BLOCK_BYTES, RoughCells, decide
from ._glance import Glance

MARGIN = 1 / 3.1  # a
SLOPE = 1 / (1 - 2 * MARGIN)  # kappa

# Rows are evaluated together up to this many values a table, and at most this many.
_BLOCK_VALUES = 1 << 24
_BLOCK_ROWS = 2048
# Many rows ask for the same cells where the scores of all classes are wanted.
_BLOCK_SCORES = 1 << 25
# The cells of this many centers are evaluated together.
_BLOCK_CELLS = 128
# How many of the centers nearest to a point are asked first whether a cell is out.
_N_RIVALS = 16
# A cell's value far away from all centers is no less than this.
_LOWEST = -float(np.finfo(np.float64).max)


class Cells:
    """One cell for each center, largest around the center, sorted by label."""

    def __init__(self, centers: np.ndarray, labels: np.ndarray, scaling: Scaling):
        require_shape("labels", labels, None)
        require_shape("centers", centers, len(labels), len(scaling.center))
        self.scaling = scaling
        self.points = PointSet(frozen(scaling.scaled(centers)), scaling)
        self.labels = frozen(np.asarray(labels, dtype=np.intp))
        self.n_classes = int(self.labels[-1]) + 1

    def scores(self, X, n_threads: int = 1, *, best_only: bool = False) -> np.ndarray:
        """Sum the positive cells of each class; where there are none, the largest.

        The scores are of shape (n_samples, n_classes). With `best_only` the largest of
        each row is enough, and others may be minus infinity. Threads share the rows.
        """
        most = _BLOCK_VALUES if best_only else _BLOCK_SCORES
        if X.shape[0]:
            self._prepare()
        scores = run_in_threads(
            lambda block: self._block_scores(self._rows(X[block]), best_only),
            _shared_blocks(X.shape[0], self._n_values, most, n_threads),
            n_threads,
        )
        return np.concatenate([np.empty((0, self.n_classes)), *scores])

    @property
    def _n_values(self) -> int:
        """How many values of a table a row takes."""
        return max(len(self.points), _BLOCK_VALUES // _BLOCK_ROWS)

    def _prepare(self) -> None:
        """Compute what threads share."""
        _ = self.points.slices, self.points.squared_norms, self._rough

    def best_classes(self, X, n_threads: int = 1) -> np.ndarray:
        """Return the class of the largest of `scores`, computed for few cells only.

        Threads share the rows.
        """
        X = sparse.csr_array(X) if sparse.issparse(X) else X
        if not self._glance.is_useful:
            return self._decided_in_threads(X, n_threads)
        blocks = self._glance.blocks(X.shape[0])
        parts = run_in_threads(
            lambda block: self._glance.classes(self._rows(X[block])), blocks, n_threads
        )
        classes = np.concatenate([np.empty(0, dtype=np.intp), *parts])
        left = np.flatnonzero(classes < 0)
        left = np.concatenate([left[k::n_threads] for k in range(n_threads)])
        classes[left] = self._decided_in_threads(X[left], n_threads)
        return classes

    def _rows(self, X) -> PointSet:
        return PointSet(self.scaling.scaled(X), self.scaling)

    def _decided_in_threads(self, X, n_threads: int) -> np.ndarray:
        # The row as it came, centered and rounded; and its nearest centers.
        rough = self._rough
        n_bytes = rough.dtype.itemsize * len(rough) + 32 * X.shape[1] + 2048
        blocks = _shared_blocks(X.shape[0], n_bytes, BLOCK_BYTES, n_threads)
        classes = run_in_threads(
            lambda block: self._decided(rough, self._rows(X[block])), blocks, n_threads
        )
        return np.concatenate([np.empty(0, dtype=np.intp), *classes])

    def _decided(self, rough: RoughCells, rows: PointSet) -> np.ndarray:
        with np.errstate(over="ignore", invalid="ignore"):
            classes, hopeless, doubtful, cells = decide(rough, rows)
        places, first = np.unique(doubtful, return_inverse=True)
        some = PointSet(rows.points[places], self.scaling)
        classes[places] = self._best_among(some, first, cells)
        for block in blocks_of_rows(len(hopeless), self._n_values, _BLOCK_VALUES):
            some = PointSet(rows.points[hopeless[block]], self.scaling)
            scores = self._block_scores(some, best_only=True)
            classes[hopeless[block]] = scores.argmax(axis=1)
        return classes

    def _best_among(self, rows: PointSet, pair_rows, cells) -> np.ndarray:
        """Return the best class where all cells that matter are given in pairs."""
        if len(rows) == 0:
            return np.empty(0, dtype=np.intp)
        distances = squared_distances(rows, self.points)
        with np.errstate(over="ignore", invalid="ignore"):
            values = self._values(distances, pair_rows, cells)
        return self._collect(len(rows), pair_rows, cells, values).argmax(axis=1)

    @cached_property
    def _rough(self) -> RoughCells:
        return RoughCells(self.points, self.labels, MARGIN, SLOPE)

    @cached_property
    def _glance(self) -> Glance:
        return Glance(self.points, self._rough)

    def _block_scores(self, rows: PointSet, best_only: bool) -> np.ndarray:
        if best_only or self._rough.dtype != np.float32:
            return self._scores_by_affine_bounds(rows, best_only)
        distances = squared_distances(rows, self.points)
        with np.errstate(over="ignore", invalid="ignore"):
            told, row, cells = self._rough.of_all_labels(self._rough.rows(rows))
            values = self._values(distances, row, cells)
        scores = self._collect(len(rows), row, cells, values)
        if not told.all():
            others = PointSet(rows.points[~told], self.scaling)
            scores[~told] = self._scores_by_affine_bounds(others, best_only)
        return scores

    def _scores_by_affine_bounds(self, rows: PointSet, best_only: bool) -> np.ndarray:
        starts = np.searchsorted(self.labels, np.arange(self.n_classes + 1))
        groups = [slice(*pair) for pair in pairwise(starts)]
        if best_only:
            groups = [slice(0, len(self.points))]
        distances = squared_distances(rows, self.points)
        seen = _Evaluated(distances.shape, groups)
        with np.errstate(over="ignore", invalid="ignore"):
            upper = self._upper_bounds(rows)
            seen.add(*self._ask_rivals(upper, distances))
            # In each group a most promising cell first, then all that may beat it.
            for choose in (seen.most_promising, seen.undecided):
                wanted = choose(upper)
                seen.add(*wanted, self._values(distances, *wanted))
        return self._collect(len(rows), *seen.pairs())

    def _collect(self, n_rows, rows, cells, values) -> np.ndarray:
        """Sum positive cells by class, in the order of the cells; else the largest."""
        order = np.argsort(cells, kind="stable")
        slot = rows[order] * self.n_classes + self.labels[cells[order]]
        values = values[order]
        n_slots = n_rows * self.n_classes
        sums = np.bincount(slot, np.maximum(values, 0.0), minlength=n_slots)
        largest = np.full(n_slots, -np.inf)
        np.maximum.at(largest, slot, values)
        return np.where(largest > 0, sums, largest).reshape(n_rows, self.n_classes)

    def _half_inverses(self, cells) -> np.ndarray:
        """Return 1 / (2 d_ij^2) for some i and all j, and 0 for equal labels."""
        inverses = squared_distances(self.points.take(cells), self.points)
        # Squares of distances may underflow to zero, or nearly so.
        with np.errstate(divide="ignore", over="ignore"):
            np.divide(0.5, inverses, out=inverses)
        inverses[self.labels[cells][:, np.newaxis] == self.labels] = 0.0
        return inverses

    def _by_cell(self, cells):
        """Yield each cell once, its places in `cells`, and its `_half_inverses`."""
        order = np.argsort(cells, kind="stable")
        wanted, starts = np.unique(cells[order], return_index=True)
        places = np.split(order, starts[1:])
        for start in range(0, len(wanted), _BLOCK_CELLS):
            block = slice(start, start + _BLOCK_CELLS)
            inverses = self._half_inverses(wanted[block])
            yield from zip(wanted[block], places[block], inverses, strict=True)

    def _values(self, distances, rows, cells) -> np.ndarray:
        """Return cell_i(x) for pairs of a row x of `distances` and a center i."""
        values = np.empty(len(cells))
        for center, places, inverse in self._by_cell(cells):
            values[places] = self._one_value(distances[rows[places]], center, inverse)
        return values

    def _one_value(self, distances, center, inverse) -> np.ndarray:
        # p_ij(x) - a = 1/2 - a + (|x - x_i|^2 - |x - x_j|^2) / (2 d_ij^2)
        terms = distances[:, [center]] - distances
        terms *= inverse
        terms += np.where(inverse > 0, 0.5 - MARGIN, 0.0)
        np.maximum(terms, 0.0, out=terms)
        return np.maximum(1.0 - SLOPE * terms.sum(axis=1), _LOWEST)

    @cached_property
    def _affine_bounds(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return v, b, e with sum_j ReLU(p_ij(x) - a) >= <v_i, x> + b_i - rounding.

        Pairs of near centers are left out: their terms are nonnegative, and their
        rounding errors would be large.
        """
        points, norms = self.points.centered, self.points.squared_norms
        n_centers = len(points)
        directions = np.empty_like(points)
        offsets = np.empty(n_centers)
        errors = np.empty(n_centers)
        limit = 2.0**20 / norms.max()
        for start in range(0, n_centers, _BLOCK_CELLS):
            cells = np.arange(start, min(start + _BLOCK_CELLS, n_centers))
            inverses = self._half_inverses(cells)
            inverses[inverses > limit] = 0.0
            total = inverses.sum(axis=1)
            # p_ij(x) - 1/2 = (2 <x, x_j - x_i> + |x_i|^2 - |x_j|^2) / (2 d_ij^2)
            directions[cells] = 2 * (
                inverses @ points - total[:, np.newaxis] * points[cells]
            )
            offsets[cells] = total * norms[cells] - inverses @ norms
            offsets[cells] += (0.5 - MARGIN) * (inverses > 0).sum(axis=1)
            errors[cells] = total
        return directions, offsets, errors

    def _ask_rivals(self, bounds: np.ndarray, distances: np.ndarray):
        """Evaluate the cells of the centers nearest to each x, the rivals.

        Lowers the bounds of all cells to what the terms of the rivals alone leave of
        them. Returns pairs of rows and rivals, and the values of the rivals' cells.
        """
        rows, rivals = self._rivals(distances)
        sums = np.zeros_like(distances)
        values = np.empty(len(rows))
        for rival, places, inverse in self._by_cell(rivals):
            near = distances[rows[places]]
            values[places] = self._one_value(near, rival, inverse)
            near -= near[:, [rival]]
            near *= inverse
            near += np.where(inverse > 0, 0.5 - MARGIN, 0.0)
            sums[rows[places]] += np.maximum(near, 0.0, out=near)
        sums *= -SLOPE * (1 - 1e-9)
        sums += 1.0
        np.minimum(bounds, sums, out=bounds)
        np.maximum(bounds, _LOWEST, out=bounds)
        return rows, rivals, values

    def _rivals(self, distances: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Pair each row with the nearest centers of the nearest class and of others."""
        nearest = self.labels[np.argmin(distances, axis=1)]
        inside = nearest[:, np.newaxis] == self.labels
        n_rivals = min(_N_RIVALS, distances.shape[1] - 1)
        rows, rivals = [], []
        for excluded in (~inside, inside):
            masked = np.where(excluded, np.inf, distances)
            chosen = np.argpartition(masked, n_rivals, axis=1)[:, :n_rivals]
            row, rank = np.nonzero(~np.take_along_axis(excluded, chosen, axis=1))
            rows.append(row)
            rivals.append(chosen[row, rank])
        return np.concatenate(rows), np.concatenate(rivals)

    def _upper_bounds(self, rows: PointSet) -> np.ndarray:
        """Return a number for each row and center that is at least cell_i(x)."""
        n_centers, n_features = self.points.points.shape
        unit = (n_centers + n_features + 16) * 2.0**-49
        radius = np.sqrt(rows.squared_norms) + np.sqrt(self.points.squared_norms.max())
        directions, offsets, error = self._affine_bounds
        bounds = rows.centered @ directions.T
        bounds += offsets - unit * n_centers
        bounds -= (unit * np.square(radius))[:, np.newaxis] * error
        np.maximum(bounds, 0.0, out=bounds)
        bounds *= -SLOPE
        bounds += 1.0
        return np.nan_to_num(bounds, copy=False, nan=1.0)


def _shared_blocks(n_rows: int, n_values: int, most: int, n_threads: int):
    """Cut rows into blocks which in all threads together are as large as one may be."""
    step = even_step(n_rows, most // n_threads // n_values, n_threads)
    return blocks_of_rows(n_rows, 1, step)


class _Evaluated:
    """The cells that have been evaluated, by row, and the best of each group."""

    def __init__(self, shape: tuple[int, int], groups: list[slice]):
        self._groups = groups
        self._known = np.zeros(shape, dtype=bool)
        self._group_of = np.empty(shape[1], dtype=np.intp)
        for number, group in enumerate(groups):
            self._group_of[group] = number
        self._best = np.full((shape[0], len(groups)), -np.inf)
        self._parts: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []

    def add(self, rows: np.ndarray, cells: np.ndarray, values: np.ndarray) -> None:
        self._known[rows, cells] = True
        np.maximum.at(self._best, (rows, self._group_of[cells]), values)
        self._parts.append((rows, cells, values))

    def most_promising(self, upper: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Choose the cell of the largest bound where a group has no value yet."""
        rows, groups = np.nonzero(self._best == -np.inf)
        best = [g.start + np.argmax(upper[:, g], axis=1) for g in self._groups]
        return rows, np.stack(best, axis=1)[rows, groups]

    def undecided(self, upper: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Choose the cells that may be positive, or beat the best of their group."""
        floors = np.minimum(self._best, 0.0)
        wanted = ~self._known
        for group, floor in zip(self._groups, floors.T, strict=True):
            wanted[:, group] &= upper[:, group] >= floor[:, np.newaxis]
        rows, cells = np.nonzero(wanted)
        return rows, cells

    def pairs(self) -> list[np.ndarray]:
        """Return rows, cells and values of all that has been evaluated."""
        return [np.concatenate(part) for part in zip(*self._parts, strict=True)]
