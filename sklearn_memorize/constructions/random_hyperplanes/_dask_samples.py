"""Training samples in a dask array: read chunk by chunk, where they are."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import sparse
from sklearn.utils import (
    assert_all_finite,
    check_array,
    check_consistent_length,
    column_or_1d,
)
from sklearn.utils.multiclass import check_classification_targets

from ..._estimator._base import BaseMemorizingClassifier
from ..._estimator._conflicts import Ballots, resolve_labels
from ..._estimator._dask import DaskWorkers, in_row_chunks, is_dask_array
from ..._estimator._sklearn import _check_sample_weight, finite_for_certain
from ..._estimator._training_set import (
    canonical_csr,
    distinct_rows,
    refuse_several_labels,
    row_hashes,
)
from ._codes import ClassLayout
from ._parts import Arrangement, SamplesInParts, by_part, checksum, take_rows

# Rows that may be equal are compared in groups of about this many values.
_VALUES_AT_ONCE = 1 << 25


def read_chunks(
    estimator: BaseMemorizingClassifier, X, y, sample_weight
) -> SamplesInParts:
    """Read the chunks of X, resolve conflicts, and set what `fit` learns of the input.

    `y` and `sample_weight` may be dask arrays or others. To this process come a hash
    and a class number of each row, and the rows that may equal another.
    """
    refuse_several_labels(y, estimator)
    workers = DaskWorkers()
    X = in_row_chunks(X)
    blocks = X.to_delayed().ravel().tolist()
    names, labels_of_blocks = _labels_of_blocks(workers, X, blocks, y)
    read = workers.gather(_read, blocks, labels_of_blocks)
    hashes = np.concatenate([hashes for hashes, *_ in read])
    checksums = [checksum(hashes) for hashes, *_ in read]
    found, labels = _class_numbers([labels for _, *labels in read])
    offsets = np.cumsum([0] + [len(hashes) for hashes, *_ in read])
    del read
    if len(hashes) == 0:
        raise ValueError("Found array with 0 samples while a minimum of 1 is required.")
    weights = _weights(sample_weight, len(hashes))
    parts = workers.tasks(_samples, [blocks])

    def take(rows):
        return take_rows(workers, parts, offsets, rows)

    rows, resolved, n_conflicts, owners = _distinct(hashes, labels, weights, take)
    del hashes
    estimator._report_conflicts(n_conflicts)
    # A class that lost all its rows to others is not there.
    present = np.unique(resolved)
    estimator.classes_ = (found if names is None else names[found])[present]
    estimator.n_features_in_ = int(X.shape[1])
    estimator.__dict__.pop("feature_names_in_", None)
    changes = _changes(rows, resolved, labels, offsets)
    arrangements = workers.keep(
        _arrange, labels_of_blocks, *changes, given=(found, present)
    )
    resolved = np.searchsorted(present, resolved)
    by_label = np.argsort(_narrow(resolved), kind="stable")
    ballots = None
    if owners is not None and estimator._leaves_out:
        ballots = _ballots(rows[by_label], owners, labels, weights, present)
    return SamplesInParts(
        workers=workers,
        parts=parts,
        arrangements=arrangements,
        checksums=checksums,
        offsets=offsets,
        rows=rows[by_label],
        sizes=np.bincount(resolved, minlength=len(present)),
        n_features=int(X.shape[1]),
        n_conflicts=n_conflicts,
        ballots=ballots,
    )


def _labels_of_blocks(workers: DaskWorkers, X, blocks, y) -> tuple[Any, list]:
    """Return the labels of each block, and the names if they are only numbers."""
    if is_dask_array(y):
        lengths, lengths_of_y = X.chunks[0], y.chunks[0]
        known = not np.isnan(sum(lengths) + sum(lengths_of_y))
        if known and sum(lengths) != sum(lengths_of_y):
            _raise_inconsistent(sum(lengths), sum(lengths_of_y))
        if known:
            y = y.rechunk((lengths, *y.chunks[1:]))
        elif y.numblocks[0] != X.numblocks[0]:
            raise ValueError(
                f"X has {X.numblocks[0]} chunks of rows and y has {y.numblocks[0]}, of "
                "unknown sizes; call compute_chunk_sizes() on both."
            )
        return None, y.to_delayed().ravel().tolist()
    y = column_or_1d(y, warn=True)
    with finite_for_certain():
        assert_all_finite(y, input_name="y")
        check_classification_targets(y)
    names, numbers = np.unique(y, return_inverse=True)
    lengths = X.chunks[0]
    if np.isnan(sum(lengths)):
        lengths = workers.gather(len, blocks)
    if sum(lengths) != len(y):
        _raise_inconsistent(sum(lengths), len(y))
    return names, np.split(_narrow(numbers), np.cumsum(lengths)[:-1])


def _raise_inconsistent(n_rows, n_labels) -> None:
    raise ValueError(
        "Found input variables with inconsistent numbers of samples: "
        f"[{n_rows}, {n_labels}]"
    )


def _samples(block):
    """Return the rows of a block as `fit` reads them."""
    X = check_array(
        block,
        accept_sparse="csr",
        dtype=[np.float64, np.float32],
        ensure_min_samples=0,
        input_name="X",
    )
    return canonical_csr(X) if sparse.issparse(X) else X


def _read(block, labels) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return a hash of each row, the labels there are, and which of them each has."""
    with finite_for_certain():
        X = _samples(block)
        y = column_or_1d(labels)
        assert_all_finite(y, input_name="y")
        check_consistent_length(X, y)
        if len(y):
            check_classification_targets(y)
    found, numbers = np.unique(y, return_inverse=True)
    return row_hashes(X), found, _narrow(numbers)


def _narrow(numbers: np.ndarray) -> np.ndarray:
    """Return class numbers in as few bytes as they fit."""
    return numbers.astype(np.min_scalar_type(numbers.max(initial=0)))


def _class_numbers(labels: list) -> tuple[np.ndarray, np.ndarray]:
    """Return all labels there are, and which of them each row has.

    `labels` holds for each part the labels found there, and which of these each of its
    rows has.
    """
    found = np.unique(np.concatenate([here for here, _ in labels if len(here)] or [[]]))
    dtype = np.min_scalar_type(max(len(found), 1))
    numbers = [
        (np.searchsorted(found, here)[numbers] if len(here) else numbers).astype(dtype)
        for here, numbers in labels
    ]
    return found, np.concatenate(numbers)


def _weights(sample_weight, n_samples: int) -> np.ndarray | None:
    if sample_weight is None:
        return None
    if is_dask_array(sample_weight):
        sample_weight = sample_weight.compute()
    return _check_sample_weight(
        sample_weight,
        np.broadcast_to(0.0, (n_samples, 1)),
        dtype=np.float64,
        ensure_non_negative=True,
    )


def _ballots(rows, owners, labels, weights, present) -> Ballots:
    """Return the labels that the samples `rows` had before they were resolved."""
    places = np.full(len(owners), -1, dtype=np.intp)
    places[rows] = np.arange(len(rows))
    # A class that lost all its rows to others is not there.
    voters = np.flatnonzero((owners >= 0) & np.isin(labels, present))
    return Ballots.none().joined_by(
        places[owners[voters]],
        np.searchsorted(present, labels[voters]),
        np.ones(len(voters)) if weights is None else weights[voters],
    )


def _distinct(hashes, labels, weights, take) -> tuple:
    """Find the distinct rows and one label for each, as in memory.

    Only rows whose hashes agree can be equal; those are looked at: `take` returns rows
    by their increasing numbers. Rows of weight zero are left out.

    Returns the first occurrence of each distinct row, in the order of `distinct_rows`,
    their class numbers, the number of distinct rows with several labels, and for each
    row the first one that equals it (-1 where it has no weight); None instead of these
    if each row stands for itself.
    """
    order = np.argsort(hashes, kind="stable")
    if weights is not None:
        order = order[weights[order] > 0]
    in_order = hashes[order]
    equal = in_order[1:] == in_order[:-1]
    owners = None
    if weights is not None or equal.any():
        owners = np.full(len(hashes), -1, dtype=np.intp)
        owners[order] = order
    if not equal.any():
        return order, labels[order], 0, owners
    assert owners is not None
    repeated = np.zeros(len(order), dtype=bool)
    repeated[1:] |= equal
    repeated[:-1] |= equal
    rows, resolved = [order[~repeated]], [labels[order[~repeated]]]
    n_conflicts = 0
    for members in _groups_at_once(order[repeated], in_order[repeated], take):
        first, inverse = distinct_rows(take(members))
        votes = None if weights is None else weights[members]
        chosen, n = resolve_labels(inverse, labels[members], votes, len(first))
        owners[members] = members[first][inverse]
        rows.append(members[first])
        resolved.append(chosen)
        n_conflicts += n
    all_rows = np.concatenate(rows)
    by_hash = np.argsort(hashes[all_rows], kind="stable")
    return all_rows[by_hash], np.concatenate(resolved)[by_hash], n_conflicts, owners


def _groups_at_once(rows, hashes, take):
    """Yield rows, increasing, so that those of equal hash come together."""
    step = max(1, _VALUES_AT_ONCE // max(1, take(rows[:1]).shape[1]))
    starts = np.flatnonzero(np.concatenate(([True], hashes[1:] != hashes[:-1])))
    start = 0
    while start < len(rows):
        later = np.searchsorted(starts, start + step)
        stop = int(starts[later]) if later < len(starts) else len(rows)
        yield np.sort(rows[start:stop])
        start = stop


def _changes(rows, resolved, labels, offsets) -> tuple[list, list, list]:
    """Return for each part what `_arrange` does not find in its labels."""
    kept = np.zeros(offsets[-1], dtype=bool)
    kept[rows] = True
    dropped = by_part(np.flatnonzero(~kept), offsets)
    changed = np.flatnonzero(labels[rows] != resolved)
    changed = changed[np.argsort(rows[changed])]
    changed_rows = by_part(rows[changed], offsets)
    borders = np.cumsum([len(part) for part in changed_rows])[:-1]
    return dropped, changed_rows, np.split(resolved[changed], borders)


def _arrange(labels, dropped, changed, new_labels, found, present) -> Arrangement:
    """Sort the rows of a part by class, without those that are dropped."""
    numbers = np.searchsorted(found, column_or_1d(labels))
    numbers[changed] = new_labels
    rows = np.delete(np.arange(len(numbers), dtype=np.int32), dropped)
    numbers = np.searchsorted(present, numbers[rows])
    by_class = np.argsort(_narrow(numbers), kind="stable")
    sizes = np.bincount(numbers, minlength=len(present))
    return Arrangement(rows[by_class], ClassLayout(sizes))
