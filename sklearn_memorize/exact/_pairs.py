"""Distances of pairs of points to many digits, and whose is the smallest, exactly.

A distance is held as `(high + low) * 2**exponent`: of the Euclidean one its square, to
about 28 digits and with `4**exponent`; of the largest difference the number itself,
exactly. What these digits leave open is decided in integers.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np

from .. import kernels
from ..kernels._memory import blocks_of_rows
from ..kernels._reference import two_sum
from ._closest_pairs import _two_square
from ._products import integer_weights

# Pairs are looked at in blocks of about this many values.
_BLOCK_VALUES = 1 << 17
# Sums of squares are wrong by less than this part of themselves: with L = log2 of the
# number of features, (2 (L + 3)^2 + 16) 2^-106, for L <= 40.
_SQUARE_ERROR = 2.0**-93
# The smallest denormal number is 2**-1074.
_SMALLEST_EXPONENT = -1074
# No square of a distance has a larger exponent, nor has a quotient of two of them.
_FAR = 1 << 13
# A double computed from high and low is wrong by less than this part of itself.
DISTANCE_ERROR = 2.0**-50


@dataclass(frozen=True)
class PairDistances:
    """Distances of pairs, `(high + low)` in units of a power of 2 ** exponent each."""

    high: np.ndarray
    low: np.ndarray
    exponent: np.ndarray

    def take(self, index) -> PairDistances:
        """Return some of the pairs."""
        return PairDistances(self.high[index], self.low[index], self.exponent[index])


class PairMetric(ABC):
    """A way to measure pairs of points: arrays of rows of equal shape."""

    name: str
    error: float  # relative, of high + low
    power: int  # the unit is 2 ** (power * exponent)

    @abstractmethod
    def measure(self, left, left_rows, right, right_rows) -> PairDistances:
        """Measure pairs of rows of two arrays that are given by their numbers.

        `high` is not finite where there was no room.
        """

    @abstractmethod
    def rounded(self, pairs: PairDistances) -> np.ndarray:
        """Return the distances as doubles; see `DISTANCE_ERROR`."""

    @abstractmethod
    def exactly(self, left: np.ndarray, right: np.ndarray) -> int:
        """Return the distance of two points, or its square, as an integer."""


class Euclidean(PairMetric):
    """The square root of the sum of squared differences."""

    name = "euclidean"
    error = _SQUARE_ERROR
    power = 2

    def measure(self, left, left_rows, right, right_rows):
        found = [
            self._block(left[left_rows[block]], right[right_rows[block]])
            for block in blocks_of_rows(len(left_rows), left.shape[1], _BLOCK_VALUES)
        ]
        if not found:
            nothing = np.empty(0)
            return PairDistances(nothing, nothing, np.empty(0, dtype=np.int64))
        return PairDistances(*map(np.concatenate, zip(*found, strict=True)))

    def _block(self, left, right) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return high, low and exponent."""
        with np.errstate(over="ignore", invalid="ignore", under="ignore"):
            difference, error = two_sum(left, -right)
            exponent = np.frexp(np.abs(difference).max(axis=1))[1].astype(np.int64)
            difference = np.ldexp(difference, -exponent[:, np.newaxis])
            error = np.ldexp(error, -exponent[:, np.newaxis])
            high, square_error = _two_square(difference)
            low = square_error + (2 * difference + error) * error
            high, low = _sum_by_halves(high, low)
        exponent[high == 0] = 0
        return high, low, exponent

    def rounded(self, pairs):
        return np.ldexp(np.sqrt(pairs.high + pairs.low), pairs.exponent)

    def exactly(self, left, right):
        return sum(difference**2 for difference in _whole_differences(left, right))


class Chebyshev(PairMetric):
    """The largest absolute difference of two coordinates."""

    name = "chebyshev"
    error = 0.0
    power = 1

    def measure(self, left, left_rows, right, right_rows):
        high, low = kernels.differences_of_pairs(left, left_rows, right, right_rows)
        return PairDistances(high, low, np.zeros(len(high), dtype=np.int64))

    def rounded(self, pairs):
        return pairs.high

    def exactly(self, left, right):
        return max(map(abs, _whole_differences(left, right)), default=0)


METRICS: dict[str, PairMetric] = {
    metric.name: metric for metric in (Euclidean(), Chebyshev())
}


def _sum_by_halves(high, low) -> tuple[np.ndarray, np.ndarray]:
    """Add up the columns of high + low, in an order that their number alone decides."""
    while high.shape[1] > 1:
        half = high.shape[1] // 2
        total, lost = two_sum(high[:, :half], high[:, half : 2 * half])
        rest = low[:, :half] + low[:, half : 2 * half] + lost
        high = np.hstack([total, high[:, 2 * half :]])
        low = np.hstack([rest, low[:, 2 * half :]])
    return two_sum(high[:, 0], low[:, 0])


def _whole_differences(left: np.ndarray, right: np.ndarray) -> list[int]:
    """Return the differences of two points that are not 0, in the smallest units."""
    differ = left != right
    return [
        a - b for a, b in zip(_whole(left[differ]), _whole(right[differ]), strict=True)
    ]


def _whole(values: np.ndarray) -> list[int]:
    mantissas, exponents = integer_weights(values)
    shifts = np.where(mantissas == 0, 0, exponents - _SMALLEST_EXPONENT)
    return [m << s for m, s in zip(mantissas.tolist(), shifts.tolist(), strict=True)]


def _lowest_exponent(values: np.ndarray) -> np.ndarray:
    """Return for each row the exponent of the last bit that is set in any value."""
    mantissas, exponents = integer_weights(values)
    return np.where(mantissas == 0, _FAR, exponents).min(axis=1, initial=_FAR)


def starts_of(rows: np.ndarray) -> np.ndarray:
    """Return where each run of equal row numbers starts."""
    return np.flatnonzero(np.diff(rows, prepend=-1))


def smallest(pairs: PairDistances, rows: np.ndarray) -> np.ndarray:
    """Return for each row (they are sorted) the position of its smallest pair.

    Of equal ones the first; to as many digits as the pairs have.
    """
    high, low = _on_one_scale(pairs, rows, power=2)
    order = np.lexsort((np.arange(len(rows)), low, high, rows))
    return order[starts_of(rows[order])]


def _on_one_scale(pairs: PairDistances, rows, power: int):
    """Return high and low in units of the smallest exponent among the pairs of a row.

    What is too far for that is infinite.
    """
    starts = starts_of(rows)
    counted = np.where(pairs.high == 0, _FAR, pairs.exponent)
    least = np.minimum.reduceat(counted, starts)
    least = np.repeat(least, np.diff(np.append(starts, len(rows))))
    shifts = np.where(pairs.high == 0, 0, power * (pairs.exponent - least))
    with np.errstate(over="ignore"):
        high = np.ldexp(pairs.high, shifts)
        low = np.where(np.isfinite(high), np.ldexp(pairs.low, shifts), 0.0)
    return high, low


def first_nearest(metric: PairMetric, points, rows, targets, columns) -> np.ndarray:
    """Return for each row the position of its first pair of smallest distance, exactly.

    Pairs are `points[rows]` and `targets[columns]`; the rows are sorted.
    """
    pairs = metric.measure(points, rows, targets, columns)
    starts = starts_of(rows)
    stops = np.append(starts[1:], len(rows))
    high, low = _on_one_scale(pairs, rows, metric.power)
    bad = ~np.isfinite(pairs.high) | ~np.isfinite(pairs.low)
    order = np.lexsort((low, high, rows))
    best = order[starts]
    best = np.repeat(best, stops - starts)
    with np.errstate(over="ignore", invalid="ignore"):
        gap = (high - high[best]) + (low - low[best])
        bound = 4 * metric.error * high + 4 * metric.error * high[best]
        close = np.isfinite(high) & (gap <= bound)
    first = np.empty(len(starts), dtype=np.intp)
    for number, (start, stop) in enumerate(zip(starts, stops, strict=True)):
        inside = slice(start, stop)
        if bad[inside].any():
            candidates = np.arange(start, stop)
        else:
            candidates = start + np.flatnonzero(close[inside])
        if len(candidates) > 1 and not _are_equal(
            metric, pairs, points, targets, rows, columns, candidates, bound
        ):
            exact = [
                metric.exactly(points[rows[k]], targets[columns[k]]) for k in candidates
            ]
            candidates = candidates[[exact.index(min(exact))]]
        first[number] = candidates[0]
    return first


def _are_equal(metric, pairs, points, targets, rows, columns, candidates, bound):
    """Return whether distances that are close must be equal, for want of digits."""
    if metric.error == 0:
        return bool(np.isfinite(pairs.high[candidates]).all())
    if not np.isfinite(pairs.high[candidates]).all():
        return False
    some = targets[columns[candidates]]
    unit = min(
        int(_lowest_exponent(some).min()),
        int(_lowest_exponent(points[rows[candidates[:1]]])[0]),
    )
    exponents = np.where(pairs.high == 0, _FAR, pairs.exponent)[candidates]
    # The squares are multiples of 4**unit, and bounds are in units of 4**least.
    least = int(exponents.min())
    step = np.ldexp(1.0, int(np.clip(2 * (unit - least), -2000, 1000)))
    return bool(2 * bound[candidates].max() < step)
