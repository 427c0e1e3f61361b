"""Where the data lie, at a scale at which nothing under- or overflows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import sparse

__all__ = ["Ball", "enclosing_ball"]

# Numbers that are held at a time.
_BLOCK_VALUES = 1 << 22


@dataclass(frozen=True)
class Ball:
    """A ball that holds the data; lengths are in units of 2**exponent.

    Parameters
    ----------
    exponent : int
        The unit of length is 2**exponent.
    center : ndarray of shape (n_features,)
        Center of the ball.
    radius : float
        Radius of the ball.
    """

    exponent: int
    center: np.ndarray
    radius: float

    @property
    def length(self) -> float:
        """The radius in the units of the data."""
        return float(np.ldexp(self.radius, self.exponent))


def enclosing_ball(X, center=True) -> Ball:
    """Return the smallest ball around the mean (or the origin) that holds the data.

    Parameters
    ----------
    X : ndarray or CSR array of shape (n_samples, n_features)
        The points.
    center : bool, default=True
        Whether the ball is centered at the mean of the points, else at the origin.

    Returns
    -------
    ball : Ball
        Lengths are in units of a power of two, so that no square under- or overflows.
    """
    n_samples, n_features = X.shape
    largest = float(abs(X).max())
    exponent = int(np.frexp(largest)[1])
    step = max(1, _BLOCK_VALUES // n_features)

    def scaled_blocks():
        for start in range(0, n_samples, step):
            rows = X[start : start + step]
            rows = rows.toarray() if sparse.issparse(rows) else rows
            yield np.ldexp(rows.astype(np.float64), -exponent)

    middle = np.zeros(n_features)
    if center:
        middle = sum(rows.sum(axis=0) for rows in scaled_blocks()) / n_samples
    squares = max(((rows - middle) ** 2).sum(axis=1).max() for rows in scaled_blocks())
    return Ball(exponent, middle, float(np.sqrt(squares)))
