"""Where the data lie, and random hyperplanes that cut through them."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

import numpy as np
from scipy import sparse

from ... import kernels
from ...kernels._memory import check_room
from ...kernels._threads import run_in_threads
from ._hyperplane_layer import HyperplaneLayer
from ._rows import rows_of

__all__ = [
    "Ball",
    "HyperplaneStream",
    "ball_around",
    "enclosing_ball",
    "enlarged_ball",
    "measured",
    "most_balanced_first",
]

_BLOCK_VALUES = 1 << 21
_CENTER_BITS = 26
_LARGEST = 2.0**1000
_EXPONENT_RANGE = (-900, 1000)
BALANCE_SAMPLES = 256
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
    over_blocks = _over_blocks(X, rows, n_threads)
    return ball_around(over_blocks, len(rows), X.shape[1], center)


def ball_around(
    over_blocks: Callable, n_rows: int, n_features: int, center: bool
) -> Ball:
    """Do what `enclosing_ball` does, with rows wherever they are.

    Parameters
    ----------
    over_blocks : callable
        `over_blocks(measure)` returns the list of `measure(X, rows)` for blocks of
        rows that together are all.
    n_rows : int
        Number of rows.
    n_features : int
        Dimension of the space.
    center : bool
        Whether the ball is centered at the mean, or at the origin.
    """
    largest = _largest(over_blocks)
    middle = np.zeros(n_features)
    if center:
        exponent = math.frexp(largest)[1] - _CENTER_BITS
        # The mean, to 26 bits: sums of integers below 2**53 know no order.
        totals = over_blocks(partial(_sum_of_integers, exponent=exponent))
        middle = np.ldexp(np.add.reduce(totals, initial=0.0) / n_rows, exponent)
    return _ball(middle, _radius(over_blocks, middle, largest), largest, center)


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
    over_blocks = _over_blocks(X, rows, n_threads)
    largest = _largest(over_blocks)
    radius = _radius(over_blocks, ball.center, largest)
    is_centered = bool(ball.center.any())
    larger = _ball(ball.center, max(radius, ball.radius), largest, is_centered)
    exponent = max(larger.exponent, ball.exponent)
    return Ball(larger.center, larger.radius, exponent, larger.shift)


def _over_blocks(X, rows, n_threads: int) -> Callable:
    """Return the function that measures rows of an array block by block."""
    rows = np.sort(rows)
    step = max(1, min(_BLOCK_VALUES // X.shape[1], -(-len(rows) // n_threads)))
    blocks = [rows[start : start + step] for start in range(0, len(rows), step)]
    return lambda measure: run_in_threads(partial(measure, X), blocks, n_threads)


def measured(X, rows, measure) -> list:
    """Return what `measure` says of the rows of an array, block by block."""
    return _over_blocks(X, rows, 1)(measure)


def _largest(over_blocks) -> float:
    """Return the largest magnitude of an entry."""
    largest = max(over_blocks(_largest_entry))
    if largest > _LARGEST:
        raise ValueError(
            f"Samples as large as {largest:.3g} leave no room in double precision for "
            "distances between them. Scale the features down."
        )
    return largest


def _radius(over_blocks, middle, largest: float) -> float:
    largest = max(largest, float(np.abs(middle).max(initial=0.0)))
    unit = max(math.frexp(largest)[1], -1000)  # its inverse is finite
    measure = partial(_largest_norm, middle=middle, exponent=unit)
    return math.ldexp(max(over_blocks(measure)), unit)


def _ball(middle, radius: float, largest: float, centered: bool) -> Ball:
    far = np.abs(middle).max(initial=0.0) > radius > 0.0
    if far or not centered:
        reach = radius
    else:
        reach = radius + float(np.sqrt(len(middle))) * largest
    exponent = int(np.clip(math.frexp(reach)[1], *_EXPONENT_RANGE))
    return Ball(middle, radius, exponent, middle if far else None)


def _largest_entry(X, rows) -> float:
    block = rows_of(X, rows)
    entries = block.data if sparse.issparse(block) else block
    return float(max(entries.max(initial=0.0), -entries.min(initial=0.0)))


def _sum_of_integers(X, rows, exponent: int) -> np.ndarray:
    """Return the sum of the rows in units of `2**exponent`, rounded to integers."""
    block = rows_of(X, rows)
    if sparse.issparse(block):
        block = block.astype(np.float64)
        block.data = np.rint(np.ldexp(block.data, -exponent))
        return np.asarray(block.sum(axis=0)).ravel()
    return kernels.integer_sums(block, exponent)


def _largest_norm(X, rows, middle, exponent: int) -> float:
    block = rows_of(X, rows)
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
    step = -(-len(rows) // BALANCE_SAMPLES)
    signs = layer.signs(X[np.sort(rows[::step])])
    imbalance = np.abs(2 * signs.sum(axis=0) - len(signs))
    return layer.subset(np.argsort(imbalance, kind="stable"))
