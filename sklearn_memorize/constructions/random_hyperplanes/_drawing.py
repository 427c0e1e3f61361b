"""Where the data lie, and how hyperplanes that cut through them are drawn.

A *way of drawing* is a class with `draw(n_hyperplanes, n_threads)`, which returns the
next hyperplanes of a sequence: `HyperplaneStream` draws them at random, and
`_adapted.AdaptedStream` from the data. Which way a draw takes is chosen in
`_construction.hyperplane_stream`.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
from scipy import sparse

from ... import kernels
from ...kernels._memory import blocks_of_rows, check_room, index_type
from ...kernels._threads import run_in_threads
from ...network._storage import storable
from ._exact_hyperplanes import stacked_weights
from ._hyperplane_layer import HyperplaneLayer
from ._rows import rows_of

_BLOCK_VALUES = 1 << 21
_LEAST_WIDTH = 64
# Of more features than this, hyperplanes look at those only that are not zero in all
# samples, if that is a share of at most `_MOST_USED`.
MANY_FEATURES, _MOST_USED = 1 << 13, 0.25
_CENTER_BITS = 26
_LARGEST = 2.0**1000
_EXPONENT_RANGE = (-900, 1000)
# How evenly hyperplanes divide the samples is estimated from this many of them.
_BALANCE_SAMPLES = 256
# Hyperplanes are drawn in groups with a seed each, so that threads can share the work.
SEEDED_TOGETHER = 128


# Where the data lie.


@storable
@dataclass(frozen=True)
class Ball:
    """A ball that holds the data.

    `center` is the origin or the mean of the samples, `radius` (R) the largest distance
    of a sample from it. All samples, or their differences from `shift`, are below
    `2**exponent`; `shift` is the center if the data lie far from the origin compared to
    the radius, else None. Where there are many `features` and most of them are zero in
    all samples, the others are listed; else None.
    """

    center: np.ndarray = field(repr=False)
    radius: float
    exponent: int
    shift: np.ndarray | None = field(repr=False)
    features: np.ndarray | None = field(default=None, repr=False)

    @property
    def n_features_drawn(self) -> int:
        """Number of features that hyperplanes look at."""
        return len(self.center) if self.features is None else len(self.features)


def enclosing_ball(
    X, rows: np.ndarray, center: bool, n_threads: int = 1, only_used: bool = False
) -> Ball:
    """Measure rows of X; the result does not depend on their order.

    The ball is centered at their mean, or at the origin. With `only_used`, the features
    are found that hyperplanes need to look at, where there are many.
    """
    over_blocks = _over_blocks(X, rows, n_threads)
    return ball_around(over_blocks, len(rows), X.shape[1], center, only_used)


def given_ball(sides: dict, n_features: int) -> Ball:
    """Return a ball whose center and radius, or the bounds of whose box, are given.

    The ball around a box has its center in the middle, and holds its corners.
    """
    if sides.keys() == {"center", "radius"}:
        center = _for_each_feature(sides["center"], n_features, "center")
        radius = float(sides["radius"])
    elif sides.keys() == {"low", "high"}:
        low = _for_each_feature(sides["low"], n_features, "low")
        high = _for_each_feature(sides["high"], n_features, "high")
        center = low + (high - low) / 2
        radius = float(np.linalg.norm(high - low)) / 2
        if (low > high).any():
            raise ValueError(
                "ball: low must not be above high in any feature; it is in feature "
                f"{np.flatnonzero(low > high)[0]}."
            )
    else:
        raise ValueError(
            f"ball must be None, or have the keys 'center' and 'radius', or 'low' and "
            f"'high'; got {sorted(sides)}."
        )
    largest = float(np.abs(center).max(initial=0.0)) + radius
    if not radius > 0 or largest > _LARGEST:
        raise ValueError(
            f"ball has the radius {radius:g}; it must be positive, and it and the "
            f"center at most {_LARGEST:.3g}."
        )
    return _ball(center, radius, largest, bool(center.any()))


def _for_each_feature(value, n_features: int, name: str) -> np.ndarray:
    values = np.asarray(value, dtype=np.float64)
    if values.shape not in ((), (n_features,)) or not np.isfinite(values).all():
        raise ValueError(
            f"ball: {name} must be a finite number, or one for each of the "
            f"{n_features} features; got an array of shape {values.shape}."
        )
    return np.broadcast_to(values, n_features).copy()


def ball_around(
    over_blocks: Callable,
    n_rows: int,
    n_features: int,
    center: bool,
    only_used: bool = True,
) -> Ball:
    """Return the enclosing ball of rows that are measured by `over_blocks`.

    `over_blocks(measure)` returns the list of `measure(X, rows)` for blocks of rows,
    wherever they are, that together are all.
    """
    largest = _largest(over_blocks)
    features = _features_in_use(over_blocks, n_features) if only_used else None
    if features is not None:
        over_blocks = _of_features(over_blocks, features)
    middle = np.zeros(n_features if features is None else len(features))
    if center:
        exponent = math.frexp(largest)[1] - _CENTER_BITS
        # The mean, to 26 bits: sums of integers below 2**53 know no order.
        totals = over_blocks(partial(_sum_of_integers, exponent=exponent))
        middle = np.ldexp(np.add.reduce(totals, initial=0.0) / n_rows, exponent)
    ball = _ball(middle, _radius(over_blocks, middle, largest), largest, center)
    if features is None:
        return ball

    def spread(part: np.ndarray) -> np.ndarray:
        whole = np.zeros(n_features)
        whole[features] = part
        return whole

    shift = None if ball.shift is None else spread(ball.shift)
    return Ball(spread(middle), ball.radius, ball.exponent, shift, features)


def _features_in_use(over_blocks: Callable, n_features: int) -> np.ndarray | None:
    """Return the features that are not always zero, if there are many and few are."""
    if n_features <= MANY_FEATURES:
        return None
    used = np.unique(np.concatenate(over_blocks(_used_features)))
    if len(used) == 0:  # hyperplanes have to look at something
        used = np.zeros(1, dtype=np.intp)
    return used if len(used) <= _MOST_USED * n_features else None


def _used_features(X, rows) -> np.ndarray:
    block = rows_of(X, rows)
    if sparse.issparse(block):
        is_used = np.zeros(block.shape[1], dtype=bool)
        is_used[block.indices[block.data != 0]] = True
        return np.flatnonzero(is_used)
    return np.flatnonzero((block != 0).any(axis=0))


def _of_features(over_blocks: Callable, features: np.ndarray) -> Callable:
    """Return the function that measures these features of the rows alone."""
    return lambda measure: over_blocks(
        partial(_measure_features, measure=measure, features=features)
    )


def _measure_features(X, rows, measure: Callable, features: np.ndarray):
    block = rows_of(X, rows)[:, features]
    return measure(block, np.arange(len(rows)))


def enlarged_ball(ball: Ball, X, rows: np.ndarray, n_threads: int = 1) -> Ball:
    """Return a ball around the same center that holds more rows, at least one."""
    over_blocks = _over_blocks(X, rows, n_threads)
    largest = _largest(over_blocks)
    radius = _radius(over_blocks, ball.center, largest)
    is_centered = bool(ball.center.any())
    larger = _ball(ball.center, max(radius, ball.radius), largest, is_centered)
    exponent = max(larger.exponent, ball.exponent)
    features = ball.features
    if features is not None:
        features = np.union1d(features, np.concatenate(over_blocks(_used_features)))
        if len(features) > _MOST_USED * X.shape[1]:
            features = None
    return Ball(larger.center, larger.radius, exponent, larger.shift, features)


def measured(X, rows, measure) -> list:
    """Return what `measure` says of the rows of an array, block by block."""
    return _over_blocks(X, rows, 1)(measure)


def _over_blocks(X, rows, n_threads: int) -> Callable:
    """Return the function that measures rows of an array block by block."""
    rows = np.sort(rows)
    width = X.shape[1]
    if sparse.issparse(X):  # only `_largest_norm` needs more room than for the entries
        width = min(width, max(_LEAST_WIDTH, X.nnz // max(1, X.shape[0])))
    step = max(1, min(_BLOCK_VALUES // width, -(-len(rows) // n_threads)))
    blocks = [rows[start : start + step] for start in range(0, len(rows), step)]
    return lambda measure: run_in_threads(partial(measure, X), blocks, n_threads)


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
    largest = 0.0
    if block.shape[1] > MANY_FEATURES:
        block = sparse.csr_array(block)
        is_long = 2 * np.diff(block.indptr) > block.shape[1]
        if not is_long.all():
            norms = _norms_of_sparse_rows(block[~is_long], middle, exponent)
            largest, block = float(norms.max()), block[is_long]
    for part in blocks_of_rows(block.shape[0], block.shape[1], _BLOCK_VALUES):
        some = block[part].toarray() if sparse.issparse(block) else block[part]
        largest = max(largest, float(kernels.row_norms(some, middle, exponent).max()))
    return largest


def _norms_of_sparse_rows(block, middle, exponent: int) -> np.ndarray:
    """Return |x - c| in units, as |c|^2 + the sum of (x_j - c_j)^2 - c_j^2 has it.

    The sum is over the entries that are not zero, in order.
    """
    center = np.ldexp(middle, -exponent)
    here = center[block.indices]
    squares = (np.ldexp(block.data.astype(np.float64), -exponent) - here) ** 2
    parts = squares - here * here
    terms = sparse.csr_array((parts, block.indices, block.indptr), shape=block.shape)
    sums = terms @ np.ones(block.shape[1])
    return np.sqrt(np.maximum(sums + np.sum(center * center), 0.0))


# Ways of drawing.


class SeededStream(ABC):
    """An endless sequence of hyperplanes; asking for more keeps the first ones.

    They are drawn in groups of `SEEDED_TOGETHER`; `n_drawn` are passed over.
    """

    def __init__(self, seed: int, ball: Ball, n_drawn: int):
        self._seed = seed
        self._ball = ball
        self._n_drawn = n_drawn

    def draw(self, n_hyperplanes: int, n_threads: int = 1) -> HyperplaneLayer:
        """Return the next hyperplanes of the sequence."""
        start, stop = self._n_drawn, self._n_drawn + n_hyperplanes
        self._n_drawn = stop
        numbers = range(start // SEEDED_TOGETHER, -(-stop // SEEDED_TOGETHER))
        n_columns = self._n_columns or 0  # 0 where most weights are zero
        check_room(
            (4 * n_columns + 8) * n_hyperplanes,
            f"{n_hyperplanes:,} hyperplanes in {n_columns or 'many'} dimensions",
        )
        biases = np.empty(n_hyperplanes)
        room, parts = None, {}
        if self._n_columns is not None:
            room = np.empty((n_hyperplanes, self._n_columns), dtype=np.float32)

        def put_group(number: int) -> None:
            first = number * SEEDED_TOGETHER
            wanted = slice(max(first, start), min(first + SEEDED_TOGETHER, stop))
            part = slice(wanted.start - first, wanted.stop - first)
            place = slice(wanted.start - start, wanted.stop - start)
            of_group, biases_of_group = self._group(number)
            biases[place] = biases_of_group[part]
            if room is None:
                parts[number] = of_group[part]
            else:
                room[place] = of_group[part]

        run_in_threads(put_group, numbers, n_threads)
        if room is None:
            room = stacked_weights([parts[number] for number in numbers])
        return HyperplaneLayer(
            self._spread(room), biases, self._ball.exponent, self._ball.shift
        )

    @property
    @abstractmethod
    def _n_columns(self) -> int | None:
        """Length of the directions of a group; None if they are sparse."""

    @abstractmethod
    def _group(self, number: int) -> tuple[Any, np.ndarray]:
        """Draw the hyperplanes that share a seed: their directions and biases.

        The biases are in units of `2**exponent` of the ball.
        """

    def _spread(self, directions):
        """Return the directions of groups as vectors of all features."""
        return directions


class HyperplaneStream(SeededStream):
    """An endless sequence of random hyperplanes.

    w ~ N(0, I), b ~ Uniform[-lambda R, lambda R] relative to the center of the ball;
    lambda is `max_bias`.
    """

    def __init__(self, seed: int, ball: Ball, max_bias: float, n_drawn: int = 0):
        super().__init__(seed, ball, n_drawn)
        if max_bias > _LARGEST / max(ball.radius, 1.0):
            raise ValueError(
                f"max_bias={max_bias:g} times the radius {ball.radius:.3g} overflows "
                "double precision. Lower max_bias, or scale the features down."
            )
        self._reach = max_bias * math.ldexp(ball.radius, -ball.exponent)

    @property
    def _n_columns(self) -> int:
        return self._ball.n_features_drawn

    def _group(self, number: int) -> tuple[np.ndarray, np.ndarray]:
        """Draw the hyperplanes that share a seed."""
        generator = np.random.default_rng((self._seed, number))
        features, n_features = self._ball.features, self._ball.n_features_drawn
        biases = generator.uniform(-self._reach, self._reach, SEEDED_TOGETHER)
        directions = generator.standard_normal(
            (SEEDED_TOGETHER, n_features), dtype=np.float32
        )
        # <w, x - c> + b = <w, x> + (b - <w, c>)
        center = np.ldexp(self._ball.center, -self._ball.exponent)
        center = center if features is None else center[features]
        if center.any():
            biases -= kernels.ordered_product(directions, center[np.newaxis])[:, 0]
        return directions, biases

    def _spread(self, directions: np.ndarray):
        """Return the directions as vectors of all features, most of them zero."""
        features = self._ball.features
        if features is None:
            return directions
        n, n_used = directions.shape
        dtype = index_type(n * n_used)
        starts = np.arange(n + 1, dtype=dtype) * n_used
        indices = np.tile(features.astype(dtype), n)
        shape = n, len(self._ball.center)
        return sparse.csr_array((directions.ravel(), indices, starts), shape=shape)


# Which hyperplanes come first.


def representatives(n_samples: int) -> np.ndarray:
    """Return a few of the samples, told by their place among all."""
    return np.arange(0, n_samples, -(-n_samples // _BALANCE_SAMPLES))


def most_balanced_first(layer: HyperplaneLayer, X) -> HyperplaneLayer:
    """Sort hyperplanes by how evenly they divide the rows of X, some representatives.

    A hyperplane with a share p of the samples on its bright side adds to <u, Phi(x)>
    in a share of about p (1 - p) of all cases. Where the large shares come first, the
    kernels can stop counting early.
    """
    signs = layer.signs(X)
    imbalance = np.abs(2 * signs.sum(axis=0) - len(signs))
    return layer.subset(np.argsort(imbalance, kind="stable"))
