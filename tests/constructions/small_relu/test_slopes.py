"""Slopes of the nodes: saturated elsewhere, exact at their samples."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sklearn_memorize.constructions.small_relu import _construction as small_relu
from sklearn_memorize.constructions.small_relu._slopes import (
    _check_saturation,
    _weights,
    fit_block,
)
from sklearn_memorize.exceptions import InterpolationError
from sklearn_memorize.kernels._reference import two_sum


@given(st.floats(-1e100, 1e100), st.floats(-1e100, 1e100))
def test_sums_and_their_rounding_errors_are_exact(a, b):
    total, error = two_sum(np.array([a]), np.array([b]))
    assert total[0] == a + b
    assert Fraction(float(total[0])) + Fraction(float(error[0])) == Fraction(
        a
    ) + Fraction(b)


def test_saturation_asks_for_slopes_of_two_over_the_gap_with_alternating_signs():
    slopes = np.array([[[4.0], [-8.0]], [[1.0], [-2.0]]])
    gaps = np.array([[0.5, 0.25], [2.0, 1.0]])
    _check_saturation(slopes, gaps)
    for changed in (
        slopes * [[[1], [1 - 1e-9]], [[1], [1]]],
        slopes * [[[1], [1]], [[1 - 1e-9], [1]]],
        -slopes,
        slopes * [[[1], [-1]], [[1], [1]]],
        slopes * [[[1], [1]], [[np.inf], [1]]],
    ):
        with pytest.raises(InterpolationError, match=r"distance on the line is 0\.25"):
            _check_saturation(changed, gaps)


@pytest.mark.parametrize("p, q", [(1, 2), (3, 4), (6, 6)])
def test_nodes_take_their_values_at_their_samples_and_are_saturated_elsewhere(p, q):
    rng = np.random.default_rng(p)
    anchors = np.cumsum(rng.uniform(1, 2, p * q)).reshape(p, q)
    values = rng.uniform(-1, 1, (p, q, 1))
    left, right = small_relu._zones(anchors)
    block = fit_block(anchors, values, left, right)
    for group in range(p):
        for place in range(q):
            z = anchors[group, place]
            below = np.clip(2 * (z - left) / (right - left), 0, 2)  # hardtanh + 1
            potentials = block.starts[:, 0] + below @ block.weights[:, :, 0]
            node = place if group % 2 == 0 else q - 1 - place
            assert potentials[node] == pytest.approx(values[group, place, 0], abs=1e-9)
            others = np.delete(potentials, node)
            assert (np.abs(others) >= 1 - 1e-9).all()
            # All of them together say the value, and the same constant everywhere.
            total = np.clip(potentials, -1, 1).sum()
            assert total == pytest.approx(values[group, place, 0] + 1, abs=1e-9)


def test_rounding_errors_of_potentials_do_not_accumulate():
    rng = np.random.default_rng(0)
    wanted = rng.standard_normal((400, 1, 1)) * 10.0 ** rng.integers(-6, 7, (400, 1, 1))
    reach, starts = np.full((400, 1), 3.0), np.full((1, 1), 0.1)
    weights = _weights(wanted, reach, starts)
    potential = Fraction(0.1)
    for weight, y in zip(
        weights.ravel().tolist(), wanted.ravel().tolist(), strict=True
    ):
        missing = Fraction(float(y)) - potential
        assert (
            abs(3 * Fraction(float(weight)) - missing)
            <= abs(missing) * Fraction(2) ** -51
        )
        potential += 2 * Fraction(float(weight))
