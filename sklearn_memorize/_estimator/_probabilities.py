"""Probabilities of classes out of scores, the same bits in any batch, on any machine.

NumPy's own `exp`, `log` and sums may round a value otherwise at the end of an array, or
with another instruction set. What stands here uses only operations that IEEE 754 rounds
correctly (sums, products, quotients), one element at a time and in a fixed order.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np

# Rows are worked on in blocks of about this many values.
_VALUES_AT_ONCE = 1 << 15
# e**x is cut off below e**-700, so that no probability is 0.
LEAST_EXPONENT = -700.0
# ln 2 in two parts; multiples of the first one, an integer times 2**-32, are exact.
_LN2_HIGH = 0.6931471806019545
_LN2_LOW = -4.2009150726810846e-11
# e**r = sum r**k / k!; for |r| <= ln(2) / 2 what is left out is below 2**-57.
_EXPONENTIAL = [1.0 / math.factorial(k) for k in range(14)]
# ln((1 + f) / (1 - f)) = 2 f sum f**(2 k) / (2 k + 1); |f| <= 0.172, likewise.
_LOGARITHM = [1.0 / (2 * k + 1) for k in range(12)]


class Rule(Protocol):
    """How the scores of the classes become weights, of which probabilities are shares.

    Each rule has a counterpart in `export/_graph.py` (ONNX) and in
    `export/_torch_modules.py`.
    """

    def weights(self, scores: np.ndarray, numbers: np.ndarray) -> np.ndarray:
        """Return positive weights, (n_samples, n_classes).

        `scores` are of this shape, and `numbers` are those of the predicted classes.
        """


@dataclass(frozen=True)
class OneObservation:
    """The answer counts as one observation: Laplace's rule of succession.

    Each class is given one observation in advance, and the predicted one has one more:
    it gets 2 / (n_classes + 1), every other class 1 / (n_classes + 1). Of the scores
    nothing matters but their number.
    """

    def weights(self, scores, numbers):
        """Return 2 for the predicted class, and 1 for all others."""
        return 1.0 + (np.arange(scores.shape[1]) == numbers[:, np.newaxis])


@dataclass(frozen=True)
class Softmax:
    """Probabilities proportional to e**(scale * score)."""

    scale: float

    def weights(self, scores, numbers):
        """Return e**(scale * (score - the largest one))."""
        largest = scores.max(axis=1, keepdims=True)
        return exponential(self.scale * (scores - largest))


ONE_OBSERVATION = OneObservation()


def class_numbers(scores: np.ndarray) -> np.ndarray:
    """Return the number of the predicted class, given what `_scores` returns."""
    if scores.ndim == 1:
        return (scores > 0).astype(np.intp)
    return np.argmax(scores, axis=1)


def probabilities(rule: Rule, scores: np.ndarray) -> np.ndarray:
    """Return the probabilities that a rule gives, given what `_scores` returns."""

    def of_block(block: np.ndarray) -> np.ndarray:
        numbers = class_numbers(block)
        if block.ndim == 1:
            block = np.column_stack([block / -2.0, block / 2.0])
        return shares(rule.weights(block, numbers), numbers)

    return _by_blocks(of_block, scores, 2 if scores.ndim == 1 else scores.shape[1])


def one_observation(numbers: np.ndarray, n_classes: int) -> np.ndarray:
    """Return the probabilities that `ONE_OBSERVATION` gives, without any scores."""
    found = np.full((len(numbers), n_classes), 1.0 / (n_classes + 1))
    np.put_along_axis(found, numbers[:, np.newaxis], 2.0 / (n_classes + 1), axis=1)
    return found


def shares(weights: np.ndarray, numbers: np.ndarray) -> np.ndarray:
    """Return shares of one in proportion to weights, led by the classes `numbers`.

    The first of the largest shares of row i is that of class `numbers[i]`. A weight
    above that of this class is lowered to it; a share that equals its share is lowered
    to the next smaller number if it stands before it.
    """
    leaders = numbers[:, np.newaxis]
    most = np.take_along_axis(weights, leaders, axis=1)
    weights = np.minimum(weights, most)
    parts = weights / row_sums(weights)
    most = np.take_along_axis(parts, leaders, axis=1)
    stands_before = np.arange(weights.shape[1]) < leaders
    return np.where(stands_before, np.minimum(parts, np.nextafter(most, 0.0)), parts)


def row_sums(values: np.ndarray) -> np.ndarray:
    """Add up each row, (n_samples, 1): one half of it to the other, again and again."""
    while values.shape[1] > 1:
        half = values.shape[1] // 2
        rest = values[:, 2 * half :]
        values = values[:, :half] + values[:, half : 2 * half]
        if rest.shape[1]:
            values = np.concatenate([values, rest], axis=1)
    return values


def exponential(x: np.ndarray) -> np.ndarray:
    """Return e**x for x <= 0, but e**-700 below -700; it is off by one unit or so.

    x = k ln 2 + r, and e**x = 2**k e**r.
    """
    x = np.maximum(x, LEAST_EXPONENT)
    k = np.rint(x * (1.0 / math.log(2.0)))
    r = (x - k * _LN2_HIGH) - k * _LN2_LOW
    return np.ldexp(_polynomial(_EXPONENTIAL, r), k.astype(np.int32))


def logarithm(values: np.ndarray) -> np.ndarray:
    """Return the natural logarithms of numbers in (0, 1]."""
    return _by_blocks(_logarithm, values, values.shape[1])


def _logarithm(values: np.ndarray) -> np.ndarray:
    """Take the logarithm of 2**k m, with m between sqrt(1/2) and sqrt(2)."""
    m, k = np.frexp(values)
    is_small = m < math.sqrt(0.5)
    m, k = np.where(is_small, 2.0 * m, m), k - is_small
    f = (m - 1.0) / (m + 1.0)
    of_m = 2.0 * f * _polynomial(_LOGARITHM, f * f)
    return k * _LN2_HIGH + (of_m + k * _LN2_LOW)


def _polynomial(coefficients: list[float], x: np.ndarray) -> np.ndarray:
    """Evaluate a polynomial whose coefficients start with the constant one."""
    value = np.full_like(x, coefficients[-1])
    for coefficient in reversed(coefficients[:-1]):
        value *= x
        value += coefficient
    return value


def _by_blocks(function: Callable, rows: np.ndarray, n_columns: int) -> np.ndarray:
    """Return `function(rows)`, of `n_columns`, computed for a few rows at a time."""
    results = np.empty((len(rows), n_columns))
    step = max(1, _VALUES_AT_ONCE // n_columns)
    for start in range(0, len(rows), step):
        results[start : start + step] = function(rows[start : start + step])
    return results
