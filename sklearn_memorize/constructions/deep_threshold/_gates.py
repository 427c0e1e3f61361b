"""Circuits of threshold units with integer weights: parities and a lookup table."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import sparse

from ...network import Layer

# A wire is a 0/1 value as an integer combination of the units of a layer: a list of
# (unit, coefficient). A code bit is one unit, a XOR gate the difference of two.


def _sparse_layer(rows, biases, n_inputs) -> Layer:
    """Return the layer of threshold units that read the given wires."""
    lengths = [len(row) for row in rows]
    entries = np.array([entry for row in rows for entry in row]).reshape(-1, 2)
    indptr = np.concatenate([[0], np.cumsum(lengths)])
    weights = sparse.csr_array(
        (entries[:, 1], entries[:, 0], indptr), shape=(len(rows), n_inputs)
    )
    return Layer(weights, np.array(biases, dtype=np.int64), "threshold")


def _xor_level(trees):
    """Return units that halve every tree: XOR(a, b) = [a + b >= 1] - [a + b >= 2]."""
    rows, biases, halved = [], [], []
    for wires in trees:
        outputs = []
        for a, b in zip(wires[::2], wires[1::2], strict=False):
            outputs.append([(len(rows), 1), (len(rows) + 1, -1)])
            rows += [a + b, a + b]
            biases += [0, -1]
        if len(wires) % 2:
            outputs.append([(len(rows), 1)])
            rows.append(wires[-1])
            biases.append(0)
        halved.append(outputs)
    return rows, biases, halved


def parity_layers(parities):
    """Build binary trees of XOR gates, and identity units for what must wait.

    The parities, of shape (n_code_bits, n_word_bits), say with 0 or 1 which bit enters
    which parity. Returns sparse layers with weights +-1 and biases 0 and -1, and for
    each parity the wire that it is read from; an empty one for a parity of no bits.
    """
    trees = [[[(bit, 1)] for bit in np.flatnonzero(column)] for column in parities.T]
    n_inputs, layers = len(parities), []
    while any(len(tree) > 1 for tree in trees):
        rows, biases, trees = _xor_level(trees)
        layers.append(_sparse_layer(rows, biases, n_inputs))
        n_inputs = len(rows)
    return layers, [tree[0] if tree else [] for tree in trees]


@dataclass(frozen=True)
class LookupTable:
    """Word intervals in K_A blocks of K_B positions.

    values[k, j] is t_{k,j}, the first word of the interval (2**r where there is none);
    bits[k, j, o] is y_{k,j}, the output bits of its label.
    """

    values: np.ndarray
    bits: np.ndarray


def _label_bits(labels, n_outputs):
    return (labels[:, np.newaxis] >> np.arange(n_outputs)) & 1


def lookup_table(words, labels, n_word_bits, n_outputs) -> LookupTable:
    """Sort the words; one entry for each run of words that share their label.

    Words are integers below 2**n_word_bits; equal ones have equal labels, which are
    class numbers of `n_outputs` bits.
    """
    order = np.argsort(words, kind="stable")
    words, labels = words[order], labels[order]
    starts = np.append(True, labels[1:] != labels[:-1])
    words, labels = words[starts], labels[starts]
    # Neurons number about 2 K_A + (1 + n_outputs) K_B for K_A K_B entries.
    n_positions = max(1, round(np.sqrt(2 * len(words) / (1 + n_outputs))))
    n_blocks = -(-len(words) // n_positions)
    values = np.full(n_blocks * n_positions, 1 << n_word_bits, dtype=np.int64)
    bits = np.zeros((n_blocks * n_positions, n_outputs), dtype=np.int64)
    values[: len(words)] = words
    values[0] = 0  # so that every word lies in some interval
    bits[: len(words)] = _label_bits(labels, n_outputs)
    return LookupTable(
        values.reshape(n_blocks, n_positions),
        bits.reshape(n_blocks, n_positions, n_outputs),
    )


def _wire_matrix(wires, n_inputs):
    matrix = np.zeros((len(wires), n_inputs), dtype=np.int64)
    for row, wire in zip(matrix, wires, strict=True):
        for unit, coefficient in wire:
            row[unit] = coefficient
    return matrix


def table_layers(table, wires, n_inputs):
    """Build the lookup: A (block), B (position), C (label), output bits.

    `wires` holds one wire for each bit of the word, from a layer of `n_inputs` units.
    Returns four dense layers of integer weights.
    """
    return _layers_of_table(table, _wire_matrix(wires, n_inputs))


def _layers_of_table(table, bits):
    """Return the four layers; row b of `bits` sums units to bit b of the word."""
    t, y = table.values, table.bits
    n_blocks, n_positions, n_outputs = y.shape
    n_a, n_b = n_blocks - 1, n_positions - 1
    n_bits = len(bits)
    place = np.int64(1) << np.arange(n_bits, dtype=np.int64)
    # A_k = [s - t_{k,0} + 1 > 0] for k >= 1 (A_0 is always 1); the bits of s pass.
    a_weights = np.vstack([np.tile(place @ bits, (n_a, 1)), bits])
    a_biases = np.concatenate([1 - t[1:, 0], np.zeros(n_bits, dtype=np.int64)])
    # B_j = [s - t_{0,j} - sum_k (t_{k,j} - t_{k-1,j}) A_k + 1 > 0] for j >= 1 (B_0 is
    # always 1); A passes.
    b_weights = np.block(
        [
            [-np.diff(t, axis=0).T[1:], np.tile(place, (n_b, 1))],
            [np.eye(n_a, dtype=np.int64), np.zeros((n_a, n_bits), dtype=np.int64)],
        ]
    )
    b_biases = np.concatenate([1 - t[0, 1:], np.zeros(n_a, dtype=np.int64)])
    # C_j = [(B_j - B_{j+1}) + y_{0,j} + sum_k (y_{k,j} - y_{k-1,j}) A_k - 1 > 0].
    position = np.eye(n_positions, dtype=np.int64) - np.eye(
        n_positions, k=1, dtype=np.int64
    )
    c_weights = np.vstack(
        [
            np.hstack([position[:, 1:], np.diff(y[:, :, o], axis=0).T])
            for o in range(n_outputs)
        ]
    )
    c_biases = (y[0] + position[:, :1] - 1).T.ravel()
    # Output bit o = [sum_j C_j > 0].
    output_weights = np.kron(
        np.eye(n_outputs, dtype=np.int64), np.ones(n_positions, dtype=np.int64)
    )
    return [
        Layer(a_weights, a_biases, "threshold"),
        Layer(b_weights, b_biases, "threshold"),
        Layer(c_weights, c_biases, "threshold"),
        Layer(output_weights, np.zeros(n_outputs, dtype=np.int64), "threshold"),
    ]


@dataclass(frozen=True)
class Lookup:
    """What four layers of `table_layers` compute, by binary search instead of units.

    Values in rows, and from row to row, must not fall, so that the units A and B that
    are on come before those that are off.
    """

    table: LookupTable
    bits: np.ndarray  # (n_bits, n_inputs)

    def forward(self, units) -> np.ndarray:
        """Return the output bits, (n_samples, n_outputs), of units that are 0 or 1."""
        t = self.table.values
        n_blocks, n_positions = t.shape
        sums = units @ self.bits.T.astype(np.float64)
        place = 2.0 ** np.arange(len(self.bits))
        # A_1, A_2, ... compare the sums; B_1, B_2, ... the bits that were passed on.
        block = np.searchsorted(t[1:, 0], sums @ place, side="right")
        n_below = np.searchsorted(t.ravel(), (sums > 0) @ place, side="right")
        first = block * n_positions
        position = np.clip(n_below - 1 - first, 0, n_positions - 1)
        entries = self.table.bits.reshape(n_blocks * n_positions, -1)
        return entries[first + position].astype(np.float64)


def lookup_of(layers) -> Lookup | None:
    """Return what four layers look up, if `table_layers` might have built them.

    It is read from their weights and biases. None for other layers.
    """
    if len(layers) != 4 or any(
        sparse.issparse(layer.weights) or layer.weights.dtype.kind != "i"
        for layer in layers
    ):
        return None
    a, b, c, output = layers
    n_outputs = output.n_neurons
    n_positions, rest = divmod(c.n_neurons, n_outputs)
    n_b = n_positions - 1
    n_a = b.n_neurons - n_b
    if rest or n_b < 0 or not 0 <= n_a <= a.n_neurons:
        return None
    t = np.zeros((n_a + 1, n_positions), dtype=np.int64)
    t[1:, 0] = 1 - a.biases[:n_a]
    t[0, 1:] = 1 - b.biases[:n_b]
    t[1:, 1:] = t[0, 1:] - np.cumsum(b.weights[:n_b, :n_a].T, axis=0)
    y = np.zeros((n_a + 1, n_positions, n_outputs), dtype=np.int64)
    y[0] = c.biases.reshape(n_outputs, n_positions).T + 1
    y[0, 0] -= 1
    differences = c.weights[:, n_b:].reshape(n_outputs, n_positions, n_a)
    y[1:] = y[0] + np.cumsum(differences.transpose(2, 1, 0), axis=0)
    found = Lookup(LookupTable(t, y), a.weights[n_a:])
    rebuilt = _layers_of_table(found.table, found.bits)
    known = all(map(_same_layer, layers, rebuilt)) and ((y == 0) | (y == 1)).all()
    return found if known and (np.diff(t.ravel()) >= 0).all() else None


def _same_layer(layer: Layer, other: Layer) -> bool:
    return (
        layer.activation == other.activation
        and np.array_equal(layer.weights, other.weights)
        and np.array_equal(layer.biases, other.biases)
    )


def decoding_layer(n_classes, n_outputs) -> Layer:
    """Return identity units, one a class: 0 for the class that the output bits spell.

    For others it is minus the number of bits that differ.
    """
    bits = _label_bits(np.arange(n_classes), n_outputs)
    return Layer(2 * bits - 1, -bits.sum(axis=1), "identity")
