"""Two classes in the plane, in the unit disc, as the papers draw them."""

from numbers import Integral, Real

import numpy as np
from sklearn.datasets import make_moons
from sklearn.utils import check_random_state

from .._estimator._sklearn import Interval, validate_params


@validate_params(
    {
        "n_samples": [Interval(Integral, 2, None, closed="left")],
        # The largest norm must not overflow.
        "noise": [Interval(Real, 0, 1e100, closed="both"), None],
        "random_state": ["random_state"],
    },
    prefer_skip_nested_validation=True,
)
def make_two_moons(n_samples=1000, *, noise=0.05, random_state=None):
    """Make two interleaving half circles, scaled to radius one.

    These are the points of :func:`sklearn.datasets.make_moons`, divided by their
    largest Euclidean norm, as in the experiments of [1]_. They are not centered.

    Parameters
    ----------
    n_samples : int, default=1000
        Number of samples, half of them in each class.
    noise : float or None, default=0.05
        Standard deviation of the Gaussian noise, before scaling.
    random_state : int, RandomState instance or None, default=None
        Seed of the noise and of the order of the samples.

    Returns
    -------
    X : ndarray of shape (n_samples, 2)
        The points; the largest norm is 1.
    y : ndarray of shape (n_samples,)
        The class, 0 or 1.

    References
    ----------
    .. [1] S. Dirksen, P. Finke, M. Genzel, "Memorization with neural nets: going
       beyond the worst case", JMLR 25(347), 2024, Section 4.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_memorize.datasets import make_two_moons
    >>> X, y = make_two_moons(100, random_state=0)
    >>> X.shape
    (100, 2)
    >>> float(np.linalg.norm(X, axis=1).max())
    1.0
    """
    X, y = make_moons(n_samples, noise=noise, random_state=random_state)
    return X / np.linalg.norm(X, axis=1).max(), y


@validate_params(
    {
        "n_samples": [Interval(Integral, 2, None, closed="left")],
        "distance": [Interval(Real, 0, 2, closed="neither")],
        "angle": [Interval(Real, None, None, closed="neither")],
        "random_state": ["random_state"],
    },
    prefer_skip_nested_validation=True,
)
def make_parallel_lines(n_samples=200, *, distance=0.5, angle=0.0, random_state=None):
    """Make two parallel line segments, one for each class, in the unit disc.

    A single hyperplane separates the classes, and the number of balls that a mutual
    covering needs grows as the distance shrinks, whatever the number of samples: the
    simplest data on which to watch the construction of [1]_ at work.

    Parameters
    ----------
    n_samples : int, default=200
        Number of samples, half of them (rounded up for class 0) on each segment.
    distance : float, default=0.5
        Distance between the two lines; the segments end on the unit circle.
    angle : float, default=0.0
        Angle between the lines and the first axis, in degrees.
    random_state : int, RandomState instance or None, default=None
        Seed of the positions along the segments and of the order of the samples.

    Returns
    -------
    X : ndarray of shape (n_samples, 2)
        The points; no norm exceeds 1 (but for rounding).
    y : ndarray of shape (n_samples,)
        The class, 0 (below) or 1 (above, for angle 0).

    References
    ----------
    .. [1] S. Dirksen, P. Finke, M. Genzel, "Memorization with neural nets: going
       beyond the worst case", JMLR 25(347), 2024.

    Examples
    --------
    >>> from sklearn_memorize.datasets import make_parallel_lines
    >>> X, y = make_parallel_lines(100, distance=0.5, random_state=0)
    >>> sorted(set(X[:, 1].tolist()))
    [-0.25, 0.25]
    """
    rng = check_random_state(random_state)
    y = rng.permutation(np.arange(n_samples) % 2)
    half_length = np.sqrt(1 - (distance / 2) ** 2)
    along = rng.uniform(-half_length, half_length, size=n_samples)
    X = np.column_stack([along, np.where(y == 1, distance / 2, -distance / 2)])
    if angle == 0:
        return X, y
    turn = np.deg2rad(angle)
    rotation = np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
    return X @ rotation, y
