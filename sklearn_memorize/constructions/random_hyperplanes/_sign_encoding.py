"""Signs of many points by many hyperplanes: three ways to compute them fast.

All compute in single precision with a bound on the rounding error, and settle the few
entries below the bound exactly. Rows of few features are written in planes; products
of rows that are mostly zeros stay in registers; all others take the products of the
linear algebra library.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from scipy import sparse

from ... import kernels
from ...exact._signs import SINGLE, TINY, rounded_up, rounding
from ...kernels import LANES, ROWS_OF_A_GROUP
from ...kernels._threads import even_step, run_in_threads
from ._codes import TILES_OF_A_GROUP, BitCodes
from ._rows import dense_rows, in_memory, is_dense

if TYPE_CHECKING:
    from ._hyperplane_layer import HyperplaneLayer

__all__ = [
    "BLOCK_VALUES",
    "COLUMNS",
    "LEAST_WIDTH",
    "are_packed",
    "encode_in_planes",
    "encode_packed",
    "encode_products",
    "has_few_features",
]

# Products are computed in blocks of this many columns and about this many numbers.
COLUMNS = 4096
BLOCK_VALUES = 1 << 22
# Rows of few features count as this many numbers, for what else is stored of them.
LEAST_WIDTH = 64
# Powers of two up to this one are far from the limits of single precision.
_SAFE_EXPONENT = 60
# Products of so few features are not worth storing; nor are those of rows that are
# mostly zeros, which some groups of neighbours are looked at for.
_FEW_FEATURES = 16
_MOST_NONZERO = 0.6
_N_GROUPS = 32
# Where there are more features than this, most blocks of zeros are better not read.
_MOST_FEATURES = 1 << 13
# Sums over more features than this are taken in parts, which bounds their error better.
_PART = 512


def has_few_features(layer: HyperplaneLayer, X) -> bool:
    """Return whether codes of rows of X are best written in planes."""
    return layer.n_features <= _FEW_FEATURES and is_dense(X)


def are_packed(layer: HyperplaneLayer, X, rows) -> bool:
    """Return whether the rows have few features, or are mostly zeros."""
    if layer.n_features <= _FEW_FEATURES:
        return True
    if layer.shift is not None or len(rows) < ROWS_OF_A_GROUP * _N_GROUPS:
        return False
    if layer.n_features > _MOST_FEATURES:
        return False
    last = len(rows) - ROWS_OF_A_GROUP
    starts = np.linspace(0, last, _N_GROUPS, dtype=np.intp)
    neighbours = rows[starts[:, np.newaxis] + np.arange(ROWS_OF_A_GROUP)]
    nonzero = dense_rows(X, neighbours.ravel()) != 0
    used = nonzero.reshape(*neighbours.shape, -1).any(axis=1)
    return bool(used.mean() <= _MOST_NONZERO)


def encode_in_planes(
    layer: HyperplaneLayer, codes: BitCodes, X, rows, positions, n_threads
) -> None:
    """Store the codes of dense rows of few features in planes."""
    offsets, offset_bounds = layer.shifted_offsets
    n_groups, n_lanes = len(codes.tiles), TILES_OF_A_GROUP * LANES
    most = BLOCK_VALUES // (LEAST_WIDTH * n_lanes)
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
                points, chosen, lanes, n_tiles, layer.shift, layer.exponent
            )
            doubtful, columns = kernels.signs_in_planes(
                tiles,
                lanes,
                layer.directions,
                offsets,
                _row_bounds(layer, *size),
                layer.direction_bounds,
                offset_bounds,
                planes,
            )
        _settle(layer, codes, points, chosen[doubtful], places[doubtful], columns)

    run_in_threads(encode_groups, range(0, n_groups, step), n_threads)


def encode_packed(layer: HyperplaneLayer, codes: BitCodes, X, rows, positions) -> None:
    """Store the codes of rows of few features, or mostly of zeros."""
    offsets, offset_bounds = layer.shifted_offsets
    X, rows = in_memory(X, rows)
    with np.errstate(over="ignore", invalid="ignore", under="ignore"):
        packed, *size = kernels.packed_rows(X, rows, layer.shift, layer.exponent)
        doubtful, columns = kernels.pack_signs_of_rows(
            packed,
            layer.directions,
            offsets,
            _row_bounds(layer, *size),
            layer.direction_bounds,
            offset_bounds,
            positions,
            codes.tiles,
        )
    _settle(layer, codes, X, rows[doubtful], positions[doubtful], columns)


def encode_products(
    layer: HyperplaneLayer, codes: BitCodes, X, positions, room
) -> None:
    """Store the codes of any rows; `room` is for the products of all of them."""
    rows, row_bounds = _rounded(layer, X)
    is_shifted = not sparse.issparse(X)
    offsets, offset_bounds = layer.shifted_offsets if is_shifted else layer.offsets
    for start in range(0, layer.n_hyperplanes, COLUMNS):
        columns = slice(start, min(start + COLUMNS, layer.n_hyperplanes))
        with np.errstate(over="ignore", invalid="ignore"):
            doubtful, places = kernels.pack_signs(
                _product(rows, layer.directions[columns], room),
                offsets[columns],
                row_bounds,
                layer.direction_bounds[columns],
                offset_bounds[columns],
                positions,
                start // 64,
                codes.tiles,
            )
        _settle(layer, codes, X, doubtful, positions[doubtful], start + places)


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


def _rounded(layer: HyperplaneLayer, X):
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
            rows.data = np.ldexp(rows.data, -layer.exponent)
            rows = rows.astype(np.float32)
            squares = np.asarray(rows.multiply(rows).sum(axis=1)).ravel()
        else:
            rows = _scaled(layer, X)
            n_terms = np.count_nonzero(X if layer.shift is None else rows, axis=1)
            squares = np.einsum("ij,ij->i", rows, rows)
        n_roundings = n_terms
        if not sparse.issparse(X):
            n_roundings = np.minimum(n_terms, _most_roundings(layer.n_features))
        return rows, _row_bounds(layer, n_terms, squares, n_roundings)


def _row_bounds(
    layer: HyperplaneLayer, n_terms, squares, n_roundings=None
) -> np.ndarray:
    """Return the error bounds of rows, from their squared norms."""
    n_roundings = n_terms if n_roundings is None else n_roundings
    relative = rounding(n_roundings + 4.0, SINGLE)
    # The norm itself carries up to gamma_{k + 1} of relative error, for all that is
    # known of its order, and each of its squares may underflow.
    excess = rounding(n_terms + 4.0, SINGLE)
    squares = squares.astype(np.float64) + layer.n_features * 2.0**-126
    norms = np.sqrt(squares) * (1 + 2 * excess)
    bounds = relative * norms + layer.n_features * TINY
    bounds[n_terms == 0] = 0.0
    return rounded_up(bounds)


def _scaled(layer: HyperplaneLayer, X: np.ndarray) -> np.ndarray:
    """Return (X - shift) * 2**-exponent in single precision, in C order."""
    if layer.shift is not None:
        return np.ldexp(X - layer.shift, -layer.exponent).astype(np.float32)
    if X.dtype == np.float32 and layer.exponent == 0:
        return np.ascontiguousarray(X)
    if abs(layer.exponent) > _SAFE_EXPONENT:
        return np.ldexp(X.astype(np.float64), -layer.exponent).astype(np.float32)
    rows = np.multiply(X, 2.0**-layer.exponent, order="C", dtype=X.dtype)
    return rows.astype(np.float32, copy=False)


def _settle(
    layer: HyperplaneLayer, codes: BitCodes, X, rows, positions, columns
) -> None:
    """Compute the doubtful signs in higher precision, and store them."""
    if len(rows):
        codes.put(positions, columns, layer.exact_signs(X, rows, columns))
