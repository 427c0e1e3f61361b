"""Known targets, and how far from each of them the answers of a model are moved.

Distances are the largest difference in any column. The difference of two distinct
numbers is never rounded to zero, so that distinct rows have a positive distance. The
corrections act within less than half the distance to the next known case, so that no
two of them meet, and no other known case is near.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from scipy import sparse
from sklearn.neighbors import NearestNeighbors

from .._estimator._training_set import distinct_rows
from ..kernels import standard_arithmetic
from ..network._storage import storable

# Less than a half, by more than rounding could make of it.
_HALF = 0.5 - 2.0**-30
_LARGEST = 2.0**1000


def as_points(view) -> np.ndarray:
    """Return rows as an array in double precision, if distances of them are finite."""
    points = view.toarray() if sparse.issparse(view) else view
    points = points.astype(np.float64, copy=False)
    largest = max(points.max(initial=0.0), -points.min(initial=0.0))
    if largest > _LARGEST:
        raise ValueError(
            f"Samples as large as {largest:.3g} leave no room in double precision for "
            "distances between them. Scale the features down."
        )
    return points


@storable
@dataclass(frozen=True, eq=False)
class KnownTargets:
    """Cases: points, their targets, what the model said of them, and their numbers."""

    points: np.ndarray = field(repr=False)
    targets: np.ndarray = field(repr=False)
    said: np.ndarray = field(repr=False)
    cases: np.ndarray = field(repr=False)

    def at(self, places: np.ndarray) -> KnownTargets:
        """Return some of the cases."""
        return KnownTargets(
            self.points[places],
            self.targets[places],
            self.said[places],
            self.cases[places],
        )

    def joined_by(self, other: KnownTargets) -> KnownTargets:
        """Return these cases, and then others."""
        return KnownTargets(
            np.concatenate((self.points, other.points)),
            np.concatenate((self.targets, other.targets)),
            np.concatenate((self.said, other.said)),
            np.concatenate((self.cases, other.cases)),
        )

    def distinct(self) -> KnownTargets:
        """Return the first case of each that are the same point."""
        return self.at(np.sort(distinct_rows(self.points)[0]))

    def contradicts(self, n_before: int) -> np.ndarray:
        """Return which of the cases behind the first ones contradict one of these."""
        _, inverse = distinct_rows(self.points)
        before = np.full(int(inverse.max()) + 1, np.nan)
        before[inverse[:n_before]] = self.targets[:n_before]
        then = before[inverse[n_before:]]
        return ~np.isnan(then) & (then != self.targets[n_before:])


@storable
@dataclass(frozen=True, eq=False)
class Reaches:
    """Which known cases are corrected, and how far the correction of each reaches."""

    points: np.ndarray = field(repr=False)
    corrects: np.ndarray = field(repr=False)
    reach: np.ndarray = field(repr=False)

    @cached_property
    def _neighbors(self) -> NearestNeighbors:
        neighbors = NearestNeighbors(n_neighbors=1, metric="chebyshev")
        return neighbors.fit(self.points)

    @classmethod
    @standard_arithmetic
    def of(cls, known: KnownTargets, tolerance: float, most: float | str) -> Reaches:
        """Choose the reach of each correction from the distances between the cases."""
        reaches = cls(
            known.points,
            ~(np.abs(known.targets - known.said) <= tolerance),
            np.zeros(len(known.targets)),
        )
        if len(known.targets) == 1:
            apart = np.zeros(1)
        else:
            apart = reaches._neighbors.kneighbors(n_neighbors=1)[0][:, 0]
        if most == "auto":
            most = 0.5 * float(np.median(apart))
        return cls(reaches.points, reaches.corrects, np.minimum(_HALF * apart, most))

    @standard_arithmetic
    def acting(self, points: np.ndarray):
        """Return where a correction acts, the next case of each point, and how far."""
        distances, nearest = self._neighbors.kneighbors(points)
        distances, nearest = distances[:, 0], nearest[:, 0]
        near = (distances < self.reach[nearest]) | (distances == 0.0)
        return near & self.corrects[nearest], nearest, distances

    @standard_arithmetic
    def answers(self, known: KnownTargets, points: np.ndarray, said: np.ndarray):
        """Return what is said of points, put right where a correction acts."""
        acts, nearest, distances = self.acting(points)
        shift = (known.targets - known.said)[nearest]
        moved = np.where(distances == 0.0, known.targets[nearest], said + shift)
        return np.where(acts, moved, said)
