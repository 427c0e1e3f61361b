"""The three layers of cells, which are evaluated without their hyperplanes."""

from __future__ import annotations

from functools import cached_property

import numpy as np
from scipy import sparse

from ...exact._distances import Scaling
from ...exact._nearest import EuclideanPoints, dense_rows
from ...exact._pairs import METRICS
from ...network import Layer, Network
from ...network._network import torch_modules
from ...network._storage import storable
from ._cells import MARGIN, SLOPE, Cells

# `layers` writes the hyperplanes out up to this many weights.
LARGEST_LAYER = 1 << 24

# Radii are less by this part, for cells are rounded.
_ROUNDING = 1e-6

# `exact` stands below the room of storage, so its class is registered here.
storable(Scaling)


class NearbySetNetwork(Network):
    """The three-layer network of cells, evaluated without its hyperplanes.

    Its first layer has a neuron for each ordered pair of centers of different label,
    and none of them is stored: the distances to the centers tell the same. The centers
    are sorted by label, their class number, and there are at least two classes.
    """

    def __init__(self, centers: np.ndarray, labels: np.ndarray, scaling: Scaling):
        self._cells = Cells(centers, labels, scaling)

    def _stored(self) -> dict:
        return {
            "centers": self.centers,
            "labels": self.center_labels,
            "scaling": self._cells.scaling,
        }

    @property
    def centers(self) -> np.ndarray:
        """The centers, of shape (n_centers, n_features), sorted by label."""
        return self._cells.scaling.unscaled(self._cells.points.points)

    @property
    def center_labels(self) -> np.ndarray:
        """Class number of each center."""
        return self._cells.labels

    @property
    def n_inputs(self) -> int:
        """Number of input features."""
        return self._cells.points.points.shape[1]

    @property
    def depth(self) -> int:
        """Number of layers: hyperplanes, cells, outputs."""
        return 3

    @property
    def widths(self) -> tuple[int, ...]:
        """Number of hyperplanes, of cells, and of outputs."""
        n_classes = self._cells.n_classes
        n_outputs = 1 if n_classes == 2 else n_classes
        return (self._n_pairs, len(self._cells.labels), n_outputs)

    @property
    def _n_pairs(self) -> int:
        # Ordered pairs of different label: K^2 - sum_c K_c^2.
        sizes = np.bincount(self._cells.labels).tolist()
        return sum(sizes) ** 2 - sum(size**2 for size in sizes)

    @cached_property
    def n_parameters(self) -> int:
        """Number of nonzero weights and biases of the network as it is written down."""
        # A weight of a hyperplane is zero where its two centers agree in a coordinate.
        # Each hyperplane has a bias and one weight to its cell, each cell a bias and
        # one weight to its output.
        columns = self._cells.points.points.T
        agreements = sum(self._count_agreements(column) for column in columns)
        weights = self._n_pairs * self.n_inputs - agreements
        return weights + 2 * self._n_pairs + 2 * len(self._cells.labels)

    @property
    def bits_per_parameter(self) -> float:
        """Bits of a weight: hyperplanes are quotients in double precision."""
        return 64.0

    def _count_agreements(self, coordinate: np.ndarray) -> int:
        """Count the ordered pairs of different label with equal coordinates."""
        _, values = np.unique(coordinate, return_inverse=True)
        both = values * self._cells.n_classes + self._cells.labels
        equal = np.unique(values, return_counts=True)[1].tolist()
        same_label = np.unique(both, return_counts=True)[1].tolist()
        return sum(n**2 for n in equal) - sum(n**2 for n in same_label)

    @property
    def layers(self) -> tuple[Layer, ...]:
        """The three layers written out.

        Raises
        ------
        ValueError
            If the hyperplanes have more than 2^24 weights.
        """
        n_weights = self._n_pairs * self.n_inputs
        if n_weights > LARGEST_LAYER:
            raise ValueError(
                f"The first layer has {self._n_pairs} hyperplanes of {self.n_inputs} "
                f"weights each, which are more than {LARGEST_LAYER} numbers, too many "
                "to write out. `widths`, `n_parameters` and `forward` do without "
                "them; a larger cover_radius (at most 1/3.1) leaves fewer."
            )
        return self._written_out()

    def _written_out(self) -> tuple[Layer, ...]:
        labels, points = self._cells.labels, self._cells.points.points
        different = labels[:, np.newaxis] != labels
        i, j = np.nonzero(different)
        near, far = points[i], points[j]
        normals = far - near
        normals /= np.square(normals).sum(axis=1, keepdims=True)
        biases = -(normals * near).sum(axis=1) - MARGIN
        # The points are in units of the scaling, the inputs are not.
        hyperplanes = Layer(self._cells.scaling.scaled(normals), biases, "relu")
        starts = np.append(0, np.cumsum(different.sum(axis=1)))
        incoming = sparse.csr_array(
            (np.full(len(i), -SLOPE), np.arange(len(i)), starts),
            shape=(len(labels), len(i)),
        )
        cells = Layer(incoming, np.ones(len(labels)), "relu")
        outputs = np.eye(self._cells.n_classes)[:, labels]
        if self._cells.n_classes == 2:
            outputs = outputs[[1]] - outputs[[0]]
        return hyperplanes, cells, Layer(outputs, np.zeros(len(outputs)), "identity")

    def forward(self, X) -> np.ndarray:
        """Evaluate the network; see `Network.forward`.

        The outputs are F_c(x) for each class, or F_1(x) - F_0(x) for two classes. All
        are zero where x lies in no cell.
        """
        outputs = np.maximum(self.class_scores(X), 0.0)
        return outputs if outputs.shape[1] > 2 else outputs[:, [1]] - outputs[:, [0]]

    def class_scores(
        self, X, n_threads: int = 1, *, best_only: bool = False
    ) -> np.ndarray:
        """Score the classes, also where x lies in no cell.

        The scores, of shape (n_samples, n_classes), are F_c(x) where it is positive,
        else the largest value of a cell of the class before its ReLU, which is at most
        0. A row's scores are the same in any batch. With `best_only` the largest score
        of each row is enough, and the others may be minus infinity. Threads share the
        rows.
        """
        return self._cells.scores(X, n_threads, best_only=best_only)

    def best_classes(self, X, n_threads: int = 1) -> np.ndarray:
        """Return the class of the largest of `class_scores`, the first among equals.

        Distances to the centers take O(K d) operations a row; few cells near it are
        looked at. Threads share the rows.
        """
        return self._cells.best_classes(X, n_threads)

    def certified_radii(self, X, labels, metric: str) -> np.ndarray:
        """Return radii of balls in which `best_classes` says what it says of the row.

        Let D be the distance of a center to the nearest one of another label, and a =
        1/3.1. Within a D of it its own cell is 1, and those of other labels are at most
        0. So what is left of a D for a row near it is a radius, in either metric up to
        the root of the number of features.
        """
        search, reaches = self._search
        own, nearest = search.nearest_own(X, labels)
        with np.errstate(over="ignore", invalid="ignore"):
            distances = METRICS["euclidean"].rounded(own) * (1 + _ROUNDING)
            radii = (reaches[nearest] - distances) * (1 - _ROUNDING)
        if metric == "chebyshev":
            radii /= np.sqrt(self.n_inputs)
        return np.maximum(np.nan_to_num(radii, nan=0.0, posinf=0.0), 0.0)

    @cached_property
    def _search(self) -> tuple[EuclideanPoints, np.ndarray]:
        """The centers, to be searched, and how far the cells of each reach for sure."""
        centers = dense_rows(self.centers)
        search = EuclideanPoints(centers, self.center_labels)
        others, _ = search.nearest_others(centers, self.center_labels)
        with np.errstate(over="ignore"):
            reaches = METRICS["euclidean"].rounded(others) * MARGIN * (1 - _ROUNDING)
        return search, np.where(np.isfinite(reaches), reaches, 0.0)

    def to_torch(self):
        """Return `class_scores` as a PyTorch module; see `Network.to_torch`.

        Raises
        ------
        ValueError
            If the hyperplanes are too many to be written out; see `layers`.
        """
        return torch_modules().CellsModule(self.layers, self.center_labels)
