"""Slabs around hyperplanes through groups of d points (Baum, 1988).

Through d points in general position goes one hyperplane {x : <a, x> = b}, which holds
no other point. Two threshold units enclose it in a slab {x : lower < <a, x> <= upper}
that holds no point of another class, and a class is the OR of its slabs:
2 ceil(n / d) + 1 units for n points. In a large class the points of a group are
neighbours along a line, so that few other points are near their hyperplane.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ...kernels._threads import Workers
from .._beside import LEAST_FEATURES, Beside, beside
from .._general_position import (
    AffineHull,
    DegenerateGroupError,
    SomePoints,
    clearance,
    largest_class,
    smaller,
)
from ._line import Line, PointsOnLine, n_lines, parts_of
from ._network import Slab, SlabNetwork

# So many hyperplanes, at most, are held against all other points at once, and so many
# that their decompositions take no more than so many values.
_MOST_AT_ONCE = 64
_MOST_VALUES = 1 << 22


def build_slab_network(X, labels, n_classes: int, *, split: bool, rng, n_threads=1):
    """Enclose the points of each class but the largest one in slabs.

    X holds distinct points in double precision, of shape (n_samples, n_features). With
    `split`, a group is made smaller, by an eighth at a time, where a hyperplane through
    it meets a point of another class; otherwise this is a `DegenerateGroupError`.

    Returns the network, the positions of the points that each slab was built for, and
    the dimension d of the affine hull. There are ceil(n / d) slabs for a class of n
    points in general position.
    """
    hull, default = AffineHull(X, n_threads), largest_class(labels)
    slabs: dict[int, list[Slab]] = {}
    in_parts = {}
    for label in np.delete(np.arange(n_classes), default).tolist():
        slabs[label] = []
        in_parts[label] = np.flatnonzero(labels == label)
    with Workers(n_threads) as workers:
        for line, parts in along_lines(hull, in_parts, rng):
            for label, members in parts.items():
                others = np.flatnonzero(labels != label)
                strangers = Strangers(hull, others, split, n_threads, line)
                slabs[label] += find_slabs(members, strangers, rng, workers)
    found = [slab for label in slabs for slab in slabs[label]]
    labels_of_slabs = np.repeat(list(slabs), [len(some) for some in slabs.values()])
    network = SlabNetwork(found, labels_of_slabs, n_classes, default)
    return network, [slab.members for slab in found], hull.dimension


def along_lines(hull, members: dict, rng):
    """Yield lines, and for some keys the members whose groups are found along them.

    The line is None for few members, which need none, and where it would be of no use.
    """
    dimension = hull.dimension
    counts = {key: n_lines(len(some), hull) for key, some in members.items()}
    yield None, {key: some for key, some in members.items() if not counts[key]}
    parts = {
        key: parts_of(members[key], count, dimension, rng)
        for key, count in counts.items()
    }
    for number in range(max(counts.values(), default=0)):
        line = Line(hull, rng)
        some = {key: each[number] for key, each in parts.items() if number < len(each)}
        flat = [key for key in some if line.flattens(some[key], rng)]
        yield None, {key: some.pop(key) for key in flat}
        yield line, some


@dataclass(frozen=True)
class Strangers:
    """The points `others`, which must not be in a slab.

    With `split`, groups that they come too close to are made smaller. On a `line` the
    groups are neighbours.
    """

    hull: AffineHull
    others: np.ndarray
    split: bool
    n_threads: int
    line: Line | None = None
    least_features: float = LEAST_FEATURES

    @cached_property
    def some(self) -> SomePoints:
        """Few of the others, for `meets`."""
        return self.hull.some_of(self.others)

    @cached_property
    def _on_line(self) -> PointsOnLine | None:
        return None if self.line is None else PointsOnLine(self.line, self.others)

    def order(self, members, rng) -> np.ndarray:
        """Return the members so that those of a group follow each other."""
        if self.line is None:
            return rng.permutation(members)
        return self.line.in_groups(members, rng)

    def draw(self, planes, rng):
        """Yield coefficients of normal vectors: the one along the line, or random."""
        if self.line is None:
            yield from planes.draw(rng)
            return
        yield planes.nearest(self.line.direction, self.line.units)
        if planes.n_choices > 1:
            yield from planes.draw(rng)

    def beside(self, groups, normals, more: float = 0.0) -> list[Beside]:
        """Return the others to look at beside one hyperplane through each group.

        With `more`, so many times the distance of the nearest is looked at in addition.
        """
        on_line: list[Beside | None] = [None] * len(groups)
        if self._on_line is not None:
            columns = np.column_stack(normals)
            on_line = self._on_line.beside(groups, columns, more, self.n_threads)
        left = [number for number, near in enumerate(on_line) if near is None]
        hull = self.hull
        if len(left) == 1 and hull.n_features < self.least_features:
            among_all = iter([Beside(self.others, np.inf)])
        else:
            bundles = [(groups[k], normals[k][:, np.newaxis]) for k in left]
            found = beside(
                hull.intervals,
                bundles,
                self.others,
                hull.n_features,
                self.n_threads,
                more,
            )
            among_all = iter(found)
        return [next(among_all) if near is None else near for near in on_line]


class GroupsAhead:
    """What is computed for groups of members in turn, ahead of time on other threads.

    `left` are the members, of which groups are taken from the front: `size` ones, and
    fewer where a hyperplane through them will not do. What comes next is guessed to be
    as it was with the group before.
    """

    def __init__(self, work, left, size: int, workers: Workers):
        self._work, self._left, self._size = work, left, size
        self._workers = workers
        self._started: dict = {}
        self._accepted = size

    def at(self, start: int, size: int):
        """Return what `work` makes of the group of some size that starts somewhere."""
        if size < min(self._size, len(self._left) - start):
            self._accepted = min(self._accepted, size)
        self._started = {
            key: later for key, later in self._started.items() if key[0] >= start
        }
        found = self._later(start, size)
        for _ in range(self._workers.n_threads - 1):
            start, size = self._next(start, size)
            if start < len(self._left):
                self._later(start, size)
        return found()

    def _later(self, start: int, size: int):
        size = min(size, len(self._left) - start)
        if (start, size) not in self._started:
            group = self._left[start : start + size]
            self._started[start, size] = self._workers.later(self._work, group)
        return self._started[start, size]

    def _next(self, start: int, size: int) -> tuple[int, int]:
        """Guess whether the group is split."""
        if size > self._accepted:
            return start, smaller(size)
        return start + size, self._size


def find_slabs(members, strangers: Strangers, rng, workers) -> list[Slab]:
    """Cover the points of a class by slabs that hold no point of another class."""
    hull = strangers.hull

    def maker(group):
        def enclose(normal, near):
            lower, upper, close = slab_bounds(hull, normal, group, near.rows)
            return None if len(close) else Slab(normal, lower, upper, group), close

        return enclose

    most_at_once = min(_MOST_AT_ONCE, _MOST_VALUES // hull.dimension**2)
    return cover(members, maker, strangers, rng, workers, most_at_once)


def cover(members, maker, strangers: Strangers, rng, workers, most_at_once, more=0.0):
    """Cut points into groups, and return what encloses each without any of the others.

    `maker(group)` returns a function that takes a normal vector and the points to look
    at beside it, and returns what encloses the group, or None and who is in the way. It
    may raise a `DegenerateGroupError`. There are ceil(n / d) groups of n points, and
    more only with `split`. `more` is that of `beside`.
    """
    dimension = strangers.hull.dimension
    left = strangers.order(members, rng)
    planes = GroupsAhead(strangers.hull.through, left, dimension, workers)
    start, size, n_at_once = 0, dimension, 1
    found: list = []
    while start < len(left):
        if size == dimension and n_at_once > 1:
            stop = min(start + n_at_once * size, len(left))
            stops = range(start + size, stop + 1, size)
            groups = {stop - size: left[stop - size : stop] for stop in stops}
            several = _several(groups, planes, maker, strangers, rng, more)
            found += several
            start += len(several) * size
            n_at_once = min(2 * n_at_once, most_at_once) if len(several) > 1 else 1
            continue
        group = left[start : start + size]
        try:
            enclose = maker(group)
            through = planes.at(start, size)
            found.append(_around(group, through, enclose, strangers, rng, more))
        except DegenerateGroupError:
            if not strangers.split or len(group) == 1:
                raise
            size = smaller(len(group))
        else:
            start, size, n_at_once = start + size, dimension, min(2, most_at_once)
    assert strangers.split or len(found) == -(-len(members) // max(1, dimension))
    return found


def _several(groups: dict, planes, maker, strangers: Strangers, rng, more) -> list:
    """Enclose the first ones of some groups, up to the first that takes a search.

    The generator is left as if these groups had been looked at one after the other.
    """
    normals, makers, states = [], [], [rng.bit_generator.state]
    for start, group in groups.items():
        through = planes.at(start, len(group))
        if through.n_choices != 1:
            break
        try:
            makers.append(maker(group))
        except DegenerateGroupError:
            break
        normals.append(through.normal(next(strangers.draw(through, rng))))
        states.append(rng.bit_generator.state)
    if not normals:
        return []
    several = list(groups.values())[: len(normals)]
    found: list = []
    near = strangers.beside(several, normals, more)
    for enclose, normal, one in zip(makers, normals, near, strict=True):
        enclosed, too_close = enclose(normal, one)
        if len(too_close):
            break
        found.append(enclosed)
    rng.bit_generator.state = states[len(found)]
    return found


def _around(members, planes, enclose, strangers: Strangers, rng, more):
    """Return what encloses a group without any of the others, or raise.

    With `split` the error need not say which others are in the way of several members.
    """
    too_close = strangers.others[:0]
    for normal in normals(members, planes, strangers, rng):
        (near,) = strangers.beside([members], [normal], more)
        enclosed, too_close = enclose(normal, near)
        if len(too_close) == 0:
            return enclosed
    raise DegenerateGroupError(members, too_close)


def normals(members, planes, strangers: Strangers, rng):
    """Yield normal vectors to try; for a single point those of features as well."""
    hull, draws = strangers.hull, strangers.draw(planes, rng)
    if strangers.split and len(members) > 1:
        draws = _not_met(draws, members, planes, strangers, rng)
    yield from map(planes.normal, draws)
    if len(members) == 1:
        others = strangers.others[strangers.others != members[0]]
        yield from map(hull.axis, hull.differing_features(members[0], others))


def _not_met(draws, members, planes, strangers: Strangers, rng):
    """Yield those of the drawn coefficients whose hyperplanes others may not meet.

    Where the first one is met, all are drawn at once; the generator is left as if none
    had been drawn that is not asked for.
    """
    hull, some = strangers.hull, strangers.some
    first = next(draws)
    if not hull.meets(planes.rough_normals([first]), members, some).all():
        yield first
        for coefficients in draws:
            rough = planes.rough_normals([coefficients])
            if not hull.meets(rough, members, some).all():
                yield coefficients
        return
    drawn = [(one, rng.bit_generator.state) for one in draws]
    if not drawn:
        return
    rough = planes.rough_normals([coefficients for coefficients, _ in drawn])
    is_met = hull.meets(rough, members, some)
    for (coefficients, state), met in zip(drawn, is_met, strict=True):
        rng.bit_generator.state = state
        if not met:
            yield coefficients


def slab_bounds(hull, normal, members, near):
    """Return lower and upper threshold, and the points that come too close.

    `near` are those of the others that may be nearest to the members, or among them.
    """
    (values, errors), members, near, rows = hull.located(
        hull.projections, normal, members, near
    )
    lower, upper, too_close = thresholds(values, errors, members, near)
    return lower, upper, rows[too_close]


def thresholds(values, errors, members, others):
    """Return lower and upper threshold, and the others that come too close."""
    below, low, high, above, too_close = clearance(values, errors, members, others)
    if len(too_close):
        return 0.0, 0.0, too_close
    lower, upper = below + (low - below) / 2, high + (above - high) / 2
    # Where nothing lies between two doubles: lower < x and not upper < x still hold.
    lower = lower if lower < low else below
    upper = upper if upper < above else high
    return lower, upper, too_close
