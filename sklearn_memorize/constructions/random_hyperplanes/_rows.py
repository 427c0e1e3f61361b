"""Rows of arrays, of sparse arrays, and of matrices that stand one below the other."""

from __future__ import annotations

import numpy as np
from scipy import sparse

from ...network._storage import storable


def rows_of(X, rows: np.ndarray):
    """Return rows of X; a view if they follow each other in order."""
    first, last = rows[0], rows[-1]
    if last - first == len(rows) - 1 and (np.diff(rows) == 1).all():
        return X[first : last + 1]
    return X[rows]


def is_dense(X) -> bool:
    """Return whether rows of X, an array or `Rows`, are dense."""
    return isinstance(X, np.ndarray) or isinstance(X[:1], np.ndarray)


def dense_rows(X, rows: np.ndarray) -> np.ndarray:
    """Return rows of X as an array."""
    chosen = X[rows]
    return chosen.toarray() if sparse.issparse(chosen) else chosen


def in_memory(X, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return a dense array, and where the rows of X stand in it."""
    if isinstance(X, np.ndarray):
        return X, rows
    return dense_rows(X, rows), np.arange(len(rows))


def columns_in_use(X) -> np.ndarray:
    """Return the columns of a sparse array that have entries, in increasing order."""
    is_used = np.zeros(X.shape[1], dtype=bool)
    is_used[X.indices] = True
    return np.flatnonzero(is_used)


@storable
class Rows:
    """Rows of several matrices, one below the other: a matrix to be indexed by rows.

    Each of the matrices is more than twice as high as the next one, so that they are
    few, and few of them have to be copied for another one to join.
    """

    def __init__(self, parts: tuple):
        self._parts = tuple(parts)
        self._ends = np.cumsum([part.shape[0] for part in parts])
        self.shape = (int(self._ends[-1]), parts[0].shape[1])

    def joined_by(self, X) -> Rows:
        """Return these rows and others, dense or sparse as these are."""
        if sparse.issparse(self._parts[0]):
            X = sparse.csr_array(X)
        elif sparse.issparse(X):
            X = X.toarray()
        parts = [*self._parts, X]
        while len(parts) > 1 and parts[-2].shape[0] <= 2 * parts[-1].shape[0]:
            parts[-2:] = [stacked(parts[-2:])]
        return Rows(tuple(parts))

    def __getitem__(self, rows):
        if isinstance(rows, slice):
            rows = np.arange(*rows.indices(self.shape[0]))
        rows = np.asarray(rows)
        owners = np.searchsorted(self._ends, rows, side="right")
        by_owner = np.argsort(owners, kind="stable")
        pieces = []
        for number in np.unique(owners):
            part = self._parts[number]
            start = self._ends[number] - part.shape[0]
            pieces.append(part[rows[owners == number] - start])
        if not pieces:
            return self._parts[0][:0]
        if len(pieces) == 1:
            return pieces[0]
        places = np.empty_like(by_owner)
        places[by_owner] = np.arange(len(rows))
        return stacked(pieces)[places]


def stacked(blocks):
    """Return blocks of rows, dense or sparse, as one matrix."""
    if sparse.issparse(blocks[0]):
        return sparse.vstack(blocks, format="csr")
    return np.concatenate(blocks)
