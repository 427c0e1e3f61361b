"""The outputs of a ReLU layer for many samples, in fixed point."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from ... import kernels
from ...kernels import LANES
from ._codes import unpack_bits, unpack_lanes

__all__ = ["FRACTION_BITS", "ReLUCodes"]

# ReLU outputs are rounded up to multiples of 2**-FRACTION_BITS of the data's scale.
# That is an activation s with s(t) = 0 for t <= 0 and s(t) > 0 for t > 0, all that the
# construction asks for, and it makes every sum below 2**53 exact in any order.
FRACTION_BITS = 26
_EXACT_INTEGERS = 2.0**53
_BLOCK_VALUES = 1 << 22


@dataclass(frozen=True, eq=False)
class ReLUCodes:
    """Nonnegative integers: `values[i, j]` is what hyperplane j says of sample i.

    Positions come in tiles of 64, as in `BitCodes`; rows that hold no sample are at
    the cap, so that no neuron covers them.

    Parameters
    ----------
    values : ndarray of shape (64 * n_tiles, n_hyperplanes)
        Integers in double precision.
    n_samples : int
        Number of positions in use.
    """

    values: np.ndarray = field(repr=False)
    n_samples: int

    @classmethod
    def empty(cls, n_samples: int, n_hyperplanes: int) -> ReLUCodes:
        """Return room for the codes of `n_samples` samples, without a sample yet."""
        shape = (-(-n_samples // LANES) * LANES, n_hyperplanes)
        codes = cls(np.empty(shape), n_samples)
        codes.values.fill(codes.cap)
        return codes

    @property
    def cap(self) -> float:
        """Largest value of one output: n of them sum to less than 2**53."""
        return float(np.floor(_EXACT_INTEGERS / (self.values.shape[1] + 1)))

    def part(self, tiles: slice) -> ReLUCodes:
        """Return the codes of some tiles, all their positions in use."""
        part = self.values[tiles.start * LANES : tiles.stop * LANES]
        return ReLUCodes(part, len(part))

    def arranged(self, n_threads: int = 1) -> ReLUCodes:
        """Return the codes laid out as many of them are evaluated fastest: as is."""
        return self

    def take(self, positions) -> ReLUCodes:
        """Return the codes of some samples, closed up."""
        codes = ReLUCodes.empty(len(positions), self.values.shape[1])
        codes.values[: len(positions)] = self.values[positions]
        return codes

    def masks(self, positions) -> np.ndarray:
        """Return u = 1[output = 0] of some samples, packed like bits."""
        return kernels.pack_bits(self.values[positions] == 0)

    def _sums(self, masks: np.ndarray):
        """Yield the exact sums <u, output>, block by block."""
        n_hyperplanes = self.values.shape[1]
        weights = unpack_bits(masks, n_hyperplanes).T.astype(np.float64)
        step = max(LANES, _BLOCK_VALUES // max(1, n_hyperplanes) // LANES * LANES)
        for start in range(0, len(self.values), step):
            block = slice(start, min(start + step, len(self.values)))
            yield block, self.values[block] @ weights

    def largest_bounds(self, masks, skip: slice) -> np.ndarray:
        """Return the largest bounds m with which no sample is covered.

        They leave room for the rounding of the outputs, by at most one unit each, so
        that real-valued ReLU outputs give the same answers on the samples.

        Parameters
        ----------
        masks : ndarray of shape (n_masks, n_words)
            One mask u for each neuron.
        skip : slice
            The tiles whose samples do not matter.

        Returns
        -------
        bounds : ndarray of shape (n_masks,)
            `m = min <u, output> - |u| - 1` over all samples that matter.
        """
        smallest = np.full(len(masks), _EXACT_INTEGERS)
        matters = np.ones(len(self.values), dtype=bool)
        matters[skip.start * LANES : skip.stop * LANES] = False
        for block, sums in self._sums(masks):
            sums = sums[matters[block]]
            if len(sums):
                np.minimum(smallest, sums.min(axis=0), out=smallest)
        sizes = np.bitwise_count(masks).sum(axis=1)
        return (smallest - sizes - 1).astype(np.int64)

    def covers(self, masks, bounds, tiles: slice) -> np.ndarray:
        """Return which samples of some tiles each neuron covers, one bit a lane."""
        fires = [sums < bounds for _, sums in self.part(tiles)._sums(masks)]
        n_tiles = tiles.stop - tiles.start
        lanes = np.concatenate(fires).reshape(n_tiles, LANES, len(masks))
        words = kernels.pack_bits(lanes.transpose(0, 2, 1).reshape(-1, LANES))
        return np.ascontiguousarray(words.reshape(n_tiles, len(masks)).T)

    def classes_that_fire(self, masks, bounds, starts) -> np.ndarray:
        """Return the classes that have a neuron which covers the sample."""
        n_tiles = len(self.values) // LANES
        fired = np.zeros((n_tiles, len(starts) - 1), dtype=np.uint64)
        for number, (start, stop) in enumerate(zip(starts, starts[1:], strict=False)):
            covers = self.covers(
                masks[start:stop], bounds[start:stop], slice(0, n_tiles)
            )
            fired[:, number] = np.bitwise_or.reduce(covers, axis=0)
        return unpack_lanes(fired, self.n_samples)

    def margin_sums(self, masks, bounds, starts, n_votes: int) -> np.ndarray:
        """Sum the `n_votes` largest margins m - <u, output> of each class."""
        totals = np.zeros((len(self.values), len(starts) - 1))
        for number, (start, stop) in enumerate(zip(starts, starts[1:], strict=False)):
            n_kept = min(n_votes, stop - start)
            if n_kept == 0:
                continue
            for block, sums in self._sums(masks[start:stop]):
                margins = bounds[start:stop] - sums
                margins.partition(margins.shape[1] - n_kept, axis=1)
                totals[block, number] = margins[:, -n_kept:].sum(axis=1)
        return totals[: self.n_samples]
