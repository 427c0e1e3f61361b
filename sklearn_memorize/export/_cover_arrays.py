"""What exported networks compute, as arrays: for PyTorch and ONNX alike."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from ..constructions.random_hyperplanes._exact_hyperplanes import AxisHyperplanes
from ..constructions.random_hyperplanes._hyperplane_layer import HyperplaneLayer
from ..constructions.random_hyperplanes._network import Covering
from ..constructions.random_hyperplanes._relu_codes import ReLUCodes
from ..exact._signs import _leading_bits
from ..network._layer import Layer


def around_shift(
    hyperplanes: HyperplaneLayer, activation
) -> tuple[Layer, np.ndarray | None]:
    """Return the layer as a function of `x - shift`, and the shift, without `axis`.

    Far from the origin `<w, x>` and `b` are large and nearly cancel; rounded, they
    lose the sign. `<w, x - shift> + (b + <w, shift>)` does not, where the last term is
    rounded once. The shift is None where the data lie around the origin.
    """
    hyperplanes = replace(hyperplanes, axis=AxisHyperplanes.none())
    layer, shift = hyperplanes.layer(activation), hyperplanes.shift
    if shift is None or not shift.any() or hyperplanes.is_sparse:
        return layer, None
    # The products of a single with the two halves of a double are exact.
    shift = np.asarray(shift, dtype=np.float64)
    high = _leading_bits(shift)
    directions = hyperplanes.directions.astype(np.float64)
    biases = [
        math.fsum((bias, *(direction * high), *(direction * (shift - high))))
        for direction, bias in zip(directions, hyperplanes.biases, strict=True)
    ]
    return Layer(layer.weights, np.array(biases), activation), shift


@dataclass(frozen=True, eq=False)
class CoverArrays:
    """The arrays that one covering is evaluated with, in the units of the data.

    `n_votes` margins of a class are averaged.
    """

    covering: Covering
    n_votes: int

    @property
    def is_relu(self) -> bool:
        """Whether the codes are real numbers, and not bits."""
        return self.covering.activation == "relu"

    @property
    def unit(self) -> float:
        """ReLU outputs are rounded up to a multiple of this, a power of two."""
        return self.covering.bound_unit

    @property
    def cap(self) -> float:
        """Largest output of a hyperplane, in units."""
        if not self.is_relu:
            return 1.0
        return ReLUCodes.empty(0, self.covering.hyperplanes.n_hyperplanes).cap

    @property
    def n_summed(self) -> np.ndarray:
        """Number of margins that are summed, for each class."""
        widths = self.covering.widths
        return np.minimum(widths, min(self.n_votes, max(1, widths.max())))

    @property
    def counted(self) -> np.ndarray:
        """Which of the sorted margins of a class are summed, (n_classes, n_votes)."""
        n_summed = self.n_summed
        return np.arange(n_summed.max(initial=1)) < n_summed[:, np.newaxis]

    @property
    def seats(self) -> np.ndarray:
        """The neurons of each class, (n_classes, largest width).

        Classes of fewer neurons are filled up with neuron number `n_neurons`, which
        does not exist, and whose margin is below all others.
        """
        starts, widths = self.covering.starts[:-1], self.covering.widths
        rank = np.arange(max(1, widths.max()))
        table = starts[:, np.newaxis] + rank
        empty = rank >= widths[:, np.newaxis]
        return np.where(empty, self.covering.n_neurons, table).astype(np.int64)

    @property
    def divisors(self) -> np.ndarray:
        """What the sum of the margins of each class is divided by, in units."""
        n_hyperplanes = self.covering.hyperplanes.n_hyperplanes
        divisors = n_hyperplanes * np.maximum(self.n_summed, 1).astype(np.float64)
        scale = np.ldexp(1.0, self.covering.hyperplanes.exponent) / self.unit
        return divisors * scale if self.is_relu else divisors

    @property
    def lowest(self) -> float:
        """The margin of a class without a neuron."""
        return -1e9 if self.is_relu else -1.0
