"""The kernels compiled by Numba: the same answers, fast, without the GIL."""

from __future__ import annotations

import numpy as np
from numba import njit

from . import _planes
from ._few_features import signs_in_planes, tiles_of_rows
from ._flags import at, flag, with_room_to_flag
from ._reference import (
    LANES,
    ROWS_OF_A_GROUP,
    aligned_room,
    hash_coefficients,
    pack_bits,
    scales,
)
from ._rows import pack_signs_of_rows, packed_rows
from ._vector import count_tile, sign_bits

__all__ = [
    "LANES",
    "ROWS_OF_A_GROUP",
    "aligned_room",
    "arranged",
    "classes_that_fire",
    "covers",
    "hash_coefficients",
    "integer_sums",
    "largest_margins",
    "ordered_product",
    "pack_bits",
    "pack_signs",
    "pack_signs_of_rows",
    "packed_rows",
    "pair_sums",
    "row_hashes",
    "row_norms",
    "shape_of_planes",
    "signs_in_planes",
    "smallest_counts",
    "tiles_of_rows",
    "words_at",
]

compiled = njit(nogil=True, cache=True, error_model="numpy")


@compiled
def _row_hashes(block, coefficients, hashes):
    half = np.uint64(32)
    row = np.empty(block.shape[1], dtype=np.float64)
    bits = row.view(np.uint64)
    for i in range(block.shape[0]):
        for j in range(block.shape[1]):
            row[j] = block[i, j] + 0.0
        total = np.uint64(0)
        for j in range(block.shape[1]):
            mixed = (bits[j] ^ (bits[j] >> half)) * coefficients[j]
            total += mixed ^ (mixed >> half)
        hashes[i] = total


def row_hashes(block: np.ndarray) -> np.ndarray:
    hashes = np.empty(block.shape[0], dtype=np.uint64)
    _row_hashes(block, hash_coefficients(block.shape[1]), hashes)
    return hashes


@compiled
def _ordered_product(rows, weights_transposed, total):
    for i in range(rows.shape[0]):
        for j in range(rows.shape[1]):
            value = rows[i, j]
            for k in range(weights_transposed.shape[1]):
                total[i, k] += value * weights_transposed[j, k]


def ordered_product(rows: np.ndarray, weights: np.ndarray) -> np.ndarray:
    rows = np.ascontiguousarray(rows, dtype=np.float64)
    transposed = np.ascontiguousarray(np.asarray(weights, dtype=np.float64).T)
    total = np.zeros((rows.shape[0], transposed.shape[1]))
    _ordered_product(rows, transposed, total)
    return total


@compiled
def _integer_sums(block, first, second, sums):
    for i in range(block.shape[0]):
        for j in range(block.shape[1]):
            sums[j] += np.rint(np.float64(block[i, j]) * first * second)


def integer_sums(block: np.ndarray, exponent: int) -> np.ndarray:
    sums = np.zeros(block.shape[1])
    _integer_sums(block, *scales(-exponent), sums)
    return sums


@compiled
def _row_norms(block, center, scale, norms):
    squares = np.empty(block.shape[1])
    for i in range(block.shape[0]):
        for j in range(block.shape[1]):
            difference = (np.float64(block[i, j]) - center[j]) * scale
            squares[j] = difference * difference
        width = block.shape[1]
        while width > 1:
            half = (width + 1) // 2
            for j in range(width - half):
                squares[j] += squares[half + j]
            width = half
        norms[i] = np.sqrt(squares[0])


def row_norms(block: np.ndarray, center: np.ndarray, exponent: int) -> np.ndarray:
    norms = np.empty(block.shape[0])
    _row_norms(block, center, 2.0**-exponent, norms)
    return norms


@njit(nogil=True, cache=True, inline="always")
def _sign_bits_of_rest(products, offsets, row_bound, column_bounds, offset_bounds):
    """Do what `sign_bits` does, for fewer than 64 entries."""
    positive, doubtful = np.uint64(0), np.uint64(0)
    for j in range(products.shape[0]):
        value = products[j] + offsets[j]
        bound = row_bound * column_bounds[j] + offset_bounds[j]
        positive |= np.uint64(value > 0) << np.uint64(j)
        doubtful |= np.uint64(not abs(value) > bound) << np.uint64(j)
    return positive, doubtful


@compiled
def _pack_signs(
    products,
    offsets,
    row_bounds,
    column_bounds,
    offset_bounds,
    positions,
    first_word,
    codes,
    flagged,
):
    n_columns = products.shape[1]
    n_flagged = 0
    for i in range(products.shape[0]):
        tile, lane = positions[i] // LANES, positions[i] % LANES
        row_bound = row_bounds[i]
        for word in range((n_columns + 63) // 64):
            start = 64 * word
            if start + 64 <= n_columns:
                positive, doubtful = sign_bits(
                    at(products[i], start),
                    at(offsets, start),
                    row_bound,
                    at(column_bounds, start),
                    at(offset_bounds, start),
                )
            else:
                positive, doubtful = _sign_bits_of_rest(
                    products[i, start:],
                    offsets[start:],
                    row_bound,
                    column_bounds[start:],
                    offset_bounds[start:],
                )
            codes[tile, first_word + word, lane] = positive
            if doubtful:
                n_flagged = flag(
                    doubtful,
                    i,
                    start,
                    row_bound,
                    column_bounds,
                    offset_bounds,
                    flagged,
                    n_flagged,
                )
    return n_flagged


def pack_signs(products, *arguments):
    return with_room_to_flag(_pack_signs, products.size, products, *arguments)


@compiled
def _pair_sums(X, rows, directions, columns, sums, magnitudes):
    n_features = X.shape[1]
    for pair in range(len(rows)):
        row, column = rows[pair], columns[pair]
        # Independent chains of additions keep the processor busy.
        total, size = np.zeros(8), np.zeros(8)
        for start in range(0, n_features - 7, 8):
            for lane in range(8):
                j = start + lane
                term = np.float64(directions[column, j]) * np.float64(X[row, j])
                total[lane] += term
                size[lane] += abs(term)
        for j in range(n_features - n_features % 8, n_features):
            term = np.float64(directions[column, j]) * np.float64(X[row, j])
            total[0] += term
            size[0] += abs(term)
        sums[pair], magnitudes[pair] = total.sum(), size.sum()


def pair_sums(X, rows, directions, columns):
    sums, magnitudes = np.empty(len(rows)), np.empty(len(rows))
    _pair_sums(X, rows, directions, columns, sums, magnitudes)
    return sums, magnitudes


def _are_planes(codes: np.ndarray) -> bool:
    return codes.shape[2] == _planes.WORDS


def shape_of_planes(n_tiles: int, n_words: int) -> tuple[int, int, int] | None:
    if n_tiles == 0 or n_tiles % _planes.WORDS or 64 * n_words > _planes.MOST_BITS:
        return None
    return n_tiles // _planes.WORDS, 64 * n_words, _planes.WORDS


def arranged(tiles: np.ndarray) -> np.ndarray:
    if shape_of_planes(*tiles.shape[:2]) is None:
        return tiles
    return _planes.from_tiles(tiles)


def words_at(codes: np.ndarray, positions: np.ndarray) -> np.ndarray:
    if _are_planes(codes):
        return _planes.words_at(codes, positions)
    tiles, lanes = np.divmod(positions, LANES)
    return codes[tiles, :, lanes]


@compiled
def _smallest_counts(codes, masks, skip_start, skip_stop, smallest):
    n_words = codes.shape[1]
    counts = np.empty(LANES, dtype=np.uint64)
    result = at(counts, 0)
    for tile in range(codes.shape[0]):
        if skip_start <= tile < skip_stop:
            continue
        code = at(codes, tile)
        for neuron in range(masks.shape[0]):
            mask, limit = at(masks, neuron), smallest[neuron]
            if count_tile(code, mask, n_words, limit, result):
                for lane in range(LANES):
                    limit = min(limit, counts[lane])
                smallest[neuron] = limit


def smallest_counts(codes, masks, skip_start, skip_stop):
    if _are_planes(codes):
        return _planes.smallest_counts(codes, masks, skip_start, skip_stop)
    largest = np.iinfo(np.int32).max
    smallest = np.full(masks.shape[0], largest, dtype=np.uint64)
    masks = np.ascontiguousarray(masks)
    _smallest_counts(codes, masks, skip_start, skip_stop, smallest)
    return smallest.astype(np.int32)


@njit(nogil=True, cache=True, inline="always")
def _lanes_below(counts, limit):
    """Return the bits [count < limit]."""
    below = np.uint64(0)
    for lane in range(LANES):
        below |= np.uint64(counts[lane] < limit) << np.uint64(lane)
    return below


@compiled
def _covers(codes, masks, limits, fires):
    n_words = codes.shape[1]
    counts = np.empty(LANES, dtype=np.uint64)
    result = at(counts, 0)
    for tile in range(codes.shape[0]):
        code = at(codes, tile)
        for neuron in range(masks.shape[0]):
            mask, limit = at(masks, neuron), limits[neuron]
            fires[neuron, tile] = 0
            if count_tile(code, mask, n_words, limit, result):
                fires[neuron, tile] = _lanes_below(counts, limit)


def _limits(bounds):
    """Return the bounds as unsigned numbers: nothing is below a negative one."""
    return np.maximum(bounds, 0).astype(np.uint64)


def covers(codes, masks, bounds, start, stop):
    if _are_planes(codes):
        return _planes.covers(codes, masks, bounds, start, stop)
    fires = np.empty((masks.shape[0], stop - start), dtype=np.uint64)
    tiles = codes[start:stop]
    _covers(tiles, np.ascontiguousarray(masks), _limits(bounds), fires)
    return fires


@compiled
def _classes_that_fire(codes, masks, limits, starts, fired):
    n_words = codes.shape[1]
    counts = np.empty(LANES, dtype=np.uint64)
    result = at(counts, 0)
    every_lane = ~np.uint64(0)
    for tile in range(codes.shape[0]):
        code = at(codes, tile)
        for number in range(starts.shape[0] - 1):
            lanes = np.uint64(0)
            for neuron in range(starts[number], starts[number + 1]):
                mask, limit = at(masks, neuron), limits[neuron]
                if count_tile(code, mask, n_words, limit, result):
                    lanes |= _lanes_below(counts, limit)
                    if lanes == every_lane:
                        break
            fired[tile, number] = lanes


def classes_that_fire(codes, masks, bounds, starts):
    if _are_planes(codes):
        return _planes.classes_that_fire(codes, masks, bounds, starts)
    fired = np.zeros((codes.shape[0], len(starts) - 1), dtype=np.uint64)
    masks = np.ascontiguousarray(masks)
    _classes_that_fire(codes, masks, _limits(bounds), starts, fired)
    return fired


@njit(nogil=True, cache=True, inline="always")
def _insert(largest, lane, margin):
    """Put a margin into its place in the decreasing `largest[:, lane]`."""
    rank = largest.shape[0] - 1
    while rank > 0 and largest[rank - 1, lane] < margin:
        largest[rank, lane] = largest[rank - 1, lane]
        rank -= 1
    largest[rank, lane] = margin


@compiled
def _largest_margins(codes, masks, bounds, starts, n_votes, totals):
    n_words = codes.shape[1]
    counts = np.empty(LANES, dtype=np.uint64)
    result = at(counts, 0)
    largest = np.empty((n_votes, LANES), dtype=np.int64)
    last = largest[n_votes - 1]
    for tile in range(codes.shape[0]):
        code = at(codes, tile)
        for number in range(starts.shape[0] - 1):
            n_kept = min(n_votes, starts[number + 1] - starts[number])
            largest[:] = -(1 << 40)
            lowest = last.min()
            for neuron in range(starts[number], starts[number + 1]):
                # A margin counts if it exceeds the last one of any lane.
                limit = bounds[neuron] - lowest
                mask = at(masks, neuron)
                if limit <= 0 or not count_tile(
                    code, mask, n_words, np.uint64(limit), result
                ):
                    continue
                for lane in range(LANES):
                    margin = bounds[neuron] - np.int64(counts[lane])
                    if margin > last[lane]:
                        _insert(largest, lane, margin)
                lowest = last.min()
            totals[tile, :, number] = largest[:n_kept].sum(axis=0)


def largest_margins(codes, masks, bounds, starts, n_votes):
    n_classes = len(starts) - 1
    totals = np.empty((codes.shape[0], LANES, n_classes), dtype=np.int64)
    masks = np.ascontiguousarray(masks)
    _largest_margins(codes, masks, bounds.astype(np.int64), starts, n_votes, totals)
    return totals.reshape(-1, n_classes)
