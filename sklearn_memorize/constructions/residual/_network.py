"""Residual blocks of hats around hyperplanes, evaluated by the length of the push.

Where the data lie far from the origin, compared to their extent, one more block with a
single node, ReLU(0 h + 1), moves the state to h - p first: differences of doubles that
are near each other are exact, and all that follows sees small numbers.

Block k adds to the state h, which starts as the input, a push along one feature j,

    h_j <- h_j + push_k * hat_k(<a_k, h>),

where the hat is 0 outside of its two feet, 1 between its two shoulders, and linear
between foot and shoulder: four ReLU nodes. A last layer reads the class from h_j.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from scipy import sparse

from ...kernels._memory import blocks_of_rows
from ...kernels._threads import run_in_threads
from ...network import Layer, Network
from ...network._layer import freeze, frozen
from ...network._storage import require, require_shape, storable
from .._directions import project

# Differences from the pivot are cut off here.
_LARGEST = float(np.finfo(np.float64).max)
# Rows are worked on in blocks of about this many values.
_BLOCK_VALUES = 1 << 20


@storable
@dataclass(frozen=True)
class Hats:
    """The hats of all blocks, one for each."""

    normals: np.ndarray = field(repr=False)  # a_k, (n_blocks, n_features)
    # Left foot, left and right shoulder, right foot, increasing; (n_blocks, 4).
    corners: np.ndarray = field(repr=False)
    # How far a point on the hat is pushed, in units of the feature's scale.
    pushes: np.ndarray = field(repr=False)

    def __post_init__(self):
        freeze(self, "normals", "corners", "pushes")
        require_shape("normals", self.normals, None, None)
        require_shape("corners", self.corners, len(self.normals), 4)
        require_shape("pushes", self.pushes, len(self.normals))

    def height(self, number: int, positions: np.ndarray) -> np.ndarray:
        """Return how high a hat is: 1 between its shoulders, exactly."""
        foot, shoulder, other_shoulder, other_foot = self.corners[number]
        rising = (positions - foot) / (shoulder - foot)
        falling = (other_foot - positions) / (other_foot - other_shoulder)
        return np.clip(np.minimum(rising, falling), 0.0, 1.0)

    def slopes(self, number: int) -> np.ndarray:
        """Return the weights of the four nodes, in units of the push."""
        foot, shoulder, other_shoulder, other_foot = self.corners[number]
        rise, fall = 1.0 / (shoulder - foot), 1.0 / (other_foot - other_shoulder)
        return np.array([rise, -rise, -fall, fall])


@storable
@dataclass(frozen=True)
class Steps:
    """The last block: which class is read at which position.

    Between classes next to each other, `edges` says where the reading of the one ends,
    and where that of the other begins. `order` holds the class numbers from left to
    right.
    """

    edges: np.ndarray  # (n_classes - 1, 2)
    order: np.ndarray  # (n_classes,)

    def __post_init__(self):
        freeze(self, "edges", "order")
        require_shape("order", self.order, None)
        require_shape("edges", self.edges, len(self.order) - 1, 2)

    @property
    def n_outputs(self) -> int:
        """Number of outputs: one for two classes, else one for each class."""
        return 1 if len(self.order) == 2 else len(self.order)

    @property
    def weights(self) -> np.ndarray:
        """What the outputs add up, of shape (n_outputs, n_classes - 1)."""
        # Class at place i: step_{i-1} - step_i. Two classes: +-(step_0 - 1/2).
        weights = np.zeros((len(self.order), len(self.edges)))
        places = np.arange(len(self.edges))
        weights[self.order[1:], places] = 1.0
        weights[self.order[:-1], places] = -1.0
        return weights[1:] if len(self.order) == 2 else weights

    @property
    def biases(self) -> np.ndarray:
        """The biases of the outputs."""
        if len(self.order) == 2:
            return np.array([0.5 if self.order[0] == 1 else -0.5])
        return (np.arange(len(self.order)) == self.order[0]) * 1.0

    def forward(self, positions: np.ndarray) -> np.ndarray:
        """Return the outputs, of shape (n_positions, n_outputs)."""
        left, right = self.edges.T
        steps = np.clip((positions[:, np.newaxis] - left) / (right - left), 0.0, 1.0)
        outputs = np.tile(self.biases, (len(positions), 1))
        for step, weights in zip(steps.T, self.weights.T, strict=True):
            used = np.flatnonzero(weights)
            outputs[:, used] += step[:, np.newaxis] * weights[used]
        return outputs


class ResidualNetwork(Network):
    """Residual blocks `h <- h + V ReLU(U h + b)` of four nodes, and a reading layer.

    All pushes go along one feature, so the state of a row is the row and how far it
    has been pushed. `forward` keeps just that, and evaluates each hat around its
    corners: the same function as `layers`, free of the rounding errors of differences
    of steep ReLU nodes.

    The hats come in the order of their application. `axis` is the feature that pushes
    change; its position is its value times `scale`, a power of two. The `pivot` p, of
    shape (n_features,), is subtracted from the input first, unless it is None.
    """

    def __init__(
        self,
        hats: Hats,
        axis: int,
        scale: float,
        steps: Steps,
        pivot: np.ndarray | None = None,
    ):
        n_features = hats.normals.shape[1]
        require(axis in range(n_features), "axis must be a feature")
        if pivot is not None:
            require_shape("pivot", pivot, n_features)
        self._hats = hats
        self._axis = axis
        self._scale = scale
        self._steps = steps
        self._pivot = None if pivot is None else frozen(pivot)

    @property
    def pivot(self) -> np.ndarray | None:
        """What is subtracted from the input first, if anything."""
        return self._pivot

    @property
    def n_inputs(self) -> int:
        """Number of input features."""
        return self._hats.normals.shape[1]

    @property
    def n_blocks(self) -> int:
        """Number of residual blocks with a hat."""
        return len(self._hats.normals)

    @property
    def depth(self) -> int:
        """Number of blocks, reading layer and output layer."""
        return self._n_movers + self.n_blocks + 2

    @property
    def widths(self) -> tuple[int, ...]:
        """Number of neurons of each block, of the reading layer, and of outputs.

        A skip connection is no neuron.
        """
        readers = self._steps.edges.size
        hats = [4] * self.n_blocks
        return (*[1] * self._n_movers, *hats, readers, self._steps.n_outputs)

    @property
    def _n_movers(self) -> int:
        """Number of blocks that subtract the pivot: one or none."""
        return len(self._movers)

    @property
    def n_parameters(self) -> int:
        """Number of nonzero weights and biases of the blocks and the last layers.

        A skip connection has no parameter.
        """
        # Four nodes of a block read h by the same weights, and each writes h_j.
        blocks = 4 * np.count_nonzero(self._hats.normals) + 4 * self.n_blocks
        blocks += np.count_nonzero(self._hats.corners)
        if self._pivot is not None:  # one bias, and what the node writes
            blocks += 1 + np.count_nonzero(self._pivot)
        readers = self._steps.edges.size + np.count_nonzero(self._steps.edges)
        outputs = 2 * np.count_nonzero(self._steps.weights)
        return int(blocks + readers + outputs + np.count_nonzero(self._steps.biases))

    @property
    def bits_per_parameter(self) -> float:
        """Bits of a weight: all are numbers in double precision."""
        return 64.0

    @property
    def blocks(self) -> tuple[tuple[Layer, sparse.csr_array], ...]:
        """For each block the layer `z -> ReLU(U z + b)`, and the matrix V."""
        hats = map(self._block, range(self.n_blocks))
        return (*self._movers, *hats)

    @property
    def _movers(self) -> tuple[tuple[Layer, sparse.csr_array], ...]:
        """The block that subtracts the pivot, if there is one."""
        if self._pivot is None:
            return ()
        nothing = sparse.csr_array((1, self.n_inputs), dtype=np.float64)
        moved = sparse.csr_array(-self._pivot[:, np.newaxis])
        return ((Layer(nothing, np.ones(1), "relu"), moved),)

    def _block(self, number: int) -> tuple[Layer, sparse.csr_array]:
        normal, corners = self._hats.normals[number], self._hats.corners[number]
        inner = Layer(sparse.csr_array(np.tile(normal, (4, 1))), -corners, "relu")
        slopes = self._hats.slopes(number) * self._hats.pushes[number] / self._scale
        rows = np.full(4, self._axis)
        shape = (self.n_inputs, 4)
        return inner, sparse.csr_array((slopes, (rows, np.arange(4))), shape=shape)

    @property
    def _readers(self) -> tuple[Layer, Layer]:
        """The layer that reads the feature, and the outputs."""
        edges = self._steps.edges
        shape = (edges.size, self.n_inputs)
        entries = np.arange(edges.size), np.full(edges.size, self._axis)
        values = np.full(edges.size, self._scale)
        weights = sparse.csr_array((values, entries), shape=shape)
        # step = (ReLU(z - left) - ReLU(z - right)) / (right - left)
        slopes = self._steps.weights / np.diff(edges, axis=1).T
        outputs = np.stack([slopes, -slopes], axis=2).reshape(-1, edges.size)
        return (
            Layer(weights, -edges.ravel(), "relu"),
            Layer(sparse.csr_array(outputs), self._steps.biases, "identity"),
        )

    @property
    def layers(self) -> tuple[Layer, ...]:
        """The network without skip connections.

        ReLU nodes for the positive and the negative part of each feature hand the
        state on; all else is as in `blocks`.
        """
        identity = sparse.eye_array(self.n_inputs, format="csr")
        both = sparse.vstack([identity, -identity], format="csr")
        # What the state is in terms of the nodes of the layer below.
        state, layers = identity, []
        if self._pivot is not None:
            biases = np.append(-self._pivot, self._pivot)
            layers.append(Layer(both, biases, "relu"))
            state = both.T.tocsr()
        for inner, outer in self.blocks[self._n_movers :]:
            reads = sparse.vstack([state, -state, inner.weights @ state], format="csr")
            biases = np.append(np.zeros(2 * self.n_inputs), inner.biases)
            layers.append(Layer(reads, biases, "relu"))
            state = sparse.hstack([identity, -identity, outer], format="csr")
        reader, outputs = self._readers
        layers.append(Layer(reader.weights @ state, reader.biases, "relu"))
        return (*layers, outputs)

    def forward(self, X, n_threads: int = 1) -> np.ndarray:
        """Evaluate the network, each sum in a fixed order; see `Network.forward`."""
        n_values = self.n_blocks + self.n_inputs
        blocks = blocks_of_rows(X.shape[0], n_values, _BLOCK_VALUES)
        parts = run_in_threads(lambda block: self._outputs(X[block]), blocks, n_threads)
        return np.concatenate(parts)

    def _outputs(self, rows) -> np.ndarray:
        with np.errstate(over="ignore"):
            return self._steps.forward(self._pushed(rows))

    def _pushed(self, rows) -> np.ndarray:
        """Return the positions of rows along the feature after all pushes."""
        axis = np.zeros((1, self.n_inputs))
        axis[0, self._axis] = self._scale
        if self._pivot is not None:
            rows = rows.toarray() if sparse.issparse(rows) else rows
            with np.errstate(over="ignore"):
                rows = np.clip(rows - self._pivot, -_LARGEST, _LARGEST)
        positions = project(rows, np.vstack([self._hats.normals, axis]))
        # <a, h> = <a, x> + pushed * a_j / scale
        leverages = self._hats.normals[:, self._axis] / self._scale
        pushed = np.zeros(len(positions))
        for number, leverage in enumerate(leverages):
            moved = positions[:, number] + pushed * leverage
            pushed += self._hats.pushes[number] * self._hats.height(number, moved)
        return positions[:, -1] + pushed
