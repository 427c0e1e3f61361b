"""Refuse what does not fit into memory, and cut what does into blocks."""

from __future__ import annotations

import os
import sys
from contextlib import suppress

import numpy as np

# Smaller sizes are not looked at: asking the system takes longer than allocating.
_SMALL = 1 << 26


def available_memory() -> float:
    """Return how many bytes may still be allocated; infinite if nobody tells.

    The least of the memory that is free or can be freed, of the memory of the container
    (Linux), and of the limit of the process that ``ulimit -v`` sets.
    """
    return min(_free(), _left_of_container(), _left_of_limit())


def check_room(n_bytes: int, what: str) -> None:
    """Raise a MemoryError if that many bytes for `what` are not available."""
    if n_bytes < _SMALL:
        return
    available = available_memory()
    if n_bytes > available:
        raise MemoryError(
            f"{what} take {n_bytes / 2**30:,.1f} GiB of memory, and "
            f"{available / 2**30:,.1f} GiB are available."
        )


def index_type(size: int) -> np.dtype:
    """Return the type of 32 bits if it holds indices below `size`, else that of 64."""
    return np.dtype(np.int32 if size <= np.iinfo(np.int32).max else np.int64)


def _free(table: str = "/proc/meminfo") -> float:
    with suppress(OSError, ValueError), open(table) as lines:
        for line in lines:
            if line.startswith("MemAvailable:"):
                return 1024.0 * int(line.split()[1])
    with suppress(AttributeError, OSError, ValueError):
        return float(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    return float("inf")


def _left_of_container(limit: str = "/sys/fs/cgroup/memory.max") -> float:
    with suppress(OSError, ValueError), open(limit) as file:
        return float(int(file.read()))
    return float("inf")  # there is no container, or its limit is "max"


def _left_of_limit() -> float:
    if sys.platform != "linux":
        return float("inf")
    import resource

    limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    if limit == resource.RLIM_INFINITY:
        return float("inf")
    with suppress(OSError, ValueError), open("/proc/self/statm") as sizes:
        used = int(sizes.read().split()[0]) * resource.getpagesize()
        return float(max(0, limit - used))
    return float(limit)


def blocks_of_rows(n_rows: int, n_values: int, most: int = 1 << 22) -> list[slice]:
    """Cut rows into blocks of about `most` values, where a row takes `n_values`."""
    step = max(1, most // max(1, n_values))
    return [slice(start, start + step) for start in range(0, n_rows, step)]
