"""The closest pair of points with different labels, exactly."""

from itertools import chain

import numpy as np
from sklearn.neighbors import NearestNeighbors

from ..kernels._memory import blocks_of_rows
from ..kernels._reference import two_sum
from ._distances import (
    PointSet,
    RoughPoints,
    Scaling,
    squared_distances,
    squared_distances_of_pairs,
)
from ._screen import Screen

# Blocks hold about this many distances, or this many coordinates.
_BLOCK_DISTANCES = 1 << 23
_BLOCK_VALUES = 1 << 21
# Points are compared with so many landmarks first, if there are so many of them, and so
# many of those that seem nearest to another label with all points.
_N_LANDMARKS = 256
_BLOCK_LANDMARKS = 1 << 18
_LEAST_TO_COMPARE = 1024
_N_ASKED = 256
# `squared_distances` is more accurate than this.
_TOLERANCE = 1e-7
# Points of size about 1 are multiplied by 2**_LIFT, so that squares of the smallest
# differences do not underflow.
_LIFT = 480


class _ClosestPair:
    """The closest pair seen so far.

    Its squared distance is `high + low` in units of 4**-_LIFT.
    """

    def __init__(self, points: np.ndarray):
        self.points = points
        self.high, self.low = np.inf, 0.0
        self.pair: tuple[int, int] | None = None

    @property
    def squared(self) -> float:
        """The squared distance, in the units of the points, rounded."""
        return float(np.ldexp(self.high, -2 * _LIFT))

    @property
    def distance(self) -> float:
        """The distance in the units of the points."""
        return float(np.ldexp(np.sqrt(self.high + self.low), -_LIFT))

    def offer(self, first: np.ndarray, second: np.ndarray) -> None:
        """Compare pairs of points, given by index, with the closest one so far."""
        step = max(1, _BLOCK_VALUES // self.points.shape[1])
        for start in range(0, len(first), step):
            i, j = first[start : start + step], second[start : start + step]
            i, j = np.minimum(i, j), np.maximum(i, j)
            left, right = (np.ldexp(self.points[k], _LIFT) for k in (i, j))
            high, low = precise_squared_distances(left, right)
            # Equal distances: the pair that comes first.
            best = np.lexsort((j, i, low, high))[0]
            pair = (int(i[best]), int(j[best]))
            candidate = (float(high[best]), float(low[best]), pair)
            if self.pair is None or candidate < (self.high, self.low, self.pair):
                self.high, self.low, self.pair = candidate


def closest_pair(
    points: np.ndarray, labels: np.ndarray, *, n_jobs=None, track=iter
) -> tuple[float, tuple[int, int] | None]:
    """Find the two points with different labels that are closest to each other.

    The nearest neighbours come from products in single precision where features are
    many, else from scikit-learn. Where rounding could have decided, distances are
    computed again from differences, with twice the digits of a double.
    `n_jobs` is for the neighbour search; `track` wraps the list of blocks that is
    iterated over, to show the progress.

    Returns the distance (infinite for a single label), and the positions of the two
    points, the smaller first: of several closest pairs the first in lexicographic
    order, of none None.
    """
    scaling = Scaling.of(points)
    everything = PointSet(scaling.scaled(points), scaling)
    kept, labels = np.arange(len(everything)), np.unique(labels, return_inverse=True)[1]
    while len(everything) >= _LEAST_TO_COMPARE and labels.max() > 0:
        near = _near_another_label(everything, labels[kept])
        if 2 * len(near) > len(everything):
            break
        kept, everything = kept[near], PointSet(everything.points[near], scaling)
    labels = labels[kept]
    found = _ClosestPair(everything.points)
    groups = _label_groups(labels)
    if not _search_by_bounds(everything, groups, found, track):
        _search_by_neighbors(everything, groups, found, n_jobs, track)
    with np.errstate(over="ignore"):  # a distance may be no number
        distance = float(np.ldexp(found.distance, scaling.exponent))
    if found.pair is None:
        return distance, None
    first, second = kept[list(found.pair)].tolist()
    return distance, (first, second)


def _search_by_bounds(everything: PointSet, groups, found, track) -> bool:
    """Offer all pairs that may be the closest, found by bounds of their distances.

    Returns False where bounds are of no use.
    """
    if len(groups) == 1 or len(everything) < _LEAST_TO_COMPARE:
        return False
    order = np.concatenate(groups)
    starts = np.cumsum([0, *map(len, groups)])
    places = np.argsort(order)
    screen = Screen(everything.centered[order])
    if not screen.is_narrow:
        return False
    limit, parts = np.inf, []
    some = [(group, members[:_N_ASKED]) for group, members in enumerate(groups[:-1])]
    for group, members in chain(some, track(_query_blocks(groups))):
        first = starts[group + 1]
        for block in blocks_of_rows(len(members), len(order) - first, _BLOCK_VALUES):
            some = members[block]
            low = screen.lower_bounds_among(places[some], slice(first, None))
            if limit == np.inf:
                row, column = np.arange(len(some)), low.argmin(axis=1)
            else:
                row, column = np.nonzero(low <= limit)
            if len(row) > max(_LEAST_TO_COMPARE, low.size // 64):
                return False
            row, column = some[row], order[first + column]
            squared = squared_distances_of_pairs(everything, row, everything, column)
            parts.append((row, column, squared))
            # Squares below the normal range have lost digits.
            nearest = float(squared.min(initial=np.inf))
            limit = min(limit, nearest * (1 + _TOLERANCE) + 2.0**-1000)
    rows, columns, squares = map(np.concatenate, zip(*parts, strict=True))
    may = squares <= limit
    found.offer(rows[may], columns[may])
    return True


def _search_by_neighbors(everything, groups, found, n_jobs, track) -> None:
    """Offer all pairs that may be the closest, found by rounded distances."""
    rough = RoughPoints(everything)
    squared, rounding = None, 2 * rough.error
    if rough.are_usable:
        squared = _roughly_nearest(everything, rough, groups, found, track)
    if squared is None:
        squared = _nearest_of_later_label(everything, groups, found, n_jobs, track)
        rounding = _rounding(everything)
    for group, members in enumerate(groups[:-1]):
        doubtful = members[squared[members] <= found.squared + rounding]
        _search_exhaustively(everything, doubtful, groups[group + 1 :], found)


def _near_another_label(everything: PointSet, labels) -> np.ndarray:
    """Return the points that may be one of the closest pair, in ascending order.

    A point y of another label in the cell of a landmark m, of radius r, has
    |x - y| >= |x - m| - r. Each step takes time linear in the number of points.
    """
    chosen = np.linspace(0, len(everything) - 1, _N_LANDMARKS).astype(np.intp)
    blocks = blocks_of_rows(len(everything), _N_LANDMARKS, _BLOCK_LANDMARKS)
    cells = np.empty(len(everything), dtype=np.intp)
    own = np.empty(len(everything))
    for block in blocks:
        distances = _plain_distances(everything, block, chosen)
        cells[block] = distances.argmin(axis=1)
        own[block] = distances.min(axis=1)
    # The largest radius of a label in each cell, and of the other labels there.
    order = np.lexsort((own, cells))
    used, counts = np.unique(cells, return_counts=True)
    farthest = order[np.cumsum(counts) - 1]
    first = np.full(_N_LANDMARKS, -np.inf)
    owner = np.full(_N_LANDMARKS, -1, dtype=np.intp)
    first[used], owner[used] = own[farthest], labels[farthest]
    second = np.full(_N_LANDMARKS, -np.inf)
    others = labels != owner[cells]
    np.maximum.at(second, cells[others], own[others])
    lower = np.empty(len(everything))
    for block in blocks:
        distances = _plain_distances(everything, block, chosen)
        is_owner = labels[block, np.newaxis] == owner
        lower[block] = (distances - np.where(is_owner, second, first)).min(axis=1)
    asked = np.argpartition(lower, _N_ASKED)[:_N_ASKED]
    nearest = np.inf
    for block in blocks_of_rows(_N_ASKED, len(everything)):
        some = asked[block]
        distances = _plain_distances(everything, some, slice(None))
        distances[labels[some, np.newaxis] == labels] = np.inf
        nearest = min(nearest, float(distances.min()))
    # Three distances are involved, each wrong by no more than this.
    slack = 4 * np.sqrt(_rounding(everything)) + 1e-12 * nearest
    return np.flatnonzero(lower <= nearest + slack)


def _plain_distances(everything: PointSet, rows, columns) -> np.ndarray:
    centered, norms = everything.centered, everything.squared_norms
    squares = centered[rows] @ centered[columns].T
    squares *= -2.0
    squares += norms[rows, np.newaxis]
    squares += norms[columns]
    return np.sqrt(np.maximum(squares, 0.0, out=squares), out=squares)


def _label_groups(labels: np.ndarray) -> list[np.ndarray]:
    order = np.argsort(labels, kind="stable")
    borders = np.flatnonzero(np.diff(labels[order])) + 1
    return np.split(order, borders)


def _nearest_of_later_label(everything, groups, found, n_jobs, track) -> np.ndarray:
    """Return each point's squared distance to the labels after its own, rounded."""
    centered = everything.centered
    squared = np.full(len(everything), np.inf)
    others = np.concatenate([np.empty(0, np.intp), *groups[1:]])
    search = NearestNeighbors(n_neighbors=1, n_jobs=n_jobs)
    fitted_for = -1
    for group, members in track(_query_blocks(groups)):
        if group != fitted_for:
            fitted_for = group
            others = np.concatenate(groups[group + 1 :])
            search.fit(centered[others])
        distances, neighbors = search.kneighbors(centered[members])
        squared[members] = np.square(distances[:, 0])
        nearest = np.argmin(distances[:, 0])
        found.offer(members[[nearest]], others[neighbors[nearest]])
    return squared


def _roughly_nearest(everything, rough, groups, found, track) -> np.ndarray | None:
    """Return the squared distances to later labels as single precision tells them.

    Returns None where it leaves too many points in doubt.
    """
    squared = np.full(len(everything), np.inf)
    best, pair = np.inf, None
    for group, members in track(_query_blocks(groups)):
        others = np.concatenate(groups[group + 1 :])
        for block in blocks_of_rows(len(members), len(others), _BLOCK_DISTANCES):
            some = members[block]
            distances = rough.squared_distances(some, others)
            nearest = distances.argmin(axis=1)[:, np.newaxis]
            least = np.take_along_axis(distances, nearest, axis=1)[:, 0]
            squared[some] = least
            first = least.argmin()
            if least[first] < best:
                best, pair = least[first], (some[first], others[nearest[first, 0]])
    if pair is None:
        return squared
    in_doubt = squared <= best + 4 * rough.error
    if in_doubt.sum() > max(16, len(everything) // 64):
        return None
    found.offer(*np.array(pair)[:, np.newaxis])
    return squared


def _query_blocks(groups) -> list[tuple[int, np.ndarray]]:
    n_points = sum(map(len, groups))
    step = max(1, 16 * _BLOCK_DISTANCES // max(1, n_points))
    return [
        (group, members[start : start + step])
        for group, members in enumerate(groups[:-1])
        for start in range(0, len(members), step)
    ]


def _search_exhaustively(everything, doubtful, later_groups, found) -> None:
    """Offer all pairs of doubtful points and later ones that may be the closest."""
    if len(doubtful) == 0:
        return
    others = np.concatenate(later_groups)
    targets = everything.take(others)
    step = max(1, _BLOCK_DISTANCES // len(others))
    for start in range(0, len(doubtful), step):
        rows = doubtful[start : start + step]
        squared = squared_distances(everything.take(rows), targets)
        # Squares below the normal range have lost digits.
        largest = found.squared * (1 + _TOLERANCE) + 2.0**-1000
        i, j = np.nonzero(squared <= largest)
        found.offer(rows[i], others[j])


def precise_squared_distances(
    left: np.ndarray, right: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return squared distances of pairs of rows of size about 1.

    They are sums of two doubles, high and low, to about 30 decimal digits.
    """
    high = np.zeros(len(left))
    low = np.zeros(len(left))
    differ = (left != right).any(axis=0)  # few features do where samples are sparse
    for a, b in zip(left.T[differ], right.T[differ], strict=True):
        difference, error = two_sum(a, -b)
        square, square_error = _two_square(difference)
        high, lost = two_sum(high, square)
        low += lost + (square_error + (2 * difference + error) * error)
    return two_sum(high, low)


def _two_square(a):
    """Return the rounded square and its rounding error (Dekker)."""
    square = a * a
    factor = 134217729.0 * a  # 2^27 + 1 splits 53 bits in halves
    upper = factor - (factor - a)
    lower = a - upper
    return square, ((upper * upper - square) + 2 * upper * lower) + lower * lower


def nearest_distances(
    everything: PointSet, members: np.ndarray, others: np.ndarray, *, n_jobs=None
) -> np.ndarray:
    """Return the distance of each member to the nearest of the other points.

    Members and others are positions in `everything`. The distances are in scaled units,
    and accurate also where they are small.
    """
    centered = everything.centered
    search = NearestNeighbors(n_neighbors=1, n_jobs=n_jobs).fit(centered[others])
    distances = search.kneighbors(centered[members])[0][:, 0]
    squared = np.square(distances)
    # Beneath, the rounding errors of |x|^2 + |y|^2 - 2 <x, y> may show.
    doubtful = np.flatnonzero(squared <= _rounding(everything) / _TOLERANCE)
    targets = everything.take(others) if len(doubtful) else everything
    step = max(1, _BLOCK_DISTANCES // len(others))
    for start in range(0, len(doubtful), step):
        rows = doubtful[start : start + step]
        near = squared_distances(everything.take(members[rows]), targets)
        squared[rows] = near.min(axis=1)
    return np.sqrt(squared)


def _rounding(everything: PointSet) -> float:
    """Bound the rounding errors of `|x|^2 + |y|^2 - 2 <x, y>`, generously."""
    n_features = everything.points.shape[1]
    largest = float(everything.squared_norms.max(initial=0.0))
    return (n_features + 16) * 2.0**-50 * 4 * largest
