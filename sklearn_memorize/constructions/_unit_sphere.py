"""Samples of any scale and place, moved near the unit sphere by an affine map.

Theorems on random hyperplanes speak of samples on the unit sphere, or in a ball of
radius one, at a distance. Any distinct samples can be moved there:

    x -> (D (x - c), s) / |(D (x - c), s)|,    D = diag(2**-e_j),

with medians for the center c, the units 2**e_j and the length s, so that a feature of
large numbers or a single outlier does not squeeze all else into a point. The division
changes no sign of <(w, b), (D (x - c), s)> = <D w, x> + (b s - <D w, c>): hyperplanes
through the origin there are hyperplanes in the space of the samples.
"""

import math
from dataclasses import dataclass, field

import numpy as np
from scipy import sparse

from .. import kernels
from ..exact._signs import DOUBLE, rounding
from ..kernels._memory import blocks_of_rows, check_room
from ._directions import project
from .random_hyperplanes._hyperplane_layer import HyperplaneLayer

_BLOCK_VALUES = 1 << 22
# Units are powers of two up to these.
_MOST_EXPONENT = 900
# Coordinates of outliers are cut off here, so that squares are finite.
_LARGEST = 2.0**400
# Weights in single precision span this many powers of two, around one.
_WEIGHT_RANGE = 240
# Their products with features of coarser units than this are far above the smallest
# number of double precision.
_COARSE_ENOUGH = -780


@dataclass(frozen=True)
class UnitSphere:
    """The map. Features that do not vary have unit 2**0 and are not looked at."""

    center: np.ndarray = field(repr=False)  # c, (n_features,)
    exponents: np.ndarray = field(repr=False)  # e, (n_features,)
    varies: np.ndarray = field(repr=False)  # (n_features,), bool
    length: float  # s

    @classmethod
    def around(cls, X, center: bool = True) -> "UnitSphere":
        """Measure distinct samples, around their median or around the origin."""
        n_features = X.shape[1]
        columns = X.tocsc() if sparse.issparse(X) else X
        middle, exponents = np.zeros(n_features), np.zeros(n_features, dtype=int)
        varies = np.zeros(n_features, dtype=bool)
        for block in blocks_of_rows(n_features, X.shape[0], _BLOCK_VALUES):
            values = _dense(columns[:, block])
            if center:
                middle[block] = _lower_median(values)
            varies[block] = (values != values[0]).any(axis=0)
            # Halves, for differences may overflow.
            deviations = np.abs(values / 2 - middle[block] / 2)
            exponents[block] = np.frexp(_median_of_nonzero(deviations))[1] + 1
        exponents[~varies] = 0
        exponents = np.clip(exponents, -_MOST_EXPONENT, _MOST_EXPONENT)
        sphere = cls(middle, exponents, varies, 1.0)
        norms = np.concatenate(
            [
                np.linalg.norm(sphere.moved(X[block]), axis=1)
                for block in blocks_of_rows(X.shape[0], n_features, _BLOCK_VALUES)
            ]
        )
        length = float(_median_of_nonzero(norms[:, np.newaxis])[0])
        return cls(middle, exponents, varies, length or 1.0)

    def moved(self, X) -> np.ndarray:
        """Return D (x - c) for each row x, in double precision."""
        with np.errstate(over="ignore"):
            moved = np.ldexp(_dense(X) - self.center, -self.exponents)
        moved[:, ~self.varies] = 0.0
        return np.clip(moved, -_LARGEST, _LARGEST, out=moved)

    def in_units(self, X) -> np.ndarray:
        """Return D x for each row x, without the center."""
        with np.errstate(over="ignore"):
            scaled = np.ldexp(_dense(X), -self.exponents)
        return np.where(self.varies, np.clip(scaled, -_LARGEST, _LARGEST), 0.0)


def _dense(X) -> np.ndarray:
    dense = X.toarray() if sparse.issparse(X) else X
    return dense.astype(np.float64, copy=False)


def _lower_median(values: np.ndarray) -> np.ndarray:
    """Return the median of each column, the smaller one of two: a value that occurs."""
    middle = (len(values) - 1) // 2
    return np.partition(values, middle, axis=0)[middle] + 0.0


def _median_of_nonzero(values: np.ndarray) -> np.ndarray:
    """Return the lower median of each column without its zeros; 0 if there is none."""
    increasing = np.sort(values, axis=0)
    n_zeros = (values == 0).sum(axis=0)
    middle = n_zeros + np.maximum(len(values) - n_zeros - 1, 0) // 2
    middle = np.minimum(middle, len(values) - 1)
    return np.take_along_axis(increasing, middle[np.newaxis], axis=0)[0]


def _norms(rows) -> np.ndarray:
    """Return the length of each row; squares neither over- nor underflow."""
    entries = rows.data if sparse.issparse(rows) else rows
    exponent = int(np.frexp(np.abs(entries).max(initial=0.0))[1])
    rows = rows.astype(np.float64)
    if sparse.issparse(rows):
        rows.data = np.ldexp(rows.data, -exponent)
        norms = np.sqrt(np.asarray(rows.multiply(rows).sum(axis=1)).ravel())
    else:
        norms = np.linalg.norm(np.ldexp(rows, -exponent), axis=1)
    return np.ldexp(norms, exponent)


def are_clear(hyperplanes: HyperplaneLayer, X) -> np.ndarray:
    """Return which hyperplanes keep their side of every sample in double precision.

    The sum of k products is off by at most gamma_k |w| |x|, in whatever order it is
    evaluated. A single product by a power of two is exact.
    """
    directions = hyperplanes.directions.astype(np.float64)
    n_terms = np.count_nonzero(directions, axis=1)
    is_exact = n_terms == 1
    is_exact &= np.frexp(np.abs(directions).max(axis=1))[0] == 0.5
    bounds = 2 * rounding(n_terms, DOUBLE) * np.linalg.norm(directions, axis=1)
    bounds[is_exact] = 0.0
    clear = np.ones(len(directions), dtype=bool)
    width = max(directions.shape)
    for block in blocks_of_rows(X.shape[0], width, _BLOCK_VALUES):
        rows = X[block]
        with np.errstate(over="ignore", invalid="ignore"):
            values = np.abs(project(rows, directions) + hyperplanes.biases)
            beyond = values > _norms(rows)[:, np.newaxis] * bounds
        clear &= (beyond | is_exact).all(axis=0)
    return clear


class SphereStream:
    """An endless sequence of hyperplanes that are random on the unit sphere.

    w and b / `max_bias` are Gaussian: the hyperplanes go through the origin there.
    Those that pass a sample within the rounding errors of w.x + b are left out.
    """

    def __init__(self, seed: int, X, max_bias: float, center: bool):
        self._rng = np.random.default_rng((seed, 1))
        self._X = X
        self._sphere = sphere = UnitSphere.around(X, center)
        coarsest = int(sphere.exponents[sphere.varies].max(initial=-_MOST_EXPONENT))
        # Single precision holds so many powers of two; the finer units come short.
        finer = np.minimum(coarsest - sphere.exponents, _WEIGHT_RANGE)
        room = _WEIGHT_RANGE - int(finer[sphere.varies].max(initial=0))
        lift = min(max(_COARSE_ENOUGH - coarsest, 0), room) - _WEIGHT_RANGE // 2
        self._weight_exponents = finer + lift
        self._bias_exponent = coarsest + lift
        self._reach = max_bias * sphere.length
        largest = max(
            float(np.abs(_dense(X[block]) / 2 - sphere.center / 2).max())
            for block in blocks_of_rows(X.shape[0], X.shape[1], _BLOCK_VALUES)
        )
        exponent = math.frexp(largest)[1] + 1
        self._exponent = int(np.clip(exponent, -_MOST_EXPONENT, _MOST_EXPONENT))

    def draw(self, n_hyperplanes: int) -> HyperplaneLayer:
        """Draw that many hyperplanes, and return those that are clear of all samples.

        Where there are none, one is returned that has everything on its dark side.
        """
        drawn = self._draw(n_hyperplanes)
        clear = are_clear(drawn, self._X)
        if clear.any():
            return drawn.subset(np.flatnonzero(clear))
        nothing = np.zeros_like(drawn.directions[:1])
        return HyperplaneLayer(nothing, np.full(1, -1.0), drawn.exponent, drawn.shift)

    def _draw(self, n_hyperplanes: int) -> HyperplaneLayer:
        sphere = self._sphere
        n_features = len(sphere.center)
        check_room(
            2 * n_hyperplanes * n_features * 4,
            f"{n_hyperplanes:,} hyperplanes in {n_features:,} dimensions",
        )
        shape = n_hyperplanes, n_features
        directions = self._rng.standard_normal(shape, dtype=np.float32)
        directions[:, ~sphere.varies] = 0.0
        if np.count_nonzero(sphere.varies) == 1:
            # On a line a sign says it all, and leaves nothing to be rounded.
            directions = np.sign(directions)
        directions = np.ldexp(directions, self._weight_exponents).astype(np.float32)
        biases = self._reach * self._rng.standard_normal(n_hyperplanes)
        biases = np.ldexp(biases, self._bias_exponent - self._exponent)
        center = np.ldexp(sphere.center, -self._exponent)
        biases -= kernels.ordered_product(directions, center[np.newaxis])[:, 0]
        return HyperplaneLayer(directions, biases, self._exponent, sphere.center)
