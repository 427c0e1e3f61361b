"""Slabs around hyperplanes through groups of d points (Baum, 1988).

Through d points in general position goes one hyperplane {x : <a, x> = b}, which holds
no other point. Two threshold units enclose it in a slab {x : lower < <a, x> <= upper}
that holds no point of another class, and a class is the OR of its slabs:
2 ceil(n / d) + 1 units for n points.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from scipy import sparse

from ... import kernels
from ...network import Layer, Network
from ...network._storage import check_chain, shapes, storable
from .._general_position import DegenerateGroupError, Frame, room

__all__ = ["DegenerateGroupError", "Frame", "Slab", "SlabNetwork", "find_slabs"]

_BLOCK_VALUES = 1 << 22


@dataclass(frozen=True)
class Slab:
    """The set of x with lower < <normal, x> <= upper.

    Parameters
    ----------
    normal : ndarray of shape (n_features,)
        Normal vector a.
    lower, upper : float
        The two thresholds.
    members : ndarray
        Positions of the points the slab was built for.
    """

    normal: np.ndarray = field(repr=False)
    lower: float
    upper: float
    members: np.ndarray = field(repr=False)


def _thresholds(values, errors, members, strangers):
    """Return lower and upper threshold, and the strangers that leave no room."""
    below, low, high, above, on_it = room(values, errors, members, strangers)
    if len(on_it):
        return 0.0, 0.0, on_it
    lower, upper = below + (low - below) / 2, high + (above - high) / 2
    # Where nothing lies between two doubles: lower < x and not upper < x still hold.
    return (lower if lower < low else below), (upper if upper < above else high), on_it


def _slab(frame, normal, members, strangers):
    """Return the slab around some points, or the strangers that are in the way."""
    values, errors = frame.projections(normal)
    lower, upper, on_it = _thresholds(values, errors, members, strangers)
    return None if len(on_it) else Slab(normal, lower, upper, members), on_it


def _slab_around(frame, members, strangers, rng) -> Slab:
    """Enclose the points of a group.

    Raises
    ------
    DegenerateGroupError
        If no hyperplane through the group was found that keeps clear of the strangers.
    """
    for normal in frame.normals(members, rng):
        slab, on_it = _slab(frame, normal, members, strangers)
        if slab is not None:
            return slab
    if len(members) == 1:
        for feature in frame.differing_features(members[0], strangers):
            slab, on_it = _slab(frame, frame.axis(feature), members, strangers)
            if slab is not None:
                return slab
    raise DegenerateGroupError(members, on_it)


def find_slabs(frame, members, strangers, split, rng) -> list[Slab]:
    """Cover the points of a class by slabs that hold no point of another class.

    Parameters
    ----------
    frame : Frame
        The points.
    members : ndarray
        Positions of the points of the class.
    strangers : ndarray
        Positions of the points of all other classes.
    split : bool
        Whether a group is made smaller, by an eighth at a time, where a hyperplane
        through it meets a stranger; otherwise this is an error.
    rng : numpy.random.Generator
        Shuffles the points, and chooses among several hyperplanes.

    Returns
    -------
    slabs : list of Slab
        ceil(n / d) slabs for n points in general position whose affine hull has
        dimension d.

    Raises
    ------
    DegenerateGroupError
        If the points are not in general position, and smaller groups are not allowed
        or do not help.
    """
    left = rng.permutation(members)
    size = frame.dimension
    slabs = []
    while len(left):
        group = left[:size]
        try:
            slabs.append(_slab_around(frame, group, strangers, rng))
        except DegenerateGroupError:
            if not split or len(group) == 1:
                raise
            size = len(group) - -(-len(group) // 8)
        else:
            left, size = left[size:], frame.dimension
    assert split or len(slabs) == -(-len(members) // frame.dimension)
    return slabs


storable(Slab, shapes(normal="d", lower="", upper=""))


class SlabNetwork(Network):
    """Two threshold units for each slab, then one unit for each class.

    Parameters
    ----------
    slabs : sequence of Slab
        The slabs.
    labels : ndarray of shape (n_slabs,)
        Class number of each slab.
    n_classes : int
        Number of classes, at least 2.
    default : int
        The class of what lies in no slab.
    """

    def __init__(self, slabs, labels, n_classes, default):
        self._normals = np.array([slab.normal for slab in slabs])
        self._lower = np.array([slab.lower for slab in slabs])
        self._upper = np.array([slab.upper for slab in slabs])
        self._rest = {"labels": labels, "n_classes": n_classes, "default": default}
        # u_i = [<a_i, x> > lower_i], v_i = [<a_i, x> > upper_i], and u_i - v_i is 1
        # in slab i and 0 elsewhere.
        # Class c: [sum over its slabs (u_i - v_i) > 0]; default: [1 - sum (...) > 0].
        member = (np.arange(n_classes)[:, np.newaxis] == labels) * 1
        member[default] = -1
        biases = (np.arange(n_classes) == default) * 1
        if n_classes == 2:
            member, biases = member[1:], biases[1:]
        weights = np.vstack([self._normals, self._normals])
        self._layers = (
            Layer(weights, -np.append(self._lower, self._upper), "threshold"),
            Layer(np.hstack([member, -member]), biases, "threshold"),
        )

    def _stored(self) -> dict:
        nobody = np.empty(0, dtype=np.intp)
        bounds = zip(self._normals, self._lower, self._upper, strict=True)
        slabs = [Slab(a, float(low), float(up), nobody) for a, low, up in bounds]
        return {"slabs": slabs, **self._rest}

    @property
    def layers(self) -> tuple[Layer, ...]:
        """The slab units and the class units."""
        return self._layers

    def forward(self, X) -> np.ndarray:
        """Evaluate the network, each sum in a fixed order; see `Network.forward`."""
        step = max(1, _BLOCK_VALUES // max(self._normals.shape))
        outputs = [
            self._class_units(X[start : start + step])
            for start in range(0, X.shape[0], step)
        ]
        return np.concatenate(outputs)

    def _class_units(self, rows) -> np.ndarray:
        rows = rows.toarray() if sparse.issparse(rows) else rows
        values = kernels.ordered_product(rows, self._normals)
        units = np.hstack([values > self._lower, values > self._upper]) * 1.0
        return self._layers[1].forward(units)


storable(SlabNetwork, check_chain)
