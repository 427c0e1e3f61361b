"""Covers that keep the neurons there are, as far as they are needed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ... import kernels
from ...kernels import LANES
from ._codes import BitCodes, unpack_bits
from ._covers import Cover, cover_greedily, cover_in_drawing_order, largest_gains_first
from ._relu_codes import ReLUCodes

__all__ = ["renewed_cover"]


def renewed_cover(
    codes: BitCodes | ReLUCodes,
    tiles: slice,
    n_samples: int,
    centers: np.ndarray,
    bounds: np.ndarray,
    generator: np.random.Generator,
    greedy: bool,
) -> Cover:
    """Keep the neurons of a class that leave room for each other, and add others.

    Parameters
    ----------
    codes : BitCodes or ReLUCodes
        Codes of the samples of all classes.
    tiles : slice
        The tiles of the class.
    n_samples : int
        Number of samples of the class.
    centers, bounds : ndarray of shape (n_neurons,)
        The neurons there are, the oldest first: the rank of the sample behind each
        within the class, and m.
    generator : Generator
        Draws from the samples that are left over.
    greedy : bool
        Whether neurons are chosen by how much they cover, not by age and at random.
    """
    in_use = _first_lanes(n_samples, tiles.stop - tiles.start)

    def neurons(centers, bounds) -> Cover:
        masks = codes.masks(tiles.start * LANES + centers)
        if isinstance(codes, BitCodes):
            # With no other class about, any larger bound is as good.
            sizes = np.bitwise_count(masks).sum(axis=1, dtype=np.int64)
            bounds = np.minimum(bounds, sizes + 1)
        members = np.empty((0, len(in_use)), dtype=np.uint64)
        if len(centers):
            members = codes.covers(masks, bounds, tiles) & in_use
        return Cover(centers, masks, bounds, members, 0)

    old = neurons(centers, bounds)
    old = old.select(_kept(old, greedy))
    left = np.flatnonzero(_lanes(in_use & ~_covered(old.members)))
    rest = _Rest(codes, tiles, codes.take(tiles.start * LANES + left))
    strategy = cover_greedily if greedy else cover_in_drawing_order
    found = strategy(rest, rest.all_tiles, generator.permutation(len(left)))
    new = neurons(left[found.centers], found.bounds)
    members = np.concatenate((old.members, new.members))
    return Cover(
        np.concatenate((old.centers, new.centers)),
        np.concatenate((old.masks, new.masks)),
        np.concatenate((old.bounds, new.bounds)),
        members,
        n_samples - int(np.bitwise_count(_covered(members)).sum()),
    )


def _kept(neurons: Cover, greedy: bool) -> np.ndarray:
    """Return the neurons that stay, the oldest first.

    In drawing order those stay whose center no older one covers. Greedily the largest
    ones are chosen; what covers nothing that is left over goes.
    """
    separated = np.flatnonzero(neurons.bounds > 0)
    if greedy:
        return np.sort(largest_gains_first(neurons.members, separated))
    covered = np.zeros(neurons.members.shape[1], dtype=np.uint64)
    words, lanes = np.divmod(neurons.centers, LANES)
    flags = np.uint64(1) << lanes.astype(np.uint64)
    kept = []
    for neuron in separated:
        if not covered[words[neuron]] & flags[neuron]:
            covered |= neurons.members[neuron]
            kept.append(neuron)
    return np.array(kept, dtype=np.intp)


def _covered(members: np.ndarray) -> np.ndarray:
    """Return which samples any neuron covers, one bit each."""
    return np.bitwise_or.reduce(members, axis=0, initial=np.uint64(0))


def _lanes(words: np.ndarray) -> np.ndarray:
    """Return the bits of the words, lane by lane."""
    return unpack_bits(words[:, np.newaxis], LANES).ravel()


def _first_lanes(n_lanes: int, n_words: int) -> np.ndarray:
    """Return words with the bits of the first lanes set."""
    bits = np.arange(n_words * LANES) < n_lanes
    return kernels.pack_bits(bits.reshape(n_words, LANES)).reshape(n_words)


@dataclass(frozen=True)
class _Rest:
    """The samples of a class that no neuron covers yet, against all other classes.

    Parameters
    ----------
    codes : BitCodes or ReLUCodes
        The codes of all samples.
    tiles : slice
        The tiles of the class.
    rest : BitCodes or ReLUCodes
        The codes of the samples left over.
    """

    codes: BitCodes | ReLUCodes
    tiles: slice
    rest: BitCodes | ReLUCodes

    @property
    def all_tiles(self) -> slice:
        """The tiles of the samples left over."""
        return slice(0, -(-self.rest.n_samples // LANES))

    def masks(self, positions):
        return self.rest.masks(positions)

    def largest_bounds(self, masks, skip):
        return self.codes.largest_bounds(masks, self.tiles)

    def covers(self, masks, bounds, tiles):
        return self.rest.covers(masks, bounds, tiles)
