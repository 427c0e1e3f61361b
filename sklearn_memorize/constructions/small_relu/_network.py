"""A ReLU network of one projection, evaluated where it is well conditioned."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import sparse

from ... import kernels
from ...network._layer import frozen
from ...network._network import LayeredNetwork
from ...network._storage import check_small_relu, shapes, storable

__all__ = ["Cells", "SmallReLUNetwork", "project"]

# Rows are projected in blocks of about this many values.
_BLOCK_VALUES = 1 << 22


def project(X, directions: np.ndarray) -> np.ndarray:
    """Return `X @ directions.T`, each entry summed over the features in order.

    The zeros of a row add nothing, so that a dense row and its sparse copy have the
    same projection to the last bit, alone or among others.

    Parameters
    ----------
    X : ndarray or CSR array of shape (n_samples, n_features)
        The rows.
    directions : ndarray of shape (n_directions, n_features)
        What to project on.

    Returns
    -------
    projections : ndarray of shape (n_samples, n_directions)
        The projections; where the sum overflows in both directions, 0.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        if sparse.issparse(X):
            projections = _project_sparse(X, directions)
        else:
            projections = _project_dense(X, directions)
    return np.nan_to_num(projections, nan=0.0)


def _project_dense(X, directions) -> np.ndarray:
    step = max(1, _BLOCK_VALUES // max(1, X.shape[1]))
    blocks = [
        kernels.ordered_product(X[start : start + step], directions)
        for start in range(0, X.shape[0], step)
    ]
    return np.concatenate(blocks)


def _project_sparse(X, directions) -> np.ndarray:
    if not X.has_canonical_format:
        X = X.copy()
        X.sum_duplicates()
    row_of_entry = np.repeat(np.arange(X.shape[0]), np.diff(X.indptr))
    projections = np.empty((X.shape[0], len(directions)))
    for number, direction in enumerate(directions):
        # bincount adds from left to right, as ordered_product does.
        terms = X.data.astype(np.float64) * direction[X.indices]
        projections[:, number] = np.bincount(row_of_entry, terms, X.shape[0])
    return projections


@dataclass(frozen=True)
class Cells:
    """What the network does on a line, cell by cell.

    Parameters
    ----------
    anchors : ndarray of shape (n_anchors,)
        Increasing positions on the line, one for each memorized sample (and the
        padding of the last group).
    values : ndarray of shape (n_anchors, n_outputs)
        What the network says there, within [-1, 1].
    slopes : ndarray of shape (n_anchors, n_outputs)
        Slope of the second-layer node that is responsible for the anchor.
    borders : ndarray of shape (n_anchors - 1,)
        Where one group ends and the next begins, for neighbouring anchors of
        different groups; NaN for neighbours in one group.
    """

    anchors: np.ndarray
    values: np.ndarray
    slopes: np.ndarray
    borders: np.ndarray

    def __post_init__(self):
        for name in ("anchors", "values", "slopes", "borders"):
            object.__setattr__(self, name, frozen(getattr(self, name)))

    def evaluate(self, positions: np.ndarray) -> np.ndarray:
        """Return the outputs, of shape (n_positions, n_outputs)."""
        right = np.searchsorted(self.anchors, positions, side="right")
        left = np.clip(right - 1, 0, None)
        right = np.clip(right, None, len(self.anchors) - 1)
        from_left = self._node(left, positions)
        from_right = self._node(right, positions)
        border = self.borders[np.minimum(left, len(self.borders) - 1)][:, np.newaxis]
        # Neighbours in one group: where one of the two nodes reads its anchor's
        # value, the other is saturated at the common sign of the two slopes.
        saturated = np.sign(self.slopes[left])
        outside = (left == right)[:, np.newaxis]
        within = np.where(outside, from_left, from_left + (from_right - saturated))
        across = np.where(positions[:, np.newaxis] <= border, from_left, from_right)
        return np.where(np.isnan(border), within, across)

    def _node(self, number, positions) -> np.ndarray:
        offsets = (positions - self.anchors[number])[:, np.newaxis]
        potential = self.values[number] + self.slopes[number] * offsets
        return np.clip(potential, -1.0, 1.0)


class SmallReLUNetwork(LayeredNetwork):
    """A ReLU network that reads its input through one projection.

    Between two neighbouring samples on the line all second-layer nodes are saturated
    but two. `forward` finds the cell, and evaluates these two around their samples:
    the same function as `layers`, without the rounding errors of large sums. At a
    memorized sample it returns the memorized value to the last bit, whereas the
    layers, evaluated one after the other in double precision, carry an error of about
    the largest slope times the spacing of floating-point numbers.

    Parameters
    ----------
    layers : sequence of Layer
        The textbook form.
    direction : ndarray of shape (n_features,)
        What the inputs are projected on.
    cells : Cells
        The function of the projection, with values in [-1, 1].
    offset, scale : ndarray of shape (n_outputs,)
        The output is `offset + scale * value`.
    """

    def __init__(self, layers, direction, cells: Cells, offset, scale):
        super().__init__(layers)
        self._direction = frozen(direction)
        self._cells = cells
        self._offset = frozen(offset)
        self._scale = frozen(scale)

    @property
    def direction(self) -> np.ndarray:
        """What the inputs are projected on, of shape (n_features,)."""
        return self._direction

    @property
    def smallest_gap(self) -> float:
        """Smallest distance of two samples on the line."""
        anchors = self._cells.anchors
        return float(np.diff(anchors).min()) if len(anchors) > 1 else np.inf

    @property
    def largest_slope(self) -> float:
        """Largest slope of a second-layer node along the line."""
        return float(np.abs(self._cells.slopes).max())

    def forward(self, X) -> np.ndarray:
        positions = project(X, self._direction[np.newaxis])[:, 0]
        with np.errstate(over="ignore"):
            return self._offset + self._scale * self._cells.evaluate(positions)


storable(Cells, shapes(anchors="n", values="n,k", slopes="n,k", borders="n-1"))
storable(SmallReLUNetwork, check_small_relu)
