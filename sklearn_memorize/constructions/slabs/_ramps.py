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
from functools import partial

import numpy as np

from ...exceptions import InterpolationError
from ...kernels._threads import Workers
from .._beside import Beside
from .._directions import spread_out
from .._general_position import AffineHull, DegenerateGroupError
from .._layers import exponents_of, missed_by_layers
from ._construction import Strangers, along_lines, cover, thresholds
from ._network import Ramp, RampNetwork, Tips

# The affine function of a group may miss its targets by this part of their range.
_TOLERANCE = 1e-6
_LARGEST_DELTA = 2.0**500
# The layers add up numbers of the size of a position over delta, each of which is off
# by 2**-53 of it: this is the least delta, in units of the largest position.
_LEAST_DELTA = 2.0**-40
# On a line, so many ramps are built at once, and points are looked at that are so many
# times as far from a slab as the nearest one: the affine function may be large there.
_AT_ONCE = 16
_FARTHER = 32.0
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
    everyone, groups = np.arange(len(X)), []
    with Workers(n_threads) as workers:
        for line, parts in along_lines(hull, {"all": members}, rng):
            strangers = Strangers(hull, everyone, split, n_threads, line, np.inf)
            for part in parts.values():
                groups += _find_groups(part, heights, strangers, rng, workers)
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
    maker = partial(_ramp_maker, strangers, heights)
    n_at_once = 1 if strangers.line is None else _AT_ONCE
    return cover(members, maker, strangers, rng, workers, n_at_once, _FARTHER)


@dataclass(frozen=True)
class _Affine:
    """Affine functions of a group, one for each output, and how large they may be.

    `values` are those at all points, or None where few of them are looked at.
    """

    hull: AffineHull
    slopes: np.ndarray
    constants: np.ndarray
    values: np.ndarray | None
    largest: np.ndarray

    def at(self, rows) -> np.ndarray:
        """Return the values at some points, (n_rows, n_outputs)."""
        if self.values is not None:
            return self.values[rows]
        return self.hull.values(self.slopes, rows) + self.constants


def _affine(strangers: Strangers, members, heights) -> _Affine:
    """Return the affine functions that take the heights of a group, or raise."""
    hull, line = strangers.hull, strangers.line
    rows = slice(None) if line is None else members
    own = members if line is None else np.arange(len(members))
    with np.errstate(over="ignore", invalid="ignore"):  # slopes that miss all
        slopes = hull.slopes(members, heights[members])
        values = hull.values(slopes, rows)
        constants = heights[members[0]] - values[own[0]]
        values = values + constants
        missed = np.abs(values[own] - heights[members]).max(axis=1)
    # Heights are between -4 and 4. Where the group is nearly flat, slopes explode.
    too_close = members[~(missed <= _TOLERANCE)]
    if len(too_close):
        raise DegenerateGroupError(members, too_close)
    if line is None:
        return _Affine(hull, slopes, constants, values, np.full(len(slopes), np.inf))
    largest = np.abs(heights[members[0]]) + line.largest_change(slopes, members[0])
    return _Affine(hull, slopes, constants, None, largest)


def _ramp_maker(strangers: Strangers, heights, members):
    """Return a function that builds the ramp of a group for a normal vector, or raise.

    It returns None, and the points that are in the way, where there is none.
    """
    hull, line = strangers.hull, strangers.line
    affine = _affine(strangers, members, heights)

    def build(normal, near: Beside) -> tuple[_Group | None, np.ndarray]:
        others = np.delete(near.rows, np.searchsorted(near.rows, members))
        (positions, errors), own, others, rows = hull.located(
            hull.projections, normal, members, others
        )
        lower, upper, too_close = thresholds(positions, errors, own, others)
        if len(too_close):
            return None, rows[too_close]
        room = np.maximum(lower - (positions + errors), positions - errors - upper)
        inside = np.minimum(positions - errors - lower, upper - (positions + errors))
        room[own] = inside[own]
        # Half of what keeps each point on its side, for each output. Where there is no
        # room for a value of zero, the quotient is no number, and the normal is no use.
        with np.errstate(all="ignore"):
            most = room[:, np.newaxis] / np.abs(affine.at(rows))
            low, high = positions[own] - errors[own], positions[own] + errors[own]
            farther = min(
                near.left - (low.min() - lower), near.right - (upper - high.max())
            )
            of_farther = farther / affine.largest
        if np.isfinite(farther) and (of_farther < most.min(axis=0)).any():
            return build(normal, Beside(strangers.others, np.inf))
        deltas = np.minimum(most.min(axis=0) / 2, _LARGEST_DELTA)
        # A single point has no smaller group: whether it is exact enough is seen later.
        least = 0.0 if len(members) == 1 else _LEAST_DELTA * np.abs(positions).max()
        if len(members) > 1 and line is not None:
            farther = line.largest_change(normal[np.newaxis], members[0])
            least += _LEAST_DELTA * float(farther[0])
        if not (deltas > least).all():
            return None, np.unique(rows[most.argmin(axis=0)])
        bounds = float(lower), float(upper)
        ramp = Ramp(normal, *bounds, affine.slopes, affine.constants, deltas)
        return _Group(members, ramp, float(deltas.min())), too_close

    return build


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
