"""Where the data lie, and random hyperplanes that cut through them."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import partial

import numpy as np
from scipy import sparse

from .. import kernels
from ..network import HyperplaneLayer
from ..network._memory import check_room
from ..network._parallel import run_in_threads

__all__ = [
    "Ball",
    "HyperplaneStream",
    "enclosing_ball",
    "enlarged_ball",
    "most_balanced_first",
]

_BLOCK_VALUES = 1 << 21
_CENTER_BITS = 26
_LARGEST = 2.0**1000
_EXPONENT_RANGE = (-900, 1000)
_BALANCE_SAMPLES = 512
# Hyperplanes are drawn in parts with a seed each, so that threads can share the work.
_SEEDED_TOGETHER = 128


@dataclass(frozen=True)
class Ball:
    """A ball that holds the data.

    Parameters
    ----------
    center : ndarray of shape (n_features,)
        The origin, or the mean of the samples.
    radius : float
        R, the largest distance of a sample from the center.
    exponent : int
        All samples, or their differences from `shift`, are below `2**exponent`.
    shift : ndarray of shape (n_features,) or None
        The center, if the data lie far from the origin compared to the radius.
    """

    center: np.ndarray = field(repr=False)
    radius: float
    exponent: int
    shift: np.ndarray | None = field(repr=False)


def enclosing_ball(X, rows: np.ndarray, center: bool, n_threads: int = 1) -> Ball:
    """Measure the samples; the result does not depend on their order.

    Parameters
    ----------
    X : ndarray or CSR array of shape (n_samples, n_features)
        The samples.
    rows : ndarray of shape (n_rows,)
        The rows that count.
    center : bool
        Whether the ball is centered at the mean, or at the origin.
    n_threads : int, default=1
        Number of threads that share the work.
    """
    blocks, largest = _blocks(X, rows, n_threads)
    largest_exponent = math.frexp(largest)[1]
    origin = np.zeros(X.shape[1])
    middle = _mean(X, blocks, len(rows), largest_exponent) if center else origin
    radius = _radius(X, blocks, middle, largest, n_threads)
    return _ball(middle, radius, largest, center)


def enlarged_ball(ball: Ball, X, rows: np.ndarray, n_threads: int = 1) -> Ball:
    """Return a ball around the same center that holds more samples.

    Parameters
    ----------
    ball : Ball
        The ball that holds the samples so far.
    X : ndarray or CSR array of shape (n_samples, n_features)
        The samples.
    rows : ndarray of shape (n_rows,)
        The rows that are new, at least one.
    n_threads : int, default=1
        Number of threads that share the work.
    """
    blocks, largest = _blocks(X, rows, n_threads)
    radius = _radius(X, blocks, ball.center, largest, n_threads)
    larger = _ball(ball.center, max(radius, ball.radius), largest, ball.center.any())
    exponent = max(larger.exponent, ball.exponent)
    return Ball(larger.center, larger.radius, exponent, larger.shift)


def _blocks(X, rows, n_threads: int) -> tuple[list, float]:
    """Return the rows in blocks, and the largest magnitude of their entries."""
    rows = np.sort(rows)
    step = max(1, _BLOCK_VALUES // X.shape[1])
    blocks = [rows[start : start + step] for start in range(0, len(rows), step)]
    largest = max(run_in_threads(partial(_largest_entry, X), blocks, n_threads))
    if largest > _LARGEST:
        raise ValueError(
            f"Samples as large as {largest:.3g} leave no room in double precision for "
            "distances between them. Scale the features down."
        )
    return blocks, largest


def _radius(X, blocks, middle, largest: float, n_threads: int) -> float:
    largest = max(largest, float(np.abs(middle).max(initial=0.0)))
    unit = max(math.frexp(largest)[1], -1000)  # its inverse is finite
    measure = partial(_largest_norm, X, middle, unit)
    return math.ldexp(max(run_in_threads(measure, blocks, n_threads)), unit)


def _ball(middle, radius: float, largest: float, centered: bool) -> Ball:
    far = np.abs(middle).max(initial=0.0) > radius > 0.0
    if far or not centered:
        reach = radius
    else:
        reach = radius + float(np.sqrt(len(middle))) * largest
    exponent = int(np.clip(math.frexp(reach)[1], *_EXPONENT_RANGE))
    return Ball(middle, radius, exponent, middle if far else None)


def _values(X, rows):
    """Return rows of X (a view if they follow each other)."""
    if rows[-1] - rows[0] == len(rows) - 1:
        return X[rows[0] : rows[-1] + 1]
    return X[rows]


def _largest_entry(X, rows) -> float:
    block = _values(X, rows)
    entries = block.data if sparse.issparse(block) else block
    return float(max(entries.max(initial=0.0), -entries.min(initial=0.0)))


def _mean(X, blocks, n_rows: int, exponent: int) -> np.ndarray:
    """Return the mean, to 26 bits: sums of integers below 2**53 know no order."""
    total = np.zeros(X.shape[1])
    for rows in blocks:
        block = _values(X, rows).astype(np.float64)
        if sparse.issparse(block):
            block.data = np.rint(np.ldexp(block.data, _CENTER_BITS - exponent))
            total += np.asarray(block.sum(axis=0)).ravel()
        else:
            total += np.rint(np.ldexp(block, _CENTER_BITS - exponent)).sum(axis=0)
    return np.ldexp(total / n_rows, exponent - _CENTER_BITS)


def _largest_norm(X, middle, exponent: int, rows) -> float:
    block = _values(X, rows)
    if sparse.issparse(block):
        block = block.toarray()
    return float(kernels.row_norms(block, middle, exponent).max())


class HyperplaneStream:
    """An endless sequence of random hyperplanes; asking for more keeps the first ones.

    Parameters
    ----------
    seed : int
        Determines the sequence.
    ball : Ball
        The data: biases are uniform on `[-max_bias * R, max_bias * R]`, relative to
        the center of the ball.
    max_bias : float
        Lambda, in units of the radius.
    n_drawn : int, default=0
        Number of hyperplanes of the sequence to pass over.
    """

    def __init__(self, seed: int, ball: Ball, max_bias: float, n_drawn: int = 0):
        self._seed = seed
        self._ball = ball
        if max_bias > _LARGEST / max(ball.radius, 1.0):
            raise ValueError(
                f"max_bias={max_bias:g} times the radius {ball.radius:.3g} overflows "
                "double precision. Lower max_bias, or scale the features down."
            )
        self._reach = max_bias * math.ldexp(ball.radius, -ball.exponent)
        self._n_drawn = n_drawn

    def draw(self, n_hyperplanes: int, n_threads: int = 1) -> HyperplaneLayer:
        """Return the next hyperplanes of the sequence.

        Parameters
        ----------
        n_hyperplanes : int
            How many.
        n_threads : int, default=1
            Number of threads that share the work.
        """
        start, stop = self._n_drawn, self._n_drawn + n_hyperplanes
        self._n_drawn = stop
        numbers = range(start // _SEEDED_TOGETHER, -(-stop // _SEEDED_TOGETHER))
        n_features = len(self._ball.center)
        check_room(  # the parts, and the array they are put into
            2 * len(numbers) * _SEEDED_TOGETHER * n_features * 4,
            f"{n_hyperplanes:,} hyperplanes in {n_features:,} dimensions",
        )
        parts = run_in_threads(self._part, numbers, n_threads)
        wanted = slice(start % _SEEDED_TOGETHER, None)
        directions = np.concatenate([part[0] for part in parts])[wanted]
        biases = np.concatenate([part[1] for part in parts])[wanted]
        return HyperplaneLayer(
            directions[:n_hyperplanes],
            biases[:n_hyperplanes],
            self._ball.exponent,
            self._ball.shift,
        )

    def _part(self, number: int) -> tuple[np.ndarray, np.ndarray]:
        """Draw the hyperplanes that share a seed."""
        generator = np.random.default_rng((self._seed, number))
        n_features = len(self._ball.center)
        biases = generator.uniform(-self._reach, self._reach, _SEEDED_TOGETHER)
        directions = generator.standard_normal(
            (_SEEDED_TOGETHER, n_features), dtype=np.float32
        )
        # <w, x - c> + b = <w, x> + (b - <w, c>)
        center = np.ldexp(self._ball.center, -self._ball.exponent)
        if center.any():
            biases -= kernels.ordered_product(directions, center[np.newaxis])[:, 0]
        return directions, biases


def most_balanced_first(layer: HyperplaneLayer, X, rows) -> HyperplaneLayer:
    """Sort hyperplanes by how evenly they divide the samples.

    A hyperplane with a share p of the samples on its bright side adds to <u, Phi(x)>
    in a share of about p (1 - p) of all cases. Where the large shares come first, the
    kernels can stop counting early.

    Parameters
    ----------
    layer : HyperplaneLayer
        The hyperplanes.
    X : ndarray or CSR array of shape (n_samples, n_features)
        The samples.
    rows : ndarray of shape (n_rows,)
        The rows that count, in an order that depends on their content alone; the
        shares are estimated from some of them.
    """
    step = -(-len(rows) // _BALANCE_SAMPLES)
    signs = layer.signs(X[np.sort(rows[::step])])
    imbalance = np.abs(2 * signs.sum(axis=0) - len(signs))
    return layer.subset(np.argsort(imbalance, kind="stable"))
