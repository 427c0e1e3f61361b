"""Directions of random lines."""

import numpy as np
import pytest
from scipy import sparse

from sklearn_memorize.constructions._directions import (
    draw_directions,
    feature_ranges,
    spread_out,
)
from sklearn_memorize.exceptions import InterpolationError


def test_directions_lie_on_a_grid_in_units_of_range_or_magnitude():
    X = np.array([[1000.0, 1.0, -3.0, 7.0], [1001.5, 3.0, 0.5, 7.0]])
    low, high = feature_ranges(X)
    assert (low.tolist(), high.tolist()) == ([1000, 1, -3, 7], [1001.5, 3, 0.5, 7])
    for step in (2.0**-20, 0.5):
        directions = draw_directions(X, np.random.default_rng(0), 5, step=step)
        normal = np.random.default_rng(0).standard_normal((5, 4))
        # Half the range is 3/4, 1, 7/4; the largest magnitude 1001.5, 3, 3.
        by_range = [1.0, 0.5, 0.5, 0.0]
        by_size = [2.0**-10, 0.25, 0.25, 0.0]
        units = np.array([by_range, by_size, by_range, by_size, by_range])
        expected = np.round(normal / step) * step * units
        np.testing.assert_array_equal(directions, expected)
    from_sparse = draw_directions(sparse.csr_array(X), np.random.default_rng(0), 5)
    dense = draw_directions(X, np.random.default_rng(0), 5)
    np.testing.assert_array_equal(from_sparse, dense)


def test_one_feature_has_one_direction():
    X = np.array([[0.0], [5.0]])
    assert draw_directions(X, np.random.default_rng(0), 10).shape == (1, 1)


def test_features_of_any_size_have_finite_directions():
    X = np.array([[0.0, 0.0], [5e-324, 1.7e308]])
    directions = draw_directions(X, np.random.default_rng(0), 2)
    assert np.isfinite(directions).all() and directions.all()


@pytest.mark.parametrize("as_given", [np.asarray, sparse.csr_array])
def test_whose_features_are_far_from_zero_is_told_to_subtract_the_mean(as_given):
    X = np.random.default_rng(0).standard_normal((90, 3))
    X[:, 1:] = np.round(X[:, 1:], 1) + 1e15
    X[:, 0] = 0.0
    with pytest.raises(InterpolationError, match=r"mean .* 2 of them, as number 1"):
        spread_out(as_given(np.unique(X, axis=0)), np.random.default_rng(0), 10)
    near = np.array([[0.7, 1e-30], [0.7, 2e-30], [0.0, 1.0]])
    with pytest.raises(InterpolationError, match="projections") as raised:
        spread_out(as_given(near), np.random.default_rng(0), 10)
    assert "mean" not in str(raised.value)
