"""The closed form says what the layers do, everywhere; sizes are those written out."""

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.networks import textbook
from support.samples import random_labels

from sklearn_memorize import NarrowClassifier
from sklearn_memorize.constructions.bit_extraction._layers import written_digits
from sklearn_memorize.constructions.bit_extraction._network import Line
from sklearn_memorize.constructions.narrow._network import NarrowNetwork, Pieces


def rounded_up(outputs):
    return [float(Fraction(math.ceil(output * 2**32), 2**32)) for output in outputs]


def network_of(knees, slopes, n_bits, n_classes, n_folds):
    """Return a network of these pieces, on positions z = x."""
    pieces = Pieces(np.array([0, *knees]), np.array(slopes, dtype=object), n_bits)
    return NarrowNetwork(Line(np.ones(1), 1, 0, 0), pieces, n_classes, n_folds)


@given(
    steps=st.lists(st.integers(1, 9), max_size=6),
    n_bits=st.integers(0, 4),
    n_classes=st.integers(1, 5),
    n_folds=st.integers(1, 5),
    seed=st.integers(0, 1000),
)
def test_any_pieces_are_evaluated_as_their_layers_say(
    steps, n_bits, n_classes, n_folds, seed
):
    rng = np.random.default_rng(seed)
    knees = np.cumsum(steps).astype(int).tolist()
    slopes = [*rng.integers(0, 3 << n_bits, len(knees)).tolist(), 0]
    top = sum(step * slope for step, slope in zip(steps, slopes, strict=False))
    while n_classes << (n_folds + n_bits) < top:
        n_folds += 1
    network = network_of(knees, slopes, n_bits, n_classes, n_folds)
    X = np.arange(-8, 4 * (sum(steps) + 20))[:, np.newaxis] / 4
    outputs = textbook(network, X)[:, 0]
    assert network.forward(X)[:, 0].tolist() == rounded_up(outputs)
    assert all(0 <= output <= n_classes for output in outputs)
    shape, layers = network.shape, network.layers
    assert network.depth == shape.depth == len(layers)
    assert network.widths == tuple(layer.n_neurons for layer in layers)
    assert network.n_neurons == shape.n_neurons == sum(network.widths)
    assert network.n_parameters <= shape.n_parameters(1)  # some slopes are equal
    assert max(network.widths) <= 2


@pytest.mark.parametrize("n_classes, n_samples", [(2, 40), (3, 60), (7, 120)])
def test_textbook_evaluation_of_the_layers_gives_the_same_outputs(n_classes, n_samples):
    X, y = random_labels(n_samples, 3, n_classes)
    classifier = NarrowClassifier(random_state=0).fit(X, y)
    network = classifier.network_
    unseen = np.random.default_rng(1).standard_normal((25, 3)) * 2
    assert network.n_inputs == len(network.direction) == 3
    for rows in (X, unseen):
        outputs = textbook(network, rows)[:, 0]
        assert network.forward(rows)[:, 0].tolist() == rounded_up(outputs)
        numbers = [min(max(math.ceil(o) - 1, 0), n_classes - 1) for o in outputs]
        assert classifier.predict(rows).tolist() == numbers
    assert network.n_parameters == network.shape.n_parameters(3)
    numbers = [number for layer in network.layers for number in layer.numbers()]
    longest = max(map(written_digits, numbers))
    assert network.bits_per_weight == longest
    assert 1 <= network.bits_per_parameter <= longest


@pytest.mark.parametrize("exponent", [1, 62, 200, 900])
def test_positions_of_any_length_are_evaluated_exactly(exponent):
    X = np.append(np.arange(6.0), 2.0**exponent)[:, np.newaxis]
    y = np.array([0, 1, 2, 0, 2, 1, 2])
    network = NarrowClassifier(random_state=0).fit(X, y).network_
    # Knees that 64 bits do not hold are Python integers.
    assert network.pieces.knees.dtype == (object if exponent > 1 else np.int64)
    rows = np.vstack([X, X / 3, X * 1.5, -X])
    assert network.forward(rows)[:, 0].tolist() == rounded_up(
        textbook(network, rows)[:, 0]
    )


def test_no_floating_point_number_is_in_the_network():
    network = NarrowClassifier(random_state=0).fit(*random_labels(100, 5, 4)).network_
    for layer in network.layers:
        for number in (*layer.weights.flat, *layer.biases.flat):
            assert type(number) in (int, Fraction)


def test_it_is_not_exported():
    network = NarrowClassifier(random_state=0).fit(*random_labels(50, 3, 3)).network_
    with pytest.raises(TypeError, match="cannot be exported"):
        _ = network._stages


def test_the_network_cannot_be_changed():
    network = NarrowClassifier(random_state=0).fit(*random_labels(50, 3, 3)).network_
    for array in (network.pieces.knees, network.pieces.slopes):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 0
