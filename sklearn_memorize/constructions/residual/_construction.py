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
from functools import partial

import numpy as np

from ...exceptions import InterpolationError
from .._general_position import (
    AffineHull,
    DegenerateGroupError,
    clearance,
    largest_class,
)
from ._network import Hats, ResidualNetwork, Steps

# Groups that are drawn for one block; the one with the widest slopes is taken.
_N_GROUPS = 4
# Of fewer features products with one vector are as fast as with several.
_LEAST_FEATURES = 32
# Steep slopes let rounding errors grow from block to block, until nothing more can be
# told apart. Other groups, drawn from the start, have other slopes; then no slope that
# is narrower than this share of the extent of all points is taken around several.
_N_ATTEMPTS = 8
_NARROWEST = 2.0**-20
# A relative error that no rounding reaches, in units of which others are estimated.
_EPSILON = 2.0**-50
# A feature lies far from zero if that is 2**24 times its extent, or more.
_FAR_BITS = 24
_TOO_CLOSE = (
    "The hyperplanes through samples of one class come so close to samples of "
    "other classes that double precision cannot hold the steep nodes between "
    "them. Remove near-duplicates of different classes, or fit fewer samples."
)


def hidden_node_bound(n_samples, n_features, n_classes) -> float:
    """Return 4 N / d + 6 d_y, the hidden nodes that suffice in general position.

    >>> from sklearn_memorize.constructions.residual._construction import (
    ...     hidden_node_bound,
    ... )
    >>> hidden_node_bound(2000, 50, 10)
    220.0
    """
    return 4 * n_samples / n_features + 6 * n_classes


def build_residual_network(X, labels, n_classes: int, *, split: bool, rng):
    """Build residual blocks that memorize the labels.

    X holds distinct points in double precision, of shape (n_samples, n_features). The
    points of the largest class are not pushed. With `split`, a group is made smaller,
    by an eighth at a time, where hyperplanes through it meet other points; otherwise
    this is a `DegenerateGroupError`.

    Returns the network, the positions of the points that each block pushes, and the
    dimension d of the affine hull. There are at most `hidden_node_bound` hidden nodes
    if the points are in general position.
    """
    pivot = _pivot(X)
    if pivot is not None:
        X = X - pivot
    default = largest_class(labels)
    order = np.append(default, np.delete(np.arange(n_classes), default))
    narrowest = 0.0
    for n_left in reversed(range(_N_ATTEMPTS if split else 1)):
        try:
            points = _PushedPoints(X)
            network, groups = _network_of(
                points, labels, order, pivot, split, narrowest, rng
            )
            break
        except (DegenerateGroupError, InterpolationError):
            if n_left == 0:
                raise
            narrowest = _NARROWEST
    if not split:
        n_hidden = sum(network.widths[:-1])
        bound = hidden_node_bound(len(X), points.hull.dimension, n_classes)
        assert n_hidden <= bound, (n_hidden, bound)
    return network, groups, points.hull.dimension


def _network_of(
    points, labels, order, pivot, split, narrowest, rng
) -> tuple[ResidualNetwork, list]:
    """Return a network, and the groups of its blocks, as the generator has them."""
    low, high = points.places.min(), points.places.max()
    # Classes next to each other are at least a range apart.
    spacing = 2.0 ** (np.frexp(high - low)[1] + 1)
    hats, groups = _find_hats(points, labels, order, spacing, split, narrowest, rng)
    steps = Steps(_edges(points, low, high, spacing, len(order)), order)
    return ResidualNetwork(hats, points.axis, points.scale, steps, pivot), groups


def _pivot(X) -> np.ndarray | None:
    """Return what to subtract where features lie many times their extent from zero.

    The difference of two doubles that are within a factor of two of each other is
    exact, so that nothing is lost.
    """
    low, high = X.min(axis=0), X.max(axis=0)
    nearest = np.minimum(np.abs(low), np.abs(high))
    nearest[np.sign(low) != np.sign(high)] = 0.0
    with np.errstate(over="ignore"):
        extent = high - low
    far = (extent > 0) & (np.ldexp(nearest, -_FAR_BITS) > extent)
    return np.where(far, low, 0.0) if far.any() else None


class _PushedPoints:
    """Where the points, given in double precision, are after the blocks so far."""

    def __init__(self, X):
        self.hull = AffineHull(X)
        self.axis = _widest_feature(X)
        self.scale = float(self.hull.axis(self.axis)[self.axis])
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
        values, rounding = self.hull.projections(normal)
        if not self._moved:
            return values, rounding, rounding
        leverage = normal[self.axis] / self.scale
        sizes = np.abs(self.places) + np.abs(self.pushed)
        rounding = rounding + _EPSILON * np.abs(leverage) * sizes * (self.pushed > 0)
        errors = rounding + np.abs(leverage) * self.drift
        return values + self.pushed * leverage, errors, rounding

    def rough_positions(self, normals):
        """Yield the positions for each normal, and how far `positions` may be off them.

        That is no less than the errors which `positions` tells.
        """
        products, sizes = self.hull.rough_projections(normals)
        reach = np.abs(self.places) + np.abs(self.pushed)
        for values, errors, normal in zip(products.T, sizes.T, normals.T, strict=True):
            leverage = normal[self.axis] / self.scale
            off = self.hull.normal_error / self.scale
            largest = np.abs(leverage) + off
            moved = 4 * _EPSILON * (np.abs(values) + largest * reach)
            moved += largest * self.drift + off * reach
            yield values + self.pushed * leverage, errors + moved

    def unmoved(self, group) -> np.ndarray:
        """Return the points beside a group that have not been pushed."""
        at_rest = self.pushed == 0
        at_rest[group] = False
        return np.flatnonzero(at_rest)

    def push(self, hat, length) -> None:
        """Apply a block."""
        self.pushed[hat.members] += length
        self._moved = True
        # Right of the left foot the four nodes cancel, up to rounding.
        reached = hat.values + hat.errors > hat.corners[0]
        sizes = np.abs(hat.values) + np.abs(hat.corners).max()
        with np.errstate(over="ignore", invalid="ignore"):
            noise = 4 * length / hat.slope_width * (hat.rounding + _EPSILON * sizes)
            self.drift[reached] += noise[reached]
        if not np.isfinite(self.drift).all():
            raise InterpolationError(_TOO_CLOSE).about(hat.members)


@dataclass(frozen=True)
class _Hat:
    """A hat around a group of points, and where all points are beside it.

    `corners` are left foot, left and right shoulder, right foot; the three arrays are
    what `_PushedPoints.positions` says.
    """

    members: np.ndarray
    normal: np.ndarray
    values: np.ndarray
    errors: np.ndarray
    rounding: np.ndarray
    corners: tuple[float, float, float, float]

    @property
    def slope_width(self) -> float:
        """Width of the narrower one of the two slopes."""
        foot, shoulder, other_shoulder, other_foot = self.corners
        return min(shoulder - foot, other_foot - other_shoulder)


def _widest_feature(X) -> int:
    """Return the feature of the largest range in units of its magnitude."""
    low, high = X.min(axis=0), X.max(axis=0)
    magnitude = np.maximum(np.abs(low), np.abs(high))
    magnitude[magnitude == 0] = 1.0
    return int(np.argmax(high / magnitude - low / magnitude))


def _find_hats(points, labels, order, spacing, split, narrowest, rng):
    """Push the points of each class but the first in `order` to their places."""
    hats, pushes = [], []
    for level, label in enumerate(order[1:], start=1):
        left, size = np.flatnonzero(labels == label), points.hull.dimension
        while len(left):
            try:
                hat = _best_hat(points, left, size, narrowest, split, rng)
            except DegenerateGroupError as problem:
                n_members = len(problem.members)
                if not split or n_members == 1:
                    raise
                size = n_members - -(-n_members // 8)
            else:
                points.push(hat, level * spacing)
                # What is needed no more are arrays as long as the data.
                hats.append((hat.normal, hat.corners, hat.members))
                pushes.append(level * spacing)
                left, size = np.setdiff1d(left, hat.members), points.hull.dimension
    normals, corners, groups = zip(*hats, strict=True)
    return Hats(np.array(normals), np.array(corners), np.array(pushes)), list(groups)


def _best_hat(points, left, size, narrowest, split, rng) -> _Hat:
    """Return the hat of the widest slopes, of those around several groups.

    If another point comes too close to each of the hyperplanes, this is a
    `DegenerateGroupError`; also if the slopes around several points are narrower than
    the share `narrowest` of the extent of all points.
    """
    size = min(size, len(left))
    # Which points are in the way is of interest only where no smaller group is tried.
    quickly = split and size > 1
    candidates, failure = [], DegenerateGroupError(left[:size], left[:0])
    for group, planes, coefficients in _candidates(points, left, size, rng):
        widths = _upper_widths(points, group, planes, coefficients, quickly)
        candidates += [
            (width, group, partial(planes.normal, some))
            for width, some in zip(widths, coefficients, strict=True)
        ]
    if size == 1:
        others = np.delete(np.arange(len(points.pushed)), group[0])
        candidates += [
            (np.inf, group, partial(points.hull.axis, feature))
            for feature in points.hull.differing_features(group[0], others)
        ]
    best, place = None, len(candidates)
    # The first one of the widest slopes. Most bounds leave just one to look at.
    for number in np.argsort([-width for width, *_ in candidates], kind="stable"):
        width, group, normal = candidates[number]
        if width == 0 or (best is not None and width < best.slope_width):
            break
        hat, too_close = _hat_around(points, group, normal())
        if hat is None:
            failure = DegenerateGroupError(group, too_close)
        elif best is None or (hat.slope_width, -number) > (best.slope_width, -place):
            best, place = hat, number
    if best is None:
        if not quickly:
            _, group, normal = candidates[-1]
            _, too_close = _hat_around(points, group, normal())
            failure = DegenerateGroupError(group, too_close)
        raise failure
    if len(best.members) > 1 and best.slope_width < narrowest * np.ptp(best.values):
        raise DegenerateGroupError(best.members, best.members)
    return best


def _hat_around(points, group, normal) -> tuple[_Hat | None, np.ndarray]:
    """Return the hat, or None and the points that come too close."""
    others = np.delete(np.arange(len(points.pushed)), group)
    values, errors, rounding = points.positions(normal)
    *corners, too_close = clearance(values, errors, group, others)
    if len(too_close):
        return None, too_close
    return _Hat(group, normal, values, errors, rounding, tuple(corners)), too_close


def _candidates(points, left, size, rng):
    """Yield groups, the hyperplanes through them, and coefficients of some of these."""
    for _ in range(_N_GROUPS if len(left) > size else 1):
        group = left if len(left) <= size else rng.choice(left, size, replace=False)
        planes = points.hull.through(group)
        yield group, planes, list(planes.draw(rng))


def _upper_widths(points, group, planes, coefficients, quickly) -> list[float]:
    """Bound the slopes of hats from above; 0 where others come too close for certain.

    All products are one, which is fast; they are no farther from those of
    `_PushedPoints.positions` than the errors that this tells.
    """
    if points.hull.n_features < _LEAST_FEATURES:
        return [np.inf] * len(coefficients)
    normals = planes.rough_normals(coefficients)
    if quickly and points.hull.meets(normals, group, points.unmoved(group)).all():
        return [0.0] * len(coefficients)
    is_other = np.ones(len(points.pushed), dtype=bool)
    is_other[group] = False
    widths = []
    for values, errors in points.rough_positions(normals):
        of_group = values[group]
        # Exact values are within `errors`, and so are what they may be off.
        low = (of_group - 2 * errors[group]).min()
        high = (of_group + 2 * errors[group]).max()
        left = is_other & (values + 2 * errors < low)
        right = is_other & (values - 2 * errors > high)
        foot = (values - errors).max(where=left, initial=-np.inf)
        other_foot = (values + errors).min(where=right, initial=np.inf)
        shoulder = (of_group + errors[group]).min()
        other_shoulder = (of_group - errors[group]).max()
        width = min(shoulder - foot, other_foot - other_shoulder)
        widths.append(float(width) if np.isfinite(width) else np.inf)
    return widths


def _edges(points, low, high, spacing, n_classes):
    """Return the middle halves of the gaps between the classes."""
    levels = np.arange(1, n_classes)[:, np.newaxis] * spacing
    last, first = high + levels - spacing, low + levels
    gap = first - last
    if 4 * points.drift.max() >= gap.min() or not np.isfinite(levels).all():
        raise InterpolationError(_TOO_CLOSE).about([int(points.drift.argmax())])
    return np.hstack([last + gap / 4, first - gap / 4])
