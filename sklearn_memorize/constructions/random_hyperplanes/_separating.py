"""Hyperplanes chosen from the data, where random ones leave samples unseparated.

A neuron of the second layer covers its center x* only if every sample x' of another
class lies on the bright side of some hyperplane on whose dark side x* lies. Random
hyperplanes may never come between two samples that are close to each other, or far
from all others. Axis-parallel ones always can: two distinct rows differ in some
feature j, and x_j > t is exact in floating point for any t.

A tree of such cuts divides the samples that are left over, and those they are not
separated from, until no leaf holds a missed sample beside a sample of another class.
Each inner node gives one or two hyperplanes,

    x_j - t > 0   dark below the cut,   and   t' - x_j > 0   dark above it,

so the tree needs no more than twice as many hyperplanes as it separates samples, and a
sample x* it was grown for is separated from every other sample of the tree: the two
part at one node, whose hyperplane of the right side is there.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from scipy import sparse
from sklearn.utils.sparsefuncs import min_max_axis

from ._exact_hyperplanes import AxisHyperplanes
from ._rows import columns_in_use

# A cut is chosen among this many features, by this many samples, at the most.
_MOST_FEATURES = 64
_MOST_SAMPLES = 1024
# Features in which so many pairs of samples differ are looked at, where there are more.
_N_PAIRS = 8
# Thresholds lie between these shares of the way from one value to the next.
_SHARES = 0.35, 0.65
# Weights and biases stay below two to the power of this.
_LARGEST_EXPONENT = 1022


class _Cut(NamedTuple):
    """A feature, and two neighbouring values between which the samples are divided.

    `share` is how far the threshold lies from the lower one to the upper one. Half-way
    between two values of a grid there may be a third one, of other samples.
    """

    feature: int
    below: float
    above: float
    share: float

    def threshold(self, side: int) -> float:
        """Return t with `below <= t < above` (side +1), or `below < t <= above` (-1).

        Between two neighbouring doubles there is no number: then t is one of them.
        """
        between = self.below + 2 * self.share * (self.above / 2 - self.below / 2)
        if side > 0:
            return between if self.below <= between < self.above else self.below
        return between if self.below < between <= self.above else self.above

    def exponent(self, side: int, unit_exponent: int | None) -> int:
        """Return the exponent of the weight, or less where the bias would overflow."""
        if unit_exponent is None:
            return 0
        bright, threshold = self.above if side > 0 else self.below, self.threshold(side)
        distance = abs(bright / 2 - threshold / 2)
        wanted = unit_exponent + 1 - math.frexp(distance)[1]
        largest = _LARGEST_EXPONENT - max(0, math.frexp(threshold)[1])
        return min(wanted, largest)


def separating_hyperplanes(
    X,
    labels: np.ndarray,
    is_missed: np.ndarray,
    unit_exponent: int | None,
    generator: np.random.Generator,
) -> AxisHyperplanes:
    """Return hyperplanes that separate the missed samples from all other classes.

    `X` holds distinct rows, an array or a CSR array of shape (n_samples, n_features);
    `labels` their class numbers; `is_missed` says for which of them each sample x' of
    another class has to be on the bright side of a hyperplane with x* on its dark side.
    For ReLU neurons weights are such that the nearest bright samples give an output of
    about 2**unit_exponent.
    """
    # Slicing takes time for each column; and dense and sparse samples are to have the
    # same ones.
    used = _varying(X)
    X = X[:, used]
    features: list[int] = []
    sides: list[int] = []
    thresholds: list[float] = []
    exponents: list[int] = []
    waiting = [np.arange(len(labels))]
    while waiting:
        members = waiting.pop()
        if not is_missed[members].any() or _has_one_class(labels[members]):
            continue
        cut = _best_cut(X, members, labels, is_missed, generator)
        is_above = _column(X, members, cut.feature) > cut.below
        below, above = members[~is_above], members[is_above]
        for side, dark, bright in ((1, below, above), (-1, above, below)):
            if _has_pair(labels[dark[is_missed[dark]]], labels[bright]):
                features.append(cut.feature)
                sides.append(side)
                thresholds.append(cut.threshold(side))
                exponents.append(cut.exponent(side, unit_exponent))
        waiting += [above, below]
    chosen = np.array(features, dtype=np.intp)
    return AxisHyperplanes(
        used[chosen].astype(np.intp),
        np.array(sides, dtype=np.int8),
        np.array(thresholds, dtype=np.float64),
        np.array(exponents, dtype=np.intp),
    )


def _varying(X) -> np.ndarray:
    """Return the features that are not the same in all rows."""
    used = np.arange(X.shape[1])
    if sparse.issparse(X):
        used = columns_in_use(X)
        low, high = min_max_axis(sparse.csr_array(X[:, used]), axis=0)
    else:
        low, high = X.min(axis=0), X.max(axis=0)
    return used[low < high]


def _has_one_class(labels: np.ndarray) -> bool:
    return bool((labels == labels[0]).all())


def _has_pair(some: np.ndarray, others: np.ndarray) -> bool:
    """Return whether a label among `some` differs from a label among `others`."""
    if len(some) == 0 or len(others) == 0:
        return False
    return bool((some != others[0]).any() or (others != some[0]).any())


def _column(X, rows: np.ndarray, feature: int) -> np.ndarray:
    return _block(X, rows, np.array([feature]))[:, 0]


def _block(X, rows: np.ndarray, features: np.ndarray) -> np.ndarray:
    """Return some features of some rows as an array in double precision."""
    if sparse.issparse(X):
        return X[rows][:, features].toarray().astype(np.float64)
    return X[np.ix_(rows, features)].astype(np.float64)


def _best_cut(X, members, labels, is_missed, generator) -> _Cut:
    """Return the cut that separates most pairs of different labels.

    Among cuts that separate as many, the one is taken between the two values that lie
    farthest apart in units of the range of their feature.
    """
    pair = _pair_to_separate(members, labels, is_missed, generator)
    if len(members) > _MOST_SAMPLES:
        some = generator.choice(members, _MOST_SAMPLES, replace=False)
        members = np.unique(np.append(some, pair))
    features = _candidates(X, members, labels, pair, generator)
    values = _block(X, members, features)
    order = np.argsort(values, axis=0, kind="stable")
    values = np.take_along_axis(values, order, axis=0)
    separated = _pairs_separated(labels[members][order])
    with np.errstate(over="ignore", invalid="ignore"):
        halves = values / 2
        widths = np.diff(halves, axis=0) / (halves[-1] - halves[0])
    separated[values[1:] == values[:-1]] = -1
    best = np.lexsort((np.nan_to_num(widths).ravel(), separated.ravel()))[-1]
    place, column = np.unravel_index(best, separated.shape)
    return _Cut(
        int(features[column]),
        float(values[place, column]),
        float(values[place + 1, column]),
        float(generator.uniform(*_SHARES)),
    )


def _pairs_separated(labels: np.ndarray) -> np.ndarray:
    """Return how many pairs of different labels a cut after each row separates.

    The labels are sorted along each column. With l_c and r_c samples of class c on the
    two sides this is (sum of l_c) (sum of r_c) - sum over c of l_c r_c. Where a sample
    of class c moves from right to left, l_c r_c grows by n_c - 1 - 2 l_c.
    """
    n_samples = len(labels)
    classes, numbers = np.unique(labels, return_inverse=True)
    numbers = numbers.reshape(labels.shape)
    sizes = np.bincount(numbers[:, 0], minlength=len(classes))
    # The rank of each sample among those of its class, column by column.
    by_class = np.argsort(numbers, axis=0, kind="stable")
    first = np.concatenate(([0], np.cumsum(sizes)[:-1]))
    in_order = np.take_along_axis(numbers, by_class, axis=0)
    ranks = np.empty_like(numbers)
    places = np.arange(n_samples)[:, np.newaxis] - first[in_order]
    np.put_along_axis(ranks, by_class, places, axis=0)
    alike = np.cumsum(sizes[numbers] - 1 - 2 * ranks, axis=0)[:-1]
    n_left = np.arange(1, n_samples)[:, np.newaxis]
    return n_left * (n_samples - n_left) - alike


def _pair_to_separate(members, labels, is_missed, generator) -> np.ndarray:
    """Return a missed sample and a sample of another class."""
    missed = members[is_missed[members]]
    for sample in generator.permutation(missed)[:_MOST_SAMPLES]:
        others = members[labels[members] != labels[sample]]
        if len(others):
            return np.array([sample, generator.choice(others)])
    raise AssertionError("the members are of one class")


def _candidates(X, members, labels, pair, generator) -> np.ndarray:
    """Return the features to choose from; the pair differs in one of them at least."""
    n_features = X.shape[1]
    if n_features <= _MOST_FEATURES:
        return np.arange(n_features)
    certain = generator.permutation(_differing(X, *pair))[: _MOST_FEATURES // 2]
    found = [certain]
    for sample in generator.choice(members, _N_PAIRS):
        others = members[labels[members] != labels[sample]]
        found.append(_differing(X, sample, generator.choice(others)))
    more = np.setdiff1d(np.concatenate(found), certain)
    more = generator.permutation(more)[: _MOST_FEATURES - len(certain)]
    return np.sort(np.concatenate((certain, more)))


def _differing(X, first: int, second: int) -> np.ndarray:
    """Return the features in which two rows differ."""
    if not sparse.issparse(X):
        return np.flatnonzero(X[first] != X[second])
    rows = X[[first, second]]
    used = columns_in_use(rows)
    block = rows[:, used].toarray()
    return used[block[0] != block[1]]
