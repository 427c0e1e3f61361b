"""How far a row may move before its neighbours give another class."""

import numpy as np
import pytest
from sklearn.datasets import load_digits, make_moons
from support.samples import random_labels

from sklearn_memorize import InterpolatingNeighborsClassifier


def half_class_distances(X, y):
    table = np.linalg.norm(X[:, np.newaxis] - X, axis=2)
    table[y[:, np.newaxis] == y] = np.inf
    return table.min(axis=1) / 2


def borders(classifier, rows, ends):
    """Return points near the rows, on the way to the ends, of another label."""
    labels, inside, outside = classifier.predict(rows), rows.copy(), ends.copy()
    for _ in range(60):
        middle = inside / 2 + outside / 2
        same = (classifier.predict(middle) == labels)[:, np.newaxis]
        inside, outside = (
            np.where(same, middle, inside),
            np.where(same, outside, middle),
        )
    return outside


def test_one_neighbour_is_certain_up_to_the_middle():
    X, y = random_labels(300, 5, 3)
    classifier = InterpolatingNeighborsClassifier(n_neighbors=1).fit(X, y)
    shares = classifier.certified_radius(X) / half_class_distances(X, y)
    assert (shares <= 1).all()
    assert (shares > 1 - 1e-6).all()
    cubes = classifier.certified_radius(X, metric="chebyshev")
    np.testing.assert_allclose(cubes * np.sqrt(5), classifier.certified_radius(X))


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"weights": "hilbert"},
        {"n_neighbors": 2},
        {"n_neighbors": 7, "exponent": 3.0},
        {"n_neighbors": 300},
        {"exponent": 0.126},
        {"exponent": 90.0},
    ],
    ids=str,
)
@pytest.mark.parametrize("scale", [1.0, 1e-300, 1e300])
def test_the_border_is_beyond_the_radius(options, scale):
    X, y = make_moons(300, noise=0.2, random_state=0)
    classifier = InterpolatingNeighborsClassifier(**options).fit(X * scale, y)
    rng = np.random.default_rng(0)
    rows = X[rng.permutation(300)] + rng.choice([0.0, 0.05], (300, 1))
    radii = classifier.certified_radius(rows * scale) / scale
    ends = X[rng.permutation(300)]
    other = classifier.predict(ends * scale) != classifier.predict(rows * scale)
    rows, ends, radii = rows[other] * scale, ends[other] * scale, radii[other]
    steps = (borders(classifier, rows, ends) - rows) / scale
    assert (np.linalg.norm(steps, axis=1) > radii * (1 - 1e-12)).all()
    assert (radii > 0).mean() > 0.9


def test_radii_are_of_use():
    X, y = load_digits(return_X_y=True)
    halves = half_class_distances(X[:600], y[:600])
    for options, share in (({}, 0.3), ({"weights": "hilbert"}, 0.99)):
        classifier = InterpolatingNeighborsClassifier(**options).fit(X[:600], y[:600])
        radii = classifier.certified_radius(X[:600])
        assert np.median(radii / halves) > share


def test_weights_that_hardly_grow_have_no_radius():
    X, y = random_labels(50, 3, 2)
    classifier = InterpolatingNeighborsClassifier(exponent=0.1).fit(X, y)
    assert (classifier.certified_radius(X) == 0).all()


@pytest.mark.filterwarnings("error")
def test_rows_far_away_have_no_radius():
    X, y = random_labels(50, 3, 2)
    classifier = InterpolatingNeighborsClassifier().fit(X, y)
    assert (classifier.certified_radius(X * 1e200) == 0).all()
