"""The samples of many batches, as distinct rows that each carry one label."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from scipy import sparse

from ..._estimator._conflicts import Ballots, resolve_labels
from ..._estimator._training_set import distinct_rows, row_hashes

__all__ = ["Rows", "SeenSamples"]


class Rows:
    """Rows of several matrices, one below the other: a matrix to be indexed by rows.

    Parameters
    ----------
    parts : tuple of ndarray or of CSR array
        The matrices. Each is more than twice as high as the next one, so that they are
        few, and few of them have to be copied for another one to join.
    """

    def __init__(self, parts: tuple):
        self._parts = parts
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
            parts[-2:] = [_stacked(parts[-2:])]
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
        return _stacked(pieces)[places]


def _stacked(parts):
    if sparse.issparse(parts[0]):
        return sparse.vstack(parts, format="csr")
    return np.concatenate(parts)


@dataclass(frozen=True)
class SeenSamples:
    """Distinct rows in the order in which they came, and one label for each.

    Parameters
    ----------
    X : Rows of shape (n_distinct, n_features)
        The distinct rows.
    labels : ndarray of shape (n_distinct,)
        The class number of largest total weight so far.
    arrivals : ndarray of shape (n_distinct,)
        Index among all samples, of all batches, of the first one equal to the row.
    hashes : ndarray of shape (n_distinct,)
        Hash of each row.
    ballots : Ballots
        The labels that all samples voted for.
    n_samples : int
        Number of samples, of all batches.
    """

    X: Rows = field(repr=False)
    labels: np.ndarray = field(repr=False)
    arrivals: np.ndarray = field(repr=False)
    hashes: np.ndarray = field(repr=False)
    ballots: Ballots = field(repr=False)
    n_samples: int

    @classmethod
    def none(cls, X) -> SeenSamples:
        """Return what is seen before the first batch, to be kept in the form of X."""
        numbers = np.empty(0, dtype=np.intp)
        ballots = Ballots(numbers, numbers, np.empty(0))
        return cls(Rows((X[:0],)), numbers, numbers, np.empty(0, np.uint64), ballots, 0)

    def joined_by(self, X, labels, weights, kept) -> tuple[SeenSamples, int]:
        """Return what is seen after one more batch.

        Parameters
        ----------
        X : ndarray or CSR array of shape (n_samples, n_features)
            The batch.
        labels : ndarray of shape (n_samples,)
            Class numbers.
        weights : ndarray of shape (n_samples,) or None
            Weight of each sample's vote; 1 if None.
        kept : ndarray of indices or None
            The samples that carry weight, if not all do.

        Returns
        -------
        seen : SeenSamples
            The rows so far keep their places; new ones follow, in an order that
            depends on their content alone.
        n_conflicts : int
            Number of distinct rows of the batch that carry several labels by now.
        """
        n_before, n_given = len(self.labels), X.shape[0]
        kept = np.arange(n_given) if kept is None else kept
        weights = np.ones(n_given) if weights is None else weights
        X, labels, weights = X[kept], labels[kept], weights[kept]
        first, inverse = distinct_rows(X)
        hashes = row_hashes(X[first])
        numbers = self._numbers(X[first], hashes)
        new = np.flatnonzero(numbers < 0)
        numbers[new] = n_before + np.arange(len(new))
        ballots = self.ballots.joined_by(numbers[inverse], labels, weights)
        n_rows = n_before + len(new)
        voted = ballots.of_rows(numbers, n_rows)
        resolved, n_conflicts = resolve_labels(
            voted.rows, voted.labels, voted.weights, len(numbers)
        )
        all_labels = np.concatenate((self.labels, np.empty(len(new), dtype=np.intp)))
        all_labels[numbers] = resolved
        arrivals = self.n_samples + kept[first[new]]
        seen = SeenSamples(
            self.X.joined_by(X[first[new]]),
            all_labels,
            np.concatenate((self.arrivals, arrivals)),
            np.concatenate((self.hashes, hashes[new])),
            ballots,
            self.n_samples + n_given,
        )
        return seen, n_conflicts

    def _numbers(self, X, hashes: np.ndarray) -> np.ndarray:
        """Return which of the rows so far each row equals, -1 if none."""
        numbers = np.full(X.shape[0], -1, dtype=np.intp)
        alike = np.flatnonzero(np.isin(self.hashes, hashes))
        if len(alike):
            groups = distinct_rows(Rows((self.X[alike],)).joined_by(X))[1]
            known = np.full(groups.max() + 1, -1, dtype=np.intp)
            known[groups[: len(alike)]] = alike
            numbers = known[groups[len(alike) :]]
        return numbers
