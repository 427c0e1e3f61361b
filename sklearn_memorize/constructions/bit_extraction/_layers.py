"""The layers that unpack keys bit by bit, written out and run in integers."""

from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from numbers import Rational
from typing import ClassVar

import numpy as np

from ...network import Layer
from ...network._storage import storable


class ExactLayer(Layer):
    """A layer whose weights and biases are Python integers and fractions."""

    _dtype_kinds: ClassVar[str] = "O"

    def numbers(self) -> list:
        """Return the nonzero weights and biases."""
        both = (*self.weights.flat, *self.biases.flat)
        return [number for number in both if number]

    @property
    def n_parameters(self) -> int:
        return len(self.numbers())

    def forward(self, inputs: np.ndarray) -> np.ndarray:
        """Evaluate the layer as a textbook does, in rational arithmetic.

        Inputs and outputs are arrays of Python integers and fractions.
        """
        inputs = np.asarray(inputs)
        exact = inputs.dtype == object and all(
            isinstance(number, Rational) for number in inputs.flat
        )
        if not exact:
            raise TypeError(
                "Floating point numbers cannot hold what this layer computes. Pass "
                "Python integers or fractions, as in "
                "np.vectorize(Fraction, otypes=[object])(X), or evaluate the whole "
                "network by its own `forward`, which is exact."
            )
        potential = inputs @ self.weights.T + self.biases
        return np.maximum(potential, 0) if self.activation == "relu" else potential


def written_digits(number) -> int:
    """Return how many binary digits a dyadic fraction has when it is written out.

    Those before the point, those after it, and one for a minus sign.

    >>> from fractions import Fraction
    >>> from sklearn_memorize.constructions.bit_extraction._layers import written_digits
    >>> written_digits(-4), written_digits(Fraction(3, 8))
    (4, 3)
    """
    number = Fraction(number)
    before = int(abs(number)).bit_length()
    return before + number.denominator.bit_length() - 1 + (number < 0)


@storable
@dataclass(frozen=True)
class Shape:
    """The numbers that decide how large the network is."""

    n_groups: int
    group_size: int  # largest number q of keys in a group
    first_bits: int  # number of bits of the first key of a group
    difference_bits: int  # and of the difference of two consecutive keys
    n_classes: int

    @property
    def n_bits(self) -> int:
        """Number of bits of a packed integer."""
        return self.first_bits + (self.group_size - 1) * self.difference_bits

    @property
    def longest_difference(self) -> int:
        """The largest difference of two keys that the bits can hold."""
        return max(1, (1 << self.difference_bits) - 1)

    @property
    def output_bits(self) -> int:
        """Number of bits, below those of the packed integer, that hold the output."""
        return (self.n_classes + 1).bit_length() + 1

    @property
    def bits_per_weight(self) -> int:
        """Number of bits, with a sign, of the longest weight after the first layer."""
        return self.n_bits + self.output_bits + 1

    @cached_property
    def widths(self) -> tuple[int, ...]:
        """Number of neurons in each layer."""
        widths = [1, 2 * self.n_groups - 1, 2]
        for key in range(self.group_size):
            widths += [7 if key else 4, 2]
            widths += [4, 2] * (self.bits_of(key) - 1)
        return (*widths, 4, 1)

    @property
    def depth(self) -> int:
        """Number of layers."""
        return 5 + 2 * self.n_bits

    @property
    def n_neurons(self) -> int:
        """Number of neurons."""
        return 2 * self.n_groups + 6 * self.n_bits + 3 * (self.group_size - 1) + 7

    def n_parameters(self, n_features: int) -> int:
        """Return the number of weights and biases that are not zero by design."""
        borders = 6 * (self.n_groups - 1)
        keys = 10 * self.n_bits + 13 * (self.group_size - 1)
        return n_features + borders + keys + 20

    def bits_of(self, key: int) -> int:
        """Return the number of bits of the key or difference of this number."""
        return self.difference_bits if key else self.first_bits

    def rest(self, key: int) -> int:
        """Return how many bits are left once a key has been unpacked."""
        return (self.group_size - 1 - key) * self.difference_bits

    def tent(self, above, n_bits: int):
        """Return what a key at distance `above` below z puts out.

        ReLU(y) - (C + 1) ReLU(y - C) + C ReLU(y - C - 1): y up to C, then down to 0.
        """
        C, one = self.n_classes, 1 << n_bits
        first, second, third = (
            np.maximum(above - knee * one, 0) for knee in (0, C, C + 1)
        )
        return first - (C + 1) * second + C * third

    def run(self, z, packed, n_bits: int) -> tuple[np.ndarray, int]:
        """Run all layers after the third one on positions z and packed keys.

        These are arrays of Python integers, in units of 2**-n_bits; so are the outputs,
        with the number of bits that is returned beside them.
        """
        a = self.output_bits
        # u holds the bits that are left, and the output below them.
        u = np.maximum(packed << a, 0)
        # v = y + 1 - u / 2^(a + rest), where y = z - key once the key is unpacked.
        scale = a + self.rest(0)
        z, u_scaled, u, n_bits = z << scale, u, u << scale, n_bits + scale
        v = np.maximum(z + (1 << n_bits) - u_scaled, 0)
        u = self._unpack(u, 0, np.zeros_like(u), n_bits)
        for key in range(1, self.group_size):
            scale, step = a + self.rest(key - 1), self.difference_bits
            # u / 2^scale is u in units of 2^-(n_bits + scale).
            v, u_scaled, u, n_bits = v << scale, u, u << scale, n_bits + scale
            y = v - (1 << n_bits) + u_scaled
            v = np.maximum(v + u_scaled - (u_scaled << step), 0)
            u = self._unpack(u, key, self.tent(y, n_bits), n_bits)
            (u, v), n_bits = _shortened((u, v), n_bits)
        v, u_scaled, u, n_bits = v << a, u, u << a, n_bits + a
        return u + self.tent(v - (1 << n_bits) + u_scaled, n_bits), n_bits

    def _unpack(self, u, key: int, output, n_bits: int):
        """Take the bits of a key off u, and add to the output."""
        left = self.rest(key) + self.bits_of(key)
        for bit in range(left - 1, self.rest(key) - 1, -1):
            top = 1 << (self.output_bits + bit)
            half = 1 << (self.output_bits - 1)
            rise = np.maximum(u - ((top - half) << n_bits), 0)
            rise = rise - np.maximum(u - (top << n_bits), 0)
            u = np.maximum(u - (2 << bit) * rise + output, 0)
            output = 0
        return u


def _shortened(registers, n_bits: int):
    """Drop the zeros that all numbers end in, as far as there are bits."""
    ends = np.bitwise_or.reduce(np.concatenate(registers))
    n_zeros = min(n_bits, (ends & -ends).bit_length() - 1) if ends else n_bits
    return [each >> n_zeros for each in registers], n_bits - n_zeros


def chain_layers(line, shape: Shape, memory) -> tuple[ExactLayer, ...]:
    """Write the layers out."""
    return (*_first_layers(line, shape, memory), *_unpacking_layers(shape))


def exact_layer(rows, activation="relu") -> ExactLayer:
    """Return a layer from rows that end in the bias."""
    table = np.empty((len(rows), len(rows[0])), dtype=object)
    table[:] = rows
    return ExactLayer(table[:, :-1].copy(), table[:, -1].copy(), activation)


def _first_layers(line, shape: Shape, memory) -> list[ExactLayer]:
    """Return the layers from the rows to u and z."""
    a = shape.output_bits
    borders = [int(border) for border in memory.borders]
    packed = [int(number) << a for number in memory.packed]
    knees = [[1, 0]]
    u = [0]
    for number, border in enumerate(borders):
        knees += [[1, -border], [1, -border - 1]]
        jump = packed[number + 1] - packed[number]
        u += [jump, -jump]
    z = [1] + [0] * (2 * len(borders) + 1)
    return [
        exact_layer([[*line.weights(), line.shift]]),
        exact_layer(knees),
        exact_layer([[*u, packed[0]], z]),
    ]


def _unpacking_layers(shape: Shape) -> list[ExactLayer]:
    """Return the layers from u and z to the output."""
    a, C = shape.output_bits, shape.n_classes
    layers = []
    for key in range(shape.group_size):
        rest = shape.rest(key)
        unit = Fraction(1, 1 << (a + rest))
        difference, tents = [-unit, 1, 1], []
        if key:
            before = Fraction(1, 1 << (a + shape.rest(key - 1)))
            difference = [before - unit, 1, 0]
            tents = [[before, 1, -1 - knee] for knee in (0, C, C + 1)]
        for bit in range(rest + shape.bits_of(key) - 1, rest - 1, -1):
            top, half = 1 << (a + bit), 1 << (a - 1)
            rows = [[1, 0, 0], [1, 0, half - top], [1, 0, -top], difference]
            layers.append(exact_layer(rows + tents))
            weight = 2 << bit
            u = [1, -weight, weight, 0, *([1, -C - 1, C] if tents else []), 0]
            v = [0, 0, 0, 1, *[0] * len(tents), 0]
            layers.append(exact_layer([u, v]))
            difference, tents = [0, 1, 0], []
    unit = Fraction(1, 1 << a)
    tents = [[unit, 1, -1 - knee] for knee in (0, C, C + 1)]
    layers.append(exact_layer([[1, 0, 0], *tents]))
    layers.append(exact_layer([[1, 1, -C - 1, C, 0]], "identity"))
    return layers
