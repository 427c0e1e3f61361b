"""The classifier of width 2: close samples, parameters."""

import sys

import numpy as np
import pytest
from support.samples import random_labels

from sklearn_memorize import NarrowClassifier
from sklearn_memorize.exceptions import InterpolationError


def fitted(*data, **options):
    return NarrowClassifier(random_state=0, **options).fit(*data)


def test_neighbouring_floating_point_numbers_are_told_apart():
    X, y = random_labels(60, 3, 4)
    X = np.concatenate([X, np.nextafter(X, np.inf), np.nextafter(X, -np.inf)])
    y = np.concatenate([y, (y + 1) % 4, (y + 2) % 4])
    assert (fitted(X, y).predict(X) == y).all()


def test_rows_that_no_direction_tells_apart_are_refused(monkeypatch):
    module = sys.modules["sklearn_memorize.constructions.bit_extraction._line"]
    monkeypatch.setattr(
        module, "draw_directions", lambda X, rng, n, step: np.eye(1, X.shape[1])
    )
    with pytest.raises(InterpolationError, match="Increase n_projections"):
        fitted([[0.0, 1.0], [0.0, 2.0]], [0, 1])


def test_more_projections_take_fewer_bits():
    X, y = random_labels(1000, 10)
    bits = [
        int(fitted(X, y, n_projections=n).network_.pieces.knees[-1]).bit_length()
        for n in (1, 100)
    ]
    assert bits[1] < bits[0]


def test_scores_say_what_predict_says():
    for n_classes in (2, 5):
        X, y = random_labels(200, 3, n_classes)
        names = np.array(list("abcde"))
        classifier = fitted(X, names[y])
        scores = classifier.decision_function(X)
        numbers = scores > 0 if n_classes == 2 else scores.argmax(axis=1)
        assert (names[numbers.astype(int)] == names[y]).all()


@pytest.mark.parametrize("option", [{"n_projections": 0}, {"conflicts": "some"}])
def test_bad_parameters_are_named(option):
    with pytest.raises(ValueError, match=next(iter(option))):
        fitted(*random_labels(30, 10), **option)
