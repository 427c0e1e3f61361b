"""Gates and tables compute what they should, in layers of the promised size."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sklearn_memorize.constructions.deep_threshold._gates import (
    decoding_layer,
    lookup_of,
    lookup_table,
    parity_layers,
    table_layers,
)
from sklearn_memorize.network import Layer, LayeredNetwork


@given(seed=st.integers(0, 10**6), n_bits=st.integers(1, 40), n_words=st.integers(1, 7))
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
    assert (lookup_of(layers).forward(bits) == outputs).all()


@given(seed=st.integers(0, 10**6), n_words=st.integers(1, 40))
def test_a_table_is_looked_up_as_its_layers_do_for_any_wires(seed, n_words):
    rng = np.random.default_rng(seed)
    words = np.unique(rng.integers(1 << 6, size=n_words))
    table = lookup_table(words, rng.integers(4, size=len(words)), 6, 2)
    wires = [
        [(unit, int(rng.integers(-2, 3))) for unit in rng.permutation(9)[:2]]
        for _ in range(6)
    ]
    layers = table_layers(table, wires, 9)
    units = rng.integers(2, size=(50, 9)).astype(np.float64)
    expected = LayeredNetwork(layers).forward(units)
    assert (lookup_of(layers).forward(units) == expected).all()


def test_other_layers_are_no_table():
    table = lookup_table(np.arange(12), np.arange(12) % 4, 4, 2)
    layers = table_layers(table, [[(bit, 1)] for bit in range(4)], 4)
    assert lookup_of(layers) is not None
    assert lookup_of(layers[:3]) is None
    for number, layer in enumerate(layers):
        for name in ("weights", "biases"):
            for position in np.ndindex(getattr(layer, name).shape):
                parts = {"weights": layer.weights.copy(), "biases": layer.biases.copy()}
                parts[name][position] += 1
                changed = list(layers)
                changed[number] = Layer(**parts, activation="threshold")
                found, bits = lookup_of(changed), np.indices((2,) * 4).reshape(4, -1).T
                expected = LayeredNetwork(changed).forward(bits * 1.0)
                assert found is None or (found.forward(bits * 1.0) == expected).all()


def test_parities_of_five_bits_take_three_levels_of_gates():
    parities = np.zeros((6, 3))
    parities[:5, 0] = 1
    parities[5, 1] = 1
    layers, wires = parity_layers(parities)
    # Two gates and a bit that waits; one gate and one that waits; one gate.
    assert [layer.n_neurons for layer in layers] == [2 * 2 + 1 + 1, 2 + 1 + 1, 2 + 1]
    assert [layer.n_inputs for layer in layers] == [6, 6, 4]
    assert wires == [[(0, 1), (1, -1)], [(2, 1)], []]
    assert parity_layers(np.eye(4))[0] == []


def test_tables_have_one_entry_for_a_run_of_words_of_one_label():
    words = np.array([9, 4, 2, 7, 12, 5])
    labels = np.array([1, 3, 3, 1, 0, 1])
    table = lookup_table(words, labels, 4, 2)
    # 2..4: 3, 5..9: 1, 12: 0; round(sqrt(2 * 3 / 3)) = 1 position a block.
    assert table.values.tolist() == [[0], [5], [12]]
    assert table.bits.tolist() == [[[1, 1]], [[1, 0]], [[0, 0]]]
    table = lookup_table(np.arange(5), np.arange(5) % 2, 3, 1)
    # round(sqrt(5)) = 2 positions; what is missing has no word.
    assert table.values.tolist() == [[0, 1], [2, 3], [4, 8]]
    assert table.bits[..., 0].tolist() == [[0, 1], [0, 1], [0, 0]]


def test_a_table_has_the_widths_of_its_blocks_and_positions():
    table = lookup_table(np.arange(12), np.arange(12) % 4, 4, 2)
    n_blocks, n_positions = table.values.shape
    assert (n_blocks, n_positions) == (4, 3)
    layers = table_layers(table, [[(bit, 1)] for bit in range(4)], 4)
    widths = [layer.n_neurons for layer in layers]
    assert widths == [3 + 4, 2 + 3, 2 * 3, 2]


def test_classes_are_told_from_output_bits_by_the_number_that_differ():
    layer = decoding_layer(5, 3)
    bits = (np.arange(5)[:, np.newaxis] >> np.arange(3)) & 1
    differing = (bits[:, np.newaxis] != bits).sum(axis=2)
    assert layer.forward(bits).tolist() == (-differing).tolist()


@pytest.mark.parametrize("n_words", [1, 2, 10, 999, 20_000])
@pytest.mark.parametrize("n_outputs", [1, 4, 10])
def test_tables_have_the_best_number_of_blocks(n_words, n_outputs):
    table = lookup_table(np.arange(n_words), np.arange(n_words) % 2, 20, n_outputs)
    n_blocks, n_positions = table.values.shape
    assert n_blocks * n_positions >= n_words
    least = min(
        2 * -(-n_words // k) + (1 + n_outputs) * k for k in range(1, n_words + 1)
    )
    # One more position and one more block than the best, from rounding.
    assert 2 * n_blocks + (1 + n_outputs) * n_positions <= least + 3 + n_outputs
