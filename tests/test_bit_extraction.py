"""Bit extraction: exact recall, exact arithmetic, and the promised sizes."""

import math
import sys
import warnings
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy import sparse
from sklearn.datasets import load_digits, load_iris, make_moons

from sklearn_memorize import BitExtractionClassifier
from sklearn_memorize.constructions.bit_extraction._construction import (
    bit_extraction_bound,
    build_bit_extraction_network,
    predict_bit_extraction,
)
from sklearn_memorize.constructions.bit_extraction._layers import written_digits
from sklearn_memorize.exact._products import exact_products
from sklearn_memorize.exceptions import InterpolationError
from sklearn_memorize.network import Layer

fractions = np.vectorize(Fraction, otypes=[object])


def random_labels(n_samples=1000, n_features=10, n_classes=10, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n_samples, n_features))
    return X, rng.integers(n_classes, size=n_samples)


def fitted(*data, **options):
    return BitExtractionClassifier(random_state=0, **options).fit(*data)


def textbook(network, X):
    """Evaluate the layers in rational numbers, one after the other."""
    outputs = fractions(X)
    for layer in network.layers:
        outputs = layer.forward(outputs)
    return outputs[:, 0]


def rounded_up(outputs):
    return [float(Fraction(math.ceil(output * 2**32), 2**32)) for output in outputs]


def at_positions(network, positions):
    """Return rows of one feature, of positions near these."""
    line = network._line
    factor = float(line.direction[0]) * line.multiplier * 2.0**line.exponent
    return ((np.asarray(positions) - float(line.shift)) / factor)[:, np.newaxis]


# Exact recall.


@pytest.mark.parametrize("n_classes", [2, 3, 10])
def test_random_labels_are_recalled(n_classes):
    X, y = random_labels(n_classes=n_classes)
    classifier = fitted(X, y)
    assert classifier.interpolates_
    assert (classifier.predict(X) == y).all()
    assert classifier.score(X, y) == 1.0


@pytest.mark.parametrize(
    "X, y",
    [load_iris(return_X_y=True), load_digits(return_X_y=True), make_moons(500)],
    ids=["iris", "digits", "moons"],
)
def test_real_data_are_recalled(X, y):
    classifier = fitted(X, y)
    from_sparse = fitted(sparse.csr_array(X), y)
    # Identical rows of iris carry one label, so all samples are recalled.
    assert classifier.score(X, y) == from_sparse.score(sparse.csr_array(X), y) == 1.0


@settings(max_examples=60, deadline=None)
@given(
    n_samples=st.integers(1, 40),
    n_features=st.integers(1, 4),
    n_classes=st.integers(1, 40),
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
    classifier = BitExtractionClassifier(random_state=seed).fit(X, y)
    assert (classifier.predict(X) == y).all()


def test_a_single_row_is_memorized():
    X = np.ones((1, 2))
    for label in range(3):
        network = build_bit_extraction_network(
            X, np.array([label]), 3, np.random.default_rng(0)
        )
        assert label < network.forward(X)[0, 0] <= label + 1
        assert textbook(network, X) == network.forward(X)[0]


def test_neighbouring_floating_point_numbers_are_told_apart():
    X, y = random_labels(60, 3, 4)
    X = np.concatenate([X, np.nextafter(X, np.inf), np.nextafter(X, -np.inf)])
    y = np.concatenate([y, (y + 1) % 4, (y + 2) % 4])
    classifier = fitted(X, y)
    assert (classifier.predict(X) == y).all()


# Exact arithmetic.


@settings(max_examples=60, deadline=None)
@given(
    n=st.integers(1, 6),
    d=st.integers(1, 40),
    spread=st.sampled_from([0, 1, 20, 290]),
    seed=st.integers(0, 10**6),
)
def test_products_are_those_of_rational_numbers(n, d, spread, seed):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, d)) * 10.0 ** rng.integers(-spread, spread + 1, (n, d))
    X[rng.random((n, d)) < 0.2] = 0.0
    X[rng.random((n, d)) < 0.05] = np.nextafter(0.0, 1.0)
    direction = np.round(rng.standard_normal(d) * 2**20) * 2.0 ** rng.integers(-90, 90)
    expected = (fractions(X) * fractions(direction)).sum(axis=1)
    for rows in (X, sparse.csr_array(X)):
        products = exact_products(rows, direction)
        found = [value * Fraction(2) ** products.exponent for value in products.values]
        assert found == expected.tolist()


@pytest.mark.parametrize("n_classes, n_samples", [(2, 40), (3, 60), (7, 120)])
def test_textbook_evaluation_of_the_layers_gives_the_same_outputs(n_classes, n_samples):
    X, y = random_labels(n_samples, 3, n_classes)
    classifier = fitted(X, y)
    network = classifier.network_
    assert network.shape.group_size > 1
    unseen = np.random.default_rng(1).standard_normal((25, 3)) * 2
    assert network.n_inputs == len(network.direction) == 3
    for rows in (X, unseen):
        outputs = textbook(network, rows)
        assert network.forward(rows)[:, 0].tolist() == rounded_up(outputs)
        # By the labels: more than c, at most c + 1.
        numbers = [min(max(math.ceil(o) - 1, 0), n_classes - 1) for o in outputs]
        assert classifier.predict(rows).tolist() == numbers
    assert classifier.predict(X).tolist() == y.tolist()


@settings(max_examples=40, deadline=None)
@given(
    n_samples=st.integers(2, 20),
    n_classes=st.integers(2, 5),
    largest=st.sampled_from([1, 3, 8, 70]),
    seed=st.integers(0, 1000),
)
@example(n_samples=18, n_classes=2, largest=3, seed=338)  # numbers of few bits
def test_positions_between_groups_and_near_two_keys_are_evaluated_exactly(
    n_samples, n_classes, largest, seed
):
    rng = np.random.default_rng(seed)
    gaps = 2.0 ** rng.integers(0, largest, n_samples)
    X = np.cumsum(np.sort(gaps))[:, np.newaxis]
    y = np.append([0, 1], rng.integers(n_classes, size=n_samples - 2))
    network = BitExtractionClassifier(random_state=seed).fit(X, y).network_
    memory, shape = network._memory, network.shape
    ends = memory.keys[memory.starts[1:] - 1]
    # After its last key a group has what it was filled up with.
    fill = rng.integers(0, 3, len(ends)) * shape.longest_difference
    borders = rng.choice(memory.borders, 6) if len(memory.borders) else [0.0]
    around = np.concatenate(
        [rng.choice(memory.keys, 12), borders, rng.choice(ends + fill, 12), [-3.0]]
    )
    offsets = rng.choice([0, 0.25, 0.5, 1, 1.75, n_classes, n_classes + 0.5], 12)
    rows = at_positions(network, rng.choice(around.astype(float), 12) + offsets)
    assert network.forward(rows)[:, 0].tolist() == rounded_up(textbook(network, rows))


@pytest.mark.parametrize(
    "evaluation", ["between two groups", "within two keys", "just before the second"]
)
def test_the_layers_are_run_where_there_is_no_closed_form(evaluation, monkeypatch):
    X, y = np.arange(30.0)[:, np.newaxis], np.arange(30) % 3
    network = fitted(X, y).network_
    ran = []
    run = type(network)._run_layers
    monkeypatch.setattr(
        type(network),
        "_run_layers",
        lambda self, *arguments: ran.append(1) or run(self, *arguments),
    )
    network.forward(X)
    assert not ran
    memory = network._memory
    if evaluation == "between two groups":
        positions = memory.borders[:1] + 0.5
    else:
        # What the first key of two puts out reaches into the last of a group.
        last = memory.starts[1:][np.diff(memory.starts) == network.shape.group_size] - 1
        close = last[memory.keys[last] - memory.keys[last - 1] < 4]
        offset = 0.5 if evaluation == "within two keys" else -0.01
        positions = memory.keys[close[:1]] + offset
    rows = at_positions(network, positions)
    assert network.forward(rows)[:, 0].tolist() == rounded_up(textbook(network, rows))
    assert ran


def test_keys_that_fill_up_a_group_put_out_what_the_layers_say():
    X, y = np.arange(31.0)[:, np.newaxis], np.arange(31) % 3
    network = fitted(X, y).network_
    memory, longest = network._memory, network.shape.longest_difference
    n_missing = network.shape.group_size - np.diff(memory.starts)[-1]
    assert n_missing > 0
    fills = memory.keys[-1] + longest * np.arange(1, n_missing + 2)
    rows = at_positions(network, np.concatenate([fills + 0.5, fills - 0.5]))
    outputs = network.forward(rows)[:, 0]
    assert outputs.tolist() == rounded_up(textbook(network, rows))
    assert (outputs > 0).sum() == n_missing


def test_layers_refuse_floating_point_numbers():
    X, y = random_labels(50, 3, 3)
    for layer in fitted(X, y).network_.layers:
        assert isinstance(layer, Layer)
        for inputs in (np.ones((2, layer.n_inputs)), np.ones(layer.n_inputs, object)):
            inputs = inputs * 0.5
            with pytest.raises(TypeError, match="Pass Python integers or fractions"):
                layer.forward(inputs)


def test_networks_that_floating_point_numbers_cannot_hold_are_not_exported():
    network = fitted(*random_labels(50, 3, 3)).network_
    with pytest.raises(TypeError, match="cannot be exported"):
        _ = network._stages


def test_no_floating_point_number_is_in_the_network():
    X, y = random_labels(300, 5, 4)
    for layer in fitted(X, y).network_.layers:
        for number in (*layer.weights.flat, *layer.biases.flat):
            assert type(number) in (int, Fraction)
            denominator = Fraction(number).denominator
            assert denominator & (denominator - 1) == 0, "not a binary fraction"


def test_the_network_cannot_be_changed():
    X, y = random_labels(50, 3, 3)
    network = fitted(X, y).network_
    memory = network._memory
    for array in (memory.keys, memory.packed, network.layers[0].weights):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 0


def test_answers_do_not_depend_on_how_they_are_asked_for():
    X, y = random_labels(400, 20, 3)
    X = X.astype(np.float32)
    classifier = fitted(X, y)
    new = np.random.default_rng(1).standard_normal((100, 20)).astype(np.float32)
    new[0] = 0.0
    samples = np.concatenate([X[:200], new])
    expected = classifier.decision_function(samples)
    shuffled = np.random.default_rng(2).permutation(len(samples))
    for copy in (
        samples.astype(np.float64),
        np.asfortranarray(samples),
        sparse.csr_array(samples),
    ):
        assert (classifier.decision_function(copy) == expected).all()
    assert (classifier.decision_function(samples[shuffled]) == expected[shuffled]).all()
    one_by_one = [classifier.decision_function(row[np.newaxis])[0] for row in samples]
    assert (np.array(one_by_one) == expected).all()


# Sizes.


@pytest.mark.parametrize("n_classes", [2, 10])
@pytest.mark.parametrize("n_samples", [1, 2, 10, 100, 1000, 3000])
def test_sizes_are_those_of_the_formula(n_samples, n_classes):
    X, y = random_labels(n_samples, 10, n_classes)
    y[: min(n_classes, n_samples)] = np.arange(min(n_classes, n_samples))
    network = fitted(X, y).network_
    if n_samples == 1:
        return
    shape, layers = network.shape, network.layers
    assert network.depth == shape.depth == len(layers)
    assert network.widths == tuple(layer.n_neurons for layer in layers)
    assert network.n_neurons == shape.n_neurons
    first_layer = max(map(written_digits, layers[0].numbers()))
    assert network.bits_per_weight == max(shape.bits_per_weight, first_layer)
    by_hand = sum(
        np.count_nonzero(layer.weights) + np.count_nonzero(layer.biases)
        for layer in layers
    )
    assert network.n_parameters == by_hand == shape.n_parameters(10)
    assert 1 <= network.bits_per_parameter <= network.bits_per_weight


# n_parameters <= d + 5 sqrt(N) log2(N); bits <= 5 sqrt(N) log2(N), also with a better
# exponent of the logarithm: d + 14 sqrt(N log2(N)) and 5 sqrt(N log2(N)).
@pytest.mark.parametrize("n_features", [2, 10, 100])
@pytest.mark.parametrize("n_samples", [100, 300, 1000, 3000, 10_000])
def test_size_obeys_the_theorem(n_samples, n_features):
    X, y = random_labels(n_samples, n_features)
    classifier = fitted(X, y)
    network = classifier.network_
    assert classifier.interpolates_
    root, logarithm = math.sqrt(n_samples), math.log2(n_samples)
    assert network.n_parameters <= n_features + 10 * root * logarithm
    assert network.n_parameters <= n_features + 25 * math.sqrt(n_samples * logarithm)
    assert network.shape.bits_per_weight <= 2 * root * logarithm
    assert network.bits_per_weight <= 2 * root * logarithm


@settings(max_examples=60, deadline=None)
@given(
    n_samples=st.integers(2, 300),
    n_features=st.integers(1, 5),
    n_classes=st.integers(2, 12),
    spread=st.integers(0, 20),
    seed=st.integers(0, 1000),
)
def test_no_network_exceeds_the_bound(n_samples, n_features, n_classes, spread, seed):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n_samples, n_features)) * 10.0 ** rng.integers(
        -spread, spread + 1, (n_samples, 1)
    )
    y = np.append([0, 1], rng.integers(n_classes, size=n_samples - 2))
    classifier = BitExtractionClassifier(random_state=seed).fit(X, y)
    shape, n_classes = classifier.network_.shape, len(classifier.classes_)
    rho = shape.first_bits
    bound = bit_extraction_bound(n_samples, n_features, rho, n_classes)
    assert classifier.network_.n_parameters <= bound.n_parameters
    longest = 2 * math.sqrt(6 * n_samples * (10 * rho + 13))
    assert bound.n_parameters <= n_features + 20 + 10 * rho + longest


def test_it_has_fewer_parameters_than_one_hidden_layer_of_n_nodes():
    # 2 N + d parameters, after Zhang et al.
    for n_samples, smaller in ((300, False), (3000, True), (10_000, True)):
        X, y = random_labels(n_samples)
        assert (fitted(X, y).network_.n_parameters < 2 * n_samples + 10) == smaller


@pytest.mark.parametrize("cloud", ["standard_normal", "random"])
@pytest.mark.parametrize("n_classes", [2, 10])
@pytest.mark.parametrize("n_samples", [100, 300, 1000, 3000])
def test_sizes_are_predicted_without_the_data(n_samples, n_classes, cloud):
    rng = np.random.default_rng(n_samples)
    X = getattr(rng, cloud)((n_samples, 10))
    network = fitted(X, np.arange(n_samples) % n_classes).network_
    predicted = predict_bit_extraction(n_samples, 10, n_classes)
    assert network.n_parameters == pytest.approx(predicted.n_parameters, rel=0.15)
    assert network.depth == pytest.approx(predicted.depth, rel=0.35)
    assert network.bits_per_weight == pytest.approx(predicted.bits_per_weight, rel=0.35)


def test_sizes_are_predicted_up_to_a_hundred_million_samples():
    sizes = [predict_bit_extraction(10**k, 10, 10) for k in range(9)]
    for small, large in zip(sizes[2:], sizes[3:], strict=False):
        # sqrt(10) and a little
        assert 3 < large.n_parameters / small.n_parameters < 4
    assert sizes[8].n_parameters < 10**6
    assert sizes[8].bits_per_weight > 10**4


# Parameters, refusals, progress.


def test_too_many_bits_are_refused_with_the_estimate():
    X, y = random_labels(1000)
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
    X, y = random_labels(100)
    with pytest.raises(InterpolationError, match=r"up to [67]\d\d bits"):
        fitted(X * 2.0**600, y, max_bits=500)


def test_too_many_bits_are_refused_before_the_line_is_looked_for(monkeypatch):
    def fail(*arguments):
        raise AssertionError("the line was looked for")

    module = sys.modules["sklearn_memorize.constructions.bit_extraction._construction"]
    monkeypatch.setattr(module, "_best_line", fail)
    with pytest.raises(InterpolationError, match="more than max_bits=40"):
        fitted(*random_labels(), max_bits=40)


def test_rows_that_no_direction_tells_apart_are_refused(monkeypatch):
    module = sys.modules["sklearn_memorize.constructions.bit_extraction._construction"]
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
    X, y = random_labels(1000)
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
    X, y = random_labels(30)
    classifier = fitted(X, y, verbose=True)
    with pytest.raises(ImportError, match="extra 'progress'"):
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
        fitted(*random_labels(30), **option)
