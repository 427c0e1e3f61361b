"""The codes of many samples, packed into tiles of 64 for the bit kernels."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from ... import kernels
from ...kernels import LANES
from ...kernels._threads import run_in_threads

__all__ = ["TILES_OF_A_GROUP", "BitCodes"]

_EVERY_BIT = ~np.uint64(0)
# So many tiles are laid out together once codes are arranged.
TILES_OF_A_GROUP = 8


def _n_tiles(n_samples: int) -> int:
    n_tiles = -(-n_samples // LANES)
    if n_tiles <= TILES_OF_A_GROUP:
        return n_tiles
    return -(-n_tiles // TILES_OF_A_GROUP) * TILES_OF_A_GROUP


@dataclass(frozen=True, eq=False)
class BitCodes:
    """Bits of samples: `tiles[tile, word, lane]` belongs to sample 64 tile + lane.

    Lanes that hold no sample have all bits set; bits past `n_bits` are zero in the
    masks, so they are never counted.

    Parameters
    ----------
    tiles : ndarray of shape (n_tiles, n_words, 64), uint64
        The packed codes; or, once arranged, what `kernels.arranged` makes of them.
    n_samples : int
        Number of positions in use (positions may be left out in between).
    n_bits : int
        Number of bits of each code.
    """

    tiles: np.ndarray = field(repr=False)
    n_samples: int
    n_bits: int

    @classmethod
    def empty(cls, n_samples: int, n_bits: int) -> BitCodes:
        """Return room for the codes of `n_samples` samples, without a sample yet."""
        shape = _n_tiles(n_samples), -(-n_bits // 64), LANES
        tiles = kernels.aligned_room(shape, np.uint64)
        tiles[...] = _EVERY_BIT
        return cls(tiles, n_samples, n_bits)

    @classmethod
    def empty_planes(cls, n_samples: int, n_bits: int) -> BitCodes | None:
        """Return room for arranged codes, not yet written, if it would be planes."""
        shape = kernels.shape_of_planes(_n_tiles(n_samples), -(-n_bits // 64))
        if shape is None:
            return None
        return cls(kernels.aligned_room(shape, np.uint64), n_samples, n_bits)

    @classmethod
    def from_words(cls, words: np.ndarray, n_bits: int) -> BitCodes:
        """Return the codes given as words of shape (n_samples, n_words)."""
        codes = cls.empty(len(words), n_bits)
        tile, lane = np.divmod(np.arange(len(words)), LANES)
        codes.tiles[tile, :, lane] = words
        return codes

    def words(self, positions=None) -> np.ndarray:
        """Return the codes at some positions, shape (n_positions, n_words)."""
        if positions is None:
            positions = np.arange(self.n_samples)
        return kernels.words_at(self.tiles, np.asarray(positions, dtype=np.intp))

    def bits(self, positions=None) -> np.ndarray:
        """Return the codes as booleans of shape (n_positions, n_bits)."""
        return unpack_bits(self.words(positions), self.n_bits)

    def part(self, tiles: slice) -> BitCodes:
        """Return the codes of some tiles, all their lanes in use."""
        step = LANES // self.tiles.shape[2]  # one, or what planes hold in a group
        part = self.tiles[tiles.start // step : -(-tiles.stop // step)]
        return BitCodes(part, (tiles.stop - tiles.start) * LANES, self.n_bits)

    def take(self, positions) -> BitCodes:
        """Return the codes of some samples, closed up."""
        return BitCodes.from_words(self.words(positions), self.n_bits)

    def arranged(self, n_threads: int = 1) -> BitCodes:
        """Return the codes laid out as many of them are counted fastest.

        They take over the memory of these codes, which must not be used any more. No
        margins can be summed afterwards.

        Parameters
        ----------
        n_threads : int, default=1
            Number of threads that share the work.
        """
        step = max(1, -(-len(self.tiles) // (n_threads * TILES_OF_A_GROUP)))
        starts = range(0, len(self.tiles), step * TILES_OF_A_GROUP)
        parts = [self.tiles[k : k + step * TILES_OF_A_GROUP] for k in starts]
        arranged = run_in_threads(kernels.arranged, parts, n_threads)
        tiles = self.tiles.reshape(-1, *arranged[0].shape[1:]) if parts else self.tiles
        return BitCodes(tiles, self.n_samples, self.n_bits)

    def put(self, positions, columns, values) -> None:
        """Set single bits."""
        tile, lane = np.divmod(positions, LANES)
        if self._are_planes:
            group, k = np.divmod(tile, TILES_OF_A_GROUP)
            words, bit = (group, columns, k), lane
        else:
            word, bit = np.divmod(columns, 64)
            words = tile, word, lane
        flags = np.uint64(1) << bit.astype(np.uint64)
        np.bitwise_and.at(self.tiles, words, ~flags)
        flags = np.where(values, flags, np.uint64(0))
        np.bitwise_or.at(self.tiles, words, flags)

    @property
    def _are_planes(self) -> bool:
        return self.tiles.shape[2] != LANES

    def masks(self, positions) -> np.ndarray:
        """Return u = 1[code = 0] of some samples, shape (n_positions, n_words)."""
        valid = kernels.pack_bits(np.ones((1, self.n_bits), dtype=bool))
        return ~self.words(positions) & valid

    def largest_bounds(self, masks, skip: slice) -> np.ndarray:
        """Return the largest bounds m with which no sample is covered.

        Parameters
        ----------
        masks : ndarray of shape (n_masks, n_words)
            One mask u for each neuron.
        skip : slice
            The tiles whose samples do not matter.

        Returns
        -------
        bounds : ndarray of shape (n_masks,)
            m = min <u, code> over all samples that matter.
        """
        return kernels.smallest_counts(self.tiles, masks, skip.start, skip.stop)

    def covers(self, masks, bounds, tiles: slice) -> np.ndarray:
        """Return which samples of some tiles each neuron covers: <u, code> < m.

        Returns
        -------
        covers : ndarray of shape (n_masks, n_tiles), uint64
            One bit for each lane.
        """
        return kernels.covers(self.tiles, masks, bounds, tiles.start, tiles.stop)

    def classes_that_fire(self, masks, bounds, starts) -> np.ndarray:
        """Return the classes that have a neuron which covers the sample.

        Returns
        -------
        fires : ndarray of shape (n_samples, n_classes), bool
            Class c has the neurons `starts[c]` .. `starts[c + 1] - 1`.
        """
        fired = kernels.classes_that_fire(self.tiles, masks, bounds, starts)
        return unpack_lanes(fired, self.n_samples)

    def margin_sums(self, masks, bounds, starts, n_votes: int) -> np.ndarray:
        """Sum the `n_votes` largest margins m - <u, code> of each class.

        Returns
        -------
        sums : ndarray of shape (n_samples, n_classes), int64
            Fewer margins are summed where a class has fewer neurons.
        """
        sums = kernels.largest_margins(self.tiles, masks, bounds, starts, n_votes)
        return sums[: self.n_samples]


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
