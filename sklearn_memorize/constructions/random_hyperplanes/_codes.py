"""The codes of many samples, packed into tiles of 64 for the bit kernels.

Bit j of the code of a sample says on which side of hyperplane j it lies. A *tile* holds
64 samples: `tiles[tile, word, lane]` are the bits 64 word .. 64 word + 63 of sample
64 tile + lane. Codes that are read many times are laid out in *planes*: there,
`planes[group, j, k]` holds bit j of the 64 samples of tile 8 group + k.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from ... import kernels
from ...kernels import LANES
from ...kernels._memory import index_type
from ...kernels._threads import run_in_threads

# This many tiles become one group of planes.
TILES_OF_A_GROUP = 8
# More votes than this are found, in tiles, by counting how often each margin occurs.
_FEW_VOTES = 8


@dataclass(frozen=True)
class ClassLayout:
    """Where samples that are sorted by class stand: each class starts a new tile.

    `sizes` are the numbers of samples of the classes.
    """

    sizes: np.ndarray

    @cached_property
    def tiles(self) -> tuple[slice, ...]:
        """The tiles of each class."""
        ends = np.cumsum(-(-self.sizes // LANES)).tolist()
        return tuple(map(slice, [0, *ends[:-1]], ends))

    @property
    def n_positions(self) -> int:
        """Number of positions, those that hold no sample included."""
        return self.tiles[-1].stop * LANES

    def positions(self) -> np.ndarray:
        """Return the position of each sample; they increase."""
        dtype = index_type(self.n_positions)
        first_positions = np.array([tiles.start for tiles in self.tiles]) * LANES
        first_samples = np.cumsum(self.sizes) - self.sizes
        moves = (first_positions - first_samples).astype(dtype)
        positions = np.repeat(moves, self.sizes)
        positions += np.arange(len(positions), dtype=dtype)
        return positions


@dataclass(frozen=True, eq=False)
class BitCodes:
    """Bits of samples: `tiles[tile, word, lane]` belongs to sample 64 tile + lane.

    Lanes that hold no sample have all bits set; bits past `n_bits` are zero in the
    masks, so they are never counted.

    Parameters
    ----------
    tiles : ndarray of shape (n_tiles, n_words, 64), uint64
        The packed codes; or planes, of shape (n_groups, 64 * n_words, 8).
    n_samples : int
        Number of positions in use (positions may be left out in between).
    n_bits : int
        Number of bits of each code.
    are_planes : bool, default=False
        Whether `tiles` holds planes.
    """

    tiles: np.ndarray = field(repr=False)
    n_samples: int
    n_bits: int
    are_planes: bool = False

    @classmethod
    def empty(cls, n_samples: int, n_bits: int) -> BitCodes:
        """Return codes to be filled in, without a sample yet."""
        shape = _n_tiles(n_samples), -(-n_bits // 64), LANES
        tiles = kernels.aligned_room(shape, np.uint64)
        tiles[...] = ~np.uint64(0)
        return cls(tiles, n_samples, n_bits)

    @classmethod
    def filled(cls, n_positions: int, n_bits: int, positions, words) -> BitCodes:
        """Return codes given as words at some positions, which increase."""
        shape = _n_tiles(n_positions), -(-n_bits // 64), LANES
        codes = cls(kernels.aligned_room(shape, np.uint64), n_positions, n_bits)
        is_empty = np.ones(shape[0] * LANES, dtype=bool)
        is_empty[positions] = False
        codes.put_outputs(np.flatnonzero(is_empty), ~np.uint64(0))
        codes.put_outputs(positions, words)
        return codes

    @classmethod
    def empty_planes(cls, n_samples: int, n_bits: int) -> BitCodes | None:
        """Return planes to be written, if so many codes are laid out in planes."""
        shape = kernels.shape_of_planes(_n_tiles(n_samples), -(-n_bits // 64))
        if shape is None:
            return None
        return cls(kernels.aligned_room(shape, np.uint64), n_samples, n_bits, True)

    @classmethod
    def from_words(cls, words: np.ndarray, n_bits: int) -> BitCodes:
        """Return the codes given as words of shape (n_samples, n_words)."""
        return cls.filled(len(words), n_bits, np.arange(len(words)), words)

    def put_outputs(self, positions, words) -> None:
        """Store codes, given as words, at some positions of tiles."""
        tiles, lanes = np.divmod(positions, LANES)
        self.tiles[tiles, :, lanes] = words

    def words(self, positions=None) -> np.ndarray:
        """Return the codes at some positions, shape (n_positions, n_words)."""
        if positions is None:
            positions = np.arange(self.n_samples)
        return kernels.words_at(self.tiles, np.asarray(positions, dtype=np.intp))

    def outputs(self) -> np.ndarray:
        """Return all codes in a form that `put_outputs` takes."""
        return self.words()

    def bits(self, positions=None) -> np.ndarray:
        """Return the codes as booleans of shape (n_positions, n_bits)."""
        return unpack_bits(self.words(positions), self.n_bits)

    def part(self, tiles: slice) -> BitCodes:
        """Return the codes of some tiles (of planes: groups of eight) as a view."""
        step = TILES_OF_A_GROUP if self.are_planes else 1
        part = self.tiles[tiles.start // step : -(-tiles.stop // step)]
        n_samples = (tiles.stop - tiles.start) * LANES
        return BitCodes(part, n_samples, self.n_bits, self.are_planes)

    def take(self, positions) -> BitCodes:
        """Return a copy of the codes of some samples, one after the other in tiles."""
        return BitCodes.from_words(self.words(positions), self.n_bits)

    def joined_by(self, *others: BitCodes) -> BitCodes:
        """Return a copy of these codes and others."""
        words = [codes.words() for codes in (self, *others)]
        return BitCodes.from_words(np.concatenate(words), self.n_bits)

    def arranged(self, n_threads: int = 1) -> BitCodes:
        """Return the codes laid out as many of them are counted fastest.

        They take over the memory of these codes, which must not be used any more.
        """
        step = max(1, -(-len(self.tiles) // (n_threads * TILES_OF_A_GROUP)))
        step *= TILES_OF_A_GROUP
        parts = [self.tiles[k : k + step] for k in range(0, len(self.tiles), step)]
        arranged = run_in_threads(kernels.arranged, parts, n_threads)
        if not parts or len(arranged[0]) == len(parts[0]):
            return self
        planes = self.tiles.reshape(-1, *arranged[0].shape[1:])
        return BitCodes(planes, self.n_samples, self.n_bits, True)

    def put(self, positions, columns, values) -> None:
        """Set single bits."""
        tile, lane = np.divmod(positions, LANES)
        if self.are_planes:
            group, k = np.divmod(tile, TILES_OF_A_GROUP)
            words, bit = (group, columns, k), lane
        else:
            word, bit = np.divmod(columns, 64)
            words = tile, word, lane
        flags = np.uint64(1) << bit.astype(np.uint64)
        np.bitwise_and.at(self.tiles, words, ~flags)
        flags = np.where(values, flags, np.uint64(0))
        np.bitwise_or.at(self.tiles, words, flags)

    def put_columns(self, positions, first: int, bits: np.ndarray) -> None:
        """Set the bits from `first` on of some samples, whose positions increase.

        `bits` are booleans of shape (n_samples, n_columns). Bits that follow in the
        last word of 64 are lost.
        """
        if self.are_planes:
            self._put_planes(positions, first, bits)
            return
        word, n_before = divmod(first, 64)
        words = kernels.pack_bits(np.pad(bits, ((0, 0), (n_before, 0))))
        tiles, lanes = np.divmod(positions, LANES)
        before = np.uint64((1 << n_before) - 1)
        words[:, 0] |= self.tiles[tiles, word, lanes] & before
        self.tiles[tiles, word : word + words.shape[1], lanes] = words

    def _put_planes(self, positions, first: int, bits: np.ndarray) -> None:
        n_lanes, n_columns = TILES_OF_A_GROUP * LANES, bits.shape[1]
        start, stop = positions[0] // n_lanes, positions[-1] // n_lanes + 1
        places = positions - start * n_lanes

        def words(values: np.ndarray) -> np.ndarray:
            lanes = np.zeros((len(values), (stop - start) * n_lanes), dtype=bool)
            lanes[:, places] = values
            words = kernels.pack_bits(lanes).reshape(len(values), stop - start, -1)
            return words.transpose(1, 0, 2)

        planes = self.tiles[start:stop, first : first + n_columns]
        planes &= ~words(np.ones((1, len(positions)), dtype=bool))
        planes |= words(bits.T)

    def masks(self, positions) -> np.ndarray:
        """Return u = 1[code = 0] of some samples, shape (n_positions, n_words)."""
        return self.masks_of(self.words(positions))

    def masks_of(self, words: np.ndarray) -> np.ndarray:
        """Return what `masks` returns, given the codes as words."""
        return ~words & kernels.pack_bits(np.ones((1, self.n_bits), dtype=bool))

    def largest_bounds(self, masks, skip: slice) -> np.ndarray:
        """Return m = min <u, code> for each mask u, over all but the tiles to skip.

        It is the largest bound with which no sample is covered.
        """
        return kernels.smallest_counts(self.tiles, masks, skip.start, skip.stop)

    def unseparated(self, masks, tiles: slice) -> np.ndarray:
        """Return which samples of some tiles leave no neuron of such a mask a bound.

        These have <u, code> = 0. One bit for each lane, of shape (n_masks, n_tiles).
        """
        return self.covers(masks, np.ones(len(masks), dtype=np.int64), tiles)

    def covers(self, masks, bounds, tiles: slice) -> np.ndarray:
        """Return which samples of some tiles each neuron covers: <u, code> < m.

        One bit for each lane, in words of shape (n_masks, n_tiles).
        """
        return kernels.covers(self.tiles, masks, bounds, tiles.start, tiles.stop)

    def cover_in_order(self, order: np.ndarray, tiles: slice) -> tuple:
        """Cover a class in the order of drawing: see `kernels.cover_in_order`."""
        return kernels.cover_in_order(
            self.tiles, order, tiles.start, tiles.stop, self.n_bits
        )

    def classes_that_fire(self, masks, bounds, starts) -> np.ndarray:
        """Return which classes have a neuron that covers the sample.

        Booleans of shape (n_samples, n_classes); class c has the neurons `starts[c]` ..
        `starts[c + 1] - 1`.
        """
        fired = kernels.classes_that_fire(
            self.tiles, masks, bounds, starts, self.n_samples
        )
        return unpack_lanes(fired, self.n_samples)

    def votes(self, masks, bounds, starts, n_votes: int):
        """Sum the `n_votes` largest margins m - <u, code> of each class.

        Returns integers of shape (n_samples, n_classes), and what `classes_that_fire`
        returns. Fewer margins are summed where a class has fewer neurons.
        """
        if (
            n_votes > _FEW_VOTES
            and not self.are_planes
            and bounds.max() <= 64 * masks.shape[1] + 1
        ):
            votes = np.array([n_votes])
            sums = kernels.margin_sums(self.words(), masks, bounds, starts, votes)
            return sums[:, :, 0], self.classes_that_fire(masks, bounds, starts)
        sums, fired = kernels.margins_and_fires(
            self.tiles, masks, bounds, starts, n_votes, self.n_samples
        )
        return sums[: self.n_samples], unpack_lanes(fired, self.n_samples)

    def neuron_margins(self, masks, bounds) -> np.ndarray:
        """Return the margin m - <u, code> of each neuron, (n_samples, n_masks)."""
        words = self.words()
        margins = np.tile(np.asarray(bounds, dtype=np.int64), (len(words), 1))
        for of_samples, of_masks in zip(words.T, masks.T, strict=True):
            margins -= np.bitwise_count(of_samples[:, np.newaxis] & of_masks)
        return margins


def mean_margins(sums, n_summed, unit, lowest: float = -1.0) -> np.ndarray:
    """Return means of margins in a unit; the lowest margin where none was summed."""
    means = sums / (unit * np.maximum(n_summed, 1))
    means[np.broadcast_to(n_summed == 0, means.shape)] = lowest
    return means


def _n_tiles(n_samples: int) -> int:
    n_tiles = -(-n_samples // LANES)
    if n_tiles <= TILES_OF_A_GROUP:
        return n_tiles
    return -(-n_tiles // TILES_OF_A_GROUP) * TILES_OF_A_GROUP


def is_set(words: np.ndarray, lanes) -> np.ndarray:
    """Return whether the bits of some lanes are set, in words of one bit a lane."""
    flags = np.uint64(1) << (lanes % LANES).astype(np.uint64)
    return (words[..., lanes // LANES] & flags) != 0


def unpack_lanes(words: np.ndarray, n_samples: int) -> np.ndarray:
    """Turn lane bits of shape (n_tiles, k) into booleans of shape (n_samples, k)."""
    n_tiles, k = words.shape
    bits = unpack_bits(words.reshape(-1, 1), LANES).reshape(n_tiles, k, LANES)
    return bits.transpose(0, 2, 1).reshape(-1, k)[:n_samples]


def unpack_bits(words: np.ndarray, n_bits: int) -> np.ndarray:
    """Return the first `n_bits` bits of each row of words as booleans."""
    as_bytes = np.ascontiguousarray(words.astype("<u8", copy=False)).view(np.uint8)
    bits = np.unpackbits(as_bytes, axis=1, count=n_bits, bitorder="little")
    return bits.astype(bool)
