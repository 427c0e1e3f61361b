"""Refuse what does not fit into memory, and cut what does into blocks."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from pathlib import Path

import numpy as np

# Smaller sizes are not looked at: asking the system takes longer than allocating.
_SMALL = 1 << 26


def available_memory() -> float:
    """Return how many bytes may still be allocated; infinite if nobody tells.

    The least of the memory that is free or can be freed, of what the container leaves
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


# Limit, usage, and what of the usage are files that the system drops before it refuses,
# for both versions of control groups.
_FILES_OF_VERSION_2 = ("memory.max", "memory.current", "inactive_file")
_FILES_OF_VERSION_1 = (
    "memory.limit_in_bytes",
    "memory.usage_in_bytes",
    "total_inactive_file",
)


def _left_of_container(
    groups: str = "/sys/fs/cgroup", own: str = "/proc/self/cgroup"
) -> float:
    """Return the least that any control group around the process leaves it."""
    root = Path(groups)
    with suppress(OSError, ValueError):
        lines = Path(own).read_text().splitlines()
        members = [line.split(":", 2)[1:] for line in lines]
        left = [
            _left_of_group(folder, files)
            for controllers, path in members
            for mounted, files in _mounted(root, controllers.split(","))
            for folder in _folders(mounted, path)
        ]
        return min(left, default=float("inf"))
    return _left_of_group(root, _FILES_OF_VERSION_2)


def _mounted(root: Path, controllers: list[str]) -> list[tuple[Path, tuple]]:
    """Return where the groups of a line are, if they have to do with memory."""
    if controllers == [""]:
        return [
            (root, _FILES_OF_VERSION_2),
            (root / "unified", _FILES_OF_VERSION_2),
        ]
    return [(root / "memory", _FILES_OF_VERSION_1)] * ("memory" in controllers)


def _folders(mounted: Path, path: str) -> list[Path]:
    """Return the folder of a group and those of all groups that it is a part of.

    Within a container the path may be that outside of it, which is not there; the
    container's own group then is the folder where groups are mounted.
    """
    folder = mounted / path.lstrip("/")
    above = [parent for parent in folder.parents if parent.is_relative_to(mounted)]
    return [folder, *above]


def _left_of_group(folder: Path, files: tuple[str, str, str]) -> float:
    """Return the limit of a group minus its usage; infinite if it has no limit."""
    limit, usage, droppable = files
    with suppress(OSError, ValueError):
        most = int((folder / limit).read_text())  # no integer: "max"
        used = 0
        with suppress(OSError, ValueError):
            used = int((folder / usage).read_text())
            for line in (folder / "memory.stat").read_text().splitlines():
                name, _, size = line.partition(" ")
                if name == droppable:
                    used -= min(used, int(size))
        return float(max(0, most - used))
    return float("inf")


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
