"""A deep ReLU network whose weights are too long for floating point numbers."""

from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import Any

import numpy as np

from ...exact._products import exact_products, integer_weights
from ...network import Network
from ...network._layer import freeze
from ...network._storage import require, require_shape, storable
from ._layers import ExactLayer, Shape, chain_layers, written_digits

# Outputs are rounded up to a multiple of 2**-32.
_OUTPUT_BITS = 32
# Positions below this one are compared as 64-bit integers.
_LARGEST_POSITION = 1 << 61


@storable
@dataclass(frozen=True, eq=False)
class Line:
    """The first layer, z = ReLU(multiplier * 2**exponent * <direction, x> + shift)."""

    direction: np.ndarray
    multiplier: int
    exponent: int
    shift: int

    def __post_init__(self):
        require_shape("direction", self.direction, None)

    def positions(self, X) -> tuple[np.ndarray, int]:
        """Return integers Z and a number F >= 0 with z = Z * 2**-F, exactly."""
        products = exact_products(X, self.direction)
        exponent = min(0, products.exponent + self.exponent)
        values = products.in_units(exponent - self.exponent) * self.multiplier
        return np.maximum(values + (self.shift << -exponent), 0), -exponent

    @property
    def bits_per_weight(self) -> int:
        """Number of binary digits of the longest weight or bias."""
        return max(map(written_digits, (*self.weights(), self.shift)))

    def weights(self) -> list[Fraction]:
        """Return the weights of the first layer."""
        mantissas, exponents = integer_weights(self.direction)
        return [
            self.multiplier * int(m) * Fraction(2) ** (self.exponent + int(e))
            for m, e in zip(mantissas, exponents, strict=True)
        ]


@storable
@dataclass(frozen=True, eq=False)
class PackedKeys:
    """The keys of all samples, and what says which of them belong together.

    Keys are increasing integers: sample i has its label at positions z with
    `label < z - keys[i] <= label + 1`.
    """

    keys: np.ndarray  # (n_samples,)
    # Group j holds the keys starts[j] .. starts[j + 1] - 1; (n_groups + 1,).
    starts: np.ndarray
    # Between borders[j] and borders[j] + 1 group j turns into group j + 1.
    borders: np.ndarray
    # The first key of a group and the differences of its keys, one after the other, in
    # one Python integer.
    packed: np.ndarray

    def __post_init__(self):
        freeze(self, "keys", "starts", "borders", "packed")
        n_groups = len(self.packed)
        require_shape("keys", self.keys, None)
        require_shape("packed", self.packed, n_groups)
        require_shape("starts", self.starts, n_groups + 1)
        require_shape("borders", self.borders, n_groups - 1)
        ends = self.starts[-1] == len(self.keys)
        require(ends, "starts must end with the number of keys")


class OnALine:
    """What networks share that start with a position on a line, and are exact.

    They have a `_line`, a `shape` and `layers` of Python integers and fractions.
    """

    _line: Line
    shape: Any
    layers: Any

    @property
    def direction(self) -> np.ndarray:
        """What the inputs are projected on, of shape (n_features,)."""
        return self._line.direction

    @property
    def n_inputs(self) -> int:
        return len(self._line.direction)

    @property
    def depth(self) -> int:
        return len(self.widths)

    @property
    def widths(self) -> tuple[int, ...]:
        return self.shape.widths

    @cached_property
    def n_parameters(self) -> int:
        return sum(layer.n_parameters for layer in self.layers)

    @cached_property
    def bits_per_weight(self) -> int:
        """Number of binary digits of the longest weight or bias, its sign included."""
        return max(written_digits(n) for layer in self.layers for n in layer.numbers())

    @cached_property
    def bits_per_parameter(self) -> float:
        """Mean number of binary digits of the nonzero weights and biases."""
        numbers = [number for layer in self.layers for number in layer.numbers()]
        return sum(map(written_digits, numbers)) / len(numbers)


class BitExtractionNetwork(OnALine, Network):
    """A narrow, deep ReLU network that unpacks keys and labels from long integers.

    The first layers turn a row into its position z on a line, and z into the packed
    keys of the group around it. The others unpack these bit by bit, and put out
    `z - key` if that lies between 0 and `n_classes`, and else 0: more than c and at
    most c + 1 at the training samples of class number c.

    Weights and positions are integers and dyadic fractions of hundreds of bits, and
    `forward` computes with them exactly: in closed form for positions in a group,
    layer by layer for those between two groups, or within reach of two keys.
    """

    def __init__(self, line: Line, shape: Shape, memory: PackedKeys):
        self._line = line
        self._shape = shape
        self._memory = memory

    @property
    def shape(self) -> Shape:
        """Numbers of groups, keys in a group, bits and classes."""
        return self._shape

    @cached_property
    def bits_per_weight(self) -> int:
        """Number of binary digits of the longest weight or bias, its sign included."""
        return max(self._line.bits_per_weight, self._shape.bits_per_weight)

    @cached_property
    def layers(self) -> tuple[ExactLayer, ...]:
        """The layers, with weights that are integers and fractions of any length."""
        return chain_layers(self._line, self._shape, self._memory)

    @property
    def _stages(self) -> tuple:
        longest = (
            f"The weights of this network have up to {self.bits_per_weight:,} bits"
        )
        return refuse_export(longest)

    def forward(self, X) -> np.ndarray:
        """Evaluate the network exactly; see `Network.forward`.

        The output is rounded up to a multiple of 2**-32 at the end: rounding up keeps
        on which side of an integer it is.
        """
        positions, n_bits = self._line.positions(X)
        outputs = np.zeros(len(positions))
        in_closed_form, values = self._look_up(positions, n_bits)
        outputs[in_closed_form] = rounded_up(values, n_bits)
        others = np.setdiff1d(np.arange(len(positions)), in_closed_form)
        if len(others):
            outputs[others] = self._run_layers(positions[others], n_bits)
        return outputs[:, np.newaxis]

    def _look_up(self, positions, n_bits: int) -> tuple[np.ndarray, np.ndarray]:
        """Return the rows for which there is a closed form, and their outputs.

        At most one key has z within reach there. Outputs are in units of 2**-n_bits.
        """
        keys, starts = self._memory.keys, self._memory.starts
        floor = positions >> n_bits
        ceiling = -((-positions) >> n_bits)
        if keys.dtype != object:
            floor = np.minimum(floor, _LARGEST_POSITION).astype(np.int64)
            ceiling = np.minimum(ceiling, _LARGEST_POSITION).astype(np.int64)
        border = np.searchsorted(self._memory.borders, ceiling, side="left") - 1
        group = border + 1
        # On the ramp: border < z < border + 1.
        between = np.zeros(len(positions), dtype=bool)
        if len(self._memory.borders):
            beyond = self._memory.borders[np.maximum(border, 0)]
            between = (border >= 0) & (floor == beyond) & (ceiling > floor)
        # The last key below z + 1, and the one before it.
        last = np.searchsorted(keys, ceiling + 1, side="left") - 1
        last = np.minimum(last, starts[group + 1] - 1)
        key = keys[np.maximum(last, 0)]
        # Short groups repeat the longest difference after their last key.
        n_missing = self._n_missing(starts[group + 1] - starts[group])
        at_end = last == starts[group + 1] - 1
        longest = self._shape.longest_difference
        n_steps = np.where(at_end, np.minimum((ceiling - key) // longest, n_missing), 0)
        n_steps = np.maximum(n_steps, 0)
        before = keys[np.maximum(last - 1, 0)]
        before = np.where(n_steps > 0, key + (n_steps - 1) * longest, before)
        key = key + n_steps * longest
        reach = self._shape.n_classes + 1
        has_key = last >= starts[group]
        has_two = (n_steps > 0) | (last > starts[group])
        within_two = has_key & has_two & (ceiling - before <= reach)
        rows = np.flatnonzero(~between & ~within_two)
        values = np.zeros(len(rows), dtype=object)
        near = has_key[rows] & (ceiling[rows] > key[rows])
        near &= ceiling[rows] - key[rows] <= reach
        found = rows[near]
        if len(found):
            above = positions[found] - (key[found].astype(object) << n_bits)
            values[near] = self._shape.tent(above, n_bits)
        return rows, values

    def _n_missing(self, n_keys):
        """Return how many keys are filled in after so many keys of a group."""
        return self._shape.group_size - n_keys

    def _run_layers(self, positions, n_bits: int) -> np.ndarray:
        """Evaluate the layers one after the other, in integers."""
        packed = stepped(positions, n_bits, self._memory.borders, self._memory.packed)
        outputs, n_bits = self._shape.run(positions, packed, n_bits)
        return rounded_up(outputs, n_bits)


def refuse_export(why: str) -> tuple:
    """Raise a TypeError: neither ONNX nor PyTorch has numbers of so many bits."""
    raise TypeError(
        f"{why}. Floating point numbers cannot hold them, so it cannot be exported. "
        "Its `forward` is exact, and its `layers` hold Python integers and fractions."
    )


def stepped(positions, n_bits: int, borders, values) -> np.ndarray:
    """Return what two ReLU nodes at each border say, in units of 2**-n_bits.

    That is values[j] in group j, and in between what is on the ramp.
    """
    ceiling = -((-positions) >> n_bits)
    if borders.dtype != object:
        ceiling = np.minimum(ceiling, _LARGEST_POSITION).astype(np.int64)
    border = np.searchsorted(borders, ceiling, side="left") - 1
    outputs = values[np.maximum(border, 0)] << n_bits
    if len(borders):
        jump = values[1:] - values[:-1]
        start = borders[np.maximum(border, 0)].astype(object) << n_bits
        ramp = np.clip(positions - start, 0, 1 << n_bits)
        outputs = outputs + np.where(border >= 0, jump[np.maximum(border, 0)], 0) * ramp
    return outputs


def rounded_up(values, n_bits: int) -> np.ndarray:
    """Return `values * 2**-n_bits` rounded up to multiples of 2**-32."""
    values = values << max(0, _OUTPUT_BITS - n_bits)
    n_lost = max(0, n_bits - _OUTPUT_BITS)
    return np.ldexp((-((-values) >> n_lost)).astype(np.float64), -_OUTPUT_BITS)
