"""Hyperplanes as arrays, bounds on their rounding errors, and exact signs."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Self

import numpy as np
from scipy import sparse

from ... import kernels
from ...exact._signs import DOUBLE, TINY, rounded_up, rounding, signs
from ...network._layer import Layer, frozen
from ...network._storage import require


@dataclass(frozen=True, eq=False)
class ExactHyperplanes:
    """Hyperplanes `<w, x> + b = 0`; see `HyperplaneLayer` for the parameters.

    This is what fast codes are computed from (`_hyperplane_layer`): single precision
    arrays, bounds on their rounding errors, and the exact sign where a bound does not
    settle it.
    """

    directions: np.ndarray = field(repr=False)
    scaled_biases: np.ndarray = field(repr=False)
    exponent: int = 0
    shift: np.ndarray | None = field(default=None, repr=False)

    def __post_init__(self):
        directions = np.asarray(self.directions, dtype=np.float32)
        biases = np.asarray(self.scaled_biases, dtype=np.float64)
        shift = None if self.shift is None else np.asarray(self.shift)
        require(directions.ndim == 2, "directions must be a matrix")
        agree = biases.shape == directions.shape[:1]
        require(agree, "directions and biases must agree")
        is_integer = isinstance(self.exponent, (int, np.integer))
        require(is_integer, "exponent must be an integer")
        finite = np.isfinite(directions).all() and np.isfinite(biases).all()
        require(finite, "directions and biases must be finite")
        if shift is not None:
            one_each = shift.shape == directions.shape[1:]
            require(one_each, "shift must be one number a feature")
            require(np.isfinite(shift).all(), "shift must be finite")
        object.__setattr__(self, "directions", frozen(directions))
        object.__setattr__(self, "scaled_biases", frozen(biases))
        object.__setattr__(self, "shift", None if shift is None else frozen(shift))

    @property
    def n_hyperplanes(self) -> int:
        """Number of hyperplanes."""
        return self.directions.shape[0]

    @property
    def n_features(self) -> int:
        """Dimension of the space."""
        return self.directions.shape[1]

    @property
    def biases(self) -> np.ndarray:
        """The biases b in the units of the data."""
        return np.ldexp(self.scaled_biases, self.exponent)

    @property
    def n_parameters(self) -> int:
        """Number of nonzero weights and biases."""
        return int(
            np.count_nonzero(self.directions) + np.count_nonzero(self.scaled_biases)
        )

    def layer(self, activation="threshold") -> Layer:
        """Return the textbook form of the layer."""
        return Layer(self.directions, self.biases, activation)

    def subset(self, hyperplanes) -> Self:
        """Return the layer of some of the hyperplanes."""
        return replace(
            self,
            directions=self.directions[hyperplanes],
            scaled_biases=self.scaled_biases[hyperplanes],
        )

    def joined_by(self, *others: Self) -> Self:
        """Return the layer of these hyperplanes and others of the same units."""
        layers = self, *others
        return replace(
            self,
            directions=np.concatenate([layer.directions for layer in layers]),
            scaled_biases=np.concatenate([layer.scaled_biases for layer in layers]),
        )

    @cached_property
    def direction_bounds(self) -> np.ndarray:
        """Upper bounds of the lengths of the directions, not below one."""
        squares = np.einsum(
            "ij,ij->i", self.directions, self.directions, dtype=np.float64
        )
        norms = np.sqrt(squares) * (1 + rounding(self.n_features + 4.0, DOUBLE))
        return rounded_up(np.maximum(norms, 1.0))

    @cached_property
    def offsets(self) -> tuple[np.ndarray, np.ndarray]:
        """The biases in single precision, and the bounds of their errors."""
        return _in_single_precision(self.scaled_biases, 0.0)

    @cached_property
    def shifted_offsets(self) -> tuple[np.ndarray, np.ndarray]:
        """The same for b + <w, shift>, which is added to <w, x - shift>."""
        if self.shift is None:
            return self.offsets
        shift = np.ldexp(self.shift, -self.exponent)
        product = kernels.ordered_product(self.directions, shift[np.newaxis])[:, 0]
        # A double of NumPy: a float of Python would become one in single precision.
        norm = np.sqrt(np.sum(shift * shift)) * (1 + 2.0**-20)
        magnitude = self.direction_bounds * norm + np.abs(self.scaled_biases)
        bounds = 2 * rounding(self.n_features + 4.0, DOUBLE) * magnitude + TINY
        return _in_single_precision(self.scaled_biases + product, bounds)

    def exact_signs(self, X, rows, columns, shifts=0.0) -> np.ndarray:
        """Return [<w, x> + b + shift > 0] for pairs of rows and hyperplanes."""
        if sparse.issparse(X):
            used, rows = np.unique(rows, return_inverse=True)
            X = X[used].toarray()
        offsets = self.biases[columns]
        shifts = np.broadcast_to(shifts, offsets.shape)
        return signs(X, rows, self.directions, columns, offsets, shifts)


def _in_single_precision(offsets, bounds) -> tuple[np.ndarray, np.ndarray]:
    """Round offsets to single precision, and add the error made to their bounds."""
    with np.errstate(over="ignore"):  # what overflows has an infinite error
        rounded = offsets.astype(np.float32)
    error = np.abs(offsets - rounded)
    return rounded, rounded_up(bounds + error + np.where(error > 0, TINY, 0.0))
