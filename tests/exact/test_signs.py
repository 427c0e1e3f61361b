"""Signs and ceilings are those of rational numbers."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from sklearn_memorize.exact import _signs as _exact
from sklearn_memorize.exact._signs import ceilings, exact_ceiling, exact_sign, signs


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


# Numbers whose sums cancel: few bits, neighbours, and far apart in size.
cancelling = st.one_of(
    st.integers(-8, 8).map(float),
    st.sampled_from([1.0, np.nextafter(1.0, 2.0), np.nextafter(1.0, 0.0), 1e16, 1e-16]),
    st.sampled_from([2.0**-1074, 2.0**-960, 2.0**-30, 2.0**40, 2.0**900]),
    st.floats(-1e3, 1e3),
)


@given(
    hnp.arrays(np.float32, (3, 4), elements=st.floats(-8, 8, width=32)),
    hnp.arrays(np.float64, (3, 4), elements=cancelling),
    st.lists(cancelling, min_size=9, max_size=9),
    st.sampled_from(["as given", "nearly zero", "zero"]),
)
def test_signs_and_ceilings_of_pairs_are_those_of_rational_numbers(
    directions, points, offsets, kind
):
    rows, columns = map(np.ravel, np.indices((3, 3)))
    if kind != "as given":  # an offset that cancels the product, or all but its rest
        products = [
            rational_value(directions[c], points[r], 0.0)
            for r, c in zip(rows, columns, strict=True)
        ]
        if max(map(abs, products)) > Fraction(2) ** 1000:
            return
        offsets = [-float(product) for product in products]
    if kind == "zero":
        points = np.rint(np.clip(points, -8, 8))
        directions = np.rint(directions)
        offsets = -(points @ directions.T.astype(float))[rows, columns]
    offsets = np.array(offsets)
    values = [
        rational_value(directions[c], points[r], b)
        for r, c, b in zip(rows, columns, offsets.tolist(), strict=True)
    ]
    pairs = points, rows, directions, columns, offsets
    found = signs(*pairs, np.zeros(9))
    assert found.tolist() == [value > 0 for value in values]
    for exponent, cap in ((-30, 2.0**40), (0, 100.0)):
        unit = Fraction(2) ** exponent
        expected = [min(max(-(-value // unit), 0), int(cap)) for value in values]
        assert ceilings(*pairs, exponent, cap).tolist() == expected


@given(st.integers(0, 2**32 - 1), st.sampled_from([-400, -3, 0, 300]))
def test_long_sums_that_cancel_have_the_sign_of_what_is_left(seed, exponent):
    rng = np.random.default_rng(seed)
    direction = rng.standard_normal((1, 200)).astype(np.float32)
    points = np.ldexp(np.ones((4, 200)), exponent)
    points[np.arange(4), rng.integers(0, 200, 4)] *= 1 + 2.0**-52 * np.arange(4)
    offset = -float(rational_value(direction[0], points[0], 0.0))
    values = [rational_value(direction[0], point, offset) for point in points]
    nothing = np.zeros(4, dtype=int)
    pairs = points, np.arange(4), direction, nothing, np.full(4, offset)
    assert signs(*pairs, np.zeros(4)).tolist() == [value > 0 for value in values]


def test_forms_of_denormal_numbers_are_decided_without_integers(monkeypatch):
    rng = np.random.default_rng(0)
    points = rng.standard_normal((50, 4)) * 1e-312
    directions = rng.standard_normal((20, 4)).astype(np.float32)
    rows, columns = np.indices((50, 20)).reshape(2, -1)
    offsets = -np.einsum("ij,ij->i", points[rows], directions[columns].astype(float))
    values = [
        rational_value(direction, point, offset)
        for direction, point, offset in zip(
            directions[columns], points[rows], offsets, strict=True
        )
    ]

    def one_by_one(*arguments):
        raise AssertionError("a form was evaluated in integers")

    monkeypatch.setattr(_exact, "exact_sign", one_by_one)
    positive = signs(points, rows, directions, columns, offsets, np.zeros(len(rows)))
    assert positive.tolist() == [value > 0 for value in values]
