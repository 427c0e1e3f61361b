"""Deep threshold networks (Rajput, Sreenivasan, Papailiopoulos and Karbasi, 2021).

Three stages, all of threshold units: random hyperplanes give each point a code,
parities compress the code to a word of about 2 log2(N) bits, and a table of two-sided
comparisons, sqrt(N) on each side, looks the word's label up. Only the hyperplanes have
real weights; all weights past the first layer are integers.
"""

from __future__ import annotations

import numpy as np

from ...kernels._memory import blocks_of_rows
from ...network import LayeredNetwork
from ..random_hyperplanes._hyperplane_layer import HyperplaneLayer
from ._gates import decoding_layer, lookup_table, parity_layers, table_layers
from ._network import DeepThresholdNetwork

# The word s is read as an integer; s and 2**r are exact in double precision.
MAX_WORD_BITS = 52
# How many random linear codes are tried for one word length.
_N_DRAWS = 8
# Each bit of the code enters this many parities, so that the XOR gates number O(m).
_N_PARITIES_OF_A_BIT = 3
# Hyperplanes are drawn in blocks that double up to this size.
_LARGEST_BLOCK = 4096
# Bits that are unpacked at a time.
_BLOCK_BITS = 1 << 24


# Stage 1: the Gaussian layer.


def _side_by_side(layers) -> HyperplaneLayer:
    return HyperplaneLayer(
        np.concatenate([layer.directions for layer in layers]),
        np.concatenate([layer.scaled_biases for layer in layers]),
        layers[0].exponent,
        layers[0].shift,
    )


def _refined(groups, labels, bits):
    """Split groups of samples by one bit.

    Returns the new groups, and which samples share theirs with another label.
    """
    _, first, groups = np.unique(
        2 * groups + bits, return_index=True, return_inverse=True
    )
    differs = labels != labels[first][groups]
    mixed = np.bincount(groups, weights=differs) > 0
    return groups, mixed[groups]


def _splitting(groups, bits) -> np.ndarray:
    """Return which of the bits, (n_samples, n_bits), split some group of samples."""
    _, first, numbers = np.unique(groups, return_index=True, return_inverse=True)
    return np.flatnonzero((bits != bits[first[numbers]]).any(axis=0))


def separating_hyperplanes(
    X, labels, draw, min_hyperplanes, max_hyperplanes, patience=None
):
    """Draw hyperplanes until distinct points of different labels differ in some sign.

    `draw(n)` returns a new layer of n hyperplanes. Returns the shortest sequence of
    draws that separates, and the positions of points that share their code with a point
    of another label: none, unless `max_hyperplanes` was reached, or `patience`
    hyperplanes in a row did not split anything any more. The layer is None then. A draw
    may hold fewer hyperplanes than it was asked for, where some are of no use.
    """
    layers, n_drawn, block = [], 0, 64
    last_split = 0
    remaining = np.arange(X.shape[0])
    groups = np.zeros(X.shape[0], dtype=np.int64)
    while len(remaining) and n_drawn < max_hyperplanes:
        block = min(block, max_hyperplanes - n_drawn)
        layers.append(draw(block))
        bits = layers[-1].signs(X[remaining])
        splitting = _splitting(groups, bits)
        last_split = n_drawn + block if len(splitting) else last_split
        if n_drawn == 0:  # who is of one label from the start is left out
            splitting = np.union1d(splitting, [0])
        for used in splitting + 1:
            groups, mixed = _refined(groups, labels[remaining], bits[:, used - 1])
            groups, bits, remaining = groups[mixed], bits[mixed], remaining[mixed]
            if len(remaining) == 0:
                layers[-1] = layers[-1].subset(np.arange(used))
                break
        n_drawn += block
        if patience is not None and n_drawn >= last_split + patience:
            break
        block = min(2 * block, _LARGEST_BLOCK)
    if len(remaining):
        return None, remaining
    n_missing = min_hyperplanes - sum(layer.n_hyperplanes for layer in layers)
    if n_missing > 0:
        layers.append(draw(n_missing))
    return _side_by_side(layers), remaining


# Stage 2: compression by a random linear code over GF(2).


def majority_labels(groups, labels, n_groups):
    """Return the most frequent label of each group (the smallest of equals).

    Each sample has a group number and a label; no group is empty.
    """
    pairs, counts = np.unique(
        np.column_stack([groups, labels]), axis=0, return_counts=True
    )
    # Per group, most frequent first; the sort is stable and labels increase.
    pairs = pairs[np.lexsort((-counts, pairs[:, 0]))]
    return pairs[np.searchsorted(pairs[:, 0], np.arange(n_groups)), 1]


def distinct_codes(layer, X, labels):
    """Return the distinct codes of the points, and one label for each.

    Codes are packed as by `numpy.packbits`, of shape (n_codes, ceil(n_neurons / 8)).
    Where points share a code, their most frequent label counts.
    """
    packed = [
        np.packbits(layer.signs(X[block]), axis=1)
        for block in blocks_of_rows(X.shape[0], layer.n_hyperplanes, _BLOCK_BITS)
    ]
    codes = np.concatenate(packed)
    codes, groups = np.unique(codes, axis=0, return_inverse=True)
    return codes, majority_labels(groups.ravel(), labels, len(codes))


def word_length(n_codes) -> int:
    """Return r = ceil(2 log2 N) + 1, at which a random linear code should do.

    Two different codes collide with probability 2**-r, so that N**2 / 2 pairs are
    expected to have 1/4 of a collision.

    >>> from sklearn_memorize.constructions.deep_threshold._construction import (
    ...     word_length,
    ... )
    >>> word_length(1000)
    21
    """
    return min(MAX_WORD_BITS, int(np.ceil(2 * np.log2(max(2, n_codes)))) + 1)


def _draw_parities(n_code_bits, n_word_bits, rng):
    """Draw the 0/1 matrix of shape (n_code_bits, n_word_bits) of a linear code.

    Each bit of the code enters three parities (the usual random code has r/2): an odd
    number, so that a single differing bit always shows.
    """
    n_ones = min(_N_PARITIES_OF_A_BIT, (n_word_bits + 1) // 2)
    ranks = np.argsort(rng.random((n_code_bits, n_word_bits)), axis=1)
    return (ranks < n_ones).astype(np.float32)


def _words(codes, parities):
    """Return the integer s = sum_b 2^b parity_b of each code."""
    n_code_bits, n_word_bits = parities.shape
    place = np.int64(1) << np.arange(n_word_bits, dtype=np.int64)
    words = np.empty(len(codes), dtype=np.int64)
    for block in blocks_of_rows(len(codes), n_code_bits, _BLOCK_BITS):
        bits = np.unpackbits(codes[block], axis=1, count=n_code_bits)
        # Counts up to 2**24 are exact in float32.
        counts = (bits.astype(np.float32) @ parities).astype(np.int64)
        words[block] = (counts & 1) @ place
    return words


def _collide(words, labels) -> bool:
    """Return whether one word carries two labels."""
    order = np.argsort(words, kind="stable")
    same_word = words[order][1:] == words[order][:-1]
    return bool((same_word & (labels[order][1:] != labels[order][:-1])).any())


def compress_codes(codes, labels, n_code_bits, n_word_bits, rng):
    """Find parities of the code bits that keep codes of different labels apart.

    The codes are distinct and packed. With `n_word_bits` None, the word gets as many
    bits as it takes, from `word_length` on.

    Returns which bit enters which parity, 0 or 1, of shape (n_code_bits, n_word_bits)
    (the identity matrix if the code is no longer than the word); the words, integers
    below 2**n_word_bits; and whether codes of different labels have different words.
    """
    shortest = n_word_bits or word_length(len(codes))
    longest = n_word_bits or MAX_WORD_BITS
    if n_code_bits <= shortest:
        parities = np.eye(n_code_bits, dtype=np.float32)
        return parities, _words(codes, parities), True
    for length in range(shortest, longest + 1):
        for _ in range(_N_DRAWS):
            parities = _draw_parities(n_code_bits, length, rng)
            words = _words(codes, parities)
            if not _collide(words, labels):
                return parities, words, True
    return parities, words, False


# Stage 3: the table lookup. All that follows the signs is one integer network.


def deep_threshold_network(hyperplanes, parities, words, labels, n_classes):
    """Put the three stages together.

    The first layer has m hyperplanes. The parities, of shape (m, r), say which bit of
    the code enters which bit of the word. Each word is looked up with its label, a
    class number; where words are equal, with their most frequent one.

    The output is the class number for two classes, else one score for each class,
    largest (and 0) for the class that was looked up.
    """
    n_outputs = int(n_classes - 1).bit_length()
    layers, wires = parity_layers(parities)
    n_inputs = layers[-1].n_neurons if layers else hyperplanes.n_hyperplanes
    words, groups = np.unique(words, return_inverse=True)
    labels = majority_labels(groups, labels, len(words))
    table = lookup_table(words, labels, parities.shape[1], n_outputs)
    layers += table_layers(table, wires, n_inputs)
    if n_classes > 2:
        layers.append(decoding_layer(n_classes, n_outputs))
    network = DeepThresholdNetwork(hyperplanes, LayeredNetwork(layers))
    n_neurons = neuron_bound(*parities.shape, len(words), n_classes)
    assert network.n_neurons <= n_neurons, (network.widths, n_neurons)
    return network


def neuron_bound(n_hyperplanes, n_word_bits, n_samples, n_classes) -> int:
    """Return how many neurons a network of m hyperplanes and words of r bits may have.

    m is O(log(N) / delta) and r is O(log N); the bound is O(m + sqrt(N)) for N samples
    of a fixed number of classes, if r log m < m.

    >>> from sklearn_memorize.constructions.deep_threshold._construction import (
    ...     neuron_bound,
    ... )
    >>> neuron_bound(64, 21, 1000, 2)
    726
    """
    n_outputs = int(n_classes - 1).bit_length()
    # Three trees per bit, two units per XOR, one identity unit per tree and level.
    depth = int(n_hyperplanes - 1).bit_length()
    n_gates = 2 * _N_PARITIES_OF_A_BIT * n_hyperplanes + n_word_bits * depth
    if n_hyperplanes <= n_word_bits:
        n_gates = 0
    # 2 K_A + (1 + o) K_B units at K_A K_B = N, with both rounded up.
    n_lookup = 2 * np.sqrt(2 * (1 + n_outputs) * n_samples) + 3 + n_outputs
    n_rest = n_word_bits + n_outputs + (n_classes if n_classes > 2 else 0)
    return n_hyperplanes + n_gates + int(n_lookup) + n_rest
