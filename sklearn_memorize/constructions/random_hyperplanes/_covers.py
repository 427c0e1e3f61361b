"""Covers of a class by neurons that fire at samples of this class only.

A neuron is made from a sample x* of the class, its center (see `_construction`): u are
the hyperplanes on whose dark side x* lies, and m is the smallest count <u, Phi(x)> of a
sample of another class. It *covers* the samples of the class with <u, Phi(x)> < m.
Samples are told by their rank within the class.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from ... import kernels
from ...kernels import LANES
from ...kernels._memory import index_type
from ...kernels._threads import run_in_threads
from ._codes import BitCodes, is_set, unpack_bits
from ._relu_codes import ReLUCodes

# Where the samples of a class are more than this, no permutation of them is kept.
MOST_PERMUTED = 1 << 16
# This many neurons at most are computed together.
_MOST_CANDIDATES = 64
# What this many neurons would cover of the samples left over is counted together.
_COUNTED_AHEAD = 16
# A class of more samples is covered in many steps; between these, signals are seen.
_COVERED_AT_ONCE = 1 << 14


class DrawingOrder(NamedTuple):
    """The random order in which the samples of a class are drawn.

    A sample has its *turn*, which no other sample of the class has; they are drawn by
    increasing turns. In a large class the turn of a sample is a function of its rank
    alone, so that each machine of many knows the turns of its own samples.
    """

    seed: int
    number: int
    size: int

    def all_ranks(self) -> np.ndarray:
        """Return the ranks of all samples in the order in which they are drawn."""
        if self.size > MOST_PERMUTED:
            order = np.argsort(self.turns(np.arange(self.size, dtype=np.uint64)))
            return order.astype(index_type(self.size))
        generator = np.random.default_rng((self.seed, self.number))
        return generator.permutation(np.arange(self.size, dtype=index_type(self.size)))

    def turns(self, ranks: np.ndarray) -> np.ndarray:
        """Return the turns of samples of some ranks, as unsigned integers.

        In a large class they are the outputs of SplitMix64 of these numbers, from a
        seed on: different numbers have different outputs.
        """
        if self.size <= MOST_PERMUTED:
            turns = np.empty(self.size, dtype=np.uint64)
            turns[self.all_ranks()] = np.arange(self.size, dtype=np.uint64)
            return turns[ranks]
        sequence = np.random.SeedSequence((self.seed, self.number))
        turns = ranks.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)
        turns += sequence.generate_state(1, np.uint64)
        turns ^= turns >> np.uint64(30)
        turns *= np.uint64(0xBF58476D1CE4E5B9)
        turns ^= turns >> np.uint64(27)
        turns *= np.uint64(0x94D049BB133111EB)
        turns ^= turns >> np.uint64(31)
        return turns


@dataclass(frozen=True)
class Cover:
    """The neurons of one class.

    `centers` are the samples behind them, `masks` and `bounds` their u and m, and
    `coverage` is the number of samples that each covers. The samples `missed` are
    covered by none. `members` says which samples each covers, one bit for each lane of
    the tiles of the class, or is None where that was not kept. Samples are told by
    their ranks, in the parts of a dask array by their row numbers.
    """

    centers: np.ndarray
    masks: np.ndarray = field(repr=False)
    bounds: np.ndarray = field(repr=False)
    coverage: np.ndarray = field(repr=False)
    missed: np.ndarray = field(repr=False)
    members: np.ndarray | None = field(default=None, repr=False)

    @classmethod
    def of_members(cls, centers, masks, bounds, members, n_samples: int) -> Cover:
        """Return the cover of a class of `n_samples` whose members are known."""
        return cls(
            centers,
            masks,
            bounds,
            np.bitwise_count(members).sum(axis=1, dtype=np.intp),
            np.flatnonzero(~lanes(covered_by_any(members))[:n_samples]),
            members,
        )

    @property
    def n_missed(self) -> int:
        """Number of samples that no neuron covers."""
        return len(self.missed)


def cover_largest_first(
    cover: Callable[[int], Cover],
    classes: Sequence[int],
    sizes: np.ndarray,
    n_threads: int,
) -> list[Cover]:
    """Return `cover(number)` of some classes; threads begin with the largest class."""
    largest_first = sorted(classes, key=lambda number: -sizes[number])
    covers = run_in_threads(cover, largest_first, n_threads)
    by_class = dict(zip(largest_first, covers, strict=True))
    return [by_class[number] for number in classes]


def covered_by_any(members: np.ndarray) -> np.ndarray:
    """Return which samples any neuron covers, one bit each."""
    return np.bitwise_or.reduce(members, axis=0, initial=np.uint64(0))


def cover_in_drawing_order(
    codes: BitCodes | ReLUCodes,
    tiles: slice,
    order: np.ndarray,
    bounds_of: Callable | None = None,
) -> Cover:
    """Cover a class: take the first sample left over, in the order of drawing.

    To skip the covered samples of a random permutation is to draw uniformly from the
    uncovered ones. So the neurons of the next few samples can be computed together,
    ahead of time; those that an earlier one of them covers are dropped, and the result
    is the same. `bounds_of(masks, ranks)` are the bounds m; if it is None, those with
    which no sample outside the tiles is covered.
    """
    if (
        bounds_of is None
        and isinstance(codes, BitCodes)
        and len(order) <= _COVERED_AT_ONCE
    ):
        return _cover_at_once(codes, tiles, order)
    bounds_of = bounds_of or _outside(codes, tiles)
    n_tiles = tiles.stop - tiles.start
    covered = np.zeros(n_tiles, dtype=np.uint64)
    none = np.empty(0, dtype=np.intp)
    no_members = np.empty((0, n_tiles), dtype=np.uint64)
    kept = [(none, codes.masks(none), np.empty(0, dtype=np.int64), no_members)]
    waiting = order
    n_ahead = 1
    while len(waiting):
        candidates, waiting = waiting[:n_ahead], waiting[n_ahead:]
        masks = codes.masks(tiles.start * LANES + candidates)
        bounds = bounds_of(masks, candidates)
        members = codes.covers(masks, bounds, tiles)
        used = _used_in_turn(is_set(members, candidates), bounds)
        covered |= covered_by_any(members[used])
        kept.append((candidates[used], masks[used], bounds[used], members[used]))
        waiting = waiting[~lanes(covered)[waiting]]
        # Look further ahead as long as little of it is wasted. Candidates without a
        # bound are not: they would have had their turn.
        n_needed = len(used) + int((bounds <= 0).sum())
        n_ahead = 2 * n_ahead if 2 * n_needed > n_ahead else 1
        n_ahead = min(n_ahead, _MOST_CANDIDATES)
    centers, masks, bounds, members = map(np.concatenate, zip(*kept, strict=True))
    return Cover.of_members(centers, masks, bounds, members, len(order))


def _cover_at_once(codes: BitCodes, tiles: slice, order: np.ndarray) -> Cover:
    """Do what `cover_in_drawing_order` does in one call."""
    centers, bounds, coverage, covered = codes.cover_in_order(order, tiles)
    masks = codes.masks(tiles.start * LANES + centers)
    missed = np.flatnonzero(~lanes(covered)[: len(order)])
    return Cover(centers.astype(np.intp), masks, bounds, coverage, missed)


def _outside(codes: BitCodes | ReLUCodes, tiles: slice) -> Callable:
    """Return what gives the bounds with which no sample outside is covered."""
    return lambda masks, ranks: codes.largest_bounds(masks, tiles)


def _used_in_turn(covers: np.ndarray, bounds: np.ndarray) -> list[int]:
    """Return the candidates that no earlier one covers, of those that have a bound.

    `covers[i, k]` says whether candidate i covers candidate k.
    """
    used = []
    is_covered = np.zeros(len(bounds), dtype=bool)
    for k in np.flatnonzero(bounds > 0).tolist():
        if not is_covered[k]:
            is_covered |= covers[k]
            used.append(k)
    return used


def cover_greedily(
    codes: BitCodes | ReLUCodes,
    tiles: slice,
    order: np.ndarray,
    bounds_of: Callable | None = None,
) -> Cover:
    """Cover a class: take the sample whose neuron covers most of those left over.

    Among equals the first in the order of drawing is taken. The parameters are those of
    `cover_in_drawing_order`. Takes O(n N) operations for n samples of N, and no more
    memory than the codes.
    """
    bounds_of = bounds_of or _outside(codes, tiles)
    n_tiles = tiles.stop - tiles.start
    bounds = np.empty(len(order), dtype=np.int64)
    gains = np.empty(len(order), dtype=np.intp)
    # What each sample would cover is kept where it takes no more than the codes do.
    stored = codes.tiles if isinstance(codes, BitCodes) else codes.values
    is_kept = 8 * len(order) * n_tiles <= stored.nbytes
    table = np.empty((len(order) if is_kept else 0, n_tiles), dtype=np.uint64)

    def members_of(turns) -> np.ndarray:
        masks = codes.masks(tiles.start * LANES + order[turns])
        return codes.covers(masks, bounds[turns], tiles)

    for start in range(0, len(order), _MOST_CANDIDATES):
        batch = slice(start, start + _MOST_CANDIDATES)
        masks = codes.masks(tiles.start * LANES + order[batch])
        bounds[batch] = bounds_of(masks, order[batch])
        members = codes.covers(masks, bounds[batch], tiles)
        gains[batch] = np.bitwise_count(members).sum(axis=1, dtype=np.intp)
        if is_kept:
            table[batch] = members
    chosen, members = _largest_gains_first(
        gains,
        np.flatnonzero(bounds > 0),
        table.__getitem__ if is_kept else members_of,
        n_tiles,
    )
    return Cover.of_members(
        order[chosen],
        codes.masks(tiles.start * LANES + order[chosen]),
        bounds[chosen],
        members,
        len(order),
    )


def _largest_gains_first(
    gains: np.ndarray, candidates: np.ndarray, members_of: Callable, n_tiles: int
) -> tuple[np.ndarray, np.ndarray]:
    """Choose the neuron that covers most of what is left over, until none covers any.

    The first one is taken among equals. `gains` is what each neuron covers at first;
    what it covers of the samples left over only shrinks, so it is counted again only
    for the few neurons that stand first. `members_of(neurons)` are their members.
    Returns the neurons, and their members.
    """
    queue = [(-int(gains[turn]), int(turn)) for turn in candidates]
    heapq.heapify(queue)
    left = ~np.zeros(n_tiles, dtype=np.uint64)
    chosen = []
    kept = [np.empty((0, n_tiles), dtype=np.uint64)]
    while queue:
        n_ahead = min(_COUNTED_AHEAD, len(queue))
        turns = np.array([heapq.heappop(queue)[1] for _ in range(n_ahead)])
        members = members_of(turns)
        while True:
            now = np.bitwise_count(members & left).sum(axis=1, dtype=np.intp)
            first = np.lexsort((turns, -now))[0]
            candidate = (-int(now[first]), int(turns[first]))
            if candidate[0] == 0 or (queue and candidate > queue[0]):
                break
            chosen.append(candidate[1])
            kept.append(members[[first]])
            left &= ~members[first]
        for turn in np.flatnonzero(now):
            heapq.heappush(queue, (-int(now[turn]), int(turns[turn])))
    return np.array(chosen, dtype=np.intp), np.concatenate(kept)


def without_spare_neurons(
    cover: Cover, codes: BitCodes | ReLUCodes, tiles: slice
) -> Cover:
    """Drop neurons whose samples the others cover, the smallest first."""
    n_neurons, n_tiles = len(cover.centers), tiles.stop - tiles.start

    def batches(neurons: np.ndarray):
        """Yield neurons, and which samples each covers, few at a time."""
        for start in range(0, n_neurons, _MOST_CANDIDATES):
            batch = neurons[start : start + _MOST_CANDIDATES]
            if cover.members is None:
                members = codes.covers(cover.masks[batch], cover.bounds[batch], tiles)
            else:
                members = cover.members[batch]
            yield from zip(batch, members, strict=True)

    times_covered = np.zeros(n_tiles * LANES, dtype=np.int32)
    for _, row in batches(np.arange(n_neurons)):
        times_covered += lanes(row)
    needed = np.ones(n_neurons, dtype=bool)
    for neuron, row in batches(np.argsort(cover.coverage, kind="stable")):
        samples = np.flatnonzero(lanes(row))
        if (times_covered[samples] > 1).all():
            times_covered[samples] -= 1
            needed[neuron] = False
    return Cover(
        cover.centers[needed],
        cover.masks[needed],
        cover.bounds[needed],
        cover.coverage[needed],
        cover.missed,
        None if cover.members is None else cover.members[needed],
    )


def renewed_cover(
    codes: BitCodes | ReLUCodes,
    tiles: slice,
    n_samples: int,
    centers: np.ndarray,
    bounds: np.ndarray,
    generator: np.random.Generator,
    greedy: bool,
) -> Cover:
    """Keep the neurons of a class that do not get in each other's way, and add others.

    `centers` and `bounds` are the neurons there are, the oldest first. What they leave
    over is covered in an order drawn by `generator`, or greedily.
    """
    in_use = _first_lanes(n_samples, tiles.stop - tiles.start)

    def neurons(centers, bounds) -> tuple[np.ndarray, ...]:
        masks = codes.masks(tiles.start * LANES + centers)
        if isinstance(codes, BitCodes):
            # With no other class about, any larger bound is as good.
            sizes = np.bitwise_count(masks).sum(axis=1, dtype=np.int64)
            bounds = np.minimum(bounds, sizes + 1)
        members = np.empty((0, len(in_use)), dtype=np.uint64)
        if len(centers):
            members = codes.covers(masks, bounds, tiles) & in_use
        return centers, masks, bounds, members

    centers, masks, bounds, members = neurons(centers, bounds)
    kept = _neurons_that_stay(centers, bounds, members, greedy)
    old = centers[kept], masks[kept], bounds[kept], members[kept]
    left = np.flatnonzero(lanes(in_use & ~covered_by_any(members[kept])))
    # The samples left over, against all samples of other classes.
    rest = codes.take(tiles.start * LANES + left)
    found = (cover_greedily if greedy else cover_in_drawing_order)(
        rest,
        slice(0, -(-len(left) // LANES)),
        generator.permutation(len(left)),
        _outside(codes, tiles),
    )
    new = neurons(left[found.centers], found.bounds)
    centers, masks, bounds, members = map(np.concatenate, zip(old, new, strict=True))
    return Cover.of_members(centers, masks, bounds, members, n_samples)


def _neurons_that_stay(centers, bounds, members, greedy: bool) -> np.ndarray:
    """Return the neurons that stay, the oldest first.

    In drawing order those stay whose center no older one covers. Greedily the largest
    ones are chosen; what covers nothing that is left over goes.
    """
    separated = np.flatnonzero(bounds > 0)
    if greedy:
        sizes = np.bitwise_count(members).sum(axis=1, dtype=np.intp)
        n_tiles = members.shape[1]
        chosen, _ = _largest_gains_first(sizes, separated, members.__getitem__, n_tiles)
        return np.sort(chosen)
    covered = np.zeros(members.shape[1], dtype=np.uint64)
    kept = []
    for neuron in separated:
        if not is_set(covered, centers[neuron]):
            covered |= members[neuron]
            kept.append(neuron)
    return np.array(kept, dtype=np.intp)


def lanes(words: np.ndarray) -> np.ndarray:
    """Return the bits of words of one bit a lane, as booleans."""
    return unpack_bits(words[:, np.newaxis], LANES).ravel()


def _first_lanes(n_lanes: int, n_words: int) -> np.ndarray:
    """Return words with the bits of the first lanes set."""
    bits = np.arange(n_words * LANES) < n_lanes
    return kernels.pack_bits(bits.reshape(n_words, LANES)).reshape(n_words)
