"""Threads that share the work of kernels which release the interpreter lock."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache, partial
from threading import Lock
from typing import Any

from threadpoolctl import ThreadpoolController

__all__ = ["Workers", "even_step", "one_blas_thread", "run_in_threads"]


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


class Workers:
    """Threads that work ahead on what may be asked for, within a `with` statement.

    With one thread nothing is done until it is asked for.
    """

    def __init__(self, n_threads: int):
        self.n_threads = n_threads
        self._executor = ThreadPoolExecutor(n_threads) if n_threads > 1 else None

    def __enter__(self) -> Workers:
        return self

    def __exit__(self, *_) -> None:
        if self._executor is not None:
            self._executor.shutdown(cancel_futures=True)

    def later(self, work: Callable, *arguments) -> Callable[[], Any]:
        """Return a function that returns `work(*arguments)`, which is done once."""
        if self._executor is not None:
            return self._executor.submit(work, *arguments).result
        return cache(partial(work, *arguments))


@contextmanager
def one_blas_thread() -> Iterator[None]:
    """Limit the linear algebra library to one thread within the context."""
    _limit.enter()
    try:
        yield
    finally:
        _limit.leave()


class _Limit:
    """A limit of the whole process: the first to enter sets it, the last one lifts it.

    Else two threads that enter one after the other, and leave in the same order, would
    leave the library with one thread for good.
    """

    def __init__(self):
        self._lock = Lock()
        self._n_within = 0
        self._limiter: Any = None

    def enter(self) -> None:
        with self._lock:
            if self._n_within == 0:
                self._limiter = _controller().limit(limits=1, user_api="blas")
            self._n_within += 1

    def leave(self) -> None:
        with self._lock:
            self._n_within -= 1
            if self._n_within == 0:
                self._limiter.restore_original_limits()


_limit = _Limit()


@cache
def _controller() -> ThreadpoolController:
    """Look for the libraries once: that takes milliseconds."""
    return ThreadpoolController()
