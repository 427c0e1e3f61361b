"""What may come out of `partial_fit`: all batches recalled, or the cause of failure."""

from __future__ import annotations

import warnings

import numpy as np
from scipy import sparse

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
from .strategies import Problem


def judge_batches(clf, problem, cuts, seed) -> str:
    """Teach a classifier batch after batch; each call recalls all so far.

    `cuts` are shares of the samples at which batches end.
    """
    with in_time(), warnings.catch_warnings():
        warnings.simplefilter("error")
        ignore_what_scikit_learn_warns_of()
        return _judge_batches(clf, problem, cuts, seed)


def _judge_batches(clf, problem, cuts, seed):
    dense, labels = problem.dense(), np.asarray(problem.y)
    containers = np.random.default_rng(seed).integers(0, 3, 4)
    borders = sorted({0, len(dense), *(int(cut * len(dense)) for cut in cuts)})
    weights = problem.sample_weight
    classes = np.unique(labels)
    outcome = RECALLED
    for number, (start, stop) in enumerate(zip(borders, borders[1:], strict=False)):
        part = slice(start, stop)
        of_part = None if weights is None else weights[part]
        if of_part is not None and not of_part.any():
            return outcome
        rows = (np.asarray, sparse.csr_array, np.float64)[containers[number]](
            dense[part]
        )
        before = dict(vars(clf))
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always", ConflictingLabelsWarning)
            warnings.simplefilter("always", InterpolationWarning)
            try:
                clf.partial_fit(rows, labels[part], classes, of_part)
            except (InterpolationError, ValueError) as error:
                if isinstance(error, ValueError):
                    assert reach_overflows(clf, dense), error
                assert not must_recall(clf, error), error
                assert vars(clf) == before
                return REFUSED
        seen = slice(0, stop)
        so_far = Problem(
            dense[seen], labels[seen], None if weights is None else weights[seen]
        )
        expected, n_conflicts = resolved_labels(so_far)
        assert clf.n_conflicts_ == n_conflicts
        predicted = clf.predict(dense[seen]).tolist()
        pairs = zip(expected, predicted, strict=True)
        n_missed = sum(label is not None and label != found for label, found in pairs)
        assert clf.interpolates_ == (n_missed == 0)
        categories = [warning.category for warning in caught]
        assert (InterpolationWarning in categories) == (n_missed > 0)
        assert np.isfinite(clf.decision_function(dense[seen])).all()
        outcome = WARNED if n_missed else outcome
    return outcome
