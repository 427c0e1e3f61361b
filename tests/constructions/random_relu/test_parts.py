"""Widths are tried on parts of the samples, and change nothing for the others."""

import numpy as np
import pytest
from support.samples import random_labels

from sklearn_memorize import RandomReLUClassifier
from sklearn_memorize.constructions.random_hyperplanes._drawing import (
    HyperplaneStream,
    enclosing_ball,
)
from sklearn_memorize.constructions.random_relu import _parts
from sklearn_memorize.constructions.random_relu._construction import features_of


def labelled(n_samples=400):
    X, _ = random_labels(n_samples, 5, 2)
    return X, (X[:, :3] ** 2 - 1).argmax(axis=1)


def some_features(X, rows, width):
    ball = enclosing_ball(X, np.arange(len(X)), True)
    return features_of(HyperplaneStream(0, ball, 1.0).draw(width), X[rows])


@pytest.mark.parametrize("maximum_margin", [False, True])
def test_the_network_is_that_of_a_search_among_all_samples(monkeypatch, maximum_margin):
    X, y = labelled()
    classifier = RandomReLUClassifier(maximum_margin=maximum_margin, random_state=0)
    wanted = classifier.fit(X, y)
    outputs, width = wanted.decision_function(X), wanted.n_hyperplanes_
    tried = []
    grow = _parts.Parts.grow

    def counted(self, features, *args):
        tried.append(features.n_samples)
        return grow(self, features, *args)

    monkeypatch.setattr(_parts, "_LEAST_PART", 25)
    monkeypatch.setattr(_parts.Parts, "grow", counted)
    found = classifier.fit(X, y)
    assert set(tried) == {25, 50, 100}
    assert found.n_hyperplanes_ == width
    # As rounded as products of other columns are.
    np.testing.assert_allclose(found.decision_function(X), outputs, rtol=1e-3)


def test_parts_double_then_hold_the_hardest_samples_then_all(monkeypatch):
    monkeypatch.setattr(_parts, "_LEAST_PART", 25)
    X, _ = labelled()
    y = X[:, :3].argmax(axis=1)
    part = _parts.Parts(X, y, 3, 0)
    sizes, before = [], np.empty(0)
    while not part.is_all:
        sizes.append(len(part.rows))
        assert (np.diff(part.rows) > 0).all()
        if len(sizes) < 4:
            assert np.isin(before, part.rows).all()
        before = part.rows
        assert part.grow(some_features(X, part.rows, 45), 1000)
    assert sizes == [25, 50, 100, 100]


def test_the_hardest_samples_are_those_of_the_least_outputs(monkeypatch):
    monkeypatch.setattr(_parts, "_LEAST_PART", 25)
    X, y = labelled()
    part = _parts.Parts(X, y, 3, 0)

    class Network:
        def forward(self, X, n_threads):
            outputs = np.zeros((400, 3))
            outputs[np.arange(400), y] = 300.0 - np.arange(400)
            return outputs - 1000.0 * (np.arange(400) == 7)[:, np.newaxis]

    hardest = part._hardest(Network(), 1)
    assert hardest.tolist() == [7, *range(301, 400)]


def test_few_samples_are_no_parts():
    X, y = labelled()
    assert _parts.Parts(X, y, 3, 0).is_all
    large = np.zeros((4 * _parts._LEAST_PART, 1))
    assert not _parts.Parts(large, np.zeros(len(large)), 1, 0).is_all


def test_a_part_that_is_not_separated_stays(monkeypatch):
    monkeypatch.setattr(_parts, "_LEAST_PART", 100)
    X, y = random_labels(400, 5, 2)
    part = _parts.Parts(X, y, 1, 0)
    rows = part.rows
    assert not part.grow(some_features(X, rows, 10), 1000)
    np.testing.assert_array_equal(part.rows, rows)
