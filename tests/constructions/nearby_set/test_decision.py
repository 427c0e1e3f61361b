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
