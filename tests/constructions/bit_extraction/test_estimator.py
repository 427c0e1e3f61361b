"""Bit extraction: refusals, parameters, progress."""

import sys
import warnings

import numpy as np
import pytest
from scipy import sparse
from support.samples import random_labels

from sklearn_memorize import BitExtractionClassifier
from sklearn_memorize.exceptions import InterpolationError


def fitted(*data, **options):
    return BitExtractionClassifier(random_state=0, **options).fit(*data)


def test_neighbouring_floating_point_numbers_are_told_apart():
    X, y = random_labels(60, 3, 4)
    X = np.concatenate([X, np.nextafter(X, np.inf), np.nextafter(X, -np.inf)])
    y = np.concatenate([y, (y + 1) % 4, (y + 2) % 4])
    classifier = fitted(X, y)
    assert (classifier.predict(X) == y).all()


def test_too_many_bits_are_refused_with_the_estimate():
    X, y = random_labels(1000, 10)
    needed = fitted(X, y).network_.bits_per_weight
    assert fitted(X, y, max_bits=needed).interpolates_
    with pytest.raises(
        InterpolationError, match=rf"up to {needed} bits .* Increase max_bits"
    ):
        fitted(X, y, max_bits=needed - 1)
    classifier = BitExtractionClassifier(max_bits=10)
    before = dict(vars(classifier))
    with pytest.raises(InterpolationError, match=r"about [\d,]+ parameters .* layers"):
        classifier.fit(X, y)
    assert vars(classifier) == before


def test_bits_of_the_first_layer_count():
    X, y = random_labels(100, 10)
    with pytest.raises(InterpolationError, match=r"up to [67]\d\d bits"):
        fitted(X * 2.0**600, y, max_bits=500)


def test_rows_that_no_direction_tells_apart_are_refused(monkeypatch):
    module = sys.modules["sklearn_memorize.constructions.bit_extraction._line"]
    monkeypatch.setattr(
        module, "draw_directions", lambda X, rng, n, step: np.eye(1, X.shape[1])
    )
    with pytest.raises(InterpolationError, match="Increase n_projections"):
        fitted([[0.0, 1.0], [0.0, 2.0]], [0, 1])


def test_a_finer_grid_of_directions_is_tried_where_the_first_one_fails():
    # Steps of 2**20 on one axis are undone by one step of the direction on the other.
    X = np.array([[i * 2.0**20, j] for i in range(24) for j in range(24)])
    X[:, 1] = np.tile(np.arange(24) * 1.0, 24)
    y = np.arange(len(X)) % 3
    assert fitted(X, y).interpolates_


def test_more_projections_take_fewer_bits():
    X, y = random_labels(1000, 10)
    bits = [fitted(X, y, n_projections=n).network_.bits_per_weight for n in (1, 100)]
    assert bits[1] < bits[0]


@pytest.mark.parametrize("n_classes", [1, 2, 3])
def test_a_progress_bar_changes_nothing(n_classes, capsys):
    pytest.importorskip("rich")
    X, y = random_labels(1200, 3, n_classes)
    classifier = fitted(X, y, verbose=True)
    silent = fitted(X, y)
    assert "predicting" not in capsys.readouterr().out
    for rows in (X, sparse.csr_array(X), X[:1]):
        assert (classifier.predict(rows) == silent.predict(rows)).all()
        assert "100%" in capsys.readouterr().out
        expected = silent.decision_function(rows)
        assert (classifier.decision_function(rows) == expected).all()


def test_a_progress_bar_without_rich_is_an_error(monkeypatch):
    monkeypatch.setitem(sys.modules, "rich.progress", None)
    X, y = random_labels(30, 10)
    classifier = fitted(X, y, verbose=True)
    with pytest.raises(ImportError, match="pip install rich"):
        classifier.predict(X)


def test_scores_say_what_predict_says_and_other_samples_are_of_the_first_class():
    for n_classes in (2, 5):
        X, y = random_labels(200, 3, n_classes)
        names = np.array(list("abcde"))
        classifier = fitted(X, names[y])
        scores = classifier.decision_function(X)
        numbers = scores > 0 if n_classes == 2 else scores.argmax(axis=1)
        assert (names[numbers.astype(int)] == names[y]).all()
        unseen = np.random.default_rng(1).standard_normal((500, 3))
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            assert np.mean(classifier.predict(unseen) == "a") > 0.9


@pytest.mark.parametrize(
    "option", [{"max_bits": 0}, {"n_projections": 0}, {"verbose": "yes"}]
)
def test_bad_parameters_are_named(option):
    with pytest.raises(ValueError, match=next(iter(option))):
        fitted(*random_labels(30, 10), **option)
