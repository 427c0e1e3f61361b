"""A layer of hyperplanes, evaluated fast and with exact signs."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from scipy import sparse

from ... import kernels
from ...exact._signs import DOUBLE, TINY, rounded_up, rounding, signs
from ...kernels._memory import check_room
from ...kernels._threads import even_step, run_in_threads
from ...network._layer import Layer, frozen
from ...network._storage import require, storable
from ._codes import BitCodes
from ._relu_codes import ReLUCodes
from ._relu_encoding import encode_relu
from ._rows import rows_of
from ._sign_encoding import (
    BLOCK_VALUES,
    COLUMNS,
    LEAST_WIDTH,
    are_packed,
    encode_in_planes,
    encode_packed,
    encode_products,
    has_few_features,
)

__all__ = ["HyperplaneLayer"]


def _in_single_precision(offsets, bounds) -> tuple[np.ndarray, np.ndarray]:
    """Round offsets to single precision, and add the error made to their bounds."""
    rounded = offsets.astype(np.float32)
    error = np.abs(offsets - rounded)
    return rounded, rounded_up(bounds + error + np.where(error > 0, TINY, 0.0))


@storable
@dataclass(frozen=True, eq=False)
class HyperplaneLayer:
    """Hyperplanes `<w, x> + b = 0` in space, and on which side of them points lie.

    The directions are kept in single and the biases in double precision. `encode`
    returns the *exact* sign of `<w, x> + b` for these numbers: it is computed in
    single precision with a bound on the rounding error, and the few entries below
    the bound (about one in a thousand) are computed again in higher precision. So
    the code of a point does not depend on how it was asked for.

    Parameters
    ----------
    directions : ndarray of shape (n_hyperplanes, n_features), float32
        The normal vectors w.
    scaled_biases : ndarray of shape (n_hyperplanes,)
        The biases in units of `2**exponent`: b = scaled_biases * 2**exponent.
    exponent : int
        Points are scaled by `2**-exponent` before they are rounded to single
        precision; a power of two changes no sign.
    shift : ndarray of shape (n_features,) or None
        A point near the data, subtracted before rounding to single precision where
        the data lie far from the origin. It changes no sign either.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_memorize.network import HyperplaneLayer
    >>> layer = HyperplaneLayer(
    ...     np.array([[1.0, 0.0], [0.0, 1.0]], dtype=np.float32), np.array([-0.5, 0.0])
    ... )
    >>> layer.signs(np.array([[1.0, 1.0], [0.5, 5e-324]])).astype(int)
    array([[1, 1],
           [0, 1]])
    """

    directions: np.ndarray = field(repr=False)
    scaled_biases: np.ndarray = field(repr=False)
    exponent: int = 0
    shift: np.ndarray | None = field(default=None, repr=False)

    def __post_init__(self):
        directions = np.asarray(self.directions, dtype=np.float32)
        biases = np.asarray(self.scaled_biases, dtype=np.float64)
        object.__setattr__(self, "directions", frozen(directions))
        object.__setattr__(self, "scaled_biases", frozen(biases))
        if self.shift is not None:
            object.__setattr__(self, "shift", frozen(np.asarray(self.shift)))
        self._check()

    def _check(self) -> None:
        directions, biases, shift = self.directions, self.scaled_biases, self.shift
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

    def subset(self, hyperplanes) -> HyperplaneLayer:
        """Return the layer of some of the hyperplanes."""
        return HyperplaneLayer(
            self.directions[hyperplanes],
            self.scaled_biases[hyperplanes],
            self.exponent,
            self.shift,
        )

    def signs(self, X) -> np.ndarray:
        """Return on which side of each hyperplane the points lie.

        Parameters
        ----------
        X : ndarray or CSR array of shape (n_samples, n_features)
            The points.

        Returns
        -------
        signs : ndarray of shape (n_samples, n_hyperplanes), bool
            Whether `<w, x> + b > 0`, exactly.
        """
        return self.encode(X).bits()

    def encode(self, X, activation="threshold", n_threads: int = 1):
        """Return the outputs of the layer for the points.

        Parameters
        ----------
        X : ndarray or CSR array of shape (n_samples, n_features)
            The points.
        activation : {"threshold", "relu"}
            Whether signs or the positive parts of `<w, x> + b` are wanted.
        n_threads : int, default=1
            Number of threads that share the rows.

        Returns
        -------
        codes : BitCodes or ReLUCodes
            One code for each point.
        """
        codes = self.room(X.shape[0], activation)
        everywhere = np.arange(X.shape[0])
        self.encode_into(codes, X, everywhere, everywhere, n_threads)
        return codes

    def room(self, n_positions: int, activation="threshold"):
        """Return room for the codes of `n_positions` points."""
        self._check_room(n_positions, activation)
        kind = BitCodes if activation == "threshold" else ReLUCodes
        return kind.empty(n_positions, self.n_hyperplanes)

    def _check_room(self, n_positions: int, activation: str) -> None:
        bits_each = 1 if activation == "threshold" else 64
        check_room(
            n_positions * self.n_hyperplanes * bits_each // 8,
            f"The codes of {n_positions:,} samples by {self.n_hyperplanes:,} "
            f"hyperplanes ({activation})",
        )

    def encode_arranged(
        self,
        X,
        rows,
        positions,
        n_positions: int,
        activation="threshold",
        n_threads: int = 1,
    ):
        """Return codes that are laid out as many of them are counted fastest.

        Parameters
        ----------
        X : ndarray or CSR array of shape (n_samples, n_features)
            The points.
        rows, positions : ndarray of shape (n_rows,)
            Which rows to encode, and where their codes go. Positions increase.
        n_positions : int
            Number of positions.
        activation : {"threshold", "relu"}
            As in `encode`.
        n_threads : int, default=1
            Number of threads that share the work.

        Returns
        -------
        codes : BitCodes or ReLUCodes
            As `arranged` returns them.
        """
        self._check_room(n_positions, activation)
        if activation == "threshold" and has_few_features(self, X):
            planes = BitCodes.empty_planes(n_positions, self.n_hyperplanes)
            if planes is not None:
                encode_in_planes(self, planes, X, rows, positions, n_threads)
                return planes
        codes = self.room(n_positions, activation)
        self.encode_into(codes, X, rows, positions, n_threads)
        return codes.arranged(n_threads)

    def encode_into(self, codes, X, rows, positions, n_threads: int = 1) -> None:
        """Store the code of row `rows[i]` of X at `positions[i]` of `codes`.

        Parameters
        ----------
        codes : BitCodes or ReLUCodes
            Room for the codes.
        X : ndarray or CSR array of shape (n_samples, n_features)
            The points.
        rows, positions : ndarray of shape (n_rows,)
            Which rows to encode, and where their codes go.
        n_threads : int, default=1
            Number of threads that share the rows.
        """
        is_packed = isinstance(codes, BitCodes) and are_packed(self, X, rows)
        if is_packed:
            width = max(self.n_features, LEAST_WIDTH)
        else:
            width = max(self.n_features, min(self.n_hyperplanes, COLUMNS))
            # Long rows are read as they lie in memory.
            order = np.argsort(rows)
            rows, positions = rows[order], positions[order]
        step = max(64, even_step(len(rows), BLOCK_VALUES // width, n_threads))
        blocks = [slice(start, start + step) for start in range(0, len(rows), step)]
        rooms = threading.local()

        def encode_block(block):
            places = positions[block].astype(np.intp)
            if is_packed:
                encode_packed(self, codes, X, rows[block], places)
                return
            points = rows_of(X, rows[block])
            if not isinstance(codes, BitCodes):
                encode_relu(self, codes, points, places)
                return
            if not hasattr(rooms, "products"):
                rooms.products = np.empty(step * width, dtype=np.float32)
            encode_products(self, codes, points, places, rooms.products)

        run_in_threads(encode_block, blocks, n_threads)

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
        norm = float(np.sqrt(np.sum(shift * shift))) * (1 + 2.0**-20)
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
