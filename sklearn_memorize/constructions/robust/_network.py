"""The network of the nearest center, evaluated without its layers."""

from __future__ import annotations

from functools import cached_property
from itertools import pairwise

import numpy as np
from scipy import sparse

from ...exact._nearest import EuclideanPoints, dense_rows, nearest_points
from ...exact._pairs import METRICS
from ...network import Layer, Network
from ...network._layer import frozen
from ...network._storage import require, require_shape
from ._tournament import (
    LARGEST,
    LARGEST_OF_POSITIVE,
    SMALLEST_OF_POSITIVE,
    rounds,
    widths_of_rounds,
)

# `layers` writes out the nodes for absolute differences up to this many.
_MOST_DIFFERENCES = 1 << 24


class NearestCenterNetwork(Network):
    """Layers of ReLU nodes that find the nearest of K centers of each class.

    The centers are sorted by label, their class number, and there are at least two
    classes. Outputs are f_c(x) for each class c, or f_1(x) - f_0(x) for two classes:

        f_c(x) = max_i <x - m, p_i - m> - |p_i - m|^2 / 2     euclidean, in scaled units
        f_c(x) = -min_i max_k |x_k - p_ik|                    chebyshev

    over the centers p_i of class c, m being the middle of all centers. `forward` and
    `best_classes` search for the nearest centers; the class is the exact one.
    """

    def __init__(self, centers: np.ndarray, labels: np.ndarray, metric: str):
        require_shape("labels", labels, None)
        require_shape("centers", centers, len(labels), None)
        require(metric in METRICS, f"there is no metric {metric!r}")
        labels = np.asarray(labels, dtype=np.intp)
        classes = np.unique(labels)
        numbered = len(classes) > 1 and (classes == np.arange(len(classes))).all()
        require(numbered, "labels must be 0, 1, ..., each of which occurs")
        require((np.diff(labels) >= 0).all(), "labels must be sorted")
        self._centers = frozen(dense_rows(centers))
        self._labels = frozen(labels)
        self._metric = metric

    @property
    def centers(self) -> np.ndarray:
        """The centers, of shape (n_centers, n_features), sorted by label."""
        return self._centers

    @property
    def center_labels(self) -> np.ndarray:
        """Class number of each center."""
        return self._labels

    @property
    def metric(self) -> str:
        """How distances are measured."""
        return self._metric

    @cached_property
    def _search(self):
        return nearest_points(self._centers, self._labels, self._metric)

    @property
    def _sizes(self) -> np.ndarray:
        return np.bincount(self._labels)

    @property
    def n_inputs(self) -> int:
        """Number of input features."""
        return self._centers.shape[1]

    @property
    def depth(self) -> int:
        """Number of layers of neurons, the output layer included."""
        return len(self.widths)

    @property
    def widths(self) -> tuple[int, ...]:
        """Number of neurons in each layer, the output layer included."""
        n_centers, n_features = self._centers.shape
        n_outputs = 1 if len(self._sizes) == 2 else len(self._sizes)
        if self._metric == "euclidean":
            between = widths_of_rounds(self._sizes, LARGEST)
            return (n_centers, *between, n_outputs)
        inner = widths_of_rounds(np.array([n_features]), LARGEST_OF_POSITIVE)
        outer = widths_of_rounds(self._sizes, SMALLEST_OF_POSITIVE)
        first = 2 * n_features * n_centers
        return (first, *(n_centers * width for width in inner), *outer, n_outputs)

    @cached_property
    def n_parameters(self) -> int:
        """Number of nonzero weights and biases of the network as it is written down."""
        if self._metric == "euclidean":
            return sum(layer.n_parameters for layer in self.layers)
        n_centers, n_features = self._centers.shape
        inner, outer = self._differences()
        of_one = 2 * n_features + sum(weights.count_nonzero() for weights in inner)
        rest = sum(weights.count_nonzero() for weights in outer)
        return n_centers * of_one + rest + 2 * int(np.count_nonzero(self._centers))

    @property
    def layers(self) -> tuple[Layer, ...]:
        """The layers written out.

        Raises
        ------
        ValueError
            If `metric` is "chebyshev", and there are more than 2^24 nodes for absolute
            differences.
        """
        if self._metric == "euclidean":
            return self._euclidean_layers()
        n_nodes = 2 * self._centers.size
        if n_nodes > _MOST_DIFFERENCES:
            raise ValueError(
                f"The first layer has {n_nodes} nodes for the absolute differences of "
                f"coordinates, more than {_MOST_DIFFERENCES}, too many to write out. "
                "`widths`, `n_parameters` and `forward` do without them; a smaller "
                "robustness may leave fewer centers."
            )
        return self._chebyshev_layers()

    def _euclidean_layers(self) -> tuple[Layer, ...]:
        search = self._search
        assert isinstance(search, EuclideanPoints)
        # f_i(x) = <2^-(e + s) p_i', x> - <p_i', 2^-s m> - |p_i'|^2 / 2, where p_i' are
        # the centers around the middle, in units of 2^(e + s).
        middle = np.ldexp(search.middle, -search.spread)
        with np.errstate(over="ignore", under="ignore"):
            weights = np.ldexp(search.centered, -search.exponent - search.spread)
        biases = -(search.centered * middle).sum(axis=1) - search.half_squares
        first = Layer(np.nan_to_num(weights), biases, "identity")
        identity = sparse.csr_array(sparse.eye_array(len(self._labels)))
        between, read = rounds(identity, self._labels, LARGEST)
        return (first, *map(_relu, between), _linear(self._outputs(read)))

    def _chebyshev_layers(self) -> tuple[Layer, ...]:
        n_centers, n_features = self._centers.shape
        one = sparse.eye_array(n_features)
        both = sparse.vstack([one, -one])
        weights = sparse.csr_array(sparse.kron(np.ones((n_centers, 1)), both))
        biases = np.hstack([-self._centers, self._centers]).ravel()
        first = Layer(weights, biases, "relu")
        inner, outer = self._differences()
        each = sparse.eye_array(n_centers)
        of_each = [sparse.csr_array(sparse.kron(each, weights)) for weights in inner]
        *outer, last = outer
        return (first, *map(_relu, of_each), *map(_relu, outer), _linear(last))

    def _differences(self):
        """Return weights from the absolute differences of one center, and from all."""
        n_features = self.n_inputs
        one = sparse.eye_array(n_features)
        # |x_k - p_k| = r(x_k - p_k) + r(p_k - x_k)
        absolute = sparse.csr_array(sparse.hstack([one, one]))
        same = np.zeros(n_features, dtype=int)
        inner, read = rounds(absolute, same, LARGEST_OF_POSITIVE)
        each = sparse.eye_array(len(self._labels))
        read = sparse.csr_array(sparse.kron(each, read))
        outer, read = rounds(read, self._labels, SMALLEST_OF_POSITIVE)
        return inner, [*outer, self._outputs(-read)]

    def _outputs(self, read) -> sparse.csr_array:
        return read[[1]] - read[[0]] if read.shape[0] == 2 else read

    def forward(self, X, n_threads: int = 1) -> np.ndarray:
        """Evaluate the network; see `Network.forward`. Threads share the rows."""
        values = self._search.label_values(X, n_threads)
        return values if values.shape[1] > 2 else values[:, [1]] - values[:, [0]]

    def best_classes(self, X, n_threads: int = 1) -> np.ndarray:
        """Return the class of the nearest center, exactly; the first among equals.

        Threads share the rows.
        """
        return self._search.nearest_labels(X, n_threads)

    def certified_radii(self, X, labels, metric: str) -> np.ndarray:
        """Return radii of balls in which `best_classes` says what it says of the row.

        `labels` are what it says of the rows, and the balls those of the metric.
        """
        return self._search.radii(X, labels, metric)

    def _center_rows(self):
        """Yield the slice of the centers of each class."""
        starts = np.searchsorted(self._labels, np.arange(len(self._sizes) + 1))
        return [slice(*pair) for pair in pairwise(starts)]


def _relu(weights) -> Layer:
    return Layer(weights, np.zeros(weights.shape[0]), "relu")


def _linear(weights) -> Layer:
    return Layer(weights, np.zeros(weights.shape[0]), "identity")
