"""Sizes are compared with what is left, before anything large is allocated."""

import math
import sys

import numpy as np
import pytest

from sklearn_memorize.kernels import _memory

GIB = 2**30


def test_what_does_not_fit_is_named_with_sizes_in_gibibytes(monkeypatch):
    monkeypatch.setattr(_memory, "available_memory", lambda: 1.5 * GIB)
    with pytest.raises(MemoryError) as error:
        _memory.check_room(3072 * GIB, "2 things")
    expected = "2 things take 3,072.0 GiB of memory, and 1.5 GiB are available."
    assert str(error.value) == expected


def test_what_just_fits_is_not_refused(monkeypatch):
    monkeypatch.setattr(_memory, "available_memory", lambda: float(GIB))
    _memory.check_room(GIB, "a thing")
    with pytest.raises(MemoryError, match="a thing"):
        _memory.check_room(GIB + 1, "a thing")


def test_the_least_of_all_limits_is_what_is_available(monkeypatch):
    names = ["_free", "_left_of_container", "_left_of_limit"]
    for least in names:
        for name in names:
            value = 3.0 if name == least else 5.0
            monkeypatch.setattr(_memory, name, lambda value=value: value)
        assert _memory.available_memory() == 3.0


def test_free_memory_is_read_in_kibibytes(tmp_path):
    table = tmp_path / "meminfo"
    table.write_text("MemTotal: 900 kB\nMemAvailable:    21 kB\nMemFree: 3 kB\n")
    assert _memory._free(str(table)) == 21 * 1024
    table.write_text("MemAvailable: unknown kB\n")
    assert 2**20 < _memory._free(str(table)) < 2**60


def group(folder, files):
    """Write the files of a control group."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name).write_text(text)


def left(tmp_path, membership):
    own = tmp_path / "cgroup"
    own.write_text(membership)
    return _memory._left_of_container(str(tmp_path / "fs"), str(own))


UNLIMITED = {"memory.max": "max\n", "memory.current": "5\n", "memory.stat": ""}


def limited(limit, used, droppable=0):
    return {
        "memory.max": f"{limit}\n",
        "memory.current": f"{used}\n",
        "memory.stat": f"anon 1\ninactive_file {droppable}\nactive_file 7\n",
    }


def limited_in_version_1(limit, used, droppable=0):
    return {
        "memory.limit_in_bytes": f"{limit}\n",
        "memory.usage_in_bytes": f"{used}\n",
        "memory.stat": f"inactive_file 3\ntotal_inactive_file {droppable}\n",
    }


def test_what_a_container_leaves_is_its_limit_minus_its_usage(tmp_path):
    assert left(tmp_path, "0::/\n") == math.inf
    group(tmp_path / "fs", UNLIMITED)
    assert left(tmp_path, "0::/\n") == math.inf
    group(tmp_path / "fs", limited(1000, 300))
    assert left(tmp_path, "0::/\n") == 700.0
    # Files that were read are dropped before anything is refused.
    group(tmp_path / "fs", limited(1000, 300, 200))
    assert left(tmp_path, "0::/\n") == 900.0
    group(tmp_path / "fs", limited(1000, 1300))
    assert left(tmp_path, "0::/\n") == 0.0


def test_all_groups_around_the_process_count(tmp_path):
    group(tmp_path / "fs", UNLIMITED)
    group(tmp_path / "fs" / "outer", limited(1000, 400))
    group(tmp_path / "fs" / "outer" / "inner", limited(900, 100))
    assert left(tmp_path, "0::/outer/inner\n") == 600.0
    assert left(tmp_path, "0::/outer\n") == 600.0


def test_within_a_container_the_path_of_the_group_may_not_be_there(tmp_path):
    group(tmp_path / "fs", limited(1000, 400))
    assert left(tmp_path, "0::/somewhere/outside\n") == 600.0


def test_groups_of_the_first_version_count_too(tmp_path):
    group(tmp_path / "fs" / "memory", limited_in_version_1(2**63 - 4096, 400))
    group(tmp_path / "fs" / "memory" / "box", limited_in_version_1(1000, 400, 50))
    membership = "9:name=systemd:/\n4:cpu,memory:/box\n3:cpuset:/box\n0::/\n"
    assert left(tmp_path, membership) == 650.0
    assert left(tmp_path, "3:cpuset:/box\n") == math.inf


def test_a_group_that_cannot_be_read_has_no_limit(tmp_path):
    (tmp_path / "fs").mkdir()
    (tmp_path / "fs" / "memory.max").write_text("nonsense\n")
    assert left(tmp_path, "0::/\n") == math.inf
    (tmp_path / "fs" / "memory.max").write_text("1000\n")
    assert left(tmp_path, "0::/\n") == 1000.0


linux = pytest.mark.skipif(sys.platform != "linux", reason="limits as Linux has them")


@linux
def test_what_the_process_holds_is_not_left_of_its_limit(monkeypatch):
    import resource

    limit, held = 2.0**40, np.ones(2**22)
    monkeypatch.setattr(resource, "getrlimit", lambda _: (int(limit), -1))
    assert 0 < _memory._left_of_limit() < limit - held.nbytes


@linux
def test_available_memory_is_finite_and_positive():
    assert 0 < _memory.available_memory() < float("inf")


@pytest.mark.parametrize("most", [1, 64, 65, 130, 399, 400, 10_000])
@pytest.mark.parametrize("n_values", [0, 1, 6, 30])
def test_blocks_of_rows_are_as_large_as_the_limit_allows(n_values, most):
    blocks = _memory.blocks_of_rows(50, n_values, most)
    sizes = [len(range(50)[block]) for block in blocks]
    full = min(50, max(1, most // max(1, n_values)))
    assert sum(sizes) == 50
    assert set(sizes[:-1]) <= {full}
    assert 0 < sizes[-1] <= full
