"""Greedy covers of the classes by neurons that fire at one class only."""

from __future__ import annotations

import heapq
from dataclasses import dataclass, field

import numpy as np

from ...kernels import LANES
from ...kernels._memory import check_room, index_type
from ._codes import unpack_lanes

__all__ = [
    "ClassLayout",
    "Cover",
    "cover_greedily",
    "cover_in_drawing_order",
    "largest_gains_first",
    "without_spare_neurons",
]

_MOST_CANDIDATES = 64


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
        kind = index_type(first_tile[-1] * LANES)
        shifts = (first_tile * LANES - first_sample)[:-1].astype(kind)
        positions = np.repeat(shifts, sizes)
        positions += np.arange(len(labels), dtype=kind)
        tiles = tuple(map(slice, first_tile[:-1], first_tile[1:]))
        return cls(positions, tiles, sizes)

    def __sizeof__(self) -> int:
        # What is large is sent to a cluster once, and not with every task.
        return object.__sizeof__(self) + self.positions.nbytes + self.sizes.nbytes

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


def _is_set(words: np.ndarray, ranks) -> np.ndarray:
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
        waiting = waiting[~unpack_lanes(covered[:, np.newaxis], len(order))[waiting, 0]]
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
    check_room(  # the members, and how many of them are in each tile
        9 * len(order) * n_tiles,
        f"The pairs of the {len(order):,} samples of a class that covering='greedy' "
        "compares (covering='random' does not)",
    )
    members = np.empty((len(order), n_tiles), dtype=np.uint64)
    bounds = np.empty(len(order), dtype=np.int64)
    for start in range(0, len(order), _MOST_CANDIDATES):
        batch = slice(start, start + _MOST_CANDIDATES)
        masks = codes.masks(tiles.start * LANES + order[batch])
        bounds[batch] = codes.largest_bounds(masks, tiles)
        members[batch] = codes.covers(masks, bounds[batch], tiles)
    separated = np.flatnonzero(bounds > 0)
    chosen = largest_gains_first(members, separated)
    covered = np.bitwise_or.reduce(members[chosen], axis=0, initial=np.uint64(0))
    return Cover(
        order[chosen],
        codes.masks(tiles.start * LANES + order[chosen]),
        bounds[chosen],
        members[chosen],
        len(order) - int(np.bitwise_count(covered).sum()),
    )


def largest_gains_first(members: np.ndarray, candidates: np.ndarray) -> np.ndarray:
    """Choose the neuron that covers most of what is left over, until none covers any.

    Parameters
    ----------
    members : ndarray of shape (n_neurons, n_tiles), uint64
        The samples that each neuron covers, one bit each.
    candidates : ndarray of shape (n_candidates,)
        The neurons to choose from; the first one is taken among equals.

    Returns
    -------
    chosen : ndarray of shape (n_chosen,)
        The neurons in the order in which they are chosen.
    """
    gains = np.bitwise_count(members).sum(axis=1, dtype=np.intp)[candidates]
    queue = [(-gain, turn) for gain, turn in zip(gains, candidates, strict=True)]
    heapq.heapify(queue)
    left = ~np.zeros(members.shape[1], dtype=np.uint64)
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
    return np.array(chosen, dtype=np.intp)


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
