"""Slabs: two threshold units for each, or four ReLU units that hold a ramp."""

from dataclasses import dataclass, field

import numpy as np
from scipy import sparse

from ... import kernels
from ..._estimator._probabilities import row_sums
from ...kernels._memory import blocks_of_rows
from ...kernels._threads import run_in_threads
from ...network import Layer, LayeredNetwork
from ...network._layer import freeze, frozen
from ...network._storage import require, require_shape, storable
from .._directions import project

# Rows are worked on in blocks of about this many values.
_BLOCK_VALUES = 1 << 20
_LARGEST = np.finfo(np.float64).max


@storable
@dataclass(frozen=True)
class Slab:
    """The set of x with lower < <normal, x> <= upper, built for the points `members`.

    The normal vector is of shape (n_features,), the members are positions.
    """

    normal: np.ndarray = field(repr=False)
    lower: float
    upper: float
    members: np.ndarray = field(repr=False)

    def __post_init__(self):
        require_shape("normal", self.normal, None)
        require_shape("lower", self.lower)
        require_shape("upper", self.upper)


class SlabNetwork(LayeredNetwork):
    """Two threshold units for each slab, then one unit for each class.

    `labels` are the class numbers of the slabs, and what lies in no slab belongs to
    the class `default`. Of two classes the second one alone has a unit.
    """

    def __init__(self, slabs, labels, n_classes: int, default: int):
        self._normals = np.array([slab.normal for slab in slabs])
        self._lower = np.array([slab.lower for slab in slabs])
        self._upper = np.array([slab.upper for slab in slabs])
        self._rest = {"labels": labels, "n_classes": n_classes, "default": default}
        # u_i = [<a_i, x> > lower_i], v_i = [<a_i, x> > upper_i], and u_i - v_i is 1
        # in slab i and 0 elsewhere.
        # Class c: [sum over its slabs (u_i - v_i) > 0]; default: [1 - sum (...) > 0].
        member = (np.arange(n_classes)[:, np.newaxis] == labels) * 1
        member[default] = -1
        biases = (np.arange(n_classes) == default) * 1
        if n_classes == 2:
            member, biases = member[1:], biases[1:]
        # Sums of so small integers are exact in single precision.
        self._member = member.T.astype(np.float32)
        weights = np.vstack([self._normals, self._normals])
        super().__init__(
            [
                Layer(weights, -np.append(self._lower, self._upper), "threshold"),
                Layer(np.hstack([member, -member]), biases, "threshold"),
            ]
        )

    def _stored(self) -> dict:
        nobody = np.empty(0, dtype=np.intp)
        bounds = zip(self._normals, self._lower, self._upper, strict=True)
        slabs = [Slab(a, float(low), float(up), nobody) for a, low, up in bounds]
        return {"slabs": slabs, **self._rest}

    def forward(self, X, n_threads: int = 1) -> np.ndarray:
        """Evaluate the network, each sum in a fixed order; see `Network.forward`."""
        blocks = blocks_of_rows(X.shape[0], max(self._normals.shape), _BLOCK_VALUES)
        parts = run_in_threads(
            lambda block: self._class_units(X[block]), blocks, n_threads
        )
        return np.concatenate(parts)

    def certified_radii(self, X, labels, metric: str) -> np.ndarray:
        """Return the distance of each row to the nearest border of a slab.

        It is rounded downwards, as `forward` may round values up or down.
        """
        blocks = blocks_of_rows(X.shape[0], max(self._normals.shape))
        return np.concatenate([self._to_borders(X[block], metric) for block in blocks])

    def _to_borders(self, rows, metric) -> np.ndarray:
        rows = rows.toarray() if sparse.issparse(rows) else rows
        sizes = np.abs(self._normals)
        # Squares of sizes in units of the largest one neither over- nor underflow.
        units = sizes.max(axis=1, initial=0.0)
        shares = sizes / np.where(units > 0, units, 1.0)[:, np.newaxis]
        # A sum of d products is wrong by d + 1 roundings of the sum of the sizes, here
        # and at a point of the ball, where these are larger by norm times radius.
        unit = (rows.shape[1] + 8) * 2.0**-52
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            if metric == "chebyshev":
                norms = units * shares.sum(axis=1)
            else:
                norms = units * np.sqrt(np.square(shares).sum(axis=1))
            values = kernels.ordered_product(rows, self._normals)
            near = np.fmin(np.abs(values - self._lower), np.abs(values - self._upper))
            error = unit * kernels.ordered_product(np.abs(rows), sizes)
            error += unit * (np.abs(values) + near)
            distances = (near - 4 * error) / norms * (1 - 8 * unit)
        distances[:, norms == 0] = np.inf
        radii = np.nan_to_num(distances, nan=0.0, posinf=np.inf).min(
            axis=1, initial=np.inf
        )
        return np.maximum(radii, 0.0)

    def _class_units(self, rows) -> np.ndarray:
        rows = rows.toarray() if sparse.issparse(rows) else rows
        with np.errstate(over="ignore", invalid="ignore"):  # far from all samples
            values = kernels.ordered_product(rows, self._normals)
        above, beyond = values > self._lower, values > self._upper
        inside = (above.view(np.int8) - beyond.view(np.int8)).astype(np.float32)
        potential = inside @ self._member + self._layers[1].biases
        return (potential > 0).astype(np.float64)


@storable
@dataclass(frozen=True, eq=False)
class Ramp:
    """An affine function w(x) = <slope, x> + constant, for each output, on a slab.

    F(x) = (r(t + delta w(x)) - r(t)) / delta, with t = <normal, x> cut off by r below
    `lower` and above `upper`. The slopes are (n_outputs, n_features), constants and
    deltas (n_outputs,).
    """

    normal: np.ndarray = field(repr=False)
    lower: float
    upper: float
    slopes: np.ndarray = field(repr=False)
    constants: np.ndarray = field(repr=False)
    deltas: np.ndarray = field(repr=False)

    def __post_init__(self):
        freeze(self, "normal", "slopes", "constants", "deltas")
        require_shape("normal", self.normal, None)
        require_shape("lower", self.lower)
        require_shape("upper", self.upper)
        require_shape("slopes", self.slopes, None, len(self.normal))
        require_shape("constants", self.constants, len(self.slopes))
        require_shape("deltas", self.deltas, len(self.slopes))
        require((self.deltas > 0).all(), "deltas must be positive")


@storable
@dataclass(frozen=True, eq=False)
class Tips:
    """The points that ramps were built for, by their positions on a line.

    `positions` increase; the point there was put on the slab `slabs`, and has the
    targets `targets`, (n_points, n_outputs).
    """

    direction: np.ndarray = field(repr=False)
    positions: np.ndarray = field(repr=False)
    slabs: np.ndarray = field(repr=False)
    targets: np.ndarray = field(repr=False)

    def __post_init__(self):
        freeze(self, "direction", "positions", "slabs", "targets")
        require_shape("direction", self.direction, None)
        require_shape("positions", self.positions, None)
        increase = (self.positions[1:] > self.positions[:-1]).all()
        require(increase, "positions must increase")
        require_shape("slabs", self.slabs, len(self.positions))
        require_shape("targets", self.targets, len(self.positions), None)

    def at(self, rows) -> np.ndarray:
        """Return which point has the position of a row, or -1."""
        if len(self.positions) == 0:
            return np.full(rows.shape[0], -1)
        positions = project(rows, self.direction[np.newaxis])[:, 0]
        places = np.searchsorted(self.positions, positions)
        places = np.minimum(places, len(self.positions) - 1)
        return np.where(self.positions[places] == positions, places, -1)


class RampNetwork(LayeredNetwork):
    """Four ReLU units for each slab (two more for each output but the first), summed.

    f(x) = default + 2**exponent * sum of all ramps at x. `forward` evaluates a ramp as
    its affine function where nothing is cut off, and returns the target itself at a
    point that is on no slab but its own: there is no rounding error. The layers,
    evaluated one after the other, add up numbers of the size 1 / delta.
    """

    def __init__(self, ramps, tips: Tips, n_inputs: int, default, exponents):
        default, exponents = frozen(np.asarray(default)), frozen(np.asarray(exponents))
        k = len(default)
        self._ramps, self._tips, self._n_inputs = list(ramps), tips, n_inputs
        self._default, self._exponents = default, exponents
        require_shape("default", default, None)
        require_shape("exponents", exponents, k)
        require_shape("direction", tips.direction, n_inputs)
        require_shape("targets", tips.targets, None, k)
        known = (tips.slabs >= 0) & (tips.slabs < len(self._ramps))
        require(known.all(), "slabs must be those of the ramps")
        for ramp in self._ramps:
            require_shape("slopes", ramp.slopes, k, n_inputs)
        self._normals = self._stacked("normal", n_inputs)
        self._slopes = self._stacked("slopes", k, n_inputs)
        self._constants = self._stacked("constants", k)
        self._deltas = self._stacked("deltas", k)
        self._lower, self._upper = self._stacked("lower"), self._stacked("upper")
        super().__init__(self._make_layers())

    def _stacked(self, name: str, *shape: int) -> np.ndarray:
        """Return an attribute of all ramps as an array, (n_ramps, *shape)."""
        values = [getattr(ramp, name) for ramp in self._ramps]
        return np.array(values, dtype=np.float64).reshape(-1, *shape)

    def _make_layers(self) -> list[Layer]:
        """Make the corners of r(t), and of r(t + delta w) for each output."""
        n_ramps, k = self._constants.shape
        # <a + delta v, x> + delta c, for no output (delta = 0) and for each one.
        weights = np.repeat(self._normals[:, np.newaxis], k + 1, axis=1)
        shifts = np.zeros((n_ramps, k + 1))
        weights[:, 1:] += self._deltas[:, :, np.newaxis] * self._slopes
        shifts[:, 1:] = self._deltas * self._constants
        corners = np.stack([self._lower, self._upper], axis=1)
        biases = shifts[:, :, np.newaxis] - corners[:, np.newaxis]
        hidden = np.repeat(weights, 2, axis=1).reshape(-1, self._n_inputs)
        sums = np.zeros((k, n_ramps, k + 1, 2))
        with np.errstate(over="ignore"):  # `fit` looks for weights that are infinite
            slopes = np.ldexp(1.0 / self._deltas, self._exponents)
        for output in range(k):
            sums[output, :, 0] = np.multiply.outer(slopes[:, output], [-1.0, 1.0])
            sums[output, :, output + 1] = -sums[output, :, 0]
        return [
            Layer(hidden, biases.ravel(), "relu"),
            Layer(sums.reshape(k, -1), self._default, "identity"),
        ]

    @property
    def n_inputs(self) -> int:
        """Number of input features."""
        return self._n_inputs

    def forward(self, X, n_threads: int = 1) -> np.ndarray:
        """Evaluate the network, each sum in a fixed order; see `Network.forward`."""
        n_values = max(1, self._slopes.shape[0] * (self._slopes.shape[1] + 1))
        n_values = max(n_values, self._n_inputs)
        blocks = blocks_of_rows(X.shape[0], n_values, _BLOCK_VALUES)
        parts = run_in_threads(lambda block: self._targets(X[block]), blocks, n_threads)
        return np.concatenate(parts)

    def _targets(self, rows) -> np.ndarray:
        n_rows = rows.shape[0]
        if not self._ramps:
            return np.tile(self._default, (n_rows, 1))
        ramps, in_full = self._values(rows)
        with np.errstate(over="ignore"):
            sums = np.ldexp(row_sums_of_slabs(ramps), self._exponents) + self._default
        found = np.clip(sums, -_LARGEST, _LARGEST)
        # Where one ramp says all, and says it of its own point.
        n_others = (ramps != 0).any(axis=2).sum(axis=1)
        tip = self._tips.at(rows)
        own = self._tips.slabs[tip]
        everyone = np.arange(n_rows)
        n_others = n_others - (ramps[everyone, own] != 0).any(axis=1)
        is_tip = (tip >= 0) & (n_others == 0) & in_full[everyone, own].all(axis=1)
        return np.where(is_tip[:, np.newaxis], self._tips.targets[tip], found)

    def _values(self, rows) -> tuple[np.ndarray, np.ndarray]:
        """Return F of each ramp, (n_rows, n_ramps, n_outputs), and where it is w."""
        n_ramps, k = self._constants.shape
        t = project(rows, self._normals)[:, :, np.newaxis]
        w = project(rows, self._slopes.reshape(n_ramps * k, -1)).reshape(-1, n_ramps, k)
        lower, upper = self._lower[:, np.newaxis], self._upper[:, np.newaxis]
        with np.errstate(over="ignore", invalid="ignore"):  # far from all samples
            w = w + self._constants
            shifted = np.nan_to_num(t + self._deltas * w, nan=0.0)
            cut_off = np.clip(shifted, lower, upper) - np.clip(t, lower, upper)
            in_full = (lower < t) & (t < upper) & (lower < shifted) & (shifted < upper)
            return np.where(in_full, w, cut_off / self._deltas), in_full


def row_sums_of_slabs(ramps: np.ndarray) -> np.ndarray:
    """Add up the ramps of each row and output in a fixed order."""
    return np.column_stack([row_sums(ramps[:, :, k]) for k in range(ramps.shape[2])])
