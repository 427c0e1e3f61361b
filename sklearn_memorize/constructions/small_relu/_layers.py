"""The textbook layers of a small ReLU network, from its blocks of hard-tanh nodes.

A hard-tanh is a pair of ReLU nodes, hardtanh(t) + 1 = ReLU(t + 1) - ReLU(t - 1).
"""

from dataclasses import dataclass

import numpy as np

from ...network import Layer


@dataclass(frozen=True)
class Block:
    """Two hidden layers of hard-tanh nodes, for p groups of q samples.

    The first-layer node of a group is not saturated in the zone of the group alone.
    """

    left: np.ndarray  # ends of the zones of the groups, (p,)
    right: np.ndarray
    # w_lk: what second-layer node k multiplies first-layer node l by; (p, q, n_outputs)
    weights: np.ndarray
    # Potential of the second-layer nodes to the left of all zones; (q, n_outputs)
    starts: np.ndarray

    @property
    def steepness(self) -> np.ndarray:
        """Slopes of the first-layer nodes in their zones, shape (p,)."""
        return 2.0 / (self.right - self.left)

    @property
    def first_weights(self) -> np.ndarray:
        """What the first-layer ReLU nodes multiply the position by, shape (2p,)."""
        return np.repeat(self.steepness, 2)

    @property
    def first_biases(self) -> np.ndarray:
        """Biases of the first-layer ReLU nodes, shape (2p,)."""
        ends = np.stack([self.left, self.right], axis=1)
        return -(self.steepness[:, np.newaxis] * ends).ravel()

    @property
    def second_weights(self) -> np.ndarray:
        """Weights between the ReLU nodes, shape (2 q n_outputs, 2p)."""
        by_node = self.weights.reshape(len(self.weights), -1).T
        pairs = np.stack([by_node, -by_node], axis=2)
        return np.repeat(pairs.reshape(len(by_node), -1), 2, axis=0)

    @property
    def second_biases(self) -> np.ndarray:
        """Biases of the second-layer ReLU nodes, shape (2 q n_outputs,)."""
        starts = self.starts.ravel()
        return np.stack([starts + 1.0, starts - 1.0], axis=1).ravel()

    @property
    def sums(self) -> np.ndarray:
        """Weights that add up each output's hard-tanh nodes, plus q."""
        q, n_outputs = self.starts.shape
        pair = np.array([1.0, -1.0])
        return np.kron(np.ones((1, q)), np.kron(np.eye(n_outputs), pair))


def assemble_layers(
    direction: np.ndarray,
    blocks: list[Block],
    n_layers: int,
    offset: np.ndarray,
    scale: np.ndarray,
) -> list[Layer]:
    """Write blocks side by side on the line as layers one above the other.

    Hidden layer h holds the first nodes of block h, the second nodes of block h - 1,
    one node that hands on the position as long as a block needs it, and one node for
    each output that holds the sum of the blocks h - 2 and lower, plus q. There are at
    most `n_layers - 2` blocks, from left to right.

    The position of an input is its product with the direction, and the output is
    `offset + scale * (sum of all nodes - 1)`.
    """
    # All later zones lie to the right of `origin`, so that ReLU hands positions on.
    origin = blocks[0].right[-1]
    layers = [_first_layer(direction, blocks, origin)]
    for number in range(1, n_layers - 1):
        layers.append(_hidden_layer(blocks, number, origin))
    return [*layers, _output_layer(blocks, n_layers, offset, scale)]


class _Columns:
    """Where the nodes of a hidden layer stand; empty slices for what it has not."""

    def __init__(self, blocks: list[Block], number: int):
        q, n_outputs = blocks[0].starts.shape
        has_first = number < len(blocks)
        has_second = 1 <= number <= len(blocks)
        sizes = [
            2 * len(blocks[number].left) if has_first else 0,
            2 * q * n_outputs if has_second else 0,
            1 if number < len(blocks) - 1 else 0,
            n_outputs if number >= 2 else 0,
        ]
        ends = np.cumsum([0, *sizes]).tolist()
        slices = [slice(*pair) for pair in zip(ends[:-1], ends[1:], strict=True)]
        self.first, self.second, self.position, self.sums = slices
        self.size = ends[-1]


def _first_layer(direction, blocks, origin) -> Layer:
    weights, biases = blocks[0].first_weights, blocks[0].first_biases
    if len(blocks) > 1:
        weights, biases = np.append(weights, 1.0), np.append(biases, -origin)
    return Layer(np.outer(weights, direction), biases, "relu")


def _hidden_layer(blocks: list[Block], number: int, origin: float) -> Layer:
    below = _Columns(blocks, number - 1)
    here = _Columns(blocks, number)
    weights = np.zeros((here.size, below.size))
    biases = np.zeros(here.size)
    if here.first.stop > here.first.start:
        block = blocks[number]
        weights[here.first, below.position] = block.first_weights[:, np.newaxis]
        biases[here.first] = block.first_biases + block.first_weights * origin
    if here.second.stop > here.second.start:
        weights[here.second, below.first] = blocks[number - 1].second_weights
        biases[here.second] = blocks[number - 1].second_biases
    weights[here.position, below.position] = 1.0
    if number >= 2:
        _add_up(weights[here.sums], biases[here.sums], blocks, number, below)
    return Layer(weights, biases, "relu")


def _add_up(weights, biases, blocks, number, below: _Columns) -> None:
    """Hand on the sums, and add those of the block that ends just below."""
    weights[:, below.sums] = np.eye(*weights[:, below.sums].shape)
    if below.second.stop > below.second.start:
        weights[:, below.second] = blocks[number - 2].sums
        # Each block is 0 to the left and right of its zones: only one counts.
        biases[:] = 0.0 if number == 2 else -len(blocks[number - 2].starts)


def _output_layer(blocks, n_layers: int, offset, scale) -> Layer:
    below = _Columns(blocks, n_layers - 2)
    q, n_outputs = blocks[0].starts.shape
    weights, biases = np.zeros((n_outputs, below.size)), np.zeros(n_outputs)
    _add_up(weights, biases, blocks, n_layers - 1, below)
    biases = offset + scale * (biases - q - 1.0)
    return Layer(scale[:, np.newaxis] * weights, biases, "identity")
