"""Signs and ceilings are those of rational numbers."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from sklearn_memorize.exact import _signs as _exact
from sklearn_memorize.exact._signs import exact_ceiling, exact_sign


def rational_value(direction, point, bias):
    products = zip(direction.tolist(), point.tolist(), strict=True)
    return sum((Fraction(w) * Fraction(x) for w, x in products), Fraction(bias))


finite = st.floats(allow_nan=False, allow_infinity=False, width=64)


@given(
    hnp.arrays(np.float32, 5, elements=st.floats(-10, 10, width=32)),
    hnp.arrays(np.float64, 5, elements=finite),
    finite,
)
def test_exact_sign_is_the_sign_of_the_rational_number(direction, point, bias):
    value = rational_value(direction, point, bias)
    assert exact_sign(direction, point, bias) == (value > 0) - (value < 0)


@pytest.mark.parametrize("exponent", [-1100, -3, 0, 7, 900])
def test_ceilings_are_those_of_rational_numbers(exponent):
    rng = np.random.default_rng(0)
    for scale in (1e-300, 1.0, 1e250):
        direction = rng.standard_normal(5).astype(np.float32)
        point, offset = rng.standard_normal(5) * scale, scale / 3
        terms = zip(direction.tolist(), point.tolist(), strict=True)
        value = sum((Fraction(w) * Fraction(x) for w, x in terms), Fraction(offset))
        expected = -(-value // Fraction(2) ** exponent)
        assert exact_ceiling(direction, point, offset, exponent) == expected


def test_relative_errors_of_many_roundings_are_those_of_the_textbook():
    # gamma_k = k u / (1 - k u)
    assert _exact.rounding(3, 0.125) == 0.375 / 0.625
    assert _exact.rounding(1, 0.25) == 0.25 / 0.75
