"""Memorization that generalizes: cells around the points of a nearby set.

Yu, Gao, Zhang, Miao, Generalizability of memorization neural networks, NeurIPS 2024.
With centers x_1..x_K, c the smallest distance between different labels, a = 1/3.1:

    p_ij(x) = <x_j - x_i, x - x_i> / ||x_j - x_i||^2          0 at x_i, 1 at x_j
    cell_i(x) = 1 - kappa * sum_{j: y_j != y_i} ReLU(p_ij(x) - a),  kappa = 1/(1 - 2a)
    F_c(x) = sum_{i: y_i = c} ReLU(cell_i(x))

Within c/3.1 of x_i all p_ij <= a, so cell_i = 1. Within c/3.1 of a center x_j of another
label p_ij >= 1 - a, one term alone makes cell_i <= 0.
"""

from __future__ import annotations

from functools import cached_property

import numpy as np
from scipy import sparse

from .._distances import Frame, PointSet, squared_distances
from ..network import Layer, Network
from ..network._layer import frozen

__all__ = ["MARGIN", "NearbySetNetwork", "greedy_cover"]

MARGIN = 1 / 3.1  # a
SLOPE = 1 / (1 - 2 * MARGIN)  # kappa

# `layers` writes the hyperplanes out up to this many weights.
LARGEST_LAYER = 1 << 25
# Rows are evaluated together up to this many values a table, and at most this many.
_BLOCK_VALUES = 1 << 23
_BLOCK_ROWS = 2048
# The cells of this many centers are evaluated together.
_BLOCK_CELLS = 128


def greedy_cover(
    points: np.ndarray, labels: np.ndarray, radius: float, frame: Frame
) -> np.ndarray:
    """Choose centers such that each point lies near a center of its own label.

    Points are taken in the order given; one that no center of its label covers yet
    becomes a center.

    Parameters
    ----------
    points : ndarray of shape (n_points, n_features)
        The points.
    labels : ndarray of shape (n_points,)
        Class numbers.
    radius : float
        How far a center reaches.
    frame : Frame
        The frame of the points.

    Returns
    -------
    centers : ndarray of shape (n_centers,)
        Positions of the centers, in increasing order.
    """
    everything = PointSet(frame.scaled(points), frame)
    # A little less, so that rounding never covers a point beyond the radius.
    reach = np.square(np.ldexp(radius, -frame.exponent)) * (1 - 1e-8)
    chosen = [
        _cover_one_label(everything, np.flatnonzero(labels == label), reach)
        for label in np.unique(labels)
    ]
    return np.sort(np.concatenate(chosen))


def _cover_one_label(everything, left, reach) -> np.ndarray:
    chosen = []
    while len(left):
        block, left = left[:_BLOCK_CELLS], left[_BLOCK_CELLS:]
        candidates = everything.take(block)
        near = squared_distances(candidates, candidates) <= reach
        centers: list[int] = []
        for candidate in range(len(block)):
            if not near[candidate, centers].any():
                centers.append(candidate)
        chosen.append(block[centers])
        if len(left):
            reached = squared_distances(
                everything.take(chosen[-1]), everything.take(left)
            )
            left = left[~(reached <= reach).any(axis=0)]
    return np.concatenate(chosen)


class NearbySetNetwork(Network):
    """The three-layer network of cells, evaluated without its hyperplanes.

    Its first layer has a neuron for each ordered pair of centers of different label.
    None of them is stored: p_ij(x) = 1/2 + (|x - x_i|^2 - |x - x_j|^2) / (2 d_ij^2), so
    the distances to the K centers suffice, and so do few of the cells: by convexity

        sum_j ReLU(p_ij(x) - a) >= ReLU(sum_j (p_ij(x) - a)),

    and the right side is one affine function of x for each cell. Cells that it shows to
    be neither positive nor the largest are left out.

    Parameters
    ----------
    centers : ndarray of shape (n_centers, n_features)
        The nearby set.
    labels : ndarray of shape (n_centers,)
        Class number of each center, in increasing order; at least two classes.
    frame : Frame
        Scales the coordinates to about 1.
    """

    def __init__(self, centers: np.ndarray, labels: np.ndarray, frame: Frame):
        self._centers = frozen(np.asarray(centers, dtype=np.float64))
        self._labels = frozen(np.asarray(labels, dtype=np.intp))
        self._frame = frame
        self._n_classes = int(self._labels[-1]) + 1
        borders = np.arange(self._n_classes + 1)
        self._borders = frozen(np.searchsorted(self._labels, borders))
        self._directions, self._offsets, self._error = self._affine_bounds()

    def __getstate__(self):
        return {k: v for k, v in vars(self).items() if k != "_points"}

    @property
    def centers(self) -> np.ndarray:
        """The centers, of shape (n_centers, n_features), sorted by label."""
        return self._centers

    @property
    def center_labels(self) -> np.ndarray:
        """Class number of each center."""
        return self._labels

    @property
    def n_inputs(self) -> int:
        """Number of input features."""
        return self._centers.shape[1]

    @property
    def depth(self) -> int:
        """Number of layers: hyperplanes, cells, outputs."""
        return 3

    @property
    def widths(self) -> tuple[int, ...]:
        """Number of hyperplanes, of cells, and of outputs."""
        n_outputs = 1 if self._n_classes == 2 else self._n_classes
        return (self._n_pairs, len(self._centers), n_outputs)

    @property
    def _n_pairs(self) -> int:
        # Ordered pairs of different label: K^2 - sum_c K_c^2.
        sizes = [int(size) for size in np.diff(self._borders)]
        return sum(sizes) ** 2 - sum(size**2 for size in sizes)

    @cached_property
    def n_parameters(self) -> int:
        """Number of nonzero weights and biases of the network as it is written down.

        A weight of a hyperplane is zero where its two centers agree in a coordinate;
        each hyperplane has a bias and one weight to its cell, each cell a bias and one
        weight to its output.
        """
        agreements = sum(map(self._count_agreements, self._centers.T))
        weights = self._n_pairs * self.n_inputs - agreements
        return weights + 2 * self._n_pairs + 2 * len(self._centers)

    def _count_agreements(self, coordinate: np.ndarray) -> int:
        """Count the ordered pairs of different label with equal coordinates."""
        _, values = np.unique(coordinate, return_inverse=True)
        both = values * self._n_classes + self._labels
        equal = np.unique(values, return_counts=True)[1]
        same_label = np.unique(both, return_counts=True)[1]
        return int((equal.astype(object) ** 2).sum()) - int(
            (same_label.astype(object) ** 2).sum()
        )

    @property
    def layers(self) -> tuple[Layer, ...]:
        """The three layers written out.

        Raises
        ------
        ValueError
            If the hyperplanes have more than 2^25 weights.
        """
        n_weights = self._n_pairs * self.n_inputs
        if n_weights > LARGEST_LAYER:
            raise ValueError(
                f"The first layer has {self._n_pairs} hyperplanes of {self.n_inputs} "
                f"weights each, which are more than {LARGEST_LAYER} numbers, too many "
                "to write out. `widths`, `n_parameters` and `forward` do without "
                "them; a larger cover_radius (at most 1/3.1) leaves fewer."
            )
        return self._written_out()

    def _written_out(self) -> tuple[Layer, ...]:
        different = self._labels[:, np.newaxis] != self._labels
        i, j = np.nonzero(different)
        near = np.ldexp(self._centers[i], -self._frame.exponent)
        far = np.ldexp(self._centers[j], -self._frame.exponent)
        normals = far - near
        normals /= np.square(normals).sum(axis=1, keepdims=True)
        biases = -(normals * near).sum(axis=1) - MARGIN
        hyperplanes = Layer(
            np.ldexp(normals, -self._frame.exponent, out=normals), biases, "relu"
        )
        starts = np.append(0, np.cumsum(different.sum(axis=1)))
        incoming = sparse.csr_array(
            (np.full(len(i), -SLOPE), np.arange(len(i)), starts),
            shape=(len(self._centers), len(i)),
        )
        cells = Layer(incoming, np.ones(len(self._centers)), "relu")
        outputs = np.eye(self._n_classes)[:, self._labels]
        if self._n_classes == 2:
            outputs = outputs[[1]] - outputs[[0]]
        return hyperplanes, cells, Layer(outputs, np.zeros(len(outputs)), "identity")

    def forward(self, X) -> np.ndarray:
        """Evaluate the network.

        Parameters
        ----------
        X : ndarray or CSR array of shape (n_samples, n_features)
            The inputs.

        Returns
        -------
        outputs : ndarray of shape (n_samples, n_outputs)
            F_c(x) for each class; F_1(x) - F_0(x) for two classes. All zero where x
            lies in no cell.
        """
        outputs = np.maximum(self.class_scores(X), 0.0)
        return outputs[:, [1]] - outputs[:, [0]] if self._n_classes == 2 else outputs

    def class_scores(self, X, *, best_only: bool = False) -> np.ndarray:
        """Score the classes, also where x lies in no cell.

        Parameters
        ----------
        X : ndarray or CSR array of shape (n_samples, n_features)
            The inputs.
        best_only : bool, default=False
            Whether the largest score of each row is enough; the others may then be
            minus infinity.

        Returns
        -------
        scores : ndarray of shape (n_samples, n_classes)
            F_c(x) where it is positive, else the largest value of a cell of the class
            before its ReLU, which is at most 0. A row's scores are the same in any
            batch.
        """
        groups = np.zeros_like(self._labels) if best_only else self._labels
        scores = np.empty((X.shape[0], self._n_classes))
        step = min(_BLOCK_ROWS, max(1, _BLOCK_VALUES // len(self._centers)))
        for start in range(0, X.shape[0], step):
            rows = PointSet(self._frame.scaled(X[start : start + step]), self._frame)
            scores[start : start + step] = self._block_scores(rows, groups)
        return scores

    def _block_scores(self, rows: PointSet, groups: np.ndarray) -> np.ndarray:
        distances = squared_distances(rows, self._points)
        upper = self._upper_bounds(rows)
        # First the most promising cell of each group, then all that may beat it.
        borders = np.append(np.unique(groups, return_index=True)[1], len(groups))
        seeds = np.stack(
            [
                start + np.argmax(upper[:, start:stop], axis=1)
                for start, stop in zip(borders, borders[1:], strict=False)
            ],
            axis=1,
        )
        n_groups = seeds.shape[1]
        row = np.repeat(np.arange(len(rows)), n_groups)
        first = self._cells(distances, row, seeds.ravel())
        best = np.minimum(first.reshape(-1, n_groups), 0.0)
        open_cells = np.empty(upper.shape, dtype=bool)
        for group, (start, stop) in enumerate(zip(borders, borders[1:], strict=False)):
            open_cells[:, start:stop] = upper[:, start:stop] >= best[:, [group]]
        open_cells[row, seeds.ravel()] = False
        more_rows, more_cells = np.nonzero(open_cells)
        more = self._cells(distances, more_rows, more_cells)
        return self._collect(
            len(rows),
            np.append(row, more_rows),
            np.append(seeds.ravel(), more_cells),
            np.append(first, more),
        )

    def _collect(self, n_rows, rows, cells, values) -> np.ndarray:
        """Sum positive cells by class, in the order of the cells; else the largest."""
        order = np.argsort(cells, kind="stable")
        slot = rows[order] * self._n_classes + self._labels[cells[order]]
        values = values[order]
        n_slots = n_rows * self._n_classes
        sums = np.bincount(slot, np.maximum(values, 0.0), minlength=n_slots)
        largest = np.full(n_slots, -np.inf)
        np.maximum.at(largest, slot, values)
        return np.where(largest > 0, sums, largest).reshape(n_rows, self._n_classes)

    @cached_property
    def _points(self) -> PointSet:
        return PointSet(self._frame.scaled(self._centers), self._frame)

    def _half_inverses(self, cells) -> np.ndarray:
        """Return 1 / (2 d_ij^2) for some i and all j, and 0 for equal labels."""
        inverses = squared_distances(self._points.take(cells), self._points)
        with np.errstate(divide="ignore"):
            np.divide(0.5, inverses, out=inverses)
        inverses[self._labels[cells][:, np.newaxis] == self._labels] = 0.0
        return inverses

    def _cells(self, distances, rows, cells) -> np.ndarray:
        """Return cell_i(x) for pairs of a row x of `distances` and a center i."""
        values = np.empty(len(cells))
        order = np.argsort(cells, kind="stable")
        wanted, starts = np.unique(cells[order], return_index=True)
        groups = np.split(order, starts[1:])
        for start in range(0, len(wanted), _BLOCK_CELLS):
            block = slice(start, start + _BLOCK_CELLS)
            inverses = self._half_inverses(wanted[block])
            for inverse, center, group in zip(
                inverses, wanted[block], groups[block], strict=True
            ):
                values[group] = self._one_cell(distances[rows[group]], center, inverse)
        return values

    def _one_cell(self, distances, center, inverse) -> np.ndarray:
        # p_ij(x) - a = 1/2 - a + (|x - x_i|^2 - |x - x_j|^2) / (2 d_ij^2)
        terms = distances[:, [center]] - distances
        terms *= inverse
        terms += np.where(inverse > 0, 0.5 - MARGIN, 0.0)
        np.maximum(terms, 0.0, out=terms)
        return np.maximum(1.0 - SLOPE * terms.sum(axis=1), -np.finfo(float).max)

    def _affine_bounds(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return v, b, e with sum_j ReLU(p_ij(x) - a) >= <v_i, x> + b_i - rounding.

        Pairs of near centers are left out: their terms are nonnegative, and their
        rounding errors would be large.
        """
        points, norms = self._points.centered, self._points.squared_norms
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

    def _upper_bounds(self, rows: PointSet) -> np.ndarray:
        """Return a number for each row and center that is at least cell_i(x)."""
        n_centers, n_features = self._centers.shape
        unit = (n_centers + n_features + 16) * 2.0**-49
        radius = np.sqrt(rows.squared_norms) + np.sqrt(self._points.squared_norms.max())
        with np.errstate(over="ignore", invalid="ignore"):
            bounds = rows.centered @ self._directions.T
            bounds += self._offsets - unit * n_centers
            bounds -= (unit * np.square(radius))[:, np.newaxis] * self._error
            np.maximum(bounds, 0.0, out=bounds)
            bounds *= -SLOPE
            bounds += 1.0
        return np.nan_to_num(bounds, copy=False, nan=1.0)
