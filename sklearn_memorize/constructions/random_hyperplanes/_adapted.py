"""Hyperplanes that look at the data: where the classes lie, and how features spread.

A way of drawing (see `_drawing`). Nothing is proven of it but recall, which separating
hyperplanes see to. All it knows of the data is a `Survey`: some thousand samples. With
the spread s_j of feature j, k = ceil(sqrt(d)) and a random set F of k features, the
candidates for a hyperplane are of one kind of three in turn,

    sparse          w_F = g / s_F,                                  g ~ N(0, I)
    whitened        w_F = L^-T g,  S + 0.05 diag(s_F^2) = L L^T,    S: within classes
    axis-parallel   w = +1 or -1 in one feature

and a threshold is drawn between <w, x> and <w, x'> for two samples of different
classes. Of three candidates the one is taken that divides the classes best.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from scipy import sparse

from ... import kernels
from ...kernels._memory import check_room
from ...network._storage import storable
from ._covers import MOST_PERMUTED
from ._drawing import MANY_FEATURES, SEEDED_TOGETHER, Ball, SeededStream

# Hyperplanes are drawn from so many samples, or from fewer where these are long.
MOST_SURVEYED, _FEWEST_SAMPLES = 4096, 256
_MOST_VALUES = 1 << 24
# So many samples of each class are among them, if there are.
_LEAST_OF_A_CLASS = 16
# Of so many candidates the best is taken, by what it does to so many samples at most.
_CANDIDATES = 3
_JUDGES = 1000
# Two samples that a hyperplane cannot tell apart are replaced so many times.
_MOST_PAIRS = 8
# Thresholds keep this share of the way from the two samples.
_AWAY = 0.02
# This share of the spread is added to what whitening sees.
_RIDGE = 0.05
# Features are whitened, and looked at one by one, where there are no more than these.
_MOST_WHITENED = 512
_MOST_PRODUCTS = 1 << 28


@storable
@dataclass(frozen=True, eq=False)
class Survey:
    """Some samples, sorted by class, without the features that are constant in them.

    `X` are the samples, (n_samples, n_used), of class numbers `labels`, which count
    only the classes that are there; column j of X is feature `used[j]` of
    `n_features`.
    """

    X: np.ndarray = field(repr=False)
    labels: np.ndarray = field(repr=False)
    used: np.ndarray = field(repr=False)
    n_features: int

    @classmethod
    def of(cls, samples, n_features: int, seed: int) -> Survey | None:
        """Choose samples by a seed; None if there are not two classes among them."""
        sizes = np.asarray(samples.sizes)
        if np.count_nonzero(sizes) < 2:
            return None
        generator = np.random.default_rng(seed)
        most = _MOST_VALUES // n_features
        share = min(max(most, _FEWEST_SAMPLES), MOST_SURVEYED) / sizes.sum()
        wanted = np.minimum(
            sizes, np.maximum(_LEAST_OF_A_CLASS, np.rint(share * sizes))
        )
        first = np.cumsum(sizes) - sizes
        chosen = [
            start + np.sort(_some_of(int(size), int(n), generator))
            for start, size, n in zip(first, sizes, wanted, strict=True)
        ]
        X = samples.take(np.concatenate(chosen))
        used = np.arange(n_features)
        if sparse.issparse(X):
            used = np.unique(X.indices)
            X = X[:, used]
        check_room(3 * 8 * X.shape[0] * X.shape[1], "A survey of the samples")
        X = (X.toarray() if sparse.issparse(X) else X).astype(np.float64)
        varies = np.flatnonzero((X[0] != X).any(axis=0))
        present = [np.full(len(rows), c) for c, rows in enumerate(filter(len, chosen))]
        labels = np.concatenate(present)
        return cls(np.ascontiguousarray(X[:, varies]), labels, used[varies], n_features)

    @cached_property
    def starts(self) -> np.ndarray:
        """Where the samples of each class start, and at last their number."""
        return np.concatenate(([0], np.cumsum(np.bincount(self.labels))))

    @property
    def n_bytes_of_spread(self) -> int:
        """About how many bytes `spread` takes while it is computed."""
        return self.X.nbytes + self.X.nbytes // 8

    @cached_property
    def spread(self) -> np.ndarray:
        """The fourth root of the fourth moment about the mean, feature by feature.

        It is as equivariant as the standard deviation, and does not make as much of
        features that are nearly always the same.
        """
        standard, halves = self._standard
        np.square(np.square(standard, out=standard), out=standard)
        spread = np.sqrt(np.sqrt(standard.mean(axis=0))) * halves
        return np.maximum(spread, np.nextafter(0.0, 1.0))

    @property
    def _standard(self) -> tuple[np.ndarray, np.ndarray]:
        """The samples around their mean in units of half the range, and these units."""
        halves = self.X.max(axis=0) / 2 - self.X.min(axis=0) / 2
        halves = np.maximum(halves, np.finfo(np.float64).tiny)
        standard = self.X / halves
        standard -= standard.mean(axis=0)
        return standard, halves

    @cached_property
    def judges(self) -> list[tuple[np.ndarray, np.ndarray]]:
        """Parts of the samples of about the same shares of the classes.

        Each feature by feature, (n_used, n_judges), with its `starts`.
        """
        n_parts = -(-len(self.labels) // _JUDGES)
        return [
            (
                np.ascontiguousarray(self.X[part::n_parts].T),
                np.searchsorted(
                    self.labels[part::n_parts], np.arange(len(self.starts))
                ),
            )
            for part in range(n_parts)
        ]

    @cached_property
    def scatter(self) -> np.ndarray | None:
        """Mean of (x - mean of its class)(x - mean of its class)^T, in units of spread.

        None where there are too many features.
        """
        n_features = self.X.shape[1]
        if self.n_features > _MOST_WHITENED:
            return None
        standard, halves = self._standard
        standard *= halves / self.spread
        step = -(-len(standard) * n_features**2 // _MOST_PRODUCTS)
        parts, n_rows = [], 0
        for start, stop in zip(self.starts, self.starts[1:], strict=False):
            rows = standard[start:stop:step]
            parts.append((rows - rows.mean(axis=0)).T)
            n_rows += len(rows)
        columns = np.concatenate(parts, axis=1)
        return kernels.ordered_product(columns, columns) / n_rows


def _some_of(size: int, n_chosen: int, generator) -> np.ndarray:
    """Choose some of the numbers below `size`; of many without a list of them all."""
    if size <= MOST_PERMUTED:
        return generator.permutation(size)[:n_chosen]
    return generator.choice(size, n_chosen, replace=False)


@dataclass(frozen=True, eq=False)
class _Candidates:
    """Hyperplanes: `weights` of some `features` each, in single precision."""

    features: np.ndarray
    weights: np.ndarray

    @classmethod
    def of(cls, features: np.ndarray, weights: np.ndarray) -> _Candidates:
        """Round the weights, the largest of which become 1."""
        largest = np.abs(weights).max(axis=1, keepdims=True)
        weights = (weights / np.where(largest > 0, largest, 1.0)).astype(np.float32)
        return cls(features, weights.astype(np.float64))


class AdaptedStream(SeededStream):
    """An endless sequence of hyperplanes drawn from a survey of the data."""

    def __init__(self, seed: int, survey: Survey, ball: Ball, n_drawn: int = 0):
        super().__init__(seed, ball, n_drawn)
        self._survey = survey

    @property
    def _n_columns(self) -> int | None:
        n_features = self._survey.n_features
        return n_features if n_features <= MANY_FEATURES else None

    def _group(self, number: int) -> tuple[Any, np.ndarray]:
        """Draw the hyperplanes that share a seed."""
        survey = self._survey
        generator = np.random.default_rng((self._seed, number))
        if survey.X.shape[1] == 0:  # samples that differ in features not surveyed
            none = np.empty((SEEDED_TOGETHER, 0))
            return self._in_rows(none.astype(np.intp), none), np.zeros(SEEDED_TOGETHER)
        candidates = _candidates(survey, generator)
        low, high = _between_classes(survey, candidates, generator)
        share = generator.uniform(_AWAY, 1.0 - _AWAY, len(low))
        thresholds = low + share * (high - low)
        gains = _gains(survey, candidates, thresholds, generator)
        best = gains.reshape(-1, _CANDIDATES).argmax(axis=1)
        best += _CANDIDATES * np.arange(SEEDED_TOGETHER)
        # Of powers of two: the two samples lie about one unit of the layer apart.
        unit = np.frexp(high[best] - low[best])[1] - self._ball.exponent
        # Biases in the units of the data stay finite.
        unit = np.clip(unit, max(-60, self._ball.exponent - 1019), 60)
        weights = np.ldexp(candidates.weights[best], -unit[:, np.newaxis])
        directions = self._in_rows(survey.used[candidates.features[best]], weights)
        return directions, np.ldexp(-thresholds[best], -unit - self._ball.exponent)

    def _in_rows(self, features: np.ndarray, weights: np.ndarray):
        """Return directions of all features, as a sparse array if these are many."""
        n, k = weights.shape
        starts = np.arange(n + 1) * k
        directions = sparse.csr_array(
            (weights.ravel().astype(np.float32), features.ravel(), starts),
            shape=(n, self._survey.n_features),
        )
        if self._survey.n_features <= MANY_FEATURES:
            return directions.toarray()
        directions.sort_indices()
        directions.eliminate_zeros()
        return directions


def _candidates(survey: Survey, generator) -> _Candidates:
    """Draw normal vectors; those of one hyperplane follow each other."""
    d, n = survey.X.shape[1], SEEDED_TOGETHER * _CANDIDATES
    k = min(d, max(2, math.ceil(math.sqrt(d))))
    features = _random_features(generator, n, k, d)
    spread = survey.spread[features]
    smallest = spread.min(axis=1, keepdims=True)
    normal = generator.standard_normal((n, k))
    if survey.scatter is not None:
        kind = np.repeat(np.arange(SEEDED_TOGETHER) % 3, _CANDIDATES)
        white, axis = np.flatnonzero(kind == 1), np.flatnonzero(kind == 2)
        features[axis, 0] = generator.integers(0, d, len(axis))
        of_features = features[white][:, :, np.newaxis], features[white][:, np.newaxis]
        normal[white] = _whitened(survey.scatter[of_features], normal[white])
        normal[axis, 0] = np.where(normal[axis, 0] < 0, -1.0, 1.0)
        normal[axis, 1:] = 0.0
    return _Candidates.of(features, normal * (smallest / spread))


def _random_features(generator, n: int, k: int, d: int) -> np.ndarray:
    """Draw k of d features for each of n hyperplanes.

    The t-th is a random one of the first d - k + t + 1, or the last of these if that
    one is there already (R. Floyd): any set of k features is as likely as any other.
    """
    features = np.empty((n, k), dtype=np.intp)
    for t in range(k):
        last = d - k + t
        drawn = generator.integers(0, last + 1, n)
        is_there = (features[:, :t] == drawn[:, np.newaxis]).any(axis=1)
        features[:, t] = np.where(is_there, last, drawn)
    return features


def _whitened(scatter: np.ndarray, normal: np.ndarray) -> np.ndarray:
    """Return L^-T g for each matrix S + ridge = L L^T; elementwise, in fixed order."""
    k = normal.shape[1]
    lower, result = scatter.copy(), normal.copy()
    lower[:, np.arange(k), np.arange(k)] += _RIDGE
    for j in range(k):
        lower[:, j:, j] /= np.sqrt(lower[:, j, j])[:, np.newaxis]
        column = lower[:, j + 1 :, j]
        lower[:, j + 1 :, j + 1 :] -= column[:, :, np.newaxis] * column[:, np.newaxis]
    for j in reversed(range(k)):
        result[:, j] /= lower[:, j, j]
        result[:, :j] -= lower[:, j, :j] * result[:, j, np.newaxis]
    return result


def _between_classes(survey: Survey, candidates: _Candidates, generator):
    """Return <w, x> and <w, x'> for two samples of different classes, one pair each."""
    shape = len(candidates.weights), _MOST_PAIRS
    starts, labels = survey.starts, survey.labels
    one = generator.integers(0, len(labels), shape)
    first, last = starts[labels[one]], starts[labels[one] + 1]
    other = generator.integers(0, len(labels) - (last - first))
    other += np.where(other < first, 0, last - first)
    low, high = kernels.first_apart(
        survey.X, one, other, candidates.features, candidates.weights
    )
    left = np.flatnonzero(low == high)
    if len(left) == 0:
        return low, high
    # Most samples are alike here: just above them is as good a place as any.
    sizes = candidates.weights * survey.spread[candidates.features]
    high[left] += _AWAY * np.abs(sizes[left]).max(axis=1)
    return low, high


def _gains(survey: Survey, candidates: _Candidates, thresholds, generator):
    """Return how well candidates divide the classes of some of the samples."""
    columns, starts = survey.judges[generator.integers(len(survey.judges))]
    return kernels.gini_gains(
        columns, starts, candidates.features, candidates.weights, thresholds
    )
