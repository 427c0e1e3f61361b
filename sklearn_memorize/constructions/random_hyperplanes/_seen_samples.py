"""The samples of many batches, as distinct rows that each carry one label."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from ..._estimator._training_set import distinct_rows, resolve_labels, row_hashes
from ._rows import Rows

_EXACT_INTEGERS = 2.0**53


@dataclass(frozen=True)
class Ballots:
    """Who voted for which label of which row, with what weight.

    They are sorted by row, and then by label; the weights of one row and label are
    added up where that is exact.
    """

    rows: np.ndarray
    labels: np.ndarray
    weights: np.ndarray

    def joined_by(self, rows, labels, weights) -> Ballots:
        """Return these ballots and others."""
        rows = np.concatenate((self.rows, rows))
        labels = np.concatenate((self.labels, labels))
        weights = np.concatenate((self.weights, weights))
        order = np.lexsort((labels, rows))
        rows, labels, weights = rows[order], labels[order], weights[order]
        is_first = np.ones(len(rows), dtype=bool)
        is_first[1:] = (rows[1:] != rows[:-1]) | (labels[1:] != labels[:-1])
        starts = np.flatnonzero(is_first)
        with np.errstate(over="ignore"):
            totals = np.add.reduceat(weights, starts)
        # Integers whose sum is below 2**53 are added without rounding.
        exact = np.logical_and.reduceat(weights == np.floor(weights), starts)
        exact &= totals < _EXACT_INTEGERS
        weights[starts[exact]] = totals[exact]
        kept = is_first | ~exact[np.cumsum(is_first) - 1]
        return Ballots(rows[kept], labels[kept], weights[kept])

    def of_rows(self, rows: np.ndarray, n_rows: int) -> Ballots:
        """Return the ballots of some rows, whose numbers are their places therein."""
        places = np.full(n_rows, -1, dtype=np.intp)
        places[rows] = np.arange(len(rows))
        kept = np.flatnonzero(places[self.rows] >= 0)
        return Ballots(places[self.rows[kept]], self.labels[kept], self.weights[kept])

    def n_conflicts(self) -> int:
        """Return the number of rows with several labels."""
        same_row = self.rows[1:] == self.rows[:-1]
        disputed = same_row & (self.labels[1:] != self.labels[:-1])
        return len(np.unique(self.rows[1:][disputed]))


@dataclass(frozen=True)
class SeenSamples:
    """Distinct rows in the order in which they came, and one label for each.

    `labels` are the class numbers of largest total weight so far, as `ballots` says;
    `arrivals` tells where among all `n_samples` samples, of all batches, the first one
    stood that is equal to the row.
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
        """Return what is seen after one more batch, and the number of its conflicts.

        Samples of class numbers `labels` vote with their weights (1 if None) for the
        label of their row; `kept` are those that carry weight, if not all do. The rows
        so far keep their places; new ones follow, in an order that depends on their
        content alone. Rows of the batch that carry several labels by now are counted.
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
