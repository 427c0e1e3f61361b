"""Linear functions of features that separate.

They minimize a squared hinge loss, which is convex and piecewise quadratic. Where the
features are much alike, as random ones are, gradients take very many steps; in units of
the covariance of the features they take few.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy import linalg, optimize

from ...exact._signs import DOUBLE
from ...kernels._memory import blocks_of_rows
from ...kernels._threads import run_in_threads

# Squared hinge loss: its weight decay, and the functional margin that is enough.
_DECAY = 1e-6
_MARGIN = 0.5
# A decrease of the loss that counts as standstill.
_STANDSTILL = 1e-4
# An output is given up if in so many steps its loss fell by less than that share, and
# all that separates is that many times as far as the search has come.
_HOPELESS = ((10, 0.01, 1.0), (20, 0.05, 0.5))
# Losses of this many values of features are summed together, which a cache holds, and
# sums of some blocks in turn, whatever the threads: how they are rounded depends on it.
_SUMMED_TOGETHER = 1 << 18
_BLOCKS_TOGETHER = 4
# So many features and so many are multiplied together.
_FEATURES_TOGETHER = 512
# What is added to the variances, which are one: more than that is nearly no change of
# coordinates, less of it finds separators sooner, and of smaller margins.
_RIDGE = 1.0
# More of it finds separators that predict better, in two to five times the steps. That
# does not pay where labels mean nothing: it is tried if the loss came down to such a
# share in the first quarter of the search.
_LARGE_RIDGE, _MOST_TIMES, _EASY = 100.0, 5, 0.15
# Keeps zero from being divided by.
SMALL = 1e-300


def signs_of(labels, n_outputs: int) -> np.ndarray:
    """Return on which side of each output the samples are to be.

    There is one output for each class, or one in all for two.
    """
    positive = np.arange(n_outputs) if n_outputs > 1 else np.ones(1, dtype=np.intp)
    return np.where(labels[:, np.newaxis] == positive, 1.0, -1.0)


def _covariance(values, n_threads: int = 1):
    """Return the covariance of standardized features, in its lower triangle.

    None where there are fewer samples than features, or features that are not finite.
    """
    n_samples, n_features = values.shape
    if n_features > n_samples:
        return None
    covariance = np.zeros((n_features, n_features))
    groups = blocks_of_rows(n_features, 1, _FEATURES_TOGETHER)

    def multiply(pair):
        rows, columns = pair
        np.matmul(values[:, rows].T, values[:, columns], out=covariance[rows, columns])

    pairs = [(rows, columns) for rows in groups for columns in groups]
    lower = [(rows, columns) for rows, columns in pairs if rows.start >= columns.start]
    run_in_threads(multiply, lower, n_threads)
    covariance /= n_samples
    return covariance if np.isfinite(covariance).all() else None


class _Whitening:
    """Coordinates u of coefficients v = L^-T u, in which u^T u is the variance of f.

    L L^T is the covariance of the features, whose variances are one, with a ridge on
    its diagonal. Without a covariance u = v.
    """

    def __init__(self, covariance, ridge):
        self._root = None
        if covariance is not None:
            ridged = covariance.copy()
            ridged[np.diag_indices(len(ridged))] += ridge
            self._root = linalg.cholesky(ridged, lower=True, overwrite_a=True)

    def coefficients(self, coordinates):
        """Return L^-T u."""
        return self._solved(coordinates, transposed=1)

    def gradient(self, slopes):
        """Return L^-1 g, the gradient by u where g is that by v."""
        return self._solved(slopes, transposed=0)

    def _solved(self, right, transposed):
        if self._root is None:
            return right
        return linalg.solve_triangular(
            self._root, right, lower=True, trans=transposed, check_finite=False
        )


class _Hinges(NamedTuple):
    """The least s f of each output; the sums of max(0, 1 - s f)^2, and gradients."""

    least: np.ndarray  # (n_outputs,), and so are the losses
    losses: np.ndarray
    by_coefficients: np.ndarray  # (n_features, n_outputs)
    by_intercepts: np.ndarray

    @classmethod
    def of(cls, values, signs, coefficients, intercepts) -> _Hinges:
        """Return those of some samples."""
        margins = values @ coefficients
        margins += intercepts
        margins *= signs
        short = np.maximum(1.0 - margins, 0.0)
        slope = -2.0 * short * signs
        losses = (short * short).sum(axis=0)
        return cls(margins.min(axis=0), losses, values.T @ slope, slope.sum(axis=0))

    @classmethod
    def total(cls, parts) -> _Hinges:
        """Return those of all samples, added in their order and in double precision."""
        first, *others = parts
        least = first.least.astype(np.float64)
        sums = [np.array(term, dtype=np.float64) for term in first[1:]]
        for part in others:
            np.minimum(least, part.least, out=least)
            for sum_, term in zip(sums, part[1:], strict=True):
                sum_ += term
        return cls(least, *sums)


class _Ended(Exception):
    """Ends the search: everything is on its side, or never will be."""


class Search(NamedTuple):
    """Linear functions, whether they separate, and how many losses that took."""

    coefficients: np.ndarray  # (n_hyperplanes, n_outputs)
    intercepts: np.ndarray  # (n_outputs,)
    separates: bool
    n_iter: int


class _Descent:
    """The loss of linear functions, and what was met on the way down.

    Threads share the samples, in blocks that do not depend on them.
    """

    def __init__(self, values, signs, whitening, gives_up, n_threads):
        self._values, self._signs, self._whitening = values, signs, whitening
        self._gives_up, self._n_threads = gives_up, n_threads
        blocks = blocks_of_rows(*values.shape, _SUMMED_TOGETHER)
        self._groups = [
            blocks[start : start + _BLOCKS_TOGETHER]
            for start in range(0, len(blocks), _BLOCKS_TOGETHER)
        ]
        self._n_iter, self._lowest = 0, list[np.ndarray]()
        self._best, self._separator = 0.0, None

    def search(self, max_iter: int) -> Search:
        """Minimize the loss until everything is on its side."""
        options = {"ftol": _STANDSTILL, "gtol": 0.0, "maxcor": 20}
        options |= {"maxiter": max_iter, "maxfun": 2 * max_iter}
        start = np.zeros((self._values.shape[1] + 1) * self._signs.shape[1])
        try:
            solution = optimize.minimize(
                self._loss, start, jac=True, method="L-BFGS-B", options=options
            ).x
        except _Ended as end:
            (solution,) = end.args
        separates = self._separator is not None
        functions = self._functions(self._separator if separates else solution)
        return Search(*functions, separates=separates, n_iter=self._n_iter)

    def early_loss(self) -> float:
        """Return the loss after a quarter of the steps, as a share of that at zero."""
        losses = self._lowest[min(self._n_iter // 4, len(self._lowest) - 1)]
        return float(losses.sum()) / self._signs.size

    def _functions(self, solution) -> tuple[np.ndarray, np.ndarray]:
        matrix = solution.reshape(-1, self._signs.shape[1])
        return self._whitening.coefficients(matrix[1:]), matrix[0]

    def _loss(self, solution):
        self._n_iter += 1
        coefficients, intercepts = self._functions(solution)
        found = coefficients.astype(self._values.dtype, copy=False), intercepts
        parts = run_in_threads(
            lambda group: _Hinges.total(
                _Hinges.of(self._values[block], self._signs[block], *found)
                for block in group
            ),
            self._groups,
            self._n_threads,
        )
        hinges = _Hinges.total(parts)
        slopes = hinges.by_coefficients + 2 * _DECAY * coefficients
        slope = hinges.by_intercepts + 2 * _DECAY * intercepts
        gradient = np.vstack([slope, self._whitening.gradient(slopes)])
        self._end_with_a_separator(solution, hinges.least)
        self._end_without_hope(solution, hinges, gradient)
        decay = np.sum(coefficients**2) + np.sum(intercepts**2)
        return hinges.losses.sum() + _DECAY * decay, gradient.ravel()

    def _end_with_a_separator(self, solution, least):
        if least.min() > self._best:
            self._best, self._separator = least.min(), solution.copy()
            if self._best >= _MARGIN:
                raise _Ended(self._separator)

    def _end_without_hope(self, solution, hinges, gradient):
        """End where an output is stuck, and far from all that separates.

        The loss L is convex, and 0 at (multiples of) a separator u*. Therefore
        0 >= L(u) + g . (u* - u), and u* is no nearer to u than L(u) / |g|.
        """
        least, losses = hinges.least, hinges.losses
        lowest = np.minimum(losses, self._lowest[-1]) if self._lowest else losses
        self._lowest.append(lowest)
        if not self._gives_up:
            return
        come = np.linalg.norm(solution.reshape(gradient.shape), axis=0)
        reached = come * np.linalg.norm(gradient, axis=0)
        for n_steps, share, times in _HOPELESS:
            if len(self._lowest) > n_steps:
                stuck = lowest > (1 - share) * self._lowest[-1 - n_steps]
                if (stuck & (losses > times * reached) & (least <= 0)).any():
                    raise _Ended(solution.copy())


def squared_hinge(
    features, signs, max_iter, n_threads: int = 1, *, gives_up=False, again=False
) -> Search:
    """Minimize sum max(0, 1 - s f)^2 until everything is on its side.

    Returns linear functions that separate, if any were met, else the last ones. Where
    it `gives_up`, the search ends as soon as an output seems out of reach. A separator
    is looked for `again` in coordinates in which it predicts better, and in single
    precision, for there is one already.
    """
    values = features.values
    covariance = _covariance(values, n_threads)

    def descent(ridge, gives_up, dtype):
        whitening = _Whitening(covariance, ridge)
        rounded = values.astype(dtype, copy=False), signs.astype(dtype, copy=False)
        return _Descent(*rounded, whitening, gives_up, n_threads)

    first = descent(_RIDGE, gives_up, np.float64)
    found = first.search(max_iter)
    n_left = min(max_iter - found.n_iter, _MOST_TIMES * found.n_iter)
    if not (again and found.separates and n_left > 0) or first.early_loss() > _EASY:
        return found
    other = descent(_LARGE_RIDGE, True, np.float32).search(n_left)
    outputs = values @ other.coefficients + other.intercepts
    better = other if (signs * outputs > 0).all() else found
    return better._replace(n_iter=found.n_iter + other.n_iter)


def interpolant(features, signs):
    """Solve Phi v + c = s."""
    design = np.column_stack([features.values, np.ones(features.n_samples)])
    solution = linalg.lstsq(design, signs, cond=DOUBLE, lapack_driver="gelsy")[0]
    return solution[:-1], solution[-1]
