"""Votes, margins and scores."""

import warnings

import numpy as np
import pytest
from scipy import sparse
from sklearn.datasets import (
    make_moons,
)
from support.samples import DATA

from sklearn_memorize import MemorizingClassifier
from sklearn_memorize.exceptions import (
    InterpolationWarning,
)


def test_scores_agree_with_predictions():
    X, y = DATA["digits"]
    for options in ({}, {"decision": "network"}, {"n_draws": 2, "keep": "all"}):
        clf = MemorizingClassifier(
            hyperplanes="random", random_state=0, n_hyperplanes=600, **options
        )
        clf.fit(X[::3], y[::3])
        scores = clf.decision_function(X)
        assert scores.shape == (len(X), 10)
        assert (clf.classes_[scores.argmax(axis=1)] == clf.predict(X)).all()


@pytest.mark.parametrize("one_sided", [False, True])
@pytest.mark.parametrize("decision", ["vote", "network"])
@pytest.mark.parametrize("activation", ["threshold", "relu"])
def test_two_classes_have_one_score(one_sided, decision, activation):
    X, y = make_moons(1000, noise=0.05, random_state=0)
    labels = np.array(["left", "right"])[y]
    clf = MemorizingClassifier(
        hyperplanes="random",
        one_sided=one_sided,
        decision=decision,
        activation=activation,
        random_state=0,
    ).fit(X[::2], labels[::2])
    scores = clf.decision_function(X)
    assert scores.shape == (1000,)
    assert (np.where(scores > 0, "right", "left") == clf.predict(X)).all()
    assert clf.score(X[::2], labels[::2]) == 1.0
    assert (clf.second_layer_widths_ > 0).tolist() == [not one_sided, True]


FEW_ROWS_OPTIONS = (
    {"hyperplanes": "random", "min_hyperplanes": 40},
    {"hyperplanes": "random", "n_hyperplanes": 100, "n_votes": 20},
    {"hyperplanes": "adapted", "min_hyperplanes": 20},
    {"hyperplanes": "adapted", "n_hyperplanes": 200},
)


@pytest.mark.parametrize("n_draws", [1, 3])
def test_the_vote_follows_the_network_where_one_class_fires_alone(n_draws):
    X, y = DATA["digits"]
    clf = MemorizingClassifier(
        hyperplanes="random", random_state=0, n_hyperplanes=700, n_draws=n_draws
    ).fit(X[::2], y[::2])
    network = clf.network_
    fires = np.stack(
        [c.fires(c.hyperplanes.encode(X, c.activation)) for c in network.coverings]
    )
    alone = (fires.any(axis=0).sum(axis=1) == 1) & fires.all(axis=0).any(axis=1)
    assert network.quorum == n_draws
    assert alone[::2].all()
    assert 0 < alone[1::2].mean() < 1
    expected = np.where(
        alone,
        fires.any(axis=0).argmax(axis=1),
        network.margins(X, clf.n_votes_).argmax(axis=1),
    )
    assert (clf.predict(X) == expected).all()


def test_draws_that_miss_samples_are_believed_one_by_one():
    X, y = DATA["random labels"]
    options = {"n_hyperplanes": 60, "n_draws": 4, "random_state": 0}
    options |= {"hyperplanes": "random", "n_votes": 3}
    with pytest.warns(InterpolationWarning):
        best = MemorizingClassifier(keep="best", **options).fit(X, y)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", InterpolationWarning)
        every = MemorizingClassifier(**options).fit(X, y)
    assert every.network_.quorum == 1
    fires = every.network_.fires(X)
    alone = fires.sum(axis=1) == 1
    assert (every.predict(X)[alone] == fires.argmax(axis=1)[alone]).all()
    assert every.score(X, y) > best.score(X, y)


def test_margins_are_the_formula():
    X, y = DATA["wine"]
    clf = MemorizingClassifier(hyperplanes="random", n_draws=1, random_state=0).fit(
        X[::2], y[::2]
    )
    first, second, third = clf.network_.layers
    potential = first.forward(X) @ second.weights.T + second.biases
    expected = np.stack(
        [
            np.sort(potential[:, weights > 0], axis=1)[:, -5:].mean(axis=1)
            for weights in third.weights.toarray()
        ],
        axis=1,
    )
    margins = clf.network_.margins(X, n_votes=5)
    np.testing.assert_allclose(margins * clf.n_hyperplanes_, expected, rtol=1e-12)


@pytest.mark.parametrize("options", FEW_ROWS_OPTIONS, ids=str)
def test_few_rows_get_the_margins_that_they_have_among_many(options):
    X, y = DATA["digits"]
    rng = np.random.default_rng(0)
    noisy = np.where(rng.random(len(y)) < 0.3, rng.permutation(y), y)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", InterpolationWarning)
        clf = MemorizingClassifier(random_state=0, **options).fit(X[::2], noisy[::2])
    assert clf.network_._joined is not None, clf.network_
    n_separating = {len(c.hyperplanes.axis) for c in clf.network_.coverings}
    assert (n_separating != {0}) == ("n_hyperplanes" not in options)
    many = clf.decision_function(X), clf.predict(X)
    for n_rows in (1, 3, 8, 30):
        for start in range(0, 400, 40):
            rows = slice(start, start + n_rows)
            assert (clf.decision_function(X[rows]) == many[0][rows]).all()
            assert (clf.predict(X[rows]) == many[1][rows]).all()
    thin = sparse.csr_array(X[:3])
    assert (clf.decision_function(thin) == many[0][:3]).all()
