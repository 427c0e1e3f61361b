"""Parameters as Python's own numbers, however they are given."""

from __future__ import annotations

import os
from collections.abc import Callable

import numpy as np
from joblib import effective_n_jobs

from ._dask import in_dask_worker


def plain(value):
    """Return the Python number, truth value or text that a NumPy scalar stands for.

    Numbers of a few bytes overflow in the arithmetic of sizes, and `np.uint8(2)` is not
    what other libraries take for a number of jobs. What is no such scalar is returned
    as it is.

    >>> from sklearn_memorize._estimator._parameters import plain
    >>> import numpy as np
    >>> plain(np.uint8(200)), plain(np.float16(0.25)), plain(np.bool_(True)), plain("a")
    (200, 0.25, True, 'a')
    """
    if isinstance(value, np.bool_):
        return bool(value)
    if isinstance(value, np.integer) and not isinstance(value, np.timedelta64):
        return int(value)
    if isinstance(value, np.floating):
        return float(value)
    return str(value) if isinstance(value, np.str_) else value


def threads_for(n_jobs: int | None) -> int:
    """Return how many threads `n_jobs` asks for, at most one for each processor."""
    if in_dask_worker():  # its cluster has other tasks for the other workers
        return max(n_jobs or 1, 1)
    return min(effective_n_jobs(n_jobs), os.cpu_count() or 1)


class PlainParametersMixin:
    """Take NumPy scalars as parameters, as searches draw them, and keep plain ones.

    They are converted where they are set, once: by the constructor, by `set_params`, or
    by hand. Whatever reads them later (`fit`, `partial_fit`, `predict`, files) reads
    numbers of Python.
    """

    _get_param_names: Callable[[], list[str]]

    def __setattr__(self, name: str, value) -> None:
        if isinstance(value, np.generic) and name in self._get_param_names():
            value = plain(value)
        super().__setattr__(name, value)
