"""Threads share the search for groups in general position, and change nothing."""

import numpy as np
import pytest

from sklearn_memorize import (
    MemorizingRegressor,
    ResidualMemorizingClassifier,
    SlabClassifier,
    SlabRegressor,
)
from sklearn_memorize.constructions._general_position import smaller
from sklearn_memorize.constructions.slabs._construction import GroupsAhead
from sklearn_memorize.kernels._threads import Workers

ESTIMATORS = [
    SlabClassifier,
    SlabRegressor,
    ResidualMemorizingClassifier,
    MemorizingRegressor,
]


def general(rng):
    return rng.standard_normal((700, 30))


def degenerate(rng):
    """Samples of which groups are in a subspace, as digits are."""
    X = rng.standard_normal((900, 140))
    X[rng.random(X.shape) < 0.9] = 0.0
    X[:800, 60:110] = 0.0
    return X


def many(rng):
    """Samples whose groups are neighbours along lines."""
    return rng.standard_normal((12_000, 6))


def arrays_of(estimator):
    found = [*(layer.weights for layer in estimator.network_.layers)]
    found += [layer.biases for layer in estimator.network_.layers]
    found += list(getattr(estimator, "groups_", []))
    return [one if isinstance(one, np.ndarray) else one.toarray() for one in found]


def assert_equal_fits(one, other, X):
    for first, second in zip(arrays_of(one), arrays_of(other), strict=True):
        np.testing.assert_array_equal(first, second)
    beside = X + 0.01
    np.testing.assert_array_equal(one.predict(beside), other.predict(beside))


@pytest.mark.parametrize("make", [general, degenerate])
@pytest.mark.parametrize("kind", ESTIMATORS)
def test_threads_change_nothing(kind, make):
    rng = np.random.default_rng(0)
    X = make(rng)
    y = rng.integers(3, size=len(X))
    alone = kind(random_state=0).fit(X, y)
    for n_jobs in (2, 3):
        together = kind(random_state=0, n_jobs=n_jobs).fit(X, y)
        assert_equal_fits(alone, together, X)


@pytest.mark.parametrize("kind", [SlabClassifier, SlabRegressor])
def test_threads_change_nothing_along_lines(kind):
    rng = np.random.default_rng(0)
    X = many(rng)
    y = rng.integers(3, size=len(X))
    alone = kind(random_state=0).fit(X, y)
    assert_equal_fits(alone, kind(random_state=0, n_jobs=3).fit(X, y), X[:500])


@pytest.mark.parametrize("n_threads", [1, 2, 4])
def test_groups_are_what_is_asked_for_whatever_was_worked_on_ahead(n_threads):
    rng = np.random.default_rng(n_threads)
    left = rng.permutation(1000)
    with Workers(n_threads) as workers:
        groups = GroupsAhead(np.copy, left, 64, workers)
        start, size = 0, 64
        while start < len(left):
            group = groups.at(start, size)
            np.testing.assert_array_equal(group, left[start : start + size])
            if size > 1 and rng.random() < 0.4:
                size = smaller(len(group))
            else:
                start, size = start + size, 64
