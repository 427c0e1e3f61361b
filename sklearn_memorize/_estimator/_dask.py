"""Dask arrays: found without dask, worked on wherever dask works, predicted lazily.

Nothing here imports dask before it is handed a dask array.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from concurrent.futures import CancelledError
from typing import Any

import numpy as np

# As often as dask itself tries a task again, by default.
_MOST_LOSSES = 3
# Results of so many parts are merged together.
_MERGED_AT_ONCE = 32


def is_dask_array(X) -> bool:
    """Return whether X is a dask array, without importing dask."""
    return type(X).__module__.startswith("dask.array.")


def in_dask_worker() -> bool:
    """Return whether a dask worker runs this, without importing dask."""
    distributed = sys.modules.get("distributed")
    if distributed is None:
        return False
    try:
        distributed.get_worker()
    except ValueError:
        return False
    return True


def again_if_lost(work: Callable) -> Any:
    """Return `work()`, done again if a worker died with the only copy of its data."""
    for _ in range(_MOST_LOSSES):
        try:
            return work()
        except CancelledError:
            continue
    return work()


class DaskWorkers:
    """Work on chunks wherever dask does its work: in threads, or on a cluster.

    Tasks are functions of the chunks alone. If a worker dies, dask computes again what
    it held, from the chunks on.
    """

    def __init__(self) -> None:
        self._homes: dict[str, str] = {}

    def settle(self, items: list, homes: list[str]) -> None:
        """Let tasks that read one of these items run where it is, if they can.

        Else the scheduler may find that another worker has less to do, and that a chunk
        is soon sent there; but then it has to be kept there, too.
        """
        self._homes |= {
            item.key: home for item, home in zip(items, homes, strict=True) if home
        }

    def gather(self, work: Callable, *columns: Sequence, given: tuple = ()) -> list:
        """Return `work(*items, *given)` for the items of each part."""
        import dask

        return list(dask.compute(*self.tasks(work, columns, given)))

    def reduce(
        self, merge: Callable, work: Callable, *columns: Sequence, given: tuple = ()
    ) -> Any:
        """Return `merge` of the list that `gather` would return.

        Results of some parts are merged first, where they are, so that what one process
        receives does not grow with the number of parts.
        """
        import dask

        merged = dask.delayed(merge, pure=False)
        tasks = self.tasks(work, columns, given)
        while len(tasks) > _MERGED_AT_ONCE:
            tasks = [
                merged(tasks[start : start + _MERGED_AT_ONCE])
                for start in range(0, len(tasks), _MERGED_AT_ONCE)
            ]
        return merged(tasks).compute()

    def keep(self, work: Callable, *columns: Sequence, given: tuple = ()) -> list:
        """Compute what `gather` returns, and leave the results where they are."""
        return self.kept(self.tasks(work, columns, given))

    @staticmethod
    def kept(tasks: list) -> list:
        """Compute tasks, and leave the results where they are."""
        import dask

        return list(dask.persist(*tasks))

    @staticmethod
    def homes(items: list) -> list[str]:
        """Return the worker that holds each result that was kept.

        It is "" where there is no cluster, or where the result is not there (yet).
        """
        nowhere = [""] * len(items)
        if "distributed" not in sys.modules:
            return nowhere
        from distributed import default_client

        try:
            client = default_client()
        except ValueError:  # none was made
            return nowhere
        keys = [item.key for item in items]
        holders = client.sync(client.scheduler.who_has, keys=keys)
        return [min(holders.get(key) or ("",)) for key in keys]

    def task(self, work: Callable, *arguments, home: str = ""):
        """Return what is to be done, without doing it; at a worker, if one is named."""
        import dask

        call = dask.delayed(work, pure=False, traverse=False)
        keys = (getattr(argument, "key", None) for argument in arguments)
        homes = (self._homes[key] for key in keys if key in self._homes)
        home = home or next(homes, "")
        if not home:
            return call(*arguments)
        with dask.annotate(workers=[home], allow_other_workers=True):
            result = call(*arguments)
        return result

    def tasks(self, work: Callable, columns: Sequence, given: tuple = ()) -> list:
        """Return `task(work, *items, *given)` for the items of each part."""
        from dask import delayed

        # What is given to all parts travels once to each worker.
        shared = [delayed(value, traverse=False, pure=False) for value in given]
        return [
            self.task(work, *items, *shared) for items in zip(*columns, strict=True)
        ]


def in_row_chunks(X):
    """Return the dask array with all features of a row in one chunk."""
    if X.ndim != 2:
        raise ValueError(
            f"Expected 2D array, got {X.ndim}D array instead. Reshape X to one row for "
            "each sample."
        )
    if np.isnan(X.shape[1]):
        raise ValueError(
            "The number of columns of X is not known; call X.compute_chunk_sizes()."
        )
    return X if X.numblocks[1] == 1 else X.rechunk({1: -1})


def for_workers(estimator):
    """Return a fitted estimator that predicts the same in one thread.

    It has no private attributes: these are not needed to predict, and may be large.
    """
    public = {
        name: value
        for name, value in vars(estimator).items()
        if not name.startswith("_")
    }
    if "n_jobs" in public:
        public["n_jobs"] = 1
    lean = object.__new__(type(estimator))
    vars(lean).update(public)
    return lean


def lazily(estimator, method: str, X, **options):
    """Return what a method of a fitted classifier says of the rows of a dask array.

    It is a dask array, not computed yet. The methods are "predict",
    "decision_function", "predict_proba", "predict_log_proba" and "certified_radius";
    the options are theirs.
    """
    from dask import delayed

    X = in_row_chunks(X)
    if X.shape[1] != estimator.n_features_in_:
        raise ValueError(
            f"X has {X.shape[1]} features, but {type(estimator).__name__} is expecting "
            f"{estimator.n_features_in_} features as input."
        )
    n_classes = len(estimator.classes_)
    dtype = estimator.classes_.dtype if method == "predict" else np.dtype(np.float64)
    shape: tuple[int, ...] = ()
    if method.endswith("proba") or (method == "decision_function" and n_classes > 2):
        shape = (n_classes,)
    return X.map_blocks(
        _answers,
        method,
        shape,
        options,
        model=delayed(for_workers(estimator), traverse=False, pure=False),
        dtype=dtype,
        chunks=(X.chunks[0], *((size,) for size in shape)),
        drop_axis=None if shape else 1,
        meta=np.empty((0,) * (1 + len(shape)), dtype=dtype),
    )


def _answers(
    block, method: str, shape: tuple[int, ...], options: dict, model
) -> np.ndarray:
    if block.shape[0] == 0:  # its type decides that of all chunks together
        dtype = model.classes_.dtype if method == "predict" else np.float64
        return np.empty((0, *shape), dtype=dtype)
    return getattr(model, method)(block, **options)
