"""Groups of neighbours along a line, whose hyperplanes are near few other points.

Points are put in order along a random direction w, and d that follow each other make a
group. The hyperplane through them is nearly perpendicular to w: its normal vector is
q = gamma w + u, where u is perpendicular to w, and small. For the center c of all
points, and R no less than any distance from the line through c,

    <q, x - c> = gamma s(x) + <u, x - c>,  s(x) = <w, x - c>,  |<u, x - c>| <= |u| R.

Only points in a window of positions s can be between the members of the group, or next
to them; what lies outside is on a known side, and at least so far away. The differences
of the members along w are about d / n for n points, and |u| is about d times as large:
a window holds some d^2.5 points, however many there are.

All vectors are in coordinates of the affine hull in which the points have a standard
deviation of about 1. What is known roughly has room for its rounding errors.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from functools import cached_property

import numpy as np
from scipy import linalg

from ...kernels._memory import blocks_of_rows
from .._beside import Beside, beside
from .._general_position import AffineHull

# A line pays for a class of n points if n is at least half of d^2.5, and so much.
_LEAST_POINTS = 2500
# Where so many points share the value of a feature, they are not in general position,
# and neighbours are less so than groups at random.
_SHARE_OF_A_VALUE = 0.05
# Slabs on one line are nearly parallel. There are several lines, so many at the most,
# and then groups are mixed with those next to them, as long as windows hold no more
# than about so many points, and this part of the class.
_MOST_LINES = 16
_ROWS_OF_WINDOWS = 3000
_SHARE_OF_WINDOWS = 16
# Groups are formed at random where the flattest tenth of about so many pairs of groups
# of neighbours are flatter than those of random groups by this factor, or more than a
# hundredth are in a subspace up to rounding.
_N_COMPARED = 64
_FLATTEST = 0.1
_FLAT = 0.25
_ZERO = 1e-7
_MOST_ZEROS = 0.01
# Two groups of which one is flatter than the median are mixed, so often at most.
_MOST_MIXED = 8
# Groups are looked at in blocks of about this many values.
_BLOCK_VALUES = 1 << 18
# The points that lie farthest from the line are looked at each time, so that a few of
# them do not widen all windows: so many, or this part of all.
_MOST_FAR = 256
_SHARE_FAR = 16
# A window is first this part wider than where points can be between the members.
_FIRST_MARGIN = 0.25
# Windows are looked at together if the widest is at most so many times the narrowest,
# and they are about in the same place: so many points in all are few.
_ALIKE = 4.0
_FEW_ROWS = 4096
# Relative room for the rounding errors of lengths and positions.
_ROOM = 2.0**-36


def n_lines(n_members: int, hull: AffineHull) -> int:
    """Return along how many lines groups of a class are found, or 0 for none."""
    if n_members < max(_LEAST_POINTS, hull.dimension**2.5 / 2):
        return 0
    if hull.has_common_value(_SHARE_OF_A_VALUE):
        return 0
    if hull.dimension == 1:
        return 1
    return max(1, min(_MOST_LINES, _n_wider(n_members, hull.dimension)))


def _n_wider(n_members: int, dimension: int) -> int:
    """Return how many times wider windows may be than neighbours on one line take."""
    most = min(_ROWS_OF_WINDOWS, n_members / _SHARE_OF_WINDOWS)
    return int(most / dimension**2.5)


def _rows_of(order, size: int) -> np.ndarray:
    """Return a view of what follows each other in rows of some size."""
    return order[: len(order) - len(order) % size].reshape(-1, size)


def _mix(order, size: int, rng) -> None:
    """Shuffle blocks of so many points that follow each other."""
    blocks = _rows_of(order, size)
    rng.permuted(blocks, axis=1, out=blocks)


def parts_of(members, n_parts: int, dimension: int, rng) -> list[np.ndarray]:
    """Cut points at random into parts of whole groups, but for the last group."""
    if n_parts <= 1:
        return [members] * n_parts
    n_groups = -(-len(members) // dimension)
    stops = np.arange(1, n_parts) * n_groups // n_parts * dimension
    return np.split(rng.permutation(members), stops)


class Line:
    """The order of points along a random direction, and their distances from it."""

    def __init__(self, hull: AffineHull, rng):
        self.hull = hull
        deviations = hull.coordinates.std(axis=0)
        self.units = np.exp2(np.round(np.log2(deviations)))
        direction = rng.standard_normal(hull.dimension)
        self.direction = direction / np.linalg.norm(direction)
        points = hull.coordinates / self.units
        self.center = points.mean(axis=0)
        points -= self.center
        self.positions = points @ self.direction
        self.order = np.argsort(self.positions, kind="stable")
        squares = np.einsum("ij,ij->i", points, points)
        self.longest = float(np.sqrt(squares.max()))
        squares -= np.square(self.positions)
        n_far = min(_MOST_FAR, len(points) // _SHARE_FAR)
        self.is_far = np.zeros(len(points), dtype=bool)
        self.is_far[np.argpartition(squares, -n_far - 1)[len(points) - n_far :]] = True
        squared_radius = squares[~self.is_far].max(initial=0.0)
        self.radius = np.sqrt(max(0.0, squared_radius) + _ROOM * self.longest**2)

    def in_groups(self, members, rng) -> np.ndarray:
        """Put members in order, so that d that follow each other are a group.

        Groups that are flat, nearly in a subspace of fewer dimensions, are mixed with
        the next: their hyperplanes are tilted, and functions on them are steep.
        """
        order = self._in_order(members)
        size = self.hull.dimension
        if size == 1:
            return order
        n_mixed = _n_wider(_MOST_LINES * len(members), size) // _MOST_LINES
        if n_mixed > 1:
            _mix(order, n_mixed * size, rng)
        pairs = _rows_of(order, 2 * size)
        if len(pairs) == 0:
            return order
        breadths = self._breadths(pairs)
        least = np.median(breadths)
        breadths = breadths.min(axis=1)
        for _ in range(_MOST_MIXED):
            flat = np.flatnonzero(breadths < least)
            mixed = rng.permuted(pairs[flat], axis=1)
            found = self._breadths(mixed).min(axis=1)
            better = found > breadths[flat]
            pairs[flat[better]] = mixed[better]
            breadths[flat[better]] = found[better]
        return order

    def flattens(self, members, rng) -> bool:
        """Return whether neighbours are often nearly in a subspace, unlike others.

        They are on a curve, where most of them are next to each other, and in clusters.
        """
        size = self.hull.dimension
        if size == 1:
            return False
        pairs = _rows_of(self._in_order(members), 2 * size)
        some = pairs[:: max(1, len(pairs) // _N_COMPARED)]
        others = _rows_of(rng.permutation(members)[: some.size], 2 * size)
        breadths, usual = self._breadths(some), self._breadths(others)
        is_zero = breadths < _ZERO * np.median(usual)
        few = np.quantile(breadths, _FLATTEST) < _FLAT * np.quantile(usual, _FLATTEST)
        return bool(few or is_zero.mean() > _MOST_ZEROS)

    def _in_order(self, members) -> np.ndarray:
        return members[np.argsort(self.positions[members], kind="stable")]

    @cached_property
    def _across(self) -> np.ndarray:
        """An orthonormal basis of what is perpendicular to the line, in columns."""
        return linalg.null_space(self.direction[np.newaxis])

    def _breadths(self, pairs) -> np.ndarray:
        """Return the least singular value of each group, seen along the line.

        The pairs of groups are (n_pairs, 2 d), the breadths (n_pairs, 2).
        """
        size = self.hull.dimension
        breadths = np.empty((len(pairs), 2))
        for block in blocks_of_rows(len(pairs), 2 * size * size, _BLOCK_VALUES):
            groups = pairs[block].reshape(-1, 2, size)
            points = (self.hull.coordinates[groups] / self.units) @ self._across
            differences = points[:, :, 1:] - points[:, :, :1]
            values = np.linalg.svd(differences, compute_uv=False)
            breadths[block] = values[:, :, -1]
        return breadths

    def largest_change(self, slopes, member) -> np.ndarray:
        """Return bounds of |<v, x - y>| for each of some slopes v and all points x."""
        bent = self.hull.in_coordinates(slopes.T) * self.units[:, np.newaxis]
        point = self.hull.coordinates[member] / self.units - self.center
        most = np.linalg.norm(bent, axis=0) * self.longest + np.abs(point @ bent)
        return most * (1 + _ROOM)

    def signs(self, normals) -> np.ndarray:
        """Return -1 for normals, in columns, that point backwards, and else 1."""
        along = (self.direction * self.units) @ self.hull.in_coordinates(normals)
        return np.where(along < 0, -1.0, 1.0)

    def tilts(self, groups, normals) -> _Tilts:
        """Return how hyperplanes through groups lie, by their normals in columns.

        The normals do not point backwards along the line.
        """
        of_hull = self.hull.in_coordinates(normals)
        vectors = of_hull * self.units[:, np.newaxis]
        slopes = self.direction @ vectors
        across = vectors - np.multiply.outer(self.direction, slopes)
        lengths = np.linalg.norm(across, axis=0)
        lengths += _ROOM * np.linalg.norm(vectors, axis=0)
        room = 16 * self.hull.rough_errors(normals) + _ROOM * slopes * self.longest
        values = [
            self.hull.coordinates[group] @ column - self.center @ vector
            for group, column, vector in zip(groups, of_hull.T, vectors.T, strict=True)
        ]
        low = np.array([some.min() for some in values]) - room
        high = np.array([some.max() for some in values]) + room
        # A feature may be constant on the affine hull only up to rounding.
        is_flat = np.count_nonzero(normals, axis=0) == 1
        slopes[is_flat & (self.hull.n_used_features > self.hull.dimension)] = 0.0
        return _Tilts(slopes, low, high, lengths * self.radius * (1 + _ROOM), room)


@dataclass(frozen=True)
class _Tilts:
    """Hyperplanes through groups: an entry of each array for each of them.

    With the unit normal vector q = slope w + u, the members have values <q, x - c> from
    `low` to `high`, and all points but the far ones values that are at most `sway` away
    from slope s(x). `room` is for rounding errors of any value.
    """

    slopes: np.ndarray
    low: np.ndarray
    high: np.ndarray
    sway: np.ndarray
    room: np.ndarray

    def of(self, numbers) -> _Tilts:
        """Return some of the hyperplanes."""
        return _Tilts(*(getattr(self, one.name)[numbers] for one in fields(self)))

    def beyond(self, first, last, sign) -> tuple[np.ndarray, np.ndarray]:
        """Return how far values at two positions are below and above the members.

        It is the least distance, or the largest one for the sign -1.
        """
        spread = sign * (self.sway + self.room)
        left = self.low - self.slopes * first - spread
        right = self.slopes * last - self.high - spread
        return left, right

    def window(self, left, right) -> tuple[np.ndarray, np.ndarray]:
        """Return ends of the positions at which values may be so near the members."""
        with np.errstate(all="ignore"):
            first = self.low - left * (1 + _ROOM) - self.room - self.sway
            last = self.high + right * (1 + _ROOM) + self.room + self.sway
            first, last = first / self.slopes, last / self.slopes
        is_known = self.slopes > 0
        return np.where(is_known, first, -np.inf), np.where(is_known, last, np.inf)


class PointsOnLine:
    """Some of the points in the order of a line, for a look at windows of them."""

    def __init__(self, line: Line, points):
        is_near = np.zeros(len(line.order), dtype=bool)
        is_near[points] = ~line.is_far[points]
        self._line, self._far = line, points[line.is_far[points]]
        self._points = line.order[is_near[line.order]]
        ends = [-np.inf], line.positions[self._points], [np.inf]
        self._positions = np.concatenate(ends)

    def beside(self, groups, normals, more: float, n_threads: int) -> list:
        """Return what `beside` does for one hyperplane through each group.

        The normals are in columns. It is None where most points have to be looked at.
        """
        signs = self._line.signs(normals)
        found = self._beside_forwards(groups, normals * signs, more, n_threads)
        return [
            near if near is None or sign > 0 else near.mirrored()
            for near, sign in zip(found, signs, strict=True)
        ]

    def _beside_forwards(self, groups, normals, more: float, n_threads: int) -> list:
        """Do so for normals that do not point backwards along the line."""
        tilts = self._line.tilts(groups, normals)
        left, right = tilts.sway * _FIRST_MARGIN, tilts.sway * _FIRST_MARGIN
        found: list[Beside | None] = [None] * len(groups)
        is_open = np.ones(len(groups), dtype=bool)
        # The nearest points in the first window say how wide the second one has to be.
        for _ in range(2):
            starts, stops = self._windows(tilts, left, right)
            is_open &= 2 * (stops - starts) <= len(self._points)
            for alike in _alike(np.flatnonzero(is_open), starts, stops):
                start, stop = int(starts[alike].min()), int(stops[alike].max())
                near = self._look(groups, normals, alike, start, stop, more, n_threads)
                # What is outside of the window is farther than this, and the next of it
                # is not farther than that.
                before, after = self._positions[start], self._positions[stop + 1]
                some = tilts.of(alike)
                farther = some.beyond(before, after, 1.0)
                next_ones = some.beyond(before, after, -1.0)
                for k, one, *ends in zip(
                    alike, near, *farther, *next_ones, strict=True
                ):
                    more_left, more_right, next_left, next_right = ends
                    if one.left <= more_left and one.right <= more_right:
                        found[k], is_open[k] = one, False
                    left[k] = min(one.left, (1 + more) * next_left)
                    right[k] = min(one.right, (1 + more) * next_right)
        return found

    def _windows(self, tilts, left, right) -> tuple[np.ndarray, np.ndarray]:
        """Return where windows start and stop in the order."""
        first, last = tilts.window(left, right)
        inner = self._positions[1:-1]
        return np.searchsorted(inner, first), np.searchsorted(inner, last, "right")

    def _look(self, groups, normals, numbers, start, stop, more, n_threads):
        """Look beside some of the hyperplanes at a window, and at what lies far."""
        hull = self._line.hull
        rows = np.concatenate([self._far, self._points[start:stop]])
        bundles = [(groups[k], normals[:, k : k + 1]) for k in numbers]
        found = beside(hull.intervals, bundles, rows, hull.n_features, n_threads, more)
        return [replace(near, rows=np.sort(near.rows)) for near in found]


def _alike(numbers, starts, stops) -> list[np.ndarray]:
    """Put windows together, by their numbers, that are about the same.

    All of them together are at most twice as large as the largest, or a few points.
    """
    sizes = stops - starts
    levels = np.floor(np.log(sizes + _MOST_FAR) / np.log(_ALIKE))
    found: list[list] = []
    last, stop, limit = None, 0, 0
    for k in sorted(numbers.tolist(), key=lambda k: (levels[k], starts[k])):
        stop = max(stop, stops[k])
        if levels[k] == last and stop - starts[found[-1][0]] <= limit:
            limit = max(limit, 2 * sizes[k])
            found[-1].append(k)
        else:
            last, stop, limit = levels[k], stops[k], max(_FEW_ROWS, 2 * sizes[k])
            found.append([k])
    return [np.array(some) for some in found]
