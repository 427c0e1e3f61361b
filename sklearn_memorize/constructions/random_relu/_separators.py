"""Linear functions of features that separate: the first one found, the widest.

Both minimize a squared hinge loss, which is convex and piecewise quadratic. Where the
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
# An output is given up if its loss fell by less than this share in so many steps, and
# all that separates is that many times as far as the search has come.
_STUCK, _HOPELESS = 0.01, ((10, 1.0), (20, 0.5))
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
# The weight decays, by sample, by which the widest margin is approached, the steps of
# Newton's method for each, and the relative gain in margin that counts.
_DECAYS = 10.0 ** -np.arange(3, 14)
_MOST_STEPS = 50
_GAIN = 1e-4
# Keeps zero from being divided by.
SMALL = 1e-300


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
    """The least s f of each output, and max(0, 1 - s f)^2: sums, and their gradients."""

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
        for n_steps, times in _HOPELESS:
            if len(self._lowest) > n_steps:
                stuck = lowest > (1 - _STUCK) * self._lowest[-1 - n_steps]
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


def largest_margin(features, signs, separators, n_threads: int = 1):
    """Return functions of the largest margin, or those that separate if not found.

    Threads share the outputs. Of several classes the one of the largest output is
    predicted, and outputs are comparable where the functions are of about unit length:
    they are multiplied by powers of two, which is exact.
    """
    values = features.values
    problems = zip(signs.T, separators[0].T, separators[1], strict=True)
    all_samples = _Centered.of(values)  # with which each output begins
    found = run_in_threads(
        lambda problem: _widened(values, all_samples, *problem), problems, n_threads
    )
    coefficients, intercepts = map(np.array, zip(*found, strict=True))
    _, exponents = np.frexp(np.linalg.norm(coefficients, axis=1))
    return np.ldexp(coefficients, -exponents[:, np.newaxis]).T, np.ldexp(
        intercepts, -exponents
    )


def _widened(values, all_samples, signs, coefficients, intercept):
    """Minimize decay |v|^2 + sum max(0, 1 - s f)^2 for ever smaller decays.

    The limit is the hyperplane of the largest margin. The best one on the way counts,
    in the middle between the two sides.
    """
    positive, negative = signs > 0, signs < 0
    margins = signs * (values @ coefficients + intercept)
    widest, middle = _margin(margins, positive, negative, coefficients)
    best = coefficients, intercept - middle
    coefficients, intercept = np.zeros(values.shape[1]), 0.0
    margins, margin = np.zeros(len(signs)), 0.0
    systems = _Systems(values, all_samples)
    for decay in len(signs) * _DECAYS:
        coefficients, intercept = _minimum(
            values, signs, systems, decay, coefficients, intercept, margins
        )
        before = margin
        margin, middle = _margin(margins, positive, negative, coefficients)
        if margin > widest:
            best, widest = (coefficients, intercept - middle), margin
        if 0 < margin <= before * (1 + _GAIN):
            break  # as near to the limit as numbers allow
    return best


def _minimum(values, signs, systems, decay, coefficients, intercept, margins):
    """Minimize by Newton's method, which ends when the samples short of 1 are known.

    The margins s f are overwritten by those of the minimum.
    """
    before = None
    for _ in range(_MOST_STEPS):
        short = margins < 1
        if before is not None and np.array_equal(short, before):
            break
        before = short
        target = systems.of(short).least_squares(signs[short], decay)
        gains = values @ target[0]
        gains += target[1]
        gains *= signs
        gains -= margins
        step = _line_search(decay, coefficients, target[0], margins, gains)
        coefficients = coefficients + step * (target[0] - coefficients)
        intercept = intercept + step * (target[1] - intercept)
        gains *= step
        margins += gains
    return coefficients, intercept


class _Centered(NamedTuple):
    """Features Phi less their mean, and the products of whichever are fewer."""

    mean: np.ndarray  # (n_features,)
    centered: np.ndarray  # (n_samples, n_features)
    gram: np.ndarray  # of the samples, if they are fewer, else of the features

    @classmethod
    def of(cls, values) -> _Centered:
        """Center features, of shape (n_samples, n_features)."""
        mean = values.mean(axis=0)
        centered = values - mean
        fewer = len(values) < values.shape[1]
        gram = centered @ centered.T if fewer else centered.T @ centered
        return cls(mean, centered, gram)

    def least_squares(self, signs, decay):
        """Minimize decay |v|^2 + |Phi v + c - s|^2."""
        middle = signs.mean()
        right = signs - middle
        gram = self.gram.copy()
        gram[np.diag_indices(len(gram))] += decay
        if len(self.centered) < len(self.mean):
            solved = linalg.solve(gram, right, assume_a="pos")
            coefficients = self.centered.T @ solved
        else:
            coefficients = linalg.solve(gram, self.centered.T @ right, assume_a="pos")
        return coefficients, middle - self.mean @ coefficients


class _Systems:
    """The centered features of some samples; the last ones are asked for again."""

    def __init__(self, values, all_samples: _Centered):
        self._values = values
        self._chosen, self._system = np.ones(len(values), dtype=bool), all_samples

    def of(self, chosen) -> _Centered:
        """Return those of the chosen samples."""
        if not np.array_equal(chosen, self._chosen):
            self._chosen = chosen
            self._system = _Centered.of(self._values[chosen])
        return self._system


def _line_search(decay, start, end, margins, gains):
    """Return where on the way from start to end, t = 0 and 1, the loss is least.

    Its derivative increases; it is linear between places where a margin is 1. The
    margins at t are m + t g.
    """
    way = end - start
    missing = 1.0 - margins

    def slope(t, short):
        np.maximum(short, 0.0, out=short)
        return decay * (way @ (start + t * way)) - short @ gains

    if slope(1.0, missing - gains) <= 0:
        return 1.0
    if slope(0.0, missing.copy()) >= 0:  # a minimum, up to rounding
        return 0.0

    def between(t):
        return slope(t, missing - t * gains)

    return float(optimize.brentq(between, 0.0, 1.0, xtol=1e-9))


def _margin(margins, positive, negative, coefficients) -> tuple[float, float]:
    """Return half the way between the two sides, and their middle."""
    lowest = margins.min(where=positive, initial=np.inf)
    highest = -margins.min(where=negative, initial=np.inf)
    length = max(float(np.linalg.norm(coefficients)), SMALL)
    return (lowest - highest) / (2 * length), (lowest + highest) / 2
