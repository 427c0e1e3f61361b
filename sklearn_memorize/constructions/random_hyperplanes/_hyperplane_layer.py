"""A layer of hyperplanes, and fast codes of many points that are exact all the same.

Signs are computed in single precision with a bound on the rounding error; the few
entries below the bound are settled exactly. There are three ways: dense rows of few
features are written in planes; products of other dense rows stay in registers, and are
not stored; sparse rows, and those of very many features, take the products of the
linear algebra library. ReLU outputs are computed in double precision, in the last two
of these ways: see `_relu_codes`.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Iterator, Sequence
from dataclasses import fields
from functools import cached_property

import numpy as np
from scipy import sparse

from ... import kernels
from ...exact._signs import SINGLE, TINY, rounded_up, rounding
from ...kernels import LANES
from ...kernels._memory import blocks_of_rows, check_room
from ...kernels._threads import even_step, one_blas_thread, run_in_threads
from ...network._storage import storable
from ._codes import TILES_OF_A_GROUP, BitCodes
from ._exact_hyperplanes import ExactHyperplanes
from ._relu_codes import (
    ReLUCodes,
    RowsInDouble,
    axis_outputs,
    encode_packed_relu,
    encode_relu,
    sums_in_double,
)
from ._rows import columns_in_use, in_memory, is_dense, rows_of

# Products are computed in blocks of this many columns and about this many numbers.
_COLUMNS = 4096
_BLOCK_VALUES = 1 << 22
# Rows of few features count as this many numbers, for what else is stored of them.
_LEAST_WIDTH = 64
# Powers of two up to this one are far from the limits of single precision.
_SAFE_EXPONENT = 60
# Products below this one are far from the largest number of single precision.
_LARGEST_SINGLE = 2.0**120
# Rows of so few features are written in planes.
FEW_FEATURES = 16
# 64 directions of so many features fit the second cache, and products with them stay in
# registers.
_MOST_FEATURES = 1 << 13
# Sparse directions of which this share is not zero, among the features that are looked
# at, are evaluated like dense ones.
_LEAST_FILLED = 0.25
# Sums over more features than this are added up in pieces of as many features, which
# bounds their error better.
_SUMMED_TOGETHER = kernels.TERMS_OF_A_PART


@storable
class HyperplaneLayer(ExactHyperplanes):
    """Hyperplanes `<w, x> + b = 0` in space, and on which side of them points lie.

    The directions are kept in single and the biases in double precision. `encode`
    returns the *exact* sign of `<w, x> + b` for these numbers: it is computed in
    single precision with a bound on the rounding error, and the few entries below
    the bound (about one in a thousand) are computed again in higher precision. So
    the code of a point does not depend on how it was asked for.

    Parameters
    ----------
    directions : ndarray or CSR array of shape (n_hyperplanes, n_features), float32
        The normal vectors w. They are sparse where each looks at some features only.
    scaled_biases : ndarray of shape (n_hyperplanes,)
        The biases in units of `2**exponent`: b = scaled_biases * 2**exponent.
    exponent : int
        Points are scaled by `2**-exponent` before they are rounded to single
        precision; a power of two changes no sign.
    shift : ndarray of shape (n_features,) or None
        A point near the data, subtracted before rounding to single precision where
        the data lie far from the origin. It changes no sign either.
    axis : AxisHyperplanes
        Axis-parallel hyperplanes that come after these; none by default.

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
        """Return codes of `n_positions` points, to be filled in, if they fit."""
        self._check_room(n_positions, activation)
        codes = BitCodes if activation == "threshold" else ReLUCodes
        return codes.empty(n_positions, self.n_hyperplanes)

    def filled(self, n_positions: int, activation: str, positions, outputs):
        """Return codes with the given outputs at some positions, which increase."""
        if activation == "threshold":
            self._check_room(n_positions, activation)
            return BitCodes.filled(n_positions, self.n_hyperplanes, positions, outputs)
        codes = self.room(n_positions, activation)
        codes.put_outputs(positions, outputs)
        return codes

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
        few_features = self.n_features <= FEW_FEATURES and is_dense(X)
        if activation == "threshold" and few_features and not self.is_sparse:
            self._check_room(n_positions, activation)
            planes = BitCodes.empty_planes(n_positions, self.n_hyperplanes)
            if planes is not None:
                _encode_in_planes(self, planes, X, rows, positions, n_threads)
                _put_axis(self, planes, X, rows, positions)
                return planes
        codes = self.room(n_positions, activation)
        self.encode_into(codes, X, rows, positions, n_threads)
        return codes.arranged(n_threads)

    def encode_into(self, codes, X, rows, positions, n_threads: int = 1) -> None:
        """Store the code of row `rows[i]` of X at `positions[i]` of `codes`.

        Parameters
        ----------
        codes : BitCodes or ReLUCodes
            What `room` returned.
        X : ndarray or CSR array of shape (n_samples, n_features)
            The points.
        rows, positions : ndarray of shape (n_rows,)
            Which rows to encode, and where their codes go.
        n_threads : int, default=1
            Number of threads that share the rows.
        """
        if self.is_sparse:
            _encode_sparse(self, codes, X, rows, positions, n_threads)
            _put_axis(self, codes, X, rows, positions)
            return
        if not self.is_packed(X):
            _encode_by_products(self, codes, X, rows, positions, n_threads)
        elif isinstance(codes, BitCodes):
            _encode_packed([self], [codes], X, rows, positions, n_threads)
        else:
            _encode_packed_outputs(self, codes, X, rows, positions, n_threads)
        _put_axis(self, codes, X, rows, positions)

    def on_arrays(self) -> HyperplaneLayer:
        """Return the layer with dense directions, but for `axis`, if they are filled.

        Else, or where they look at less than half of the features, the layer itself.
        """
        if not self.is_sparse:
            return self
        features, layer = self._on_arrays
        return self if layer is None or features is not None else layer

    def is_packed(self, X) -> bool:
        """Return whether products of the rows of X stay in registers."""
        few = self.n_features <= _MOST_FEATURES
        return few and not self.is_sparse and is_dense(X)

    @cached_property
    def _on_arrays(self) -> tuple[np.ndarray | None, HyperplaneLayer | None]:
        """Return features that sparse directions look at, and a dense layer on these.

        None for all features; no layer if directions would be mostly zeros even so.
        """
        features = columns_in_use(self.directions)
        n_entries = self.n_drawn * len(features)
        if self.directions.nnz < _LEAST_FILLED * n_entries:
            return None, None
        of_all = 2 * len(features) > self.n_features  # choosing them does not pay
        used = slice(None) if of_all else features
        if self.directions.nnz == n_entries and not of_all:  # all of them, in order
            directions = self.directions.data.reshape(self.n_drawn, len(features))
        else:
            directions = self.directions[:, used].toarray()
        shift = None if self.shift is None else self.shift[used]
        layer = type(self)(directions, self.scaled_biases, self.exponent, shift)
        return None if of_all else features, layer

    def __getstate__(self) -> dict:
        """Return what is pickled: not what can be computed again."""
        names = {field.name for field in fields(self)}
        return {name: part for name, part in vars(self).items() if name in names}


def _put_axis(hyperplanes: ExactHyperplanes, codes, X, rows, positions) -> None:
    """Store what axis-parallel hyperplanes say: comparisons of two numbers."""
    axis, n_drawn = hyperplanes.axis, hyperplanes.n_drawn
    if len(axis) == 0:
        return
    is_packed = isinstance(codes, BitCodes)
    if is_packed and codes.are_planes:  # lanes that hold no sample have all bits set
        codes.tiles[:, n_drawn:] = ~np.uint64(0)
    n_values = len(axis) if sparse.issparse(X) else max(X.shape[1], len(axis))
    for block in blocks_of_rows(len(rows), n_values):
        points = X[rows[block]]
        if is_packed:
            values = axis.distances(points) > 0
        else:
            values = axis_outputs(hyperplanes, points, codes.cap)
        codes.put_columns(positions[block].astype(np.intp), n_drawn, values)


def _encode_sparse(
    hyperplanes: HyperplaneLayer, codes, X, rows, positions, n_threads
) -> None:
    """Store the codes by sparse directions, all but those of `axis`."""
    features, layer = hyperplanes._on_arrays
    if layer is not None and features is None:
        layer.encode_into(codes, X, rows, positions, n_threads)
        return
    if layer is not None and features is not None:  # in a space of less dimensions
        n_values = max(len(features), min(hyperplanes.n_drawn, _COLUMNS))
        for block in blocks_of_rows(len(rows), n_values, n_threads * _BLOCK_VALUES):
            points = X[rows[block]][:, features]
            everywhere = np.arange(len(rows[block]))
            layer.encode_into(codes, points, everywhere, positions[block], n_threads)
        return

    def encode_block(block: slice) -> None:
        points, places = X[rows[block]], positions[block].astype(np.intp)
        if not isinstance(codes, BitCodes):
            encode_relu(hyperplanes, codes, points, places)
            return
        values, bounds = sums_in_double(hyperplanes, points)
        positive = values > 0
        doubtful, columns = np.nonzero(~(np.abs(values) > bounds))
        positive[doubtful, columns] = hyperplanes.exact_signs(points, doubtful, columns)
        codes.put_columns(places, 0, positive)

    n_values = hyperplanes.n_drawn if sparse.issparse(X) else hyperplanes.n_features
    blocks = blocks_of_rows(len(rows), max(n_values, hyperplanes.n_drawn))
    run_in_threads(encode_block, blocks, n_threads)


def _encode_in_planes(
    hyperplanes: ExactHyperplanes, codes: BitCodes, X, rows, positions, n_threads
) -> None:
    """Store the codes of dense rows of few features in planes."""
    offsets, offset_bounds = hyperplanes.shifted_offsets
    n_groups, n_lanes = len(codes.tiles), TILES_OF_A_GROUP * LANES
    most = _BLOCK_VALUES // (_LEAST_WIDTH * n_lanes)
    step = even_step(n_groups, most, n_threads)

    def encode_groups(first: int) -> None:
        planes = codes.tiles[first : first + step]
        ends = np.array([first, first + len(planes)]) * n_lanes
        # Of their own type: else all positions would be converted.
        block = slice(*np.searchsorted(positions, ends.astype(positions.dtype)))
        places = positions[block].astype(np.intp)
        lanes, n_tiles = places - ends[0], len(planes) * TILES_OF_A_GROUP
        points, chosen = in_memory(X, rows[block])
        with np.errstate(over="ignore", invalid="ignore", under="ignore"):
            tiles, *size = kernels.tiles_of_rows(
                points, chosen, lanes, n_tiles, hyperplanes.shift, hyperplanes.exponent
            )
            doubtful, columns = kernels.signs_in_planes(
                tiles,
                lanes,
                hyperplanes.directions,
                offsets,
                row_bounds(hyperplanes, *size),
                hyperplanes.direction_bounds,
                offset_bounds,
                planes,
            )
        _settle(hyperplanes, codes, points, chosen[doubtful], places[doubtful], columns)

    run_in_threads(encode_groups, range(0, n_groups, step), n_threads)


def encode_by_all(
    layers: Sequence[HyperplaneLayer], X, activation="threshold"
) -> Iterator[BitCodes | ReLUCodes]:
    """Yield what `encode` returns, for several layers of the same dimension.

    Dense rows are prepared once for layers in the same units. Only one set of ReLU
    outputs is needed at a time, which takes 64 times the room of bits.
    """
    dense, rows = [layer.on_arrays() for layer in layers], np.arange(X.shape[0])
    if not all(
        layer.is_packed(X) and in_same_units(layer, dense[0]) for layer in dense
    ):
        yield from (layer.encode(X, activation) for layer in layers)
    elif activation == "relu":
        yield from _outputs_by_all(layers, dense, X, rows)
    else:
        codes = [layer.room(len(rows)) for layer in layers]
        _encode_packed(dense, codes, X, rows, rows)
        for layer, code in zip(layers, codes, strict=True):
            _put_axis(layer, code, X, rows, rows)
            yield code


def _outputs_by_all(layers, dense, X, rows) -> Iterator[ReLUCodes]:
    """Yield the ReLU outputs of all layers; `dense` are these without their axes."""
    if len(_blocks_to_pack(dense[0], len(rows), 1)) > 1:
        # Reading the rows again is better than keeping all of them packed.
        yield from (layer.encode(X, "relu") for layer in layers)
        return
    points = RowsInDouble.of(dense[0], *in_memory(X, rows))
    for layer, on_arrays in zip(layers, dense, strict=True):
        codes = layer.room(len(rows), "relu")
        encode_packed_relu(on_arrays, codes, points, rows)
        _put_axis(layer, codes, X, rows, rows)
        yield codes


def in_same_units(a: HyperplaneLayer, b: HyperplaneLayer) -> bool:
    """Return whether points are scaled and shifted in the same way for two layers."""
    if a.exponent != b.exponent:
        return False
    if a.shift is None or b.shift is None:
        return a.shift is b.shift
    return np.array_equal(a.shift, b.shift)


def _encode_packed(
    layers: Sequence[HyperplaneLayer],
    codes: Sequence[BitCodes],
    X,
    rows,
    positions,
    n_threads: int = 1,
) -> None:
    """Store the codes of dense rows by layers in the same units."""

    def encode_block(block: slice) -> None:
        points, chosen = in_memory(X, rows[block])
        places = positions[block].astype(np.intp)
        with np.errstate(over="ignore", invalid="ignore", under="ignore"):
            packed, *size = kernels.packed_rows(
                points, chosen, layers[0].shift, layers[0].exponent
            )
        for layer, code in zip(layers, codes, strict=True):
            offsets, offset_bounds = layer.shifted_offsets
            with np.errstate(over="ignore", invalid="ignore", under="ignore"):
                doubtful, columns = kernels.pack_signs_of_rows(
                    packed,
                    layer.directions,
                    offsets,
                    row_bounds(layer, *size),
                    layer.direction_bounds,
                    offset_bounds,
                    places,
                    code.tiles,
                )
            _settle(layer, code, points, chosen[doubtful], places[doubtful], columns)

    blocks = _blocks_to_pack(layers[0], len(rows), n_threads)
    run_in_threads(encode_block, blocks, n_threads)


def _encode_packed_outputs(
    layer: HyperplaneLayer, codes: ReLUCodes, X, rows, positions, n_threads: int
) -> None:
    """Store the ReLU outputs of dense rows, all but those of `axis`."""

    def encode_block(block: slice) -> None:
        points = RowsInDouble.of(layer, *in_memory(X, rows[block]))
        encode_packed_relu(layer, codes, points, positions[block].astype(np.intp))

    blocks = _blocks_to_pack(layer, len(rows), n_threads)
    run_in_threads(encode_block, blocks, n_threads)


def _blocks_to_pack(layer, n_rows: int, n_threads: int) -> list[slice]:
    """Cut dense rows into blocks that all threads get as many of."""
    most_rows = _BLOCK_VALUES // max(layer.n_features, _LEAST_WIDTH)
    step = max(64, even_step(n_rows, most_rows, n_threads))
    return [slice(start, start + step) for start in range(0, n_rows, step)]


def _encode_by_products(
    hyperplanes: HyperplaneLayer, codes, X, rows, positions, n_threads: int
) -> None:
    """Store the codes, or ReLU outputs, of any rows, all but those of `axis`."""
    most_rows = 0
    width = min(hyperplanes.n_hyperplanes, _COLUMNS)
    if not sparse.issparse(X):
        width = max(width, hyperplanes.n_features)
    else:  # each product copies the directions, eight times the size of it
        most_rows = hyperplanes.n_features // 8
    # Long rows are read as they lie in memory.
    order = np.argsort(rows)
    rows, positions = rows[order], positions[order]
    most_rows = max(most_rows, _BLOCK_VALUES // width)
    step = max(64, even_step(len(rows), most_rows, n_threads))
    of_thread = threading.local()

    def encode_block(start: int) -> None:
        block = slice(start, start + step)
        places = positions[block].astype(np.intp)
        points = rows_of(X, rows[block])
        if not isinstance(codes, BitCodes):
            encode_relu(hyperplanes, codes, points, places)
            return
        if not hasattr(of_thread, "products"):
            of_thread.products = np.empty(step * width, dtype=np.float32)
        _encode_products(hyperplanes, codes, points, places, of_thread.products)

    with one_blas_thread():
        run_in_threads(encode_block, range(0, len(rows), step), n_threads)


def _encode_products(
    hyperplanes: ExactHyperplanes, codes: BitCodes, X, positions, buffer
) -> None:
    """Store the codes of any rows; `buffer` holds the products of all of them."""
    rows, row_bounds = _rounded(hyperplanes, X)
    if sparse.issparse(X):  # nothing is subtracted from rows that are mostly zeros
        offsets, offset_bounds = hyperplanes.offsets
    else:
        offsets, offset_bounds = hyperplanes.shifted_offsets
    for start in range(0, hyperplanes.n_drawn, _COLUMNS):
        columns = slice(start, min(start + _COLUMNS, hyperplanes.n_drawn))
        with np.errstate(over="ignore", invalid="ignore"):
            doubtful, places = kernels.pack_signs(
                _product(rows, hyperplanes.directions[columns], buffer),
                offsets[columns],
                row_bounds,
                hyperplanes.direction_bounds[columns],
                offset_bounds[columns],
                positions,
                start // 64,
                codes.tiles,
            )
        _settle(hyperplanes, codes, X, doubtful, positions[doubtful], start + places)


def _product(rows, directions: np.ndarray, buffer: np.ndarray) -> np.ndarray:
    """Return `rows @ directions.T`, summed piece by piece of the features if dense.

    Dense products are stored in `buffer`: asking for memory again and again is slow.
    """
    if sparse.issparse(rows):
        return _sparse_product(rows, directions)
    shape = len(rows), len(directions)
    total = buffer[: math.prod(shape)].reshape(shape)
    first = slice(0, _SUMMED_TOGETHER)
    np.matmul(rows[:, first], directions[:, first].T, out=total)
    for start in range(_SUMMED_TOGETHER, rows.shape[1], _SUMMED_TOGETHER):
        piece = slice(start, start + _SUMMED_TOGETHER)
        total += rows[:, piece] @ directions[:, piece].T
    return total


def _sparse_product(rows, directions: np.ndarray) -> np.ndarray:
    """Return `rows @ directions.T`, of the features that any of the rows uses.

    The product copies the directions: all of them for one row would take long.
    """
    used = np.unique(rows.indices)
    if 2 * len(used) < rows.shape[1]:
        places = np.searchsorted(used, rows.indices)
        shape = rows.shape[0], len(used)
        rows = sparse.csr_array((rows.data, places, rows.indptr), shape=shape)
        directions = directions[:, used]
    return np.ascontiguousarray(rows @ directions.T)


def _rounded(hyperplanes: ExactHyperplanes, X):
    """Return the scaled points in single precision, and their error bounds.

    For a rounded point x with k nonzero entries and any order of summation,
    |fl(<w, x>) - <w, x>| <= gamma_k |w| |x|; adding zeros makes no error. Where p
    pieces of s features are added up, the same holds with s + p for k. Four
    more roundings cover shift, scaling and conversion, and a tiny constant what
    underflows. A point of zeros has no error at all.
    """
    with np.errstate(over="ignore", invalid="ignore", under="ignore"):
        if sparse.issparse(X):
            n_terms = np.diff(X.indptr)
            rows = X.astype(np.float64)
            rows.data = np.ldexp(rows.data, -hyperplanes.exponent)
            rows = rows.astype(np.float32)
            squares = np.asarray(rows.multiply(rows).sum(axis=1)).ravel()
            return rows, row_bounds(hyperplanes, n_terms, squares, None)
        rows = _scaled(hyperplanes, X)
        n_terms = np.count_nonzero(X if hyperplanes.shift is None else rows, axis=1)
        squares = np.einsum("ij,ij->i", rows, rows)
        return rows, row_bounds(hyperplanes, n_terms, squares)


def row_bounds(
    hyperplanes: ExactHyperplanes,
    n_terms,
    squares,
    summed_together: int | None = _SUMMED_TOGETHER,
) -> np.ndarray:
    """Return the error bounds of rows, from their squared norms.

    Sums are added up in pieces of so many features, or None, in any order.
    """
    n_roundings = n_terms
    if summed_together is not None:
        n_pieces = -(-hyperplanes.n_features // summed_together)
        n_roundings = np.minimum(n_terms, summed_together + n_pieces)
    relative = rounding(n_roundings + 4.0, SINGLE)
    # The norm itself carries up to gamma_{k + 1} of relative error, for all that is
    # known of its order, and each of its squares may underflow.
    excess = rounding(n_terms + 4.0, SINGLE)
    squares = squares.astype(np.float64) + hyperplanes.n_features * 2.0**-126
    norms = np.sqrt(squares) * (1 + 2 * excess)
    bounds = relative * norms + hyperplanes.n_features * TINY
    # Sums on the way are at most |w| |x|. Where that is near the largest number of
    # single precision, they may have overflowed, and their signs say nothing.
    largest = float(hyperplanes.direction_bounds.max(initial=1.0))
    bounds[~(norms * largest < _LARGEST_SINGLE)] = np.inf
    bounds[n_terms == 0] = 0.0
    return rounded_up(bounds)


def _scaled(hyperplanes: ExactHyperplanes, X: np.ndarray) -> np.ndarray:
    """Return (X - shift) * 2**-exponent in single precision, in C order."""
    if hyperplanes.shift is not None:
        return np.ldexp(X - hyperplanes.shift, -hyperplanes.exponent).astype(np.float32)
    if X.dtype == np.float32 and hyperplanes.exponent == 0:
        return np.ascontiguousarray(X)
    if abs(hyperplanes.exponent) > _SAFE_EXPONENT:
        return np.ldexp(X.astype(np.float64), -hyperplanes.exponent).astype(np.float32)
    rows = np.multiply(X, 2.0**-hyperplanes.exponent, order="C", dtype=X.dtype)
    return rows.astype(np.float32, copy=False)


def _settle(
    hyperplanes: ExactHyperplanes, codes: BitCodes, X, rows, positions, columns
) -> None:
    """Compute the doubtful signs in higher precision, and store them."""
    if len(rows):
        codes.put(positions, columns, hyperplanes.exact_signs(X, rows, columns))
