"""Ramps on slabs: real targets by one hidden layer.

Through d points in general position goes one hyperplane {x : <a, x> = b}, and a slab
lower < <a, x> <= upper around it holds no other point. There is an affine function
w(x) = <v, x> + c that takes the targets of the d points. With the ramp

    r(t) = max(t - lower, 0) - max(t - upper, 0),

which has the slope 1 in the slab and is constant on both sides of it,

    F(x) = (r(<a, x> + delta w(x)) - r(<a, x>)) / delta

is w(x) where both arguments are within the slab, and 0 where both are on the same side
of it. For a small enough delta this is so at all points: F takes the targets of the d
points, and is 0 at all others. Four ReLU units make F; the sum over all groups of d
points memorizes N targets with 4 ceil(N / d) units. This is the count of S. Bubeck, R.
Eldan, Y. T. Lee, D. Mikulincer, *Network size and weights size for memorization with
two-layers neural networks*, NeurIPS 2020, for Baum's construction with ReLU units; the
proof above is ours.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...exceptions import InterpolationError
from ...kernels._threads import Workers
from .._directions import spread_out
from .._general_position import AffineHull, DegenerateGroupError
from .._layers import exponents_of, missed_by_layers
from ._construction import GroupsAhead, Strangers, normals, smaller, thresholds
from ._network import Ramp, RampNetwork, Tips

# The affine function of a group may miss its targets by this part of their range.
_TOLERANCE = 1e-6
_LARGEST_DELTA = 2.0**500
# The layers add up numbers of the size of a position over delta, each of which is off
# by 2**-53 of it: this is the least delta, in units of the largest position.
_LEAST_DELTA = 2.0**-40
# The layers are evaluated at this many samples, those of the narrowest ramps.
_CHECKED_SAMPLES = 2048


@dataclass(frozen=True)
class _Group:
    """A group of points, the ramp that was built for it, and its smallest delta."""

    members: np.ndarray
    ramp: Ramp
    narrowest: float


def build_ramp_network(
    X, targets, *, split: bool, rng, n_projections: int, n_threads: int = 1
):
    """Build the network of the distinct points X and targets (n_samples, n_outputs).

    With `split`, a group is made smaller, by an eighth at a time, where a hyperplane
    through it meets another point; otherwise this is a `DegenerateGroupError`.

    Returns the network, the positions of the points of each ramp, the dimension d of
    the affine hull, and the targets that need no ramp: those that most points have.
    """
    hull, exponents = AffineHull(X, n_threads), exponents_of(targets)
    scaled = np.ldexp(targets, -exponents)
    default = _default(scaled)
    members = np.flatnonzero((targets != targets[default]).any(axis=1))
    heights = scaled - scaled[default]
    strangers = Strangers(hull, np.arange(len(X)), split, n_threads)
    with Workers(n_threads) as workers:
        groups = _find_groups(members, heights, strangers, rng, workers)
    direction, positions = spread_out(X, rng, n_projections)
    order = _members(groups)
    slabs = np.repeat(np.arange(len(groups)), [len(group.members) for group in groups])
    by_position = np.argsort(positions[order])
    order, slabs = order[by_position], slabs[by_position]
    tips = Tips(direction, positions[order], slabs, targets[order])
    ramps = [group.ramp for group in groups]
    network = RampNetwork(ramps, tips, X.shape[1], targets[default], exponents)
    _check_layers(network, X, targets, groups)
    groups_of_points = [group.members for group in groups]
    return network, groups_of_points, hull.dimension, targets[default]


def _default(targets: np.ndarray) -> int:
    """Return a point whose targets most points have, as near as can be to the mean."""
    different, first, counts = np.unique(
        targets, axis=0, return_index=True, return_counts=True
    )
    away = np.square(different - targets.mean(axis=0)).sum(axis=1)
    return int(first[np.lexsort((away, -counts))[0]])


def _find_groups(members, heights, strangers, rng, workers) -> list[_Group]:
    """Cover the members by slabs with ramps; no slab holds any other point."""
    hull = strangers.hull
    left, dimension = rng.permutation(members), hull.dimension
    start, size = 0, dimension
    planes = GroupsAhead(hull.through, left, dimension, workers)
    groups: list[_Group] = []
    while start < len(left):
        group = left[start : start + size]
        try:
            slopes = _slopes(hull, group, heights)
            through = planes.at(start, size)
            groups.append(_ramp_around(group, slopes, through, heights, strangers, rng))
        except DegenerateGroupError:
            if not strangers.split or len(group) == 1:
                raise
            size = smaller(len(group))
        else:
            start, size = start + size, dimension
    assert strangers.split or len(groups) == -(-len(members) // max(1, dimension))
    return groups


def _slopes(hull: AffineHull, members, heights):
    """Return slopes, constants and values of affine functions of a group, or raise."""
    with np.errstate(over="ignore", invalid="ignore"):  # slopes that miss all
        slopes = hull.slopes(members, heights[members])
        values = hull.values(slopes)
        constants = heights[members[0]] - values[members[0]]
        values = values + constants
        missed = np.abs(values[members] - heights[members]).max(axis=1)
    # Heights are between -4 and 4. Where the group is nearly flat, slopes explode.
    too_close = members[~(missed <= _TOLERANCE)]
    if len(too_close):
        raise DegenerateGroupError(members, too_close)
    return slopes, constants, values


def _ramp_around(members, affine, planes, heights, strangers, rng) -> _Group:
    """Build the ramp that takes the heights of a group, or raise."""
    hull = strangers.hull
    slopes, constants, values = affine
    is_other = np.ones(len(heights), dtype=bool)
    is_other[members] = False
    others = np.flatnonzero(is_other)
    too_close = members[:0]
    for normal in normals(members, planes, strangers, rng):
        positions, errors = hull.projections(normal)
        lower, upper, too_close = thresholds(positions, errors, members, others)
        if len(too_close):
            continue
        outside = np.maximum(lower - (positions + errors), positions - errors - upper)
        inside = np.minimum(positions - errors - lower, upper - (positions + errors))
        # Half of what keeps each point on its side, for each output. Where there is no
        # room for a value of zero, the quotient is no number, and the normal is no use.
        with np.errstate(all="ignore"):
            most = np.where(is_other, outside, inside)[:, np.newaxis] / np.abs(values)
        deltas = np.minimum(most.min(axis=0) / 2, _LARGEST_DELTA)
        # A single point has no smaller group: whether it is exact enough is seen later.
        least = 0.0 if len(members) == 1 else _LEAST_DELTA * np.abs(positions).max()
        if (deltas > least).all():
            bounds = float(lower), float(upper)
            ramp = Ramp(normal, *bounds, slopes, constants, deltas)
            return _Group(members, ramp, float(deltas.min()))
        too_close = np.unique(most.argmin(axis=0))
    raise DegenerateGroupError(members, too_close)


def _members(groups: list[_Group]) -> np.ndarray:
    """Return the points of all groups, one group after the other."""
    nobody = np.empty(0, dtype=np.intp)
    return np.concatenate([nobody, *(group.members for group in groups)])


def _check_layers(network: RampNetwork, X, targets, groups: list[_Group]) -> None:
    """Evaluate the layers at the points of the narrowest ramps."""
    narrowest = sorted(groups, key=lambda group: group.narrowest)
    checked = _members(narrowest)[:_CHECKED_SAMPLES]
    if not np.isfinite(network.layers[-1].weights).all():
        raise InterpolationError(
            f"Targets as large as {np.abs(targets).max():.3g} leave no room in double "
            "precision for the weights of the output layer. Scale the targets down."
        )
    if missed_by_layers(network.layers, X, targets, checked).any():
        raise InterpolationError(
            "Hyperplanes through some samples come so close to others that double "
            "precision cannot hold the steep ramps between them: the layers, evaluated "
            "one after the other, miss targets. Remove near-duplicates."
        ).about(narrowest[0].members)
