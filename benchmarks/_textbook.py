"""The baseline: the construction as it stands in the paper, written plainly in NumPy.

S. Dirksen, P. Finke, M. Genzel, "Memorization with neural nets: going beyond the worst
case", JMLR 25(347), 2024, Algorithm 2. The activations of all samples are kept as one
float32 array, each neuron of the second layer takes one matrix-vector product, and the
classes come one after the other, each against the rest. Prediction is the forward pass
of the dense network, a few rows at a time.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

__all__ = ["TextbookNetwork", "first_layer", "fit_textbook"]

_ROWS_AT_ONCE = 1000


def first_layer(X, weights, biases):
    """Return 1[W x + b > 0] in float32, with no second array of that size."""
    activations = X @ weights.T
    activations += biases
    return np.greater(activations, 0, out=activations)


def fit_textbook(X, y, weights, biases, orders, limit=None):
    """Cover the classes by neurons, given the first layer (float32).

    `orders` holds, for each class in turn, its number and the order in which its
    samples are drawn. With a `limit` each class stops after as many neurons.
    """
    activations = first_layer(X, weights, biases)
    masks, bounds, starts = [], [], [0]
    for number, order in orders:
        others = np.flatnonzero(y != number)
        left = y == number
        for center in order:
            if not left[center]:
                continue
            mask = activations[center] <= 0
            counts = activations @ mask.astype(np.float32)
            bound = counts[others].min()
            left[center] = False
            if bound > 0:
                left &= counts >= bound
                masks.append(mask)
                bounds.append(bound)
            if not left.any() or len(masks) - starts[-1] == limit:
                break
        starts.append(len(masks))
    return TextbookNetwork(
        weights,
        biases,
        np.array(masks, dtype=np.float32),
        np.array(bounds, dtype=np.float32),
        np.array(starts),
    )


@dataclass(frozen=True)
class TextbookNetwork:
    """The dense network; class c has the neurons `starts[c]` .. `starts[c + 1] - 1`."""

    weights: np.ndarray
    biases: np.ndarray
    masks: np.ndarray
    bounds: np.ndarray
    starts: np.ndarray

    @property
    def n_neurons(self):
        return len(self.bounds)

    def predict(self, X, rule, n_votes, one_by_one=False):
        """Return the number of the class of each row.

        "network": the first class that has a firing neuron. "vote": the class that
        fires alone; else the one with the largest mean of `n_votes` margins.
        """
        numbers = np.empty(len(X), dtype=np.intp)
        for start in range(0, len(X), len(X) if one_by_one else _ROWS_AT_ONCE):
            rows = slice(start, start + (len(X) if one_by_one else _ROWS_AT_ONCE))
            margins = self._margins(X[rows], one_by_one)
            numbers[rows] = self._decide(margins, rule, n_votes)
        return numbers

    def _margins(self, X, one_by_one):
        activations = first_layer(X, self.weights, self.biases)
        if one_by_one:
            counts = np.empty((len(X), self.n_neurons), dtype=np.float32, order="F")
            for neuron, mask in enumerate(self.masks):
                np.matmul(activations, mask, out=counts[:, neuron])
        else:
            counts = activations @ self.masks.T
        return np.subtract(self.bounds, counts, out=counts)

    def _decide(self, margins, rule, n_votes):
        classes = [slice(*ends) for ends in zip(self.starts, self.starts[1:])]  # noqa: B905
        fires = np.stack([(margins[:, c] > 0).any(axis=1) for c in classes], axis=1)
        numbers = fires.argmax(axis=1)
        if rule == "network":
            return numbers
        undecided = np.flatnonzero(fires.sum(axis=1) != 1)
        if len(undecided):
            open_margins = margins[undecided]
            means = [_mean_of_largest(open_margins[:, c], n_votes) for c in classes]
            numbers[undecided] = np.argmax(means, axis=0)
        return numbers


def _mean_of_largest(values, count):
    count = min(count, values.shape[1])
    if count == 0:
        return np.full(len(values), -np.inf, dtype=np.float32)
    largest = np.partition(values, values.shape[1] - count, axis=1)[:, -count:]
    return largest.mean(axis=1)
