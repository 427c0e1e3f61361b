"""Rows with several labels or targets: the heavier label, the exact mean."""

import warnings

import numpy as np
import pytest
from support.networks import same_network
from support.samples import DATA

from sklearn_memorize import (
    MemorizingClassifier,
    NearbySetClassifier,
    SmallReLUClassifier,
    SmallReLURegressor,
)
from sklearn_memorize._estimator._conflicts import resolve_targets
from sklearn_memorize.exceptions import (
    ConflictingLabelsWarning,
)


def test_conflicting_labels_are_resolved_by_weight_or_refused():
    X = np.array([[0.0, 1.0], [0.0, 1.0], [0.0, 1.0], [2.0, 3.0], [-0.0, 1.0]])
    y = np.array(["a", "b", "b", "c", "a"])
    clf = MemorizingClassifier(random_state=0)
    with pytest.warns(ConflictingLabelsWarning, match="conflicts='raise'"):
        clf.fit(X, y)
    assert clf.n_conflicts_ == 1
    assert clf.interpolates_
    assert clf.predict(X).tolist() == ["a", "a", "a", "c", "a"]
    with pytest.warns(ConflictingLabelsWarning):
        clf.fit(X, y, sample_weight=[0.1, 1, 1, 1, 0.2])
    assert clf.predict(X[:1]) == "b"
    clf.set_params(conflicts="raise")
    with pytest.raises(ValueError, match="conflicts='majority'"):
        clf.fit(X, y)


def test_weights_that_add_up_alike_in_any_order_tie():
    X = np.zeros((6, 1))
    y = np.array([1, 1, 1, 0, 0, 0])
    weights = np.array([0.1, 0.2, 0.3, 0.3, 0.2, 0.1])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConflictingLabelsWarning)
        clf = MemorizingClassifier(random_state=0)
        X[-1] = -0.0
        assert clf.fit(np.vstack([X, [[1.0]]]), [*y, 2], [*weights, 1])
    assert clf.predict(X[:1]) == 0


def test_samples_of_weight_zero_are_not_there():
    X, y = DATA["iris"]
    weights = np.ones(len(X))
    weights[::3] = 0
    weighted = MemorizingClassifier(random_state=0).fit(X, y, sample_weight=weights)
    without = MemorizingClassifier(random_state=0).fit(X[weights > 0], y[weights > 0])
    assert same_network(weighted, without)
    assert (weights[weighted.sample_indices_] > 0).all()
    with pytest.raises(ValueError, match="at least one non-zero number"):
        weighted.fit(X, y, sample_weight=np.zeros(len(X)))
    with pytest.raises(ValueError, match="[Nn]egative values"):
        weighted.fit(X, y, sample_weight=-weights)


def random_labels(n_samples, n_features=20, n_classes=10, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n_samples, n_features))
    return X, rng.integers(n_classes, size=n_samples)


def test_duplicates_with_several_targets_get_their_weighted_mean():
    X = np.array([[0.0], [1.0], [1.0], [2.0], [2.0], [2.0]])
    y = np.array([5.0, 1.0, 2.0, 7.0, 7.0, 7.0])
    weights = np.array([1.0, 3.0, 1.0, 1.0, 2.0, 3.0])
    memorizer = SmallReLURegressor(random_state=0)
    with pytest.warns(ConflictingLabelsWarning, match="1 distinct rows"):
        memorizer.fit(X, y, sample_weight=weights)
    np.testing.assert_array_equal(memorizer.predict(X), [5.0, 1.25, 1.25, 7, 7, 7])
    assert memorizer.n_conflicts_ == 1
    assert memorizer.interpolates_


def test_the_mean_target_is_exact():
    targets = np.array([[1e16], [1.0], [-1e16], [1.0]])
    inverse = np.zeros(4, dtype=int)
    resolved, n_conflicts = resolve_targets(inverse, targets, None, 1)
    assert (resolved[0, 0], n_conflicts) == (0.5, 1)


def test_samples_of_weight_zero_are_ignored():
    X, y = random_labels(100)
    weights = np.ones(100)
    weights[::2] = 0.0
    weighted = SmallReLURegressor(random_state=0).fit(X, y, sample_weight=weights)
    fewer = SmallReLURegressor(random_state=0).fit(X[1::2], y[1::2])
    np.testing.assert_array_equal(weighted.predict(X), fewer.predict(X))


@pytest.mark.parametrize("estimator", [SmallReLUClassifier, SmallReLURegressor])
def test_conflicts_can_raise_and_leave_the_estimator_as_it_was(estimator):
    X, y = random_labels(50)
    memorizer = estimator(conflicts="raise", random_state=0).fit(X, y)
    before = dict(vars(memorizer))
    with pytest.raises(ValueError, match="conflicts="):
        memorizer.fit(np.vstack([X, X]), np.append(y, y + 1))
    assert vars(memorizer) == before


def test_conflicting_labels_are_resolved_or_raise():
    X, y = [[0.0], [0.0], [0.0], [1.0]], [0, 1, 1, 0]
    with pytest.warns(ConflictingLabelsWarning):
        classifier = NearbySetClassifier().fit(X, y)
    assert classifier.n_conflicts_ == 1
    np.testing.assert_array_equal(classifier.predict(X), [1, 1, 1, 0])
    with pytest.raises(ValueError, match="carry several labels"):
        NearbySetClassifier(conflicts="raise").fit(X, y)
