"""What the kernels share: addresses, and lists of doubtful entries."""

from __future__ import annotations

import numpy as np
from numba import njit

__all__ = ["at", "flag", "with_room_to_flag"]


@njit(nogil=True, cache=True, inline="always")
def at(array, index):
    """Return the address of `array[index]`, for a contiguous array."""
    stride = np.uint64(array.strides[0])
    return np.uintp(np.uint64(array.ctypes.data) + np.uint64(index) * stride)


@njit(nogil=True, cache=True)
def flag(doubtful, i, first, row_bound, column_bounds, offset_bounds, flagged, n):
    """List the columns `first` + k of row i for all bits k that have a bound at all.

    Returns how many entries are listed, `n` before; those beyond the end are counted.
    """
    j = first
    while doubtful:
        if doubtful & np.uint64(1) and (
            row_bound * column_bounds[j] + offset_bounds[j] > 0
        ):
            if n < len(flagged):
                flagged[n, 0] = i
                flagged[n, 1] = j
            n += 1
        doubtful >>= np.uint64(1)
        j += 1
    return n


def with_room_to_flag(pack, n_entries: int, *arguments):
    """Call `pack` with room for the entries it flags, and return these."""
    capacity = max(1024, n_entries // 64)
    while True:
        flagged = np.empty((capacity, 2), dtype=np.int64)
        n_flagged = pack(*arguments, flagged)
        if n_flagged <= capacity:
            # Contiguous, as other kernels are compiled for.
            rows, columns = flagged[:n_flagged].T.copy()
            return rows, columns
        capacity = n_flagged
