"""The kernels in plain NumPy: what they compute, said in the most obvious way."""

from __future__ import annotations

import math
from contextlib import contextmanager
from typing import NamedTuple

import numpy as np

__all__ = [
    "LANES",
    "LeftOut",
    "Outputs",
    "ROWS_OF_A_GROUP",
    "RoundedOutputs",
    "aligned_room",
    "arranged",
    "ceilings_of_rows",
    "classes_that_fire",
    "classes_with_sums_below",
    "compensated_sums",
    "cover_in_order",
    "covers",
    "first_apart",
    "gini_gains",
    "hash_coefficients",
    "hinge_sums",
    "integer_sums",
    "largest_margins_of_sums",
    "margin_sums",
    "margins_and_fires",
    "margins_of_rows",
    "ordered_product",
    "pack_bits",
    "pack_signs",
    "pack_signs_of_rows",
    "packed_rows",
    "pair_sums",
    "round_outputs",
    "round_outputs_of_rows",
    "rounded_margins",
    "row_hashes",
    "row_norms",
    "rows_in_double",
    "shape_of_planes",
    "signs_in_planes",
    "smallest_counts",
    "smallest_sums",
    "sums_below",
    "tiles_of_rows",
    "two_smallest_counts",
    "words_at",
]


# Codes are stored in tiles of 64 samples: `codes[tile, word, lane]` holds the bits
# 64 * word .. 64 * word + 63 of sample 64 * tile + lane, least significant bit first.
# A lane without a sample has all bits set, so that it is never counted as covered.
LANES = 64
# Rows that are mostly zeros are read in groups of so many neighbours, where one of them
# at least is not zero.
ROWS_OF_A_GROUP = 6
# Sums of more terms than this are taken in parts, which are then added.
TERMS_OF_A_PART = 512
# The same for products that are rounded: the tighter their bounds the better.
TERMS_OF_A_ROUNDED_PART = 32
_BYTES_OF_A_LINE = 64
# What is counted at a time is to fit the caches.
_PAIRS_AT_ONCE = 1 << 17
_MASKS_AT_ONCE = 64
_BUFFER = 1024
_VALUES_AT_ONCE = 1 << 16
_PRODUCTS_AT_ONCE = 1 << 20
_SUMS_AT_ONCE = 1 << 22
# Rounded outputs of a sample add up to this at the most.
_MOST_SMALL = 65_000.0


def hash_coefficients(n: int) -> np.ndarray:
    """Return n odd 64-bit numbers (splitmix64 of 1..n)."""
    z = np.arange(1, n + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return (z ^ (z >> np.uint64(31))) | np.uint64(1)


def aligned_room(shape: tuple[int, ...], dtype) -> np.ndarray:
    """Return an empty array that starts where a cache line does."""
    size = math.prod(shape) * np.dtype(dtype).itemsize
    room = np.empty(size + _BYTES_OF_A_LINE, dtype=np.uint8)
    start = -room.ctypes.data % _BYTES_OF_A_LINE
    return room[start : start + size].view(dtype).reshape(shape)


def _row_blocks(n_rows: int, n_columns: int, n_values: int = _VALUES_AT_ONCE):
    """Iterate over slices of rows of about so many values, which fit the caches."""
    step = max(1, n_values // max(1, n_columns))
    for start in range(0, n_rows, step):
        yield slice(start, min(start + step, n_rows))


def row_hashes(block: np.ndarray) -> np.ndarray:
    """Hash the values of each row of a dense block to 64 bits; zeros add nothing."""
    hashes = np.empty(len(block), dtype=np.uint64)
    for rows in _row_blocks(*block.shape):
        values = np.ascontiguousarray(block[rows], dtype=np.float64) + 0.0
        bits = values.view(np.uint64)
        mixed = (bits ^ (bits >> np.uint64(32))) * hash_coefficients(bits.shape[1])
        hashes[rows] = (mixed ^ (mixed >> np.uint64(32))).sum(axis=1, dtype=np.uint64)
    return hashes


def ordered_product(rows: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return `rows @ weights.T`, each entry summed from left to right.

    Unlike a BLAS product, the value of an entry does not depend on which other rows
    are asked for, nor on the number of threads.
    """
    rows = np.asarray(rows, dtype=np.float64)
    weights = np.asarray(weights, dtype=np.float64)
    total = np.zeros((rows.shape[0], weights.shape[0]))
    for column, weight in zip(rows.T, weights.T, strict=True):
        total += column[:, np.newaxis] * weight
    return total


def largest_differences(rows: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Return the largest absolute difference of a column, for each row and point.

    Differences are rounded once, and infinite where they are too large for a number.
    """
    rows = np.asarray(rows, dtype=np.float64)
    points = np.asarray(points, dtype=np.float64)
    table = np.zeros((len(rows), len(points)))
    with np.errstate(over="ignore"):
        for of_rows, of_points in zip(rows.T, points.T, strict=True):
            differences = of_rows[:, np.newaxis] - of_points
            np.maximum(table, np.abs(differences, out=differences), out=table)
    return table


def differences_of_pairs(
    left: np.ndarray, left_rows: np.ndarray, right: np.ndarray, right_rows: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return the largest absolute difference of pairs of rows, exactly, as two numbers.

    The first is the rounded one. Where it is infinite the second is 0, and the sum is
    not the difference.
    """
    high, low = np.zeros((2, len(left_rows)))
    if left.shape[1] == 0:
        return high, low
    for pairs in _row_blocks(len(left_rows), left.shape[1], _PRODUCTS_AT_ONCE):
        with np.errstate(over="ignore", invalid="ignore"):
            difference, error = two_sum(
                left[left_rows[pairs]].astype(np.float64),
                -right[right_rows[pairs]].astype(np.float64),
            )
        error = np.where(difference < 0, -error, error)
        sizes = np.abs(difference)
        high[pairs] = sizes.max(axis=1)
        of_largest = np.where(sizes == high[pairs][:, np.newaxis], error, -np.inf)
        low[pairs] = np.where(np.isfinite(high[pairs]), of_largest.max(axis=1), 0.0)
    return high, low + 0.0  # no negative zeros


def scales(exponent: int) -> tuple[float, float]:
    """Return two powers of two whose product is 2**exponent, which may overflow."""
    return 2.0 ** (exponent // 2), 2.0 ** (exponent - exponent // 2)


def integer_sums(block: np.ndarray, exponent: int) -> np.ndarray:
    """Return the sum of all rows in units of `2**exponent`, rounded to integers each.

    As long as the sums stay below 2**53, they do not depend on the order.
    """
    first, second = scales(-exponent)
    return np.rint(block.astype(np.float64) * first * second).sum(axis=0)


def row_norms(block: np.ndarray, center: np.ndarray, exponent: int) -> np.ndarray:
    """Return 2**-exponent * |x - center| for each row.

    The squares are summed by halves: the second half is added to the first, and so on.
    """
    squares = (block.astype(np.float64) - center) * 2.0**-exponent
    squares *= squares
    width = squares.shape[1]
    while width > 1:
        half = (width + 1) // 2
        squares[:, : width - half] += squares[:, half:width]
        width = half
    return np.sqrt(squares[:, 0])


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
    """Store the bits [products + offsets > 0]; report the entries that may be wrong.

    An entry may be wrong where its magnitude is not above the error bound
    `row_bounds * column_bounds + offset_bounds`, and that bound is not zero. All is
    in single precision.

    Returns
    -------
    rows, columns : ndarray of shape (n_flagged,)
        The doubtful entries of `products`.
    """
    rows, columns = [], []
    largest_bound, largest_offset = column_bounds.max(), offset_bounds.max()
    for block in _row_blocks(*products.shape):
        values = products[block] + offsets
        words = pack_bits(values > 0)
        tiles, lanes = np.divmod(positions[block], LANES)
        codes[tiles, first_word : first_word + words.shape[1], lanes] = words
        sizes = np.abs(values, out=values)
        largest_bounds = row_bounds[block] * largest_bound + largest_offset
        near = np.flatnonzero(~(sizes > largest_bounds[:, np.newaxis]))
        row, column = np.divmod(near, products.shape[1])
        row += block.start
        bounds = row_bounds[row] * column_bounds[column] + offset_bounds[column]
        is_open = ~(sizes.ravel()[near] > bounds) & (bounds > 0)
        rows.append(row[is_open])
        columns.append(column[is_open])
    return np.concatenate(rows), np.concatenate(columns)


def packed_rows(
    X: np.ndarray, rows: np.ndarray, shift: np.ndarray | None, exponent: int
):
    """Prepare rows of X of few features, or mostly of zeros, to be multiplied.

    They are multiplied as 2**-exponent * (x - shift), rounded to single precision.

    Returns
    -------
    packed : object
        What `pack_signs_of_rows` takes.
    n_terms : ndarray of shape (n_rows,)
        Number of entries of x - shift that are not zero.
    squares : ndarray of shape (n_rows,)
        Squared norms of the rounded rows, up to rounding errors.
    """
    first, second = scales(-exponent)
    packed = np.empty((len(rows), X.shape[1]), dtype=np.float32)
    n_terms, squares = np.empty(len(rows), dtype=np.int64), np.empty(len(rows))
    for block in _row_blocks(*packed.shape):
        values = X[rows[block]].astype(np.float64)
        if shift is not None:
            values -= shift
        n_terms[block] = np.count_nonzero(values, axis=1)
        packed[block] = values * first * second
        values = packed[block].astype(np.float64)
        squares[block] = np.einsum("ij,ij->i", values, values)
    return packed, n_terms, squares


def pack_signs_of_rows(
    packed,
    directions: np.ndarray,
    offsets: np.ndarray,
    row_bounds: np.ndarray,
    column_bounds: np.ndarray,
    offset_bounds: np.ndarray,
    positions: np.ndarray,
    codes: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Do what `pack_signs` does for the products of packed rows and directions.

    Sums are those of parts of at most `TERMS_OF_A_PART` terms, added up; the order of
    summation in a part is left open.
    """
    rows, columns = [], []
    for block in _row_blocks(len(packed), len(directions), _PRODUCTS_AT_ONCE):
        products = np.zeros((len(packed[block]), len(directions)), dtype=np.float32)
        for start in range(0, packed.shape[1], TERMS_OF_A_PART):
            part = slice(start, start + TERMS_OF_A_PART)
            products += packed[block, part] @ directions[:, part].T
        doubtful = pack_signs(
            products,
            offsets,
            row_bounds[block],
            column_bounds,
            offset_bounds,
            positions[block],
            0,
            codes,
        )
        rows.append(block.start + doubtful[0])
        columns.append(doubtful[1])
    return np.concatenate(rows), np.concatenate(columns)


def rows_in_double(
    packed, X: np.ndarray, rows: np.ndarray, shift: np.ndarray | None, exponent: int
) -> np.ndarray:
    """Return 2**-exponent * (x - shift) of packed rows in double precision.

    `packed` are the same rows from `packed_rows`, whose exponent may be another one;
    entries that vanished there may be left out. `ceilings_of_rows` takes both.
    """
    first, second = scales(-exponent)
    values = X[rows].astype(np.float64)
    if shift is not None:
        values -= shift
    return values * first * second


def ceilings_of_rows(
    packed,
    values: np.ndarray,
    directions: np.ndarray,
    offsets: tuple[np.ndarray, np.ndarray, np.ndarray],
    row_bounds: tuple[np.ndarray, np.ndarray],
    positions: np.ndarray,
    cap: float,
    outputs: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Write products of rows and directions, plus biases, rounded up to 0 .. cap.

    The `values` of the packed rows are those of `rows_in_double`. Outputs of row i are
    written to row `positions[i]` of `outputs`, into the first columns.

    Parameters
    ----------
    offsets : tuple of ndarray of shape (n_hyperplanes,)
        Biases b, the bounds c of the lengths of the directions, and bounds e.
    row_bounds : tuple of ndarray of shape (n_rows,)
        Sizes s of the rows, and relative errors r.

    Returns
    -------
    rows, columns : ndarray of shape (n_doubtful,)
        Where an integer is within s c + r |b| + e of the sum, so that the ceiling is in
        doubt. There the nearest integer, -1 .. cap, is written.
    """
    biases, column_bounds, offset_bounds = offsets
    sizes, relatives = row_bounds
    directions = directions.astype(np.float64)
    doubtful_rows, doubtful_columns = [], []
    for block in _row_blocks(len(values), len(directions), _PRODUCTS_AT_ONCE):
        sums = values[block] @ directions.T + biases
        bounds = sizes[block, np.newaxis] * column_bounds
        bounds += relatives[block, np.newaxis] * np.abs(biases)
        bounds += offset_bounds
        within = np.fmin(np.fmax(sums, -1.0), cap)
        nearest = np.rint(within)
        certain = np.abs(sums - nearest) > bounds
        certain |= (sums + bounds <= 0) | (sums - bounds >= cap)
        ceilings = np.where(certain, np.maximum(np.ceil(within), 0.0), nearest)
        outputs[positions[block], : len(directions)] = ceilings
        row, column = np.nonzero(~certain)
        doubtful_rows.append(block.start + row)
        doubtful_columns.append(column)
    return np.concatenate(doubtful_rows), np.concatenate(doubtful_columns)


def tiles_of_rows(
    X: np.ndarray,
    rows: np.ndarray,
    lanes: np.ndarray,
    n_tiles: int,
    shift: np.ndarray | None,
    exponent: int,
):
    """Do what `packed_rows` does, with row `rows[i]` in lane `lanes[i]` of tiles.

    Lanes are numbered through all tiles, and increase. The tiles are
    `tiles[tile, feature, lane]`; lanes without a row hold zeros.
    """
    packed, n_terms, squares = packed_rows(X, rows, shift, exponent)
    tiles = np.zeros((n_tiles, X.shape[1], LANES), dtype=np.float32)
    tiles[lanes // LANES, :, lanes % LANES] = packed
    return tiles, n_terms, squares


def signs_in_planes(
    tiles: np.ndarray,
    lanes: np.ndarray,
    directions: np.ndarray,
    offsets: np.ndarray,
    row_bounds: np.ndarray,
    column_bounds: np.ndarray,
    offset_bounds: np.ndarray,
    planes: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Do what `pack_signs_of_rows` does, for all lanes of some planes.

    Lanes without a row get all bits. A tile has one bound, the largest of its rows, so
    that more entries may be in doubt.
    """
    bounds = np.zeros(len(tiles), dtype=np.float32)
    np.maximum.at(bounds, lanes // LANES, row_bounds)
    thresholds = bounds[:, np.newaxis] * column_bounds + offset_bounds
    values = directions @ tiles + offsets[:, np.newaxis]
    positive = np.ones((len(tiles), planes.shape[1], LANES), dtype=bool)
    is_row = np.zeros((len(tiles), 1, LANES), dtype=bool)
    is_row[lanes // LANES, :, lanes % LANES] = True
    positive[:, : len(directions)] = values > thresholds[:, :, np.newaxis]
    positive[:, len(directions) :] = False
    words = pack_bits((positive | ~is_row).reshape(-1, LANES))
    words = words.reshape(len(planes), -1, planes.shape[1])
    planes[...] = words.transpose(0, 2, 1)
    limits = thresholds[:, :, np.newaxis]
    is_open = ~(np.abs(values) > limits) & (limits > 0) & is_row
    tile, column, lane = np.nonzero(is_open)
    return np.searchsorted(lanes, tile * LANES + lane), column


def pair_sums(
    X: np.ndarray, rows: np.ndarray, directions: np.ndarray, columns: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return the sums of w_j x_j and of |w_j x_j|, for pairs of rows and directions.

    The order of summation is left open: the sums are right up to rounding errors.
    """
    sums, magnitudes = np.empty(len(rows)), np.empty(len(rows))
    for pairs in _row_blocks(len(rows), X.shape[1], _PRODUCTS_AT_ONCE):
        terms = directions[columns[pairs]].astype(np.float64) * X[rows[pairs]]
        sums[pairs] = terms.sum(axis=1)
        magnitudes[pairs] = np.abs(terms).sum(axis=1)
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
    """Return sums of positive parts, for pairs of rows of distances d and factors v.

    sum_{j: v_j > 0} max(0, h + v_j (x_j + s + |x_j| (r v_j + e))), x_j = d_i - d_j.

    Here i is the position of the pair, s its slack, and r, e, h are the constants. All
    but the sums are in single precision; the order of summation is left open.
    """
    relative, least, half = map(np.float32, constants)
    sums = np.empty(len(rows))
    for pairs in _row_blocks(len(rows), distances.shape[1], _PRODUCTS_AT_ONCE):
        d, v = distances[rows[pairs]], factors[cells[pairs]]
        x = np.take_along_axis(d, positions[pairs, np.newaxis], axis=1) - d
        x += np.abs(x) * (v * relative + least) + slacks[pairs, np.newaxis]
        terms = np.where(v > 0, np.maximum(x * v + half, 0), 0)
        sums[pairs] = terms.sum(axis=1, dtype=np.float64)
    return sums


def compensated_sums(
    X: np.ndarray,
    rows: np.ndarray,
    directions: np.ndarray,
    columns: np.ndarray,
    offsets: np.ndarray,
    shifts: np.ndarray,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return <w, x> + b + c of pairs as with three times the digits.

    Also returns the sum of the sizes of the terms, and the smallest |w_j x_j| that is
    not zero (or 1). The products of w with two halves of x are exact. Each sum hands
    on its rounding error to a second sum, and that to a third (T. Ogita, S. M. Rump,
    S. Oishi, "Accurate sum and dot product", SIAM J. Sci. Comput. 26, 2005, with
    K = 3). The order of summation is left open.
    """
    sums, magnitudes, smallest = (np.empty(len(rows)) for _ in range(3))
    for some in _row_blocks(len(rows), X.shape[1], _PRODUCTS_AT_ONCE):
        w = np.ascontiguousarray(directions[columns[some]].T, dtype=np.float64)
        x = np.ascontiguousarray(X[rows[some]].T, dtype=np.float64)
        leading = x.view(np.uint64) & ~np.uint64((1 << 24) - 1)
        high = leading.view(np.float64)
        products = np.abs(w) * np.abs(x)
        terms = np.concatenate((w * high, w * (x - high), [offsets[some]]))
        total, error, rest = shifts[some], *np.zeros((2, terms.shape[1]))
        for term in terms:
            total, lost = two_sum(total, term)
            error, lost = two_sum(error, lost)
            rest += lost
        total, error = two_sum(total, error)
        sums[some] = total + (error + rest)
        constants = np.abs(offsets[some]) + np.abs(shifts[some])
        magnitudes[some] = products.sum(axis=0) + constants
        sizes = np.where((w != 0) & (x != 0), products, 1.0)
        smallest[some] = sizes.min(axis=0, initial=1.0)
    return sums, magnitudes, smallest


def two_sum(a, b):
    """Return the rounded sum and its rounding error (Knuth)."""
    total = a + b
    part = total - a
    return total, (a - (total - part)) + (b - part)


def pack_bits(bits: np.ndarray) -> np.ndarray:
    """Pack booleans of shape (n_rows, n_bits) into words, 64 in each."""
    n_rows, n_bits = bits.shape
    packed = np.zeros((n_rows, -(-n_bits // 64) * 8), dtype=np.uint8)
    packed[:, : -(-n_bits // 8)] = np.packbits(bits, axis=1, bitorder="little")
    return packed.view("<u8").astype(np.uint64, copy=False)


def shape_of_planes(n_tiles: int, n_words: int) -> tuple[int, int, int] | None:
    """Return the shape of the planes that tiles of codes are arranged in, if they are.

    Kernels that have planes also have `tiles_of_rows` and `signs_in_planes`, which
    write the codes of rows of few features there at once.
    """
    return None


def arranged(tiles: np.ndarray) -> np.ndarray:
    """Lay codes out as they are counted fastest, in the place of `tiles`.

    What is returned may be tiles, or planes: bit l of `planes[group, j, k]` is then bit
    j of the sample in lane l of tile 8 * group + k. All kernels here take either.
    """
    return tiles


def _tiles(codes: np.ndarray) -> np.ndarray:
    """Return codes that may be laid out in planes as tiles."""
    if codes.shape[2] == LANES:
        return codes
    n_groups, n_bits, n_tiles = codes.shape
    lanes = np.unpackbits(codes.astype("<u8").view(np.uint8), axis=2, bitorder="little")
    lanes = lanes.reshape(n_groups, n_bits, n_tiles, LANES).transpose(0, 2, 3, 1)
    words = pack_bits(lanes.reshape(n_groups * n_tiles * LANES, n_bits))
    shape = n_groups * n_tiles, LANES, n_bits // 64
    return words.reshape(shape).transpose(0, 2, 1)


def words_at(codes: np.ndarray, positions: np.ndarray) -> np.ndarray:
    """Return the codes at some positions as words, shape (n_positions, n_words)."""
    tiles, lanes = np.divmod(positions, LANES)
    return _tiles(codes)[tiles, :, lanes]


def _tile_counts(tile: np.ndarray, masks: np.ndarray) -> np.ndarray:
    """Return popcount(code & mask) for each mask and lane, shape (n_masks, 64)."""
    common = tile[np.newaxis, :, :] & masks[:, :, np.newaxis]
    return np.bitwise_count(common).sum(axis=1, dtype=np.int32)


@contextmanager
def _small_buffers():
    """Let NumPy combine short rows with columns as they are, without copies."""
    before = np.setbufsize(_BUFFER)
    try:
        yield
    finally:
        np.setbufsize(before)


def _pairs_below(
    words: np.ndarray, masks: np.ndarray, limits: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Find out where popcount(code & mask) < limit.

    Parameters
    ----------
    words : ndarray of shape (n_words, n_samples)
        Some codes.
    masks, limits : ndarray of shape (n_masks, n_words) and (n_masks,)
        Some masks, with a limit each.

    Returns
    -------
    mask, sample, count : ndarray of shape (n_pairs,)
        The pairs below their limit, and their counts.
    """
    # Nearly all pairs pass the limit within the first words; the others are counted on.
    n_first = -(-6 * len(words) // 8)
    counts = np.zeros((len(masks), words.shape[1]), np.min_scalar_type(64 * len(words)))
    common = np.empty(counts.shape, dtype=np.uint64)
    ones = np.empty(counts.shape, dtype=np.uint8)
    with _small_buffers():
        for word, mask in zip(words[:n_first], masks.T[:n_first], strict=True):
            np.bitwise_and(word, mask[:, np.newaxis], out=common)
            np.add(counts, np.bitwise_count(common, out=ones), out=counts)
    low = np.flatnonzero(counts < limits[:, np.newaxis])
    mask, sample = np.divmod(low, words.shape[1])
    rest = words[n_first:, sample] & masks.T[n_first:, mask]
    count = counts[mask, sample] + np.bitwise_count(rest).sum(axis=0, dtype=np.int32)
    below = np.flatnonzero(count < limits[mask])
    return mask[below], sample[below], count[below]


def _blocks(n_tiles: int, n_masks: int):
    """Iterate over slices of tiles to be counted together."""
    n_masks = min(max(n_masks, 1), _MASKS_AT_ONCE)
    return _slices(0, n_tiles, max(1, _PAIRS_AT_ONCE // (n_masks * LANES)))


def _some_masks(start: int, stop: int):
    """Iterate over slices of masks to be counted together."""
    return _slices(start, stop, _MASKS_AT_ONCE)


def _slices(start: int, stop: int, step: int):
    """Divide a range into parts of about the same size, no more than `step` each."""
    ends = np.linspace(start, stop, -(-(stop - start) // step) + 1, dtype=int).tolist()
    return map(slice, ends[:-1], ends[1:])


def _lanes_below(words, masks, limits) -> np.ndarray:
    """Return the bits [popcount(code & mask) < limit], a word for each tile."""
    mask, sample, _ = _pairs_below(words, masks, limits)
    below = np.zeros((len(masks), words.shape[1]), dtype=bool)
    below[mask, sample] = True
    return pack_bits(below)


def _words(tiles: np.ndarray) -> np.ndarray:
    return tiles.transpose(1, 0, 2).reshape(tiles.shape[1], LANES * len(tiles))


def smallest_counts(
    codes: np.ndarray, masks: np.ndarray, skip_start: int, skip_stop: int
) -> np.ndarray:
    """Return the smallest popcount(code & mask) for each mask.

    The tiles `skip_start` .. `skip_stop - 1` are left out.
    """
    codes = _tiles(codes)
    smallest = np.full(masks.shape[0], np.iinfo(np.int32).max, dtype=np.int32)
    for tiles in (codes[:skip_start], codes[skip_stop:]):
        # The first tile is counted twice: it gives a limit to start from.
        for block in (slice(0, 1), *_blocks(len(tiles), len(masks))):
            words = _words(tiles[block])
            for some in _some_masks(0, len(masks)):
                mask, _, count = _pairs_below(words, masks[some], smallest[some])
                np.minimum.at(smallest[some], mask, count)
    return smallest


def covers(
    codes: np.ndarray, masks: np.ndarray, bounds: np.ndarray, start: int, stop: int
) -> np.ndarray:
    """Return the bits [popcount(code & mask) < bound] of the tiles `start` .. `stop`.

    Returns
    -------
    covers : ndarray of shape (n_masks, stop - start), uint64
        One bit for each lane.
    """
    tiles = _tiles(codes)[start:stop]
    fires = np.empty((masks.shape[0], len(tiles)), dtype=np.uint64)
    for block in _blocks(len(tiles), len(masks)):
        words = _words(tiles[block])
        for some in _some_masks(0, len(masks)):
            fires[some, block] = _lanes_below(words, masks[some], bounds[some])
    return fires


def _used_lanes(n_tiles: int, n_samples: int | None) -> np.ndarray:
    """Return the lanes that hold the first samples, as bits of shape (n_tiles, 1)."""
    n_lanes = LANES * n_tiles
    used = np.arange(n_lanes) < (n_lanes if n_samples is None else n_samples)
    return pack_bits(used.reshape(-1, LANES))


def classes_that_fire(
    codes: np.ndarray,
    masks: np.ndarray,
    bounds: np.ndarray,
    starts: np.ndarray,
    n_samples: int | None = None,
) -> np.ndarray:
    """Return whether any neuron of a class fires: bits, of shape (n_tiles, n_classes).

    The neurons `starts[c]` .. `starts[c + 1] - 1` belong to class c. Lanes from
    `n_samples` on fire nowhere.
    """
    codes = _tiles(codes)
    fired = np.zeros((codes.shape[0], len(starts) - 1), dtype=np.uint64)
    for block in _blocks(len(codes), len(masks)):
        words = _words(codes[block])
        for number, (start, stop) in enumerate(zip(starts, starts[1:], strict=False)):
            for some in _some_masks(start, stop):
                fires = _lanes_below(words, masks[some], bounds[some])
                fired[block, number] |= np.bitwise_or.reduce(fires, axis=0)
    return fired & _used_lanes(len(codes), n_samples)


def margins_and_fires(
    codes: np.ndarray,
    masks: np.ndarray,
    bounds: np.ndarray,
    starts: np.ndarray,
    n_votes: int,
    n_samples: int | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Sum the `n_votes` largest `bound - popcount(code & mask)` of each class.

    Returns
    -------
    totals : ndarray of shape (64 * n_tiles, n_classes)
        Fewer margins are summed where a class has fewer neurons. Zeros from
        `n_samples` on.
    fired : ndarray of shape (n_tiles, n_classes), uint64
        What `classes_that_fire` returns: the bits [largest margin > 0].
    """
    codes = _tiles(codes)
    n_classes = len(starts) - 1
    totals = np.zeros((codes.shape[0], LANES, n_classes), dtype=np.int64)
    fired = np.zeros((codes.shape[0], n_classes), dtype=np.uint64)
    for index, tile in enumerate(codes):
        for number in range(n_classes):
            neurons = slice(starts[number], starts[number + 1])
            margins = bounds[neurons, np.newaxis] - _tile_counts(tile, masks[neurons])
            largest = np.sort(margins, axis=0)[::-1][:n_votes]
            totals[index, :, number] = largest.sum(axis=0)
            fires = np.logical_or.reduce(largest > 0, axis=0)
            fired[index, number] = pack_bits(fires[np.newaxis])[0, 0]
    of_samples = totals.reshape(-1, n_classes)
    if n_samples is not None:
        of_samples[n_samples:] = 0
    return of_samples, fired & _used_lanes(len(codes), n_samples)


def margins_of_rows(
    words: np.ndarray,
    masks: np.ndarray,
    bounds: np.ndarray,
    starts: np.ndarray,
    n_votes: int,
) -> tuple[np.ndarray, np.ndarray]:
    """Do what `margins_and_fires` does, for few rows and several coverings at once.

    Parameters
    ----------
    words : ndarray of shape (n_rows, n_coverings, n_words), uint64
        The codes of each row.
    starts : ndarray of shape (n_coverings * n_classes + 1,)
        Where the neurons of each class start, covering by covering.

    Returns
    -------
    totals, fires : ndarray of shape (n_coverings, n_rows, n_classes)
        Sums of margins, and whether the class fires.
    """
    n_rows, n_coverings = words.shape[:2]
    n_classes = (len(starts) - 1) // n_coverings
    totals = np.zeros((n_coverings, n_rows, n_classes), dtype=np.int64)
    fires = np.zeros(totals.shape, dtype=bool)
    for k in range(n_coverings):
        for c in range(n_classes):
            group = k * n_classes + c
            own = slice(starts[group], starts[group + 1])
            common = words[:, k, np.newaxis] & masks[own]
            margins = bounds[own] - np.bitwise_count(common).sum(axis=2, dtype=np.int64)
            largest = np.sort(margins, axis=1)[:, ::-1][:, :n_votes]
            totals[k, :, c] = largest.sum(axis=1)
            fires[k, :, c] = (largest > 0).any(axis=1)
    return totals, fires


def bits_in_use(codes: np.ndarray, n_bits: int) -> np.ndarray:
    """Return words in which the first bits are set, as many words as a code has."""
    n_words = codes.shape[1] if codes.shape[2] == LANES else codes.shape[1] // 64
    bits = np.arange(64 * n_words).reshape(1, -1) < n_bits
    return pack_bits(bits)[0]


def cover_in_order(
    codes: np.ndarray, order: np.ndarray, start: int, stop: int, n_bits: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Cover the samples of a class, taken in an order, by neurons.

    The first sample that is left over makes a neuron: its mask is 1 where the code is
    0, its bound the smallest popcount(code & mask) outside the class, and it covers
    the samples of the class whose count is below. If the bound is 0, it covers none.

    Parameters
    ----------
    codes : ndarray
        Codes in tiles or planes, of `n_bits` bits; the class has the tiles `start` ..
        `stop - 1`.
    order : ndarray of shape (n_samples,)
        The ranks of the samples within the class.

    Returns
    -------
    centers, bounds, coverage : ndarray of shape (n_neurons,), int64
        The ranks of the samples that make neurons, and how many lanes each covers.
    covered : ndarray of shape (stop - start,), uint64
        The lanes that any neuron covers.
    """
    in_use = bits_in_use(codes, n_bits)
    covered = np.zeros(stop - start, dtype=np.uint64)
    found: list[tuple[int, int, int]] = []
    for rank in order.tolist():
        tile, lane = divmod(rank, LANES)
        if int(covered[tile]) >> lane & 1:
            continue
        masks = ~words_at(codes, np.array([start * LANES + rank])) & in_use
        bounds = smallest_counts(codes, masks, start, stop).astype(np.int64)
        if bounds[0] > 0:
            members = covers(codes, masks, bounds, start, stop)[0]
            found.append((rank, int(bounds[0]), int(np.bitwise_count(members).sum())))
            covered |= members
    centers, bounds, coverage = np.array(found, dtype=np.int64).reshape(-1, 3).T
    return centers, bounds, coverage, covered


def first_apart(
    rows: np.ndarray,
    firsts: np.ndarray,
    seconds: np.ndarray,
    features: np.ndarray,
    weights: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Return the values of two rows that hyperplanes tell apart.

    Parameters
    ----------
    rows : ndarray of shape (n_rows, n_features)
        The rows.
    firsts, seconds : ndarray of shape (n_hyperplanes, n_pairs)
        For each hyperplane the pairs to try: it takes the first one whose values
        differ, or the last one.
    features, weights : ndarray of shape (n_hyperplanes, n_terms)
        The value of a row is the sum of `weight * feature`, added in this order.

    Returns
    -------
    low, high : ndarray of shape (n_hyperplanes,)
        The values of the first and of the second row of the pair.
    """
    low, high = np.zeros((2, len(firsts)))
    left = np.arange(len(firsts))
    for first, second in zip(firsts.T, seconds.T, strict=True):
        for values, chosen in ((low, first), (high, second)):
            total = np.zeros(len(left))
            for term in range(features.shape[1]):
                column = rows[chosen[left], features[left, term]]
                total += weights[left, term] * column
            values[left] = total
        left = left[low[left] == high[left]]
    return low, high


def gini_gains(
    columns: np.ndarray,
    starts: np.ndarray,
    features: np.ndarray,
    weights: np.ndarray,
    thresholds: np.ndarray,
) -> np.ndarray:
    """Return how well hyperplanes divide the classes: the larger, the better.

    This is the sum over both sides of sum_c n_c**2 / n, where n_c rows of class c are
    among the n rows of the side.

    Parameters
    ----------
    columns : ndarray of shape (n_features, n_rows)
        The features; the rows of class c are `starts[c]` .. `starts[c + 1] - 1`.
    features, weights : ndarray of shape (n_hyperplanes, n_terms)
        A row is bright where the sum of `weight * feature`, added in this order, ...
    thresholds : ndarray of shape (n_hyperplanes,)
        ... is above the threshold.
    """
    gains = np.empty(len(thresholds))
    for h, threshold in enumerate(thresholds):
        sums = np.zeros(columns.shape[1])
        for feature, weight in zip(features[h], weights[h], strict=True):
            if weight != 0.0:
                sums += weight * columns[feature]
        bright = np.diff(np.concatenate(([0], np.cumsum(sums > threshold)))[starts])
        gain = 0.0
        for sizes in (bright, np.diff(starts) - bright):
            squares, total = float(sum(n * n for n in sizes.tolist())), sizes.sum()
            gain += squares / total if total else 0.0
        gains[h] = gain
    return gains


def two_smallest_counts(
    words: np.ndarray,
    sample_starts: np.ndarray,
    masks: np.ndarray,
    neuron_starts: np.ndarray,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the two smallest popcount(code & mask) of samples of other classes.

    Parameters
    ----------
    words : ndarray of shape (n_samples, n_words), uint64
        The codes; samples `sample_starts[c]` .. `sample_starts[c + 1] - 1` are of class
        c, and so are masks `neuron_starts[c]` .. `neuron_starts[c + 1] - 1`.

    Returns
    -------
    smallest, second : ndarray of shape (n_masks,), int32
        The largest int32 where there are not as many samples.
    setters : ndarray of shape (n_masks,), int64
        The first sample with the smallest count; -1 if there is none.
    """
    largest = np.iinfo(np.int32).max
    smallest, second = np.full((2, len(masks)), largest, dtype=np.int32)
    setters = np.full(len(masks), -1, dtype=np.int64)
    for c, (first, last) in enumerate(
        zip(neuron_starts, neuron_starts[1:], strict=False)
    ):
        own = slice(sample_starts[c], sample_starts[c + 1])
        for k in range(first, last):
            counts = np.bitwise_count(words & masks[k]).sum(axis=1, dtype=np.int32)
            counts[own] = largest
            if counts.min(initial=largest) < largest:
                setters[k] = counts.argmin()
                smallest[k] = counts[setters[k]]
                counts[setters[k]] = largest
                second[k] = counts.min()
    return smallest, second, setters


class LeftOut(NamedTuple):
    """Samples to leave out, one at a time, and what that does to the neurons.

    Neuron k was made from the sample of code `centers[k]`, and is skipped there; at
    code `setters[k]`, whose sample set its bound, the bound is `seconds[k]`. Where
    these samples are not among those to leave out, they are -1.
    """

    centers: np.ndarray
    setters: np.ndarray
    seconds: np.ndarray


def margin_sums(
    words: np.ndarray,
    masks: np.ndarray,
    bounds: np.ndarray,
    starts: np.ndarray,
    votes: np.ndarray,
    left_out: LeftOut | None = None,
) -> np.ndarray:
    """Sum the largest `bound - popcount(code & mask)` of each class.

    Bounds are not below 0, and at most one above the number of bits.

    Returns
    -------
    sums : ndarray of shape (n_samples, n_classes, len(votes)), int64
        Sums of the `votes[v]` largest; of all there are where they are fewer.
    """
    sums = np.zeros((len(words), len(starts) - 1, len(votes)), dtype=np.int64)
    for i, code in enumerate(words):
        counts = np.bitwise_count(masks & code).sum(axis=1, dtype=np.int64)
        margins = bounds - counts
        used = np.ones(len(masks), dtype=bool)
        if left_out is not None:
            sets = left_out.setters == i
            margins[sets] = (left_out.seconds - counts)[sets]
            used = left_out.centers != i
        for c in range(len(starts) - 1):
            own = slice(starts[c], starts[c + 1])
            largest = np.sort(margins[own][used[own]])[::-1]
            sums[i, c] = [largest[:n_votes].sum() for n_votes in votes]
    return sums


class Outputs(NamedTuple):
    """Outputs of ReLU units: integers that sum to less than 2**53, 64 samples a tile.

    They are also there rounded, as small integers. For any hyperplanes j, the sum of
    the `values[i, j]` of lane i lies between `units[i]` times (the sum of the
    `small[tile, j, lane]`, less `below[i]`) and `units[i]` times (it and `above[i]`).

    Parameters
    ----------
    values : ndarray of shape (64 * n_tiles, n_hyperplanes)
        The outputs, in double precision.
    small : ndarray of shape (n_tiles, n_hyperplanes, 64), uint16
        They sum to less than 2**16 in each lane.
    units, below, above : ndarray of shape (64 * n_tiles,), float32
        The units are powers of two.
    """

    values: np.ndarray
    small: np.ndarray
    units: np.ndarray
    below: np.ndarray
    above: np.ndarray

    def part(self, tiles: slice) -> Outputs:
        """Return the outputs of some tiles, as views."""
        lanes = slice(tiles.start * LANES, tiles.stop * LANES)
        values, small, *of_lanes = self
        return Outputs(values[lanes], small[tiles], *(part[lanes] for part in of_lanes))


class RoundedOutputs(NamedTuple):
    """What `Outputs` has, without the values: they are not known exactly.

    Nothing is known of lanes with `below` and `above` infinite.
    """

    small: np.ndarray
    units: np.ndarray
    below: np.ndarray
    above: np.ndarray


def round_outputs(values: np.ndarray) -> Outputs:
    """Return outputs, of shape (64 * n_tiles, n_hyperplanes), with rounded ones."""
    n_lanes, n_hyperplanes = values.shape
    shape = n_lanes // LANES, n_hyperplanes, LANES
    outputs = Outputs(
        np.ascontiguousarray(values, dtype=np.float64),
        np.empty(shape, dtype=np.uint16),
        *np.empty((3, n_lanes), dtype=np.float32),
    )
    for index, tile in enumerate(outputs.values.reshape(-1, LANES, n_hyperplanes)):
        _round_tile(tile, *outputs.part(slice(index, index + 1))[1:])
    return outputs


def _round_tile(values: np.ndarray, small, units, below, above) -> None:
    """Choose the smallest units with which the rounded outputs sum to little enough."""
    _, exponents = np.frexp(values.sum(axis=1) / _MOST_SMALL)
    exponents = np.maximum(exponents, 0)
    while True:
        scales = np.ldexp(1.0, exponents)[:, np.newaxis]
        rounded = np.rint(values / scales)
        too_large = rounded.sum(axis=1) > _MOST_SMALL
        if not too_large.any():
            break
        exponents[too_large] += 1
    rest = values - rounded * scales
    small[0] = rounded.T
    units[:] = scales[:, 0]
    for bounds, part in ((below, -rest), (above, rest)):
        sums = np.maximum(part, 0.0).sum(axis=1) / scales[:, 0]
        bounds[:] = sums * (1.0 + 2.0**-20)  # there is room for the rounding


def _sums(values: np.ndarray, masks: np.ndarray):
    """Yield rows of lanes and their sums of the outputs that masks name, few at a time.

    Integers below 2**53 add up in any order.
    """
    n_hyperplanes = values.shape[1]
    as_bytes = np.ascontiguousarray(masks.astype("<u8", copy=False)).view(np.uint8)
    bits = np.unpackbits(as_bytes, axis=1, count=n_hyperplanes, bitorder="little")
    weights = bits.T.astype(np.float64)
    step = max(1, _SUMS_AT_ONCE // (n_hyperplanes * LANES)) * LANES
    for lanes in _slices(0, len(values), step):
        yield lanes, values[lanes] @ weights


def smallest_sums(
    outputs: Outputs, masks: np.ndarray, skip_start: int, skip_stop: int
) -> np.ndarray:
    """Return the smallest sum of outputs for each mask; 2**53 where there is no tile.

    The tiles `skip_start` .. `skip_stop - 1` are left out.
    """
    smallest = np.full(len(masks), 2.0**53)
    values = outputs.values
    for part in (values[: skip_start * LANES], values[skip_stop * LANES :]):
        for _, sums in _sums(part, masks):
            np.minimum(smallest, sums.min(axis=0), out=smallest)
    return smallest


def sums_below(
    outputs: Outputs, masks: np.ndarray, bounds: np.ndarray, start: int, stop: int
) -> np.ndarray:
    """Return the bits [sum of outputs < bound] of the tiles `start` .. `stop`.

    Returns
    -------
    below : ndarray of shape (n_masks, stop - start), uint64
        One bit for each lane.
    """
    below = np.empty((len(masks), stop - start), dtype=np.uint64)
    for lanes, sums in _sums(outputs.values[start * LANES : stop * LANES], masks):
        words = pack_bits((sums < bounds).T.reshape(-1, LANES))
        tiles = slice(lanes.start // LANES, lanes.stop // LANES)
        below[:, tiles] = words.reshape(len(masks), tiles.stop - tiles.start)
    return below


def classes_with_sums_below(
    outputs: Outputs,
    masks: np.ndarray,
    bounds: np.ndarray,
    starts: np.ndarray,
    n_samples: int,
) -> np.ndarray:
    """Return whether any neuron of a class has a sum below its bound.

    Bits of shape (n_tiles, n_classes), as `classes_that_fire` returns them.
    """
    n_tiles = len(outputs.small)
    fired = np.zeros((n_tiles, len(starts) - 1), dtype=np.uint64)
    for number, (start, stop) in enumerate(zip(starts, starts[1:], strict=False)):
        below = sums_below(outputs, masks[start:stop], bounds[start:stop], 0, n_tiles)
        fired[:, number] = np.bitwise_or.reduce(below, axis=0, initial=0)
    return fired & _used_lanes(n_tiles, n_samples)


def largest_margins_of_sums(
    outputs: Outputs,
    masks: np.ndarray,
    bounds: np.ndarray,
    starts: np.ndarray,
    n_votes: int,
    n_samples: int,
) -> tuple[np.ndarray, np.ndarray]:
    """Sum the `n_votes` largest `bound - sum of outputs` of each class.

    They are added in order, the largest first.

    Returns
    -------
    totals : ndarray of shape (64 * n_tiles, n_classes)
        Fewer margins are summed where a class has fewer neurons. Zeros from
        `n_samples` on.
    fired : ndarray of shape (n_tiles, n_classes), uint64
        What `classes_with_sums_below` returns: the bits [largest margin > 0].
    """
    totals = np.zeros((len(outputs.values), len(starts) - 1))
    fired = np.zeros((len(outputs.small), len(starts) - 1), dtype=np.uint64)
    for number, (start, stop) in enumerate(zip(starts, starts[1:], strict=False)):
        fires = np.zeros(len(totals), dtype=bool)
        for lanes, sums in _sums(outputs.values, masks[start:stop]):
            largest = np.sort(bounds[start:stop] - sums, axis=1)[:, ::-1][:, :n_votes]
            for margins in largest.T:
                totals[lanes, number] += margins
            fires[lanes] = (largest > 0).any(axis=1)
        fired[:, number] = pack_bits(fires.reshape(-1, LANES))[:, 0]
    totals[n_samples:] = 0.0
    return totals, fired & _used_lanes(len(fired), n_samples)


def round_outputs_of_rows(
    packed,
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
    """Return the outputs of packed rows, rounded, in lanes `positions` of the tiles.

    An output is the sum s of a product and an offset, times the scale, rounded up to an
    integer 0 .. cap. As in `pack_signs_of_rows`, s is off by its bound at the most, and
    by one rounding; the order of summation is left open in parts of at most
    `TERMS_OF_A_ROUNDED_PART` terms. Nothing is known of lanes without a row, nor of
    rows that are not finite, or whose outputs may be at the cap.
    """
    n_hyperplanes = len(directions)
    width = -(-n_hyperplanes // 64) * 64
    outputs = RoundedOutputs(
        np.zeros((n_tiles, n_hyperplanes, LANES), dtype=np.uint16),
        np.ones(n_tiles * LANES, dtype=np.float32),
        *np.full((2, n_tiles * LANES), np.inf, dtype=np.float32),
    )
    for block in _row_blocks(len(packed), n_hyperplanes, _PRODUCTS_AT_ONCE):
        sums, bounds = np.zeros((2, len(packed[block]), width), dtype=np.float32)
        for start in range(0, packed.shape[1], TERMS_OF_A_ROUNDED_PART):
            part = slice(start, start + TERMS_OF_A_ROUNDED_PART)
            sums[:, :n_hyperplanes] += packed[block, part] @ directions[:, part].T
        sums[:, :n_hyperplanes] += offsets
        bounds[:, :n_hyperplanes] = row_bounds[block, np.newaxis] * column_bounds
        bounds[:, :n_hyperplanes] += offset_bounds
        bounds *= np.float32(1 + 2.0**-20)
        _round_sums(outputs, positions[block], sums, bounds, scale, cap)
    return outputs


def _round_sums(
    outputs: RoundedOutputs, positions, sums, bounds, scale: float, cap: float
) -> None:
    """Store sums of some rows, rounded; the bounds are those of their errors."""
    (small, *of_lanes), one = outputs, np.float32(1)
    n_hyperplanes = small.shape[1]
    sizes = np.abs(sums) + bounds
    positive = _totals(np.maximum(sums, 0)).astype(np.float64)
    most = sizes.max(axis=1, initial=0).astype(np.float64) * scale
    is_known = np.isfinite(_totals(sizes)) & (most * (1 + 2.0**-20) + 2 < cap)
    units = (positive * scale * (1 + 2.0**-10) / _MOST_SMALL).astype(np.float32)
    for row in np.flatnonzero(is_known):
        unit = np.maximum(units[row], one)
        while True:
            factor = np.float32(scale / float(unit))
            scaled, open_ = sums[row] * factor, bounds[row] * factor
            integers = np.rint(np.maximum(scaled, 0))
            if _totals(integers) <= _MOST_SMALL:
                break
            unit *= np.float32(1.125)
        rest = scaled - integers
        below = np.minimum(np.maximum(open_ - rest, 0), integers)
        above = np.maximum(open_ + rest, 0)
        more = np.float32(2.0**-5) + np.float32(n_hyperplanes) * np.float32(2.0**-20)
        upward = np.float32(n_hyperplanes) * (one / unit)
        lane = positions[row]
        small[lane // LANES, :, lane % LANES] = integers[:n_hyperplanes]
        slack = one + np.float32(2.0**-10)
        for part, number in zip(
            of_lanes,
            (
                unit,
                _totals(below) * slack + more,
                _totals(above) * slack + more + upward,
            ),
            strict=True,
        ):
            part[lane] = number


def _totals(numbers: np.ndarray) -> np.ndarray:
    """Sum along the last axis in single precision, in the order in which C does."""
    parts = numbers.reshape(*numbers.shape[:-1], -1, 16)
    sums = np.zeros((*numbers.shape[:-1], 16), dtype=np.float32)
    for k in range(parts.shape[-2]):
        sums += parts[..., k, :]
    while sums.shape[-1] > 1:
        half = sums.shape[-1] // 2
        sums = sums[..., :half] + sums[..., half:]
    return sums[..., 0]


def rounded_margins(
    outputs: RoundedOutputs,
    masks: np.ndarray,
    bounds: np.ndarray,
    starts: np.ndarray,
    n_votes: int,
    n_samples: int,
) -> tuple[np.ndarray, np.ndarray]:
    """Sum the `n_votes` largest rounded margins of each class.

    They are bound - unit * (sum of small integers), in single precision, and are added
    in order, the largest first.

    Returns
    -------
    totals : ndarray of shape (64 * n_tiles, n_classes)
        Fewer margins are summed where a class has fewer neurons. Zeros from `n_samples`
        on, and in lanes of which nothing is known.
    largest : ndarray of shape (64 * n_tiles, n_classes), float32
        The largest one of each class; minus infinity in those lanes, and in classes
        without a neuron.
    """
    n_tiles, n_hyperplanes, _ = outputs.small.shape
    totals = np.zeros((n_tiles * LANES, len(starts) - 1))
    largest = np.full(totals.shape, -np.inf, dtype=np.float32)
    values = outputs.small.transpose(0, 2, 1).reshape(-1, n_hyperplanes)
    values = values.astype(np.float64)
    bounds = bounds.astype(np.float32)
    for number, (start, stop) in enumerate(zip(starts, starts[1:], strict=False)):
        for lanes, sums in _sums(values, masks[start:stop]):
            if stop > start:
                sums = outputs.units[lanes, np.newaxis] * sums.astype(np.float32)
                margins = np.sort(bounds[start:stop] - sums, axis=1)[:, ::-1]
                largest[lanes, number] = margins[:, 0]
                for margin in margins[:, :n_votes].T:
                    totals[lanes, number] += margin
    unknown = ~np.isfinite(outputs.below)
    unknown[n_samples:] = True
    totals[unknown], largest[unknown] = 0.0, -np.inf
    return totals, largest
