"""Affine hulls and ranks are those of rational arithmetic."""

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sklearn_memorize.exact import _rank as _exact_rank
from sklearn_memorize.exact._rank import in_affine_hull


def exact_rank(rows):
    rows = [[Fraction(value) for value in row] for row in rows]
    rank = 0
    for column in range(len(rows[0])):
        pivots = [i for i in range(rank, len(rows)) if rows[i][column]]
        if not pivots:
            continue
        rows[rank], rows[pivots[0]] = rows[pivots[0]], rows[rank]
        for i in range(rank + 1, len(rows)):
            factor = rows[i][column] / rows[rank][column]
            rows[i] = [a - factor * b for a, b in zip(rows[i], rows[rank], strict=True)]
        rank += 1
    return rank


def in_hull_by_rationals(points, other):
    def differences(rows):
        first = [Fraction(value) for value in rows[0].tolist()]
        return [
            [Fraction(a) - b for a, b in zip(row.tolist(), first, strict=True)]
            for row in rows[1:]
        ] or [[Fraction(0)] * len(first)]

    together = np.vstack([points, other])
    return exact_rank(differences(points)) == exact_rank(differences(together))


@given(
    n_points=st.integers(1, 6),
    n_features=st.integers(1, 6),
    rank=st.integers(0, 6),
    exponent=st.integers(0, 200),
    nudge=st.booleans(),
    seed=st.integers(0, 10**6),
)
def test_affine_hulls_are_those_of_rational_arithmetic(
    n_points, n_features, rank, exponent, nudge, seed
):
    rng = np.random.default_rng(seed)
    factors = rng.integers(-9, 10, (n_points + 3, rank)).astype(float)
    X = factors @ rng.integers(-9, 10, (rank, n_features)).astype(float)
    X = X * 2.0 ** rng.integers(-exponent, exponent + 1, n_features) + 0.0
    if nudge:
        X[-1] = np.nextafter(X[-1], np.inf)
    points, others = X[:n_points], X[n_points:]
    expected = [in_hull_by_rationals(points, other) for other in others]
    assert in_affine_hull(points, others).tolist() == expected


def test_a_hyperplane_in_many_dimensions_is_decided_exactly():
    rng = np.random.default_rng(0)
    points = rng.integers(-50, 51, (60, 60)).astype(float)
    inside = 2 * points[0] - points[1] + points[2] - points[3]
    beside = inside.copy()
    beside[17] = np.nextafter(beside[17], np.inf)
    assert in_affine_hull(points, np.vstack([inside, beside])).tolist() == [True, False]


@pytest.mark.parametrize("n_primes", [1, 3])
def test_primes_are_the_largest_below_two_to_the_31(n_primes):
    # 2**31 - 1 is Mersenne's; the two before it are 18 and 60 less.
    expected = [2**31 - 1, 2**31 - 19, 2**31 - 61]
    assert list(_exact_rank._primes(n_primes)) == expected[:n_primes]


@pytest.mark.parametrize(
    "points, order",
    [
        (np.array([[1.0, 0.0], [3.0, 1.0]]), 2),
        (np.array([[1.0, 2.0**-30, 2.0**40, 5.0]]), 3),
        (np.full((4, 9), 0.3), 1),
    ],
)
def test_primes_exceed_the_bound_of_hadamard_and_are_not_many_more(points, order):
    values = [Fraction(value) for value in points.ravel().tolist() if value]
    # Mantissas of 53 bits, counted from the smallest exponent there is.
    unit = min(Fraction(2) ** (math.frexp(value)[1] - 53) for value in values)
    largest = 2 * max(value / unit for value in values)  # a difference of two
    hadamard = (float(largest) * math.sqrt(points.shape[1])) ** order
    n_primes = _exact_rank._n_primes(points, order)
    assert 2.0 ** (30.9 * n_primes) > 2 * hadamard
    assert n_primes <= math.log2(hadamard) / 30.9 + 2


@pytest.mark.parametrize("prime", [7, 2**31 - 1])
def test_differences_are_those_of_rationals_modulo_a_prime(prime):
    points = np.array([[0.75, -3.0], [2.0**-7, 0.1], [0.0, 5.0]])
    found = _exact_rank._differences(points, prime)
    for row, numbers in zip(points[1:].tolist(), found.tolist(), strict=True):
        for value, first, number in zip(row, points[0].tolist(), numbers, strict=True):
            exact = Fraction(value) - Fraction(first)
            wanted = exact.numerator * pow(exact.denominator, -1, prime) % prime
            assert number == wanted


def test_ranks_are_counted_modulo_a_prime():
    rows = np.array([[1, 2, 3], [2, 4, 6], [0, 1, 1], [3, 6, 9], [1, 3, 4], [0, 0, 1]])
    rank, dependent = _exact_rank._reduced(rows.copy(), 3, 101)
    assert (rank, dependent.tolist()) == (2, [True, True, False])
    # Modulo 2 the second of the first rows vanishes, and with it nothing new.
    rank, dependent = _exact_rank._reduced(rows[[1, 2, 0, 4]] % 2, 2, 2)
    assert (rank, dependent.tolist()) == (1, [False, False])
