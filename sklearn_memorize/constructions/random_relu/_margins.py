"""The hyperplane of the largest margin, approached by Newton's method.

Support vector machines with a squared hinge loss are least squares of the samples that
are short of the margin (O. Chapelle, "Training a support vector machine in the primal",
Neural Computation 19, 2007). These are few and change little from step to step, so that
most of their products are known.
"""

from __future__ import annotations

import numpy as np
from scipy import linalg, optimize

from ...kernels._threads import run_in_threads
from ._separators import SMALL

# The weight decays, by sample, by which the widest margin is approached, the steps of
# Newton's method for each, and the relative gain in margin that counts.
_DECAYS = 10.0 ** -np.arange(3, 14)
_MOST_STEPS = 50
_GAIN = 1e-4
# The way begins before the multiple of a separator of which margins have this mean.
_FAR = 4.0


def largest_margin(features, signs, separators, n_threads: int = 1):
    """Return functions of the largest margin, or those that separate if not found.

    Threads share the outputs. Of several classes the one of the largest output is
    predicted, and outputs are comparable where the functions are of about unit length:
    they are multiplied by powers of two, which is exact.
    """
    values = features.values
    problems = zip(signs.T, separators[0].T, separators[1], strict=True)
    found = run_in_threads(
        lambda problem: _widened(values, *problem), problems, n_threads
    )
    coefficients, intercepts = map(np.array, zip(*found, strict=True))
    _, exponents = np.frexp(np.linalg.norm(coefficients, axis=1))
    return np.ldexp(coefficients, -exponents[:, np.newaxis]).T, np.ldexp(
        intercepts, -exponents
    )


def _widened(values, signs, coefficients, intercept):
    """Minimize decay |v|^2 + sum max(0, 1 - s f)^2 for ever smaller decays.

    The limit is the hyperplane of the largest margin. The best one on the way counts,
    in the middle between the two sides. The way begins at a multiple of the separator
    of small loss, where few samples are short of 1.
    """
    positive, negative = signs > 0, signs < 0
    margins = signs * (values @ coefficients + intercept)
    widest, middle = _margin(margins, positive, negative, coefficients)
    best = coefficients, intercept - middle
    decays, margin = len(signs) * _DECAYS, 0.0
    far = _FAR / margins.mean()
    zero = np.zeros_like(coefficients), np.zeros_like(margins)
    share = _line_search(decays[0], zero[0], far * coefficients, zero[1], far * margins)
    margins *= share * far
    found = share * far * coefficients, share * far * intercept
    systems = _Systems(values)
    for decay in decays:
        try:
            found = _minimum(values, signs, systems, decay, *found, margins)
        except linalg.LinAlgError:
            break  # a decay that is lost among rounding errors
        before = margin
        margin, middle = _margin(margins, positive, negative, found[0])
        if margin > widest:
            best, widest = (found[0], found[1] - middle), margin
        if 0 < margin <= before * (1 + _GAIN):
            break  # as near to the limit as numbers allow
    return best


def _minimum(values, signs, systems, decay, coefficients, intercept, margins):
    """Minimize by Newton's method, which ends when the samples short of 1 are known.

    The margins s f are overwritten by those of the minimum.
    """
    before = None
    for _ in range(_MOST_STEPS):
        short = np.flatnonzero(margins < 1)
        if np.array_equal(short, before) or len(short) == 0:
            break
        before = short
        target = systems.least_squares(short, signs[short], decay)
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


class _Systems:
    """Least squares of some rows of Phi; of the products of the last ones most remain.

    Products of rows or of columns are used, whichever are fewer. All rows are moved by
    the mean of those that come first, lest digits cancel when means are subtracted.
    """

    def __init__(self, values):
        self._values, self._center = values, None
        self._rows = np.empty(0, dtype=np.intp)
        self._of_rows, self._of_columns = np.empty((0, 0)), None

    def least_squares(self, rows, signs, decay):
        """Minimize decay |v|^2 + |Phi v + c - s|^2."""
        if self._center is None:
            self._center = self._values[rows].mean(axis=0)
        few = len(rows) <= self._values.shape[1]
        of = self._products_of_rows if few else self._products_of_columns
        chosen, middle = of(rows), signs.mean()
        right = signs[np.searchsorted(rows, self._rows)] - middle
        if few:
            # (H Phi Phi^T H + decay) a = H s, v = Phi^T a, where H subtracts means.
            # The entries of a sum to zero, up to errors that 1 / decay enlarges.
            means = self._of_rows.mean(axis=0)
            gram = self._of_rows - means
            gram -= means[:, np.newaxis]
            gram += means.mean()
            weights = _solved(gram, decay, right)
            coefficients = (weights - weights.mean()) @ chosen
        else:
            # (Phi^T H Phi + decay) v = Phi^T H s
            means = chosen.mean(axis=0)
            gram = self._of_columns - len(rows) * np.outer(means, means)
            coefficients = _solved(gram, decay, right @ chosen)
        mean = self._center + chosen.mean(axis=0)
        return coefficients, middle - mean @ coefficients

    def _chosen(self, rows):
        chosen = self._values[rows]
        chosen -= self._center
        return chosen

    def _products_of_rows(self, rows):
        """Form Phi Phi^T, with the rows that were there before the new ones."""
        if self._of_columns is not None:
            self._rows, self._of_columns = self._rows[:0], None
        kept = np.isin(self._rows, rows, assume_unique=True)
        new = np.setdiff1d(rows, self._rows, assume_unique=True)
        n_kept, n_rows = int(kept.sum()), len(rows)
        products = np.empty((n_rows, n_rows))
        products[:n_kept, :n_kept] = self._of_rows[np.ix_(kept, kept)]
        self._rows, self._of_rows = np.concatenate([self._rows[kept], new]), products
        chosen = self._chosen(self._rows)
        products[:, n_kept:] = chosen @ chosen[n_kept:].T
        products[n_kept:, :n_kept] = products[:n_kept, n_kept:].T
        return chosen

    def _products_of_columns(self, rows):
        """Form Phi^T Phi: all of it, unless less than half of the rows are others."""
        chosen = self._chosen(rows)
        new = np.setdiff1d(rows, self._rows, assume_unique=True)
        gone = np.setdiff1d(self._rows, rows, assume_unique=True)
        if self._of_columns is None or 2 * (len(new) + len(gone)) > len(rows):
            self._of_columns = chosen.T @ chosen
        else:
            for sign, others in ((1, self._chosen(new)), (-1, self._chosen(gone))):
                self._of_columns += sign * (others.T @ others)
        self._rows, self._of_rows = rows, np.empty((0, 0))
        return chosen


def _solved(gram, decay, right):
    """Return (gram + decay)^-1 right; the gram matrix is overwritten."""
    gram[np.diag_indices(len(gram))] += decay
    # By its transpose, which is the same, LAPACK needs no copy.
    root = linalg.cho_factor(gram.T, overwrite_a=True, check_finite=False)
    return linalg.cho_solve(root, right, check_finite=False)


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
