"""A ReLU network of one projection, evaluated where it is well conditioned."""

from dataclasses import dataclass

import numpy as np

from ...network import LayeredNetwork
from ...network._layer import freeze, frozen
from ...network._storage import require_shape, storable
from .._directions import project


@storable
@dataclass(frozen=True)
class LineFunction:
    """What the network does on a line, sample by sample.

    There is one anchor for each memorized sample, and for the padding of the last
    group. An anchor has the slope of the second-layer node that is responsible for it.
    """

    anchors: np.ndarray  # increasing positions, (n_anchors,)
    values: np.ndarray  # what the network says there in [-1, 1], (n_anchors, n_outputs)
    slopes: np.ndarray  # (n_anchors, n_outputs)
    # Where one group ends and the next begins, for neighbouring anchors of different
    # groups; NaN for neighbours in one group. (n_anchors - 1,)
    borders: np.ndarray

    def __post_init__(self):
        freeze(self, "anchors", "values", "slopes", "borders")
        require_shape("anchors", self.anchors, None)
        require_shape("values", self.values, len(self.anchors), None)
        require_shape("slopes", self.slopes, *self.values.shape)
        require_shape("borders", self.borders, len(self.anchors) - 1)

    def evaluate(self, positions: np.ndarray) -> np.ndarray:
        """Return the outputs, of shape (n_positions, n_outputs)."""
        right = np.searchsorted(self.anchors, positions, side="right")
        left = np.clip(right - 1, 0, None)
        right = np.clip(right, None, len(self.anchors) - 1)
        from_left = self._node(left, positions)
        from_right = self._node(right, positions)
        border = self.borders[np.minimum(left, len(self.borders) - 1)][:, np.newaxis]
        # Neighbours in one group: where one of the two nodes reads its anchor's
        # value, the other is saturated at the common sign of the two slopes.
        saturated = np.sign(self.slopes[left])
        outside = (left == right)[:, np.newaxis]
        within = np.where(outside, from_left, from_left + (from_right - saturated))
        across = np.where(positions[:, np.newaxis] <= border, from_left, from_right)
        return np.where(np.isnan(border), within, across)

    def _node(self, number, positions) -> np.ndarray:
        offsets = (positions - self.anchors[number])[:, np.newaxis]
        potential = self.values[number] + self.slopes[number] * offsets
        return np.clip(potential, -1.0, 1.0)


class SmallReLUNetwork(LayeredNetwork):
    """A ReLU network that reads its input through one projection.

    Between two neighbouring samples on the line all second-layer nodes are saturated
    but two. `forward` finds these two, and evaluates them around their samples:
    the same function as `layers`, without the rounding errors of large sums. At a
    memorized sample it returns the memorized value to the last bit, whereas the
    layers, evaluated one after the other in double precision, carry an error of about
    the largest slope times the spacing of floating-point numbers.

    `layers` is the textbook form. The inputs are projected on `direction`, and the
    output is `offset + scale * function(projection)`, with one offset and one scale for
    each output.
    """

    def __init__(self, layers, direction, function: LineFunction, offset, scale):
        super().__init__(layers)
        n_outputs = self.widths[-1]
        require_shape("direction", direction, self.n_inputs)
        require_shape("offset", offset, n_outputs)
        require_shape("scale", scale, n_outputs)
        require_shape("values", function.values, None, n_outputs)
        self._direction = frozen(direction)
        self._function = function
        self._offset = frozen(offset)
        self._scale = frozen(scale)

    @property
    def direction(self) -> np.ndarray:
        """What the inputs are projected on, of shape (n_features,)."""
        return self._direction

    @property
    def smallest_gap(self) -> float:
        """Smallest distance of two samples on the line."""
        anchors = self._function.anchors
        return float(np.diff(anchors).min()) if len(anchors) > 1 else np.inf

    @property
    def largest_slope(self) -> float:
        """Largest slope of a second-layer node along the line."""
        return float(np.abs(self._function.slopes).max())

    def forward(self, X) -> np.ndarray:
        positions = project(X, self._direction[np.newaxis])[:, 0]
        with np.errstate(over="ignore"):
            return self._offset + self._scale * self._function.evaluate(positions)
