"""Deep threshold networks: exact recall, integer weights, and the promised size."""

import warnings

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy import sparse
from sklearn.datasets import load_digits, load_iris, make_moons

from sklearn_memorize import DeepThresholdClassifier
from sklearn_memorize.constructions.deep_threshold._construction import (
    neuron_bound,
    word_length,
)
from sklearn_memorize.constructions.deep_threshold._gates import (
    lookup_table,
    parity_layers,
    table_layers,
)
from sklearn_memorize.exceptions import InterpolationError, InterpolationWarning
from sklearn_memorize.network import LayeredNetwork


def random_labels(n_samples=2000, n_features=20, n_classes=10, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n_samples, n_features))
    return X, rng.integers(n_classes, size=n_samples)


def textbook(network, X):
    for layer in network.layers:
        X = layer.forward(X)
    return X


@pytest.mark.parametrize("n_classes", [2, 3, 10])
def test_random_labels_are_recalled(n_classes):
    X, y = random_labels(n_classes=n_classes)
    classifier = DeepThresholdClassifier(random_state=0).fit(X, y)
    assert classifier.interpolates_
    assert (classifier.predict(X) == y).all()


@pytest.mark.parametrize(
    "X, y",
    [load_iris(return_X_y=True), load_digits(return_X_y=True), make_moons(500)],
    ids=["iris", "digits", "moons"],
)
def test_real_data_are_recalled(X, y):
    classifier = DeepThresholdClassifier(random_state=0).fit(X, y)
    from_sparse = DeepThresholdClassifier(random_state=0).fit(sparse.csr_array(X), y)
    # Identical rows of iris carry one label, so all samples are recalled.
    assert classifier.score(X, y) == from_sparse.score(sparse.csr_array(X), y) == 1.0


@settings(max_examples=40, deadline=None)
@given(
    n_samples=st.integers(1, 40),
    n_features=st.integers(1, 4),
    n_classes=st.integers(1, 6),
    exponent=st.integers(-150, 150),
    seed=st.integers(0, 1000),
)
def test_any_small_data_are_recalled_at_any_scale(
    n_samples, n_features, n_classes, exponent, seed
):
    rng = np.random.default_rng(seed)
    X = rng.integers(-8, 9, (n_samples, n_features)) * 10.0**exponent
    X, first = np.unique(X, axis=0, return_index=True)
    y = rng.integers(n_classes, size=n_samples)[first]
    classifier = DeepThresholdClassifier(random_state=seed).fit(X, y)
    assert (classifier.predict(X) == y).all()


def test_textbook_evaluation_gives_the_same_outputs():
    X, y = random_labels(500, n_classes=5)
    network = DeepThresholdClassifier(random_state=0).fit(X, y).network_
    unseen = np.random.default_rng(1).standard_normal((500, 20))
    for samples in (X, unseen):
        assert (textbook(network, samples) == network.forward(samples)).all()


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


@given(seed=st.integers(0, 10**6), n_bits=st.integers(1, 40), n_words=st.integers(1, 7))
@settings(max_examples=30, deadline=None)
def test_gates_compute_parities(seed, n_bits, n_words):
    rng = np.random.default_rng(seed)
    members = (rng.random((n_bits, n_words)) < 0.4).astype(np.float32)
    codes = rng.integers(2, size=(50, n_bits)).astype(np.float64)
    layers, wires = parity_layers(members)
    outputs = LayeredNetwork(layers).forward(codes) if layers else codes
    read = [sum((c * outputs[:, u] for u, c in wire), np.zeros(50)) for wire in wires]
    assert ((codes @ members) % 2 == np.array(read).T).all()


@given(
    seed=st.integers(0, 10**6),
    n_bits=st.integers(1, 52),
    n_entries=st.integers(1, 60),
    n_outputs=st.integers(1, 4),
)
@settings(max_examples=60, deadline=None)
def test_table_returns_the_label_of_the_last_word_not_above(
    seed, n_bits, n_entries, n_outputs
):
    rng = np.random.default_rng(seed)
    words = np.unique(rng.integers(1 << n_bits, size=n_entries))
    labels = rng.integers(1 << n_outputs, size=len(words))
    asked = np.concatenate([words, rng.integers(1 << n_bits, size=50)])
    asked = np.append(asked, [0, (1 << n_bits) - 1])
    bits = ((asked[:, np.newaxis] >> np.arange(n_bits)) & 1).astype(np.float64)
    table = lookup_table(words, labels, n_bits, n_outputs)
    layers = table_layers(table, [[(bit, 1)] for bit in range(n_bits)], n_bits)
    outputs = LayeredNetwork(layers).forward(bits)
    found = outputs.astype(np.int64) @ (1 << np.arange(n_outputs))
    position = np.maximum(np.searchsorted(words, asked, side="right") - 1, 0)
    assert (found == labels[position]).all()


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


@settings(max_examples=50, deadline=None)
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


def test_decision_function_says_what_predict_says():
    X, y = random_labels(300, n_classes=5)
    labels = np.array(list("abcde"))
    classifier = DeepThresholdClassifier(random_state=0).fit(X, labels[y])
    unseen = np.random.default_rng(1).standard_normal((300, 20))
    scores = classifier.decision_function(unseen)
    assert scores.shape == (300, 5)
    # Every word lies in an interval of the table: exactly one class scores zero.
    assert ((scores == 0).sum(axis=1) == 1).all()
    assert (classifier.predict(unseen) == labels[scores.argmax(axis=1)]).all()


def test_answers_do_not_depend_on_how_they_are_asked_for():
    X, y = random_labels(400, n_classes=3)
    X = X.astype(np.float32)
    classifier = DeepThresholdClassifier(random_state=0).fit(X, y)
    samples = np.random.default_rng(1).standard_normal((200, 20)).astype(np.float32)
    samples[0] = 0.0
    expected = classifier.predict(samples)
    shuffled = np.random.default_rng(2).permutation(200)
    assert (classifier.predict(samples.astype(np.float64)) == expected).all()
    assert (classifier.predict(np.asfortranarray(samples)) == expected).all()
    assert (classifier.predict(sparse.csr_array(samples)) == expected).all()
    assert (classifier.predict(samples[shuffled]) == expected[shuffled]).all()
    one_by_one = [classifier.predict(row[np.newaxis])[0] for row in samples]
    assert (np.array(one_by_one) == expected).all()


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


def test_same_seed_same_network():
    X, y = random_labels(200, n_classes=3)
    one, other = (DeepThresholdClassifier(random_state=7).fit(X, y) for _ in range(2))
    for mine, yours in zip(one.network_.layers, other.network_.layers, strict=True):
        assert abs(mine.weights - yours.weights).sum() == 0
        assert (mine.biases == yours.biases).all()


def test_order_and_repetition_of_samples_do_not_show():
    X, y = random_labels(200, n_classes=3)
    order = np.random.default_rng(0).integers(200, size=600)
    order = np.concatenate([np.arange(200), order])[::-1]
    plain = DeepThresholdClassifier(random_state=0).fit(X, y)
    repeated = DeepThresholdClassifier(random_state=0).fit(X[order], y[order])
    assert plain.network_.widths == repeated.network_.widths
