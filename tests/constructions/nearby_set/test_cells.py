"""Bounds of cells never hide the best one."""

import numpy as np
import pytest
from support.networks import textbook
from support.samples import random_labels

from sklearn_memorize import NearbySetClassifier
from sklearn_memorize.constructions.nearby_set._cells import MARGIN, Cells
from sklearn_memorize.exact._distances import PointSet, Scaling

KAPPA = 1 / (1 - 2 * MARGIN)


def formula(network, X):
    """The scores of the classes, cell by cell and pair by pair, as they are defined."""
    centers, labels = network.centers, network.center_labels
    cells = np.ones((len(X), len(centers)))
    for i, x_i in enumerate(centers):
        for x_j in centers[labels != labels[i]]:
            direction = x_j - x_i
            p_ij = (X - x_i) @ direction / (direction @ direction)
            cells[:, i] -= KAPPA * np.maximum(p_ij - MARGIN, 0)
    scores = []
    for label in range(labels[-1] + 1):
        own = cells[:, labels == label]
        summed = np.maximum(own, 0).sum(axis=1)
        scores.append(np.where(summed > 0, summed, own.max(axis=1)))
    return np.stack(scores, axis=1)


@pytest.mark.parametrize("n_classes", [2, 4])
def test_factored_evaluation_is_the_formula_and_the_written_out_network(n_classes):
    X, y = random_labels(60, 6, n_classes)
    network = NearbySetClassifier().fit(X, y).network_
    new = np.concatenate([X, np.random.default_rng(1).standard_normal((300, 6))])
    expected = formula(network, new)
    assert (expected.max(axis=1) <= 0).any(), "some points should lie in no cell"
    np.testing.assert_allclose(network.class_scores(new), expected, atol=1e-9)
    np.testing.assert_allclose(network.forward(new), textbook(network, new), atol=1e-9)


def test_bounds_never_hide_the_best_cell():
    X, y = random_labels(200, 5, 3)
    network = NearbySetClassifier().fit(X, y).network_
    new = np.random.default_rng(1).standard_normal((500, 5)) * 3
    every, best = network.class_scores(new), network.class_scores(new, best_only=True)
    np.testing.assert_array_equal(every.max(axis=1), best.max(axis=1))
    np.testing.assert_array_equal(every.argmax(axis=1), best.argmax(axis=1))
    np.testing.assert_allclose(every, formula(network, new), rtol=1e-9, atol=1e-9)


def test_points_far_away_get_a_finite_score():
    X, y = random_labels(100, 3, 3)
    classifier = NearbySetClassifier().fit(X, y)
    new = np.array([[1e300, -1e300, 0], [1e150, 0, 1], [-1e308, -1e308, -1e308]])
    with np.errstate(all="raise"):
        scores = classifier.decision_function(new)
    assert np.isfinite(scores).all()
    labels = classifier.classes_[scores.argmax(axis=1)]
    np.testing.assert_array_equal(classifier.predict(new), labels)


def cells_of(n_centers=12, n_classes=3, n_features=3, seed=0):
    rng = np.random.default_rng(seed)
    points = rng.standard_normal((n_centers, n_features))
    labels = np.sort(np.arange(n_centers) % n_classes)
    return Cells(points, labels, Scaling.of(points))


def half_planes(cells, x):
    """Return p_ij(x) - a of all pairs of different label, else 0."""
    points = cells.points.points
    difference = points - points[:, np.newaxis]
    products = ((x - points)[:, np.newaxis] * difference).sum(axis=2)
    squares = np.square(difference).sum(axis=2)
    different = cells.labels[:, np.newaxis] != cells.labels
    p = np.divide(products, squares, out=np.zeros_like(squares), where=different)
    return np.where(different, p - 1 / 3.1, 0.0)


SLOPE = 1 / (1 - 2 / 3.1)


def test_affine_bounds_of_cells_are_those_of_all_pairs():
    cells = cells_of()
    X = np.random.default_rng(1).standard_normal((20, 3))
    bounds = cells._upper_bounds(PointSet(X, cells.scaling))
    sums = np.array([half_planes(cells, x).sum(axis=1) for x in X])
    expected = 1 - SLOPE * np.maximum(sums, 0)
    assert (expected < 0).any()
    np.testing.assert_allclose(bounds, expected, atol=1e-9)
    # Rounding only ever raises them.
    assert (bounds >= expected - 1e-14 * np.abs(expected)).all()


def test_pairs_that_are_much_nearer_than_the_rest_are_left_out_of_the_bounds():
    points = np.array([[0.0, 0.0], [1.0, 0.0], [1.0, 2.0**-12]])
    cells = Cells(points, np.array([0, 1, 2]), Scaling.of(points))
    alone = [
        Cells(points[k], np.array([0, 1]), cells.scaling) for k in ([0, 1], [0, 2])
    ]
    X = np.random.default_rng(1).standard_normal((9, 2)) / 2
    bounds = cells._upper_bounds(PointSet(X, cells.scaling))
    for k in (1, 2):
        expected = alone[k - 1]._upper_bounds(PointSet(X, cells.scaling))[:, 1]
        np.testing.assert_allclose(bounds[:, k], expected, atol=1e-9)
