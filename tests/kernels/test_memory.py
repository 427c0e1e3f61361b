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


def test_the_limit_of_a_container_is_read_in_bytes(tmp_path):
    limit = tmp_path / "memory.max"
    assert _memory._left_of_container(str(limit)) == math.inf
    limit.write_text("max\n")
    assert _memory._left_of_container(str(limit)) == math.inf
    limit.write_text("123456\n")
    assert _memory._left_of_container(str(limit)) == 123456.0


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
