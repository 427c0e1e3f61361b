"""Samples that lie in parts on many machines: measured, encoded and covered there.

What travels is small: what is asked of a part, and what it answers. The codes stay
where they were computed, and so does what is known of each single sample. Each part
arranges its own samples by class; the network does not depend on how the samples are
divided. Several draws are at work at the same time, so that workers have something to
do while one of them waits for the slowest part.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import dataclass, field
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from ..._estimator._callbacks import DrawOutcome
from ..._estimator._conflicts import Ballots
from ..._estimator._dask import DaskWorkers
from ..._estimator._training_set import row_hashes
from ...exceptions import InterpolationError
from ...kernels import LANES
from ...kernels._memory import check_room
from ._codes import ClassLayout
from ._covers import Cover, DrawingOrder
from ._covers_of_parts import cover_classes
from ._drawing import (
    Ball,
    ball_around,
    measured,
    most_balanced_first,
    representatives,
)
from ._hash_ranges import checksum
from ._hyperplane_layer import HyperplaneLayer
from ._rows import stacked
from ._samples import (
    SamplesInMemory,
    labels_at,
    unseparated_samples,
    weights_of_labels,
)

# So many draws are at work at the same time, each with codes of its own.
_DRAWS_AT_ONCE = 2


class Arrangement(NamedTuple):
    """The rows of one part that count, sorted by class and then as they come.

    `ranks` are their ranks among all samples of their class, in all parts.
    """

    rows: np.ndarray
    layout: ClassLayout
    ranks: np.ndarray

    def of_class(self, number: int) -> slice:
        """Return where the samples of a class stand."""
        start = int(self.layout.sizes[:number].sum())
        return slice(start, start + int(self.layout.sizes[number]))

    def in_memory(self, X) -> SamplesInMemory:
        """Return the samples of this part alone."""
        return SamplesInMemory(X, self.rows, self.layout)

    def members(self, rows: np.ndarray) -> np.ndarray:
        """Return which samples of this part have some row numbers."""
        members = np.empty(len(rows), dtype=np.intp)
        for number in np.flatnonzero(self.layout.sizes).tolist():
            here = self.of_class(number)
            found = np.searchsorted(self.rows[here], rows) + here.start
            found = np.minimum(found, here.stop - 1)
            is_found = self.rows[found] == rows
            members[is_found] = found[is_found]
        return members


@dataclass(frozen=True, eq=False)
class SamplesInParts:
    """Distinct samples with one label each, in parts: see `Samples`.

    `parts` are the rows of each part, an array or what stands for one on the `workers`,
    `arrangements` their `Arrangement`, and `checksums` what the hashes of the rows add
    up to; part k holds the rows `offsets[k]` .. `offsets[k + 1] - 1` of all. Covers
    tell samples by their row numbers. `left_out` are the places of the samples that
    will be left out, and their votes, or None if each sample has one of weight 1.
    """

    workers: DaskWorkers = field(repr=False)
    parts: list = field(repr=False)
    arrangements: list = field(repr=False)
    checksums: list[int] = field(repr=False)
    offsets: np.ndarray = field(repr=False)
    sizes: np.ndarray
    n_features: int
    n_conflicts: int
    left_out: tuple[np.ndarray, Ballots | None] | None = field(default=None, repr=False)
    # Found when they are first asked for.
    _row_numbers: dict[bytes, np.ndarray] = field(default_factory=dict, repr=False)
    _representatives: list = field(default_factory=list, repr=False)

    @property
    def n_samples(self) -> int:
        """Number of samples."""
        return int(self.sizes.sum())

    def row_numbers_at(self, samples: np.ndarray) -> np.ndarray:
        """Return the row numbers of some samples, told by their place."""
        key = samples.tobytes()
        if key not in self._row_numbers:
            first = np.cumsum(self.sizes) - self.sizes
            order = np.argsort(samples)
            labels = labels_at(self.sizes, samples[order])
            given = labels, samples[order] - first[labels]
            columns = self.arrangements, self.offsets[:-1].tolist()
            found = self.workers.gather(_rows_of_ranks, *columns, given=given)
            places, rows = map(np.concatenate, zip(*found, strict=True))
            numbers = np.empty(len(samples), dtype=np.int64)
            numbers[order[places]] = rows
            self._row_numbers[key] = numbers
        return self._row_numbers[key]

    def label_weights(self, samples: np.ndarray) -> np.ndarray:
        """Return the total weight of each label of the samples that are left out."""
        assert self.left_out is not None
        places, votes = self.left_out
        assert np.array_equal(places, samples)
        labels = labels_at(self.sizes, samples)
        return weights_of_labels(labels, votes, len(self.sizes))

    def enclosing_ball(self, center: bool, n_threads: int) -> Ball:
        """Return the ball around their mean, or around the origin, that holds them."""

        def over_parts(measure):
            work = partial(_measured, measure=measure)
            found = self.workers.gather(work, self.parts, self.arrangements)
            return [value for values in found for value in values]

        return ball_around(over_parts, self.n_samples, self.n_features, center)

    def most_balanced_first(self, layer: HyperplaneLayer) -> HyperplaneLayer:
        """Sort hyperplanes by how evenly they divide the samples."""
        if not self._representatives:
            rows = np.sort(self.row_numbers_at(representatives(self.n_samples)))
            self._representatives.append(self._take_rows(rows))
        return most_balanced_first(layer, self._representatives[0])

    def encode(self, layer: HyperplaneLayer, activation: str, n_threads: int) -> list:
        """Encode the samples, and leave the codes where they are."""
        given = layer, activation
        return self.workers.keep(_encoded, self.parts, self.arrangements, given=given)

    def cover(
        self,
        codes: list,
        orders: Sequence[DrawingOrder],
        greedy: bool,
        part: Callable,
        n_threads: int,
    ) -> list[Cover]:
        """Cover some classes, all at once, by samples told by their row numbers."""
        assert not greedy
        offsets = self.offsets[:-1].tolist()
        return cover_classes(
            self.workers, codes, self.arrangements, offsets, orders, part
        )

    def row_numbers(self, number: int, members: np.ndarray) -> np.ndarray:
        """Return the row numbers of samples of covers: these are row numbers."""
        return members

    def without_spare_neurons(self, codes: list, covers: list[Cover], classes):
        """Raise: that needs all samples in one place, and `fit` refuses to."""
        raise NotImplementedError

    def to_separate(
        self, codes: list, missed: dict[int, np.ndarray], is_all: bool
    ) -> tuple[Any, np.ndarray, np.ndarray]:
        """Return samples that are missed, and those that keep them from being covered.

        They come to this process; with `is_all`, all samples do.
        """
        all_missed = np.sort(np.concatenate(list(missed.values())))
        asked = list(range(len(self.parts)))
        chosen: list = [None] * len(self.parts)
        if is_all:
            check_room(
                2 * 8 * self.n_samples * self.n_features,
                f"{len(all_missed):,} samples are not separated from all others by "
                "random hyperplanes, so hyperplanes are chosen by all samples in one "
                "place; set separating_hyperplanes=False, or more of min_hyperplanes. "
                "All samples in one place",
            )
        else:
            rows = [all_missed]
            masks = {
                number: self._codes_at(codes, members).masks(np.arange(len(members)))
                for number, members in missed.items()
                if len(members)
            }
            rows += self.workers.gather(
                _unseparated_in,
                codes,
                self.arrangements,
                self.offsets[:-1].tolist(),
                given=(masks,),
            )
            asked, chosen = self._by_part(np.unique(np.concatenate(rows)))
        found = self.workers.gather(
            _rows_and_places,
            [self.parts[k] for k in asked],
            [self.arrangements[k] for k in asked],
            [int(self.offsets[k]) for k in asked],
            chosen,
            given=(self.sizes,),
        )
        blocks, *columns = zip(*found, strict=True)
        places, numbers = map(np.concatenate, columns)
        order = np.argsort(places)
        labels = labels_at(self.sizes, places[order])
        return stacked(blocks)[order], labels, np.isin(numbers[order], all_missed)

    def take(self, samples: np.ndarray):
        """Return the rows of some samples, told by their place."""
        rows = self.row_numbers_at(samples)
        return self._take_rows(np.sort(rows))[np.argsort(np.argsort(rows))]

    def words(self, codes: list, samples: np.ndarray) -> np.ndarray:
        """Return the bits of some samples as packed words."""
        return self._codes_at(codes, self.row_numbers_at(samples)).words()

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
        """Yield `work(samples, *task)` in order; a few at a time are at work."""
        if len(tasks) == 1:
            yield work(self, *tasks[0])
            return
        with ThreadPoolExecutor(_DRAWS_AT_ONCE) as threads:
            draws = [
                threads.submit(copy_context().run, work, self, *task) for task in tasks
            ]
            try:
                for draw in draws:
                    yield draw.result()
            finally:
                for draw in draws:
                    draw.cancel()

    def missed(self, predictor: Callable, n_threads: int) -> np.ndarray:
        """Return the rows for which `predictor(X, n_threads=1)` is another class."""
        columns = self.parts, self.arrangements, self.checksums
        found = self.workers.gather(_missed, *columns, given=(predictor,))
        numbered = zip(self.offsets, found, strict=False)
        return np.concatenate([start + rows for start, rows in numbered])

    def _by_part(self, rows: np.ndarray) -> tuple[list[int], list[np.ndarray]]:
        """Return the parts that some rows lie in, and which rows of each these are.

        The row numbers increase.
        """
        borders = np.searchsorted(rows, self.offsets)
        asked = np.flatnonzero(np.diff(borders)).tolist()
        of_parts = [rows[borders[k] : borders[k + 1]] - self.offsets[k] for k in asked]
        return asked, of_parts

    def _take_rows(self, rows: np.ndarray):
        """Return rows of all parts, told by their increasing row numbers."""
        asked, of_parts = self._by_part(rows)
        columns = [self.parts[k] for k in asked], of_parts
        return stacked(self.workers.gather(_rows_at, *columns))

    def _codes_at(self, codes: list, rows: np.ndarray):
        """Return the codes of some samples, told by their row numbers."""
        order = np.argsort(rows)
        asked, of_parts = self._by_part(rows[order])
        found = self.workers.gather(
            _codes_at_rows,
            [codes[k] for k in asked],
            [self.arrangements[k] for k in asked],
            of_parts,
        )
        return found[0].joined_by(*found[1:]).take(np.argsort(order))


# What is done where a part is.


def _measured(X, arrangement: Arrangement, measure: Callable) -> list:
    return measured(X, arrangement.rows, measure)


def _encoded(X, arrangement: Arrangement, layer: HyperplaneLayer, activation: str):
    return arrangement.in_memory(X).encode(layer, activation, 1)


def _rows_at(X, rows: np.ndarray):
    return X[rows]


def _rows_of_ranks(arrangement: Arrangement, offset: int, labels, ranks) -> tuple:
    """Return which samples of some ranks lie in a part, and their row numbers.

    Class numbers increase, and so do the ranks within a class.
    """
    places, rows = [np.empty(0, np.intp)], [np.empty(0, np.int64)]
    for number in np.unique(labels).tolist():
        start, stop = np.searchsorted(labels, (number, number + 1)).tolist()
        wanted = ranks[start:stop]
        here = arrangement.of_class(number)
        of_class = arrangement.ranks[here]
        found = np.searchsorted(wanted, of_class)
        found[found == len(wanted)] = 0
        members = np.flatnonzero(wanted[found] == of_class)
        places.append(start + found[members])
        rows.append(offset + arrangement.rows[here][members].astype(np.int64))
    return np.concatenate(places), np.concatenate(rows)


def _codes_at_rows(codes, arrangement: Arrangement, rows: np.ndarray):
    members, layout = arrangement.members(rows), arrangement.layout
    labels = labels_at(layout.sizes, members)
    first_tiles = np.array([tiles.start for tiles in layout.tiles])
    first = np.cumsum(layout.sizes) - layout.sizes
    return codes.take(first_tiles[labels] * LANES + members - first[labels])


def _two_smallest_counts_in(
    codes, arrangement: Arrangement, offset: int, masks, starts
):
    """Return the two smallest counts in a part, and the row number of the smallest."""
    samples = arrangement.in_memory(None)
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


def _unseparated_in(
    codes, arrangement: Arrangement, offset: int, masks: dict[int, np.ndarray]
) -> np.ndarray:
    """Return the rows that no bit of some mask of another class separates."""
    found = [np.empty(0, dtype=np.intp)]
    for number, of_class in masks.items():
        members = unseparated_samples(codes, arrangement.layout, number, of_class)
        found.append(arrangement.rows[members] + offset)
    return np.unique(np.concatenate(found))


def _rows_and_places(X, arrangement: Arrangement, offset: int, rows, sizes) -> tuple:
    """Return rows (all if None), their places among all samples and their numbers."""
    members = np.arange(len(arrangement.rows))
    if rows is not None:
        members = np.sort(arrangement.members(rows))
    labels = labels_at(arrangement.layout.sizes, members)
    first = np.cumsum(sizes) - sizes
    rows = arrangement.rows[members]
    places = first[labels] + arrangement.ranks[members].astype(np.intp)
    return X[rows], places, rows.astype(np.int64) + offset


def _missed(X, arrangement: Arrangement, expected: int, predictor: Callable):
    if checksum(row_hashes(X)) != expected:
        raise InterpolationError(
            "The values of X changed while it was read again. A dask array that draws "
            "random numbers needs a seed for each chunk; or call X.persist() first."
        )
    return arrangement.in_memory(X).missed(predictor, n_threads=1)
