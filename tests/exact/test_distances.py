"""Squared distances are reproducible, and accurate up close."""

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

from sklearn_memorize.exact._distances import (
    PointSet,
    Scaling,
    squared_distances,
    squared_distances_of_pairs,
)


@pytest.mark.parametrize("n_features", [1, 2, 33, 400])
@pytest.mark.parametrize("scale", [1.0, 1e-200, 1e200])
def test_squared_distances_are_reproducible_and_accurate_up_close(n_features, scale):
    rng = np.random.default_rng(0)
    points = rng.standard_normal((120, n_features)) * 5 + 3
    points[60:] = points[:60] + rng.standard_normal((60, n_features)) * 1e-11
    points *= scale
    scaling = Scaling.of(points)
    everything = PointSet(scaling.scaled(points), scaling)
    distances = squared_distances(everything, everything)
    differences = everything.points[:, np.newaxis] - everything.points
    exact = np.square(differences).sum(axis=2)
    np.testing.assert_allclose(distances, exact, rtol=1e-9)
    assert (np.diag(distances) == 0).all()
    np.testing.assert_array_equal(distances, distances.T)
    with threadpool_limits(1):
        for row in range(0, 120, 7):
            alone = squared_distances(everything.take([row]), everything)
            np.testing.assert_array_equal(alone[0], distances[row])


@pytest.mark.parametrize("n_features", [1, 2, 7, 33, 400])
@pytest.mark.parametrize("offset", [0.0, 1e8])
def test_distances_of_pairs_are_those_of_all_to_the_last_bit(n_features, offset):
    rng = np.random.default_rng(n_features)
    points = rng.standard_normal((70, n_features)) + offset
    points[35:] = points[:35] + 1e-9 * rng.standard_normal((35, n_features))
    scaling = Scaling.of(points)
    left = PointSet(scaling.scaled(rng.permutation(points)), scaling)
    right = PointSet(scaling.scaled(points), scaling)
    rows, columns = rng.integers(0, 70, (2, 500))
    found = squared_distances_of_pairs(left, rows, right, columns)
    expected = squared_distances(left, right)[rows, columns]
    np.testing.assert_array_equal(found, expected)
    assert len(squared_distances_of_pairs(left, rows[:0], right, columns[:0])) == 0
