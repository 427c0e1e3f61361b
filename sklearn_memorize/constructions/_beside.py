"""Which points lie next to hyperplanes: a rough look at all, for an exact one at few.

A slab, or a hat, reaches from the members of a group to the nearest points on both
sides of their hyperplane. Where all points are is known roughly, as an interval for
each, from one product of matrices for many hyperplanes; the few points that may be the
nearest ones, or that may come too close, are then looked at exactly.

This takes O(d) operations for each point and hyperplane. No index of points in many
dimensions tells faster which of them are near any hyperplane; where there are few
dimensions, `slabs` takes hyperplanes that are nearly parallel to each other instead.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from ..kernels._threads import run_in_threads

# Of fewer features one hyperplane is held against all points as fast exactly.
LEAST_FEATURES = 32
# Points are worked on in blocks of about this many values.
_BLOCK_VALUES = 1 << 19
# Runs of positions are looked at as they are if they are so long, on average.
_LONG_RUN = 64
# Threads share no less than so many values.
_SHARED_VALUES = 1 << 20

# Returns the lower and the upper ends of intervals, (n_hyperplanes, n_rows), for some
# rows and some normal vectors, in columns.
Intervals = Callable[[object, np.ndarray], tuple[np.ndarray, np.ndarray]]


@dataclass(frozen=True)
class Beside:
    """The points that have to be looked at, and how much room there is at the most.

    `rows` holds, in increasing order, the positions of those that may be nearest to the
    members on either side, or between them. `width` is no less than the smaller one of
    the distances between the members and the others on both sides. Others that are not
    among the rows are more than `left` below all members or more than `right` above.
    """

    rows: np.ndarray
    width: float
    left: float = np.inf
    right: float = np.inf

    def mirrored(self) -> Beside:
        """Return the same for the opposite normal vector."""
        return replace(self, left=self.right, right=self.left)


def beside(
    intervals: Intervals,
    bundles,
    others,
    n_features: int,
    n_threads: int,
    more: float = 0.0,
) -> list[Beside]:
    """Look at hyperplanes through groups of points.

    A bundle is the members of a group and the normal vectors, in columns, of several
    hyperplanes through them. `others` are the increasing positions of all points that
    count; members may be among them, and then are among the rows that are returned.
    With `more`, so are those that are farther away by so many times the distance of the
    nearest.
    """
    if not bundles:
        return []
    ends = [_ends(*intervals(members, normals)) for members, normals in bundles]
    low, high, left_shoulder, right_shoulder = np.concatenate(ends, axis=1)
    normals = np.hstack([normals for _, normals in bundles])
    n_values = n_features + 4 * len(low)

    def edges(below, above):
        if more == 0:
            return below, above
        return below - more * (low - below), above + more * (above - high)

    def look(block):
        lowest, highest = intervals(block, normals)
        left = np.where(highest < low[:, np.newaxis], lowest, -np.inf)
        right = np.where(lowest > high[:, np.newaxis], highest, np.inf)
        below, above = left.max(axis=1), right.min(axis=1)
        first, last = edges(below, above)
        kept = highest >= first[:, np.newaxis]
        kept &= lowest <= last[:, np.newaxis]
        numbers, places = np.nonzero(kept)
        rows = places + block.start if isinstance(block, slice) else block[places]
        kept_ends = lowest[numbers, places], highest[numbers, places]
        return below, above, numbers, rows, *kept_ends

    blocks = _blocks_of(others, max(1, _BLOCK_VALUES // n_values))
    if len(others) * n_values < _SHARED_VALUES:
        n_threads = 1
    parts = run_in_threads(look, blocks, n_threads)
    if not parts:
        return [Beside(others, np.inf)] * len(low)
    belows, aboves, *kept = zip(*parts, strict=True)
    below, above = np.max(belows, axis=0), np.min(aboves, axis=0)
    numbers, rows, lowest, highest = map(np.concatenate, kept)
    # What is next to it in its block need not be so among all.
    first, last = edges(below, above)
    near = (highest >= first[numbers]) & (lowest <= last[numbers])
    numbers, rows = numbers[near], rows[near]
    by_number = np.argsort(numbers, kind="stable")
    stops = np.cumsum(np.bincount(numbers, minlength=len(low)))
    rows_of_each = np.split(rows[by_number], stops[:-1])
    widths = np.minimum(left_shoulder - below, above - right_shoulder)
    values = widths.tolist(), (low - first).tolist(), (last - high).tolist()
    return [Beside(*one) for one in zip(rows_of_each, *values, strict=True)]


def _ends(lowest, highest) -> np.ndarray:
    """Return where all members are, and bounds of where they begin and end."""
    outer = lowest.min(axis=1), highest.max(axis=1)
    return np.stack([*outer, highest.min(axis=1), lowest.max(axis=1)])


def _blocks_of(positions: np.ndarray, step: int) -> list:
    """Cut increasing positions into blocks: slices if most are next to each other."""
    if len(positions) == 0:
        return []
    gaps = np.flatnonzero(np.diff(positions) != 1) + 1
    if (len(gaps) + 1) * min(step, _LONG_RUN) > len(positions):
        return [positions[k : k + step] for k in range(0, len(positions), step)]
    starts = positions[np.append(0, gaps)]
    stops = positions[np.append(gaps, len(positions)) - 1] + 1
    return [
        slice(first, min(first + step, stop))
        for start, stop in zip(starts.tolist(), stops.tolist(), strict=True)
        for first in range(start, stop, step)
    ]
