r"""How far a row may move before the interpolant gives another class.

Let d_i be the distances of x to the points, k the number of neighbours, c the class of
x, g the exponent, and x' within r of x. Then d_i - r <= |x' - x_i| <= d_i + r, and

- x_i is a neighbour of x' for certain if d_i + 2 r is below the distance number k + 1;
- x_i may be a neighbour of x' only if d_i - 2 r is not above the distance number k;
- of another class q no more than m = k - (neighbours for certain of other classes than
  q) points are neighbours, and their weights are no larger than those of the m nearest.

All other neighbours, at least n in number, are of c, and j of them are within the j-th
distance of c plus r. So x' has the class c if, for each q,

    sum_{i of c, n nearest} (d_i + r)^-g > sum_{i of q, may be, m nearest} (d_i - r)^-g.

The left side falls with r and the right side grows, so the largest r is found by
halving.
"""

from __future__ import annotations

import numpy as np

from ..._estimator._probabilities import exponential, logarithm, row_sums

# Distances that are computed are wrong by less than this part of themselves, and so are
# sums of weights.
_ERROR = 1e-7
# Below this, in units of the largest coordinate, squares may have lost digits.
_LEAST = 2.0**-400
# Smaller exponents do not tell the smallest distances from the largest ones: quotients
# of squares are cut off at 2**-1000, and this power of that is below 2**-60.
WEAKEST = 0.125
# Weights of others are at most e**30 times that of the nearest, or all is lost.
_MOST = 30.0
_SMALLEST = float(exponential(np.array([-_MOST]))[0])
_N_HALVINGS = 24


class Neighborhood:
    """Distances of some rows, all of one class, to the points that may count.

    `own` are the distances to the points of the class, and `others` those to the points
    of each other class, the k + 1 nearest of each in increasing order.
    """

    def __init__(self, by_class: list[np.ndarray], number: int, k: int, exponent):
        kept = [np.sort(distances, axis=1)[:, : k + 1] for distances in by_class]
        nearest = np.sort(np.concatenate(kept, axis=1), axis=1)
        self._k = k
        self._last = nearest[:, [k - 1]]
        nobody = np.full((len(nearest), 1), np.inf)
        self._next = nearest[:, [k]] if nearest.shape[1] > k else nobody
        self._own = kept.pop(number)
        self._others = [distances for distances in kept if distances.shape[1]]
        self._exponent = exponent

    def radii(self) -> np.ndarray:
        """Return the largest radii at which the class is certain, rounded downwards."""
        low = np.zeros((len(self._own), 1))
        # At a point of another class the class is another one.
        high = np.min([distances[:, :1] for distances in self._others], axis=0)
        low_is_good = self._is_certain(low)
        for _ in range(_N_HALVINGS):
            middle = (low + high) / 2
            good = self._is_certain(middle)
            low, high = np.where(good, middle, low), np.where(good, high, middle)
        return np.where(low_is_good, low, 0.0)[:, 0]

    def _is_certain(self, r: np.ndarray) -> np.ndarray:
        unit = np.maximum(self._own[:, :1] * (1 + _ERROR) + r, _LEAST)
        rivals = list(self._rivals(r))
        n_own = self._k - sum(may_be.sum(axis=1, keepdims=True) for may_be in rivals)
        n_own = np.maximum(n_own, self._n_certain(self._own, r))
        reach = np.maximum(self._own * (1 + _ERROR) + r, _LEAST)
        weights = exponential(-self._exponent * _logarithm(reach, unit))
        counted = np.arange(reach.shape[1]) < n_own
        least = row_sums(np.where(counted, weights, 0.0)) * (1 - _ERROR)
        good = least > 0
        for distances, may_be in zip(self._others, rivals, strict=True):
            reach = distances * (1 - _ERROR) - r
            powers = -self._exponent * _logarithm(np.maximum(reach, _LEAST), unit)
            is_far = (reach > _LEAST) & (powers < _MOST)
            good &= (~may_be | is_far).all(axis=1, keepdims=True)
            weights = exponential(np.minimum(powers, _MOST) - _MOST)
            total = row_sums(np.where(may_be, weights, 0.0)) * (1 + _ERROR)
            good &= least * _SMALLEST > total
        return good

    def _rivals(self, r: np.ndarray):
        """Yield which points of each other class may be neighbours all at once."""
        n_certain = [self._n_certain(each, r) for each in (self._own, *self._others)]
        for distances, n_here in zip(self._others, n_certain[1:], strict=True):
            most = self._k - (sum(n_certain) - n_here)
            may_be = distances * (1 - _ERROR) <= self._last * (1 + _ERROR) + 2 * r
            yield may_be & (np.arange(distances.shape[1]) < most)

    def _n_certain(self, distances: np.ndarray, r: np.ndarray) -> np.ndarray:
        """Count the points that are neighbours wherever the row moves."""
        certain = distances * (1 + _ERROR) < self._next * (1 - _ERROR) - 2 * r
        return certain.sum(axis=1, keepdims=True)


def _logarithm(values: np.ndarray, unit: np.ndarray) -> np.ndarray:
    """Return ln(values / unit) of positive numbers, the same in any batch."""
    largest = np.maximum(values, unit)
    quotients = np.maximum(np.minimum(values, unit) / largest, 2.0**-1000)
    found = logarithm(quotients)
    return np.where(values >= unit, -found, found)
