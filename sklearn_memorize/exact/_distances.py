"""Squared distances that depend on the two points alone, and are accurate up close.

A BLAS product changes in its last bits with the shape of the batch and the number of
threads, and `|x|^2 + |y|^2 - 2 <x, y>` loses all its digits where x is near y. Here the
product is put together from products of integers, which are exact in any order of
summation, and the distances of near points are computed anew from their differences.
"""

from contextlib import nullcontext
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy import sparse

from .. import kernels
from ..kernels._memory import blocks_of_rows
from ..kernels._threads import one_blas_thread

# A pair whose squared distance is below this part of |x|^2 + |y|^2 is computed from its
# difference. Elsewhere the relative error is below 2^20 * 2^-52 * (a small constant).
NEAR = 2.0**-20
# ... and relative to (|x| + |y|)^2 below this.
ACCURACY = 2.0**-29
# Coordinates are cut off here, so that squares stay finite.
_LARGEST = 2.0**400
# From this many features on, products in single precision are much faster ...
FEATURES_FOR_SINGLE = 128
# ... and of points of no smaller radius than this they do not underflow.
LEAST_RADIUS = 2.0**-30
# Products over fewer features than this are too quick to share among threads.
_FEATURES_TO_SHARE = 256
# Single precision holds integers of so many bits.
_BITS_OF_SINGLE = 24
# Differences of near pairs are formed in blocks of about this many values.
_BLOCK_VALUES = 1 << 21


@dataclass(frozen=True)
class Scaling:
    """A power of two to divide by, and a coarse center to subtract after that.

    The center, of shape (n_features,), is subtracted for products only. It has few
    bits, so that nothing is rounded where the coordinates have few bits themselves.
    """

    exponent: int
    center: np.ndarray

    def __post_init__(self):
        if np.ndim(self.center) != 1:
            raise ValueError("center must be a vector, one number a feature")

    @classmethod
    def of(cls, points: np.ndarray) -> "Scaling":
        """Return the scaling that brings points to a radius of about 1 around 0."""
        largest = float(np.max(np.abs(points), initial=0.0))
        exponent = int(np.frexp(largest)[1])
        mean = np.ldexp(points, -exponent).mean(axis=0)
        return cls(exponent, np.rint(mean * 256.0) / 256.0)

    def scaled(self, rows) -> np.ndarray:
        """Return the rows as a dense array, divided by 2**exponent."""
        dense = rows.toarray() if sparse.issparse(rows) else np.asarray(rows)
        with np.errstate(over="ignore"):
            scaled = np.ldexp(np.asarray(dense, dtype=np.float64), -self.exponent)
        return np.clip(scaled, -_LARGEST, _LARGEST, out=scaled)

    def unscaled(self, points: np.ndarray) -> np.ndarray:
        """Return scaled points in the units of the data."""
        return np.ldexp(points, self.exponent)


class PointSet:
    """Scaled points, not centered, prepared for products with other such points.

    Two sets are compared under the same scaling.
    """

    def __init__(self, points: np.ndarray, scaling: Scaling):
        # Sums along a row are taken in another order where rows are not contiguous.
        self.points = np.ascontiguousarray(points)
        self.scaling = scaling

    def __len__(self) -> int:
        return len(self.points)

    def __getstate__(self):
        return {"points": self.points, "scaling": self.scaling}

    @cached_property
    def centered(self) -> np.ndarray:
        """The points around the center of the scaling."""
        return self.points - self.scaling.center

    @cached_property
    def squared_norms(self) -> np.ndarray:
        """Squared norms of the centered points."""
        return np.square(self.centered).sum(axis=1)

    @cached_property
    def slices(self) -> tuple[np.ndarray, list[np.ndarray]]:
        """Exponent of each row, and integer matrices of decreasing significance.

        `centered = 2**exponents * sum_s slices[s] * 2**(-bits * (s + 1))`.
        """
        bits, n_slices = slicing(self.points.shape[1])
        largest = np.abs(self.centered).max(axis=1, initial=0.0)
        exponents = np.frexp(largest)[1]
        rest = np.ldexp(self.centered, -exponents[:, np.newaxis])
        parts: list[np.ndarray] = []
        while len(parts) < n_slices and rest.any():
            rest = np.ldexp(rest, bits)
            parts.append(np.rint(rest))
            rest -= parts[-1]
        return exponents, parts

    @cached_property
    def single_slices(self) -> tuple[np.ndarray, list[np.ndarray]] | None:
        """The same in single precision, if it holds all integers of a slice."""
        bits, _ = slicing(self.points.shape[1])
        if bits > _BITS_OF_SINGLE:
            return None
        exponents, parts = self.slices
        return exponents, [part.astype(np.float32) for part in parts]

    def take(self, index) -> "PointSet":
        """Return some of the points, with what has been prepared for them."""
        chosen = PointSet(self.points[index], self.scaling)
        exponents, parts = self.slices
        vars(chosen).update(
            centered=self.centered[index],
            squared_norms=self.squared_norms[index],
            slices=(exponents[index], [part[index] for part in parts]),
        )
        return chosen


def slicing(n_features: int) -> tuple[int, int]:
    """Bits of a slice, such that products of slices are exact, and number of slices."""
    # n_features * 2^bits * 2^bits <= 2^53: every partial sum is an exact integer.
    summands = int(n_features - 1).bit_length()
    bits = max(1, (53 - summands) // 2)
    return bits, -(-(53 + summands) // bits)


def _product(left: PointSet, right: PointSet) -> np.ndarray:
    """Return the inner products of the centered points, the same in any batch."""
    n_features = left.points.shape[1]
    left_exponents, left_parts = left.slices
    right_exponents, right_parts = right.slices
    total = np.zeros((len(left), len(right)))
    shared = n_features >= _FEATURES_TO_SHARE
    with nullcontext() if shared else one_blas_thread():
        _add_products(total, left_parts, right_parts, *slicing(n_features))
    np.ldexp(total, left_exponents[:, np.newaxis], out=total)
    return np.ldexp(total, right_exponents, out=total)


def _add_products(total, left_parts, right_parts, bits, n_slices) -> None:
    # From the least to the most significant: an order that no batch changes.
    for level in reversed(range(n_slices)):
        for s, part in enumerate(left_parts):
            if 0 <= level - s < len(right_parts):
                exact = part @ right_parts[level - s].T
                exact *= 2.0 ** (-bits * (level + 2))
                total += exact


def squared_distances(left: PointSet, right: PointSet) -> np.ndarray:
    """Return squared distances, each a function of its two points alone.

    They are of shape (n_left, n_right), in scaled units, to a relative error of about
    1e-9 or better. Equal points are at distance exactly 0.
    """
    distances = _product(left, right)
    distances *= -2.0
    norms = left.squared_norms[:, np.newaxis] + right.squared_norms
    distances += norms
    norms *= NEAR
    near = np.flatnonzero(distances <= norms)
    step = max(1, _BLOCK_VALUES // left.points.shape[1])
    flat = distances.reshape(-1)
    for start in range(0, len(near), step):
        block = near[start : start + step]
        i, j = np.divmod(block, len(right))
        difference = left.points[i] - right.points[j]
        flat[block] = np.square(difference, out=difference).sum(axis=1)
    return distances


def squared_distances_of_pairs(
    left: PointSet, rows: np.ndarray, right: PointSet, columns: np.ndarray
) -> np.ndarray:
    """Return the `squared_distances` of some pairs only, which are given by index."""
    distances = _products_of_pairs(left, rows, right, columns)
    distances *= -2.0
    norms = left.squared_norms[rows] + right.squared_norms[columns]
    distances += norms
    norms *= NEAR
    near = np.flatnonzero(distances <= norms)
    for block in blocks_of_rows(len(near), left.points.shape[1], _BLOCK_VALUES):
        some = near[block]
        difference = left.points[rows[some]] - right.points[columns[some]]
        distances[some] = np.square(difference, out=difference).sum(axis=1)
    return distances


def _products_of_pairs(left: PointSet, rows, right: PointSet, columns) -> np.ndarray:
    bits, n_slices = slicing(left.points.shape[1])
    exponents, left_parts = left.slices
    total = np.zeros(len(rows))
    singles = right.single_slices
    right_exponents, right_parts = singles or right.slices
    for level in reversed(range(n_slices)):  # as in `_add_products`
        for s, part in enumerate(left_parts):
            if 0 <= level - s < len(right_parts):
                other = right_parts[level - s]
                if singles is None:
                    exact = np.empty(len(rows))
                    for block in blocks_of_rows(len(rows), part.shape[1]):
                        pairs = part[rows[block]], other[columns[block]]
                        exact[block] = np.multiply(*pairs).sum(axis=1)
                else:
                    exact, _ = kernels.pair_sums(part, rows, other, columns)
                exact *= 2.0 ** (-bits * (level + 2))
                total += exact
    np.ldexp(total, exponents[rows], out=total)
    return np.ldexp(total, right_exponents[columns], out=total)


class RoughPoints:
    """Points in single precision, for squared distances with errors that are bounded.

    A product of d features, summed in any order, is wrong by no more than (d + 3) eps /
    2 |x| |y|, its factors having been rounded before. `error` bounds what is wrong with
    a squared distance of two of the points, here and in `squared_distances`.
    """

    def __init__(self, points: PointSet):
        self._points = points.centered.astype(np.float32)
        self._norms = points.squared_norms.astype(np.float32)
        radius = np.sqrt(points.squared_norms.max(initial=0.0))
        n_features = self._points.shape[1]
        eps = np.finfo(np.float32).eps
        unit = (0.275 * n_features + 8) * eps + ACCURACY
        self.error = float(unit * np.square(2 * radius))
        self.are_usable = n_features >= FEATURES_FOR_SINGLE and radius > LEAST_RADIUS

    def squared_distances(self, left: np.ndarray, right: np.ndarray) -> np.ndarray:
        """Return the rough distances of points that are given by index."""
        distances = self._points[left] @ self._points[right].T
        distances *= -2.0
        distances += self._norms[left, np.newaxis]
        distances += self._norms[right]
        return distances
