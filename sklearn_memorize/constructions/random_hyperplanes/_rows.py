"""Rows of arrays, of sparse arrays, and of what stands in for them."""

from __future__ import annotations

import numpy as np
from scipy import sparse

__all__ = ["dense_rows", "in_memory", "is_dense", "rows_of"]


def rows_of(X, rows: np.ndarray):
    """Return rows of X; a view if they follow each other in order."""
    first, last = rows[0], rows[-1]
    if last - first == len(rows) - 1 and (np.diff(rows) == 1).all():
        return X[first : last + 1]
    return X[rows]


def is_dense(X) -> bool:
    """Return whether rows of X are dense; it may be no array, but give its rows."""
    return isinstance(X, np.ndarray) or isinstance(X[:1], np.ndarray)


def dense_rows(X, rows: np.ndarray) -> np.ndarray:
    """Return rows of X as an array."""
    chosen = X[rows]
    return chosen.toarray() if sparse.issparse(chosen) else chosen


def in_memory(X, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return an array, and where the rows of X stand in it."""
    if isinstance(X, np.ndarray):
        return X, rows
    return dense_rows(X, rows), np.arange(len(rows))
