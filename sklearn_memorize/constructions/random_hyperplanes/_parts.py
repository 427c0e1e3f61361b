"""Samples that lie in parts on many machines: measured, encoded and covered there.

What travels is small: what is asked of a part, and what it answers. The codes stay
where they were computed. Each part arranges its own samples by class; the network does
not depend on how the samples are divided.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, Protocol

import numpy as np
from scipy import sparse

from ..._estimator._callbacks import SILENT, Progress
from ...kernels import LANES
from ._codes import BitCodes
from ._construction import Memorization, Rules, memorize_samples
from ._covers import ClassLayout, _is_set
from ._drawing import BALANCE_SAMPLES, Ball, ball_around, measured, most_balanced_first
from ._hyperplane_layer import HyperplaneLayer
from ._relu_codes import ReLUCodes

__all__ = [
    "Arrangement",
    "CoverOfParts",
    "SamplesInParts",
    "Workers",
    "by_part",
    "memorize_in_parts",
    "take_rows",
]

# A round over all parts costs more than some work in vain.
_FEWEST_CANDIDATES = 8
_MOST_CANDIDATES = 256


class Workers(Protocol):
    """Where the parts are, and where work on them is done.

    A column holds one item for each part: a value, or what `keep` returned.
    """

    def gather(self, work: Callable, *columns: Sequence, given: tuple = ()) -> list:
        """Return `work(*items, *given)` for the items of each part."""

    def reduce(
        self, merge: Callable, work: Callable, *columns: Sequence, given: tuple = ()
    ) -> Any:
        """Return `merge` of the list that `gather` would return."""

    def keep(self, work: Callable, *columns: Sequence, given: tuple = ()) -> list:
        """Do what `gather` does, and leave the results where they are."""


@dataclass(frozen=True)
class Arrangement:
    """The samples of one part, sorted by class.

    Parameters
    ----------
    rows : ndarray of shape (n_samples,)
        The rows of the part that count, sorted by class and then as they come.
    sizes : ndarray of shape (n_classes,)
        Number of samples of each class.
    """

    rows: np.ndarray = field(repr=False)
    sizes: np.ndarray

    @property
    def labels(self) -> np.ndarray:
        """Class number of each sample."""
        return np.repeat(np.arange(len(self.sizes)), self.sizes)

    @property
    def layout(self) -> ClassLayout:
        """Where the codes of the samples of this part stand."""
        return ClassLayout.of(self.labels, len(self.sizes))

    def tiles(self, number: int) -> slice:
        """Return the tiles of a class, as `layout` says, without laying out."""
        n_tiles = -(-self.sizes[: number + 1] // LANES)
        return slice(int(n_tiles[:-1].sum()), int(n_tiles.sum()))


def _measured(X, arrangement: Arrangement, measure: Callable) -> list:
    return measured(X, arrangement.rows, measure)


def _encoded(X, arrangement: Arrangement, layer: HyperplaneLayer, activation: str):
    layout = arrangement.layout
    return layer.encode_arranged(
        X, arrangement.rows, layout.positions, layout.n_positions, activation
    )


def _rows_of(X, rows: np.ndarray):
    return X[rows]


def _codes_of(codes, arrangement: Arrangement, ranks: np.ndarray, number: int):
    return codes.take(arrangement.tiles(number).start * LANES + ranks)


def _bounds_of(codes, arrangement: Arrangement, number: int, masks: np.ndarray):
    return codes.largest_bounds(masks, arrangement.tiles(number))


def _smallest(bounds: list[np.ndarray]) -> np.ndarray:
    return np.minimum.reduce(bounds).astype(np.int64)


def _covered_by(codes, arrangement: Arrangement, number: int, masks, bounds):
    """Return which samples of a class any neuron covers, and how many each does."""
    tiles = arrangement.tiles(number)
    if tiles.start == tiles.stop:
        return np.empty(0, dtype=np.uint64), np.zeros(len(masks), dtype=np.intp)
    members = codes.covers(masks, bounds, tiles)
    counts = np.bitwise_count(members).sum(axis=1, dtype=np.intp)
    return np.bitwise_or.reduce(members, axis=0, initial=np.uint64(0)), counts


def _joined(parts: list):
    """Return the codes of several parts as one."""
    if isinstance(parts[0], BitCodes):
        words = np.concatenate([codes.words() for codes in parts])
        return BitCodes.from_words(words, parts[0].n_bits)
    values = np.concatenate([codes.values[: codes.n_samples] for codes in parts])
    joined = ReLUCodes.empty(len(values), values.shape[1])
    joined.values[: len(values)] = values
    return joined


@dataclass(frozen=True)
class CoverOfParts:
    """The neurons of one class, as in `Cover`; of the samples only their number.

    Parameters
    ----------
    centers : ndarray of shape (n_neurons,)
        Rank within its class of the sample behind each neuron.
    masks, bounds : ndarray of shape (n_neurons, n_words) and (n_neurons,)
        The u and m of each neuron.
    coverage : ndarray of shape (n_neurons,)
        Number of samples that each neuron covers.
    n_missed : int
        Number of samples that no neuron covers.
    """

    centers: np.ndarray
    masks: np.ndarray = field(repr=False)
    bounds: np.ndarray = field(repr=False)
    coverage: np.ndarray
    n_missed: int


class SamplesInParts:
    """Distinct samples with one label each, in parts.

    Parameters
    ----------
    workers : Workers
        Where the parts are.
    parts : list
        The rows of each part, an array or what stands for one.
    arrangements : list
        The `Arrangement` of each part, or what stands for it.
    offsets : ndarray of shape (n_parts + 1,)
        The first row of each part.
    rows : ndarray of shape (n_samples,)
        Row number of each sample, in canonical order.
    sizes : ndarray of shape (n_classes,)
        Number of samples of each class.
    n_features : int
        Dimension of the space.
    """

    def __init__(self, workers, parts, arrangements, offsets, rows, sizes, n_features):
        self.workers = workers
        self.parts = parts
        self.arrangements = arrangements
        self.offsets = offsets
        self.rows = rows
        self.sizes = sizes
        self.n_features = n_features
        self._representatives: Any = None
        self._classes: dict[int, _ClassInParts] = {}

    def enclosing_ball(self, center: bool) -> Ball:
        """Measure the samples, as `enclosing_ball` does."""

        def over_parts(measure):
            work = partial(_measured, measure=measure)
            found = self.workers.gather(work, self.parts, self.arrangements)
            return [value for values in found for value in values]

        return ball_around(over_parts, len(self.rows), self.n_features, center)

    def most_balanced_first(self, layer: HyperplaneLayer) -> HyperplaneLayer:
        """Sort hyperplanes by how evenly they divide the samples."""
        if self._representatives is None:
            step = -(-len(self.rows) // BALANCE_SAMPLES)
            self._representatives = take_rows(
                self.workers, self.parts, self.offsets, self.rows[::step]
            )
        X = self._representatives
        return most_balanced_first(layer, X, np.arange(X.shape[0]))

    def encode(self, layer: HyperplaneLayer, rules) -> list:
        """Encode the samples, and leave the codes where they are."""
        given = layer, rules.activation
        return self.workers.keep(_encoded, self.parts, self.arrangements, given=given)

    def cover(self, codes: list, number: int, order: np.ndarray, rules) -> CoverOfParts:
        """Cover a class in the order of drawing.

        The result is that of `cover_in_drawing_order`. Whether a candidate covers
        another is seen from the codes of the candidates; so the parts are only asked
        for the bounds of all candidates, and for the samples that those which remain
        cover. Each is one pass over the parts.

        Parameters
        ----------
        codes : list
            What `encode` returned.
        number : int
            The class.
        order : ndarray of shape (n_samples,)
            The order in which the samples of the class are drawn.
        rules : Rules
            Not used: there is one way to cover.
        """
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
            waiting = waiting[~_is_set(covered, samples.places[waiting])]
            n_ahead = 2 * n_ahead if 2 * len(used) > n_ahead else n_ahead // 2
            n_ahead = min(max(n_ahead, _FEWEST_CANDIDATES), _MOST_CANDIDATES)
        centers, masks, bounds, counts = map(np.concatenate, zip(*kept, strict=True))
        n_missed = len(order) - int(np.bitwise_count(covered).sum())
        return CoverOfParts(centers, masks, bounds, counts, n_missed)

    def _of_class(self, number: int) -> _ClassInParts:
        if number not in self._classes:
            first = int(self.sizes[:number].sum())
            rows = self.rows[first : first + self.sizes[number]]
            self._classes[number] = _ClassInParts(self, number, rows)
        return self._classes[number]


class _ClassInParts:
    """The samples of one class: which lane of the tiles of all parts each has.

    Parameters
    ----------
    samples : SamplesInParts
        The samples of all classes.
    number : int
        The class.
    rows : ndarray of shape (n_samples,)
        The row numbers of its samples, in canonical order.
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
        kind = np.uint32 if self.n_tiles * LANES < 1 << 32 else np.uint64
        # Part k moves its samples up, to where its first tile starts.
        moves = self._first_tiles[:-1] * LANES - borders[:-1]
        self.places = np.empty(len(rows), dtype=kind)
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
        return _joined(found).take(np.argsort(order))

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


def by_part(numbers: np.ndarray, offsets: np.ndarray) -> list[np.ndarray]:
    """Divide increasing numbers among the parts, and count from where each starts.

    Part k holds the numbers from `offsets[k]` up to `offsets[k + 1]`.
    """
    borders = np.searchsorted(numbers, offsets)
    return [
        numbers[borders[k] : borders[k + 1]] - offset
        for k, offset in enumerate(offsets[:-1])
    ]


def take_rows(workers: Workers, parts: list, offsets: np.ndarray, rows: np.ndarray):
    """Return some rows, in increasing order of their numbers.

    Parameters
    ----------
    workers : Workers
        Where the parts are.
    parts : list
        The rows of each part, or what stands for them.
    offsets : ndarray of shape (n_parts + 1,)
        The first row of each part.
    rows : ndarray of shape (n_rows,)
        The numbers of the rows.
    """
    wanted = by_part(np.sort(rows), offsets)
    asked = [k for k, here in enumerate(wanted) if len(here)]
    blocks = workers.gather(
        _rows_of, [parts[k] for k in asked], [wanted[k] for k in asked]
    )
    if sparse.issparse(blocks[0]):
        return sparse.vstack(blocks, format="csr")
    return np.concatenate(blocks)


def _used_in_turn(drawn, masks: np.ndarray, bounds: np.ndarray) -> np.ndarray:
    """Return the candidates that no earlier one covers, of those that have a bound."""
    tiles = slice(0, -(-len(masks) // LANES))
    members = drawn.covers(masks, bounds, tiles)
    covered = np.zeros(members.shape[1], dtype=np.uint64)
    used = []
    for k, bound in enumerate(bounds):
        if bound > 0 and not _is_set(covered, np.intp(k)):
            covered |= members[k]
            used.append(k)
    return np.array(used, dtype=np.intp)


def memorize_in_parts(
    samples: SamplesInParts,
    ball: Ball,
    rules: Rules,
    seed: int,
    progress: Progress = SILENT,
) -> Memorization:
    """Do what `memorize` does, and let go of the codes.

    Parameters
    ----------
    samples : SamplesInParts
        The samples.
    ball : Ball
        Where they lie.
    rules : Rules
        How to memorize, except `greedy` and `prune`.
    seed : int
        Seed of this draw.
    progress : Progress
        Whom to tell.
    """
    return replace(memorize_samples(samples, ball, rules, seed, progress), codes=None)
