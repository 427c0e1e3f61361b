"""Run many small experiments: in parallel, with a progress bar, resumable."""

import os
import sys
from collections.abc import Callable, Iterable, Sequence
from functools import partial

import joblib
import numpy as np
from sklearn.base import clone
from sklearn.utils import column_or_1d, indexable
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.parallel import Parallel, delayed
from sklearn.utils.validation import check_memory

from .._estimator._dask import again_if_lost
from .._estimator._messages import check_progress
from .._estimator._sklearn import draw_seeds
from ._measure import misfits_are_counted


def check_data(X, y):
    """Check what a study itself needs; what else the classifiers need they check."""
    X, y = indexable(X, y)
    check_classification_targets(y)
    return (np.asarray(X) if isinstance(X, list) else X), column_or_1d(y)


def seeded(estimator, params: dict, seed: int):
    """Return a clone with the parameters, and a seed in each of its `random_state`."""
    estimator = clone(estimator).set_params(**params)
    names = sorted(
        name
        for name in estimator.get_params(deep=True)
        if name == "random_state" or name.endswith("__random_state")
    )
    seeds = draw_seeds(seed, len(names))
    return estimator.set_params(**dict(zip(names, seeds, strict=True)))


def run_tasks(
    measure: Callable[..., dict],
    X,
    y,
    tasks: Sequence[dict],
    n_repeats: int,
    *,
    n_jobs,
    cache,
    progress: bool,
) -> list[list[dict]]:
    """Return `measure(X, y, key, **task)` for each task, `n_repeats` in a list.

    `measure` is a function at the top of a module, so that workers and the cache can
    name it. The data are hashed once, not once a task: `key` holds the hash, and the
    versions of the libraries at work. Finished tasks are kept in the folder or
    `joblib.Memory` that `cache` names, and not run again.
    """
    check_progress(progress)
    data_key = None
    if cache is not None:
        data_key = joblib.hash((X, y))
        if isinstance(cache, (str, os.PathLike)):
            cache = joblib.Memory(os.fspath(cache), verbose=0)
        # Some joblib backends cannot send a cached function by itself.
        measure = partial(check_memory(cache).cache(measure, ignore=["X", "y"]))
    results: list[dict] = []

    def run_the_rest() -> None:
        left = tasks[len(results) :]
        found: Iterable[dict] = Parallel(n_jobs=n_jobs, return_as="generator")(
            delayed(measure)(X, y, (data_key, _versions(task["estimator"])), **task)
            for task in left
        )
        if progress:
            from rich.progress import track

            found = track(found, description="Running", total=len(left))
        results.extend(found)

    with misfits_are_counted():
        again_if_lost(run_the_rest)
    starts = range(0, len(tasks), n_repeats)
    return [results[start : start + n_repeats] for start in starts]


def _versions(estimator) -> tuple[str, ...]:
    """Name the versions of the libraries that a measurement may depend on."""
    own = type(estimator).__module__.split(".")[0]
    return tuple(
        f"{name} {getattr(sys.modules.get(name), '__version__', '')}"
        for name in sorted({own, "sklearn", "sklearn_memorize"})
    )
