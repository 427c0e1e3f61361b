"""From labelled, weighted, possibly repeated rows to distinct rows with one label."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import sparse
from sklearn.utils.multiclass import check_classification_targets

from .. import kernels
from ..kernels._memory import index_type

__all__ = [
    "TrainingSet",
    "check_targets",
    "distinct_rows",
    "number_labels",
    "resolve_labels",
    "sort_by_label",
]

# Rows are read in blocks of about this many values.
_BLOCK_VALUES = 1 << 22


@dataclass(frozen=True)
class TrainingSet:
    """Distinct rows, each with the one label it is to be recalled by.

    The rows are in *canonical order*: sorted by label and then by content, so that
    neither the order of the samples nor their repetition shows in what is built.

    Parameters
    ----------
    X : ndarray or CSR array of shape (n_samples, n_features)
        The rows as they came, repeated or not.
    rows : ndarray of shape (n_distinct,)
        Index into `X` of the first occurrence of each distinct row.
    labels : ndarray of shape (n_distinct,)
        Class number of each distinct row (increasing), or the target.
    n_classes : int
        Number of classes; 0 for regression targets.
    n_conflicts : int
        Number of distinct rows that carried several labels.
    """

    X: np.ndarray | sparse.csr_array
    rows: np.ndarray
    labels: np.ndarray
    n_classes: int
    n_conflicts: int

    @property
    def n_samples(self) -> int:
        """Number of distinct rows."""
        return len(self.rows)

    def points(self):
        """Return the distinct rows in canonical order (a copy)."""
        return self.X[self.rows]

    def blocks(self):
        """Iterate over slices of canonical positions that fit a cache or two."""
        step = max(1, _BLOCK_VALUES // max(1, self.X.shape[1]))
        for start in range(0, self.n_samples, step):
            yield slice(start, min(start + step, self.n_samples))


def _dense(rows) -> np.ndarray:
    return rows.toarray() if sparse.issparse(rows) else np.asarray(rows)


def row_hashes(X) -> np.ndarray:
    """Return a 64-bit hash of the values of each row; -0.0 counts as 0.0."""
    n_samples, n_features = X.shape
    hashes = np.empty(n_samples, dtype=np.uint64)
    step = max(1, _BLOCK_VALUES // max(1, n_features))
    for start in range(0, n_samples, step):
        block = _dense(X[start : start + step])
        hashes[start : start + step] = kernels.row_hashes(block)
    return hashes


def distinct_rows(X) -> tuple[np.ndarray, np.ndarray]:
    """Find the distinct rows of a matrix.

    Parameters
    ----------
    X : ndarray or CSR array of shape (n_samples, n_features)
        The rows; -0.0 and 0.0 are equal.

    Returns
    -------
    first : ndarray of shape (n_distinct,)
        Index of the first occurrence of each distinct row, in an order that depends
        on the content of the rows alone.
    inverse : ndarray of shape (n_samples,)
        For each row, the position of its equal in `first`.
    """
    order, starts_group = _sorted_by_hash(row_hashes(X))
    if not starts_group.all():
        starts_group = _split_collisions(X, order, starts_group)
    inverse = np.empty(len(order), dtype=order.dtype)
    inverse[order] = np.cumsum(starts_group, dtype=order.dtype) - 1
    return order[starts_group], inverse


def _sorted_by_hash(hashes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the samples sorted by their hashes, and which differ from the one before.

    Numbers are sorted faster than an index of them: the index takes the place of the
    last bits of the hashes, and samples that these bits tell apart are sorted again.
    """
    low = np.uint64((1 << (len(hashes) - 1).bit_length()) - 1)
    keys = np.arange(len(hashes), dtype=np.uint64)
    keys |= hashes & ~low
    keys.sort()
    order = (keys & low).astype(index_type(len(hashes)))
    differs = np.ones(len(hashes), dtype=bool)
    differs[1:] = (keys[1:] ^ keys[:-1]) > low
    tied = np.flatnonzero(~differs)
    unequal = tied[hashes[order[tied]] != hashes[order[tied - 1]]]
    if len(unequal):
        groups = np.cumsum(differs, dtype=order.dtype)
        members = np.flatnonzero(np.isin(groups, groups[unequal]))
        by_hash = np.lexsort((hashes[order[members]], groups[members]))
        order[members] = order[members[by_hash]]
        differs[tied] = hashes[order[tied]] != hashes[order[tied - 1]]
    return order, differs


def _split_collisions(X, order, starts_group) -> np.ndarray:
    """Compare rows of equal hash value by value, and split groups of unequal rows.

    Sorts `order` in place, so that equal rows stay neighbours.
    """
    starts_group = starts_group.copy()
    borders = np.append(np.flatnonzero(starts_group), len(order))
    for start in np.flatnonzero(np.diff(borders) > 1):
        group = slice(borders[start], borders[start + 1])
        members = np.sort(order[group])
        order[group] = members
        if all(_equal_rows(X, members[0], member) for member in members[1:]):
            continue
        rows = _dense(X[members]) + 0.0
        by_value = np.lexsort(rows.T[::-1])
        order[group] = members[by_value]
        rows = rows[by_value]
        starts_group[group][1:] = (rows[1:] != rows[:-1]).any(axis=1)
    return starts_group


def _equal_rows(X, i: int, j: int) -> bool:
    return np.array_equal(_dense(X[[i]]), _dense(X[[j]]))


def check_targets(y: np.ndarray) -> None:
    """Refuse targets that are not classes; warn if they hardly look so."""
    # Integers are classes, and in a short range many of them are equal.
    if y.dtype.kind not in "iu" or _range(y) >= len(y) // 2:
        check_classification_targets(y)


def _range(y: np.ndarray) -> int:
    return int(y.max()) - int(y.min()) if len(y) else 0


def number_labels(y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the distinct labels in order, and the number of each sample's label."""
    if y.dtype.kind not in "biu":
        classes, numbers = np.unique(y, return_inverse=True)
        return classes, numbers.astype(index_type(len(classes)))
    if y.dtype.kind == "b" or _range(y) >= len(y):
        classes = np.unique(y)
        return classes, np.searchsorted(classes, y).astype(index_type(len(classes)))
    # Differences that overflow are right as unsigned integers.
    places = (y - y.min()).view(f"u{y.itemsize}").astype(np.intp)
    present = np.flatnonzero(np.bincount(places))
    kind = index_type(len(present))
    numbers = np.empty(present[-1] + 1, dtype=kind)
    numbers[present] = np.arange(len(present), dtype=kind)
    return y.min() + present.astype(y.dtype), numbers[places]


def sort_by_label(labels: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Sort samples by label, keeping those of a label in order.

    Parameters
    ----------
    labels : ndarray of shape (n_samples,)
        Class numbers, of which some may not occur.

    Returns
    -------
    present : ndarray of shape (n_present,)
        The numbers that occur.
    order : ndarray of shape (n_samples,)
        The samples in order.
    renumbered : ndarray of shape (n_samples,)
        Where the label of each of these stands among `present`.
    """
    counts = np.bincount(labels)
    present = np.flatnonzero(counts)
    # Short integers are sorted by their digits.
    keys = labels.astype(np.uint16) if len(counts) <= 1 << 16 else labels
    order = np.argsort(keys, kind="stable")
    kind = index_type(len(labels))
    numbers = np.arange(len(present), dtype=kind)
    return present, order.astype(kind), np.repeat(numbers, counts[present])


def _in_units(weight: float) -> int:
    """Return the weight in units of the smallest double, 2**-1074: an integer."""
    numerator, denominator = weight.as_integer_ratio()
    return numerator * (2**1074 // denominator)


def resolve_labels(
    inverse: np.ndarray, labels: np.ndarray, weights: np.ndarray | None, n_distinct: int
) -> tuple[np.ndarray, int]:
    """Choose one label for each distinct row: the one of largest total weight.

    Parameters
    ----------
    inverse : ndarray of shape (n_samples,)
        The distinct row that each sample equals.
    labels : ndarray of shape (n_samples,)
        Class numbers.
    weights : ndarray of shape (n_samples,) or None
        Weight of each sample's vote; 1 if None.
    n_distinct : int
        Number of distinct rows.

    Returns
    -------
    resolved : ndarray of shape (n_distinct,)
        The label of each distinct row; the smallest among equals.
    n_conflicts : int
        Number of distinct rows with several labels.
    """
    resolved = np.empty(n_distinct, dtype=labels.dtype)
    resolved[inverse] = labels
    if n_distinct == len(labels):
        return resolved, 0
    in_conflict = np.zeros(n_distinct, dtype=bool)
    in_conflict[inverse[resolved[inverse] != labels]] = True
    votes: dict[tuple[int, int], int] = {}
    for sample in np.flatnonzero(in_conflict[inverse]):
        weight = 1 if weights is None else _in_units(float(weights[sample]))
        ballot = inverse[sample], labels[sample]
        votes[ballot] = votes.get(ballot, 0) + weight
    best: dict[int, tuple[int, int]] = {}
    for (row, label), total in votes.items():
        candidate = (-total, label)
        best[row] = min(best.get(row, candidate), candidate)
    for row, (_, label) in best.items():
        resolved[row] = label
    return resolved, int(in_conflict.sum())
