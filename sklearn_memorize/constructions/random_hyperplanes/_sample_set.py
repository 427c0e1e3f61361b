"""Samples that come and go, as a set: the order in which they came leaves no trace.

`SampleLog` tells all samples apart, equal ones too, so that each can be forgotten.
`SampleSet` keeps the distinct rows, sorted by their content alone.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from scipy import sparse

from ..._estimator._conflicts import Ballots, resolve_labels
from ..._estimator._training_set import distinct_rows, row_hashes
from ...network._storage import storable
from ._rows import Rows, stacked


class Moves(NamedTuple):
    """Rows that are there before and after: their places then, and their places now."""

    before: np.ndarray
    after: np.ndarray

    @classmethod
    def none(cls) -> Moves:
        """Return that no row was there before."""
        return cls(np.empty(0, np.intp), np.empty(0, np.intp))


@storable
@dataclass(frozen=True)
class SampleLog:
    """All samples that carry weight, in the order in which they came.

    Sample k is equal to the distinct row `rows[k]`, and votes for the class number
    `labels[k]` with `weights[k]`. It is number `numbers[k]` of all `n_samples` that
    were given; those that carry no weight are counted, and nothing else.
    """

    rows: np.ndarray = field(repr=False)
    labels: np.ndarray = field(repr=False)
    weights: np.ndarray = field(repr=False)
    numbers: np.ndarray = field(repr=False)
    n_samples: int

    @classmethod
    def none(cls) -> SampleLog:
        """Return that no sample was given yet."""
        numbers = np.empty(0, dtype=np.intp)
        return cls(numbers, numbers, np.empty(0), numbers, 0)

    def followed_by(self, rows, labels, weights, kept, n_given: int) -> SampleLog:
        """Return these samples, and those `kept` of `n_given` that came after them."""
        return SampleLog(
            np.concatenate((self.rows, rows)),
            np.concatenate((self.labels, labels)),
            np.concatenate((self.weights, weights)),
            np.concatenate((self.numbers, self.n_samples + kept)),
            self.n_samples + n_given,
        )

    def without(self, gone: np.ndarray) -> SampleLog:
        """Return the other samples, numbered as if those `gone` had never come."""
        left = np.flatnonzero(~np.isin(self.numbers, gone))
        numbers = self.numbers[left]
        return SampleLog(
            self.rows[left],
            self.labels[left],
            self.weights[left],
            numbers - np.searchsorted(gone, numbers),
            self.n_samples - len(gone),
        )

    def at(self, places: np.ndarray) -> SampleLog:
        """Return the same samples, where row k now stands at `places[k]`."""
        return replace(self, rows=places[self.rows])

    def first_numbers(self, n_rows: int) -> np.ndarray:
        """Return the number of the first sample that is equal to each row."""
        first = np.empty(n_rows, dtype=np.intp)
        first[self.rows[::-1]] = self.numbers[::-1]
        return first

    def ballots(self) -> Ballots:
        """Return the votes of all samples."""
        return Ballots.none().joined_by(self.rows, self.labels, self.weights)


@storable
@dataclass(frozen=True, eq=False)
class SampleSet:
    """Distinct rows, sorted by their hashes and then by content, and all samples.

    Rows are kept dense or sparse as the first batch was, with 0.0 for -0.0, and in
    single precision as long as all batches are.
    """

    X: Any = field(repr=False)
    hashes: np.ndarray = field(repr=False)
    log: SampleLog

    @classmethod
    def none(cls, X) -> SampleSet:
        """Return the empty set, to be kept in the form of X."""
        return cls(_canonical(X[:0]), np.empty(0, np.uint64), SampleLog.none())

    @cached_property
    def ballots(self) -> Ballots:
        """The votes of all samples for the labels of the rows."""
        return self.log.ballots()

    @cached_property
    def labels(self) -> np.ndarray:
        """The class number of largest total weight, for each row."""
        votes = self.ballots
        return resolve_labels(
            votes.rows, votes.labels, votes.weights, len(self.hashes)
        )[0].astype(np.intp)

    @cached_property
    def arrivals(self) -> np.ndarray:
        """The number, among all samples, of the first one equal to each row."""
        return self.log.first_numbers(len(self.hashes))

    @property
    def n_samples(self) -> int:
        """Number of samples that were given."""
        return self.log.n_samples

    def numbers_of(self, X) -> np.ndarray:
        """Return which row of the set each row of X is equal to, -1 if none."""
        X = _like(_canonical(X), self.X)
        n = len(self.hashes)
        _, places = self._sorted_with(X)
        owners = np.full(int(places.max(initial=-1)) + 1, -1, dtype=np.intp)
        owners[places[:n]] = np.arange(n)
        return owners[places[n:]]

    def joined_by(self, X, labels, weights, kept) -> tuple[SampleSet, int, Moves]:
        """Return the set with one more batch, and how many of its rows are disputed.

        The arguments are those of `SeenSamples.joined_by`. Also returns where the rows
        of this set stand in the other one.
        """
        n_before, n_given = len(self.hashes), X.shape[0]
        kept = np.arange(n_given) if kept is None else kept
        weights = np.ones(n_given) if weights is None else weights
        X = _like(_canonical(X[kept]), self.X)
        first, inverse = distinct_rows(X)
        X = X[first]
        order, places = self._sorted_with(X)
        log = self.log.at(places[:n_before]).followed_by(
            places[n_before:][inverse], labels[kept], weights[kept], kept, n_given
        )
        hashes = np.concatenate((self.hashes, row_hashes(X)))[order]
        joined = SampleSet(_merged(self.X, X, order, places), hashes, log)
        voted = joined.ballots.of_rows(np.unique(places[n_before:]), len(hashes))
        moves = Moves(np.arange(n_before), places[:n_before])
        return joined, voted.n_conflicts(), moves

    def _sorted_with(self, X):
        """Sort these rows and others, as `_sorted` does."""
        hashes = np.concatenate((self.hashes, row_hashes(X)))
        return _sorted(Rows((self.X, X)), hashes)

    def without(self, gone: np.ndarray) -> tuple[SampleSet, Moves]:
        """Return the set without the samples of some numbers, in increasing order."""
        log = self.log.without(gone)
        left = np.unique(log.rows)
        places = np.full(len(self.hashes), -1, dtype=np.intp)
        places[left] = np.arange(len(left))
        fewer = SampleSet(self.X[left], self.hashes[left], log.at(places))
        return fewer, Moves(left, np.arange(len(left)))


def _canonical(X):
    """Return a copy of rows, with 0.0 for -0.0."""
    if not sparse.issparse(X):
        return X + X.dtype.type(0)
    X = sparse.csr_array(X)
    return sparse.csr_array(
        (X.data + X.dtype.type(0), X.indices, X.indptr), shape=X.shape
    )


def _like(X, other):
    """Return rows that are dense, or sparse, as others are."""
    if sparse.issparse(other):
        return sparse.csr_array(X)
    return X.toarray() if sparse.issparse(X) else X


def _merged(X, other, order: np.ndarray, places: np.ndarray):
    """Return the rows of two matrices that stand there in order; equal ones once."""
    if sparse.issparse(X):
        return stacked([X, other])[order]
    merged = np.empty((len(order), X.shape[1]), np.result_type(X, other))
    merged[places[X.shape[0] :]] = other
    merged[places[: X.shape[0]]] = X
    return merged


def _sorted(X: Rows, hashes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Sort rows by hash, then by content; equal ones share a place.

    Returns which rows stand there in order, and at which place each row stands.
    """
    order = np.argsort(hashes, kind="stable")
    differs = np.ones(len(order), dtype=bool)
    differs[1:] = hashes[order[1:]] != hashes[order[:-1]]
    borders = np.append(np.flatnonzero(differs), len(order))
    for start in np.flatnonzero(np.diff(borders) > 1):
        group = slice(borders[start], borders[start + 1])
        members = order[group]
        rows = X[members]
        rows = rows.toarray() if sparse.issparse(rows) else rows
        by_value = np.lexsort(rows.T[::-1])
        order[group], rows = members[by_value], rows[by_value]
        differs[group][1:] = (rows[1:] != rows[:-1]).any(axis=1)
    places = np.empty(len(order), dtype=np.intp)
    places[order] = np.cumsum(differs) - 1
    return order[differs], places
