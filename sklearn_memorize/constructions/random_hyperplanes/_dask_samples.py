"""Training samples in a dask array: read chunk by chunk, where they are."""

from __future__ import annotations

from dataclasses import dataclass, field
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

from ..._estimator._conflicts import resolve_labels
from ..._estimator._dask import DaskWorkers, for_workers, in_row_chunks, is_dask_array
from ..._estimator._sklearn import _check_sample_weight
from ..._estimator._training_set import canonical_csr, distinct_rows, row_hashes
from ...exceptions import InterpolationError
from ._parts import Arrangement, SamplesInParts, by_part, take_rows

__all__ = ["DaskTrainingSet", "training_set"]

# Rows that may be equal are compared in groups of about this many values.
_VALUES_AT_ONCE = 1 << 25
# Predictions are made of about this many values at a time.
_BLOCK_VALUES = 1 << 22


@dataclass(frozen=True)
class DaskTrainingSet:
    """Distinct rows in chunks, each with the one label it is to be recalled by.

    Parameters
    ----------
    samples : SamplesInParts
        The rows, in canonical order: see `TrainingSet`.
    checksums : list of int
        What the hashes of the rows of each chunk add up to.
    n_conflicts : int
        Number of distinct rows that carried several labels.
    """

    samples: SamplesInParts = field(repr=False)
    checksums: list[int] = field(repr=False)
    n_conflicts: int

    @property
    def n_samples(self) -> int:
        """Number of distinct rows."""
        return len(self.samples.rows)

    @property
    def n_classes(self) -> int:
        """Number of classes."""
        return len(self.samples.sizes)

    @property
    def n_features(self) -> int:
        """Dimension of the space."""
        return self.samples.n_features

    def n_missed(self, model) -> int:
        """Count the distinct rows that `model` does not recall, on the workers."""
        samples = self.samples
        columns = samples.parts, samples.arrangements, self.checksums
        return samples.workers.reduce(
            sum, _missed, *columns, given=(for_workers(model),)
        )


def _missed(X, arrangement: Arrangement, checksum: int, model) -> int:
    if _checksum(row_hashes(X)) != checksum:
        raise InterpolationError(
            "The values of X changed while it was read again. A dask array that draws "
            "random numbers needs a seed for each chunk; or call X.persist() first."
        )
    n_missed = 0
    labels = arrangement.labels
    step = max(1, _BLOCK_VALUES // max(1, X.shape[1]))
    for start in range(0, len(labels), step):
        block = slice(start, start + step)
        numbers = model._predict_class_numbers(X[arrangement.rows[block]])
        n_missed += int((numbers != labels[block]).sum())
    return n_missed


def _checksum(hashes: np.ndarray) -> int:
    """Return a number that depends on the hashes and on their order."""
    weights = 2 * np.arange(len(hashes), dtype=np.uint64) + np.uint64(1)
    return int((hashes * weights).sum(dtype=np.uint64))


def training_set(estimator, X, y, sample_weight) -> DaskTrainingSet:
    """Read the chunks of X, resolve conflicts, and set what `fit` learns of the input.

    To this process come a hash and a class number of each row, and the rows that may
    equal another.

    Parameters
    ----------
    estimator : BaseMemorizingClassifier
        `classes_` and `n_features_in_` are set.
    X : dask array of shape (n_samples, n_features)
        The rows.
    y : dask array or array-like of shape (n_samples,)
        The labels.
    sample_weight : dask array or array-like of shape (n_samples,) or None
        The weights.
    """
    workers = DaskWorkers()
    X = in_row_chunks(X)
    blocks = X.to_delayed().ravel().tolist()
    names, labels_of_blocks = _labels_of_blocks(workers, X, blocks, y)
    read = workers.gather(_read, blocks, labels_of_blocks)
    hashes = np.concatenate([part[0] for part in read])
    checksums = [_checksum(part[0]) for part in read]
    kinds, labels = _class_numbers([part[1:] for part in read])
    offsets = np.cumsum([0] + [len(part[0]) for part in read])
    del read
    if len(hashes) == 0:
        raise ValueError("Found array with 0 samples while a minimum of 1 is required.")
    weights = _weights(sample_weight, len(hashes))
    parts = workers.tasks(_samples, [blocks])

    def take(rows):
        return take_rows(workers, parts, offsets, rows)

    rows, resolved, n_conflicts = _distinct(hashes, labels, weights, take)
    del hashes
    estimator._report_conflicts(n_conflicts)
    # A class that lost all its rows to others is not there.
    present = np.unique(resolved)
    estimator.classes_ = (kinds if names is None else names[kinds])[present]
    estimator.n_features_in_ = int(X.shape[1])
    vars(estimator).pop("feature_names_in_", None)
    changes = _changes(rows, resolved, labels, offsets)
    arrangements = workers.keep(
        _arrange, labels_of_blocks, *changes, given=(kinds, present)
    )
    resolved = np.searchsorted(present, resolved)
    by_label = np.argsort(_narrow(resolved), kind="stable")
    samples = SamplesInParts(
        workers,
        parts,
        arrangements,
        offsets,
        rows[by_label],
        np.bincount(resolved, minlength=len(present)),
        int(X.shape[1]),
    )
    return DaskTrainingSet(samples, checksums, n_conflicts)


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
    X = _samples(block)
    y = column_or_1d(labels)
    assert_all_finite(y, input_name="y")
    check_consistent_length(X, y)
    if len(y):
        check_classification_targets(y)
    kinds, numbers = np.unique(y, return_inverse=True)
    return row_hashes(X), kinds, _narrow(numbers)


def _narrow(numbers: np.ndarray) -> np.ndarray:
    """Return class numbers in as few bytes as they fit."""
    return numbers.astype(np.min_scalar_type(numbers.max(initial=0)))


def _class_numbers(found: list) -> tuple[np.ndarray, np.ndarray]:
    """Return all labels there are, and which of them each row has."""
    kinds = np.unique(
        np.concatenate([kinds for kinds, _ in found if len(kinds)] or [[]])
    )
    numbers = [
        np.searchsorted(kinds, here)[numbers] if len(here) else numbers
        for here, numbers in found
    ]
    kind = np.min_scalar_type(max(len(kinds), 1))
    return kinds, np.concatenate([part.astype(kind) for part in numbers])


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


def _distinct(hashes, labels, weights, take) -> tuple[np.ndarray, np.ndarray, int]:
    """Find the distinct rows and one label for each, as in memory.

    Only rows whose hashes agree can be equal; those are looked at.

    Parameters
    ----------
    hashes, labels : ndarray of shape (n_samples,)
        The hash and the class number of each row.
    weights : ndarray of shape (n_samples,) or None
        The weights; rows of weight zero are left out.
    take : callable
        Returns rows by their numbers, which increase.

    Returns
    -------
    rows : ndarray of shape (n_distinct,)
        The first occurrence of each distinct row, in the order of `distinct_rows`.
    resolved : ndarray of shape (n_distinct,)
        Their class numbers.
    n_conflicts : int
        Number of distinct rows with several labels.
    """
    order = np.argsort(hashes, kind="stable")
    if weights is not None:
        order = order[weights[order] > 0]
    in_order = hashes[order]
    equal = in_order[1:] == in_order[:-1]
    if not equal.any():
        return order, labels[order], 0
    repeated = np.zeros(len(order), dtype=bool)
    repeated[1:] |= equal
    repeated[:-1] |= equal
    rows, resolved = [order[~repeated]], [labels[order[~repeated]]]
    n_conflicts = 0
    for members in _groups_at_once(order[repeated], in_order[repeated], take):
        first, inverse = distinct_rows(take(members))
        votes = None if weights is None else weights[members]
        chosen, n = resolve_labels(inverse, labels[members], votes, len(first))
        rows.append(members[first])
        resolved.append(chosen)
        n_conflicts += n
    all_rows = np.concatenate(rows)
    by_hash = np.argsort(hashes[all_rows], kind="stable")
    return all_rows[by_hash], np.concatenate(resolved)[by_hash], n_conflicts


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


def _arrange(labels, dropped, changed, new_labels, kinds, present) -> Arrangement:
    """Sort the rows of a part by class, without those that are dropped."""
    numbers = np.searchsorted(kinds, column_or_1d(labels))
    numbers[changed] = new_labels
    rows = np.delete(np.arange(len(numbers), dtype=np.int32), dropped)
    numbers = np.searchsorted(present, numbers[rows])
    by_class = np.argsort(_narrow(numbers), kind="stable")
    return Arrangement(rows[by_class], np.bincount(numbers, minlength=len(present)))
