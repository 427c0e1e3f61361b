"""Hyperplanes as arrays, bounds on their rounding errors, and exact signs."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Self

import numpy as np
from scipy import sparse

from ... import kernels
from ...exact._signs import (
    DOUBLE,
    SINGLE,
    TINY,
    ceilings,
    compensated_sums,
    rounded_up,
    rounding,
    signs,
)
from ...kernels._memory import blocks_of_rows
from ...network._layer import Layer, frozen, frozen_matrix
from ...network._storage import require, storable
from ._rows import columns_in_use

# Rows and directions of doubtful pairs take about so many numbers at a time.
_PAIR_VALUES = 1 << 22
# By this power of two finer units of ReLU outputs differ from usual ones.
_FINER, _LARGEST_EXPONENT = 974, 1020


@storable
@dataclass(frozen=True, eq=False)
class AxisHyperplanes:
    """Hyperplanes `side * (x[feature] - threshold) = 0`, bright where it is positive.

    Comparing two numbers is exact, so these separate any two distinct samples.

    Parameters
    ----------
    features : ndarray of shape (n_hyperplanes,), int
        The feature that each hyperplane looks at.
    sides : ndarray of shape (n_hyperplanes,), int
        1 where larger values are bright, -1 where smaller ones are.
    thresholds : ndarray of shape (n_hyperplanes,)
        The values that divide the two sides, in the units of the data.
    exponents : ndarray of shape (n_hyperplanes,), int
        The weights are `side * 2**exponent`: with ReLU activation, the output for the
        nearest bright sample it was chosen for is about the scale of the data.
    """

    features: np.ndarray = field(repr=False)
    sides: np.ndarray = field(repr=False)
    thresholds: np.ndarray = field(repr=False)
    exponents: np.ndarray = field(repr=False)

    def __post_init__(self):
        dtypes = {
            "features": np.intp,
            "sides": np.int8,
            "thresholds": np.float64,
            "exponents": np.int16,
        }
        for name, dtype in dtypes.items():
            values = np.asarray(getattr(self, name))
            require(values.ndim == 1, f"{name} must be a vector")
            require(values.dtype.kind in "if", f"{name} must be numbers")
            agree = len(values) == len(np.asarray(self.features))
            require(agree, f"features and {name} must agree")
            # As a part of a larger array even an empty one has its strides, as it has
            # when it is read from a file.
            copied = np.empty(len(values) + 1, dtype=dtype)[:-1]
            copied[:] = values
            object.__setattr__(self, name, frozen(copied))
        require((np.abs(self.sides) == 1).all(), "sides must be 1 or -1")
        require(np.isfinite(self.thresholds).all(), "thresholds must be finite")
        require((self.features >= 0).all(), "features must be numbers of columns")

    @classmethod
    def none(cls) -> AxisHyperplanes:
        """Return no hyperplanes at all."""
        return cls(*[np.empty(0, dtype=np.intp)] * 4)

    def __len__(self) -> int:
        return len(self.features)

    def __getitem__(self, hyperplanes) -> AxisHyperplanes:
        return AxisHyperplanes(
            self.features[hyperplanes],
            self.sides[hyperplanes],
            self.thresholds[hyperplanes],
            self.exponents[hyperplanes],
        )

    def joined_by(self, other: AxisHyperplanes) -> AxisHyperplanes:
        """Return these hyperplanes and others."""
        return AxisHyperplanes(
            np.concatenate((self.features, other.features)),
            np.concatenate((self.sides, other.sides)),
            np.concatenate((self.thresholds, other.thresholds)),
            np.concatenate((self.exponents, other.exponents)),
        )

    @property
    def weights(self) -> np.ndarray:
        """The one weight of each that is not zero."""
        return np.ldexp(self.sides.astype(np.float64), self.exponents)

    @property
    def biases(self) -> np.ndarray:
        """The biases in the units of the data."""
        return -self.weights * self.thresholds

    def directions(self, n_features: int) -> sparse.csr_array:
        """Return the normal vectors as rows of a sparse array in double precision."""
        starts = np.arange(len(self) + 1)
        return sparse.csr_array(
            (self.weights, self.features, starts), shape=(len(self), n_features)
        )

    def distances(self, X) -> np.ndarray:
        """Return `side * (x[feature] - threshold)` for rows of X, with exact signs.

        A difference of two doubles is rounded to zero only if they are equal.
        """
        values = X[:, self.features]
        values = values.toarray() if sparse.issparse(values) else values
        with np.errstate(over="ignore"):
            return self.sides * (values.astype(np.float64) - self.thresholds)


@dataclass(frozen=True, eq=False)
class ExactHyperplanes:
    """Hyperplanes `<w, x> + b = 0`; see `HyperplaneLayer` for the parameters.

    This is what fast codes are computed from (`_hyperplane_layer`): single precision
    arrays, bounds on their rounding errors, and the exact sign where a bound does not
    settle it.
    """

    directions: Any = field(repr=False)
    scaled_biases: np.ndarray = field(repr=False)
    exponent: int = 0
    shift: np.ndarray | None = field(default=None, repr=False)
    axis: AxisHyperplanes = field(default_factory=AxisHyperplanes.none, repr=False)

    def __repr__(self) -> str:
        sizes = f"{self.directions.shape[1]}-{self.n_hyperplanes}"
        return f"{type(self).__name__}({sizes}, exponent={self.exponent})"

    def __post_init__(self):
        directions = _in_rows(self.directions)
        biases = np.asarray(self.scaled_biases, dtype=np.float64)
        shift = None if self.shift is None else np.asarray(self.shift)
        require(directions.ndim == 2, "directions must be a matrix")
        agree = biases.shape == directions.shape[:1]
        require(agree, "directions and biases must agree")
        is_integer = isinstance(self.exponent, (int, np.integer))
        require(is_integer, "exponent must be an integer")
        entries = directions.data if sparse.issparse(directions) else directions
        finite = np.isfinite(entries).all() and np.isfinite(biases).all()
        require(finite, "directions and biases must be finite")
        if shift is not None:
            one_each = shift.shape == directions.shape[1:]
            require(one_each, "shift must be one number a feature")
            require(np.isfinite(shift).all(), "shift must be finite")
        there = self.axis.features.max(initial=-1) < directions.shape[1]
        require(there, "axis must name features that are there")
        object.__setattr__(self, "directions", frozen_matrix(directions))
        object.__setattr__(self, "scaled_biases", frozen(biases))
        object.__setattr__(self, "shift", None if shift is None else frozen(shift))

    @property
    def n_hyperplanes(self) -> int:
        """Number of hyperplanes, the axis-parallel ones included; they come last."""
        return self.n_drawn + len(self.axis)

    @property
    def n_drawn(self) -> int:
        """Number of hyperplanes that are not those of `axis`."""
        return self.directions.shape[0]

    @property
    def n_features(self) -> int:
        """Dimension of the space."""
        return self.directions.shape[1]

    @property
    def is_sparse(self) -> bool:
        """Whether the directions are kept as a sparse array."""
        return sparse.issparse(self.directions)

    @property
    def biases(self) -> np.ndarray:
        """The biases b in the units of the data."""
        drawn = np.ldexp(self.scaled_biases, self.exponent)
        return np.concatenate((drawn, self.axis.biases)) if len(self.axis) else drawn

    @property
    def n_parameters(self) -> int:
        """Number of nonzero weights and biases."""
        if self.is_sparse:
            n_weights = self.directions.count_nonzero() + len(self.axis)
        else:
            n_weights = np.count_nonzero(self.directions) + len(self.axis)
        n_biases = np.count_nonzero(self.scaled_biases)
        n_biases += np.count_nonzero(self.axis.thresholds)
        return int(n_weights + n_biases)

    def layer(self, activation="threshold") -> Layer:
        """Return the textbook form of the layer."""
        weights = self.directions
        if len(self.axis):
            axis = self.axis.directions(self.n_features)
            weights = stacked_weights([weights.astype(np.float64), axis])
        return Layer(weights, self.biases, activation)

    def subset(self, hyperplanes) -> Self:
        """Return the layer of some of the hyperplanes; those of `axis` stay last."""
        is_drawn = hyperplanes < self.n_drawn
        drawn = hyperplanes[: np.count_nonzero(is_drawn)]
        assert is_drawn[: len(drawn)].all()
        subset = replace(
            self,
            directions=self.directions[drawn],
            scaled_biases=self.scaled_biases[drawn],
            axis=self.axis[hyperplanes[len(drawn) :] - self.n_drawn],
        )
        if "shifted_offsets" in vars(self):  # they take long where digits cancel
            known = tuple(part[drawn] for part in self.shifted_offsets)
            vars(subset)["shifted_offsets"] = known
        return subset

    def with_axis(self, more: AxisHyperplanes) -> Self:
        """Return the layer with more axis-parallel hyperplanes."""
        return replace(self, axis=self.axis.joined_by(more))

    def with_finer_outputs(self) -> Self:
        """Return the same hyperplanes, whose ReLU outputs are told from 0 far earlier.

        The unit of outputs is so small that the largest of the samples barely fit into
        double precision. Outputs of usual size then are all at their cap.
        """
        largest = float(np.abs(self.scaled_biases).max(initial=0.0))
        finer = min(_FINER, _LARGEST_EXPONENT - math.frexp(largest)[1])
        biases = np.ldexp(self.scaled_biases, finer)
        return replace(self, scaled_biases=biases, exponent=self.exponent - finer)

    def joined_by(self, *others: Self) -> Self:
        """Return the layer of these hyperplanes and others of the same units."""
        layers = self, *others
        assert not any(len(layer.axis) for layer in others)
        return replace(
            self,
            directions=stacked_weights([layer.directions for layer in layers]),
            scaled_biases=np.concatenate([layer.scaled_biases for layer in layers]),
        )

    @cached_property
    def direction_bounds(self) -> np.ndarray:
        """Upper bounds of the lengths of the directions, not below one."""
        if self.is_sparse:
            directions = self.directions.astype(np.float64)
            squares = np.asarray(directions.multiply(directions).sum(axis=1)).ravel()
        else:
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
        """The same for b + <w, shift>, which is added to <w, x - shift>.

        Where the two terms nearly cancel, so that double precision would leave the
        signs of all samples in doubt, they are summed with more digits.
        """
        if self.shift is None:
            return self.offsets
        # What is not finite, here and below, leaves signs open.
        with np.errstate(over="ignore", invalid="ignore", under="ignore"):
            return self._sums_with_shift(np.ldexp(self.shift, -self.exponent))

    @cached_property
    def exact_offsets(self) -> tuple[np.ndarray, np.ndarray]:
        """The same in double precision, each summed with more digits.

        There has to be a shift.
        """
        assert self.shift is not None
        shift = np.ldexp(self.shift, -self.exponent)
        return self._compensated_offsets(shift, np.arange(self.n_drawn))

    def _sums_with_shift(self, shift: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        if self.is_sparse:
            product = self.directions.astype(np.float64) @ shift
        else:
            product = kernels.ordered_product(self.directions, shift[np.newaxis])[:, 0]
        # A double of NumPy: a float of Python would become one in single precision.
        norm = np.sqrt(np.sum(shift * shift)) * (1 + 2.0**-20)
        magnitude = self.direction_bounds * norm + np.abs(self.scaled_biases)
        bounds = 2 * rounding(self.n_features + 4.0, DOUBLE) * magnitude + TINY
        values = self.scaled_biases + product
        open_ = np.flatnonzero(~(bounds <= SINGLE * np.abs(values)))
        if len(open_):
            sums, errors = self._compensated_offsets(shift, open_)
            closer = errors < bounds[open_]
            values[open_[closer]] = sums[closer]
            bounds[open_[closer]] = errors[closer]
        return _in_single_precision(values, bounds)

    def _compensated_offsets(
        self, shift: np.ndarray, columns: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return b + <w, shift> of some hyperplanes, and bounds of the errors."""
        points, directions = shift[np.newaxis], self.directions[columns]
        if self.is_sparse:
            used = columns_in_use(directions)
            points, directions = points[:, used], directions[:, used].toarray()
        everywhere = np.arange(len(columns))
        zeros = np.zeros(len(columns))
        return compensated_sums(
            points,
            directions,
            zeros.astype(np.intp),
            everywhere,
            self.scaled_biases[columns],
            zeros,
        )

    def exact_signs(self, X, rows, columns, shifts=0.0) -> np.ndarray:
        """Return [<w, x> + b + shift > 0] for pairs of rows and hyperplanes."""
        offsets = self.biases[columns]
        shifts = np.broadcast_to(shifts, offsets.shape)
        if not self.is_sparse and not sparse.issparse(X):
            return signs(X, rows, self.directions, columns, offsets, shifts)
        positive = np.empty(len(rows), dtype=bool)
        for pairs in self._blocks_of_pairs(X, len(rows)):
            dense = self._dense_pairs(X, rows[pairs], columns[pairs])
            positive[pairs] = signs(*dense, offsets[pairs], shifts[pairs])
        return positive

    def exact_ceilings(self, X, rows, columns, exponent: int, cap: float) -> np.ndarray:
        """Return <w, x> + b in units of 2**exponent, rounded up and cut to 0 .. cap."""
        found = np.empty(len(rows))
        offsets = self.biases[columns]
        for pairs in self._blocks_of_pairs(X, len(rows)):
            dense = self._dense_pairs(X, rows[pairs], columns[pairs])
            found[pairs] = ceilings(*dense, offsets[pairs], exponent, cap)
        return found

    def _blocks_of_pairs(self, X, n_pairs: int) -> list[slice]:
        """Cut pairs into blocks that take moderate room as arrays."""
        width = 2 * self.n_features
        if sparse.issparse(X):  # n rows take n times as many features as one, or less
            longest = int(np.diff(X.indptr).max(initial=1))
            width = min(width, 2 * math.isqrt(_PAIR_VALUES * longest) + 1)
        return blocks_of_rows(n_pairs, width, _PAIR_VALUES)

    def _dense_pairs(self, X, rows, columns) -> tuple[Any, Any, Any, Any]:
        """Return rows and directions of pairs as arrays, and where each pair is.

        Features are left out that none of the rows, or none of the directions, uses.
        """
        used_rows, rows = np.unique(rows, return_inverse=True)
        used_columns, columns = np.unique(columns, return_inverse=True)
        X = X[used_rows]
        features = np.arange(self.n_features)
        if sparse.issparse(X):
            features = columns_in_use(X)
        if self.is_sparse:
            directions = self.directions[used_columns]
            features = np.intersect1d(features, columns_in_use(directions))
        if len(features) == 0:  # sums of nothing; any one feature gives them
            features = np.zeros(1, dtype=np.intp)
        X = X[:, features]
        X = X.toarray() if sparse.issparse(X) else X
        if self.is_sparse:
            directions = directions[:, features].toarray()
        else:  # rows of very many features are not copied for a few of them
            directions = self.directions[used_columns[:, np.newaxis], features]
        X, directions = np.ascontiguousarray(X), np.ascontiguousarray(directions)
        return X, rows, directions, columns


def _in_rows(directions):
    """Return directions in single precision, in the order of their features."""
    if not sparse.issparse(directions):
        return np.asarray(directions, dtype=np.float32)
    directions = sparse.csr_array(directions, dtype=np.float32)
    if not directions.has_canonical_format:
        directions = directions.copy()
        directions.sum_duplicates()
    return directions


def stacked_weights(blocks: list):
    """Return blocks of rows as one matrix, sparse if the first of them is."""
    if sparse.issparse(blocks[0]):
        return sparse.vstack(blocks, format="csr")
    blocks = [b.toarray() if sparse.issparse(b) else b for b in blocks]
    return np.concatenate(blocks)


def _in_single_precision(offsets, bounds) -> tuple[np.ndarray, np.ndarray]:
    """Round offsets to single precision, and add the error made to their bounds."""
    with np.errstate(over="ignore"):  # what overflows has an infinite error
        rounded = offsets.astype(np.float32)
    error = np.abs(offsets - rounded)
    return rounded, rounded_up(bounds + error + np.where(error > 0, TINY, 0.0))
