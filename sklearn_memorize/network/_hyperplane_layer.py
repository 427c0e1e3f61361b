"""A layer of hyperplanes, evaluated fast and with exact signs."""

from __future__ import annotations

import math
import threading
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from scipy import sparse

from .. import kernels
from ..kernels import LANES
from ._codes import TILES_OF_A_GROUP, BitCodes
from ._exact import exact_ceiling, rounding, signs
from ._layer import Layer, frozen
from ._memory import check_room
from ._parallel import run_in_threads
from ._relu_codes import FRACTION_BITS, ReLUCodes

__all__ = ["HyperplaneLayer"]

_SINGLE = 2.0**-24
_DOUBLE = 2.0**-53
# Below this, single precision may underflow or be flushed to zero.
_TINY = 2.0**-120
# Products are computed in blocks of this many columns and about this many numbers.
_COLUMNS = 4096
_BLOCK_VALUES = 1 << 22
# Powers of two up to this one are far from the limits of single precision.
_SAFE_EXPONENT = 60
# Products of so few features are not worth storing; nor are those of rows that are
# mostly zeros, which some groups of neighbours are looked at for.
_FEW_FEATURES = 16
_MOST_NONZERO = 0.6
_GROUP, _N_GROUPS = 6, 32
# Sums over more features than this are taken in parts, which bounds their error better.
_PART = 512


def rows_of(X, rows: np.ndarray):
    """Return rows of X; a view if they follow each other in order."""
    first, last = rows[0], rows[-1]
    if last - first == len(rows) - 1 and (np.diff(rows) == 1).all():
        return X[first : last + 1]
    return X[rows]


def _is_dense(X) -> bool:
    """Return whether rows of X, which may be an array or a part of one, are dense."""
    return isinstance(X, np.ndarray) or isinstance(X[:1], np.ndarray)


def _in_memory(X, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return an array, and where the rows of X stand in it."""
    return (X, rows) if isinstance(X, np.ndarray) else (X[rows], np.arange(len(rows)))


def _most_roundings(n_features: int) -> int:
    """Return how many roundings a product of dense rows makes for an entry."""
    if n_features <= 2 * _PART:
        return n_features
    return _PART + -(-n_features // _PART)


def _product(rows, directions: np.ndarray, room: np.ndarray) -> np.ndarray:
    """Return `rows @ directions.T`, summed over parts of the features if dense.

    Dense products are stored in `room`, which saves asking for memory again and again.
    """
    if sparse.issparse(rows):
        return np.ascontiguousarray(rows @ directions.T)
    shape = len(rows), len(directions)
    total = room[: math.prod(shape)].reshape(shape)
    if rows.shape[1] <= 2 * _PART:
        return np.matmul(rows, directions.T, out=total)
    np.matmul(rows[:, :_PART], directions[:, :_PART].T, out=total)
    for start in range(_PART, rows.shape[1], _PART):
        part = slice(start, start + _PART)
        total += rows[:, part] @ directions[:, part].T
    return total


def _rounded_up(bounds: np.ndarray) -> np.ndarray:
    """Return bounds in single precision, with room for the roundings of their use."""
    return (bounds * (1 + 2.0**-18)).astype(np.float32)


def _in_single_precision(offsets, bounds) -> tuple[np.ndarray, np.ndarray]:
    """Round offsets to single precision, and add the error made to their bounds."""
    rounded = offsets.astype(np.float32)
    error = np.abs(offsets - rounded)
    return rounded, _rounded_up(bounds + error + np.where(error > 0, _TINY, 0.0))


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
        if activation == "threshold" and self._has_few_features(X):
            planes = BitCodes.empty_planes(n_positions, self.n_hyperplanes)
            if planes is not None:
                self._encode_in_planes(planes, X, rows, positions, n_threads)
                return planes
        codes = self.room(n_positions, activation)
        self.encode_into(codes, X, rows, positions, n_threads)
        return codes.arranged(n_threads)

    def _encode_in_planes(self, codes: BitCodes, X, rows, positions, n_threads):
        offsets, offset_bounds = self._shifted_offsets
        n_groups = len(codes.tiles)
        n_lanes = TILES_OF_A_GROUP * LANES
        most = max(1, _BLOCK_VALUES // (n_lanes * 64))
        n_rounds = -(-n_groups // (most * n_threads))
        step = -(-n_groups // (n_rounds * n_threads))

        def encode_groups(first: int) -> None:
            planes = codes.tiles[first : first + step]
            ends = np.array([first, first + len(planes)]) * n_lanes
            block = slice(*np.searchsorted(positions, ends))
            places = positions[block].astype(np.intp)
            lanes, n_tiles = places - ends[0], len(planes) * TILES_OF_A_GROUP
            points, chosen = _in_memory(X, rows[block])
            with np.errstate(over="ignore", invalid="ignore", under="ignore"):
                tiles, *size = kernels.tiles_of_rows(
                    points, chosen, lanes, n_tiles, self.shift, self.exponent
                )
                doubtful, columns = kernels.signs_in_planes(
                    tiles,
                    lanes,
                    self.directions,
                    offsets,
                    self._row_bounds(*size),
                    self._direction_bounds,
                    offset_bounds,
                    planes,
                )
            self._settle(codes, points, chosen[doubtful], places[doubtful], columns)

        run_in_threads(encode_groups, range(0, n_groups, step), n_threads)

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
        is_packed = isinstance(codes, BitCodes) and self._are_packed(X, rows)
        if is_packed:
            width = max(self.n_features, 64)
        else:
            width = max(self.n_features, min(self.n_hyperplanes, _COLUMNS))
            # Long rows are read as they lie in memory.
            order = np.argsort(rows)
            rows, positions = rows[order], positions[order]
        n_rounds = -(-len(rows) * width // (_BLOCK_VALUES * n_threads))
        # All threads get as many blocks of the same size.
        step = max(64, -(-len(rows) // max(1, n_rounds * n_threads)))
        blocks = [slice(start, start + step) for start in range(0, len(rows), step)]
        rooms = threading.local()

        def encode_block(block):
            places = positions[block].astype(np.intp)
            if is_packed:
                self._encode_packed(codes, X, rows[block], places)
                return
            points = rows_of(X, rows[block])
            if not isinstance(codes, BitCodes):
                self._encode_relu(codes, points, places)
                return
            if not hasattr(rooms, "products"):
                rooms.products = np.empty(step * width, dtype=np.float32)
            self._encode_signs(codes, points, places, rooms.products)

        run_in_threads(encode_block, blocks, n_threads)

    def _has_few_features(self, X) -> bool:
        return self.n_features <= _FEW_FEATURES and _is_dense(X)

    def _are_packed(self, X, rows) -> bool:
        """Return whether the rows have few features, or are mostly zeros."""
        if self._has_few_features(X):
            return True
        if self.shift is not None or len(rows) < _GROUP * _N_GROUPS:
            return False
        if not _is_dense(X):
            return False
        starts = np.linspace(0, len(rows) - _GROUP, _N_GROUPS, dtype=np.intp)
        groups = X[rows[starts[:, np.newaxis] + np.arange(_GROUP)]]
        return bool((groups != 0).any(axis=1).mean() <= _MOST_NONZERO)

    def _encode_packed(self, codes: BitCodes, X, rows, positions) -> None:
        offsets, offset_bounds = self._shifted_offsets
        X, rows = _in_memory(X, rows)
        with np.errstate(over="ignore", invalid="ignore", under="ignore"):
            packed, *size = kernels.packed_rows(X, rows, self.shift, self.exponent)
            doubtful, columns = kernels.pack_signs_of_rows(
                packed,
                self.directions,
                offsets,
                self._row_bounds(*size),
                self._direction_bounds,
                offset_bounds,
                positions,
                codes.tiles,
            )
        self._settle(codes, X, rows[doubtful], positions[doubtful], columns)

    def _encode_signs(self, codes: BitCodes, X, positions, room) -> None:
        rows, row_bounds = self._rounded(X)
        is_shifted = not sparse.issparse(X)
        offsets, offset_bounds = self._shifted_offsets if is_shifted else self._offsets
        for start in range(0, self.n_hyperplanes, _COLUMNS):
            columns = slice(start, min(start + _COLUMNS, self.n_hyperplanes))
            with np.errstate(over="ignore", invalid="ignore"):
                doubtful, places = kernels.pack_signs(
                    _product(rows, self.directions[columns], room),
                    offsets[columns],
                    row_bounds,
                    self._direction_bounds[columns],
                    offset_bounds[columns],
                    positions,
                    start // 64,
                    codes.tiles,
                )
            self._settle(codes, X, doubtful, positions[doubtful], start + places)

    def _rounded(self, X):
        """Return the scaled points in single precision, and their error bounds.

        For a rounded point x with k nonzero entries and any order of summation,
        |fl(<w, x>) - <w, x>| <= gamma_k |w| |x|; adding zeros makes no error. Where
        `_product` adds up p parts of s features, the same holds with s + p for k. Four
        more roundings cover shift, scaling and conversion, and a tiny constant what
        underflows. A point of zeros has no error at all.
        """
        with np.errstate(over="ignore", invalid="ignore", under="ignore"):
            if sparse.issparse(X):
                n_terms = np.diff(X.indptr)
                rows = X.astype(np.float64)
                rows.data = np.ldexp(rows.data, -self.exponent)
                rows = rows.astype(np.float32)
                squares = np.asarray(rows.multiply(rows).sum(axis=1)).ravel()
            else:
                rows = self._scaled(X)
                n_terms = np.count_nonzero(X if self.shift is None else rows, axis=1)
                squares = np.einsum("ij,ij->i", rows, rows)
            n_roundings = n_terms
            if not sparse.issparse(X):
                n_roundings = np.minimum(n_terms, _most_roundings(self.n_features))
            return rows, self._row_bounds(n_terms, squares, n_roundings)

    def _row_bounds(self, n_terms, squares, n_roundings=None) -> np.ndarray:
        """Return the error bounds of rows, from their squared norms."""
        n_roundings = n_terms if n_roundings is None else n_roundings
        relative = rounding(n_roundings + 4.0, _SINGLE)
        # The norm itself carries up to gamma_{k + 1} of relative error, for all that is
        # known of its order, and each of its squares may underflow.
        excess = rounding(n_terms + 4.0, _SINGLE)
        squares = squares.astype(np.float64) + self.n_features * 2.0**-126
        norms = np.sqrt(squares) * (1 + 2 * excess)
        bounds = relative * norms + self.n_features * _TINY
        bounds[n_terms == 0] = 0.0
        return _rounded_up(bounds)

    def _scaled(self, X: np.ndarray) -> np.ndarray:
        """Return (X - shift) * 2**-exponent in single precision, in C order."""
        if self.shift is not None:
            return np.ldexp(X - self.shift, -self.exponent).astype(np.float32)
        if X.dtype == np.float32 and self.exponent == 0:
            return np.ascontiguousarray(X)
        if abs(self.exponent) > _SAFE_EXPONENT:
            return np.ldexp(X.astype(np.float64), -self.exponent).astype(np.float32)
        rows = np.multiply(X, 2.0**-self.exponent, order="C", dtype=X.dtype)
        return rows.astype(np.float32, copy=False)

    @cached_property
    def _direction_bounds(self) -> np.ndarray:
        """Upper bounds of |w|, not below one."""
        squares = np.einsum(
            "ij,ij->i", self.directions, self.directions, dtype=np.float64
        )
        norms = np.sqrt(squares) * (1 + rounding(self.n_features + 4.0, _DOUBLE))
        return _rounded_up(np.maximum(norms, 1.0))

    @cached_property
    def _offsets(self) -> tuple[np.ndarray, np.ndarray]:
        """The biases in single precision, and the bounds of their errors."""
        return _in_single_precision(self.scaled_biases, 0.0)

    @cached_property
    def _shifted_offsets(self) -> tuple[np.ndarray, np.ndarray]:
        """The same for b + <w, shift>, which is added to <w, x - shift>."""
        if self.shift is None:
            return self._offsets
        shift = np.ldexp(self.shift, -self.exponent)
        product = kernels.ordered_product(self.directions, shift[np.newaxis])[:, 0]
        norm = float(np.sqrt(np.sum(shift * shift))) * (1 + 2.0**-20)
        magnitude = self._direction_bounds * norm + np.abs(self.scaled_biases)
        bounds = 2 * rounding(self.n_features + 4.0, _DOUBLE) * magnitude + _TINY
        return _in_single_precision(self.scaled_biases + product, bounds)

    def _settle(self, codes: BitCodes, X, rows, positions, columns) -> None:
        """Compute the doubtful signs in higher precision, and store them."""
        if len(rows):
            codes.put(positions, columns, self._exact_signs(X, rows, columns))

    def _exact_signs(self, X, rows, columns, shifts=0.0) -> np.ndarray:
        """Return [<w, x> + b + shift > 0] for pairs of rows and hyperplanes."""
        if sparse.issparse(X):
            used, rows = np.unique(rows, return_inverse=True)
            X = X[used].toarray()
        offsets = self.biases[columns]
        shifts = np.broadcast_to(shifts, offsets.shape)
        return signs(X, rows, self.directions, columns, offsets, shifts)

    def _encode_relu(self, codes: ReLUCodes, X, positions) -> None:
        """Store max(<w, x> + b, 0), rounded up to a multiple of the unit.

        The unit is 2**(exponent - FRACTION_BITS). The double precision value v with
        its error bound leaves the ceiling open where v is close to a multiple k of the
        unit; there the exact sign of <w, x> + b - k decides.
        """
        unit_exponent = self.exponent - FRACTION_BITS
        with np.errstate(over="ignore", invalid="ignore", under="ignore"):
            # In units; the largest finite test points may overflow, and are clipped.
            scaled = X.astype(np.float64)
            if sparse.issparse(scaled):
                scaled.data = np.ldexp(scaled.data, -unit_exponent)
                norms = np.sqrt(np.asarray(scaled.multiply(scaled).sum(axis=1)).ravel())
            else:
                scaled = np.ldexp(scaled, -unit_exponent)
                norms = np.sqrt(np.einsum("ij,ij->i", scaled, scaled))
            biases = np.ldexp(self.scaled_biases, FRACTION_BITS)
            values = scaled @ self.directions.T.astype(np.float64) + biases
            magnitude = norms[:, np.newaxis] * self._direction_bounds.astype(np.float64)
            magnitude += np.abs(biases)
            bounds = 4 * rounding(self.n_features + 4.0, _DOUBLE) * magnitude + _TINY
            cap = codes.cap
            nearest = np.rint(np.clip(np.nan_to_num(values), -1.0, cap))
            ceilings = np.ceil(np.clip(np.nan_to_num(values), 0.0, cap))
            # Doubtful: |v - k| is within the bound for the nearest integer k, unless
            # both sides of it are clipped to the same value.
            distance = np.abs(values - nearest)
            certain = (distance > bounds) | (values + bounds <= 0)
            certain |= values - bounds >= cap
            rows, columns = np.nonzero(~certain)
        if len(rows):
            wide = bounds[rows, columns] >= 0.5
            settled = nearest[rows, columns]
            near = ~wide
            above = self._exact_signs(
                X,
                rows[near],
                columns[near],
                -np.ldexp(settled[near], unit_exponent),
            )
            settled[near] += above
            if wide.any():
                settled[wide] = self._exact_ceilings(X, rows[wide], columns[wide], cap)
            ceilings[rows, columns] = np.clip(settled, 0.0, cap)
        codes.values[positions] = ceilings

    def _exact_ceilings(self, X, rows, columns, cap: float) -> np.ndarray:
        """Compute ceilings in integers, where doubles are too coarse."""
        unit_exponent = self.exponent - FRACTION_BITS
        biases = self.biases
        ceilings = np.empty(len(rows))
        for row in np.unique(rows):
            point = X[[row]].toarray()[0] if sparse.issparse(X) else X[row]
            for pair in np.flatnonzero(rows == row):
                column = columns[pair]
                ceiling = exact_ceiling(
                    self.directions[column], point, biases[column], unit_exponent
                )
                ceilings[pair] = min(max(ceiling, 0), int(cap))
        return ceilings
