"""A ReLU network of width 2, as the function of one variable that it is."""

from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property

import numpy as np

from ...network import Network
from ...network._layer import freeze
from ...network._storage import require, require_shape, storable
from ..bit_extraction._layers import ExactLayer, exact_layer
from ..bit_extraction._network import Line, OnALine, refuse_export, rounded_up

# Positions below this one are compared as 64-bit integers.
_LARGEST_POSITION = 1 << 61


@dataclass(frozen=True)
class NarrowShape:
    """The numbers that decide how large the network is."""

    n_knees: int  # without the one at 0
    n_folds: int

    @property
    def widths(self) -> tuple[int, ...]:
        """Number of neurons in each layer."""
        return (1, *[2] * (self.n_knees + self.n_folds), 1)

    @property
    def depth(self) -> int:
        """Number of layers."""
        return self.n_knees + self.n_folds + 2

    @property
    def n_neurons(self) -> int:
        """Number of neurons."""
        return 2 * (self.n_knees + self.n_folds + 1)

    def n_parameters(self, n_features: int) -> int:
        """Return the number of weights and biases that are not zero by design."""
        # z: d + 1. A knee: 4, and the first one 3. A fold: 6, and 3 of the output. The
        # first fold reads z alone if there are no knees.
        fewer = 1 if self.n_knees else 2
        return n_features + 4 * self.n_knees + 6 * self.n_folds + 4 - fewer


@storable
@dataclass(frozen=True, eq=False)
class Pieces:
    """A piecewise linear function h of z >= 0 with h(0) = 0.

    It nowhere decreases, and is constant behind the last knee.
    """

    knees: np.ndarray  # increasing integers, the first one is 0
    slopes: np.ndarray  # behind each knee, as Python integers in units of 2**-n_bits
    n_bits: int

    def __post_init__(self):
        freeze(self, "knees", "slopes")
        require_shape("knees", self.knees, None)
        require_shape("slopes", self.slopes, len(self.knees))
        require(len(self.knees) and self.knees[0] == 0, "the first knee must be 0")
        require((self.slopes >= 0).all(), "slopes must not be negative")
        require(self.slopes[-1] == 0, "the last slope must be 0")

    @cached_property
    def heights(self) -> np.ndarray:
        """The values of h at the knees, in units of 2**-n_bits."""
        rises = self.slopes[:-1] * np.diff(self.knees.astype(object))
        return np.array([0, *np.cumsum(rises)], dtype=object)

    def values(self, positions, n_bits: int) -> np.ndarray:
        """Return h at positions in units of 2**-n_bits, as integers.

        They are in units of 2**-(self.n_bits + n_bits).
        """
        floor = positions >> n_bits
        if self.knees.dtype != object:
            floor = np.minimum(floor, _LARGEST_POSITION).astype(np.int64)
        piece = np.searchsorted(self.knees, floor, side="right") - 1
        beyond = positions - (self.knees[piece].astype(object) << n_bits)
        return (self.heights[piece] << n_bits) + self.slopes[piece] * beyond


class NarrowNetwork(OnALine, Network):
    """A ReLU network of at most two nodes a layer.

    Its output is between c and c + 1 at the training samples of class number c.
    Weights are integers and binary fractions; `forward` computes with them exactly, in
    closed form.
    """

    def __init__(self, line: Line, pieces: Pieces, n_classes: int, n_folds: int):
        require(n_folds >= 1, "there must be a fold")
        top = n_classes << (n_folds + pieces.n_bits)
        require(pieces.heights[-1] <= top, "there must be as many folds as it takes")
        self._line = line
        self._pieces = pieces
        self._n_classes = n_classes
        self._n_folds = n_folds

    @property
    def pieces(self) -> Pieces:
        """What is folded, as a function of the position on the line."""
        return self._pieces

    @property
    def shape(self) -> NarrowShape:
        """Numbers of knees and folds."""
        return NarrowShape(len(self._pieces.knees) - 1, self._n_folds)

    @cached_property
    def layers(self) -> tuple[ExactLayer, ...]:
        """The layers, with weights that are integers and fractions of any length."""
        return (
            exact_layer([[*self._line.weights(), self._line.shift]]),
            *_layers_of_knees(self._pieces),
            *_layers_of_folds(self._pieces, self._n_classes, self._n_folds),
        )

    @property
    def _stages(self) -> tuple:
        bits = int(self._pieces.heights[-1]).bit_length()
        return refuse_export(
            f"The sums of this network have up to {bits:,} bits, and as many more as "
            "the positions of rows have behind the point"
        )

    def forward(self, X) -> np.ndarray:
        """Evaluate the network exactly; see `Network.forward`.

        The output is rounded up to a multiple of 2**-32 at the end: rounding up keeps
        on which side of an integer it is.
        """
        positions, n_bits = self._line.positions(X)
        h = self._pieces.values(positions, n_bits)
        n_bits += self._pieces.n_bits
        period = 2 * self._n_classes << n_bits
        place = h % period
        folded = np.minimum(place, period - place)
        return rounded_up(folded, n_bits)[:, np.newaxis]


def _changes(pieces: Pieces) -> list:
    """Return by how much the slope changes at each knee, as fractions."""
    slopes = [0, *pieces.slopes.tolist()]
    return [
        Fraction(int(after) - int(before), 1 << pieces.n_bits)
        for before, after in zip(slopes, slopes[1:], strict=False)
    ]


def _layers_of_knees(pieces: Pieces) -> list[ExactLayer]:
    """Return one layer a knee: r = ReLU(z - knee), and the sum of what is before it.

    r_k = ReLU(r_(k - 1) - t_k + t_(k - 1)), and with w the change of the slope,
    a_k = ReLU(a_(k - 1) + w_(k - 1) r_(k - 1)), where r_0 = z and a_0 = 0.
    """
    steps = [int(step) for step in np.diff(pieces.knees.astype(object))]
    layers = []
    for number, (step, change) in enumerate(zip(steps, _changes(pieces), strict=False)):
        if number:
            layers.append(exact_layer([[1, 0, -step], [change, 1, 0]]))
        else:
            layers.append(exact_layer([[1, -step], [change, 0]]))
    return layers


def _layers_of_folds(pieces: Pieces, n_classes: int, n_folds: int) -> list[ExactLayer]:
    """Return the layers |h - C 2^(F - 1)|, and so on, and the output C - |..|."""
    last = _changes(pieces)[-1]
    sums = [[last, 1] if len(pieces.knees) > 1 else [last], *[[1, 1]] * n_folds]
    layers = []
    for fold, weights in zip(range(n_folds - 1, -1, -1), sums, strict=False):
        middle = n_classes << fold
        rows = [[*weights, -middle], [*(-weight for weight in weights), middle]]
        layers.append(exact_layer(rows))
    return [*layers, exact_layer([[-1, -1, n_classes]], "identity")]
