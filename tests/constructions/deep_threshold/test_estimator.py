"""Deep threshold networks: integer weights, and the promised size."""

import warnings

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy import sparse
from support.samples import random_labels

from sklearn_memorize import DeepThresholdClassifier
from sklearn_memorize.constructions.deep_threshold._construction import (
    neuron_bound,
    word_length,
)
from sklearn_memorize.exceptions import InterpolationError, InterpolationWarning


def test_layers_past_the_first_are_integer_thresholds():
    X, y = random_labels(3000, n_classes=2)
    network = DeepThresholdClassifier(random_state=0).fit(X, y).network_
    for layer in network.layers[1:]:
        assert layer.weights.dtype == layer.biases.dtype == np.int64
        assert layer.activation == "threshold"
    for layer in network.layers[1:-4]:
        assert set(np.unique(layer.weights.data)) <= {-1, 1}
        assert set(np.unique(layer.biases)) <= {0, -1}
        assert np.diff(layer.weights.indptr).max() <= 4


def test_parameters_are_counted_exactly():
    X, y = random_labels(300, n_classes=4)
    network = DeepThresholdClassifier(random_state=0).fit(X, y).network_
    by_hand = 0
    for layer in network.layers:
        weights = layer.weights
        dense = weights.toarray() if sparse.issparse(weights) else weights
        by_hand += np.count_nonzero(dense) + np.count_nonzero(layer.biases)
    assert network.n_parameters == by_hand


def twins_on_the_sphere(n_samples, distance, n_features=10, seed=0):
    """Return pairs on the unit sphere, `distance` apart and of different classes."""
    rng = np.random.default_rng(seed)
    first, direction = rng.standard_normal((2, n_samples // 2, n_features))
    first /= np.linalg.norm(first, axis=1, keepdims=True)
    direction -= (direction * first).sum(axis=1, keepdims=True) * first
    direction /= np.linalg.norm(direction, axis=1, keepdims=True)
    angle = 2 * np.arcsin(distance / 2)
    second = np.cos(angle) * first + np.sin(angle) * direction
    y = rng.integers(2, size=n_samples // 2)
    return np.vstack([first, second]), np.concatenate([y, 1 - y])


# neurons <= c (log2(N) / delta + sqrt(N)) and weights <= c (d log2(N) / delta + N).
SIZE_CONSTANT = 30


@pytest.mark.parametrize("n_samples", [100, 1000, 4000])
@pytest.mark.parametrize("distance", [1.0, 0.3, 0.1, 0.03])
def test_size_obeys_the_theorem(n_samples, distance):
    X, y = twins_on_the_sphere(n_samples, distance)
    classifier = DeepThresholdClassifier(random_state=0).fit(X, y)
    network = classifier.network_
    assert classifier.interpolates_
    log_over_distance = np.log2(n_samples) / distance
    assert network.n_neurons <= SIZE_CONSTANT * (log_over_distance + n_samples**0.5)
    assert network.n_parameters <= SIZE_CONSTANT * (
        X.shape[1] * log_over_distance + n_samples
    )


@given(
    n_samples=st.integers(2, 150),
    n_hyperplanes=st.integers(1, 80),
    n_classes=st.integers(2, 9),
    seed=st.integers(0, 1000),
)
def test_number_of_neurons_is_bounded(n_samples, n_hyperplanes, n_classes, seed):
    X, y = random_labels(n_samples, 3, n_classes, seed)
    classes = np.unique(y)
    assume(len(classes) > 1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", InterpolationWarning)
        classifier = DeepThresholdClassifier(n_hyperplanes=n_hyperplanes).fit(X, y)
    sizes = (n_hyperplanes, classifier.n_word_bits_, n_samples, len(classes))
    assert classifier.network_.n_neurons <= neuron_bound(*sizes)


def test_words_have_the_length_the_theorem_gives():
    X, y = random_labels(1000, n_classes=2)
    classifier = DeepThresholdClassifier(random_state=0).fit(X, y)
    assert classifier.n_word_bits_ == word_length(1000) == 21
    assert classifier.network_.widths[0] == classifier.n_hyperplanes_


@pytest.mark.parametrize("fixed", [{"n_hyperplanes": 3}, {"n_word_bits": 4}])
def test_fixed_size_that_does_not_suffice_warns(fixed):
    X, y = random_labels(300, n_classes=2)
    with pytest.warns(InterpolationWarning, match=next(iter(fixed))):
        classifier = DeepThresholdClassifier(**fixed, random_state=0).fit(X, y)
    assert not classifier.interpolates_
    assert 0.5 < classifier.score(X, y) < 1.0


def test_fixed_size_that_suffices_is_kept():
    X, y = random_labels(300, n_classes=2)
    classifier = DeepThresholdClassifier(
        n_hyperplanes=200, n_word_bits=52, random_state=0
    ).fit(X, y)
    assert classifier.interpolates_
    assert (classifier.n_hyperplanes_, classifier.n_word_bits_) == (200, 52)


@pytest.mark.parametrize("distance", [1e-9, 1e-12, 0.0])
def test_near_duplicates_are_recalled_or_refused(distance):
    X, y = random_labels(50, n_features=5, n_classes=2)
    X[1] = X[0]
    X[1, 0] = np.nextafter(X[0, 0] + distance, np.inf)
    y[:2] = 0, 1
    with pytest.raises(InterpolationError, match=r"\[0, 1\] .* max_hyperplanes"):
        DeepThresholdClassifier(max_hyperplanes=2000, random_state=0).fit(X, y)
    # Nothing has to separate them if they are of one class.
    y[1] = 0
    assert DeepThresholdClassifier(random_state=0).fit(X, y).score(X, y) == 1.0
