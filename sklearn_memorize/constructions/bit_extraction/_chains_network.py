"""Networks of a given depth: several chains side by side, or the labels as steps."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ...network import Network
from ...network._layer import freeze
from ...network._storage import require, require_shape, storable
from ._chains import ChainShape, border_layers, side_by_side
from ._layers import ExactLayer
from ._network import BitExtractionNetwork, Line, OnALine, rounded_up, stepped


@storable
@dataclass(frozen=True, eq=False)
class ChainedKeys:
    """The keys of all samples, and which of them belong together; see `PackedKeys`.

    Chain p of group j holds its share of the keys starts[j] .. starts[j + 1] - 1, of
    as many as a chain has, in the integer packed[j, p].
    """

    keys: np.ndarray  # (n_samples,)
    starts: np.ndarray  # (n_groups + 1,)
    borders: np.ndarray  # (n_groups - 1,)
    packed: np.ndarray  # (n_groups, n_chains)

    def __post_init__(self):
        freeze(self, "keys", "starts", "borders", "packed")
        n_groups = len(self.packed)
        require_shape("keys", self.keys, None)
        require_shape("packed", self.packed, n_groups, None)
        require_shape("starts", self.starts, n_groups + 1)
        require_shape("borders", self.borders, n_groups - 1)
        ends = self.starts[-1] == len(self.keys)
        require(ends, "starts must end with the number of keys")


class ChainsNetwork(BitExtractionNetwork):
    """A network of a given depth, whose groups have several chains of keys.

    What it puts out is the sum of what its chains do: more than c and at most c + 1
    at the training samples of class number c. See `BitExtractionNetwork`.
    """

    _shape: ChainShape  # type: ignore[assignment]
    _memory: ChainedKeys  # type: ignore[assignment]

    def __init__(self, line: Line, shape: ChainShape, memory: ChainedKeys):
        n_groups, n_chains = memory.packed.shape
        require(shape.chain_size > 0, "there must be keys")
        require(n_groups == shape.n_groups, "there must be the groups of the shape")
        require(n_chains == shape.n_chains, "there must be the chains of the shape")
        self._line, self._shape, self._memory = line, shape, memory

    bits_per_weight = OnALine.bits_per_weight

    @cached_property
    def layers(self) -> tuple[ExactLayer, ...]:
        """The layers, with weights that are integers and fractions of any length."""
        memory = self._memory
        first = border_layers(self._line, self._shape, memory.borders, memory.packed)
        return (*first, *side_by_side(self._shape))

    def _look_up(self, positions, n_bits: int):
        # Chains without keys say that there is one at 0.
        rows, values = super()._look_up(positions, n_bits)
        lowest = (self._shape.n_classes + 1) << n_bits
        known = positions[rows] >= lowest
        return rows[known], values[known]

    def _n_missing(self, n_keys):
        return -n_keys % self._shape.chain_size

    def _run_layers(self, positions, n_bits: int) -> np.ndarray:
        memory, shape = self._memory, self._shape
        total, n_total_bits = np.zeros(len(positions), dtype=object), n_bits
        for chain in range(shape.n_chains):
            packed = stepped(positions, n_bits, memory.borders, memory.packed[:, chain])
            outputs, n_output_bits = _run_chain(shape, positions, packed, n_bits)
            # In units of the finer of both.
            more = n_output_bits - n_total_bits
            total = (total << max(0, more)) + (outputs << max(0, -more))
            n_total_bits = max(n_total_bits, n_output_bits)
        return rounded_up(total, n_total_bits)


def _run_chain(shape: ChainShape, positions, packed, n_bits: int):
    if shape.chain_size > 1:
        return shape.chain.run(positions, packed, n_bits)
    return shape.tent(positions - packed, n_bits), n_bits


class LabelStepsNetwork(OnALine, Network):
    """A network whose few layers say which label is where on a line.

    Its output is c + 1 between two borders around samples of class number c. Where
    the label changes there are two ReLU nodes.
    """

    def __init__(
        self, line: Line, shape: ChainShape, borders: np.ndarray, values: np.ndarray
    ):
        require_shape("values", values, shape.n_groups)
        require_shape("borders", borders, shape.n_groups - 1)
        require(shape.chain_size == 0, "there must be no keys")
        self._line, self._shape = line, shape
        self._borders, self._values = borders, values
        freeze(self, "_borders", "_values")

    @property
    def shape(self) -> ChainShape:
        """Numbers of groups, layers of borders and classes."""
        return self._shape

    @cached_property
    def layers(self) -> tuple[ExactLayer, ...]:
        """The layers, with weights that are integers and fractions of any length."""
        packed = self._values.astype(object)[:, np.newaxis]
        return tuple(border_layers(self._line, self._shape, self._borders, packed))

    _stages = BitExtractionNetwork._stages

    def forward(self, X) -> np.ndarray:
        """Evaluate the network exactly, up to rounding the output; see `Network`."""
        positions, n_bits = self._line.positions(X)
        values = self._values.astype(object)
        outputs = stepped(positions, n_bits, self._borders, values)
        return rounded_up(outputs, n_bits)[:, np.newaxis]
