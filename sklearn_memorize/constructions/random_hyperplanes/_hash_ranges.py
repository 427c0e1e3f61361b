"""Distinct rows of many parts, and their order, by a shuffle of ranges of hashes.

Rows can be equal only if their hashes are. So the numbers of 64 bits are divided into
ranges, each part sorts its own rows by hash, and what it has of a range goes to the
worker that looks after the range:

    part 0   hashes ..|....|...|..        range 0   merged, equal rows found, one label
    part 1   hashes .|...|..|....    ->   range 1   for each, how many of each class
    ...                                   ...

Ranges follow each other in the order of the hashes. With the number of samples of each
class in the ranges before, a range knows the rank of its samples among all of their
class; the ranks go back to the parts. The process that asks for it all sees numbers of
samples, and none of the samples.

What travels is 9 bytes or so a row to the ranges, and 5 or 9 back. Rows that are equal
within a part are sent once, with their votes; and only where rows of different parts
have the same hash, their values are fetched and compared.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from ..._estimator._conflicts import Ballots, resolve_labels
from ..._estimator._dask import DaskWorkers
from ..._estimator._training_set import distinct_rows, sorted_by_hash
from ._rows import stacked

# A range holds about so many rows; but there are no more than so many ranges for each
# machine, for each range hears from each machine.
_ROWS_OF_A_RANGE = 1 << 20
_MOST_RANGES = 8
# Rows that may be equal are compared in groups of about this many values.
_VALUES_AT_ONCE = 1 << 25


class PartRows(NamedTuple):
    """The distinct rows of one part that carry weight, sorted by hash and content.

    `rows` says where each stands first among the `n_rows` of the part; `labels` which
    of the labels `found` in the part it has. `votes` are all labels of all rows, told
    by their place among `rows` and in the order of the samples; None if each has one,
    of weight 1. The `checksum` is that of the hashes of all rows.
    """

    n_rows: int
    checksum: int
    rows: np.ndarray
    hashes: np.ndarray
    labels: np.ndarray
    votes: Ballots | None
    found: np.ndarray

    @classmethod
    def of(cls, X, hashes, numbers, found, weights) -> PartRows:
        """Return the distinct rows of X, whose rows have the labels found[numbers]."""
        kept = np.arange(len(hashes)) if weights is None else np.flatnonzero(weights)
        is_all = len(kept) == len(hashes)
        if not is_all:
            numbers, weights = numbers[kept], weights[kept]
        first, inverse = distinct_rows(
            X if is_all else X[kept], hashes if is_all else hashes[kept]
        )
        votes = None
        if weights is not None:
            by_row = np.argsort(inverse, kind="stable")
            votes = Ballots(
                inverse[by_row], numbers[by_row].astype(np.intp), weights[by_row]
            )
        elif len(first) < len(inverse):
            votes = Ballots.none().joined_by(inverse, numbers, np.ones(len(inverse)))
        rows = kept[first]
        return cls(
            len(hashes),
            checksum(hashes),
            rows.astype(np.int32),
            hashes[rows],
            numbers[first],
            votes,
            found,
        )


class _Piece(NamedTuple):
    """What a part has of a range: its rows from number `start` on."""

    part: int
    start: int
    hashes: np.ndarray
    labels: np.ndarray
    votes: Ballots | None


class _Range(NamedTuple):
    """The rows of all parts within a range of hashes.

    Part `parts[k]` has the rows `borders[k]` .. `borders[k + 1] - 1`, which are its own
    from number `starts[k]` on. `order` sorts them by hash, and `is_tied` says where
    there the hash is that of a neighbour; `ties` are slices of these, to be compared
    one after the other.
    """

    parts: np.ndarray
    starts: np.ndarray
    borders: np.ndarray
    order: np.ndarray
    is_tied: np.ndarray
    ties: list[slice]
    labels: np.ndarray
    votes: Ballots | None

    @property
    def n_rows(self) -> int:
        return int(self.borders[-1])


class _Equals(NamedTuple):
    """What comparing some rows of a range has shown.

    The rows `members` are equal to `owners`, the first of their equals; `distinct` are
    those that equal no earlier one, sorted by hash and content.
    """

    members: np.ndarray
    owners: np.ndarray
    distinct: np.ndarray


class _Settled(NamedTuple):
    """A range with one label for each distinct row.

    `ranks` are those of its rows among the rows of their class in this range, -1 for
    rows that equal an earlier one; `sizes` counts the distinct rows of each class.
    `votes` are those of rows with several, or with a weight, told by their number.
    """

    parts: np.ndarray
    starts: np.ndarray
    borders: np.ndarray
    labels: np.ndarray
    ranks: np.ndarray
    sizes: np.ndarray
    n_conflicts: int
    votes: Ballots | None

    @property
    def n_rows(self) -> int:
        return int(self.borders[-1])


class CanonicalOrder(NamedTuple):
    """Where the distinct rows of each part stand among all of their class.

    `ranks` has an item for each part, kept where it is: the ranks and class numbers of
    its distinct rows. There are `sizes` of each class.
    """

    workers: DaskWorkers
    ranks: list
    sizes: np.ndarray
    n_conflicts: int
    ranges: list
    sizes_before: np.ndarray

    def votes_at(self, places: np.ndarray) -> Ballots | None:
        """Return the votes of some samples of all, told by their place among `places`.

        The places increase. None if each sample of all has one vote of weight 1.
        """
        first = np.cumsum(self.sizes) - self.sizes
        labels = np.searchsorted(np.cumsum(self.sizes), places, side="right")
        wanted = labels, places - first[labels]
        found = self.workers.gather(
            _votes_of, self.ranges, list(self.sizes_before), given=wanted
        )
        are_votes, *columns = zip(*found, strict=True)
        if not any(are_votes):
            return None
        return Ballots.none().joined_by(*map(np.concatenate, columns))


def checksum(hashes: np.ndarray) -> int:
    """Return a number that depends on the hashes and on their order."""
    weights = 2 * np.arange(len(hashes), dtype=np.uint64) + np.uint64(1)
    return int((hashes * weights).sum(dtype=np.uint64))


def canonical_order(
    workers: DaskWorkers,
    parts: list,
    part_rows: list,
    n_rows: int,
    n_features: int,
    found: np.ndarray,
    adds_weights: bool,
) -> CanonicalOrder:
    """Find the distinct rows of all parts, one label for each, and their order.

    `part_rows` holds the `PartRows` of each part of X, where it is, `n_rows` in all;
    `found` are all labels. Weights of a row and label within a part are added up where
    `adds_weights`: that is exact if they all are integers.
    """
    groups = _neighbours(workers.homes(part_rows))
    ends = _ends_of_ranges(n_rows, len(groups))
    given = ends, found, adds_weights
    ranges = _shuffled(workers, groups, part_rows, n_features, given)
    equals = _equal_rows(workers, parts, part_rows, ranges)
    settled = workers.keep(_settled, ranges, equals, given=(len(found),))
    del ranges, equals
    told = workers.gather(_sizes_and_conflicts, settled)
    workers.settle(settled, workers.homes(settled))
    sizes = np.array([sizes for sizes, _ in told])
    sizes_before = np.cumsum(sizes, axis=0) - sizes
    totals = sizes.sum(axis=0)
    ranks = _sent_back(workers, groups, settled, sizes_before, totals, len(parts))
    return CanonicalOrder(
        workers, ranks, totals, sum(n for _, n in told), settled, sizes_before
    )


def _ends_of_ranges(n_rows: int, n_machines: int) -> np.ndarray:
    """Return where all ranges of hashes but the last one end."""
    n = min(-(-n_rows // _ROWS_OF_A_RANGE), _MOST_RANGES * n_machines)
    return np.array([(k << 64) // n for k in range(1, n)], dtype=np.uint64)


def _neighbours(homes: list[str]) -> dict[str, list[int]]:
    """Return the numbers of the parts that each machine holds."""
    groups: dict[str, list[int]] = {}
    for number, home in enumerate(homes):
        groups.setdefault(home, []).append(number)
    return groups


def _shuffled(workers, groups, part_rows, n_features: int, given: tuple) -> list:
    """Bring together what all parts have of each range."""
    ends, *_ = given
    numbers = list(groups.values())
    collected = [
        workers.task(_together, [part_rows[k] for k in group], home=home)
        for home, group in groups.items()
    ]
    workers.settle(collected, list(groups))
    pieces = [
        workers.tasks(_cut, [collected, numbers], (number, *given))
        for number in range(len(ends) + 1)
    ]
    return workers.keep(_merged, pieces, given=(n_features,))


def _equal_rows(workers, parts, part_rows, ranges) -> list[list]:
    """Compare rows of equal hash; return what is found for each range."""
    equals: list[list] = [[] for _ in ranges]
    for number, asked in enumerate(workers.gather(_parts_of_ties, ranges)):
        for turn, of_turn in enumerate(asked):
            values = [
                workers.task(
                    _rows_at,
                    parts[k],
                    part_rows[k],
                    workers.task(_wanted, ranges[number], turn, k),
                )
                for k in of_turn.tolist()
            ]
            compared = workers.task(_compared, ranges[number], values, turn)
            equals[number] += workers.kept([compared])
    return equals


def _sent_back(workers, groups, settled, sizes_before, totals, n_parts) -> list:
    """Tell each part the ranks and class numbers of its rows."""
    ranks: list[Any] = [None] * n_parts
    for home, group in groups.items():
        answers = workers.tasks(_answer, [settled, list(sizes_before)], (group, totals))
        collected = workers.task(_together, answers, home=home)
        workers.settle([collected], [home])
        for number, part in enumerate(group):
            ranks[part] = workers.task(_ranks_of, collected, number)
    return workers.kept(ranks)


# What is done on the workers.


def _together(items: list) -> list:
    return items


def _cut(
    group: list[PartRows], numbers, number: int, ends, found, adds_weights: bool
) -> list[_Piece]:
    """Return what some parts have of one range, with labels told among all found."""
    pieces = []
    for part, rows in zip(numbers, group, strict=True):
        start, stop = 0, len(rows.hashes)
        if number > 0:
            start = int(np.searchsorted(rows.hashes, ends[number - 1]))
        if number < len(ends):
            stop = int(np.searchsorted(rows.hashes, ends[number]))
        if start == stop:
            continue
        numbers_of_labels = np.searchsorted(found, rows.found)
        votes = rows.votes
        if votes is not None:
            of_rows = slice(*np.searchsorted(votes.rows, (start, stop)).tolist())
            here = (
                votes.rows[of_rows] - start,
                numbers_of_labels[votes.labels[of_rows]],
                votes.weights[of_rows],
            )
            votes = Ballots.none().joined_by(*here) if adds_weights else Ballots(*here)
        dtype = np.min_scalar_type(len(found))
        labels = numbers_of_labels.astype(dtype)[rows.labels[start:stop]]
        pieces.append(_Piece(part, start, rows.hashes[start:stop], labels, votes))
    return pieces


def _merged(groups: list[list[_Piece]], n_features: int) -> _Range:
    """Bring the pieces of a range together, in the order of the parts."""
    pieces = sorted(
        (piece for group in groups for piece in group), key=lambda p: p.part
    )
    borders = np.cumsum([0] + [len(piece.hashes) for piece in pieces])
    none = np.empty(0, np.uint64)
    hashes = np.concatenate([piece.hashes for piece in pieces] or [none])
    order, differs = np.empty(0, np.intp), np.empty(0, bool)
    if len(hashes):
        order, differs = sorted_by_hash(hashes)
    is_tied = ~differs
    is_tied[:-1] |= ~differs[1:]
    starts = np.flatnonzero(differs[is_tied])
    return _Range(
        np.array([piece.part for piece in pieces], dtype=np.intp),
        np.array([piece.start for piece in pieces], dtype=np.intp),
        borders,
        order,
        is_tied,
        list(_groups_at_once(starts, int(np.count_nonzero(is_tied)), n_features)),
        np.concatenate([piece.labels for piece in pieces] or [none]),
        _all_votes(pieces, borders, order[is_tied]),
    )


def _groups_at_once(starts: np.ndarray, n_rows: int, n_features: int):
    """Yield slices of rows so that those of equal hash come together."""
    step = max(1, _VALUES_AT_ONCE // max(1, n_features))
    start = 0
    while start < n_rows:
        later = np.searchsorted(starts, start + step)
        stop = int(starts[later]) if later < len(starts) else n_rows
        yield slice(start, stop)
        start = stop


def _all_votes(pieces: list[_Piece], borders, tied: np.ndarray) -> Ballots | None:
    """Return the votes of a range in the order of the samples; None if all are alike.

    Of rows without votes in their piece, those that may equal another get one each.
    """
    if len(tied) == 0 and all(piece.votes is None for piece in pieces):
        return None
    tied = np.sort(tied)
    found = []
    for piece, start, stop in zip(pieces, borders, borders[1:], strict=False):
        if piece.votes is not None:
            votes = piece.votes
            found.append((start + votes.rows, votes.labels, votes.weights))
        else:
            rows = tied[slice(*np.searchsorted(tied, (start, stop)).tolist())]
            labels = piece.labels[rows - start].astype(np.intp)
            found.append((rows, labels, np.ones(len(rows))))
    return Ballots(*map(np.concatenate, zip(*found, strict=True)))


def _parts_of_ties(of_range: _Range) -> list[np.ndarray]:
    """Return the parts that have rows to be compared, for each of the slices."""
    tied = of_range.order[of_range.is_tied]
    return [
        of_range.parts[np.unique(_owners(tied[part], of_range.borders))]
        for part in of_range.ties
    ]


def _owners(rows: np.ndarray, borders: np.ndarray) -> np.ndarray:
    return np.searchsorted(borders, rows, side="right") - 1


def _wanted(of_range: _Range, turn: int, part: int) -> np.ndarray:
    """Return which of the rows of a part are to be compared."""
    tied = of_range.order[of_range.is_tied][of_range.ties[turn]]
    k = int(np.searchsorted(of_range.parts, part))
    start, stop = of_range.borders[k : k + 2]
    rows = np.sort(tied[(tied >= start) & (tied < stop)])
    return rows - start + of_range.starts[k]


def _rows_at(X, rows: PartRows, wanted: np.ndarray):
    return X[rows.rows[wanted]]


def _compared(of_range: _Range, values: list, turn: int) -> _Equals:
    """Compare rows by value; those of each part come together, as they are sorted."""
    tied = of_range.order[of_range.is_tied][of_range.ties[turn]]
    members = np.sort(tied)
    first, inverse = distinct_rows(stacked(values))
    distinct = members[first]
    return _Equals(members, distinct[inverse], distinct)


def _settled(of_range: _Range, equals: Sequence[_Equals], n_classes: int) -> _Settled:
    """Give each distinct row of a range one label, and its rank in its class."""
    order, labels, votes = of_range.order, of_range.labels, of_range.votes
    n_conflicts = 0
    if equals:
        owners = np.arange(of_range.n_rows)
        for some in equals:
            owners[some.members] = some.owners
        is_distinct = owners == np.arange(of_range.n_rows)
        is_tied = of_range.is_tied & is_distinct[order]
        order = order.copy()
        order[is_tied] = np.concatenate([some.distinct for some in equals])
        order = order[~of_range.is_tied | is_tied]
        assert votes is not None
        votes = Ballots(owners[votes.rows], votes.labels, votes.weights)
    if votes is not None:
        votes = Ballots.none().joined_by(votes.rows, votes.labels, votes.weights)
        rows, numbers = np.unique(votes.rows, return_inverse=True)
        resolved, n_conflicts = resolve_labels(
            numbers, votes.labels, votes.weights, len(rows)
        )
        labels = labels.copy()
        labels[rows] = resolved
    of_order = labels[order]
    by_class = order[np.argsort(of_order, kind="stable")]
    sizes = np.bincount(of_order, minlength=n_classes)
    first = np.cumsum(sizes) - sizes
    ranks = np.full(of_range.n_rows, -1, dtype=np.int32)
    ranks[by_class] = np.arange(len(by_class)) - np.repeat(first, sizes)
    return _Settled(
        of_range.parts,
        of_range.starts,
        of_range.borders,
        labels,
        ranks,
        sizes,
        n_conflicts,
        votes,
    )


def _sizes_and_conflicts(settled: _Settled) -> tuple[np.ndarray, int]:
    return settled.sizes, settled.n_conflicts


def _answer(settled: _Settled, sizes_before, group: list[int], totals) -> list:
    """Return ranks among all, and class numbers, of the rows of some parts.

    Rows that equal an earlier one have the largest rank that there can be.
    """
    dtype = np.uint32 if totals.max() < np.iinfo(np.uint32).max else np.uint64
    first = sizes_before.astype(dtype)
    answers = []
    for part in group:
        k = int(np.searchsorted(settled.parts, part))
        if k == len(settled.parts) or settled.parts[k] != part:
            answers.append((np.empty(0, dtype), settled.labels[:0]))
            continue
        rows = slice(*settled.borders[k : k + 2].tolist())
        ranks, labels = settled.ranks[rows], settled.labels[rows]
        of_all: np.ndarray = ranks.astype(dtype)
        of_all += first[labels]
        of_all[ranks < 0] = np.iinfo(dtype).max
        answers.append((of_all, labels))
    return answers


def _ranks_of(answers: list[list], number: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the ranks and class numbers of one part of a group, from all ranges."""
    of_part = [answer[number] for answer in answers]
    ranks, labels = map(np.concatenate, zip(*of_part, strict=True))
    return ranks, labels


def _votes_of(settled: _Settled, sizes_before, labels, ranks) -> tuple:
    """Return the votes of samples of some ranks in their classes, of those here.

    They are told by their place among the ranks. Also returns whether there are votes
    other than one for each sample.
    """
    local = ranks - sizes_before[labels]
    here = np.flatnonzero((local >= 0) & (local < settled.sizes[labels]))
    labels, local = labels[here], local[here]
    if settled.votes is None:
        return False, here, labels, np.ones(len(here))
    rows = np.flatnonzero(settled.ranks >= 0)
    first = np.cumsum(settled.sizes) - settled.sizes
    by_class = np.empty(len(rows), dtype=np.intp)
    by_class[first[settled.labels[rows]] + settled.ranks[rows]] = rows
    wanted = by_class[first[labels] + local]
    votes = settled.votes.of_rows(wanted, settled.n_rows)
    alone = np.setdiff1d(np.arange(len(here)), votes.rows)
    return (
        True,
        here[np.append(votes.rows, alone)],
        np.append(votes.labels, labels[alone]),
        np.append(votes.weights, np.ones(len(alone))),
    )
