"""Products of samples and a direction, in integers of any length."""

from fractions import Fraction

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse

from sklearn_memorize.exact._products import Dyadic, exact_products, integer_weights

fractions = np.vectorize(Fraction, otypes=[object])


@given(
    n=st.integers(1, 6),
    d=st.integers(1, 40),
    spread=st.sampled_from([0, 1, 20, 290]),
    seed=st.integers(0, 10**6),
)
def test_products_are_those_of_rational_numbers(n, d, spread, seed):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, d)) * 10.0 ** rng.integers(-spread, spread + 1, (n, d))
    X[rng.random((n, d)) < 0.2] = 0.0
    X[rng.random((n, d)) < 0.05] = np.nextafter(0.0, 1.0)
    direction = np.round(rng.standard_normal(d) * 2**20) * 2.0 ** rng.integers(-90, 90)
    expected = (fractions(X) * fractions(direction)).sum(axis=1)
    for rows in (X, sparse.csr_array(X)):
        products = exact_products(rows, direction)
        found = [value * Fraction(2) ** products.exponent for value in products.values]
        assert found == expected.tolist()


@given(values=st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1))
def test_weights_are_odd_integers_times_powers_of_two(values):
    mantissas, exponents = integer_weights(np.array(values))
    for value, m, e in zip(values, mantissas.tolist(), exponents.tolist(), strict=True):
        assert m * Fraction(2) ** e == Fraction(value)
        assert m % 2 or (m, e) == (0, 0)


def test_dyadic_numbers_are_told_in_smaller_units():
    assert Dyadic(np.array([3, -5], object), 2).in_units(-1).tolist() == [24, -40]
