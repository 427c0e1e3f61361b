"""Signs of products with rows that are mostly zeros, or have few features.

Six neighbouring rows make a group, and are read where one of them at least is not zero.
Their products with 64 hyperplanes stay in registers, and only the signs are stored.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

from ._flags import at, flag, with_room_to_flag
from ._reference import LANES, ROWS_OF_A_GROUP, aligned_room, scales
from ._vector import group_sign_bits

__all__ = ["pack_signs_of_rows", "packed_rows"]

compiled = njit(nogil=True, cache=True, error_model="numpy")


class PackedRows(NamedTuple):
    """Groups of rows: group g has the columns `starts[g]` .. `starts[g + 1] - 1`."""

    n_rows: int
    starts: np.ndarray
    columns: np.ndarray
    values: np.ndarray


@compiled
def _pack_rows(
    X, rows, shift, first, second, starts, columns, values, n_terms, squares
):
    n_features = X.shape[1]
    used = np.empty(n_features, dtype=np.uint8)
    total = 0
    for group in range(len(starts) - 1):
        block = rows[group * ROWS_OF_A_GROUP : (group + 1) * ROWS_OF_A_GROUP]
        used[:] = 0
        for row in block:
            for j in range(n_features):
                used[j] |= X[row, j] != shift[j]
        start = total
        for j in range(n_features):
            columns[total] = j  # overwritten unless used
            total += np.int64(used[j])
        values[start:total, len(block) :] = 0
        for k in range(len(block)):
            count, square = 0, 0.0
            for place in range(start, total):
                j = columns[place]
                difference = np.float64(X[block[k], j]) - shift[j]
                value = np.float32(difference * first * second)
                values[place, k] = value
                count += difference != 0
                square += np.float64(value) * np.float64(value)
            i = group * ROWS_OF_A_GROUP + k
            n_terms[i], squares[i] = count, square
        starts[group + 1] = total


def packed_rows(X, rows, shift, exponent: int):
    rows = np.asarray(rows, dtype=np.intp)  # one type, compiled once
    n_groups = -(-len(rows) // ROWS_OF_A_GROUP)
    n_features = X.shape[1]
    room = n_groups * n_features
    packed = PackedRows(
        len(rows),
        np.zeros(n_groups + 1, dtype=np.int64),
        np.empty(room + 1, dtype=np.int32),
        np.empty((room, ROWS_OF_A_GROUP), dtype=np.float32),
    )
    n_terms, squares = np.empty(len(rows), dtype=np.int64), np.empty(len(rows))
    if shift is None:
        shift = np.zeros(n_features)
    _pack_rows(X, rows, shift, *scales(-exponent), *packed[1:], n_terms, squares)
    return packed, n_terms, squares


@compiled
def _fill(panel, directions, first):
    """Transpose 64 directions into the panel, and zeros beyond the last."""
    n = min(64, directions.shape[0] - first)
    for j in range(panel.shape[0]):
        for k in range(n):
            panel[j, k] = directions[first + k, j]
        for k in range(n, 64):
            panel[j, k] = 0


@compiled
def _pack_signs_of_rows(
    n_rows,
    starts,
    columns,
    values,
    directions,
    panel,
    offsets,
    row_bounds,
    column_bounds,
    offset_bounds,
    positions,
    codes,
    flagged,
):
    n_flagged = 0
    bits = np.empty((ROWS_OF_A_GROUP, 2), dtype=np.uint64)
    for word in range(len(offsets) // 64):
        _fill(panel, directions, 64 * word)
        for group in range(len(starts) - 1):
            start, first = starts[group], group * ROWS_OF_A_GROUP
            group_sign_bits(
                at(columns, start),
                at(values, start),
                starts[group + 1] - start,
                at(panel, 0),
                at(offsets, 64 * word),
                at(row_bounds, first),
                at(column_bounds, 64 * word),
                at(offset_bounds, 64 * word),
                at(bits, 0),
            )
            for k in range(min(ROWS_OF_A_GROUP, n_rows - first)):
                i = first + k
                codes[positions[i] // LANES, word, positions[i] % LANES] = bits[k, 0]
                if bits[k, 1]:
                    n_flagged = flag(
                        bits[k, 1],
                        i,
                        64 * word,
                        row_bounds[i],
                        column_bounds,
                        offset_bounds,
                        flagged,
                        n_flagged,
                    )
    return n_flagged


def pack_signs_of_rows(
    packed,
    directions,
    offsets,
    row_bounds,
    column_bounds,
    offset_bounds,
    positions,
    codes,
):
    # Hyperplanes and rows of zeros fill the last word and the last group: without a
    # bound, they are never in doubt.
    n_rows, n_hyperplanes = packed.n_rows, len(directions)
    beyond = 0, -n_hyperplanes % 64
    return with_room_to_flag(
        _pack_signs_of_rows,
        n_rows * n_hyperplanes,
        *packed,
        directions,
        aligned_room((directions.shape[1], 64), np.float32),
        np.pad(offsets, beyond),
        np.pad(row_bounds, (0, -n_rows % ROWS_OF_A_GROUP)),
        np.pad(column_bounds, beyond),
        np.pad(offset_bounds, beyond),
        positions,
        codes,
    )
