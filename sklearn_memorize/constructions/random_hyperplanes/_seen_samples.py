"""The samples of many batches, as distinct rows that each carry one label."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from ..._estimator._conflicts import Ballots, resolve_labels
from ..._estimator._training_set import distinct_rows, row_hashes
from ...network._storage import storable
from ._rows import Rows
from ._sample_set import SampleLog


@storable
@dataclass(frozen=True)
class SeenSamples:
    """Distinct rows in the order in which they came, and one label for each.

    `labels` are the class numbers of largest total weight so far, as `ballots` says;
    `arrivals` tells where among all samples, of all batches, the first one stood that
    is equal to the row. The `log` tells all of them apart.
    """

    X: Rows = field(repr=False)
    labels: np.ndarray = field(repr=False)
    arrivals: np.ndarray = field(repr=False)
    hashes: np.ndarray = field(repr=False)
    ballots: Ballots = field(repr=False)
    log: SampleLog

    @classmethod
    def none(cls, X) -> SeenSamples:
        """Return what is seen before the first batch, to be kept in the form of X."""
        numbers = np.empty(0, dtype=np.intp)
        hashes = np.empty(0, np.uint64)
        rows, ballots = Rows((X[:0],)), Ballots.none()
        return cls(rows, numbers, numbers, hashes, ballots, SampleLog.none())

    @property
    def n_samples(self) -> int:
        """Number of samples that were given."""
        return self.log.n_samples

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
            self.log.followed_by(numbers[inverse], labels, weights, kept, n_given),
        )
        return seen, n_conflicts

    def without(self, gone: np.ndarray) -> SeenSamples:
        """Return what is seen of the samples that are left, as if they came at once."""
        log = self.log.without(gone)
        again, _ = SeenSamples.none(self.X[:1]).joined_by(
            self.X[log.rows], log.labels, log.weights, None
        )
        rows = again.log.rows
        log = SampleLog(rows, log.labels, log.weights, log.numbers, log.n_samples)
        return replace(again, log=log, arrivals=log.numbers[again.arrivals])

    def numbers_of(self, X) -> np.ndarray:
        """Return which of the rows so far each row equals, -1 if none."""
        return self._numbers(X, row_hashes(X))

    def _numbers(self, X, hashes: np.ndarray) -> np.ndarray:
        """Return what `numbers_of` does, given the hashes of the rows."""
        numbers = np.full(X.shape[0], -1, dtype=np.intp)
        alike = np.flatnonzero(np.isin(self.hashes, hashes))
        if len(alike):
            groups = distinct_rows(Rows((self.X[alike],)).joined_by(X))[1]
            known = np.full(groups.max() + 1, -1, dtype=np.intp)
            known[groups[: len(alike)]] = alike
            numbers = known[groups[len(alike) :]]
        return numbers
