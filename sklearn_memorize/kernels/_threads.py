"""Threads that share the work of kernels which release the interpreter lock."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import cache

from threadpoolctl import ThreadpoolController

__all__ = ["even_step", "run_in_threads"]


def even_step(n_items: int, most: int, n_threads: int) -> int:
    """Return a block size, about `most`, with which all threads get as many blocks."""
    n_rounds = -(-n_items // (max(most, 1) * n_threads))
    return max(1, -(-n_items // max(1, n_rounds * n_threads)))


def run_in_threads(work: Callable, items: Iterable, n_threads: int) -> list:
    """Return `[work(item) for item in items]`, shared by `n_threads` threads.

    With several threads the linear algebra library gets one each.
    """
    items = list(items)
    n_threads = min(n_threads, len(items))
    if n_threads <= 1:
        return [work(item) for item in items]
    # Pieces take milliseconds, and joblib looks for results every ten of them.
    with one_blas_thread(), ThreadPoolExecutor(n_threads) as executor:
        return list(executor.map(work, items))


def one_blas_thread():
    """Limit the linear algebra library to one thread within the context."""
    return _controller().limit(limits=1, user_api="blas")


@cache
def _controller() -> ThreadpoolController:
    """Look for the libraries once: that takes milliseconds."""
    return ThreadpoolController()
