"""Bounds of votes: exact votes are within, and what they decide is the exact answer."""

import warnings

import numpy as np
import pytest

from sklearn_memorize import MemorizingClassifier, kernels
from sklearn_memorize.constructions.random_hyperplanes._margin_bounds import (
    OPEN,
    VoteBounds,
    bounds_of_votes,
    bounds_pay,
)
from sklearn_memorize.constructions.random_hyperplanes._network import Calibration


def classes_of_points(seed, n_samples=300, n_features=40, n_classes=4):
    rng = np.random.default_rng(seed)
    y = rng.integers(0, n_classes, n_samples)
    centers = rng.standard_normal((n_classes, n_features))
    return centers[y] + rng.standard_normal((n_samples, n_features)), y


def as_they_are(X):
    return X


def mostly_zeros(X):
    return np.where(np.abs(X) > 1.0, X, 0.0)


def far_from_the_origin(X):
    return X + 1e6


def tiny(X):
    return np.ldexp(X, -600)


def huge(X):
    return np.ldexp(X, 600)


def of_few_values(X):
    return np.round(X)


def of_different_scales(X):
    return X * 10.0 ** np.linspace(-2, 2, X.shape[1])


DATA = [
    as_they_are,
    mostly_zeros,
    far_from_the_origin,
    tiny,
    huge,
    of_few_values,
    of_different_scales,
]


def fitted(X, y, **parameters):
    options = {"activation": "relu", "random_state": 0, "n_draws": 3, **parameters}
    return MemorizingClassifier(**options).fit(X, y).network_


def new_rows(X, seed=1):
    rng = np.random.default_rng(seed)
    between = 0.5 * (X + rng.permutation(X, axis=0))
    return np.concatenate((X, between, rng.permutation(X, axis=0), 10 * X))


@pytest.mark.parametrize("backend", kernels.backends())
@pytest.mark.parametrize("data", DATA)
def test_exact_votes_are_within_the_bounds(data, backend):
    X, y = classes_of_points(0)
    X = data(X)
    network = fitted(X, y)
    rows = new_rows(X)
    with kernels.use_backend(backend), warnings.catch_warnings():
        warnings.simplefilter("error")
        found = bounds_of_votes(network.coverings, rows, 2)
        votes = network.margins(rows, 2)
        n_fires = sum(
            covering.fires(codes).astype(int)
            for covering, codes in zip(
                network.coverings, network.encode(rows), strict=True
            )
        )
    known = found.known
    assert known.mean() > 0.5
    assert (found.low <= votes)[known].all()
    assert (found.high >= votes)[known].all()
    assert (found.surely <= n_fires)[known].all()
    assert (found.possibly >= n_fires)[known].all()


@pytest.mark.parametrize("data", DATA)
@pytest.mark.parametrize("n_votes", [1, 2, 1000])
def test_most_rows_are_decided_and_none_otherwise_than_exactly(data, n_votes):
    X, y = classes_of_points(2)
    X = data(X)
    network = fitted(X, y)
    rows = new_rows(X)
    exact = network.vote(rows, n_votes).argmax(axis=1)
    found = bounds_of_votes(network.coverings, rows, n_votes).winners(
        network.quorum, network.calibration
    )
    assert (found != OPEN).mean() > 0.5
    assert ((found == exact) | (found == OPEN)).all()
    np.testing.assert_array_equal(network.predict(rows, n_votes=n_votes), exact)
    np.testing.assert_array_equal(
        network.predict(rows, n_votes=n_votes, n_threads=3), exact
    )


def test_ties_and_rows_of_which_nothing_is_known_are_left_open():
    X, y = classes_of_points(3)
    network = fitted(X, y)
    rows = np.concatenate((X[:70], np.full((1, X.shape[1]), 1e200)))
    bounds = bounds_of_votes(network.coverings, rows, 2)
    assert bounds.known[:70].all() and not bounds.known[70]
    assert bounds.winners(network.quorum, None)[70] == OPEN
    exact = network.vote(rows).argmax(axis=1)
    np.testing.assert_array_equal(network.predict(rows), exact)
    tied = VoteBounds(
        *np.zeros((2, 1, 2)), *np.zeros((2, 1, 2), dtype=int), np.array([True])
    )
    assert tied.winners(1, None).tolist() == [OPEN]


def test_bounds_are_for_many_dense_rows_of_relu_units_without_axes():
    X, y = classes_of_points(4)
    coverings = fitted(X, y).coverings
    assert bounds_pay(coverings, X)
    assert not bounds_pay(coverings, X[:63])
    threshold = fitted(X, y, activation="threshold").coverings
    assert not bounds_pay(threshold, X)
    near = np.concatenate((X, np.nextafter(X[:1], np.inf)))
    with_axes = fitted(near, np.append(y, (y[0] + 1) % 4)).coverings
    assert any(len(covering.hyperplanes.axis) for covering in with_axes)
    assert not bounds_pay(with_axes, X)


def winner(scores, n_fires, quorum):
    """The rule of the notes of `CoverNetwork`."""
    fires = np.flatnonzero(n_fires > 0)
    if len(fires) == 1 and n_fires[fires[0]] >= quorum:
        return fires[0]
    return scores.argmax()


@pytest.mark.parametrize("is_calibrated", [False, True])
def test_what_is_decided_is_so_for_all_votes_within_the_bounds(is_calibrated):
    rng = np.random.default_rng(5)
    n_rows, n_classes, quorum = 2000, 3, 2
    calibration = Calibration(2.0, np.array([0.0, 1.0, -1.0]))
    calibration = calibration if is_calibrated else None
    low = rng.integers(-3, 4, (n_rows, n_classes)).astype(float)
    high = low + rng.choice([0.0, 0.5, 1.0, 3.0], low.shape)
    surely = rng.integers(0, 4, low.shape) * rng.integers(0, 2, low.shape)
    possibly = np.minimum(surely + rng.choice([0, 0, 1], low.shape), 3)
    known = rng.random(n_rows) < 0.9
    bounds = VoteBounds(low, high, surely, possibly, known)
    found = bounds.winners(quorum, calibration)
    assert (found[~known] == OPEN).all()
    assert 0.2 < (found == OPEN).mean() < 0.8
    for row in np.flatnonzero(found != OPEN):
        for _ in range(20):
            share = rng.integers(0, 2, n_classes)
            votes = low[row] + share * (high[row] - low[row])
            scores = calibration.scores(votes) if calibration else votes
            n_fires = rng.integers(surely[row], possibly[row] + 1)
            assert winner(scores, n_fires, quorum) == found[row]
