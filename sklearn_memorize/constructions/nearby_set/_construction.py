"""Memorization that generalizes: cells around the points of a nearby set.

Yu, Gao, Zhang, Miao, Generalizability of memorization neural networks, NeurIPS 2024.
With centers x_1..x_K, c the smallest distance between different labels, a = 1/3.1:

    p_ij(x) = <x_j - x_i, x - x_i> / ||x_j - x_i||^2          0 at x_i, 1 at x_j
    cell_i(x) = 1 - kappa * sum_{j: y_j != y_i} ReLU(p_ij(x) - a),  kappa = 1/(1 - 2a)
    F_c(x) = sum_{i: y_i = c} ReLU(cell_i(x))

Within c/3.1 of x_i all p_ij <= a, so cell_i = 1. Within c/3.1 of a center x_j of
another label p_ij >= 1 - a, one term alone makes cell_i <= 0.

`greedy_cover` chooses the centers; `_cells.py` evaluates the cells, and `_network.py`
writes them out as layers.
"""

from __future__ import annotations

import numpy as np

from ..._estimator._messages import INSTEAD
from ...exact._closest_pairs import closest_pair
from ...exact._distances import (
    PointSet,
    RoughPoints,
    Scaling,
    squared_distances,
    squared_distances_of_pairs,
)
from ...exact._screen import Screen
from ...exceptions import InterpolationError
from ._network import NearbySetNetwork

# Squares of smaller distances, in units of the largest coordinate, underflow.
_SMALLEST_DISTANCE = 2.0**-400
# Candidates for centers are compared in blocks of this many.
_BLOCK_CENTERS = 128
# Pairs are looked at one by one if they are fewer than this part of all.
_PART_OF_PAIRS = 64


def build_nearby_set_network(points, labels, cover_radius: float, rows):
    """Choose centers out of the points, and put a cell around each.

    Centers reach `cover_radius` times the distance between the classes; with 0 each
    point is one. `rows` are the numbers of the points in the training set, for
    messages. Returns the network, the class distance, and the positions of the centers.
    """
    scaling = Scaling.of(points)
    distance, pair = closest_pair(points, labels)
    _check_distance(distance, scaling, rows[list(pair or ())])
    centers = np.arange(len(points))
    if cover_radius > 0 and np.isfinite(distance):
        centers = greedy_cover(points, labels, cover_radius * distance, scaling)
    elif cover_radius > 0:  # of smaller points the distance is a number
        smaller = np.ldexp(points, -3 - points.shape[1].bit_length())
        radius = cover_radius * closest_pair(smaller, labels)[0]
        centers = greedy_cover(smaller, labels, radius, Scaling.of(smaller))
    network = NearbySetNetwork(points[centers], labels[centers], scaling)
    return network, distance, centers


def greedy_cover(
    points: np.ndarray, labels: np.ndarray, radius: float, scaling: Scaling
) -> np.ndarray:
    """Choose centers such that each point is within the radius of one of its label.

    Points are taken in the order given; one that no center of its label covers yet
    becomes a center. Returns the positions of the centers, which increase.
    """
    pairs = _Reached(PointSet(scaling.scaled(points), scaling))
    # A little less, so that rounding never covers a point beyond the radius.
    reach = np.square(np.ldexp(radius, -scaling.exponent)) * (1 - 1e-8)
    chosen = [
        _cover_one_label(pairs, np.flatnonzero(labels == label), reach)
        for label in np.unique(labels)
    ]
    return np.sort(np.concatenate(chosen))


class _Reached:
    """Tells which of some points are near others, exactly."""

    def __init__(self, points: PointSet):
        self._points = points
        self._screen = Screen(points.centered)
        self._rough = None if self._screen.is_narrow else RoughPoints(points)

    def __call__(self, left: np.ndarray, right: np.ndarray, reach) -> np.ndarray:
        """Return whether `squared_distances` of points is at most `reach`."""
        if self._rough is None:
            near = self._screen.lower_bounds_among(left, right) <= reach
        elif self._rough.are_usable:
            near = self._rough.squared_distances(left, right) <= (
                reach + self._rough.error
            )
        else:
            return self._exactly(left, right, reach)
        row, column = np.nonzero(near)
        if len(row) <= near.size // _PART_OF_PAIRS:
            pairs = self._points, left[row], self._points, right[column]
            near[row, column] = squared_distances_of_pairs(*pairs) <= reach
            return near
        rows, columns = np.unique(row), np.unique(column)
        near[np.ix_(rows, columns)] = self._exactly(left[rows], right[columns], reach)
        return near

    def _exactly(self, left, right, reach) -> np.ndarray:
        left, right = self._points.take(left), self._points.take(right)
        return squared_distances(left, right) <= reach


def _cover_one_label(reached: _Reached, left, reach) -> np.ndarray:
    chosen = []
    while len(left):
        block, left = left[:_BLOCK_CENTERS], left[_BLOCK_CENTERS:]
        near = reached(block, block, reach)
        centers: list[int] = []
        for candidate in range(len(block)):
            if not near[candidate, centers].any():
                centers.append(candidate)
        chosen.append(block[centers])
        if len(left):
            left = left[~reached(chosen[-1], left, reach).any(axis=0)]
    return np.concatenate(chosen)


def _check_distance(distance: float, scaling: Scaling, samples: np.ndarray) -> None:
    if np.ldexp(distance, -scaling.exponent) < _SMALLEST_DISTANCE:
        raise InterpolationError(
            f"Samples {samples[0]} and {samples[1]} have different labels and are at "
            f"distance {distance:.3g}, too close for double precision beside "
            f"coordinates of size 2^{scaling.exponent}. Rescale the features, or give "
            f"the two samples one label. {INSTEAD}"
        )
