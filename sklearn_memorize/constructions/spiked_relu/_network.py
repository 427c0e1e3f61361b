"""A smooth network of random ReLU units, with a spike at each sample."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from scipy import sparse

from ... import kernels
from ...kernels._threads import even_step, run_in_threads
from ...network import Layer, Network
from ...network._layer import freeze
from ...network._storage import require, require_shape, storable
from .._directions import project, project_on_few
from .._layers import exponents_of

# Rows are worked on in blocks of about this many values.
_BLOCK_VALUES = 1 << 20
# Units are cut off here, so that sums of them stay finite.
_LARGEST = 2.0**400


@storable
@dataclass(frozen=True, eq=False)
class SmoothPart:
    """g(x) = intercept + sum_j coefficient_j max(<w_j, x> + bias_j, 0).

    The hyperplanes are (n_hyperplanes, n_features), the coefficients (n_outputs,
    n_hyperplanes).
    """

    directions: np.ndarray = field(repr=False)
    biases: np.ndarray = field(repr=False)
    coefficients: np.ndarray = field(repr=False)
    intercepts: np.ndarray

    def __post_init__(self):
        freeze(self, "directions", "biases", "coefficients", "intercepts")
        require_shape("directions", self.directions, None, None)
        n_hyperplanes = len(self.directions)
        require_shape("biases", self.biases, n_hyperplanes)
        require_shape("intercepts", self.intercepts, None)
        n_outputs = len(self.intercepts)
        require_shape("coefficients", self.coefficients, n_outputs, n_hyperplanes)

    def values(self, X, n_threads: int = 1) -> np.ndarray:
        """Return g, (n_samples, n_outputs); each sum is taken in a fixed order."""
        found = np.empty((X.shape[0], len(self.intercepts)))

        def fill(block) -> None:
            units = hidden_units(X[block], self.directions, self.biases)
            found[block] = self.sums(units)

        blocks = _shared_blocks(X.shape[0], len(self.directions), n_threads)
        run_in_threads(fill, blocks, n_threads)
        return found

    def sums(self, units: np.ndarray) -> np.ndarray:
        """Return g from what `hidden_units` says."""
        return kernels.ordered_product(units, self.coefficients) + self.intercepts


def hidden_units(
    X, directions: np.ndarray, biases: np.ndarray, n_threads: int = 1
) -> np.ndarray:
    """Return max(<w_j, x> + bias_j, 0), (n_samples, n_hyperplanes)."""
    units = np.empty((X.shape[0], len(directions)))

    def fill(block) -> None:
        with np.errstate(over="ignore"):
            potential = project_on_few(X[block], directions) + biases
            np.clip(potential, 0.0, _LARGEST, out=units[block])

    blocks = _shared_blocks(X.shape[0], len(directions), n_threads)
    run_in_threads(fill, blocks, n_threads)
    return units


def _shared_blocks(n_rows: int, n_values: int, n_threads: int) -> list[slice]:
    """Cut rows into blocks of about a million values that threads share evenly."""
    step = even_step(n_rows, _BLOCK_VALUES // max(1, n_values), n_threads)
    return [slice(start, start + step) for start in range(0, n_rows, step)]


@storable
@dataclass(frozen=True, eq=False)
class Spikes:
    """Hats on a line, one for each sample.

    The hat of sample i is max(1 - |z - anchor_i| / width_i, 0) at the position z. The
    anchors increase, and no two hats overlap. `smooth` is what the smooth part says of
    the samples, in units of 2**exponents.
    """

    direction: np.ndarray = field(repr=False)  # what is projected on, (n_features,)
    anchors: np.ndarray = field(repr=False)  # (n_samples,)
    widths: np.ndarray = field(repr=False)
    smooth: np.ndarray = field(repr=False)  # (n_samples, n_outputs)
    targets: np.ndarray = field(repr=False)

    def __post_init__(self):
        freeze(self, "direction", "anchors", "widths", "smooth", "targets")
        require_shape("direction", self.direction, None)
        require_shape("anchors", self.anchors, None)
        n_samples = len(self.anchors)
        require(n_samples > 0, "there must be some anchors")
        require((self.anchors[1:] > self.anchors[:-1]).all(), "anchors must increase")
        require_shape("widths", self.widths, n_samples)
        require_shape("targets", self.targets, n_samples, None)
        require_shape("smooth", self.smooth, *self.targets.shape)

    @cached_property
    def exponents(self) -> np.ndarray:
        """Targets are between -2 and 2 in units of 2**exponents, (n_outputs,)."""
        return exponents_of(self.targets)

    @cached_property
    def scaled(self) -> np.ndarray:
        """The targets in these units."""
        return np.ldexp(self.targets, -self.exponents)

    @cached_property
    def heights(self) -> np.ndarray:
        """What is missing at the samples, in these units."""
        return self.scaled - self.smooth

    @property
    def low(self) -> np.ndarray:
        """The smallest targets, in these units."""
        return self.scaled.min(axis=0)

    @property
    def high(self) -> np.ndarray:
        """The largest targets, in these units."""
        return self.scaled.max(axis=0)

    @property
    def share(self) -> float:
        """The share of the line, from the first anchor to the last, that is in hats."""
        if len(self.anchors) == 1:
            return 0.0
        inside = 2 * self.widths.sum() - self.widths[0] - self.widths[-1]
        return float(inside / (self.anchors[-1] - self.anchors[0]))

    def nearest(self, positions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return in whose hat each position may be, and how high the hat is there."""
        right = np.searchsorted(self.anchors, positions)
        left = np.maximum(right - 1, 0)
        right = np.minimum(right, len(self.anchors) - 1)
        on_left, on_right = self._hat(left, positions), self._hat(right, positions)
        is_left = on_left > on_right
        return np.where(is_left, left, right), np.where(is_left, on_left, on_right)

    def _hat(self, number: np.ndarray, positions: np.ndarray) -> np.ndarray:
        with np.errstate(over="ignore"):
            away = np.abs(positions - self.anchors[number]) / self.widths[number]
        return np.maximum(1.0 - away, 0.0)


class SpikedNetwork(Network):
    """A smooth network of random ReLU units, with a spike at each sample.

    With the smooth part g, the hats s_i and the range [low, high] of the targets y_i,

        f(x) = min(max(g'(x) + sum_i (y_i - g'(x_i)) s_i(<v, x>), low), high),
        g'(x) = max(g(x), low).

    `forward` finds the one hat that an input may be in. At a sample it returns the
    target to the last bit; the layers, evaluated one after the other, carry rounding
    errors of about the length of the line over the width of a hat, in units of 2**-53.
    """

    def __init__(self, part: SmoothPart, spikes: Spikes):
        require_shape("direction", spikes.direction, part.directions.shape[1])
        require_shape("targets", spikes.targets, None, len(part.intercepts))
        self._part = part
        self._spikes = spikes

    @property
    def part(self) -> SmoothPart:
        """The smooth part."""
        return self._part

    @property
    def spikes(self) -> Spikes:
        """The spikes."""
        return self._spikes

    def forward(self, X, n_threads: int = 1) -> np.ndarray:
        """Evaluate the network; see `Network.forward`."""
        spikes = self._spikes
        smooth = self.smooth_values(X, n_threads)
        positions = project(X, spikes.direction[np.newaxis])[:, 0]
        number, hat = spikes.nearest(positions)
        value = smooth + hat[:, np.newaxis] * spikes.heights[number]
        value = np.ldexp(np.clip(value, spikes.low, spikes.high), spikes.exponents)
        low, high = spikes.targets.min(axis=0), spikes.targets.max(axis=0)
        # At the tip of a hat, g' + (y - g') is y, if nothing is rounded.
        at_tip = (positions == spikes.anchors[number])[:, np.newaxis]
        is_exact = at_tip & (smooth == spikes.smooth[number])
        return np.where(is_exact, spikes.targets[number], np.clip(value, low, high))

    def smooth_values(self, X, n_threads: int = 1) -> np.ndarray:
        """Return g', in units of 2**exponents, (n_samples, n_outputs)."""
        return np.maximum(self._part.values(X, n_threads), self._spikes.low)

    @property
    def n_inputs(self) -> int:
        """Number of input features."""
        return len(self._spikes.direction)

    @property
    def depth(self) -> int:
        """Number of layers of neurons, the output layer included."""
        return 4

    @property
    def widths(self) -> tuple[int, ...]:
        """Number of neurons in each layer, the output layer included."""
        n_samples, k = self._spikes.targets.shape
        return len(self._part.biases) + 1, k + 3 * n_samples, 2 * k, k

    @cached_property
    def layers(self) -> tuple[Layer, ...]:
        """Units and position; g' and hats; both clamps; targets.

        (1) u_j = max(<w_j, x> + b_j, 0), and z = max(<v, x> - start, 0), where `start`
            is to the left of all hats.
        (2) max(g - low, 0), and of each hat, of the width h around the anchor a, the
            corners max(z - c, 0) at c = a - h, a and a + h.
        (3) The sum of both, cut off below 0; and what of it exceeds high - low.
        (4) Their difference, in the units of the targets.
        """
        part, spikes = self._part, self._spikes
        n_samples, k = spikes.targets.shape
        n_hyperplanes = len(part.biases)
        start = spikes.anchors[0] - 2 * spikes.widths[0]
        first = Layer(
            np.vstack([part.directions, spikes.direction]),
            np.append(part.biases, -start),
            "relu",
        )
        corners = np.stack([-spikes.widths, np.zeros(n_samples), spikes.widths], axis=1)
        corners += (spikes.anchors - start)[:, np.newaxis]
        read_position = sparse.csr_array(
            (
                np.ones(3 * n_samples),
                np.full(3 * n_samples, n_hyperplanes),
                np.arange(3 * n_samples + 1),
            ),
            shape=(3 * n_samples, n_hyperplanes + 1),
        )
        read_units = sparse.csr_array(np.pad(part.coefficients, ((0, 0), (0, 1))))
        second = Layer(
            sparse.vstack([read_units, read_position], format="csr"),
            np.append(part.intercepts - spikes.low, -corners.ravel()),
            "relu",
        )
        slopes = (spikes.heights / spikes.widths[:, np.newaxis]).T
        hats = np.kron(slopes, np.array([1.0, -2.0, 1.0]))
        both = np.hstack([np.eye(k), hats])
        high = spikes.high - spikes.low
        third = Layer(np.vstack([both, both]), np.append(np.zeros(k), -high), "relu")
        units = np.diag(np.ldexp(1.0, spikes.exponents))
        last = Layer(np.hstack([units, -units]), spikes.targets.min(axis=0), "identity")
        return first, second, third, last
