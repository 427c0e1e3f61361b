"""Classes decided by bounds are those of all cells."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.datasets import load_digits

from sklearn_memorize import NearbySetClassifier


def assert_same_classes(classifier, X):
    network = classifier.network_
    expected = network.class_scores(X).argmax(axis=1)
    np.testing.assert_array_equal(network.best_classes(X), expected)


@given(
    seed=st.integers(0, 2**32 - 1),
    n_features=st.sampled_from([1, 2, 5, 20, 130]),
    n_classes=st.integers(2, 5),
    offset=st.sampled_from([0.0, 1.0, 1e5]),
    gap=st.sampled_from([None, 1e-9, 1e-3]),
    spread=st.sampled_from([1e-2, 0.3, 3.0, 1e3, 1e12, 1e200]),
)
def test_bounds_decide_as_all_cells_do(
    seed, n_features, n_classes, offset, gap, spread
):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((80, n_features)) + offset
    y = np.append(np.arange(n_classes), rng.integers(n_classes, size=80 - n_classes))
    if gap is not None:
        X[:20] = X[20:40] + gap * (offset or 1.0)
        y[:20] = (y[20:40] + 1) % n_classes
    classifier = NearbySetClassifier(cover_radius=0).fit(X, y)
    near = X + spread * rng.standard_normal(X.shape)
    between = (X[rng.permutation(80)] + X) / 2
    assert_same_classes(classifier, np.concatenate([X, near, between]))


def test_equal_cells_of_two_classes_are_decided_as_before():
    # The middle of two centers is as near to one as to the other.
    X = np.array([[-1.0, 0.0], [1.0, 0.0], [0.0, 3.0], [0.0, -3.0]])
    classifier = NearbySetClassifier().fit(X, [0, 1, 1, 0])
    assert_same_classes(classifier, np.zeros((1, 2)))
    assert classifier.predict(np.zeros((1, 2))) == 0


@pytest.mark.parametrize("n_copies", [1, 3])
def test_digits_are_decided_as_before_in_double_and_in_single_precision(n_copies):
    X, y = load_digits(return_X_y=True)
    X = np.tile(X, n_copies)  # 64 features, or 192
    classifier = NearbySetClassifier().fit(X[:900], y[:900])
    rng = np.random.default_rng(0)
    assert_same_classes(classifier, X[900:])
    assert_same_classes(classifier, X[:300] + rng.standard_normal((300, X.shape[1])))


def test_a_row_is_decided_alone_as_in_any_batch():
    X, y = load_digits(return_X_y=True)
    X = np.tile(X, 3)
    classifier = NearbySetClassifier().fit(X[:500], y[:500])
    together = classifier.predict(X[500:560])
    alone = [classifier.predict(row[np.newaxis])[0] for row in X[500:560]]
    np.testing.assert_array_equal(together, alone)


def classes_along_a_curve(n_samples, seed, n_features=150):
    """Samples near a curve in a few of many dimensions, in classes side by side."""
    rng = np.random.default_rng(seed)
    t = rng.uniform(0, 8, n_samples)
    directions = np.random.default_rng(9).standard_normal((8, n_features))
    waves = [np.cos(t * k) / k for k in range(1, 5)]
    waves += [np.sin(t * k) / k for k in range(1, 5)]
    X = np.stack(waves, axis=1) @ directions
    X += 0.1 * rng.standard_normal((n_samples, 8)) @ directions
    return X + 0.01 * rng.standard_normal(X.shape), t.astype(int) % 5


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_a_glance_decides_as_all_cells_do(n_jobs):
    X, y = classes_along_a_curve(1400, 0)
    classifier = NearbySetClassifier(cover_radius=0, n_jobs=n_jobs).fit(X, y)
    new, _ = classes_along_a_curve(250, 1)
    between = (X[:60] + X[60:120]) / 2
    far = X[:30] * 10.0 ** np.array([1, 9, 100])[np.arange(30) % 3, np.newaxis]
    rows = np.concatenate([X[:50], new, between, far])
    network = classifier.network_
    scores = network.class_scores(rows, n_jobs)
    np.testing.assert_array_equal(network.best_classes(rows, n_jobs), scores.argmax(1))
    glance = network._cells._glance
    classes = glance.classes(network._cells._rows(new))
    assert glance.is_useful and (classes >= 0).mean() > 0.2
    # The scores of all classes are those that are found without a table of bounds.
    expected = network._cells._scores_by_affine_bounds(
        network._cells._rows(rows), best_only=False
    )
    np.testing.assert_array_equal(scores, expected)


def test_scores_do_not_depend_on_how_they_are_bounded():
    X, y = load_digits(return_X_y=True)
    X = np.tile(X, 3)
    network = NearbySetClassifier().fit(X[:500], y[:500]).network_
    rng = np.random.default_rng(0)
    rows = np.concatenate([X[:40], X[500:600] + rng.standard_normal((100, 192))])
    expected = network._cells._scores_by_affine_bounds(
        network._cells._rows(rows), best_only=False
    )
    np.testing.assert_array_equal(network.class_scores(rows), expected)
