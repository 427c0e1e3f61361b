"""Why a label: the neurons, and the training samples behind them, that speak for it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from numbers import Integral

import numpy as np
from sklearn.utils.validation import check_is_fitted, check_scalar

from ...kernels import standard_arithmetic
from ._network import CoverNetwork, Decision

# Margins of about this many pairs of a sample and a neuron are there at a time.
_PAIRS_AT_ONCE = 1 << 20


@dataclass(frozen=True, eq=False)
class Reasons:
    """The training samples that speak for the predicted class, and for the next one.

    Entry `[i, k, j]` of an array is about sample i, the class `classes[i, k]`, and
    reason j for it. The strongest reason comes first. Where a class has less of them,
    the rest is filled up: -1 in `sample_indices` and `neurons`, NaN in `margins`, and 0
    in `coverage`.

    Parameters
    ----------
    classes : ndarray of shape (n_samples, 2)
        The label that is predicted for each sample, and the runner-up. Of shape
        (n_samples, 1) where the training set has a single class.
    sample_indices : ndarray of shape (n_samples, 2, n_reasons)
        Row numbers of training samples, counted as in `sample_indices_`.
    neurons : ndarray of shape (n_samples, 2, n_reasons)
        Numbers of the second-layer neurons behind which they stand: places in
        `sample_indices_` and `coverage_`.
    margins : ndarray of shape (n_samples, 2, n_reasons)
        By how much these neurons fire, as a share of the hyperplanes of their draw;
        what is not above zero does not fire.
    coverage : ndarray of shape (n_samples, 2, n_reasons)
        Number of distinct training samples at which these neurons fire. 1 is a neuron
        that speaks for its own sample alone.
    """

    classes: np.ndarray
    sample_indices: np.ndarray
    neurons: np.ndarray
    margins: np.ndarray
    coverage: np.ndarray

    def __repr__(self) -> str:
        n_samples, _, n_reasons = self.sample_indices.shape
        return f"Reasons(n_samples={n_samples}, n_reasons={n_reasons})"


class ReasonsMixin:
    """What a classifier with a `CoverNetwork` says about why."""

    classes_: np.ndarray
    network_: CoverNetwork
    sample_indices_: np.ndarray
    coverage_: np.ndarray
    n_votes_: int
    decision: Decision
    one_sided: bool
    _validate_samples: Callable

    @standard_arithmetic
    def reasons(self, X, n_reasons=3):
        """Return the training samples that speak for the label of each sample.

        Each neuron of the second layer was built from one training sample, and fires
        around it. For the class that `predict` returns, and for the runner-up, these
        are the samples behind the neurons of the largest margins. A sample that stands
        behind neurons of several draws is named once, with its largest margin. Of equal
        margins, that of the neuron which covers more training samples comes first.

        By "vote" the runner-up is the class of the next best score. By "network" it is
        the other class of which a neuron comes closest to firing, or fires most.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)
            Samples to be explained.
        n_reasons : int, default=3
            Number of training samples to name for each of the two classes.

        Returns
        -------
        reasons : Reasons
            The two classes, training samples, neurons, margins and coverage. A sample
            gets the same reasons alone and in any batch.

        Raises
        ------
        ValueError
            If the input is not valid, or `n_reasons` is less than one.

        Notes
        -----
        With `one_sided=True`, `classes_[0]` has no neurons, and so no reasons: it is
        predicted where no neuron of the other class fires.

        Examples
        --------
        >>> from sklearn.datasets import load_iris
        >>> from sklearn_memorize import MemorizingClassifier
        >>> X, y = load_iris(return_X_y=True)
        >>> clf = MemorizingClassifier(random_state=0).fit(X[1:], y[1:])
        >>> reasons = clf.reasons(X[:1])
        >>> reasons.classes
        array([[0, 1]])
        >>> of_winner, of_runner_up = reasons.sample_indices[0]
        >>> y[1:][of_winner], y[1:][of_runner_up]
        (array([0, 0, 0]), array([1, 1, 1]))
        >>> (reasons.margins[0] > 0).any(axis=1)  # which of the two classes fires
        array([ True, False])
        """
        check_is_fitted(self)
        check_scalar(n_reasons, "n_reasons", Integral, min_val=1)
        X = self._validate_samples(X, reset=False)
        shape = X.shape[0], min(2, len(self.classes_)), n_reasons
        if len(self.classes_) == 1:
            numbers = np.zeros(shape[:2], dtype=np.intp)
            neurons, margins = np.full(shape, -1, dtype=np.intp), np.full(shape, np.nan)
        else:
            numbers, neurons, margins = self._strongest(X, n_reasons)
        is_there = neurons >= 0
        # Where the network is constant, there are no neurons to take anything from.
        indices, coverage = np.full((2, *shape), -1, dtype=np.intp)
        indices[is_there] = self.sample_indices_[neurons[is_there]]
        coverage[...] = 0
        coverage[is_there] = self.coverage_[neurons[is_there]]
        return Reasons(self.classes_[numbers], indices, neurons, margins, coverage)

    def _strongest(self, X, n: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return for all samples what `_Speakers.strongest` does, and the classes."""
        speakers = _Speakers(self.network_, self.sample_indices_, self.coverage_)

        parts = []
        for block in self.network_.blocks(X.shape[0]):
            first_two = _first_two(
                self.network_, X[block], self.decision, self.n_votes_
            )
            # The only output of a one-sided network is that of class 1.
            outputs = first_two - self.one_sided
            parts.append((first_two, *speakers.strongest(X[block], outputs, n)))
        first_two, neurons, margins = map(np.concatenate, zip(*parts, strict=True))
        return first_two, neurons, margins


def _first_two(
    network: CoverNetwork, X, decision: Decision, n_votes: int
) -> np.ndarray:
    """Return the predicted class and the runner-up by number, (n_samples, 2)."""
    if network.widths[-1] == 1:
        fires = network.largest_margins(X)[:, 0] > 0
        return np.column_stack((fires, ~fires)).astype(np.intp)
    scores = network.scores(X, decision, n_votes)
    winners = scores.argmax(axis=1)
    if decision == "network":
        scores = network.largest_margins(X)
    scores[np.arange(len(winners)), winners] = -np.inf
    return np.column_stack((winners, scores.argmax(axis=1)))


class _Speakers:
    """The neurons of each class, draw by draw; those that cover most come first."""

    def __init__(self, network: CoverNetwork, centers, coverage):
        self._network = network
        self._centers = np.asarray(centers)
        self._coverage = np.asarray(coverage)
        self._first = np.cumsum([0] + [c.n_neurons for c in network.coverings])
        # By draw and class, numbers of neurons within the draw.
        self._neurons = [
            [
                start + np.argsort(-of_draw[start:stop], kind="stable")
                for start, stop in zip(c.starts, c.starts[1:], strict=False)
            ]
            for c, of_draw in zip(
                network.coverings,
                np.split(self._coverage, self._first[1:-1]),
                strict=True,
            )
        ]

    def strongest(self, X, classes: np.ndarray, n: int):
        """Return the `n` strongest neurons of some classes for each sample.

        `classes` are numbers of outputs, (n_samples, k); -1 has no neurons. Returns
        the numbers of the neurons and their margins, (n_samples, k, n), filled up by -1
        and NaN.
        """
        codes = self._network.encode(X)
        neurons = np.full((*classes.shape, n), -1, dtype=np.intp)
        margins = np.full((*classes.shape, n), np.nan)
        for number in range(self._network.widths[-1]):
            samples, places = np.nonzero(classes == number)
            most = max(1, *(len(of_draw[number]) for of_draw in self._neurons))
            step = max(1, _PAIRS_AT_ONCE // most)
            for start in range(0, len(samples), step):
                some = slice(start, start + step)
                found = self._of_class(number, codes, samples[some], n)
                neurons[samples[some], places[some]] = found[0]
                margins[samples[some], places[some]] = found[1]
        return neurons, margins

    def _of_class(self, number: int, codes: list, samples: np.ndarray, n: int):
        """Return the `n` strongest neurons of one class, one a training sample."""
        neurons, margins = [], []
        for draw, covering in enumerate(self._network.coverings):
            of_class = self._neurons[draw][number]
            of_draw = covering.neuron_margins(codes[draw].take(samples), of_class)
            # A training sample is not twice in a draw: no more than n are needed.
            first = np.argsort(-of_draw, axis=1, kind="stable")[:, :n]
            neurons.append(self._first[draw] + of_class[first])
            margins.append(np.take_along_axis(of_draw, first, axis=1))
        return self._distinct(
            np.concatenate(neurons, axis=1), np.concatenate(margins, axis=1), n
        )

    def _distinct(self, neurons: np.ndarray, margins: np.ndarray, n: int):
        """Return the best `n` neurons of each row that have different centers."""
        order = np.lexsort((neurons, -self._coverage[neurons], -margins))
        neurons = np.take_along_axis(neurons, order, axis=1)
        margins = np.take_along_axis(margins, order, axis=1)
        centers = self._centers[neurons]
        best = np.full((len(neurons), n), -1, dtype=np.intp)
        largest = np.full((len(neurons), n), np.nan)
        is_left = np.ones(neurons.shape, dtype=bool)
        for place in range(min(n, neurons.shape[1])):
            rows = np.flatnonzero(is_left.any(axis=1))
            if len(rows) == 0:
                break
            chosen = is_left[rows].argmax(axis=1)
            best[rows, place] = neurons[rows, chosen]
            largest[rows, place] = margins[rows, chosen]
            is_left[rows] &= centers[rows] != centers[rows, chosen, np.newaxis]
        return best, largest
