"""Consistent interpolation: exact at samples, and the obvious mean in between."""

import warnings
from math import comb

import numpy as np
import pytest
from sklearn.datasets import load_diabetes, make_moons
from sklearn.neighbors import KNeighborsRegressor
from support.samples import random_labels
from support.strategies import SMALLEST

from sklearn_memorize import (
    InterpolatingNeighborsClassifier,
    InterpolatingNeighborsRegressor,
)
from sklearn_memorize.constructions.consistent import _interpolant
from sklearn_memorize.constructions.consistent._estimator import most_neighbors
from sklearn_memorize.constructions.consistent._neighbors import Nearest, smallest
from sklearn_memorize.exact._distances import PointSet, squared_distances

WEIGHTS = ["singular", "hilbert"]


def means(X, values, rows, n_neighbors, exponent):
    """Return the weighted means of values, computed as the formula stands there."""
    found = []
    for row in rows:
        distances = np.sqrt(((X - row) ** 2).sum(axis=1))
        nearest = np.argsort(distances, kind="stable")[:n_neighbors]
        weights = (distances[nearest] / distances[nearest[0]]) ** -exponent
        found.append((weights @ values[nearest]) / weights.sum())
    return np.array(found)


@pytest.mark.parametrize("n_features", [1, 3, 15, 16, 40])
@pytest.mark.parametrize("weights", WEIGHTS)
def test_predictions_are_the_means_of_the_formula(weights, n_features):
    rng = np.random.default_rng(n_features)
    X, rows = (
        rng.standard_normal((300, n_features)),
        rng.standard_normal((50, n_features)),
    )
    y = rng.standard_normal((300, 2))
    regressor = InterpolatingNeighborsRegressor(weights=weights).fit(X, y)
    k, exponent = regressor.n_neighbors_, regressor.exponent_
    assert (k, exponent) == (
        (300, n_features)
        if weights == "hilbert"
        else (most_neighbors(300, n_features), min(1, n_features / 4))
    )
    expected = means(X, y, rows, k, exponent)
    np.testing.assert_allclose(regressor.predict(rows), expected, rtol=0, atol=1e-7)
    labels = rng.integers(3, size=300)
    classifier = InterpolatingNeighborsClassifier(weights=weights).fit(X, labels)
    expected = means(X, np.eye(3)[labels], rows, k, exponent)
    found = classifier.predict_proba(rows)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-7)


@pytest.mark.parametrize("n_samples", [2000, 10_000])
@pytest.mark.parametrize("weights", WEIGHTS)
def test_random_labels_and_targets_are_recalled_to_the_last_bit(weights, n_samples):
    X, y = random_labels(n_samples)
    targets = np.random.default_rng(1).standard_normal(n_samples) * 10.0**y
    classifier = InterpolatingNeighborsClassifier(weights=weights).fit(X, y)
    assert (classifier.predict(X) == y).all()
    assert (classifier.predict_proba(X).max(axis=1) == 1.0).all()
    regressor = InterpolatingNeighborsRegressor(weights=weights).fit(X, targets)
    assert regressor.max_abs_error_ == 0.0
    assert regressor.predict(X).tobytes() == targets.tobytes()


def test_with_the_exponent_one_it_is_weights_by_distance_of_scikit_learn():
    X, y = load_diabetes(return_X_y=True)
    theirs = KNeighborsRegressor(9, weights="distance").fit(X[:300], y[:300])
    ours = InterpolatingNeighborsRegressor(n_neighbors=9).fit(X[:300], y[:300])
    assert ours.exponent_ == 1.0
    np.testing.assert_allclose(
        ours.predict(X[300:]), theirs.predict(X[300:]), rtol=1e-9
    )


@pytest.mark.parametrize("n_features", [2, 20])
def test_of_neighbors_at_equal_distances_the_same_ones_are_taken_in_any_batch(
    n_features,
):
    rng = np.random.default_rng(0)
    X = np.unique(rng.integers(0, 3, (400, n_features)), axis=0).astype(float)
    y = rng.standard_normal(len(X))
    regressor = InterpolatingNeighborsRegressor(n_neighbors=3).fit(X, y)
    order = rng.permutation(len(X))
    shuffled = InterpolatingNeighborsRegressor(n_neighbors=3).fit(X[order], y[order])
    rows = rng.integers(0, 3, (200, n_features)) + rng.choice([0.0, 0.5], (200, 1))
    expected = regressor.predict(rows)
    alone = np.concatenate([regressor.predict(row[np.newaxis]) for row in rows])
    assert alone.tobytes() == expected.tobytes()
    assert shuffled.predict(rows).tobytes() == expected.tobytes()
    # Nothing but the k nearest: each is at most as far as all that are left out.
    nearest = Nearest(X, 3)
    for which, squared, places in nearest.to(rows, np.arange(len(rows))):
        everything = ((rows[which][:, np.newaxis] - X) ** 2).sum(axis=2)
        _, first = smallest(everything, 3)
        assert (places == first).all()
        assert (np.diff(squared, axis=1) >= 0).all()


@pytest.mark.parametrize("n_features", [2, 20])
def test_far_from_the_origin_neighbors_are_the_nearest_all_the_same(n_features):
    rng = np.random.default_rng(1)
    X = 1e8 + rng.standard_normal((300, n_features)).round(6)
    y = rng.standard_normal(300)
    rows = 1e8 + rng.standard_normal((40, n_features)).round(6)
    regressor = InterpolatingNeighborsRegressor(n_neighbors=5).fit(X, y)
    expected = means(X, y, rows, 5, regressor.exponent_)
    np.testing.assert_allclose(regressor.predict(rows), expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize("weights", WEIGHTS)
def test_a_last_bit_tells_two_samples_apart(weights):
    X = np.array(
        [[1.0, 0.0], [np.nextafter(1.0, 2.0), 0.0], [1.0, SMALLEST], [5.0, 3.0]]
    )
    y = np.array([1.0, -1e300, 3.0, 7.0])
    regressor = InterpolatingNeighborsRegressor(weights=weights).fit(X, y)
    assert regressor.predict(X).tolist() == y.tolist()
    assert regressor.predict(X[::-1]).tolist() == y[::-1].tolist()
    classifier = InterpolatingNeighborsClassifier(weights=weights).fit(X, [0, 1, 2, 1])
    assert classifier.predict(X).tolist() == [0, 1, 2, 1]


def test_samples_are_recalled_where_all_hashes_are_equal(monkeypatch):
    def constant(X):
        return np.zeros(X.shape[0], dtype=np.uint64)

    monkeypatch.setattr(_interpolant, "row_hashes", constant)
    X, y = random_labels(60, 3)
    assert (InterpolatingNeighborsClassifier().fit(X, y).predict(X) == y).all()


@pytest.mark.parametrize("weights", WEIGHTS)
def test_means_are_within_the_range_of_the_targets(weights):
    rng = np.random.default_rng(2)
    X, y = rng.standard_normal((100, 3)), 1e306 * rng.uniform(-1, 1, 100)
    regressor = InterpolatingNeighborsRegressor(weights=weights).fit(X, y)
    rows = rng.standard_normal((300, 3)) * 10.0 ** rng.integers(-300, 300, (300, 1))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = regressor.predict(rows)
    assert (found >= y.min()).all() and (found <= y.max()).all()


@pytest.mark.parametrize("weights", WEIGHTS)
def test_beside_a_sample_its_own_target_outweighs_all_others(weights):
    rng = np.random.default_rng(3)
    X, y = rng.standard_normal((200, 2)), rng.choice([-1.0, 1.0], 200)
    regressor = InterpolatingNeighborsRegressor(weights=weights, exponent=0.9).fit(X, y)
    steps = rng.standard_normal(X.shape)
    errors = [
        np.abs(regressor.predict(X + size * steps) - y).max()
        for size in (1e-2, 1e-5, 1e-8, 1e-11)
    ]
    assert errors == sorted(errors, reverse=True)
    assert errors[-1] < 1e-5


def test_the_number_of_neighbors_grows_at_the_rate_of_the_theorem():
    for d in (1, 2, 3, 10):
        for n in (2, 10, 1000, 123_456):
            k = most_neighbors(n, d)
            bits = (n - 1).bit_length()
            assert k >= bits and k ** (d + 2) >= n**2
            assert k == bits or (k - 1) ** (d + 2) < n**2
    assert most_neighbors(1, 5) == 1


def test_many_neighbors_hear_less_of_wrong_labels_than_one():
    X, y = make_moons(3000, noise=0.1, random_state=0)
    rng = np.random.default_rng(0)
    noisy = np.where(rng.random(2000) < 0.2, 1 - y[:2000], y[:2000])
    many = InterpolatingNeighborsClassifier().fit(X[:2000], noisy)
    one = InterpolatingNeighborsClassifier(n_neighbors=1).fit(X[:2000], noisy)
    assert many.score(X[:2000], noisy) == one.score(X[:2000], noisy) == 1.0
    assert many.score(X[2000:], y[2000:]) > 0.95
    assert one.score(X[2000:], y[2000:]) < 0.85


def test_hilbert_weights_are_those_of_random_partitions():
    """Hyperplanes separate x and z with the probability q = c |x - z|, and weighting
    the cells of k of them by binom(d + k - 1, k) gives q**-d.
    """
    rng = np.random.default_rng(4)
    n_hyperplanes, n_features, radius = 400_000, 3, 2.0
    directions = rng.standard_normal((n_hyperplanes, n_features))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    offsets = rng.uniform(-radius, radius, n_hyperplanes)
    mean_size = 0.5  # of a coordinate of a unit vector in three dimensions
    for x, z in (
        np.array([[1.0, 0, 0], [-1, 0, 0]]),
        np.array([[0, 0.3, 1], [0, 0, 1]]),
    ):
        share = np.mean((directions @ x > offsets) != (directions @ z > offsets))
        q = mean_size * np.linalg.norm(x - z) / (2 * radius)
        assert abs(share - q) < 5 * np.sqrt(q / n_hyperplanes)
        series = sum(comb(n_features + k - 1, k) * (1 - q) ** k for k in range(3000))
        assert abs(series * q**n_features - 1) < 1e-9


@pytest.mark.parametrize("kind", ["few directions", "all directions", "one point"])
def test_neighbors_found_by_bounds_are_those_of_all_distances(kind):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((1300, 140))
    if kind != "all directions":
        X = X[:, :9] @ rng.standard_normal((9, 140)) + 0.01 * X
    if kind == "one point":  # all are about as far from each other
        X = 1e-3 * X + 5.0
    X[:40] = X[40:80] + 1e-8 * rng.standard_normal((40, 140))
    rows = np.concatenate([X[:80] + 1e-9, (X[:100] + X[100:200]) / 2, 1e30 * X[:3]])
    nearest = Nearest(X, 11)
    for which, squared, places in nearest.to(rows, np.arange(len(rows))):
        scaled = PointSet(nearest._scaling.scaled(rows[which]), nearest._scaling)
        expected, columns = smallest(squared_distances(scaled, nearest._points), 11)
        np.testing.assert_array_equal(squared, expected)
        np.testing.assert_array_equal(places, columns)


@pytest.mark.parametrize("n_features", [3, 40])
def test_threads_share_the_rows_without_a_trace(n_features):
    X, y = random_labels(600, n_features)
    rows = np.concatenate([X, np.random.default_rng(1).standard_normal(X.shape)])
    alone = InterpolatingNeighborsClassifier().fit(X, y).predict_proba(rows)
    shared = InterpolatingNeighborsClassifier(n_jobs=3).fit(X, y).predict_proba(rows)
    assert alone.tobytes() == shared.tobytes()
