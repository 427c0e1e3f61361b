"""Random hyperplanes and a greedy cover: three layers that memorize.

S. Dirksen, P. Finke, M. Genzel, "Memorization with neural nets: going beyond the worst
case", JMLR 25(347), 2024 (arXiv:2310.00327), Algorithms 1 and 2.

First layer: w ~ N(0, I), b ~ Uniform[-lambda, lambda], Phi(x) = s(W x + b).
Second layer, for each class: while samples of the class are left over, draw one of
them, x*, and add the neuron z -> s(m - <u, z>) with

    u = 1[Phi(x*) = 0]                        the hyperplanes on whose dark side x* lies
    m = min over x of other classes <u, Phi(x)>

which fires at x* (<u, Phi(x*)> = 0 < m) and at no sample of another class.
"""

from __future__ import annotations

import heapq
import math
from dataclasses import dataclass, field

import numpy as np
from scipy import sparse

from .. import kernels
from ..kernels import LANES
from ..network import Covering, HyperplaneLayer
from ..network._codes import unpack_bits
from ..network._parallel import run_in_threads

__all__ = [
    "Ball",
    "ClassLayout",
    "HyperplaneStream",
    "Memorization",
    "Rules",
    "enclosing_ball",
    "memorize",
]

_BLOCK_VALUES = 1 << 21
_CENTER_BITS = 26
_MOST_CANDIDATES = 16
_EXPONENT_RANGE = (-900, 1000)


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


def enclosing_ball(X, rows: np.ndarray, center: bool) -> Ball:
    """Measure the samples; the result does not depend on their order.

    Parameters
    ----------
    X : ndarray or CSR array of shape (n_samples, n_features)
        The samples.
    rows : ndarray of shape (n_rows,)
        The rows that count.
    center : bool
        Whether the ball is centered at the mean, or at the origin.
    """
    n_features = X.shape[1]
    rows = np.sort(rows)
    step = max(1, _BLOCK_VALUES // n_features)
    blocks = [rows[start : start + step] for start in range(0, len(rows), step)]
    largest = max(_largest_entry(X, block) for block in blocks)
    largest_exponent = math.frexp(largest)[1]
    origin = np.zeros(n_features)
    middle = _mean(X, blocks, len(rows), largest_exponent) if center else origin
    radius = max(_norms(X, block, middle, largest_exponent).max() for block in blocks)
    radius = math.ldexp(float(radius), largest_exponent)
    far = np.abs(middle).max(initial=0.0) > radius > 0.0
    if far or not center:
        reach = radius
    else:
        reach = radius + float(np.sqrt(n_features)) * largest
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
    return float(np.abs(entries).max(initial=0.0))


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


def _norms(X, rows, middle, exponent: int) -> np.ndarray:
    block = _values(X, rows)
    if sparse.issparse(block):
        block = block.toarray()
    return kernels.row_norms(block, middle, exponent)


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
    """

    def __init__(self, seed: int, ball: Ball, max_bias: float):
        weights, biases = np.random.SeedSequence(seed).spawn(2)
        self._weights = np.random.Generator(np.random.PCG64(weights))
        self._biases = np.random.Generator(np.random.PCG64(biases))
        self._ball = ball
        self._reach = max_bias * math.ldexp(ball.radius, -ball.exponent)

    def draw(self, n_hyperplanes: int) -> HyperplaneLayer:
        """Return the next hyperplanes of the sequence."""
        n_features = len(self._ball.center)
        directions = self._weights.standard_normal(
            (n_hyperplanes, n_features), dtype=np.float32
        )
        biases = self._biases.uniform(-1.0, 1.0, n_hyperplanes) * self._reach
        # <w, x - c> + b = <w, x> + (b - <w, c>)
        center = np.ldexp(self._ball.center, -self._ball.exponent)
        if center.any():
            biases -= kernels.ordered_product(directions, center[np.newaxis])[:, 0]
        return HyperplaneLayer(
            directions, biases, self._ball.exponent, self._ball.shift
        )


@dataclass(frozen=True)
class ClassLayout:
    """Where the samples of each class stand among the tiles of codes.

    Every class starts a tile of its own.

    Parameters
    ----------
    positions : ndarray of shape (n_samples,)
        Position of each sample (samples sorted by class).
    tiles : tuple of slice
        The tiles of each class.
    sizes : ndarray of shape (n_classes,)
        Number of samples of each class.
    """

    positions: np.ndarray = field(repr=False)
    tiles: tuple[slice, ...]
    sizes: np.ndarray

    @classmethod
    def of(cls, labels: np.ndarray, n_classes: int) -> ClassLayout:
        """Lay out samples that are sorted by their labels."""
        sizes = np.bincount(labels, minlength=n_classes)
        n_tiles = -(-sizes // LANES)
        first_tile = np.concatenate(([0], np.cumsum(n_tiles)))
        first_sample = np.concatenate(([0], np.cumsum(sizes)))
        rank = np.arange(len(labels)) - first_sample[labels]
        tiles = tuple(map(slice, first_tile[:-1], first_tile[1:]))
        return cls(first_tile[labels] * LANES + rank, tiles, sizes)

    @property
    def n_positions(self) -> int:
        """Number of positions, the empty ones included."""
        return self.tiles[-1].stop * LANES


@dataclass(frozen=True)
class Cover:
    """The neurons of one class.

    Parameters
    ----------
    centers : ndarray of shape (n_neurons,)
        Rank within its class of the sample behind each neuron.
    masks, bounds : ndarray of shape (n_neurons, n_words) and (n_neurons,)
        The u and m of each neuron.
    members : ndarray of shape (n_neurons, n_tiles), uint64
        The samples of the class that each neuron covers, one bit each.
    n_missed : int
        Number of samples that no neuron covers.
    """

    centers: np.ndarray
    masks: np.ndarray = field(repr=False)
    bounds: np.ndarray = field(repr=False)
    members: np.ndarray = field(repr=False)
    n_missed: int

    def select(self, neurons) -> Cover:
        """Return the cover by some of the neurons."""
        return Cover(
            self.centers[neurons],
            self.masks[neurons],
            self.bounds[neurons],
            self.members[neurons],
            self.n_missed,
        )

    @property
    def coverage(self) -> np.ndarray:
        """Number of samples that each neuron covers."""
        return np.bitwise_count(self.members).sum(axis=1, dtype=np.intp)


def _is_set(words: np.ndarray, ranks: np.ndarray) -> np.ndarray:
    flags = np.uint64(1) << (ranks % LANES).astype(np.uint64)
    return (words[..., ranks // LANES] & flags) != 0


def cover_in_drawing_order(codes, tiles: slice, order: np.ndarray) -> Cover:
    """Cover a class: take the first sample left over, in the order of drawing.

    To skip the covered samples of a random permutation is to draw uniformly from the
    uncovered ones. So the neurons of the next few samples can be computed together,
    ahead of time; those that an earlier one of them covers are dropped, and the result
    is the same.

    Parameters
    ----------
    codes : BitCodes or ReLUCodes
        Codes of the samples of all classes.
    tiles : slice
        The tiles of the class.
    order : ndarray of shape (n_samples,)
        The order in which the samples of the class are drawn.
    """
    covered = np.zeros(tiles.stop - tiles.start, dtype=np.uint64)
    kept: list[tuple] = []
    waiting = order
    n_ahead = 1
    while len(waiting):
        candidates, waiting = waiting[:n_ahead], waiting[n_ahead:]
        masks = codes.masks(tiles.start * LANES + candidates)
        bounds = codes.largest_bounds(masks, tiles)
        members = codes.covers(masks, bounds, tiles)
        n_used = 0
        for k, candidate in enumerate(candidates):
            if bounds[k] > 0 and not _is_set(covered, candidate):
                kept.append((candidate, masks[k], bounds[k], members[k]))
                covered |= members[k]
                n_used += 1
        waiting = waiting[~_is_set(covered, waiting)]
        # Look further ahead as long as little of it is wasted.
        n_ahead = min(2 * n_ahead, _MOST_CANDIDATES) if 2 * n_used > n_ahead else 1
    n_missed = len(order) - int(np.bitwise_count(covered).sum())
    return _stack(kept, codes, len(covered), n_missed)


def _stack(kept, codes, n_tiles: int, n_missed: int) -> Cover:
    none = codes.masks(np.empty(0, dtype=np.intp))
    columns = tuple(zip(*kept, strict=True)) or ((), (), (), ())
    centers, masks, bounds, members = columns
    return Cover(
        np.array(centers, dtype=np.intp),
        np.stack(masks) if masks else none,
        np.array(bounds, dtype=np.int64),
        np.stack(members) if members else np.empty((0, n_tiles), dtype=np.uint64),
        n_missed,
    )


def cover_greedily(codes, tiles: slice, order: np.ndarray) -> Cover:
    """Cover a class: take the sample whose neuron covers most of those left over.

    Among equals the first in the order of drawing is taken. The number left over
    that a neuron covers only shrinks, so it is counted again only for the neuron that
    stands first.

    Parameters
    ----------
    codes : BitCodes or ReLUCodes
        Codes of the samples of all classes.
    tiles : slice
        The tiles of the class.
    order : ndarray of shape (n_samples,)
        The order in which the samples of the class are drawn.
    """
    n_tiles = tiles.stop - tiles.start
    members = np.empty((len(order), n_tiles), dtype=np.uint64)
    bounds = np.empty(len(order), dtype=np.int64)
    for start in range(0, len(order), _MOST_CANDIDATES):
        batch = slice(start, start + _MOST_CANDIDATES)
        masks = codes.masks(tiles.start * LANES + order[batch])
        bounds[batch] = codes.largest_bounds(masks, tiles)
        members[batch] = codes.covers(masks, bounds[batch], tiles)
    separated = np.flatnonzero(bounds > 0)
    gains = np.bitwise_count(members[separated]).sum(axis=1, dtype=np.intp)
    queue = [(-gain, turn) for gain, turn in zip(gains, separated, strict=True)]
    heapq.heapify(queue)
    left = ~np.zeros(n_tiles, dtype=np.uint64)
    chosen = []
    while queue:
        _, turn = heapq.heappop(queue)
        gain = int(np.bitwise_count(members[turn] & left).sum())
        if gain == 0:
            continue
        if queue and (-gain, turn) > queue[0]:
            heapq.heappush(queue, (-gain, turn))
            continue
        chosen.append(turn)
        left &= ~members[turn]
    chosen = np.array(chosen, dtype=np.intp)
    covered = np.bitwise_or.reduce(members[chosen], axis=0, initial=np.uint64(0))
    return Cover(
        order[chosen],
        codes.masks(tiles.start * LANES + order[chosen]),
        bounds[chosen],
        members[chosen],
        len(order) - int(np.bitwise_count(covered).sum()),
    )


def without_spare_neurons(cover: Cover) -> Cover:
    """Drop neurons whose samples the others cover, the smallest first."""
    n_lanes = cover.members.shape[1] * LANES
    times_covered = np.zeros(n_lanes, dtype=np.int64)
    lanes = np.arange(n_lanes)
    memberships = [lanes[_is_set(row, lanes)] for row in cover.members]
    for samples in memberships:
        times_covered[samples] += 1
    needed = np.ones(len(memberships), dtype=bool)
    for neuron in np.argsort(cover.coverage, kind="stable"):
        if (times_covered[memberships[neuron]] > 1).all():
            times_covered[memberships[neuron]] -= 1
            needed[neuron] = False
    return cover.select(needed)


@dataclass(frozen=True)
class Memorization:
    """What one draw of hyperplanes led to.

    Parameters
    ----------
    covering : Covering
        The first two layers of the network.
    centers : ndarray of shape (n_neurons,)
        The sample behind each neuron, as an index into the training samples.
    coverage : ndarray of shape (n_neurons,)
        Number of training samples that each neuron covers.
    n_missed : int
        Number of training samples that no neuron covers.
    codes : BitCodes or ReLUCodes or None
        The codes of the training samples in the order of `layout`, if they fit the
        covering.
    """

    covering: Covering
    centers: np.ndarray = field(repr=False)
    coverage: np.ndarray = field(repr=False)
    n_missed: int
    codes: object = field(repr=False)


@dataclass(frozen=True)
class Rules:
    """How to memorize: the parameters of the construction.

    Parameters
    ----------
    n_hyperplanes : int or None
        Number of hyperplanes (Algorithm 2); None to draw until all samples are
        covered (Algorithm 1).
    min_hyperplanes, max_hyperplanes : int
        Where Algorithm 1 starts and ends.
    max_bias : float
        Lambda, in units of the radius of the data.
    activation : {"threshold", "relu"}
        Activation of the first two layers.
    greedy : bool
        Whether centers are chosen greedily, not drawn.
    prune : bool
        Whether neurons and hyperplanes that are not needed are dropped.
    classes : tuple of int
        The classes to memorize.
    n_threads : int
        Number of threads.
    """

    n_hyperplanes: int | None
    min_hyperplanes: int
    max_hyperplanes: int
    max_bias: float
    activation: str
    greedy: bool
    prune: bool
    classes: tuple[int, ...]
    n_threads: int


def memorize(
    X, rows: np.ndarray, layout: ClassLayout, ball: Ball, rules: Rules, seed: int
) -> Memorization:
    """Draw hyperplanes and cover the classes (Algorithms 1 and 2).

    Parameters
    ----------
    X : ndarray or CSR array of shape (n_samples, n_features)
        The samples.
    rows : ndarray of shape (n_rows,)
        The rows to memorize, sorted by class.
    layout : ClassLayout
        Where their codes are to stand.
    ball : Ball
        Where the samples lie.
    rules : Rules
        How to memorize.
    seed : int
        Seed of this draw.
    """
    hyperplane_seed, order_seed = np.random.SeedSequence(seed).generate_state(2)
    stream = HyperplaneStream(int(hyperplane_seed), ball, rules.max_bias)
    positions = np.full(X.shape[0], -1, dtype=np.intp)
    positions[rows] = layout.positions
    layer = stream.draw(rules.n_hyperplanes or rules.min_hyperplanes)
    while True:
        codes = layer.room(layout.n_positions, rules.activation)
        layer.encode_into(codes, X, positions, rules.n_threads)
        covers = _cover_classes(codes, layout, rules, int(order_seed))
        n_missed = sum(cover.n_missed for cover in covers)
        n = layer.n_hyperplanes
        if n_missed == 0 or rules.n_hyperplanes or n >= rules.max_hyperplanes:
            break
        more = stream.draw(min(n, rules.max_hyperplanes - n))
        layer = _joined(layer, more)
    if rules.prune:
        covers = [without_spare_neurons(cover) for cover in covers]
    return _assemble(layer, codes, covers, rows, layout, rules)


def _joined(first: HyperplaneLayer, second: HyperplaneLayer) -> HyperplaneLayer:
    return HyperplaneLayer(
        np.concatenate((first.directions, second.directions)),
        np.concatenate((first.scaled_biases, second.scaled_biases)),
        first.exponent,
        first.shift,
    )


def _cover_classes(codes, layout: ClassLayout, rules: Rules, seed: int) -> list[Cover]:
    """Cover the classes, the largest first, each in a random order of its own."""
    strategy = cover_greedily if rules.greedy else cover_in_drawing_order

    def cover(number: int) -> Cover:
        generator = np.random.default_rng((seed, number))
        order = generator.permutation(layout.sizes[number])
        return strategy(codes, layout.tiles[number], order)

    largest_first = sorted(rules.classes, key=lambda number: -layout.sizes[number])
    covers = run_in_threads(cover, largest_first, rules.n_threads)
    by_class = dict(zip(largest_first, covers, strict=True))
    return [by_class[number] for number in rules.classes]


def _assemble(layer, codes, covers, rows, layout: ClassLayout, rules: Rules):
    """Put the covers of the classes into one second layer."""
    masks = np.concatenate([cover.masks for cover in covers])
    if rules.prune:
        used = np.flatnonzero(_bits_in_use(masks, layer.n_hyperplanes))
        if len(used) < layer.n_hyperplanes:
            layer, codes = layer.subset(used), None
            masks = _columns(masks, used)
    starts = np.cumsum([0] + [len(cover.centers) for cover in covers])
    first_sample = np.concatenate(([0], np.cumsum(layout.sizes)))
    centers = [
        rows[first_sample[number] + cover.centers]
        for number, cover in zip(rules.classes, covers, strict=True)
    ]
    bounds = np.concatenate([cover.bounds for cover in covers])
    return Memorization(
        Covering(layer, rules.activation, masks, bounds, starts),
        np.concatenate(centers),
        np.concatenate([cover.coverage for cover in covers]),
        sum(cover.n_missed for cover in covers),
        codes,
    )


def _bits_in_use(masks: np.ndarray, n_bits: int) -> np.ndarray:
    used = np.bitwise_or.reduce(masks, axis=0, initial=np.uint64(0))
    return unpack_bits(used[np.newaxis], n_bits)[0]


def _columns(masks: np.ndarray, columns: np.ndarray) -> np.ndarray:
    n_bits = 64 * masks.shape[1]
    return kernels.pack_bits(unpack_bits(masks, n_bits)[:, columns])
