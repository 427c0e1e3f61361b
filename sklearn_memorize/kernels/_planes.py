"""Kernels on codes laid out in planes: `planes[group, bit, word]`.

A group holds 512 samples, which are 8 tiles: bit l of `planes[group, j, k]` is bit j of
the sample in lane l of tile 8 * group + k.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from ._reference import LANES
from ._vector_planes import add_planes, add_planes_wide, list_bits, popcount

__all__ = [
    "MOST_BITS",
    "classes_that_fire",
    "covers",
    "from_tiles",
    "smallest_counts",
    "words_at",
]

WORDS = 8
# The counters have as many bits.
_NARROW, _WIDE = 12, 24
MOST_BITS = (1 << _WIDE) - 64
_LEVELS = 4
# So many masks are turned into lists of planes together, so many are counted together,
# and so many planes of each are added while they are in the fastest cache.
_MASKS_AT_ONCE = 64
_TOGETHER = 16
_ROWS_AT_ONCE = 192
_ONES = ~np.uint64(0)

compiled = njit(nogil=True, cache=True, error_model="numpy")


@compiled
def _transpose(bits):
    """Transpose eight matrices of 64 x 64 bits, by halves, quarters, eighths, ..."""
    mask = np.uint64(0x00000000FFFFFFFF)
    size = 32
    while size:
        shift = np.uint64(size)
        for start in range(0, 64, 2 * size):
            for row in range(start, start + size):
                for k in range(WORDS):
                    low, high = bits[row, k], bits[row + size, k]
                    swap = ((low >> shift) ^ high) & mask
                    bits[row + size, k] = high ^ swap
                    bits[row, k] = low ^ (swap << shift)
        size >>= 1
        mask ^= mask << np.uint64(size)


@compiled
def _from_tiles(tiles):
    n_words = tiles.shape[1]
    planes = np.empty((n_words, 64, WORDS), dtype=np.uint64)
    flat = tiles.reshape(-1)
    for first in range(0, tiles.shape[0], WORDS):
        for word in range(n_words):
            for k in range(WORDS):
                for lane in range(64):
                    planes[word, lane, k] = tiles[first + k, word, lane]
            _transpose(planes[word])
        start = first * n_words * 64
        flat[start : start + planes.size] = planes.reshape(-1)


def from_tiles(tiles: np.ndarray) -> np.ndarray:
    """Turn tiles into planes, in their place."""
    _from_tiles(tiles)
    return tiles.reshape(len(tiles) // WORDS, -1, WORDS)


@compiled
def _words_at(planes, positions, words):
    for i in range(len(positions)):
        tile, lane = positions[i] // LANES, np.uint64(positions[i] % LANES)
        group, k = tile // WORDS, tile % WORDS
        for word in range(words.shape[1]):
            bits = np.uint64(0)
            for j in range(64):
                bit = (planes[group, 64 * word + j, k] >> lane) & np.uint64(1)
                bits |= bit << np.uint64(j)
            words[i, word] = bits


def words_at(planes: np.ndarray, positions: np.ndarray) -> np.ndarray:
    words = np.empty((len(positions), planes.shape[1] // 64), dtype=np.uint64)
    _words_at(planes, positions, words)
    return words


@compiled
def _planes_by_share(planes):
    """Return which planes have a bit set in 3/4, 1/2, 1/4 of samples, or in fewer.

    One tile each of eight groups is looked at. Counts grow fastest, and pass their
    limits soonest, where the planes of the largest shares are added first.
    """
    n_groups, n_planes, _ = planes.shape
    levels = np.zeros((_LEVELS, n_planes // 64), dtype=np.uint64)
    for j in range(n_planes):
        count = 0
        for k in range(WORDS):
            count += popcount(planes[k * n_groups // WORDS, j, k])
        level = _LEVELS - 1 - min(count * _LEVELS // (WORDS * 64), _LEVELS - 1)
        levels[level, j // 64] |= np.uint64(1) << np.uint64(j % 64)
    return levels


@compiled
def _list_rows(masks, levels, rows, lengths):
    """List the places of the planes that each mask selects, in bytes."""
    for i in range(masks.shape[0]):
        address = rows.ctypes.data + i * rows.strides[0]
        n_rows = 0
        for level in range(levels.shape[0]):
            for word in range(masks.shape[1]):
                bits = masks[i, word] & levels[level, word]
                place = np.uintp(address + 4 * n_rows)
                n_rows += list_bits(bits, np.int32(64 * 64 * word), place)
        rows[i, n_rows : n_rows + 16] = 0
        lengths[i] = n_rows


@compiled
def _set_limit(limit_bits, limit):
    """Spread the limit over words, one for each of its bits."""
    n_bits = len(limit_bits)
    limit = min(max(limit, 0), (1 << n_bits) - 1)
    for k in range(n_bits):
        limit_bits[k] = _ONES if (limit >> k) & 1 else np.uint64(0)


@compiled
def _smallest(state):
    """Return the smallest count of the lanes that are below the limit."""
    n_bits = state.shape[0] - 1
    lanes = state[n_bits]
    value = 0
    for k in range(n_bits - 1, -1, -1):
        with_zero = np.uint64(0)
        for word in range(WORDS):
            with_zero |= lanes[word] & ~state[k, word]
        if with_zero:
            for word in range(WORDS):
                lanes[word] &= ~state[k, word]
        else:
            value |= 1 << k
    return value


@compiled
def _room(n_planes, n_bits):
    """Return room for lists of planes, their lengths, limits, and counters with lanes.

    The counters start where a cache line does.
    """
    rows = np.empty((_MASKS_AT_ONCE, n_planes + 16), dtype=np.int32)
    lengths = np.empty(_MASKS_AT_ONCE, dtype=np.int64)
    limits = np.empty((_MASKS_AT_ONCE, n_bits), dtype=np.uint64)
    size = _TOGETHER * (n_bits + 1) * WORDS
    room = np.empty(size + WORDS, dtype=np.uint64)
    start = (-np.int64(room.ctypes.data) // 8) % WORDS
    states = room[start : start + size].reshape(_TOGETHER, n_bits + 1, WORDS)
    return rows, lengths, limits, states


@compiled
def _count(planes, group, rows, lengths, limits, states, chosen, slots):
    """Count some masks in a group; return how many have a lane below their limit.

    `chosen` names the masks, and is overwritten by those that are left; their counters
    and lanes are then the first of the `states`. `slots` is room for as many numbers.
    """
    base = np.uintp(planes.ctypes.data + group * planes.strides[0])
    n_left = len(chosen)
    states[:n_left] = 0
    for i in range(n_left):
        slots[i] = i
    start = 0
    goes_on = True
    while goes_on:
        goes_on = False
        n_kept = 0
        for i in range(n_left):
            mask, slot = chosen[i], slots[i]
            n_rows = min(_ROWS_AT_ONCE, lengths[mask] - start)
            if n_rows > 0 or start == 0:
                first = np.uintp(
                    rows.ctypes.data + mask * rows.strides[0] + start * rows.strides[1]
                )
                limit = np.uintp(limits.ctypes.data + mask * limits.strides[0])
                state = np.uintp(states.ctypes.data + slot * states.strides[0])
                if limits.shape[1] == _NARROW:
                    below = add_planes(base, first, n_rows, limit, state)
                else:
                    below = add_planes_wide(base, first, n_rows, limit, state)
                if not below:
                    continue
            chosen[n_kept], slots[n_kept] = mask, slot
            n_kept += 1
            goes_on |= lengths[mask] > start + _ROWS_AT_ONCE
        n_left = n_kept
        start += _ROWS_AT_ONCE
    for i in range(n_left):
        if slots[i] != i:
            states[i] = states[slots[i]]
    return n_left


@compiled
def _smallest_counts(planes, masks, skip_start, skip_stop, n_bits, smallest):
    rows, lengths, limits, states = _room(planes.shape[1], n_bits)
    numbers, slots = np.empty(_TOGETHER, np.int64), np.empty(_TOGETHER, np.int64)
    levels = _planes_by_share(planes)
    valid = np.empty(WORDS, dtype=np.uint64)
    for first in range(0, masks.shape[0], _MASKS_AT_ONCE):
        n_masks = min(_MASKS_AT_ONCE, masks.shape[0] - first)
        _list_rows(masks[first : first + n_masks], levels, rows, lengths)
        for i in range(n_masks):
            _set_limit(limits[i], smallest[first + i])
        for group in range(planes.shape[0]):
            n_valid = 0
            for k in range(WORDS):
                is_skipped = skip_start <= group * WORDS + k < skip_stop
                valid[k] = np.uint64(0) if is_skipped else _ONES
                n_valid += not is_skipped
            if n_valid == 0:
                continue
            for start in range(0, n_masks, _TOGETHER):
                chosen = numbers[: min(_TOGETHER, n_masks - start)]
                for i in range(len(chosen)):
                    chosen[i] = start + i
                n_left = _count(
                    planes, group, rows, lengths, limits, states, chosen, slots
                )
                for i in range(n_left):
                    state = states[i]
                    any_below = np.uint64(0)
                    for k in range(WORDS):
                        state[n_bits, k] &= valid[k]
                        any_below |= state[n_bits, k]
                    if any_below:
                        count = _smallest(state)
                        smallest[first + chosen[i]] = count
                        _set_limit(limits[chosen[i]], count)


def _n_counter_bits(planes: np.ndarray) -> int:
    """Return how many bits count all planes, with a number to spare for a limit."""
    return _NARROW if planes.shape[1] < (1 << _NARROW) - 1 else _WIDE


def smallest_counts(planes, masks, skip_start, skip_stop):
    smallest = np.full(masks.shape[0], np.iinfo(np.int32).max, dtype=np.int64)
    _smallest_counts(
        planes,
        np.ascontiguousarray(masks),
        skip_start,
        skip_stop,
        _n_counter_bits(planes),
        smallest,
    )
    return smallest.astype(np.int32)


@compiled
def _have_all_fired(fired, first_tile, tiles):
    lanes = _ONES
    for tile in tiles:
        lanes &= fired[tile - first_tile]
    return lanes == _ONES


@compiled
def _fires(planes, masks, bounds, n_bits, owners, first_tile, fired):
    """Set the lanes in which neurons fire: `fired[owner, tile - first_tile]`."""
    rows, lengths, limits, states = _room(planes.shape[1], n_bits)
    numbers, slots = np.empty(_TOGETHER, np.int64), np.empty(_TOGETHER, np.int64)
    levels = _planes_by_share(planes)
    stop_tile = first_tile + fired.shape[1]
    for first in range(0, masks.shape[0], _MASKS_AT_ONCE):
        n_masks = min(_MASKS_AT_ONCE, masks.shape[0] - first)
        _list_rows(masks[first : first + n_masks], levels, rows, lengths)
        for i in range(n_masks):
            _set_limit(limits[i], bounds[first + i])
        for group in range(first_tile // WORDS, -(-stop_tile // WORDS)):
            start_tile = max(group * WORDS, first_tile)
            tiles = range(start_tile, min((group + 1) * WORDS, stop_tile))
            for start in range(0, n_masks, _TOGETHER):
                n_chosen = 0
                for i in range(start, min(start + _TOGETHER, n_masks)):
                    owner = owners[first + i]
                    if not _have_all_fired(fired[owner], first_tile, tiles):
                        numbers[n_chosen] = i
                        n_chosen += 1
                n_left = _count(
                    planes,
                    group,
                    rows,
                    lengths,
                    limits,
                    states,
                    numbers[:n_chosen],
                    slots,
                )
                for i in range(n_left):
                    lanes = states[i, n_bits]
                    owner = owners[first + numbers[i]]
                    for tile in tiles:
                        fired[owner, tile - first_tile] |= lanes[tile % WORDS]


def _lanes_that_fire(planes, masks, bounds, owners, n_owners, tiles: slice):
    fired = np.zeros((n_owners, tiles.stop - tiles.start), dtype=np.uint64)
    _fires(
        planes,
        np.ascontiguousarray(masks),
        np.asarray(bounds, dtype=np.int64),
        _n_counter_bits(planes),
        owners,
        tiles.start,
        fired,
    )
    return fired


def covers(planes, masks, bounds, start, stop):
    neurons = np.arange(len(masks))
    tiles = slice(start, stop)
    return _lanes_that_fire(planes, masks, bounds, neurons, len(masks), tiles)


def classes_that_fire(planes, masks, bounds, starts):
    n_classes = len(starts) - 1
    owners = np.repeat(np.arange(n_classes), np.diff(starts))
    tiles = slice(0, len(planes) * WORDS)
    fired = _lanes_that_fire(planes, masks, bounds, owners, n_classes, tiles)
    return np.ascontiguousarray(fired.T)
