"""Votes of ReLU units by bounds of their margins: they say who wins nearly always.

Exact margins take products in double precision, and sums of them. Here products are
computed in single precision, with bounds on their errors, and are rounded to integers
of 16 bits. What that leaves open of a margin is the same for all neurons of a covering,
so that the largest margins of a class, and the score of it, lie between two numbers. If
the lowest score that a class may have is above the highest one of all others, it wins.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from ... import kernels
from ...kernels import LANES, RoundedOutputs
from ...kernels._memory import blocks_of_rows
from ._codes import mean_margins
from ._hyperplane_layer import HyperplaneLayer, in_same_units, row_bounds
from ._relu_codes import FRACTION_BITS, cap_of_outputs

# Products, and what is rounded of them, take about so many numbers at a time.
_BLOCK_VALUES = 1 << 21
# The number that an open row gets.
OPEN = -1
# Numbers in single precision are within this part of the sizes of all terms, ...
_SINGLE_SLACK = 2.0**-21
# ... and sums in double precision, of whatever is there for a row, within this one.
_DOUBLE_SLACK = 2.0**-40


def bounds_pay(coverings: Sequence[Any], X) -> bool:
    """Return whether bounds of margins can be computed of rows by ReLU units, and pay.

    They do for dense rows, unless these are few: then calls take most of the time.
    """
    if not isinstance(X, np.ndarray) or X.shape[0] < LANES:
        return False
    layers = [covering.hyperplanes for covering in coverings]
    dense = [layer.on_arrays() for layer in layers]
    return (
        all(covering.activation == "relu" for covering in coverings)
        and not any(len(layer.axis) for layer in layers)
        and all(
            layer.is_packed(X) and in_same_units(layer, dense[0]) for layer in dense
        )
    )


def blocks_to_bound(coverings: Sequence[Any], n_rows: int, n_parts: int) -> list[slice]:
    """Cut rows into blocks that take moderate room; at least so many, if there are."""
    layers = [covering.hyperplanes for covering in coverings]
    width = max(max(layer.n_hyperplanes, layer.n_features) for layer in layers)
    most = blocks_of_rows(n_rows, width, _BLOCK_VALUES)[0].stop
    step = max(LANES, -(-min(most, -(-n_rows // n_parts)) // LANES) * LANES)
    return [slice(start, start + step) for start in range(0, n_rows, step)]


class VoteBounds(NamedTuple):
    """What is known of the votes for each class, (n_samples, n_classes).

    Sums of mean margins lie between `low` and `high`, and the numbers of coverings in
    which the class fires between `surely` and `possibly`. Nothing is known of rows that
    are not `known`.
    """

    low: np.ndarray
    high: np.ndarray
    surely: np.ndarray
    possibly: np.ndarray
    known: np.ndarray

    def winners(self, quorum: int, calibration: Any) -> np.ndarray:
        """Return the classes that win by the rule of `CoverNetwork`, or OPEN."""
        low, high = self.low, self.high
        if calibration is not None:
            low, high = calibration.scores(low), calibration.scores(high)
            room = _DOUBLE_SLACK * (np.abs(calibration.offsets) + np.abs(low))
            low, high = low - room, high + (room + _DOUBLE_SLACK * np.abs(high))
        rows = np.arange(len(low))
        winners = low.argmax(axis=1)
        others = high.copy()
        others[rows, winners] = -np.inf
        is_won = low[rows, winners] > others.max(axis=1)
        # A class is believed that fires alone, in `quorum` coverings.
        is_alone = (self.possibly > 0).sum(axis=1) == 1
        fires_most = self.surely.argmax(axis=1)
        is_believed = is_alone & (self.surely[rows, fires_most] >= quorum)
        others_fire = (self.surely > 0).sum(axis=1)[:, np.newaxis] - (self.surely > 0)
        may_be_believed = (self.possibly >= quorum) & (others_fire == 0)
        may_be_believed[rows, winners] = False
        is_won &= ~may_be_believed.any(axis=1)
        winners[is_believed] = fires_most[is_believed]
        return np.where(self.known & (is_believed | is_won), winners, OPEN)


def bounds_of_votes(
    coverings: Sequence[Any], X: np.ndarray, n_votes: int
) -> VoteBounds:
    """Return bounds of the votes for dense rows."""
    shape = X.shape[0], len(coverings[0].starts) - 1
    low, high = np.zeros((2, *shape))
    surely, possibly = np.zeros((2, *shape), dtype=np.intp)
    known = np.ones(shape[0], dtype=bool)
    layers = [covering.hyperplanes.on_arrays() for covering in coverings]
    for covering, outputs in zip(coverings, _rounded_by_all(layers, X), strict=True):
        totals, largest = kernels.rounded_margins(
            outputs,
            covering.masks,
            covering.bounds,
            covering.starts,
            n_votes,
            shape[0],
        )
        n_summed = np.minimum(covering.widths, n_votes)
        known &= np.isfinite(outputs.below[: shape[0]])
        below, above = _widths(outputs, covering.bounds, shape[0])
        means = [
            mean_margins(
                totals[: shape[0]] + n_summed * error,
                n_summed,
                covering.margin_unit,
                covering.lowest_margin,
            )
            for error in (-above, below)
        ]
        room = _DOUBLE_SLACK * (np.abs(means[0]) + np.abs(means[1]))
        low += means[0] - room
        high += means[1] + room
        surely += largest[: shape[0]] > above
        possibly += largest[: shape[0]] > -below
    return VoteBounds(low, high, surely, possibly, known)


def _widths(outputs: RoundedOutputs, bounds: np.ndarray, n_samples: int):
    """Return by how much margins may be above, and below, what they are rounded to.

    Sums are larger than the integers say by `above`, and margins are smaller by it.
    """
    known = np.isfinite(outputs.below[:n_samples])
    units, below, above = (
        np.where(known, part[:n_samples], 0.0)[:, np.newaxis] for part in outputs[1:]
    )
    largest = float(np.abs(bounds).max(initial=0))
    rounding = _SINGLE_SLACK * (largest + 2.0**16 * units)
    return below * units + rounding, above * units + rounding


def _rounded_by_all(
    layers: Sequence[HyperplaneLayer], X: np.ndarray
) -> Iterator[RoundedOutputs]:
    """Yield the rounded outputs of layers in the same units, without their axes."""
    rows = np.arange(X.shape[0])
    with np.errstate(over="ignore", invalid="ignore", under="ignore"):
        packed, n_terms, squares = kernels.packed_rows(
            X, rows, layers[0].shift, layers[0].exponent
        )
    for layer in layers:
        offsets, offset_bounds = layer.shifted_offsets
        with np.errstate(over="ignore", invalid="ignore", under="ignore"):
            yield kernels.round_outputs_of_rows(
                packed,
                layer.directions,
                offsets,
                row_bounds(layer, n_terms, squares, kernels.TERMS_OF_A_ROUNDED_PART),
                layer.direction_bounds,
                offset_bounds,
                rows,
                -(-len(rows) // LANES),
                2.0**FRACTION_BITS,
                cap_of_outputs(layer.n_hyperplanes),
            )
