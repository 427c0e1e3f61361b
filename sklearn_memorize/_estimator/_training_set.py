"""From labelled, weighted, possibly repeated rows to distinct rows with one label."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from scipy import sparse
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.sparsefuncs import min_max_axis

from .. import kernels
from ..kernels._memory import blocks_of_rows, index_type
from ..network import Network, SelectedColumns
from ._conflicts import Ballots

# Rows are read in blocks of about this many values.
_BLOCK_VALUES = 1 << 22
# Columns that do not vary are left out where there are more columns than this, and at
# least half of them do not.
_MANY_COLUMNS = 1 << 12


@dataclass(frozen=True)
class TrainingSet:
    """Distinct rows, each with the one label it is to be recalled by.

    The rows are in *canonical order*: sorted by label and then by content, so that
    neither the order of the samples nor their repetition shows in what is built.

    Where most of very many columns are constant, a construction sees the others only:
    `points` are of `n_features` features, and `embedded` gives the network weight zero
    for the columns that were left out.
    """

    X: np.ndarray | sparse.csr_array  # the rows as they came, repeated or not
    rows: np.ndarray  # where in X each distinct row stands first
    labels: np.ndarray  # class number of each distinct row (increasing), or its targets
    n_classes: int  # 0 for regression targets
    n_conflicts: int  # how many distinct rows carried several labels
    ballots: Ballots | None = None  # all labels, where they are asked for

    @property
    def n_samples(self) -> int:
        """Number of distinct rows."""
        return len(self.rows)

    @cached_property
    def columns(self) -> np.ndarray | None:
        """The columns that a construction sees, None for all of them."""
        one = self.n_classes == 1 or self.n_samples == 1
        if one or self.X.shape[1] <= _MANY_COLUMNS:
            return None
        varying = varying_columns(self.X, self.rows)
        return varying if 2 * len(varying) <= self.X.shape[1] else None

    @property
    def n_features(self) -> int:
        """Number of features that a construction sees."""
        return self.X.shape[1] if self.columns is None else len(self.columns)

    @property
    def n_values(self) -> int:
        """Number of values of the points as a dense array."""
        return self.n_samples * self.n_features

    @property
    def n_stored_bytes(self) -> int:
        """Bytes of the points as they are stored, sparse ones in double precision."""
        if isinstance(self.X, np.ndarray):
            return 8 * self.n_values
        share = self.n_samples / max(1, self.X.shape[0])
        return int(share * self.X.nnz * (8 + self.X.indices.itemsize))

    def points(self):
        """Return the distinct rows in canonical order, as constructions see them."""
        if self.columns is None:
            return self.X[self.rows]
        if sparse.issparse(self.X):
            return self.X[:, self.columns][self.rows]
        return self.X[self.rows[:, np.newaxis], self.columns]

    def dense_points(self) -> np.ndarray:
        """Return the points as an array in double precision."""
        points = self.points()
        points = points.toarray() if sparse.issparse(points) else points
        return points.astype(np.float64, copy=False)

    def embedded(self, network: Network) -> Network:
        """Return a network of these points as one of all columns."""
        if self.columns is None:
            return network
        return SelectedColumns(network, self.columns, self.X.shape[1])

    def evenly_chosen(self, most: int) -> TrainingSet:
        """Return so many of the distinct rows, evenly chosen in their order, or all."""
        if self.n_samples <= most:
            return self
        chosen = np.linspace(0, self.n_samples - 1, most).astype(np.intp)
        return replace(self, rows=self.rows[chosen], labels=self.labels[chosen])

    def blocks(self):
        """Iterate over slices of canonical positions, of about 4 million values."""
        stored = self.n_features if sparse.issparse(self.X) else self.X.shape[1]
        step = max(1, _BLOCK_VALUES // max(1, stored))
        for start in range(0, self.n_samples, step):
            yield slice(start, min(start + step, self.n_samples))


def varying_columns(X, rows) -> np.ndarray:
    """Return the columns in which some of the rows differ, in increasing order."""
    if not sparse.issparse(X):
        first, varying = X[rows[0]], np.zeros(X.shape[1], dtype=bool)
        for block in blocks_of_rows(len(rows), X.shape[1], _BLOCK_VALUES):
            varying |= (X[rows[block]] != first).any(axis=0)
        return np.flatnonzero(varying)
    low, high = min_max_axis(X[rows], axis=0)
    return np.flatnonzero(low != high)


def canonical_csr(X):
    """Return the CSR matrix with sorted indices, no duplicates, no stored zeros."""
    X = X.copy()
    X.sum_duplicates()
    X.eliminate_zeros()
    return X


def _block(rows) -> np.ndarray:
    return rows.toarray() if sparse.issparse(rows) else np.asarray(rows)


def row_hashes(X) -> np.ndarray:
    """Return a 64-bit hash of the values of each row; -0.0 counts as 0.0."""
    n_samples, n_features = X.shape
    if sparse.issparse(X) and n_features > _MANY_COLUMNS:
        return _sparse_row_hashes(X)
    hashes = np.empty(n_samples, dtype=np.uint64)
    step = max(1, _BLOCK_VALUES // max(1, n_features))
    for start in range(0, n_samples, step):
        block = _block(X[start : start + step])
        hashes[start : start + step] = kernels.row_hashes(block)
    return hashes


def _sparse_row_hashes(X) -> np.ndarray:
    """Return the same hashes of the entries alone, for zeros add nothing to them."""
    bits = (X.data.astype(np.float64) + 0.0).view(np.uint64)
    mixed = bits ^ (bits >> np.uint64(32))
    mixed *= kernels.hash_coefficients(X.shape[1])[X.indices]
    mixed ^= mixed >> np.uint64(32)
    # Sums of integers modulo 2**64, so that differences of sums are sums.
    sums = np.append(np.uint64(0), np.cumsum(mixed, dtype=np.uint64))
    return sums[X.indptr[1:]] - sums[X.indptr[:-1]]


def distinct_rows(X, hashes=None) -> tuple[np.ndarray, np.ndarray]:
    """Return where each distinct row stands first, and which of these each row equals.

    The order of the distinct rows depends on their content alone. -0.0 equals 0.0.
    """
    order, starts_group = sorted_by_hash(row_hashes(X) if hashes is None else hashes)
    if not starts_group.all():
        starts_group = _split_collisions(X, order, starts_group)
    inverse = np.empty(len(order), dtype=order.dtype)
    inverse[order] = np.cumsum(starts_group, dtype=order.dtype) - 1
    return order[starts_group], inverse


def sorted_by_hash(hashes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the samples sorted by their hashes, and which differ from the one before.

    Sorting numbers is several times as fast as sorting an index of them. So the index
    of each sample takes the place of the last bits of its hash, and the few samples
    that only these bits tell apart are sorted again.
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
        rows = _block(X[members]) + 0.0
        by_value = np.lexsort(rows.T[::-1])
        order[group] = members[by_value]
        rows = rows[by_value]
        starts_group[group][1:] = (rows[1:] != rows[:-1]).any(axis=1)
    return starts_group


def _equal_rows(X, i: int, j: int) -> bool:
    return np.array_equal(_block(X[[i]]), _block(X[[j]]))


def refuse_several_labels(y, estimator) -> None:
    """Refuse several labels for a sample, and say what takes them."""
    shape: tuple[int, ...] | None = getattr(y, "shape", None)
    if shape is None:  # a list; one that is ragged is left to validation
        first = y[0] if isinstance(y, Sequence) and len(y) else ""
        holds_lists = hasattr(first, "__len__") and not isinstance(first, str)
        shape = (len(y), len(first)) if holds_lists else ()
    if len(shape) == 2 and shape[1] > 1:
        name = type(estimator).__name__
        raise ValueError(
            f"y holds {shape[1]} labels for each sample, and {name} memorizes one. "
            "Wrap it, so that each column of y gets a network of its own: "
            f"sklearn.multioutput.MultiOutputClassifier({name}(...)), or "
            "ClassifierChain, which lets a column see those before it."
        )


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
    dtype = index_type(len(present))
    numbers = np.empty(present[-1] + 1, dtype=dtype)
    numbers[present] = np.arange(len(present), dtype=dtype)
    return y.min() + present.astype(y.dtype), numbers[places]


def sort_by_label(labels: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Sort samples by class number, keeping those of a class in order.

    Returns the numbers that occur, the samples in order, and for each of these where
    its number stands among those that occur.
    """
    counts = np.bincount(labels)
    present = np.flatnonzero(counts)
    # Short integers are sorted by their digits.
    keys = labels.astype(np.uint16) if len(counts) <= 1 << 16 else labels
    order = np.argsort(keys, kind="stable")
    dtype = index_type(len(labels))
    numbers = np.arange(len(present), dtype=dtype)
    return present, order.astype(dtype), np.repeat(numbers, counts[present])
