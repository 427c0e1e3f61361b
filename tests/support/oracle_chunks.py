"""What may come out of a fit to a dask array: that of the same rows in memory."""

from __future__ import annotations

import warnings

import numpy as np
from sklearn.base import clone

from sklearn_memorize.exceptions import (
    ConflictingLabelsWarning,
    InterpolationError,
    InterpolationWarning,
)

from .oracle import (
    RECALLED,
    REFUSED,
    WARNED,
    ignore_what_scikit_learn_warns_of,
    in_time,
    must_recall,
    reach_overflows,
    resolved_labels,
)


def judge_chunks(clf, problem, cuts) -> str:
    """Fit chunks that end at `cuts`, shares of the samples; compare with `fit`."""
    import dask
    import dask.array as da

    clf.set_params(covering="random", prune=False)
    dense = problem.dense()
    borders = sorted({0, len(dense), *(int(cut * len(dense)) for cut in cuts)})
    sizes = tuple(np.diff(borders).tolist())
    X = da.from_array(dense, chunks=(sizes, dense.shape[1]))
    with in_time(), warnings.catch_warnings(), dask.config.set(scheduler="sync"):
        warnings.simplefilter("error")
        ignore_what_scikit_learn_warns_of()
        warnings.simplefilter("ignore", ConflictingLabelsWarning)
        warnings.simplefilter("ignore", InterpolationWarning)
        weights = problem.sample_weight
        try:
            clf.fit(X, np.asarray(problem.y), sample_weight=weights)
        except (InterpolationError, ValueError) as error:
            if isinstance(error, ValueError):
                assert reach_overflows(clf, dense), error
            assert not must_recall(clf, error), error
            return REFUSED
        expected, n_conflicts = resolved_labels(problem)
        assert clf.n_conflicts_ == n_conflicts
        predicted = clf.predict(dense).tolist()
        pairs = zip(expected, predicted, strict=True)
        n_missed = sum(label is not None and label != found for label, found in pairs)
        assert clf.interpolates_ == (n_missed == 0)
        local = clone(clf).fit(dense, np.asarray(problem.y), sample_weight=weights)
        assert local.network_.widths == clf.network_.widths
    return WARNED if n_missed else RECALLED
