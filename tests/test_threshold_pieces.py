"""Deep threshold networks in parts: words, gates, tables, and their sizes."""

import numpy as np
import pytest

from sklearn_memorize.constructions.deep_threshold import (
    _construction as deep_threshold,
)
from sklearn_memorize.constructions.deep_threshold._construction import (
    compress_codes,
    distinct_codes,
    majority_labels,
    neuron_bound,
    separating_hyperplanes,
    word_length,
)
from sklearn_memorize.constructions.deep_threshold._gates import (
    decoding_layer,
    lookup_table,
    parity_layers,
    table_layers,
)
from sklearn_memorize.constructions.random_hyperplanes._hyperplane_layer import (
    HyperplaneLayer,
)

# Deep threshold networks.


@pytest.mark.parametrize(
    "n_codes, n_bits",
    [(1, 3), (2, 3), (3, 5), (4, 5), (5, 6), (8, 7), (1000, 21), (2**25, 51)],
)
def test_words_have_twice_the_logarithm_and_one_bit(n_codes, n_bits):
    assert word_length(n_codes) == n_bits


def test_words_are_never_longer_than_integers_in_double_precision():
    assert word_length(2**26) == word_length(10**12) == 52


@pytest.mark.parametrize(
    "sizes, gates, lookup, rest",
    [
        # 2 * 3 * m + r * ceil(log2 m); 2 sqrt(2 (1 + o) N) + 3 + o; r + o (+ classes).
        ((64, 21, 1000, 2), 6 * 64 + 21 * 6, 126 + 4, 21 + 1),
        ((65, 21, 1000, 10), 6 * 65 + 21 * 7, 200 + 7, 21 + 4 + 10),
        ((33, 20, 1000, 4), 6 * 33 + 20 * 6, 154 + 5, 20 + 2 + 4),
        ((22, 21, 50, 3), 6 * 22 + 21 * 5, 34 + 5, 21 + 2 + 3),
        # No gates where the code is no longer than the word.
        ((21, 21, 50, 3), 0, 34 + 5, 21 + 2 + 3),
        ((1, 3, 1, 2), 0, 4 + 4, 3 + 1),
    ],
)
def test_the_bound_of_neurons_is_the_sum_of_three_stages(sizes, gates, lookup, rest):
    assert neuron_bound(*sizes) == sizes[0] + gates + lookup + rest


def hyperplanes(n, n_features=3, seed=0):
    rng = np.random.default_rng(seed)
    directions = rng.standard_normal((n, n_features)).astype(np.float32)
    return HyperplaneLayer(directions, rng.uniform(-1, 1, n), 0)


def drawing(n_features=3):
    """Return `draw`, and the sizes that it was asked for."""
    sizes = []

    def draw(n):
        sizes.append(n)
        return hyperplanes(n, n_features, seed=len(sizes))

    return draw, sizes


def separated(signs, labels):
    codes = {}
    return all(
        codes.setdefault(row.tobytes(), label) == label
        for row, label in zip(signs, labels, strict=True)
    )


@pytest.mark.parametrize("n_samples, least", [(10, 0), (60, 0), (60, 500), (1, 5)])
def test_the_fewest_hyperplanes_that_separate_are_kept(n_samples, least):
    X = np.random.default_rng(0).standard_normal((n_samples, 3)) / 20
    labels = np.arange(n_samples) % 3
    draw, sizes = drawing()
    layer, left = separating_hyperplanes(X, labels, draw, least, 10_000)
    assert len(left) == 0
    blocks = [hyperplanes(n, seed=k + 1) for k, n in enumerate(sizes)]
    signs = np.hstack([block.signs(X) for block in blocks])
    fewest = next(
        n for n in range(signs.shape[1] + 1) if separated(signs[:, :n], labels)
    )
    assert layer.n_hyperplanes == max(fewest, least)
    np.testing.assert_array_equal(layer.signs(X)[:, :fewest], signs[:, :fewest])


def test_blocks_of_hyperplanes_double_up_to_the_largest():
    X, labels = np.zeros((2, 3)), np.array([0, 1])
    draw, sizes = drawing()
    layer, left = separating_hyperplanes(X, labels, draw, 0, 64 * 127 + 4096 + 100)
    assert sizes == [64, 128, 256, 512, 1024, 2048, 4096, 4096, 100]
    assert left.tolist() == [0, 1]
    assert layer.n_hyperplanes == sum(sizes)


def test_samples_that_share_a_code_with_a_stranger_are_left_over():
    X = np.array([[0.1, 0, 0], [0.7, 0, 0], [0.1, 0, 0], [0.7, 0, 0], [9, 9, 9]])
    labels = np.array([0, 1, 2, 1, 0])
    draw, sizes = drawing()
    _, left = separating_hyperplanes(X, labels, draw, 0, 200)
    assert left.tolist() == [0, 2]
    assert sizes == [64, 128, 8]


def test_the_smallest_of_the_most_frequent_labels_wins():
    groups = np.array([2, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2])
    labels = np.array([5, 3, 3, 1, 4, 2, 2, 4, 7, 7, 5])
    assert majority_labels(groups, labels, 3).tolist() == [3, 2, 5]


@pytest.mark.parametrize("block_bits", [1, 70, 1000, 1 << 24])
def test_codes_are_told_apart_whatever_the_blocks(monkeypatch, block_bits):
    monkeypatch.setattr(deep_threshold, "_BLOCK_BITS", block_bits)
    rng = np.random.default_rng(0)
    layer, X = hyperplanes(11), rng.standard_normal((40, 3))
    labels = rng.integers(3, size=40)
    sizes, signs = [], HyperplaneLayer.signs
    monkeypatch.setattr(
        HyperplaneLayer,
        "signs",
        lambda self, rows: sizes.append(len(rows)) or signs(self, rows),
    )
    codes, majority = distinct_codes(layer, X, labels)
    assert sizes[0] == min(40, max(1, block_bits // 11))
    assert sum(sizes) == 40 and max(sizes) == sizes[0]
    expected = {}
    for row, label in zip(signs(layer, X), labels.tolist(), strict=True):
        expected.setdefault(tuple(row.tolist()), []).append(label)
    found = np.unpackbits(codes, axis=1, count=11).astype(bool).tolist()
    assert sorted(map(tuple, found)) == sorted(expected)
    for code, label in zip(found, majority.tolist(), strict=True):
        votes = np.bincount(expected[tuple(code)])
        assert label == votes.argmax()


@pytest.mark.parametrize("block_bits", [1, 70, 1 << 24])
@pytest.mark.parametrize("n_code_bits, n_word_bits", [(11, 5), (70, 52), (1, 1)])
def test_words_are_the_parities_as_binary_digits(
    monkeypatch, n_code_bits, n_word_bits, block_bits
):
    monkeypatch.setattr(deep_threshold, "_BLOCK_BITS", block_bits)
    rng = np.random.default_rng(0)
    bits = rng.integers(2, size=(20, n_code_bits))
    parities = (rng.random((n_code_bits, n_word_bits)) < 0.5).astype(np.float32)
    words = deep_threshold._words(np.packbits(bits == 1, axis=1), parities)
    expected = [
        sum(int(p) << k for k, p in enumerate(row % 2))
        for row in bits @ parities.astype(int)
    ]
    assert words.tolist() == expected


def test_words_collide_if_one_of_them_carries_two_labels():
    collide = deep_threshold._collide
    assert collide(np.array([3, 5, 3]), np.array([0, 1, 1]))
    assert not collide(np.array([3, 5, 3]), np.array([1, 0, 1]))
    assert not collide(np.array([3, 5, 4]), np.array([1, 0, 0]))
    assert not collide(np.array([3]), np.array([1]))


@pytest.mark.parametrize("n_word_bits", [5, 6, 21, 52])
def test_each_bit_enters_three_different_parities(n_word_bits):
    rng = np.random.default_rng(0)
    parities = deep_threshold._draw_parities(300, n_word_bits, rng)
    assert parities.shape == (300, n_word_bits)
    assert set(np.unique(parities)) == {0.0, 1.0}
    assert (parities.sum(axis=1) == 3).all()
    assert parities.any(axis=0).all()


@pytest.mark.parametrize("n_code_bits, is_identity", [(6, True), (7, True), (8, False)])
def test_codes_no_longer_than_the_word_are_kept(n_code_bits, is_identity):
    bits = np.random.default_rng(0).permutation(64)[:8, np.newaxis]
    bits = bits >> np.arange(n_code_bits) & 1
    codes = np.packbits(bits == 1, axis=1)
    rng = np.random.default_rng(0)
    parities, words, done = compress_codes(codes, np.arange(8), n_code_bits, None, rng)
    # ceil(2 log2 8) + 1 = 7 bits.
    assert done and len(np.unique(words)) == 8
    assert parities.shape == (n_code_bits, min(n_code_bits, 7) if is_identity else 7)
    if is_identity:
        np.testing.assert_array_equal(parities, np.eye(n_code_bits))
        assert words.tolist() == (bits @ (1 << np.arange(n_code_bits))).tolist()


@pytest.mark.parametrize("fixed, lengths", [(None, range(5, 53)), (9, [9])])
def test_longer_words_are_tried_after_some_draws(monkeypatch, fixed, lengths):
    monkeypatch.setattr(deep_threshold, "_collide", lambda *_: True)
    drawn, draw = [], deep_threshold._draw_parities
    monkeypatch.setattr(
        deep_threshold,
        "_draw_parities",
        lambda n, r, rng: drawn.append(r) or draw(n, r, rng),
    )
    codes = np.packbits(np.eye(60)[:4] == 1, axis=1)
    rng = np.random.default_rng(0)
    parities, _, done = compress_codes(codes, np.arange(4), 60, fixed, rng)
    assert not done
    assert parities.shape == (60, lengths[-1])
    assert drawn == np.repeat(lengths, deep_threshold._N_DRAWS).tolist()
    assert deep_threshold._N_DRAWS > 1


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
