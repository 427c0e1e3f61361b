"""Residual networks for samples in general position (Yun, Sra, Jadbabaie, 2019).

d points of one class in general position lie on a hyperplane {x : <a, x> = b} that
holds no other point. A hat of four ReLU nodes around it, 1 on these points and 0 on
all others, pushes them along one feature to a place of their class, where the last
block reads it: at most 4 N / d + 6 d_y hidden nodes for N points of d_y classes.

The largest class stays where it is. All other points are kept off the hat at the
places where they are by then, pushed or not, with all that rounding can do to them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np

from ...exceptions import InterpolationError
from ...kernels._threads import Workers
from .._beside import LEAST_FEATURES, beside
from .._general_position import (
    N_DIRECTIONS,
    AffineHull,
    DegenerateGroupError,
    clearance,
    largest_class,
    smaller,
)
from ._network import Hats, ResidualNetwork, Steps

# Groups that are drawn for one block; the one with the widest slopes is taken.
_N_GROUPS = 4
# Steep slopes let rounding errors grow from block to block, until nothing more can be
# told apart. Other groups, drawn from the start, have other slopes; then no slope that
# is narrower than this share of the extent of all points is taken around several.
_N_ATTEMPTS = 8
_NARROWEST = 2.0**-20
# Groups that are split anyway are not to have slopes narrower than that.
_NARROWEST_OF_PARTS = 2.0**-23
# A relative error that no rounding reaches, in units of which others are estimated.
_EPSILON = 2.0**-50
# A feature lies far from zero if that is 2**8 times its extent, or more.
_FAR_BITS = 8
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


def build_residual_network(X, labels, n_classes: int, *, split: bool, rng, n_threads=1):
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
            points = _PushedPoints(X, n_threads)
            with Workers(n_threads) as workers:
                network, groups = _network_of(
                    points, labels, order, pivot, split, narrowest, rng, workers
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
    points, labels, order, pivot, split, narrowest, rng, workers
) -> tuple[ResidualNetwork, list]:
    """Return a network, and the groups of its blocks, as the generator has them."""
    low, high = points.places.min(), points.places.max()
    # Classes next to each other are at least a range apart.
    spacing = 2.0 ** (np.frexp(high - low)[1] + 1)
    hats, groups = _find_hats(
        points, labels, order, spacing, split, narrowest, rng, workers
    )
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

    def __init__(self, X, n_threads: int = 1):
        self.hull = AffineHull(X, n_threads)
        self.axis = _widest_feature(X)
        self.scale = float(self.hull.axis(self.axis)[self.axis])
        self.places = X[:, self.axis] * self.scale
        self.pushed = np.zeros(len(X))
        # How far the layers, evaluated in any order in double precision, may be off.
        self.drift = np.zeros(len(X))
        self._moved = False

    def positions(self, normal, rows=None):
        """Return <a, h> for all points, how far it may be off, and by rounding alone.

        What the second value has more than the third comes from h, and is the same
        for all nodes of a block. With `rows`, of the points at these positions.
        """
        values, rounding = self.hull.projections(normal, rows)
        if not self._moved:
            return values, rounding, rounding
        which = slice(None) if rows is None else rows
        pushed, drift = self.pushed[which], self.drift[which]
        leverage = normal[self.axis] / self.scale
        sizes = np.abs(self.places[which]) + np.abs(pushed)
        rounding = rounding + _EPSILON * np.abs(leverage) * sizes * (pushed > 0)
        errors = rounding + np.abs(leverage) * drift
        return values + pushed * leverage, errors, rounding

    def intervals(self, rows, normals) -> tuple[np.ndarray, np.ndarray]:
        """Return ends of intervals that hold the positions, (n_normals, n_rows).

        They hold all that these may be off. The normals, in columns, are rough ones.
        """
        values, errors = self.hull.rough_projections(normals, rows)
        if self._moved:
            leverages = (normals[self.axis] / self.scale)[:, np.newaxis]
            pushed = self.pushed[rows]
            reach = np.abs(self.places[rows]) + np.abs(pushed)
            off = self.hull.normal_error
            largest = np.abs(leverages) + off
            moved = 4 * _EPSILON * (np.abs(values) + largest * reach)
            errors = errors + moved + largest * self.drift[rows] + off * reach
            values += pushed * leverages
        return values - 2 * errors, values + 2 * errors

    def unmoved(self) -> np.ndarray:
        """Return the points that have not been pushed."""
        return np.flatnonzero(self.pushed == 0)

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
        return _narrower(self.corners)


def _widest_feature(X) -> int:
    """Return the feature of the largest range in units of its magnitude."""
    low, high = X.min(axis=0), X.max(axis=0)
    magnitude = np.maximum(np.abs(low), np.abs(high))
    magnitude[magnitude == 0] = 1.0
    return int(np.argmax(high / magnitude - low / magnitude))


def _find_hats(points, labels, order, spacing, split, narrowest, rng, workers):
    """Push the points of each class but the first in `order` to their places."""
    hats, pushes = [], []
    for level, label in enumerate(order[1:], start=1):
        left, sizes = np.flatnonzero(labels == label), _GroupSizes(points.hull)
        some = None
        while len(left):
            if some is None and split and points.hull.n_features >= LEAST_FEATURES:
                some = points.hull.some_of(points.unmoved())
            try:
                hat = _best_hat(
                    points, left, sizes.next, narrowest, split, rng, some, workers
                )
            except DegenerateGroupError as problem:
                if not split or len(problem.members) == 1:
                    raise
                sizes.refuse(len(problem.members))
            else:
                points.push(hat, level * spacing)
                # What is needed no more are arrays as long as the data.
                hats.append((hat.normal, hat.corners, hat.members))
                pushes.append(level * spacing)
                left = left[points.pushed[left] == 0]
                sizes.accept()
                some = None
    normals, corners, groups = zip(*hats, strict=True)
    return Hats(np.array(normals), np.array(corners), np.array(pushes)), list(groups)


class _GroupSizes:
    """How many points of a class are tried as the next group.

    In general position that is always the dimension of the affine hull. Elsewhere
    groups of a class do well up to about the same size, which is looked for by factors
    of 7 / 8 from where the last group was accepted.
    """

    def __init__(self, hull: AffineHull):
        self.next = self._most = hull.dimension
        self._n_refused = 0

    def refuse(self, size: int) -> None:
        """Go on with fewer than these points."""
        self.next = smaller(size)
        self._n_refused += 1

    def accept(self) -> None:
        """Begin the next group above this one, and higher if no larger one failed."""
        for _ in range(1 if self._n_refused else 2):
            self.next = min(self.next - -self.next // 7, self._most)
        self._n_refused = 0


@dataclass(frozen=True)
class _Candidate:
    """A hyperplane through a group, by what makes its normal vector.

    `width` is no less than the width of the narrower one of both slopes around it.
    `rows` are the positions of the points that have to be looked at.
    """

    width: float
    group: np.ndarray
    normal: Callable[[], np.ndarray]
    rows: np.ndarray


def _best_hat(points, left, size, narrowest, split, rng, some, workers) -> _Hat:
    """Return the hat of the widest slopes, of those around several groups.

    If another point comes too close to each of the hyperplanes, this is a
    `DegenerateGroupError`; also if the slopes around several points are narrower than
    the share `narrowest` of the extent of all points, or another one for groups that
    are neither as large as they may be nor the last of their class.
    """
    size = min(size, len(left))
    # Which points are in the way is of interest only where no smaller group is tried.
    quickly = split and size > 1
    candidates = _candidates(
        points, left, size, rng, some if quickly else None, workers
    )
    best, chosen, failure = (0.0, 0), None, DegenerateGroupError(left[:size], left[:0])
    # The first one of the widest slopes. Most bounds leave just one to look at.
    for number in np.argsort([-one.width for one in candidates], kind="stable"):
        candidate = candidates[number]
        if chosen and candidate.width < best[0]:
            break
        normal = candidate.normal()
        corners, too_close, positions = _corners(points, candidate, normal)
        if len(too_close):
            failure = DegenerateGroupError(candidate.group, too_close)
        elif chosen is None or (_narrower(corners), -number) > best:
            best = _narrower(corners), -number
            chosen = candidate.group, normal, corners, positions
    if chosen is None:
        if not quickly:
            last = candidates[-1]
            _, too_close, _ = _corners(points, last, last.normal())
            failure = DegenerateGroupError(last.group, too_close)
        raise failure
    group, normal, corners, (values, errors, rounding) = chosen
    if len(values) < points.hull.n_points:
        values, errors, rounding = points.positions(normal)
    hat = _Hat(group, normal, values, errors, rounding, corners)
    if 1 < len(group) < min(points.hull.dimension, len(left)):
        narrowest = max(narrowest, _NARROWEST_OF_PARTS)
    if len(group) > 1 and hat.slope_width < narrowest * np.ptp(hat.values):
        raise DegenerateGroupError(group, group)
    return hat


def _corners(points, candidate, normal) -> tuple[tuple, np.ndarray, tuple]:
    """Return the corners of a hat, the points that come too close, and positions.

    The latter are those of all points, or of the few that were looked at.
    """
    group = candidate.group
    is_other = np.ones(points.hull.n_points, dtype=bool)
    is_other[group] = False
    others = candidate.rows[is_other[candidate.rows]]
    positions, members, others, rows = points.hull.located(
        points.positions, normal, group, others
    )
    values, errors, _ = positions
    *corners, too_close = clearance(values, errors, members, others)
    return tuple(corners), rows[too_close], positions


def _narrower(corners) -> float:
    """Return the width of the narrower one of two slopes."""
    foot, shoulder, other_shoulder, other_foot = corners
    return min(shoulder - foot, other_foot - other_shoulder)


def _candidates(points, left, size, rng, some, workers) -> list[_Candidate]:
    """Return hyperplanes through random groups, with what lies beside them.

    `some` are points by which hyperplanes are refused at first, if any are.
    """
    hull = points.hull
    drawn = _groups(points, left, size, rng, some, workers)
    everyone = np.arange(hull.n_points)
    if hull.n_features < LEAST_FEATURES:
        candidates = [
            _Candidate(np.inf, group, normal, everyone)
            for group, normals, _ in drawn
            for normal in normals
        ]
    else:
        open_ = [these for these in drawn if these[-1] is not None]
        found = beside(
            points.intervals,
            [(group, columns) for group, _, columns in open_],
            everyone,
            hull.n_features,
            workers.n_threads,
        )
        hyperplanes = [
            (group, normal) for group, normals, _ in open_ for normal in normals
        ]
        candidates = [
            _Candidate(near.width, *hyperplane, near.rows)
            for hyperplane, near in zip(hyperplanes, found, strict=True)
        ]
    if size == 1:
        (group, *_), *_ = drawn
        features = hull.differing_features(group[0], np.delete(everyone, group[0]))
        candidates += [
            _Candidate(np.inf, group, partial(hull.axis, feature), everyone)
            for feature in features
        ]
    return candidates


def _groups(points, left, size, rng, some, workers) -> list[tuple]:
    """Draw groups, and hyperplanes through each of them; threads share the groups.

    Returns each group with what `_hyperplanes` says of it.
    """
    n_groups = _N_GROUPS if len(left) > size else 1
    found = []
    for _ in range(n_groups):
        group = left if len(left) <= size else rng.choice(left, size, replace=False)
        # As many as there may be directions, whatever the rank of the group is.
        numbers = rng.standard_normal((N_DIRECTIONS, points.hull.dimension))
        later = workers.later(_hyperplanes, points, group, numbers, some)
        found.append((group, later))
    return [(group, *later()) for group, later in found]


def _hyperplanes(points, group, numbers, some) -> tuple[list, np.ndarray | None]:
    """Return what makes the normal vectors of hyperplanes through a group.

    And rough normal vectors in columns, unless there are few features; None where
    others come too close to all of the hyperplanes. Every other hyperplane is level
    along the feature that points are pushed in: where points are on its normal does not
    depend on earlier blocks, and on what their rounding errors have come to.
    """
    hull = points.hull
    planes = hull.through(group)
    coefficients = planes.coefficients(numbers)
    coefficients[1::2] = planes.levelled(coefficients[1::2], points.axis)
    normals = [partial(planes.normal, these) for these in coefficients]
    if hull.n_features < LEAST_FEATURES:
        return normals, None
    rough = planes.rough_normals(coefficients)
    if some is not None and hull.meets(rough, group, some).all():
        return normals, None
    return normals, rough


def _edges(points, low, high, spacing, n_classes):
    """Return the middle halves of the gaps between the classes."""
    levels = np.arange(1, n_classes)[:, np.newaxis] * spacing
    last, first = high + levels - spacing, low + levels
    gap = first - last
    if 4 * points.drift.max() >= gap.min() or not np.isfinite(levels).all():
        raise InterpolationError(_TOO_CLOSE).about([int(points.drift.argmax())])
    return np.hstack([last + gap / 4, first - gap / 4])
