"""Networks of width 2: a staircase on a line, folded until it says the label.

The samples are projected on a line. An increasing, piecewise linear function h of the
position z takes every sample to a number that says its label c of C, in this way: let
tri(h) be the distance of h from the nearest multiple of 2 C; then

    c < tri(h(z)) < c + 1.

Each sample has a piece of h of its own, so h has one knee a sample, and each knee one
layer of two nodes: one holds how far z is beyond the knee, the other what the pieces so
far add up to. Behind the last sample h is constant. Slopes are not negative, so that
neither is any of these sums, wherever z is. Then tri is unfolded by halves: |h - C 2^j|
for j = F - 1, .., 0 takes one layer of two nodes each, and ends with C - tri(h).

The paper has 2 N + 4 C - 1 layers. We know it from its abstract, and build what is
described here, in fewer.
"""

import math

import numpy as np

from ...kernels._memory import check_room

# Lines, and samples on them, are those of bit extraction.
from ..bit_extraction._line import SortedSamples, sort_on_a_line
from ._network import NarrowNetwork, NarrowShape, Pieces

# Samples on the line are so far apart, or farther.
_APART = 4
# Positions, pieces and products of a sample, as Python integers.
_BYTES_OF_SAMPLE = 500
# Positions below this one are stored as 64-bit integers.
_LARGEST_POSITION = 1 << 60


def build_narrow_network(
    X,
    labels: np.ndarray,
    n_classes: int,
    rng: np.random.Generator,
    *,
    n_projections: int = 10,
) -> NarrowNetwork:
    """Build a network whose output is between c and c + 1 at samples of class c.

    The rows of X are distinct, and labelled with class numbers. The best of
    `n_projections` random directions is taken.

    Raises an InterpolationError if no direction tells all rows apart, and a MemoryError
    if the positions do not fit into memory.
    """
    n_samples = X.shape[0]
    check_room(
        _BYTES_OF_SAMPLE * n_samples, f"the exact positions of {n_samples:,} rows"
    )
    samples = sort_on_a_line(X, labels, _APART, rng, n_projections)
    pieces = _pieces(samples, n_classes)
    # C 2^F >= h.
    quotient = -(-int(pieces.heights[-1]) // (n_classes << pieces.n_bits))
    n_folds = max(1, (quotient - 1).bit_length())
    return NarrowNetwork(samples.line, pieces, n_classes, n_folds)


def _pieces(samples: SortedSamples, n_classes: int) -> Pieces:
    """Return the pieces of h, which is constant behind the last sample.

    A sample at distance x behind the knee before it, where h is A, keeps the slope of
    the piece before if that says its label and rises by less than 2 C, or else it gets
    the slope 0 if that does, or else a slope between (low - A) / x and (low + 1 - A) /
    x. Here (low, low + 1) is the next interval of numbers h that say its label: low - A
    is at most 2 C - 1. The first half of these slopes holds a binary fraction whose
    unit is at most 1 / (2 x), so h rises by less than 2 C. The next knee is less than 1
    behind the sample, and x is more than 3: so h rises by less than 8 C / 3 in all.
    """
    ceilings = -((-samples.positions) >> samples.n_bits)
    # 2^-g <= 1 / (2 x), for the farthest sample and for each of them.
    widest = np.diff(ceilings, prepend=0).max()
    n_bits = int(widest).bit_length() + 1
    period = 2 * n_classes << n_bits
    one = 1 << n_bits
    knees: list[int] = []
    slopes: list[int] = []
    knee = start = slope = 0
    places = samples.positions.tolist(), ceilings.tolist(), samples.labels.tolist()
    for position, ceiling, label in zip(*places, strict=True):
        # z is in units of 2^-samples.n_bits, h and slopes are in those of 2^-n_bits.
        x = position - (knee << samples.n_bits)
        wanted = _slope(start, x, samples.n_bits, slope, label, one, period)
        if wanted != slope or not slopes:
            knees.append(knee)
            slopes.append(wanted)
        slope = wanted
        start += slope * (ceiling - knee)
        knee = ceiling
    if slope:
        knees.append(knee)
        slopes.append(0)
    stored = np.array(knees, dtype=object)
    if knees[-1] < _LARGEST_POSITION:
        stored = stored.astype(np.int64)
    return Pieces(stored, np.array(slopes, dtype=object), n_bits)


def _slope(start, x, x_bits, slope, label, one, period):
    """Return the slope that takes a sample at distance x to a number of its label."""
    low, high = label * one, (label + 1) * one
    for known in (slope, 0):
        rise = known * x
        place = ((start << x_bits) + rise) % (period << x_bits)
        place = min(place, (period << x_bits) - place)
        fits = (low << x_bits) < place < (high << x_bits)
        if fits and rise < (period << x_bits):
            return known
    # The first interval that begins at A or behind it.
    begun = start - start % period
    lows = [begun + low, begun + period - high, begun + period + low]
    rise = min(each for each in lows if each >= start) - start
    # floor((low - A) / x) + 1 in units of 2^-g, where 2^-g <= 1 / (2 x).
    n_digits = one.bit_length() - 1
    ceiling = -((-x) >> x_bits)
    unit = n_digits - 1 - ceiling.bit_length()
    return (((rise << x_bits) // (x << unit)) + 1) << unit


def narrow_bound(n_samples: int, n_classes: int) -> NarrowShape:
    """Return the shape whose depth and parameters bound those of any network.

    N + 2 + F layers, where F = ceil(log2(8 N / 3)) folds suffice: h is less than
    8 N C / 3. That is less than 2 N + 4 C - 1.

    >>> from sklearn_memorize.constructions.narrow._construction import narrow_bound
    >>> shape = narrow_bound(1000, 10)
    >>> shape.depth, shape.n_parameters(20)
    (1014, 4095)
    """
    n_folds = max(1, math.ceil(math.log2(8 * n_samples / 3)))
    return NarrowShape(n_samples, n_folds)
