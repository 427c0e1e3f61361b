"""Residual networks for samples in general position (Yun, Sra, Jadbabaie, 2019).

d points of one class in general position lie on a hyperplane {x : <a, x> = b} that
holds no other point. A hat of four ReLU nodes around it, 1 on these points and 0 on
all others, pushes them along one feature to a place of their class, where the last
block reads it: at most 4 N / d + 6 d_y hidden nodes for N points of d_y classes.

The largest class stays where it is. All other points are kept off the hat at the
places where they are by then, pushed or not, with all that rounding can do to them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...exceptions import InterpolationError
from .._general_position import DegenerateGroupError, Frame, room
from ._network import Hats, ResidualNetwork, Steps

__all__ = ["build_residual_network", "hidden_node_bound"]

# Groups that are drawn for one block; the one with most room around it is taken.
_N_GROUPS = 4
# A relative error that no rounding reaches, in units of which others are estimated.
_EPSILON = 2.0**-50
_TOO_CLOSE = (
    "The hyperplanes through samples of one class come so close to samples of "
    "other classes that double precision cannot hold the steep nodes between "
    "them. Remove near-duplicates of different classes, or fit fewer samples."
)


def hidden_node_bound(n_samples, n_features, n_classes) -> float:
    """Return 4 N / d + 6 d_y, the hidden nodes that suffice in general position.

    Parameters
    ----------
    n_samples, n_features, n_classes : int
        The numbers N, d and d_y.

    Returns
    -------
    n_nodes : float
        The bound.

    Examples
    --------
    >>> from sklearn_memorize.constructions.residual import hidden_node_bound
    >>> hidden_node_bound(2000, 50, 10)
    220.0
    """
    return 4 * n_samples / n_features + 6 * n_classes


class _State:
    """Where the points are after the blocks so far.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features)
        The points, in double precision.
    """

    def __init__(self, X):
        self.frame = Frame(X)
        self.axis = _widest_feature(X)
        self.scale = float(self.frame.axis(self.axis)[self.axis])
        self.places = X[:, self.axis] * self.scale
        self.pushed = np.zeros(len(X))
        # How far the layers, evaluated in any order in double precision, may be off.
        self.drift = np.zeros(len(X))
        self._moved = False

    def positions(self, normal):
        """Return <a, h> for all points, how far it may be off, and by rounding alone.

        What the second value has more than the third comes from h, and is the same
        for all nodes of a block.
        """
        values, rounding = self.frame.projections(normal)
        if not self._moved:
            return values, rounding, rounding
        leverage = normal[self.axis] / self.scale
        sizes = np.abs(self.places) + np.abs(self.pushed)
        rounding = rounding + _EPSILON * np.abs(leverage) * sizes * (self.pushed > 0)
        errors = rounding + np.abs(leverage) * self.drift
        return values + self.pushed * leverage, errors, rounding

    def push(self, hat, length) -> None:
        """Apply a block."""
        self.pushed[hat.members] += length
        self._moved = True
        # Right of the left foot the four nodes cancel, up to rounding.
        reached = hat.values + hat.errors > hat.corners[0]
        sizes = np.abs(hat.values) + np.abs(hat.corners).max()
        with np.errstate(over="ignore", invalid="ignore"):
            noise = 4 * length / hat.room * (hat.rounding + _EPSILON * sizes)
            self.drift[reached] += noise[reached]
        if not np.isfinite(self.drift).all():
            raise InterpolationError(_TOO_CLOSE)


@dataclass(frozen=True)
class _Hat:
    """A hat around a group of points, and where all points are beside it.

    Parameters
    ----------
    members : ndarray
        Positions of the points of the group.
    normal : ndarray of shape (n_features,)
        The direction a.
    values, errors, rounding : ndarray of shape (n_samples,)
        What `_State.positions` says.
    corners : tuple of float
        Left foot, left and right shoulder, right foot.
    """

    members: np.ndarray
    normal: np.ndarray
    values: np.ndarray
    errors: np.ndarray
    rounding: np.ndarray
    corners: tuple[float, float, float, float]

    @property
    def room(self) -> float:
        """Width of the narrower one of the two slopes."""
        foot, shoulder, other_shoulder, other_foot = self.corners
        return min(shoulder - foot, other_foot - other_shoulder)


def _widest_feature(X) -> int:
    """Return the feature of the largest range in units of its magnitude."""
    low, high = X.min(axis=0), X.max(axis=0)
    magnitude = np.maximum(np.abs(low), np.abs(high))
    magnitude[magnitude == 0] = 1.0
    return int(np.argmax(high / magnitude - low / magnitude))


def _candidates(state, left, size, rng):
    """Yield groups of points, and normal vectors of hyperplanes through them."""
    for _ in range(_N_GROUPS if len(left) > size else 1):
        group = left if len(left) <= size else rng.choice(left, size, replace=False)
        for normal in state.frame.normals(group, rng):
            yield group, normal
    if min(size, len(left)) == 1:
        others = np.delete(np.arange(len(state.pushed)), group[0])
        for feature in state.frame.differing_features(group[0], others):
            yield group, state.frame.axis(feature)


def _best_hat(state, left, size, rng) -> _Hat:
    """Return the hat that has most room, of those around several groups.

    Raises
    ------
    DegenerateGroupError
        If another point comes too close to each of the hyperplanes.
    """
    hats = []
    is_stranger = np.ones(len(state.pushed), dtype=bool)
    for group, normal in _candidates(state, left, size, rng):
        is_stranger[group] = False
        strangers = np.flatnonzero(is_stranger)
        is_stranger[group] = True
        values, errors, rounding = state.positions(normal)
        below, low, high, above, on_it = room(values, errors, group, strangers)
        if len(on_it):
            failure = DegenerateGroupError(group, on_it)
        else:
            corners = below, low, high, above
            hats.append(_Hat(group, normal, values, errors, rounding, corners))
    if not hats:
        raise failure
    return max(hats, key=lambda hat: hat.room)


def _find_hats(state, labels, order, spacing, split, rng):
    """Push the points of each class but the first in `order` to their places."""
    normals, corners, pushes, groups = [], [], [], []
    for level, label in enumerate(order[1:], start=1):
        left, size = np.flatnonzero(labels == label), state.frame.dimension
        while len(left):
            try:
                hat = _best_hat(state, left, size, rng)
            except DegenerateGroupError as problem:
                n_members = len(problem.members)
                if not split or n_members == 1:
                    raise
                size = n_members - -(-n_members // 8)
            else:
                state.push(hat, level * spacing)
                normals.append(hat.normal)
                corners.append(hat.corners)
                pushes.append(level * spacing)
                groups.append(hat.members)
                left, size = np.setdiff1d(left, hat.members), state.frame.dimension
    return Hats(np.array(normals), np.array(corners), np.array(pushes)), groups


def build_residual_network(X, labels, n_classes, *, split, rng):
    """Build residual blocks that memorize the labels.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features)
        Distinct points, in double precision.
    labels : ndarray of shape (n_samples,)
        Class numbers, each below `n_classes` taken.
    n_classes : int
        Number of classes, at least 2.
    split : bool
        Whether a group is made smaller, by an eighth at a time, where hyperplanes
        through it meet other points; otherwise this is an error.
    rng : numpy.random.Generator
        Draws the groups, and chooses among several hyperplanes.

    Returns
    -------
    network : ResidualNetwork
        At most `hidden_node_bound` hidden nodes, if the points are in general position
        and their affine hull has dimension d.
    groups : list of ndarray
        For each block, the positions of the points it pushes.
    dimension : int
        Dimension of the affine hull.

    Raises
    ------
    DegenerateGroupError
        If the points are not in general position, and smaller groups are not allowed
        or do not help.
    InterpolationError
        If double precision cannot hold the places of the classes.
    """
    sizes = np.bincount(labels, minlength=n_classes)
    default = int(sizes.argmax())
    order = np.append(default, np.delete(np.arange(n_classes), default))
    state = _State(X)
    low, high = state.places.min(), state.places.max()
    # Classes next to each other are at least a range apart.
    spacing = 2.0 ** (np.frexp(high - low)[1] + 1)
    hats, groups = _find_hats(state, labels, order, spacing, split, rng)
    steps = Steps(_edges(state, low, high, spacing, n_classes), order)
    network = ResidualNetwork(hats, state.axis, state.scale, steps)
    if not split:
        n_hidden = network.n_neurons - steps.n_outputs
        bound = hidden_node_bound(len(X), state.frame.dimension, n_classes)
        assert n_hidden <= bound, (n_hidden, bound)
    return network, groups, state.frame.dimension


def _edges(state, low, high, spacing, n_classes):
    """Return the middle halves of the gaps between the classes."""
    levels = np.arange(1, n_classes)[:, np.newaxis] * spacing
    last, first = high + levels - spacing, low + levels
    gap = first - last
    if 4 * state.drift.max() >= gap.min() or not np.isfinite(levels).all():
        raise InterpolationError(_TOO_CLOSE)
    return np.hstack([last + gap / 4, first - gap / 4])
