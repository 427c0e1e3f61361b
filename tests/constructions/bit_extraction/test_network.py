"""Exact arithmetic: what the layers say in rational numbers."""

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from support.networks import textbook
from support.samples import random_labels

from sklearn_memorize import BitExtractionClassifier
from sklearn_memorize.constructions.bit_extraction._construction import (
    build_bit_extraction_network,
)
from sklearn_memorize.constructions.bit_extraction._layers import (
    Shape,
    written_digits,
)
from sklearn_memorize.constructions.bit_extraction._network import (
    BitExtractionNetwork,
    Line,
    PackedKeys,
    rounded_up,
)
from sklearn_memorize.network import Layer


def fitted(*data, **options):
    return BitExtractionClassifier(random_state=0, **options).fit(*data)


def all_rounded_up(outputs):
    return [float(Fraction(math.ceil(output * 2**32), 2**32)) for output in outputs]


def rational_outputs(network, X):
    """Evaluate the layers in rational numbers, one after the other."""
    return textbook(network, X)[:, 0]


def at_positions(network, positions):
    """Return rows of one feature, of positions near these."""
    line = network._line
    factor = float(line.direction[0]) * line.multiplier * 2.0**line.exponent
    return ((np.asarray(positions) - float(line.shift)) / factor)[:, np.newaxis]


def test_a_single_row_is_memorized():
    X = np.ones((1, 2))
    for label in range(3):
        network = build_bit_extraction_network(
            X, np.array([label]), 3, np.random.default_rng(0)
        )
        assert label < network.forward(X)[0, 0] <= label + 1
        assert rational_outputs(network, X) == network.forward(X)[0]


@pytest.mark.parametrize("n_classes, n_samples", [(2, 40), (3, 60), (7, 120)])
def test_textbook_evaluation_of_the_layers_gives_the_same_outputs(n_classes, n_samples):
    X, y = random_labels(n_samples, 3, n_classes)
    classifier = fitted(X, y)
    network = classifier.network_
    assert network.shape.group_size > 1
    unseen = np.random.default_rng(1).standard_normal((25, 3)) * 2
    assert network.n_inputs == len(network.direction) == 3
    for rows in (X, unseen):
        outputs = rational_outputs(network, rows)
        assert network.forward(rows)[:, 0].tolist() == all_rounded_up(outputs)
        # By the labels: more than c, at most c + 1.
        numbers = [min(max(math.ceil(o) - 1, 0), n_classes - 1) for o in outputs]
        assert classifier.predict(rows).tolist() == numbers
    assert classifier.predict(X).tolist() == y.tolist()


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
    assert network.forward(rows)[:, 0].tolist() == all_rounded_up(
        rational_outputs(network, rows)
    )


@pytest.mark.parametrize(
    "evaluation", ["between two groups", "within two keys", "just before the second"]
)
def test_outputs_are_those_of_the_layers_where_there_is_no_closed_form(evaluation):
    X, y = np.arange(30.0)[:, np.newaxis], np.arange(30) % 3
    network = fitted(X, y).network_
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
    assert network.forward(rows)[:, 0].tolist() == all_rounded_up(
        rational_outputs(network, rows)
    )


def test_keys_that_fill_up_a_group_put_out_what_the_layers_say():
    X, y = np.arange(31.0)[:, np.newaxis], np.arange(31) % 3
    network = fitted(X, y).network_
    memory, longest = network._memory, network.shape.longest_difference
    n_missing = network.shape.group_size - np.diff(memory.starts)[-1]
    assert n_missing > 0
    fills = memory.keys[-1] + longest * np.arange(1, n_missing + 2)
    rows = at_positions(network, np.concatenate([fills + 0.5, fills - 0.5]))
    outputs = network.forward(rows)[:, 0]
    assert outputs.tolist() == all_rounded_up(rational_outputs(network, rows))
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


def small_network(keys, starts, n_bits, group_size, n_classes=3):
    """Return a network of given keys, on positions z = x + 1."""
    keys = np.array(keys)
    packed, borders = [], []
    for start, stop in zip(starts, starts[1:], strict=False):
        number = int(keys[start])
        for difference in np.diff(keys[start:stop]).tolist():
            number = (number << n_bits) | difference
        n_missing = group_size - (stop - start)
        packed.append(((number + 1) << (n_missing * n_bits)) - 1)
        if stop < len(keys):
            borders.append(int(keys[stop]) - 2)
    shape = Shape(
        len(packed), group_size, int(keys[-1]).bit_length(), n_bits, n_classes
    )
    memory = PackedKeys(
        keys,
        np.array(starts),
        np.array(borders, dtype=np.int64),
        np.array(packed, object),
    )
    return BitExtractionNetwork(Line(np.ones(1), 1, 0, 1), shape, memory)


@pytest.mark.parametrize("keys_as_objects", [False, True])
@pytest.mark.parametrize("first", [1, 2, 5, 6, 7])
def test_short_groups_are_evaluated_as_their_layers_say(first, keys_as_objects):
    # Three keys are missing in each group; the keys that stand for them overlap.
    keys = [first, first + 3, first + 40, first + 42]
    network = small_network(keys, [0, 2, 4], n_bits=2, group_size=5)
    if keys_as_objects:
        memory = network._memory
        many = memory.keys.astype(object), memory.starts, memory.borders.astype(object)
        network = BitExtractionNetwork(
            network._line, network.shape, PackedKeys(*many, memory.packed)
        )
    X = np.arange(-8, 4 * (first + 62))[:, np.newaxis] / 4
    outputs = np.vectorize(Fraction, otypes=[object])(X)
    for layer in network.layers:
        outputs = layer.forward(outputs)
    assert network.forward(X)[:, 0].tolist() == [float(o) for o in outputs[:, 0]]
    assert (outputs > 3).any(), "no two keys reach one position"


def test_outputs_are_rounded_up_to_multiples_of_two_to_the_minus_32():
    values = np.array([0, 1, 2**8, 2**8 + 1, 2**40 - 1], dtype=object)
    expected = [0.0, 2.0**-32, 2.0**-32, 2.0**-31, 1.0]
    assert rounded_up(values, 40).tolist() == expected
    assert rounded_up(np.array([3], dtype=object), 1).tolist() == [1.5]
    assert rounded_up(np.array([3], dtype=object), 32).tolist() == [3 * 2.0**-32]
    assert rounded_up(np.array([-3], dtype=object), 33).tolist() == [-(2.0**-32)]


@pytest.mark.parametrize("exponent, shift", [(0, 0), (3, -7), (-5, 2)])
def test_positions_on_a_line_are_those_of_its_weights(exponent, shift):
    line = Line(np.array([0.75, -2.0, 0.0]), 3, exponent, shift)
    weights = [
        Fraction(9, 4) * Fraction(2) ** exponent,
        -6 * Fraction(2) ** exponent,
        0,
    ]
    assert line.weights() == weights
    longest = max(written_digits(number) for number in (*weights, shift))
    assert line.bits_per_weight == longest
    X = np.array([[1.0, 0.25, 9.0], [-3.5, 2.0, 1.0], [0.1, -0.7, 0.0], [0, 0, 1]])
    positions, n_bits = line.positions(X)
    assert n_bits >= 0
    for row, position in zip(X.tolist(), positions, strict=True):
        exact = sum(w * Fraction(x) for w, x in zip(weights, row, strict=True)) + shift
        assert Fraction(position, 2**n_bits) == max(0, exact)
