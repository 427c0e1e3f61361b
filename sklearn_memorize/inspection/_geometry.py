"""Radius, separation and Gaussian width of a set of points."""

from functools import partial
from numbers import Integral
from typing import NamedTuple

import numpy as np
from sklearn.utils import check_array, check_random_state, check_X_y
from sklearn.utils.multiclass import check_classification_targets

from .._estimator._messages import check_progress
from .._estimator._sklearn import Interval, validate_params
from ..exact._closest_pairs import closest_pair

# Random directions are drawn in blocks of about this many values.
_BLOCK_VALUES = 1 << 22
# Larger coordinates are refused.
_LARGEST = 2.0**1000


class Separation(NamedTuple):
    """The smallest distance between different labels, and who attains it.

    Parameters
    ----------
    distance : float
        The distance; infinite if there is one label only, and 0 if identical samples
        carry different labels.
    pair : tuple of two ints, or None
        Indices of the two samples; None if there is one label only.
    """

    distance: float
    pair: tuple[int, int] | None


class GaussianWidth(NamedTuple):
    """A Monte Carlo estimate of a Gaussian width.

    Parameters
    ----------
    width : float
        The estimate.
    standard_error : float
        Its standard error; NaN for a single draw.
    """

    width: float
    standard_error: float


def check_points(X) -> np.ndarray:
    """Return the samples as a dense array of doubles, or raise a ValueError."""
    X = check_array(X, accept_sparse="csr", dtype=np.float64)
    X = X if isinstance(X, np.ndarray) else X.toarray()
    largest = np.abs(X).max(initial=0.0)
    if largest > _LARGEST:
        raise ValueError(
            f"Samples as large as {largest:.3g} leave no room in double precision for "
            "distances between them. Scale the features down."
        )
    return X


def check_labelled(X, y) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the samples, the distinct labels, and the number of each one's label."""
    X, y = check_X_y(X, y, accept_sparse="csr", dtype=None, ensure_min_samples=1)
    check_classification_targets(y)
    names, labels = np.unique(y, return_inverse=True)
    return check_points(X), names, labels


@validate_params(
    {"X": ["array-like", "sparse matrix"], "center": ["boolean"]},
    prefer_skip_nested_validation=True,
)
def radius(X, *, center=True):
    """Return the radius of the data: the largest distance from their center.

    Parameters
    ----------
    X : array-like or sparse matrix of shape (n_samples, n_features)
        The samples.
    center : bool, default=True
        Whether the center is the mean of the samples, or the origin.

    Returns
    -------
    radius : float
        R = max ||x - center||_2, in the units of `X`.

    Raises
    ------
    ValueError
        If `X` is empty or has values that are not finite.

    Examples
    --------
    >>> from sklearn_memorize.inspection import radius
    >>> radius([[0.0, 0.0], [6.0, 8.0]])
    5.0
    >>> radius([[0.0, 0.0], [6.0, 8.0]], center=False)
    10.0
    """
    X = check_points(X)
    # In units of the largest entry, so that squares neither overflow nor vanish.
    exponent = int(np.frexp(np.abs(X).max(initial=0.0))[1])
    scaled = np.ldexp(X, -exponent)
    if center:
        scaled -= scaled.mean(axis=0)
    return float(np.ldexp(np.linalg.norm(scaled, axis=1).max(), exponent))


@validate_params(
    {
        "X": ["array-like", "sparse matrix"],
        "y": ["array-like"],
        "n_jobs": [Integral, None],
        "progress": ["boolean"],
    },
    prefer_skip_nested_validation=True,
)
def separation(X, y, *, n_jobs=None, progress=False):
    """Find the smallest distance between samples of different label.

    The nearest neighbours come from :class:`sklearn.neighbors.NearestNeighbors`. Pairs
    that are nearest up to rounding are compared again, from their differences and with
    twice the digits of a double, so that the pair is the closest one, and not one of
    those that rounding cannot tell from it.

    Parameters
    ----------
    X : array-like or sparse matrix of shape (n_samples, n_features)
        The samples.
    y : array-like of shape (n_samples,)
        Their labels.
    n_jobs : int, default=None
        Number of jobs of the neighbour search.
    progress : bool, default=False
        Whether to show a progress bar (needs the extra `progress`).

    Returns
    -------
    separation : Separation
        Named tuple of the `distance`, in the units of `X`, and the `pair` of samples
        that attains it: of several pairs the first.

    Raises
    ------
    ValueError
        If the input is not valid, for instance not finite.
    ImportError
        If `progress=True` and rich is not installed.

    Examples
    --------
    >>> from sklearn_memorize.inspection import separation
    >>> separation([[0.0], [1.0], [3.0], [3.5]], ["a", "a", "b", "b"])
    Separation(distance=2.0, pair=(1, 2))
    """
    X, _, labels = check_labelled(X, y)
    check_progress(progress)
    track = iter
    if progress:
        from rich.progress import track as bar

        track = partial(bar, description="Comparing labels")
    return Separation(*closest_pair(X, labels, n_jobs=n_jobs, track=track))


@validate_params(
    {
        "A": ["array-like", "sparse matrix"],
        "n_samples": [Interval(Integral, 1, None, closed="left")],
        "random_state": ["random_state"],
    },
    prefer_skip_nested_validation=True,
)
def gaussian_width(A, n_samples=1000, random_state=None):
    """Estimate the Gaussian width of a finite set of points.

    The width is the mean of max over x in A of <g, x>, where g has independent standard
    normal entries. It is 0 for a single point, at most diameter * sqrt(2 log n), and
    does not change if A is moved. It says how much of a set random hyperplanes see.

    Parameters
    ----------
    A : array-like or sparse matrix of shape (n_points, n_features)
        The points.
    n_samples : int, default=1000
        Number of Gaussian vectors that are drawn.
    random_state : int, RandomState instance or None, default=None
        Determines the draws.

    Returns
    -------
    width : GaussianWidth
        Named tuple of the estimated `width`, in the units of `A`, and its
        `standard_error`.

    Raises
    ------
    ValueError
        If `A` is empty or has values that are not finite.

    Examples
    --------
    >>> from sklearn_memorize.inspection import gaussian_width
    >>> width, error = gaussian_width([[-1.0, 0.0], [1.0, 0.0]], random_state=0)
    >>> abs(width - (2 / 3.141592) ** 0.5) < 3 * error
    True
    """
    points = check_points(A)
    exponent = int(np.frexp(np.abs(points).max(initial=0.0))[1])
    points = np.ldexp(points, -exponent)
    # E <g, x> = 0: moving the points changes no mean, and lowers the variance here.
    # Around the first one, equal points are zeros without a rounding error.
    points = points - points[0]
    points -= points.mean(axis=0)
    rng = check_random_state(random_state)
    largest = np.empty(n_samples)
    step = max(1, _BLOCK_VALUES // max(points.shape))
    for start in range(0, n_samples, step):
        block = slice(start, min(start + step, n_samples))
        directions = rng.standard_normal((block.stop - start, points.shape[1]))
        # The mean over the points is 0 in each direction, so the maximum is not less.
        largest[block] = (directions @ points.T).max(axis=1).clip(min=0.0)
    if n_samples == 1:
        return GaussianWidth(float(np.ldexp(largest[0], exponent)), np.nan)
    error = np.ldexp(largest.std(ddof=1) / np.sqrt(n_samples), exponent)
    return GaussianWidth(float(np.ldexp(largest.mean(), exponent)), float(error))
