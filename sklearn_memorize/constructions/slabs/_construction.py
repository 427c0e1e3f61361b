"""Slabs around hyperplanes through groups of d points (Baum, 1988).

Through d points in general position goes one hyperplane {x : <a, x> = b}, which holds
no other point. Two threshold units enclose it in a slab {x : lower < <a, x> <= upper}
that holds no point of another class, and a class is the OR of its slabs:
2 ceil(n / d) + 1 units for n points.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from ...kernels._threads import Workers
from .._beside import LEAST_FEATURES, beside
from .._general_position import (
    AffineHull,
    DegenerateGroupError,
    SomePoints,
    clearance,
    largest_class,
)
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
    slabs: list[Slab] = []
    labels_of_slabs: list[int] = []
    with Workers(n_threads) as workers:
        for label in np.delete(np.arange(n_classes), default).tolist():
            in_class = labels == label
            members, others = np.flatnonzero(in_class), np.flatnonzero(~in_class)
            strangers = Strangers(hull, others, split, workers.n_threads)
            found = find_slabs(hull, members, strangers, rng, workers)
            slabs += found
            labels_of_slabs += [label] * len(found)
    network = SlabNetwork(slabs, np.array(labels_of_slabs), n_classes, default)
    return network, [slab.members for slab in slabs], hull.dimension


@dataclass(frozen=True)
class Strangers:
    """The points `others`, which must not be in a slab.

    With `split`, groups that they come too close to are made smaller.
    """

    hull: AffineHull
    others: np.ndarray
    split: bool
    n_threads: int
    some: SomePoints = field(init=False)

    def __post_init__(self):
        object.__setattr__(self, "some", self.hull.some_of(self.others))

    def beside(self, groups, normals) -> list[np.ndarray]:
        """Return the others to look at beside one hyperplane through each group."""
        if len(groups) == 1 and self.hull.n_features < LEAST_FEATURES:
            return [self.others]
        columns = [normal[:, np.newaxis] for normal in normals]
        bundles = list(zip(groups, columns, strict=True))
        hull = self.hull
        found = beside(
            hull.intervals, bundles, self.others, hull.n_features, self.n_threads
        )
        return [near.rows for near in found]


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


def smaller(size: int) -> int:
    """Return the size of a group that is made smaller by an eighth."""
    return size - -(-size // 8)


def find_slabs(hull, members, strangers: Strangers, rng, workers) -> list[Slab]:
    """Cover the points of a class by slabs that hold no point of another class."""
    left, dimension = rng.permutation(members), hull.dimension
    planes = GroupsAhead(hull.through, left, dimension, workers)
    start, size, n_at_once = 0, dimension, 1
    most_at_once = min(_MOST_AT_ONCE, _MOST_VALUES // dimension**2)
    slabs: list[Slab] = []
    while start < len(left):
        if size == dimension and n_at_once > 1:
            stop = min(start + n_at_once * size, len(left))
            stops = range(start + size, stop + 1, size)
            groups = {stop - size: left[stop - size : stop] for stop in stops}
            found = _slabs_at_once(groups, planes, strangers, rng)
            slabs += found
            start += len(found) * size
            n_at_once = min(2 * n_at_once, most_at_once) if len(found) > 1 else 1
            continue
        group = left[start : start + size]
        try:
            slabs.append(_slab_around(group, planes.at(start, size), strangers, rng))
        except DegenerateGroupError:
            if not strangers.split or len(group) == 1:
                raise
            size = smaller(len(group))
        else:
            start, size, n_at_once = start + size, dimension, 2
    assert strangers.split or len(slabs) == -(-len(members) // dimension)
    return slabs


def _slabs_at_once(groups: dict, planes, strangers: Strangers, rng) -> list[Slab]:
    """Enclose the first ones of some groups, up to the first that takes a search.

    The generator is left as if these groups had been looked at one after the other.
    """
    normals, states = [], [rng.bit_generator.state]
    for start, group in groups.items():
        through = planes.at(start, len(group))
        if through.n_choices != 1:
            break
        normals.append(through.normal(next(through.draw(rng))))
        states.append(rng.bit_generator.state)
    several = list(groups.values())[: len(normals)]
    slabs: list[Slab] = []
    near = strangers.beside(several, normals)
    for group, normal, rows in zip(several, normals, near, strict=True):
        lower, upper, too_close = slab_bounds(strangers.hull, normal, group, rows)
        if len(too_close):
            break
        slabs.append(Slab(normal, lower, upper, group))
    rng.bit_generator.state = states[len(slabs)]
    return slabs


def _slab_around(members, planes, strangers: Strangers, rng) -> Slab:
    """Enclose a group in a slab without any of the others, or raise.

    With `split` the error need not say which others are in the way of several members.
    """
    too_close = strangers.others[:0]
    for normal in normals(members, planes, strangers, rng):
        (near,) = strangers.beside([members], [normal])
        lower, upper, too_close = slab_bounds(strangers.hull, normal, members, near)
        if len(too_close) == 0:
            return Slab(normal, lower, upper, members)
    raise DegenerateGroupError(members, too_close)


def normals(members, planes, strangers: Strangers, rng):
    """Yield normal vectors to try; for a single point those of features as well."""
    hull, draws = strangers.hull, planes.draw(rng)
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
