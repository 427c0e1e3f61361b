"""Signs of products with rows of few features, written in planes at once.

The 64 rows of a tile lie side by side in vectors, so that the signs for a hyperplane
are a word of its plane.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from ._flags import at, with_room_to_flag
from ._planes import WORDS
from ._reference import LANES, scales
from ._vector import HYPERPLANES_TOGETHER, tile_sign_bits

__all__ = ["signs_in_planes", "tiles_of_rows"]

_EVERY_LANE = ~np.uint64(0)

compiled = njit(nogil=True, cache=True, error_model="numpy")


@compiled
def _lay_out(X, rows, lanes, shift, first, second, tiles, n_terms, squares):
    for i in range(len(rows)):
        tile, lane = lanes[i] // LANES, lanes[i] % LANES
        count, square = 0, 0.0
        for j in range(X.shape[1]):
            difference = np.float64(X[rows[i], j]) - shift[j]
            value = np.float32(difference * first * second)
            tiles[tile, j, lane] = value
            count += difference != 0
            square += np.float64(value) * np.float64(value)
        n_terms[i], squares[i] = count, square


def tiles_of_rows(X, rows, lanes, n_tiles, shift, exponent: int):
    """Do what `packed_rows` does, with row `rows[i]` in lane `lanes[i]` of the tiles.

    Lanes are numbered through all tiles, and increase.
    """
    rows = np.asarray(rows, dtype=np.intp)  # one type, compiled once
    n_features = X.shape[1]
    tiles = np.zeros((n_tiles, n_features, LANES), dtype=np.float32)
    n_terms, squares = np.empty(len(rows), dtype=np.int64), np.empty(len(rows))
    if shift is None:
        shift = np.zeros(n_features)
    _lay_out(X, rows, lanes, shift, *scales(-exponent), tiles, n_terms, squares)
    return tiles, n_terms, squares


@compiled
def _signs_in_planes(
    tiles,
    lanes,
    directions,
    offsets,
    row_bounds,
    column_bounds,
    offset_bounds,
    n_hyperplanes,
    planes,
    flagged,
):
    n_flagged, stop = 0, 0
    rows = np.empty(LANES, dtype=np.int64)
    thresholds = np.empty(HYPERPLANES_TOGETHER, dtype=np.float32)
    bits = np.empty((HYPERPLANES_TOGETHER, 2), dtype=np.uint64)
    for tile in range(len(tiles)):
        # The largest bound holds for all rows of the tile.
        bound, valid = np.float32(0), np.uint64(0)
        while stop < len(lanes) and lanes[stop] // LANES == tile:
            lane = lanes[stop] % LANES
            rows[lane] = stop
            valid |= np.uint64(1) << np.uint64(lane)
            bound = max(bound, row_bounds[stop])
            stop += 1
        group, word = tile // WORDS, tile % WORDS
        for first in range(0, len(directions), HYPERPLANES_TOGETHER):
            for k in range(HYPERPLANES_TOGETHER):
                h = first + k
                thresholds[k] = bound * column_bounds[h] + offset_bounds[h]
            tile_sign_bits(
                at(tiles, tile),
                at(directions, first),
                directions.shape[1],
                at(offsets, first),
                at(thresholds, 0),
                at(bits, 0),
            )
            for k in range(HYPERPLANES_TOGETHER):
                planes[group, first + k, word] = bits[k, 0] | ~valid
                doubtful = ~bits[k, 1] & valid
                if doubtful and thresholds[k] > 0 and first + k < n_hyperplanes:
                    for lane in range(LANES):
                        if (doubtful >> np.uint64(lane)) & np.uint64(1):
                            if n_flagged < len(flagged):
                                flagged[n_flagged, 0] = rows[lane]
                                flagged[n_flagged, 1] = first + k
                            n_flagged += 1
    return n_flagged


def signs_in_planes(
    tiles,
    lanes,
    directions,
    offsets,
    row_bounds,
    column_bounds,
    offset_bounds,
    planes,
):
    """Do what `pack_signs_of_rows` does, for all lanes of some planes.

    Lanes without a row get all bits. More entries than those may be in doubt: a tile
    has one bound.
    """
    # Hyperplanes of zeros fill the last word.
    n_hyperplanes = len(directions)
    beyond = 0, planes.shape[1] - n_hyperplanes
    return with_room_to_flag(
        _signs_in_planes,
        len(lanes) * n_hyperplanes,
        tiles,
        lanes,
        np.pad(directions, (beyond, (0, 0))),
        np.pad(offsets, beyond),
        row_bounds,
        np.pad(column_bounds, beyond),
        np.pad(offset_bounds, beyond),
        n_hyperplanes,
        planes,
    )
