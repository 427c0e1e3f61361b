"""Distinct samples with one label each, sorted by class: what is memorized.

`Samples` says what the construction asks of them. They are in memory here; in `_parts`
they lie in the chunks of a dask array. Which of the two is chosen once, when `fit`
reads its input.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Protocol

import numpy as np
from sklearn.utils.parallel import Parallel, delayed

from ... import kernels
from ..._estimator._callbacks import DrawOutcome
from ..._estimator._conflicts import Ballots
from ..._estimator._dask import again_if_lost, in_dask_worker
from ...kernels import LANES
from ...kernels._memory import blocks_of_rows
from ._codes import ClassLayout, is_set
from ._covers import (
    Cover,
    DrawingOrder,
    cover_greedily,
    cover_in_drawing_order,
    cover_largest_first,
    without_spare_neurons,
)
from ._drawing import (
    Ball,
    enclosing_ball,
    most_balanced_first,
    representatives,
)
from ._hyperplane_layer import HyperplaneLayer

# Samples that keep this many others from being covered are looked for together.
_MASKS_AT_ONCE = 256
# Weights of labels stay below two to the power of this: one is not lost beside them.
_LARGEST_EXPONENT = 30


class Samples(Protocol):
    """Samples, wherever they are.

    They are sorted by class and then by content: a sample is told by its place there,
    or by its rank within its class. `sizes` is the number of samples of each class.
    """

    @property
    def sizes(self) -> np.ndarray: ...

    @property
    def n_samples(self) -> int: ...

    @property
    def n_conflicts(self) -> int: ...

    def row_numbers_at(self, samples: np.ndarray) -> np.ndarray:
        """Return the row numbers of some samples, told by their place."""

    def label_weights(self, samples: np.ndarray) -> np.ndarray:
        """Return the total weight of each label of samples that are left out.

        They are told by their place. The shape is (n_samples, n_classes).
        """

    def enclosing_ball(self, center: bool, n_threads: int) -> Ball:
        """Return the ball around their mean, or around the origin, that holds them."""

    def most_balanced_first(self, layer: HyperplaneLayer) -> HyperplaneLayer:
        """Sort hyperplanes by how evenly they divide the samples."""

    def encode(self, layer: HyperplaneLayer, activation: str, n_threads: int) -> Any:
        """Return the codes of the samples, or what stands for them."""

    def cover(
        self,
        codes,
        orders: Sequence[DrawingOrder],
        greedy: bool,
        part: Callable,
        n_threads: int,
    ) -> list[Cover]:
        """Cover some classes by codes of `encode`, with an order of drawing for each.

        Each is covered within `part(number)`, a task that is reported. Samples of a
        class are told in covers in a way of these samples' own, which `row_numbers` and
        `to_separate` know.
        """

    def row_numbers(self, number: int, members: np.ndarray) -> np.ndarray:
        """Return the row numbers of samples of a class that a cover tells."""

    def without_spare_neurons(self, codes, covers: list[Cover], classes) -> list[Cover]:
        """Drop neurons of some classes that the others make needless."""

    def to_separate(
        self, codes, missed: dict[int, np.ndarray], is_all: bool
    ) -> tuple[Any, np.ndarray, np.ndarray]:
        """Return samples that are missed, and those that keep them from being covered.

        `missed` are the samples of each class that no neuron covers. With `is_all` the
        others are all samples. Returns the rows in order, their class numbers, and
        which are missed.
        """

    def take(self, samples: np.ndarray) -> Any:
        """Return the rows of some samples, told by their place."""

    def words(self, codes, samples: np.ndarray) -> np.ndarray:
        """Return the bits of some samples, told by their place, as packed words."""

    def two_smallest_counts(self, codes, masks, starts) -> tuple[np.ndarray, ...]:
        """Return the two smallest <u, Phi(x)> of samples of other classes, per neuron.

        Neurons of class c have the masks u `starts[c]` .. `starts[c + 1] - 1`. The
        third array holds the row number of a sample with the smallest count.
        """

    def codes_to_certify(self, codes) -> Any:
        """Return codes for `CoverNetwork.decide_codes`; None if they are elsewhere."""

    def run_draws(
        self, work: Callable, tasks: list[tuple], n_jobs: int | None
    ) -> Iterable[DrawOutcome]:
        """Return `work(samples, *task)` for each task."""

    def missed(self, predictor: Callable, n_threads: int) -> np.ndarray:
        """Return the rows for which `predictor(X, n_threads=...)` is another class."""


@dataclass(frozen=True, eq=False)
class SamplesInMemory:
    """Rows of an array or a CSR array; `layout` says where their codes stand.

    `ballots` are all the labels that samples had before they were resolved, by their
    place among `rows`; None if each had one, and the weight 1.
    """

    X: Any = field(repr=False)
    rows: np.ndarray = field(repr=False)
    layout: ClassLayout
    n_conflicts: int = 0
    ballots: Ballots | None = field(default=None, repr=False)

    @classmethod
    def of(cls, X, labels: np.ndarray, n_classes: int, n_conflicts=0, ballots=None):
        """Sort all rows of X by their class numbers, and those of a class as they come.

        `X` may be None where nothing but the layout is wanted.
        """
        layout = ClassLayout(np.bincount(labels, minlength=n_classes))
        rows = np.argsort(labels, kind="stable")
        if ballots is not None:
            ballots = ballots.of_rows(rows, len(rows))
        return cls(X, rows, layout, n_conflicts, ballots)

    @property
    def sizes(self) -> np.ndarray:
        """Number of samples of each class."""
        return self.layout.sizes

    @property
    def n_samples(self) -> int:
        """Number of samples."""
        return len(self.rows)

    @property
    def labels(self) -> np.ndarray:
        """Class number of each of `rows`."""
        return np.repeat(np.arange(len(self.sizes)), self.sizes)

    @cached_property
    def positions_of_rows(self) -> np.ndarray:
        """Position among the codes of each row of X, if all rows count."""
        return self._by_row(self.layout.positions())

    @cached_property
    def labels_of_rows(self) -> np.ndarray:
        """Class number of each row of X, if all rows count."""
        return self._by_row(self.labels)

    def _by_row(self, values: np.ndarray) -> np.ndarray:
        by_row = np.empty(len(self.rows), dtype=np.intp)
        by_row[self.rows] = values
        return by_row

    def of_class(self, number: int) -> np.ndarray:
        """Return the rows of a class."""
        start = self.sizes[:number].sum()
        return self.rows[start : start + self.sizes[number]]

    def label_weights(self, samples: np.ndarray) -> np.ndarray:
        """Return the total weight of each label of some samples, told by their place.

        The shape is (n_samples, n_classes). Weights so large that a sum of them might
        lose what is as small as one are all divided by a power of two.
        """
        ballots = self.ballots and self.ballots.of_rows(samples, self.n_samples)
        labels = labels_at(self.sizes, samples)
        return weights_of_labels(labels, ballots, len(self.sizes))

    def enclosing_ball(self, center: bool, n_threads: int) -> Ball:
        """Return the ball around their mean, or around the origin, that holds them."""
        return enclosing_ball(self.X, self.rows, center, n_threads, only_used=True)

    def most_balanced_first(self, layer: HyperplaneLayer) -> HyperplaneLayer:
        """Sort hyperplanes by how evenly they divide the samples."""
        rows = np.sort(self.rows[representatives(self.n_samples)])
        return most_balanced_first(layer, self.X[rows])

    def encode(self, layer: HyperplaneLayer, activation: str, n_threads: int):
        """Return the codes of the samples, each class in tiles of its own."""
        positions, n_positions = self.layout.positions(), self.layout.n_positions
        return layer.encode_arranged(
            self.X, self.rows, positions, n_positions, activation, n_threads
        )

    def row_numbers_at(self, samples: np.ndarray) -> np.ndarray:
        """Return the row numbers of some samples, told by their place."""
        return self.rows[samples]

    def cover(
        self,
        codes,
        orders: Sequence[DrawingOrder],
        greedy: bool,
        part: Callable,
        n_threads: int,
    ) -> list[Cover]:
        """Cover some classes, whose samples are told by their ranks."""
        strategy = cover_greedily if greedy else cover_in_drawing_order
        of_class = {order.number: order for order in orders}

        def cover_one(number: int) -> Cover:
            order = of_class[number].all_ranks()
            with part(number):
                return strategy(codes, self.layout.tiles[number], order)

        return cover_largest_first(cover_one, list(of_class), self.sizes, n_threads)

    def row_numbers(self, number: int, members: np.ndarray) -> np.ndarray:
        """Return the row numbers of samples of a class, told by their ranks."""
        return self.rows[self.sizes[:number].sum() + members]

    def without_spare_neurons(self, codes, covers: list[Cover], classes) -> list[Cover]:
        """Drop neurons of some classes that the others make needless."""
        return [
            without_spare_neurons(cover, codes, self.layout.tiles[number])
            for number, cover in zip(classes, covers, strict=True)
        ]

    def to_separate(
        self, codes, missed: dict[int, np.ndarray], is_all: bool
    ) -> tuple[Any, np.ndarray, np.ndarray]:
        """Return samples that are missed, and those that are in their way."""
        first = np.cumsum(self.sizes) - self.sizes
        is_missed = np.zeros(self.n_samples, dtype=bool)
        chosen = np.full(self.n_samples, is_all)
        for number, ranks in missed.items():
            is_missed[first[number] + ranks] = True
            if not is_all:
                masks = codes.masks(self.layout.tiles[number].start * LANES + ranks)
                chosen[unseparated_samples(codes, self.layout, number, masks)] = True
        chosen |= is_missed
        return self.X[self.rows[chosen]], self.labels[chosen], is_missed[chosen]

    def take(self, samples: np.ndarray):
        """Return the rows of some samples, told by their place among `rows`."""
        return self.X[self.rows[samples]]

    def words(self, codes, samples: np.ndarray) -> np.ndarray:
        """Return the bits of some samples as packed words."""
        return codes.words(self.layout.positions()[samples])

    def two_smallest_counts(self, codes, masks, starts) -> tuple[np.ndarray, ...]:
        """Return the two smallest counts of samples of other classes, and whose."""
        words = codes.words(self.layout.positions())
        first = np.concatenate(([0], np.cumsum(self.sizes)))
        *counts, setters = kernels.two_smallest_counts(words, first, masks, starts)
        rows = np.append(self.rows, -1)
        return *counts, rows[setters]

    def codes_to_certify(self, codes):
        """Return the codes: they are at hand."""
        return codes

    def run_draws(
        self, work: Callable, tasks: list[tuple], n_jobs: int | None
    ) -> list[DrawOutcome]:
        """Return `work(samples, *task)` for each task, in parallel jobs."""
        # A pool of workers for a single draw would cost more than it brings.
        n_jobs = n_jobs if len(tasks) > 1 else 1
        # A fit that is itself a task on a cluster does not send its data on.
        require = "sharedmem" if in_dask_worker() else None
        # Arrays that are arguments of their own are sent to a cluster once, and not
        # with every task.
        calls = [
            delayed(_with_samples)(self.X, self.rows, self.layout, work, *task)
            for task in tasks
        ]
        return again_if_lost(
            lambda: Parallel(n_jobs=n_jobs, prefer="threads", require=require)(calls)
        )

    def missed(self, predictor: Callable, n_threads: int) -> np.ndarray:
        """Return the rows for which `predictor(X, n_threads=...)` is another class."""
        labels, missed = self.labels, [np.empty(0, dtype=np.intp)]
        for block in blocks_of_rows(self.n_samples, self.X.shape[1]):
            numbers = predictor(self.X[self.rows[block]], n_threads=n_threads)
            missed.append(self.rows[block][numbers != labels[block]])
        return np.concatenate(missed)


def labels_at(sizes: np.ndarray, places: np.ndarray) -> np.ndarray:
    """Return the class numbers of samples told by their place."""
    return np.searchsorted(np.cumsum(sizes), places, side="right")


def weights_of_labels(
    labels: np.ndarray, ballots: Ballots | None, n_classes: int
) -> np.ndarray:
    """Return the total weight of each label of some samples, one row for each.

    `ballots` are all votes of these samples; if it is None, each has one for its label,
    of weight 1. Where weights are as large as doubles get, they are all divided by the
    same number.
    """
    weights = np.zeros((len(labels), n_classes))
    if ballots is None:
        weights[np.arange(len(labels)), labels] = 1.0
    else:
        largest = math.frexp(float(ballots.weights.max(initial=0.0)))[1]
        votes = np.ldexp(ballots.weights, min(0, _LARGEST_EXPONENT - largest))
        np.add.at(weights, (ballots.rows, ballots.labels), votes)
    return weights


def unseparated_samples(codes, layout: ClassLayout, number: int, masks) -> np.ndarray:
    """Return the samples of other classes that some mask of a class does not tell.

    A neuron with such a mask u has to fire where <u, Phi(x)> is 0, so it would fire at
    these samples, too.
    """
    n_tiles = layout.tiles[-1].stop
    found = np.zeros(n_tiles, dtype=np.uint64)
    for start in range(0, len(masks) if n_tiles else 0, _MASKS_AT_ONCE):
        members = codes.unseparated(
            masks[start : start + _MASKS_AT_ONCE], slice(0, n_tiles)
        )
        found |= np.bitwise_or.reduce(members, axis=0)
    found[layout.tiles[number]] = 0
    return np.flatnonzero(is_set(found, layout.positions()))


def _with_samples(X, rows, layout: ClassLayout, work: Callable, *task):
    return work(SamplesInMemory(X, rows, layout), *task)
