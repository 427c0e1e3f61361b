"""Words, parities and their sizes."""

import numpy as np
import pytest

from sklearn_memorize.constructions.deep_threshold import (
    _construction as deep_threshold,
)
from sklearn_memorize.constructions.deep_threshold._construction import (
    _draw_parities,
    compress_codes,
    distinct_codes,
    majority_labels,
    neuron_bound,
    separating_hyperplanes,
    word_length,
)
from sklearn_memorize.constructions.random_hyperplanes._hyperplane_layer import (
    HyperplaneLayer,
)


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


def test_samples_that_share_a_code_with_a_stranger_are_left_over():
    X = np.array([[0.1, 0, 0], [0.7, 0, 0], [0.1, 0, 0], [0.7, 0, 0], [9, 9, 9]])
    labels = np.array([0, 1, 2, 1, 0])
    draw, _ = drawing()
    _, left = separating_hyperplanes(X, labels, draw, 0, 200)
    assert left.tolist() == [0, 2]


def test_the_smallest_of_the_most_frequent_labels_wins():
    groups = np.array([2, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2])
    labels = np.array([5, 3, 3, 1, 4, 2, 2, 4, 7, 7, 5])
    assert majority_labels(groups, labels, 3).tolist() == [3, 2, 5]


def test_codes_are_told_apart_and_get_the_label_of_most_of_their_samples():
    rng = np.random.default_rng(0)
    layer, X = hyperplanes(11), rng.standard_normal((40, 3))
    labels = rng.integers(3, size=40)
    codes, majority = distinct_codes(layer, X, labels)
    expected = {}
    for row, label in zip(layer.signs(X), labels.tolist(), strict=True):
        expected.setdefault(tuple(row.tolist()), []).append(label)
    found = np.unpackbits(codes, axis=1, count=11).astype(bool).tolist()
    assert sorted(map(tuple, found)) == sorted(expected)
    for code, label in zip(found, majority.tolist(), strict=True):
        votes = np.bincount(expected[tuple(code)])
        assert label == votes.argmax()


@pytest.mark.parametrize("n_code_bits, n_word_bits", [(11, 5), (70, 52), (1, 1)])
def test_words_are_the_parities_as_binary_digits(n_code_bits, n_word_bits):
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


@pytest.mark.parametrize("n_word_bits", range(2, 12))
def test_no_bits_of_a_word_are_always_equal(n_word_bits):
    parities = _draw_parities(500, n_word_bits, np.random.default_rng(0))
    assert len(np.unique(parities, axis=1).T) == n_word_bits
    assert (parities.sum(axis=1) >= 1).all()
