"""The kernels in C: the same answers as the specification, fast, without the GIL.

Each function makes room for the answer, sees to types and memory order, and leaves the
rest to the extension `_c`, whose sources are in the folder `c`.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from . import _c
from ._reference import (
    LANES,
    ROWS_OF_A_GROUP,
    LeftOut,
    Outputs,
    RoundedOutputs,
    bits_in_use,
    hash_coefficients,
    scales,
)

_TILES_OF_A_GROUP = 8
_FLOATS = (np.dtype(np.float32), np.dtype(np.float64))


def _matrix(X: np.ndarray) -> np.ndarray:
    """Return X as floats in the machine's byte order, in whatever memory order."""
    return X if X.dtype in _FLOATS else X.astype(np.float64)


def _in_order(array, dtype) -> np.ndarray:
    return np.ascontiguousarray(array, dtype=dtype)


def row_hashes(block: np.ndarray) -> np.ndarray:
    hashes = np.empty(len(block), dtype=np.uint64)
    _c.row_hashes(_matrix(block), hash_coefficients(block.shape[1]), hashes)
    return hashes


def ordered_product(rows: np.ndarray, weights: np.ndarray) -> np.ndarray:
    total = np.empty((len(rows), len(weights)))
    _c.ordered_product(_matrix(rows), _matrix(weights), total)
    return total


def largest_differences(rows: np.ndarray, points: np.ndarray) -> np.ndarray:
    table = np.empty((len(rows), len(points)))
    _c.largest_differences(_matrix(rows), _matrix(points), table)
    return table


def differences_of_pairs(
    left: np.ndarray, left_rows: np.ndarray, right: np.ndarray, right_rows: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    high, low = np.empty((2, len(left_rows)))
    _c.differences_of_pairs(
        _matrix(left),
        _in_order(left_rows, np.int64),
        _matrix(right),
        _in_order(right_rows, np.int64),
        high,
        low,
    )
    return high, low


def integer_sums(block: np.ndarray, exponent: int) -> np.ndarray:
    sums = np.empty(block.shape[1])
    _c.integer_sums(_matrix(block), *scales(-exponent), sums)
    return sums


def row_norms(block: np.ndarray, center: np.ndarray, exponent: int) -> np.ndarray:
    norms = np.empty(len(block))
    _c.row_norms(_matrix(block), _in_order(center, np.float64), 2.0**-exponent, norms)
    return norms


def pair_sums(
    X: np.ndarray, rows: np.ndarray, directions: np.ndarray, columns: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    sums, magnitudes = np.empty(len(rows)), np.empty(len(rows))
    _c.pair_sums(
        _matrix(X),
        _in_order(rows, np.int64),
        _in_order(directions, np.float32),
        _in_order(columns, np.int64),
        sums,
        magnitudes,
    )
    return sums, magnitudes


def hinge_sums(
    distances: np.ndarray,
    rows: np.ndarray,
    factors: np.ndarray,
    cells: np.ndarray,
    positions: np.ndarray,
    slacks: np.ndarray,
    constants: tuple[float, float, float],
) -> np.ndarray:
    sums = np.empty(len(rows))
    _c.hinge_sums(
        _in_order(distances, np.float32),
        _in_order(rows, np.int64),
        _in_order(factors, np.float32),
        _in_order(cells, np.int64),
        _in_order(positions, np.int64),
        _in_order(slacks, np.float32),
        *constants,
        sums,
    )
    return sums


def compensated_sums(
    X: np.ndarray,
    rows: np.ndarray,
    directions: np.ndarray,
    columns: np.ndarray,
    offsets: np.ndarray,
    shifts: np.ndarray,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    sums, magnitudes, smallest = (np.empty(len(rows)) for _ in range(3))
    _c.compensated_sums(
        _matrix(X),
        _in_order(rows, np.int64),
        _in_order(directions, np.float32),
        _in_order(columns, np.int64),
        _in_order(offsets, np.float64),
        _in_order(shifts, np.float64),
        sums,
        magnitudes,
        smallest,
    )
    return sums, magnitudes, smallest


def _numbers(doubtful) -> tuple[np.ndarray, np.ndarray]:
    rows, columns = (np.frombuffer(numbers, dtype=np.int64) for numbers in doubtful)
    return rows, columns


def _singles(*arrays) -> list[np.ndarray]:
    return [_in_order(array, np.float32) for array in arrays]


def pack_signs(
    products: np.ndarray,
    offsets: np.ndarray,
    row_bounds: np.ndarray,
    column_bounds: np.ndarray,
    offset_bounds: np.ndarray,
    positions: np.ndarray,
    first_word: int,
    codes: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    doubtful = _c.pack_signs(
        *_singles(products, offsets, column_bounds, offset_bounds, row_bounds),
        first_word,
        codes,
        _in_order(positions, np.int64),
    )
    return _numbers(doubtful)


class PackedRows(NamedTuple):
    """Groups of rows: group g has the columns `starts[g]` .. `starts[g + 1] - 1`.

    Row k of the group is row `order[ROWS_OF_A_GROUP * g + k]` of all.
    """

    order: np.ndarray
    starts: np.ndarray
    columns: np.ndarray
    values: np.ndarray


def packed_rows(
    X: np.ndarray, rows: np.ndarray, shift: np.ndarray | None, exponent: int
):
    n_groups, n_features = -(-len(rows) // ROWS_OF_A_GROUP), X.shape[1]
    packed = PackedRows(
        np.empty(len(rows), dtype=np.int64),
        np.empty(n_groups + 1, dtype=np.int64),
        np.empty(n_groups * n_features + 1, dtype=np.int32),
        np.empty((n_groups * n_features, ROWS_OF_A_GROUP), dtype=np.float32),
    )
    n_terms, squares = np.empty(len(rows), dtype=np.int64), np.empty(len(rows))
    _c.pack_rows(
        _matrix(X),
        _in_order(rows, np.int64),
        None if shift is None else _in_order(shift, np.float64),
        *scales(-exponent),
        n_terms,
        squares,
        *packed,
    )
    return packed, n_terms, squares


def pack_signs_of_rows(
    packed: PackedRows,
    directions: np.ndarray,
    offsets: np.ndarray,
    row_bounds: np.ndarray,
    column_bounds: np.ndarray,
    offset_bounds: np.ndarray,
    positions: np.ndarray,
    codes: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    doubtful = _c.pack_signs_of_rows(
        *packed,
        *_singles(directions, offsets, column_bounds, offset_bounds, row_bounds),
        codes,
        _in_order(positions, np.int64),
    )
    return _numbers(doubtful)


def rows_in_double(
    packed: PackedRows,
    X: np.ndarray,
    rows: np.ndarray,
    shift: np.ndarray | None,
    exponent: int,
) -> np.ndarray:
    values = np.empty((packed.starts[-1], ROWS_OF_A_GROUP))
    _c.read_groups(
        _matrix(X),
        _in_order(rows, np.int64),
        None if shift is None else _in_order(shift, np.float64),
        *scales(-exponent),
        *packed[:3],
        values,
    )
    return values


def ceilings_of_rows(
    packed: PackedRows,
    values: np.ndarray,
    directions: np.ndarray,
    offsets: tuple[np.ndarray, np.ndarray, np.ndarray],
    row_bounds: tuple[np.ndarray, np.ndarray],
    positions: np.ndarray,
    cap: float,
    outputs: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    doubtful = _c.ceilings_of_rows(
        _in_order(directions, np.float32),
        *(_in_order(array, np.float64) for array in offsets),
        *packed[:3],
        values,
        *(_in_order(array, np.float64) for array in row_bounds),
        cap,
        outputs,
        _in_order(positions, np.int64),
    )
    return _numbers(doubtful)


def tiles_of_rows(X, rows, lanes, n_tiles, shift, exponent: int):
    """Do what `packed_rows` does, with row `rows[i]` in lane `lanes[i]` of the tiles.

    Lanes are numbered through all tiles, and increase.
    """
    tiles = np.zeros((n_tiles, X.shape[1], LANES), dtype=np.float32)
    n_terms, squares = np.empty(len(rows), dtype=np.int64), np.empty(len(rows))
    _c.tiles_of_rows(
        _matrix(X),
        _in_order(rows, np.int64),
        None if shift is None else _in_order(shift, np.float64),
        *scales(-exponent),
        n_terms,
        squares,
        tiles,
        _in_order(lanes, np.int64),
    )
    return tiles, n_terms, squares


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
    doubtful = _c.signs_in_planes(
        tiles,
        *_singles(directions, offsets, column_bounds, offset_bounds, row_bounds),
        planes,
        _in_order(lanes, np.int64),
    )
    return _numbers(doubtful)


def shape_of_planes(n_tiles: int, n_words: int) -> tuple[int, int, int] | None:
    if n_tiles == 0 or n_tiles % _TILES_OF_A_GROUP or 64 * n_words > _c.MOST_PLANES:
        return None
    return n_tiles // _TILES_OF_A_GROUP, 64 * n_words, _TILES_OF_A_GROUP


def arranged(tiles: np.ndarray) -> np.ndarray:
    shape = shape_of_planes(*tiles.shape[:2])
    if shape is None:
        return tiles
    _c.arrange(tiles)
    return tiles.reshape(shape)


def words_at(codes: np.ndarray, positions: np.ndarray) -> np.ndarray:
    are_planes = codes.shape[2] == _TILES_OF_A_GROUP
    n_words = codes.shape[1] // 64 if are_planes else codes.shape[1]
    words = np.empty((len(positions), n_words), dtype=np.uint64)
    _c.words_at(codes, _in_order(positions, np.int64), words)
    return words


def smallest_counts(
    codes: np.ndarray, masks: np.ndarray, skip_start: int, skip_stop: int
) -> np.ndarray:
    smallest = np.empty(len(masks), dtype=np.int32)
    masks = _in_order(masks, np.uint64)
    _c.smallest_counts(codes, masks, skip_start, skip_stop, smallest)
    return smallest


def covers(
    codes: np.ndarray, masks: np.ndarray, bounds: np.ndarray, start: int, stop: int
) -> np.ndarray:
    fires = np.empty((len(masks), stop - start), dtype=np.uint64)
    masks, bounds = _in_order(masks, np.uint64), _in_order(bounds, np.int64)
    _c.covers(codes, masks, bounds, start, stop, fires)
    return fires


def _n_tiles(codes: np.ndarray) -> int:
    return len(codes) * (LANES // codes.shape[2])


def classes_that_fire(
    codes: np.ndarray,
    masks: np.ndarray,
    bounds: np.ndarray,
    starts: np.ndarray,
    n_samples: int | None = None,
) -> np.ndarray:
    n_tiles = _n_tiles(codes)
    fired = np.empty((n_tiles, len(starts) - 1), dtype=np.uint64)
    _c.classes_that_fire(
        codes,
        _in_order(masks, np.uint64),
        _in_order(bounds, np.int64),
        _in_order(starts, np.int64),
        LANES * n_tiles if n_samples is None else n_samples,
        fired,
    )
    return fired


def margins_and_fires(
    codes: np.ndarray,
    masks: np.ndarray,
    bounds: np.ndarray,
    starts: np.ndarray,
    n_votes: int,
    n_samples: int | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    n_tiles, n_classes = _n_tiles(codes), len(starts) - 1
    totals = np.empty((LANES * n_tiles, n_classes), dtype=np.int64)
    fired = np.empty((n_tiles, n_classes), dtype=np.uint64)
    _c.largest_margins(
        codes,
        _in_order(masks, np.uint64),
        _in_order(bounds, np.int64),
        _in_order(starts, np.int64),
        LANES * n_tiles if n_samples is None else n_samples,
        n_votes,
        totals,
        fired,
    )
    return totals, fired


def margins_of_rows(
    words: np.ndarray,
    masks: np.ndarray,
    bounds: np.ndarray,
    starts: np.ndarray,
    n_votes: int,
) -> tuple[np.ndarray, np.ndarray]:
    n_rows, n_coverings = words.shape[:2]
    shape = n_coverings, n_rows, (len(starts) - 1) // n_coverings
    totals, fired = np.empty(shape, dtype=np.int64), np.empty(shape, dtype=np.uint64)
    _c.margins_of_rows(
        _in_order(words, np.uint64),
        _in_order(masks, np.uint64),
        _in_order(bounds, np.int64),
        _in_order(starts, np.int64),
        n_votes,
        totals,
        fired,
    )
    return totals, fired != 0


def cover_in_order(
    codes: np.ndarray, order: np.ndarray, start: int, stop: int, n_bits: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    order = _in_order(order, np.int64)
    centers, bounds, coverage = np.empty((3, len(order)), dtype=np.int64)
    covered = np.empty(stop - start, dtype=np.uint64)
    in_use = bits_in_use(codes, n_bits)
    _c.cover_in_order(
        codes, start, stop, in_use, order, centers, bounds, coverage, covered
    )
    n = int(np.count_nonzero(centers >= 0))
    return centers[:n], bounds[:n], coverage[:n], covered


def first_apart(
    rows: np.ndarray,
    firsts: np.ndarray,
    seconds: np.ndarray,
    features: np.ndarray,
    weights: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    low, high = np.empty((2, len(firsts)))
    _c.first_apart(
        _in_order(rows, np.float64),
        _in_order(firsts, np.int64),
        _in_order(seconds, np.int64),
        _in_order(features, np.int64),
        _in_order(weights, np.float64),
        low,
        high,
    )
    return low, high


def gini_gains(
    columns: np.ndarray,
    starts: np.ndarray,
    features: np.ndarray,
    weights: np.ndarray,
    thresholds: np.ndarray,
) -> np.ndarray:
    gains = np.empty(len(thresholds))
    _c.gini_gains(
        _in_order(columns, np.float64),
        _in_order(starts, np.int64),
        _in_order(features, np.int64),
        _in_order(weights, np.float64),
        _in_order(thresholds, np.float64),
        gains,
    )
    return gains


def two_smallest_counts(
    words: np.ndarray,
    sample_starts: np.ndarray,
    masks: np.ndarray,
    neuron_starts: np.ndarray,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    smallest, second = np.empty((2, len(masks)), dtype=np.int32)
    setters = np.empty(len(masks), dtype=np.int64)
    _c.two_smallest_counts(
        _in_order(words, np.uint64),
        _in_order(sample_starts, np.int64),
        _in_order(masks, np.uint64),
        _in_order(neuron_starts, np.int64),
        smallest,
        second,
        setters,
    )
    return smallest, second, setters


def margin_sums(
    words: np.ndarray,
    masks: np.ndarray,
    bounds: np.ndarray,
    starts: np.ndarray,
    votes: np.ndarray,
    left_out: LeftOut | None = None,
) -> np.ndarray:
    sums = np.empty((len(words), len(starts) - 1, len(votes)), dtype=np.int64)
    nothing = (np.empty(0, dtype=np.int64),) * 3
    _c.margin_sums(
        _in_order(words, np.uint64),
        _in_order(masks, np.uint64),
        _in_order(bounds, np.int64),
        _in_order(starts, np.int64),
        _in_order(votes, np.int64),
        *(_in_order(array, np.int64) for array in left_out or nothing),
        sums,
    )
    return sums


def round_outputs(values: np.ndarray) -> Outputs:
    n_lanes, n_hyperplanes = values.shape
    outputs = Outputs(
        _in_order(values, np.float64),
        np.empty((n_lanes // LANES, n_hyperplanes, LANES), dtype=np.uint16),
        *np.empty((3, n_lanes), dtype=np.float32),
    )
    _c.round_outputs(*outputs)
    return outputs


def smallest_sums(
    outputs: Outputs, masks: np.ndarray, skip_start: int, skip_stop: int
) -> np.ndarray:
    smallest = np.full(len(masks), 2.0**53)
    masks = _in_order(masks, np.uint64)
    _c.smallest_sums(*outputs, masks, skip_start, skip_stop, smallest)
    return smallest


def sums_below(
    outputs: Outputs, masks: np.ndarray, bounds: np.ndarray, start: int, stop: int
) -> np.ndarray:
    below = np.empty((len(masks), stop - start), dtype=np.uint64)
    masks, bounds = _in_order(masks, np.uint64), _in_order(bounds, np.int64)
    _c.sums_below(*outputs, masks, bounds, start, stop, below)
    return below


def classes_with_sums_below(
    outputs: Outputs,
    masks: np.ndarray,
    bounds: np.ndarray,
    starts: np.ndarray,
    n_samples: int,
) -> np.ndarray:
    fired = np.empty((len(outputs.small), len(starts) - 1), dtype=np.uint64)
    _c.classes_with_sums_below(
        *outputs,
        _in_order(masks, np.uint64),
        _in_order(bounds, np.int64),
        _in_order(starts, np.int64),
        n_samples,
        fired,
    )
    return fired


def largest_margins_of_sums(
    outputs: Outputs,
    masks: np.ndarray,
    bounds: np.ndarray,
    starts: np.ndarray,
    n_votes: int,
    n_samples: int,
) -> tuple[np.ndarray, np.ndarray]:
    totals = np.empty((len(outputs.values), len(starts) - 1))
    fired = np.empty((len(outputs.small), len(starts) - 1), dtype=np.uint64)
    _c.largest_margins_of_sums(
        *outputs,
        _in_order(masks, np.uint64),
        _in_order(bounds, np.int64),
        _in_order(starts, np.int64),
        n_samples,
        n_votes,
        totals,
        fired,
    )
    return totals, fired


def round_outputs_of_rows(
    packed: PackedRows,
    directions: np.ndarray,
    offsets: np.ndarray,
    row_bounds: np.ndarray,
    column_bounds: np.ndarray,
    offset_bounds: np.ndarray,
    positions: np.ndarray,
    n_tiles: int,
    scale: float,
    cap: float,
) -> RoundedOutputs:
    small = np.empty((n_tiles, len(directions), LANES), dtype=np.uint16)
    of_lanes = np.empty((3, n_tiles * LANES), dtype=np.float32)
    _c.round_outputs_of_rows(
        *packed,
        *_singles(directions, offsets, column_bounds, offset_bounds, row_bounds),
        scale,
        cap,
        small,
        of_lanes,
        _in_order(positions, np.int64),
    )
    return RoundedOutputs(small, *of_lanes)


def rounded_margins(
    outputs: RoundedOutputs,
    masks: np.ndarray,
    bounds: np.ndarray,
    starts: np.ndarray,
    n_votes: int,
    n_samples: int,
) -> tuple[np.ndarray, np.ndarray]:
    totals = np.empty((len(outputs.units), len(starts) - 1))
    largest = np.empty(totals.shape, dtype=np.float32)
    _c.rounded_margins(
        *outputs,
        _in_order(masks, np.uint64),
        _in_order(bounds, np.int64),
        _in_order(starts, np.int64),
        n_samples,
        n_votes,
        totals,
        largest,
    )
    return totals, largest
