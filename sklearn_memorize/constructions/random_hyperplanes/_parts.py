"""Samples that lie in parts on many machines: measured, encoded and covered there.

What travels is small: what is asked of a part, and what it answers. The codes stay
where they were computed. Each part arranges its own samples by class; the network does
not depend on how the samples are divided.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import NamedTuple

import numpy as np

from ..._estimator._callbacks import DrawOutcome
from ..._estimator._conflicts import Ballots
from ..._estimator._dask import DaskWorkers
from ..._estimator._training_set import row_hashes
from ...exceptions import InterpolationError
from ...kernels import LANES
from ._codes import ClassLayout, is_set
from ._covers import Cover, covered_by_any
from ._drawing import (
    Ball,
    ball_around,
    measured,
    most_balanced_first,
    representatives,
)
from ._hyperplane_layer import HyperplaneLayer
from ._rows import stacked
from ._samples import SamplesInMemory, label_weights, unseparated_samples

# A round over all parts costs more than some work in vain.
_FEWEST_CANDIDATES = 8
_MOST_CANDIDATES = 256


class Arrangement(NamedTuple):
    """The rows of one part that count, sorted by class and then as they come."""

    rows: np.ndarray
    layout: ClassLayout


@dataclass(frozen=True, eq=False)
class SamplesInParts:
    """Distinct samples with one label each, in parts: see `Samples`.

    `parts` are the rows of each part, an array or what stands for one on the `workers`,
    `arrangements` their `Arrangement`, and `checksums` what the hashes of the rows add
    up to; part k holds the rows `offsets[k]` .. `offsets[k + 1] - 1` of all. `ballots`
    are as those of `SamplesInMemory`.
    """

    workers: DaskWorkers = field(repr=False)
    parts: list = field(repr=False)
    arrangements: list = field(repr=False)
    checksums: list[int] = field(repr=False)
    offsets: np.ndarray = field(repr=False)
    rows: np.ndarray = field(repr=False)
    sizes: np.ndarray
    n_features: int
    n_conflicts: int
    ballots: Ballots | None = field(default=None, repr=False)
    # Found when they are first asked for.
    _representatives: list = field(default_factory=list, repr=False)
    _classes: dict[int, _ClassInParts] = field(default_factory=dict, repr=False)

    @property
    def n_samples(self) -> int:
        """Number of samples."""
        return len(self.rows)

    @property
    def labels(self) -> np.ndarray:
        """Class number of each of `rows`."""
        return np.repeat(np.arange(len(self.sizes)), self.sizes)

    def label_weights(self, samples: np.ndarray) -> np.ndarray:
        """Return the total weight of each label of some samples."""
        return label_weights(self, samples)

    def enclosing_ball(self, center: bool, n_threads: int) -> Ball:
        """Return the ball around their mean, or around the origin, that holds them."""

        def over_parts(measure):
            work = partial(_measured, measure=measure)
            found = self.workers.gather(work, self.parts, self.arrangements)
            return [value for values in found for value in values]

        return ball_around(over_parts, len(self.rows), self.n_features, center)

    def most_balanced_first(self, layer: HyperplaneLayer) -> HyperplaneLayer:
        """Sort hyperplanes by how evenly they divide the samples."""
        if not self._representatives:
            rows = representatives(self.rows)
            X = take_rows(self.workers, self.parts, self.offsets, rows)
            self._representatives.append(X)
        return most_balanced_first(layer, self._representatives[0])

    def encode(self, layer: HyperplaneLayer, activation: str, n_threads: int) -> list:
        """Encode the samples, and leave the codes where they are."""
        given = layer, activation
        return self.workers.keep(_encoded, self.parts, self.arrangements, given=given)

    def cover(self, codes: list, number: int, order: np.ndarray, greedy: bool) -> Cover:
        """Cover a class in the order of drawing, as `cover_in_drawing_order` does.

        Whether a candidate covers another is seen from the codes of the candidates; so
        the parts are only asked for the bounds of all candidates, and for the samples
        that those which remain cover. Each is one pass over the parts.
        """
        assert not greedy
        samples = self._of_class(number)
        covered = np.zeros(samples.n_tiles, dtype=np.uint64)
        kept: list[tuple] = []
        waiting = order
        n_ahead = _FEWEST_CANDIDATES
        while len(waiting):
            candidates, waiting = waiting[:n_ahead], waiting[n_ahead:]
            drawn = samples.codes_of(codes, candidates)
            masks = drawn.masks(np.arange(len(candidates)))
            bounds = samples.largest_bounds(codes, masks)
            used = _used_in_turn(drawn, masks, bounds)
            members, counts = samples.covers(codes, masks[used], bounds[used])
            kept.append((candidates[used], masks[used], bounds[used], counts))
            covered |= members
            waiting = waiting[~is_set(covered, samples.places[waiting])]
            n_needed = len(used) + np.count_nonzero(bounds <= 0)
            n_ahead = 2 * n_ahead if 2 * n_needed > n_ahead else n_ahead // 2
            n_ahead = min(max(n_ahead, _FEWEST_CANDIDATES), _MOST_CANDIDATES)
        centers, masks, bounds, counts = map(np.concatenate, zip(*kept, strict=True))
        missed = np.flatnonzero(~is_set(covered, samples.places))
        return Cover(centers, masks, bounds, counts, missed)

    def without_spare_neurons(self, codes: list, covers: list[Cover], classes):
        """Raise: that needs all samples in one place, and `fit` refuses to."""
        raise NotImplementedError

    def unseparated(self, codes: list, missed: dict[int, np.ndarray]) -> np.ndarray:
        """Return the row numbers of samples that some are not separated from."""
        found = []
        for number, ranks in missed.items():
            if len(ranks) == 0:
                continue
            samples = self._of_class(number)
            masks = samples.codes_of(codes, ranks).masks(np.arange(len(ranks)))
            given = number, masks
            rows = self.workers.gather(
                _unseparated_in, codes, self.arrangements, given=given
            )
            numbered = zip(self.offsets, rows, strict=False)
            found += [start + part for start, part in numbered]
        return np.unique(np.concatenate(found))

    def take(self, samples: np.ndarray):
        """Return the rows of some samples, told by their place among `rows`."""
        rows = self.rows[samples]
        X = take_rows(self.workers, self.parts, self.offsets, rows)
        return X[np.argsort(np.argsort(rows))]

    def words(self, codes: list, samples: np.ndarray) -> np.ndarray:
        """Return the bits of some samples as packed words."""
        first = np.cumsum(self.sizes) - self.sizes
        numbers = self.labels[samples]
        n_words = 0
        found = []
        for number in np.unique(numbers):
            ranks = samples[numbers == number] - first[number]
            found.append(self._of_class(int(number)).codes_of(codes, ranks).words())
            n_words = found[-1].shape[1]
        words = np.empty((len(samples), n_words), dtype=np.uint64)
        words[np.argsort(numbers, kind="stable")] = np.concatenate(found)
        return words

    def two_smallest_counts(self, codes: list, masks, starts) -> tuple:
        """Return the two smallest counts of samples of other classes, and whose."""
        return self.workers.reduce(
            _two_smallest,
            _two_smallest_counts_in,
            codes,
            self.arrangements,
            self.offsets[:-1].tolist(),
            given=(masks, starts),
        )

    def codes_to_certify(self, codes) -> None:
        """Return None: the codes are elsewhere, and are let go."""

    def run_draws(
        self, work: Callable, tasks: list[tuple], n_jobs: int | None
    ) -> Iterator[DrawOutcome]:
        """Yield `work(samples, *task)`, one after the other: each keeps all workers."""
        for task in tasks:
            yield work(self, *task)

    def missed(self, predictor: Callable, n_threads: int) -> np.ndarray:
        """Return the rows for which `predictor(X, n_threads=1)` is another class."""
        columns = self.parts, self.arrangements, self.checksums
        found = self.workers.gather(_missed, *columns, given=(predictor,))
        numbered = zip(self.offsets, found, strict=False)
        return np.concatenate([start + rows for start, rows in numbered])

    def _of_class(self, number: int) -> _ClassInParts:
        if number not in self._classes:
            first = int(self.sizes[:number].sum())
            rows = self.rows[first : first + self.sizes[number]]
            self._classes[number] = _ClassInParts(self, number, rows)
        return self._classes[number]


class _ClassInParts:
    """The samples of one class: which lane of the tiles of all parts each has.

    `rows` are the row numbers of its samples, in canonical order.
    """

    def __init__(self, samples: SamplesInParts, number: int, rows: np.ndarray):
        self._workers = samples.workers
        self._arrangements = samples.arrangements
        self._number = number
        order = np.argsort(rows)
        borders = np.searchsorted(rows, samples.offsets, sorter=order)
        n_tiles = -(-np.diff(borders) // LANES)
        self._first_tiles = np.concatenate(([0], np.cumsum(n_tiles)))
        self.n_tiles = int(self._first_tiles[-1])
        dtype = np.uint32 if self.n_tiles * LANES < 1 << 32 else np.uint64
        # Part k moves its samples up, to where its first tile starts.
        moves = self._first_tiles[:-1] * LANES - borders[:-1]
        self.places = np.empty(len(rows), dtype=dtype)
        for start, stop, move in zip(borders, borders[1:], moves, strict=False):
            self.places[order[start:stop]] = np.arange(start + move, stop + move)

    def codes_of(self, codes: list, ranks: np.ndarray):
        """Return the codes of some samples."""
        places = self.places[ranks].astype(np.intp)
        order = np.argsort(places)
        wanted = by_part(places[order], self._first_tiles * LANES)
        asked = [k for k, here in enumerate(wanted) if len(here)]
        found = self._workers.gather(
            _codes_of,
            [codes[k] for k in asked],
            [self._arrangements[k] for k in asked],
            [wanted[k] for k in asked],
            given=(self._number,),
        )
        return found[0].joined_by(*found[1:]).take(np.argsort(order))

    def largest_bounds(self, codes: list, masks: np.ndarray) -> np.ndarray:
        """Return the largest bounds with which no other class is covered."""
        given = self._number, masks
        return self._workers.reduce(
            _smallest, _bounds_of, codes, self._arrangements, given=given
        )

    def covers(self, codes: list, masks: np.ndarray, bounds: np.ndarray):
        """Return the samples that any neuron covers, and how many each does."""
        if len(masks) == 0:
            return np.zeros(self.n_tiles, dtype=np.uint64), np.empty(0, dtype=np.intp)
        given = self._number, masks, bounds
        found = self._workers.gather(
            _covered_by, codes, self._arrangements, given=given
        )
        members, counts = zip(*found, strict=True)
        return np.concatenate(members), np.add.reduce(counts)


def _used_in_turn(drawn, masks: np.ndarray, bounds: np.ndarray) -> np.ndarray:
    """Return the candidates that no earlier one covers, of those that have a bound."""
    tiles = slice(0, -(-len(masks) // LANES))
    members = drawn.covers(masks, bounds, tiles)
    covered = np.zeros(members.shape[1], dtype=np.uint64)
    used = []
    for k, bound in enumerate(bounds):
        if bound > 0 and not is_set(covered, np.intp(k)):
            covered |= members[k]
            used.append(k)
    return np.array(used, dtype=np.intp)


def by_part(numbers: np.ndarray, offsets: np.ndarray) -> list[np.ndarray]:
    """Divide increasing numbers among the parts, and count from where each starts.

    Part k holds the numbers from `offsets[k]` up to `offsets[k + 1]`.
    """
    borders = np.searchsorted(numbers, offsets)
    return [
        numbers[borders[k] : borders[k + 1]] - offset
        for k, offset in enumerate(offsets[:-1])
    ]


def take_rows(workers: DaskWorkers, parts: list, offsets: np.ndarray, rows: np.ndarray):
    """Return some rows of all parts, in increasing order of their numbers."""
    wanted = by_part(np.sort(rows), offsets)
    asked = [k for k, here in enumerate(wanted) if len(here)]
    blocks = workers.gather(
        _rows_of, [parts[k] for k in asked], [wanted[k] for k in asked]
    )
    return stacked(blocks)


def checksum(hashes: np.ndarray) -> int:
    """Return a number that depends on the hashes and on their order."""
    weights = 2 * np.arange(len(hashes), dtype=np.uint64) + np.uint64(1)
    return int((hashes * weights).sum(dtype=np.uint64))


# What is done where a part is.


def _measured(X, arrangement: Arrangement, measure: Callable) -> list:
    return measured(X, arrangement.rows, measure)


def _encoded(X, arrangement: Arrangement, layer: HyperplaneLayer, activation: str):
    return SamplesInMemory(X, *arrangement).encode(layer, activation, 1)


def _rows_of(X, rows: np.ndarray):
    return X[rows]


def _codes_of(codes, arrangement: Arrangement, ranks: np.ndarray, number: int):
    return codes.take(arrangement.layout.tiles[number].start * LANES + ranks)


def _bounds_of(codes, arrangement: Arrangement, number: int, masks: np.ndarray):
    return codes.largest_bounds(masks, arrangement.layout.tiles[number])


def _smallest(bounds: list[np.ndarray]) -> np.ndarray:
    return np.minimum.reduce(bounds).astype(np.int64)


def _two_smallest_counts_in(
    codes, arrangement: Arrangement, offset: int, masks, starts
):
    """Return the two smallest counts in a part, and the row number of the smallest."""
    samples = SamplesInMemory(None, *arrangement)
    *counts, rows = samples.two_smallest_counts(codes, masks, starts)
    return *counts, np.where(rows < 0, -1, rows.astype(np.int64) + offset)


def _two_smallest(found: list[tuple]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the two smallest counts of all parts.

    Of samples with the same count any may stand for all: there are two of them.
    """
    smallest, second, setters = found[0]
    for other, other_second, other_setters in found[1:]:
        between = np.maximum(smallest, other)
        setters = np.where(other < smallest, other_setters, setters)
        smallest = np.minimum(smallest, other)
        second = np.minimum(between, np.minimum(second, other_second))
    return smallest, second, setters


def _covered_by(codes, arrangement: Arrangement, number: int, masks, bounds):
    """Return which samples of a class any neuron covers, and how many each does."""
    tiles = arrangement.layout.tiles[number]
    if tiles.start == tiles.stop:
        return np.empty(0, dtype=np.uint64), np.zeros(len(masks), dtype=np.intp)
    members = codes.covers(masks, bounds, tiles)
    return covered_by_any(members), np.bitwise_count(members).sum(axis=1, dtype=np.intp)


def _unseparated_in(codes, arrangement: Arrangement, number: int, masks):
    """Return the rows of other classes that no bit of some mask separates."""
    return arrangement.rows[
        unseparated_samples(codes, arrangement.layout, number, masks)
    ]


def _missed(X, arrangement: Arrangement, expected: int, predictor: Callable):
    if checksum(row_hashes(X)) != expected:
        raise InterpolationError(
            "The values of X changed while it was read again. A dask array that draws "
            "random numbers needs a seed for each chunk; or call X.persist() first."
        )
    return SamplesInMemory(X, *arrangement).missed(predictor, n_threads=1)
