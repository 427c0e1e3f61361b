"""Slabs around hyperplanes through groups of d points (Baum, 1988).

Through d points in general position goes one hyperplane {x : <a, x> = b}, which holds
no other point. Two threshold units enclose it in a slab {x : lower < <a, x> <= upper}
that holds no point of another class, and a class is the OR of its slabs:
2 ceil(n / d) + 1 units for n points.
"""

import numpy as np

from .._general_position import (
    AffineHull,
    DegenerateGroupError,
    clearance,
    largest_class,
)
from ._network import Slab, SlabNetwork


def build_slab_network(X, labels, n_classes: int, *, split: bool, rng):
    """Enclose the points of each class but the largest one in slabs.

    X holds distinct points in double precision, of shape (n_samples, n_features). With
    `split`, a group is made smaller, by an eighth at a time, where a hyperplane through
    it meets a point of another class; otherwise this is a `DegenerateGroupError`.

    Returns the network, the positions of the points that each slab was built for, and
    the dimension d of the affine hull. There are ceil(n / d) slabs for a class of n
    points in general position.
    """
    hull, default = AffineHull(X), largest_class(labels)
    slabs: list[Slab] = []
    labels_of_slabs: list[int] = []
    for label in np.delete(np.arange(n_classes), default).tolist():
        in_class = labels == label
        members, others = np.flatnonzero(in_class), np.flatnonzero(~in_class)
        found = find_slabs(hull, members, others, split, rng)
        slabs += found
        labels_of_slabs += [label] * len(found)
    network = SlabNetwork(slabs, np.array(labels_of_slabs), n_classes, default)
    return network, [slab.members for slab in slabs], hull.dimension


def find_slabs(hull, members, others, split: bool, rng) -> list[Slab]:
    """Cover the points of a class by slabs that hold no point of another class."""
    left = rng.permutation(members)
    size = hull.dimension
    slabs = []
    while len(left):
        group = left[:size]
        try:
            slabs.append(_slab_around(hull, group, others, rng, split))
        except DegenerateGroupError:
            if not split or len(group) == 1:
                raise
            size = len(group) - -(-len(group) // 8)
        else:
            left, size = left[size:], hull.dimension
    assert split or len(slabs) == -(-len(members) // hull.dimension)
    return slabs


def _slab_around(hull, members, others, rng, split: bool) -> Slab:
    """Enclose a group in a slab without any of the others, or raise.

    With `split` the error need not say which others are in the way of several members.
    """
    too_close = others[:0]
    for normal in normals(hull, members, others, split, rng):
        values, errors = hull.projections(normal)
        lower, upper, too_close = thresholds(values, errors, members, others)
        if len(too_close) == 0:
            return Slab(normal, lower, upper, members)
    raise DegenerateGroupError(members, too_close)


def normals(hull, members, others, split: bool, rng):
    """Yield normal vectors to try; for a single point those of features as well."""
    planes = hull.through(members)
    for coefficients in planes.draw(rng):
        if split and len(members) > 1:
            rough = planes.rough_normals([coefficients])
            if hull.meets(rough, members, others).all():
                continue
        yield planes.normal(coefficients)
    if len(members) == 1:
        yield from map(hull.axis, hull.differing_features(members[0], others))


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
