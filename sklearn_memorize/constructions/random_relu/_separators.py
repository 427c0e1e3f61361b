"""Linear functions of features that separate: the first one found, the widest.

Both minimize a squared hinge loss, which is convex and piecewise quadratic. Where the
features are much alike, as random ones are, gradients take very many steps; in units of
the covariance of the features they take few.
"""

from __future__ import annotations

from contextlib import suppress

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
# Losses of this many values of features are summed together, whatever the threads: how
# sums are rounded depends on it.
_SUMMED_TOGETHER = 1 << 18
# What is added to the variances, which are one: more than that is nearly no change of
# coordinates, less of it finds separators sooner, and of smaller margins.
_RIDGE = 1.0
# The weight decays, by sample, by which the widest margin is approached, the steps of
# Newton's method for each, and the relative gain in margin that counts.
_DECAYS = 10.0 ** -np.arange(3, 14)
_MOST_STEPS = 50
_GAIN = 1e-4
# Keeps zero from being divided by.
SMALL = 1e-300


class _Separated(Exception):
    """Ends the search."""


class _Whitening:
    """Coordinates u of coefficients v = L^-T u, in which u^T u is the variance of f.

    L L^T is the covariance of the features, whose variances are one. Where there are
    fewer samples than features, or features that are not finite, u = v.
    """

    def __init__(self, values):
        self._root = None
        n_samples, n_features = values.shape
        if n_features <= n_samples:
            covariance = values.T @ values
            covariance /= n_samples
            covariance[np.diag_indices(n_features)] += _RIDGE
            if np.isfinite(covariance).all():
                self._root = linalg.cholesky(covariance, lower=True, overwrite_a=True)

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


def _hinges(values, signs, coefficients, intercepts):
    """Return the least s f, the sum of max(0, 1 - s f)^2, and its gradients."""
    margins = values @ coefficients
    margins += intercepts
    margins *= signs
    short = np.maximum(1.0 - margins, 0.0)
    slope = -2.0 * short * signs
    return margins.min(), np.sum(short * short), values.T @ slope, slope.sum(axis=0)


def squared_hinge(features, signs, max_iter, n_threads: int = 1):
    """Minimize sum max(0, 1 - s f)^2 until everything is on its side.

    Returns coefficients and intercepts of linear functions that separate, if any were
    met, else of the last ones; and how many times the loss was evaluated. Threads share
    the samples, in blocks that do not depend on them.
    """
    n_outputs = signs.shape[1]
    values, whitening = features.values, _Whitening(features.values)
    blocks = blocks_of_rows(len(values), features.n_hyperplanes, _SUMMED_TOGETHER)
    n_iter, best, separator = 0, 0.0, None

    def functions(solution):
        matrix = solution.reshape(-1, n_outputs)
        return whitening.coefficients(matrix[1:]), matrix[0]

    def loss(solution):
        nonlocal n_iter, best, separator
        n_iter += 1
        coefficients, intercepts = found = functions(solution)
        parts = run_in_threads(
            lambda block: _hinges(values[block], signs[block], *found),
            blocks,
            n_threads,
        )
        least, losses, by_coefficients, by_intercepts = zip(*parts, strict=True)
        if min(least) > best:
            best, separator = min(least), solution.copy()
            if best >= _MARGIN:
                raise _Separated
        slopes = sum(by_coefficients) + 2 * _DECAY * coefficients
        gradient = np.vstack(
            [sum(by_intercepts) + 2 * _DECAY * intercepts, whitening.gradient(slopes)]
        )
        decay = np.sum(coefficients**2) + np.sum(intercepts**2)
        return sum(losses) + _DECAY * decay, gradient.ravel()

    options = {"maxiter": max_iter, "maxfun": 2 * max_iter, "maxcor": 20}
    options |= {"ftol": _STANDSTILL, "gtol": 0.0}
    solution = np.zeros((features.n_hyperplanes + 1) * n_outputs)
    with suppress(_Separated):
        solution = optimize.minimize(
            loss, solution, jac=True, method="L-BFGS-B", options=options
        ).x
    if separator is not None:
        solution = separator
    return *functions(solution), n_iter


def interpolant(features, signs):
    """Solve Phi v + c = s."""
    design = np.column_stack([features.values, np.ones(features.n_samples)])
    solution = linalg.lstsq(design, signs, cond=DOUBLE, lapack_driver="gelsy")[0]
    return solution[:-1], solution[-1]


def largest_margin(features, signs, separators, n_threads: int = 1):
    """Return functions of the largest margin, or those that separate if not found.

    Threads share the outputs.
    """
    problems = zip(signs.T, separators[0].T, separators[1], strict=True)
    found = run_in_threads(
        lambda problem: _widened(features.values, *problem), problems, n_threads
    )
    coefficients, intercepts = zip(*found, strict=True)
    return np.column_stack(coefficients), np.array(intercepts)


def _widened(values, signs, coefficients, intercept):
    """Minimize decay |v|^2 + sum max(0, 1 - s f)^2 for ever smaller decays.

    The limit is the hyperplane of the largest margin. The best one on the way counts,
    in the middle between the two sides.
    """
    outputs = values @ coefficients + intercept
    widest, middle = _margin(outputs, signs, coefficients)
    best = coefficients, intercept - middle
    coefficients, intercept = np.zeros(values.shape[1]), 0.0
    outputs, margin = np.zeros(len(signs)), 0.0
    for decay in len(signs) * _DECAYS:
        coefficients, intercept, outputs = _minimum(
            values, signs, decay, coefficients, intercept, outputs
        )
        before, (margin, middle) = margin, _margin(outputs, signs, coefficients)
        if margin > widest:
            best, widest = (coefficients, intercept - middle), margin
        if 0 < margin <= before * (1 + _GAIN):
            break  # as near to the limit as numbers allow
    return best


def _minimum(values, signs, decay, coefficients, intercept, outputs):
    """Minimize by Newton's method, which ends when the samples short of 1 are known."""
    before = None
    for _ in range(_MOST_STEPS):
        short = signs * outputs < 1
        if before is not None and np.array_equal(short, before):
            break
        before = short
        target = _least_squares(values[short], signs[short], decay)
        target_outputs = values @ target[0] + target[1]
        step = _line_search(
            decay, coefficients, target[0], signs * outputs, signs * target_outputs
        )
        coefficients = coefficients + step * (target[0] - coefficients)
        intercept = intercept + step * (target[1] - intercept)
        outputs = outputs + step * (target_outputs - outputs)
    return coefficients, intercept, outputs


def _least_squares(values, signs, decay):
    """Minimize decay |v|^2 + |Phi v + c - s|^2."""
    mean, middle = values.mean(axis=0), signs.mean()
    centered, right = values - mean, signs - middle
    n_samples, n_features = values.shape
    if n_samples < n_features:
        gram = centered @ centered.T
        gram[np.diag_indices(n_samples)] += decay
        coefficients = centered.T @ linalg.solve(gram, right, assume_a="pos")
    else:
        gram = centered.T @ centered
        gram[np.diag_indices(n_features)] += decay
        coefficients = linalg.solve(gram, centered.T @ right, assume_a="pos")
    return coefficients, middle - mean @ coefficients


def _line_search(decay, start, end, margins, margins_at_end):
    """Return where on the way from start to end, t = 0 and 1, the loss is least.

    Its derivative increases; it is linear between places where a margin is 1.
    """
    gains = margins_at_end - margins
    way = end - start

    def slope(t):
        short = np.maximum(1.0 - margins - t * gains, 0.0)
        return decay * (way @ (start + t * way)) - short @ gains

    if slope(1.0) <= 0:
        return 1.0
    if slope(0.0) >= 0:  # a minimum, up to rounding
        return 0.0
    return float(optimize.brentq(slope, 0.0, 1.0, xtol=1e-9))


def _margin(outputs, signs, coefficients) -> tuple[float, float]:
    """Return half the way between the two sides, and their middle."""
    lowest = outputs[signs > 0].min(initial=np.inf)
    highest = outputs[signs < 0].max(initial=-np.inf)
    length = max(float(np.linalg.norm(coefficients)), SMALL)
    return (lowest - highest) / (2 * length), (lowest + highest) / 2
