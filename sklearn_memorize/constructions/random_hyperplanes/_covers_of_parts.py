"""Cover classes whose samples lie in parts, all classes at once.

A round takes two passes over the parts:

    1. Each part marks what the neurons of the last round cover, and names its first
       samples left over, in the order of drawing. The first of all parts are the next
       candidates of each class; whether one covers another is seen from their codes.
    2. Each part tells the smallest count of a sample of another class for each
       candidate. The smallest of all is its bound.

Which samples are covered is kept where they are, one bit for each. So what travels
depends on the number of candidates and parts, and not on the number of samples.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from typing import Any, NamedTuple

import numpy as np

from ..._estimator._dask import DaskWorkers
from ...kernels import LANES
from ._codes import is_set
from ._covers import Cover, DrawingOrder, covered_by_any, lanes

# A round over all parts costs more than some work in vain.
_FEWEST_CANDIDATES = 8
_MOST_CANDIDATES = 512


class _Question(NamedTuple):
    """What is asked of the samples of a class.

    Neurons of `masks` and `bounds` are new, and samples up to the turn `last` (None:
    none) have had their turn. The first `n_wanted` of the others that are not covered
    are to be named.
    """

    order: DrawingOrder
    masks: np.ndarray | None
    bounds: np.ndarray | None
    last: np.uint64 | None
    n_wanted: int


class _Answer(NamedTuple):
    """The first samples left over: turns, row numbers and codes.

    The codes are None if there is no sample. `counts` says how many samples each of the
    new neurons covers, and `n_left` is the number of samples that none covers.
    """

    turns: np.ndarray
    rows: np.ndarray
    codes: Any
    counts: np.ndarray
    n_left: int
    n_wanted: int


class _Round(NamedTuple):
    """Which samples of a part are covered, by class, one bit each; and the answers."""

    covered: dict[int, np.ndarray]
    answers: dict[int, _Answer]


class _GrowingCover:
    """The neurons of one class so far, and what to ask next."""

    def __init__(self, order: DrawingOrder):
        self.question = _Question(order, None, None, None, _FEWEST_CANDIDATES)
        self.n_left = order.size
        self._neurons: list[tuple[np.ndarray, ...]] = []
        self._counts: list[np.ndarray] = []

    def hear(self, answer: _Answer) -> None:
        """Take up what the neurons of the last round cover."""
        self.n_left = answer.n_left
        if self._neurons:
            self._counts.append(answer.counts)

    def grow(self, answer: _Answer, masks: np.ndarray, bounds: np.ndarray) -> None:
        """Add the neurons of candidates that no earlier one covers."""
        used = _used_in_turn(answer.codes, masks, bounds)
        neurons = answer.rows[used], masks[used], bounds[used]
        self._neurons.append(neurons)
        n_ahead = self.question.n_wanted
        n_needed = len(used) + np.count_nonzero(bounds <= 0)
        n_ahead = 2 * n_ahead if 2 * n_needed > n_ahead else n_ahead // 2
        self.question = self.question._replace(
            masks=neurons[1],
            bounds=neurons[2],
            last=answer.turns[-1],
            n_wanted=min(max(n_ahead, _FEWEST_CANDIDATES), _MOST_CANDIDATES),
        )

    def cover(self, missed: np.ndarray) -> Cover:
        """Return the cover of the class."""
        centers, masks, bounds = map(np.concatenate, zip(*self._neurons, strict=True))
        return Cover(centers, masks, bounds, np.concatenate(self._counts), missed)


def cover_classes(
    workers: DaskWorkers,
    codes: list,
    arrangements: list,
    offsets: list[int],
    orders: Sequence[DrawingOrder],
    part: Callable,
) -> list[Cover]:
    """Cover classes in their orders of drawing, as `cover_in_drawing_order` does.

    `codes` and `arrangements` are those of the parts, `offsets` their first rows.
    """
    columns = codes, arrangements, offsets
    with ExitStack() as tasks:
        for order in orders:
            tasks.enter_context(part(order.number))
        growing = {order.number: _GrowingCover(order) for order in orders}
        asked = dict(growing)
        rounds: list = [None] * len(codes)
        while asked:
            questions = {number: cover.question for number, cover in asked.items()}
            rounds = workers.keep(_round, *columns, rounds, given=(questions,))
            answers = workers.reduce(_first_of_all, _answers, rounds)
            for number, answer in answers.items():
                asked[number].hear(answer)
            answers = {c: answer for c, answer in answers.items() if len(answer.rows)}
            asked = {number: growing[number] for number in answers}
            masks = {
                number: answer.codes.masks(np.arange(len(answer.rows)))
                for number, answer in answers.items()
            }
            if asked:
                bounds = workers.reduce(
                    _smallest, _bounds_of, codes, arrangements, given=(masks,)
                )
            for number, cover in asked.items():
                cover.grow(answers[number], masks[number], bounds[number])
        missed = {number: np.empty(0, dtype=np.intp) for number in growing}
        left = [number for number, cover in growing.items() if cover.n_left]
        if left:
            columns = arrangements, offsets, rounds
            found = workers.gather(_left_over, *columns, given=(left,))
            missed |= {
                c: np.concatenate([of_part[c] for of_part in found]) for c in left
            }
    return [growing[order.number].cover(missed[order.number]) for order in orders]


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


# What is done where a part is.


def _round(
    codes, arrangement, offset: int, before: _Round | None, questions: dict
) -> _Round:
    """Mark what is covered, and answer a question about each class."""
    covered = dict(before.covered) if before is not None else {}
    answers = {}
    for number, question in questions.items():
        tiles = arrangement.layout.tiles[number]
        n_here = int(arrangement.layout.sizes[number])
        n_new = 0 if question.masks is None else len(question.masks)
        counts = np.zeros(n_new, dtype=np.int64)
        if n_here and n_new:
            members = codes.covers(question.masks, question.bounds, tiles)
            counts = np.bitwise_count(members).sum(axis=1, dtype=np.int64)
            covered[number] = covered_by_any(members) | covered.get(
                number, np.uint64(0)
            )
        here = arrangement.of_class(number)
        ranks = arrangement.ranks[here]
        left = None
        if number in covered:
            left = np.flatnonzero(~lanes(covered[number])[:n_here])
            ranks = ranks[left]
        members, turns = _first_in_turn(question, ranks)
        if left is not None:
            members = left[members]
        answers[number] = _Answer(
            turns,
            arrangement.rows[here][members].astype(np.int64) + offset,
            codes.take(tiles.start * LANES + members) if len(members) else None,
            counts,
            n_here if left is None else len(left),
            question.n_wanted,
        )
    return _Round(covered, answers)


def _first_in_turn(question: _Question, ranks) -> tuple[np.ndarray, np.ndarray]:
    """Return the samples that come first after those that had their turn."""
    turns = question.order.turns(ranks)
    waiting = np.arange(len(turns))
    if question.last is not None:
        waiting = np.flatnonzero(turns > question.last)
        turns = turns[waiting]
    if len(turns) > question.n_wanted:
        first = np.argpartition(turns, question.n_wanted - 1)[: question.n_wanted]
        waiting, turns = waiting[first], turns[first]
    order = np.argsort(turns)
    return waiting[order], turns[order]


def _answers(of_round: _Round) -> dict[int, _Answer]:
    return of_round.answers


def _first_of_all(found: list[dict[int, _Answer]]) -> dict[int, _Answer]:
    """Return the answers of all parts as if they were one."""
    return {number: _joined([some[number] for some in found]) for number in found[0]}


def _joined(answers: list[_Answer]) -> _Answer:
    turns = np.concatenate([answer.turns for answer in answers])
    first = np.argsort(turns)[: answers[0].n_wanted]
    codes = [answer.codes for answer in answers if answer.codes is not None]
    return _Answer(
        turns[first],
        np.concatenate([answer.rows for answer in answers])[first],
        codes[0].joined_by(*codes[1:]).take(first) if codes else None,
        np.add.reduce([answer.counts for answer in answers]),
        sum(answer.n_left for answer in answers),
        answers[0].n_wanted,
    )


def _bounds_of(codes, arrangement, masks: dict[int, np.ndarray]) -> dict:
    """Return for masks of each class the smallest counts of the others in a part."""
    return {
        number: codes.largest_bounds(of_class, arrangement.layout.tiles[number])
        for number, of_class in masks.items()
    }


def _smallest(bounds: list[dict]) -> dict[int, np.ndarray]:
    return {
        number: np.minimum.reduce([some[number] for some in bounds]).astype(np.int64)
        for number in bounds[0]
    }


def _left_over(arrangement, offset: int, of_round: _Round, classes: list[int]) -> dict:
    """Return the row numbers of samples of some classes that no neuron covers."""
    found = {}
    for number in classes:
        rows = arrangement.rows[arrangement.of_class(number)]
        if number in of_round.covered:
            rows = rows[~lanes(of_round.covered[number])[: len(rows)]]
        found[number] = rows.astype(np.int64) + offset
    return found
