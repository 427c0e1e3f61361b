"""Shapes of networks of a given depth, and their layers written out.

A network of few layers has no time to unpack all keys of a group one after the other.
So a group holds P chains side by side, of s keys each, and every chain has an integer
of its own. With N / (P s) groups, and B bits in the integer of a chain, there are about

    4 N / (P s) + 2 N / s + P (10 B + 13 s)

parameters in 2 B + 5 layers: a chain adds two weights for each border, and shares the
four that find it. Chains of a single key need no unpacking, which leaves 5 layers, and
where the labels themselves are the steps there are no keys at all, and 3 layers.

The borders may be spread over several layers, which carry z and what the borders before
have added up. That makes the network narrower, and hardly larger.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ...network._storage import require, storable
from ._layers import ExactLayer, Shape, _unpacking_layers, exact_layer


@storable
@dataclass(frozen=True)
class ChainShape:
    """The numbers that decide how large a network of a given depth is."""

    n_groups: int
    n_chains: int  # number P of chains side by side
    chain_size: int  # number s of keys in a chain; 0 if groups are those of one label
    first_bits: int  # number of bits of the first key of a chain
    difference_bits: int  # and of the difference of two consecutive keys
    n_classes: int
    n_border_layers: int = 1

    def __post_init__(self):
        require(self.n_chains >= 1, "there must be a chain")
        require(self.chain_size >= 0, "chain_size must not be negative")
        steps = self.n_chains == 1 and self.n_groups > 1
        require(self.chain_size or steps, "labels are one chain of several groups")
        most = max(1, self.n_groups - 1)
        require(1 <= self.n_border_layers <= most, "there are not as many borders")

    @property
    def chain(self) -> Shape:
        """The shape of one chain."""
        return Shape(
            self.n_groups,
            max(1, self.chain_size),
            self.first_bits,
            self.difference_bits,
            self.n_classes,
        )

    @property
    def group_size(self) -> int:
        """Largest number of keys in a group."""
        return self.n_chains * self.chain_size

    @property
    def longest_difference(self) -> int:
        """The largest difference of two keys that the bits can hold."""
        return self.chain.longest_difference

    def tent(self, above, n_bits: int):
        """Return what a key at distance `above` below z puts out."""
        return self.chain.tent(above, n_bits)

    @property
    def packed_bits(self) -> int:
        """Number of bits below those of the keys that hold the output of a chain."""
        return self.chain.output_bits if self.chain_size > 1 else 0

    @property
    def largest_bits(self) -> int:
        """A bound for the bits of a weight after the first layer, its sign included."""
        if self.chain_size > 1:
            return self.chain.bits_per_weight
        return self.first_bits + 2

    @property
    def depth(self) -> int:
        """Number of layers."""
        of_chains = depth_of_chains(self.chain_size, self.chain.n_bits)
        return of_chains + self.n_border_layers - 1

    @cached_property
    def widths(self) -> tuple[int, ...]:
        """Number of neurons in each layer."""
        sizes = _spread(self.n_groups - 1, self.n_border_layers)
        n_sums = [0, *[self.n_chains] * (self.n_border_layers - 1)]
        widths = [2 * n + s + 1 for n, s in zip(sizes, n_sums, strict=True)]
        if self.chain_size == 0:
            widths[-1] -= 1  # z is of no use any more
            return (1, *widths, 1)
        if self.chain_size == 1:
            return (1, *widths, self.n_chains + 1, 3 * self.n_chains, 1)
        of_chain = [self.n_chains * width for width in self.chain.widths[3:-1]]
        return (1, *widths, self.n_chains + 1, *of_chain, 1)

    @property
    def n_neurons(self) -> int:
        """Number of neurons."""
        return sum(self.widths)

    def n_parameters(self, n_features: int) -> int:
        """Return the number of weights and biases that are not zero by design."""
        more_layers = self.n_border_layers - 1
        carried = more_layers * (self.n_chains + 1)
        of_size = parameters_of_chains(
            self.n_groups, self.n_chains, self.chain_size, self.chain.n_bits
        )
        return n_features + int(of_size) + carried


def depth_of_chains(chain_size: int, n_bits: int) -> int:
    """Return the number of layers if the borders are in one of these."""
    return {0: 3, 1: 5}.get(chain_size, 5 + 2 * n_bits)


def parameters_of_chains(n_groups, n_chains, chain_size: int, n_bits: int):
    """Return the number of parameters but for the d weights of the first layer.

    The numbers of groups and chains may be arrays; the borders are in one layer.
    """
    borders = (4 + 2 * n_chains) * (n_groups - 1)
    if chain_size == 0:
        return borders + 2  # the biases of z and of the first label
    if chain_size == 1:
        # Of z: a bias, two weights. Of a chain: the first key, 8 of 3 nodes, 3 weights.
        return borders + 3 + 12 * n_chains
    return borders + 3 + n_chains * (17 + 10 * n_bits + 13 * (chain_size - 1))


def widest_layer(n_groups, n_chains, chain_size: int, n_bits: int, n_layers: int):
    """Return how narrow the widest layer can be, and in how many layers of borders.

    The numbers of groups and chains may be arrays; there are at most `n_layers`.
    """
    most = np.maximum(1, n_layers + 1 - depth_of_chains(chain_size, n_bits))
    most = np.minimum(most, np.maximum(1, n_groups - 1))
    kept = 1 if chain_size else 0
    in_one = 2 * (n_groups - 1) + kept
    # z is carried by all of these but perhaps the last.
    spread = 2 * (-(-(n_groups - 1) // most)) + n_chains + 1
    of_chain = {0: 1, 1: 3}.get(chain_size, 7) * n_chains
    n_border_layers = np.where((in_one <= of_chain) | (in_one <= spread), 1, most)
    width = np.where(n_border_layers == 1, in_one, spread)
    return np.maximum(width, of_chain), n_border_layers


def _spread(n_borders: int, n_layers: int) -> list[int]:
    """Return how many borders are in each layer."""
    return [len(part) for part in np.array_split(np.arange(n_borders), n_layers)]


def border_layers(line, shape: ChainShape, borders, packed) -> list[ExactLayer]:
    """Return the layers from the rows to the packed integers and z.

    `packed` is of shape (n_groups, n_chains). Where the labels are the steps, the last
    layer puts out the label instead.
    """
    n_chains, n_last = shape.n_chains, shape.n_border_layers - 1
    jumps = (packed[1:] - packed[:-1]) << shape.packed_bits
    first = [int(number) << shape.packed_bits for number in packed[0]]
    layers = [exact_layer([[*line.weights(), line.shift]])]
    # How the next layer reads z, and what the borders so far add up to.
    z = [1]
    sums: list[list[int]] = []
    biases = first
    ends = np.cumsum([0, *_spread(len(borders), shape.n_border_layers)])
    for number, (start, stop) in enumerate(zip(ends, ends[1:], strict=False)):
        carried = shape.chain_size > 0 or number < n_last
        rows = [[*z, 0]] if carried else []
        if number:
            rows += [[*weights, b] for weights, b in zip(sums, biases, strict=True)]
            biases = [0] * n_chains
        before = len(rows)
        for border in borders[start:stop].tolist():
            rows += [[*z, -border], [*z, -border - 1]]
        layers.append(exact_layer(rows))
        z = [1] * carried + [0] * (len(rows) - carried)
        sums = [[0] * len(rows) for _ in range(n_chains)]
        for chain, weights in enumerate(sums):
            if number:
                weights[carried + chain] = 1
            for place, jump in enumerate(jumps[start:stop, chain].tolist()):
                weights[before + 2 * place] = jump
                weights[before + 2 * place + 1] = -jump
    rows = [[*weights, b] for weights, b in zip(sums, biases, strict=True)]
    if shape.chain_size == 0:
        return [*layers, exact_layer(rows, "identity")]
    return [*layers, exact_layer([*rows, [*z, 0]])]


def side_by_side(shape: ChainShape) -> list[ExactLayer]:
    """Return the layers from the packed integers and z to the output."""
    n_chains = shape.n_chains
    if shape.chain_size == 1:
        C = shape.n_classes
        key_of = np.eye(n_chains, dtype=int).tolist()
        tents = [
            [*(-w for w in key), 1, -knee] for key in key_of for knee in (0, C, C + 1)
        ]
        return [
            exact_layer(tents),
            exact_layer([[1, -C - 1, C] * n_chains + [0]], "identity"),
        ]
    first, *others, last = _unpacking_layers(shape.chain)
    return [
        _with_shared_z(first, n_chains),
        *(_block_diagonal(layer, n_chains) for layer in others),
        ExactLayer(np.tile(last.weights, n_chains), last.biases, "identity"),
    ]


def _with_shared_z(layer: ExactLayer, n_chains: int) -> ExactLayer:
    """Read the integer of each chain, and one z behind all of them."""
    u, z = layer.weights.T
    weights = np.full((n_chains * layer.n_neurons, n_chains + 1), 0, dtype=object)
    for chain in range(n_chains):
        rows = slice(chain * layer.n_neurons, (chain + 1) * layer.n_neurons)
        weights[rows, chain], weights[rows, -1] = u, z
    return ExactLayer(weights, np.tile(layer.biases, n_chains), layer.activation)


def _block_diagonal(layer: ExactLayer, n_chains: int) -> ExactLayer:
    weights = np.full(
        (n_chains * layer.n_neurons, n_chains * layer.n_inputs), 0, dtype=object
    )
    for chain in range(n_chains):
        rows = slice(chain * layer.n_neurons, (chain + 1) * layer.n_neurons)
        columns = slice(chain * layer.n_inputs, (chain + 1) * layer.n_inputs)
        weights[rows, columns] = layer.weights
    return ExactLayer(weights, np.tile(layer.biases, n_chains), layer.activation)
