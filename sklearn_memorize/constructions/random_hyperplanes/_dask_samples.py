"""Training samples in a dask array: read chunk by chunk, where they are.

What is read stays there. To this process come numbers of rows, and what labels there
are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, NamedTuple

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
from ..._estimator._conflicts import Ballots
from ..._estimator._dask import DaskWorkers, in_row_chunks, is_dask_array
from ..._estimator._sklearn import _check_sample_weight, finite_for_certain
from ..._estimator._training_set import (
    canonical_csr,
    number_labels,
    refuse_several_labels,
    row_hashes,
)
from ._codes import ClassLayout
from ._hash_ranges import CanonicalOrder, PartRows, canonical_order
from ._leave_one_out import places_left_out
from ._parts import Arrangement, SamplesInParts

# Weights that are integers, and below this in all, are added without rounding.
_EXACT_INTEGERS = 2.0**53


class _PartTold(NamedTuple):
    """What is to be known of a part that was read.

    `n_weighted` is the number of distinct rows that carry weight; the weights add up to
    `weight`, or to infinity where some are not integers.
    """

    n_rows: int
    n_weighted: int
    checksum: int
    found: np.ndarray
    weight: float


def read_chunks(
    estimator: BaseMemorizingClassifier, X, y, sample_weight
) -> SamplesInParts:
    """Read the chunks of X, resolve conflicts, and set what `fit` learns of the input.

    `y` and `sample_weight` may be dask arrays or others.
    """
    refuse_several_labels(y, estimator)
    workers = DaskWorkers()
    X = in_row_chunks(X)
    blocks = X.to_delayed().ravel().tolist()
    names, labels, weights = _columns_of_blocks(workers, X, blocks, y, sample_weight)
    workers.settle(blocks, workers.homes(blocks))
    rows = workers.keep(_read, blocks, labels, weights)
    told = workers.gather(_told, rows)
    homes = workers.homes(rows)
    workers.settle(rows, homes)
    workers.settle(blocks, homes)
    offsets = np.cumsum([0] + [part.n_rows for part in told])
    if offsets[-1] == 0:
        raise ValueError("Found array with 0 samples while a minimum of 1 is required.")
    if not any(part.n_weighted for part in told):
        raise ValueError("Sample weights must contain at least one non-zero number.")
    found = np.unique(np.concatenate([p.found for p in told if len(p.found)]))
    parts = workers.tasks(_samples, [blocks])
    workers.settle(parts, homes)
    adds_weights = sum(part.weight for part in told) < _EXACT_INTEGERS
    n_rows, n_features = int(offsets[-1]), int(X.shape[1])
    order = canonical_order(
        workers, parts, rows, n_rows, n_features, found, adds_weights
    )
    estimator._report_conflicts(order.n_conflicts)
    # A class that lost all its rows to others is not there.
    present = np.flatnonzero(order.sizes)
    estimator.classes_ = (found if names is None else names[found])[present]
    estimator.n_features_in_ = n_features
    estimator.__dict__.pop("feature_names_in_", None)
    arrangements = workers.keep(_arranged, rows, order.ranks, given=(present,))
    workers.settle(arrangements, homes)
    samples = SamplesInParts(
        workers=workers,
        parts=parts,
        arrangements=arrangements,
        checksums=[part.checksum for part in told],
        offsets=offsets,
        sizes=order.sizes[present],
        n_features=n_features,
        n_conflicts=order.n_conflicts,
    )
    return replace(samples, left_out=_left_out(estimator, samples, order, present))


def _columns_of_blocks(workers, X, blocks, y, sample_weight) -> tuple[Any, list, list]:
    """Return the labels and weights of each block.

    Labels in memory become numbers, and their names are returned as well.
    """
    lengths = X.chunks[0]
    in_memory = not is_dask_array(y) or not (
        sample_weight is None or is_dask_array(sample_weight)
    )
    if in_memory and np.isnan(sum(lengths)):
        lengths = tuple(workers.gather(len, blocks))
    borders = np.cumsum(lengths)
    names = None
    if is_dask_array(y):
        labels = _divided(X, lengths, y, "y")
    else:
        y = column_or_1d(y, warn=True)
        with finite_for_certain():
            assert_all_finite(y, input_name="y")
            check_classification_targets(y)
        names, numbers = np.unique(y, return_inverse=True)
        if sum(lengths) != len(y):
            _raise_inconsistent(sum(lengths), len(y))
        labels = np.split(_narrow(numbers), borders[:-1])
    weights: list = [None] * len(blocks)
    if sample_weight is None:
        pass
    elif is_dask_array(sample_weight):
        weights = _divided(X, lengths, sample_weight, "sample_weight")
    else:
        n_rows = int(sum(lengths))
        with finite_for_certain():
            sample_weight = _check_sample_weight(
                sample_weight,
                np.broadcast_to(0.0, (n_rows, 1)),
                dtype=np.float64,
                ensure_non_negative=True,
            )
        weights = np.split(sample_weight, borders[:-1])
    return names, labels, weights


def _divided(X, lengths: Sequence, column, name: str) -> list:
    """Return the blocks of a dask array of one item for each row of X."""
    of_column = column.chunks[0]
    if not np.isnan(sum(lengths) + sum(of_column)):
        if sum(lengths) != sum(of_column):
            _raise_inconsistent(sum(lengths), sum(of_column))
        column = column.rechunk((tuple(lengths), *column.chunks[1:]))
    elif column.numblocks[0] != X.numblocks[0]:
        raise ValueError(
            f"X has {X.numblocks[0]} chunks of rows and {name} has "
            f"{column.numblocks[0]}, of unknown sizes; call compute_chunk_sizes() on "
            "both."
        )
    return column.to_delayed().ravel().tolist()


def _raise_inconsistent(n_rows, n_items) -> None:
    raise ValueError(
        "Found input variables with inconsistent numbers of samples: "
        f"[{n_rows}, {n_items}]"
    )


def _left_out(estimator, samples: SamplesInParts, order: CanonicalOrder, present):
    """Return which samples will be left out, and their votes; None if none will be."""
    most = estimator._most_left_out(samples)
    if not most:
        return None
    places = places_left_out(samples.n_samples, most)
    votes = order.votes_at(places)
    if votes is not None:
        kept = np.flatnonzero(np.isin(votes.labels, present))
        votes = Ballots(
            votes.rows[kept],
            np.searchsorted(present, votes.labels[kept]),
            votes.weights[kept],
        )
    return places, votes


# What is done where a part is.


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


def _read(block, labels, weights) -> PartRows:
    """Return the distinct rows of a part with the labels they have."""
    with finite_for_certain():
        X = _samples(block)
        y = column_or_1d(labels)
        assert_all_finite(y, input_name="y")
        check_consistent_length(X, y)
        if len(y):
            check_classification_targets(y)
        if weights is not None:
            weights = _check_sample_weight(
                weights,
                np.broadcast_to(0.0, (len(y), 1)),
                dtype=np.float64,
                ensure_non_negative=True,
                allow_all_zero_weights=True,
            )
    found, numbers = number_labels(y)
    return PartRows.of(X, row_hashes(X), _narrow(numbers), found, weights)


def _narrow(numbers: np.ndarray) -> np.ndarray:
    """Return class numbers in as few bytes as they fit."""
    return numbers.astype(np.min_scalar_type(numbers.max(initial=0)))


def _told(rows: PartRows) -> _PartTold:
    weight = 0.0
    if rows.votes is not None:
        of_votes = rows.votes.weights
        are_integers = bool((of_votes == np.floor(of_votes)).all())
        weight = float(of_votes.sum()) if are_integers else np.inf
    n_weighted = len(rows.rows)
    return _PartTold(rows.n_rows, n_weighted, rows.checksum, rows.found, weight)


def _arranged(rows: PartRows, ranks: tuple, present: np.ndarray) -> Arrangement:
    """Sort the rows of a part by class, without those that equal others before."""
    of_all, labels = ranks
    kept = np.flatnonzero(of_all < np.iinfo(of_all.dtype).max)
    places = rows.rows[kept]
    sizes = np.bincount(labels[kept], minlength=present[-1] + 1)[present]
    # By row, and then by class: short integers are sorted by their digits.
    none = np.iinfo(labels.dtype).max
    labels_of_rows = np.full(rows.n_rows, none, dtype=labels.dtype)
    labels_of_rows[places] = labels[kept]
    ranks_of_rows = np.empty(rows.n_rows, dtype=of_all.dtype)
    ranks_of_rows[places] = of_all[kept]
    by_class = np.argsort(labels_of_rows, kind="stable")[: len(kept)]
    by_class = by_class.astype(np.int32)
    return Arrangement(by_class, ClassLayout(sizes), ranks_of_rows[by_class])
