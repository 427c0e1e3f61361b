"""ReLU networks with about sqrt(N log N) parameters, by extracting bits.

After G. Vardi, G. Yehudai, O. Shamir, *On the optimal memorization power of ReLU neural
networks*, ICLR 2022, with a few savings.

The samples are projected on a line, on positions z that are so far apart that each
sample has an interval of z of its own; they are cut into groups of up to q consecutive
ones. What a group holds is packed into one integer u of B bits: the first key, then the
differences of consecutive keys. Two ReLU nodes at each border between groups turn z
into u, and the rest of the network, of three or four nodes in width, unpacks u bit by
bit. Three ReLU nodes for each of the q keys compare it with z; the label is part of the
key. Integers and dyadic fractions throughout, of about B bits each.

With N / q groups there are about 6 N / q + 10 B parameters, B = q log N bits, so that
q = sqrt(N / log N) is best.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from scipy.special import ndtri

from ...exact._products import exact_products
from ...exceptions import InterpolationError
from ...kernels._memory import check_room
from .._directions import draw_directions, project
from ._layers import Shape
from ._network import BitExtractionNetwork, Line, PackedKeys

# Binary digits of the factor that scales the line; more do not save parameters.
_SCALE_BITS = 5
# Directions lie on the first of these grids on which one tells all samples apart.
_GRID_STEPS = (2.0**-20, 2.0**-40)
# Positions, products and keys of a sample, as Python integers.
_BYTES_OF_SAMPLE = 500
# Positions below this one are stored as 64-bit integers.
_LARGEST_POSITION = 1 << 60


@dataclass(frozen=True)
class BitExtractionSizes:
    """How large a network of bit extraction gets."""

    n_parameters: int  # nonzero weights and biases
    n_neurons: int
    depth: int  # the output layer included
    bits_per_weight: int  # binary digits of the longest weight
    group_size: int  # largest number of samples in a group


def _sizes(shape: Shape, n_features: int) -> BitExtractionSizes:
    return BitExtractionSizes(
        shape.n_parameters(n_features),
        shape.n_neurons,
        shape.depth,
        shape.bits_per_weight,
        shape.group_size,
    )


def _smallest(shapes: list[Shape], n_features: int) -> Shape:
    return min(shapes, key=lambda shape: shape.n_parameters(n_features))


def build_bit_extraction_network(
    X,
    labels: np.ndarray,
    n_classes: int,
    rng: np.random.Generator,
    *,
    n_projections: int = 10,
    max_bits: int = 10_000,
) -> BitExtractionNetwork:
    """Build a network whose output exceeds c by at most 1 at samples of class c.

    The rows of X are distinct, and labelled with class numbers. The best of
    `n_projections` random directions is taken.

    Raises an InterpolationError if weights would get longer than `max_bits`, or if no
    direction tells all rows apart, and a MemoryError if the positions do not fit into
    memory.
    """
    n_samples, n_features = X.shape
    expected = predict_bit_extraction(n_samples, n_features, n_classes)
    # Room for data that are easier than random ones; what is certain is checked below.
    if expected.bits_per_weight > 2 * max_bits:
        raise _too_many_bits("about ", expected, max_bits)
    check_room(
        _BYTES_OF_SAMPLE * n_samples, f"the exact positions of {n_samples:,} rows"
    )
    line, order, positions, n_bits = _best_line(X, rng, n_projections, n_classes)
    # z - key is in (label, label + 1].
    keys = -((-positions) >> n_bits) - 1 - labels[order].astype(object)
    shape = _best_shape(keys, n_classes, n_features)
    sizes = _sizes(shape, n_features)
    n_bits_needed = max(shape.bits_per_weight, line.bits_per_weight)
    if n_bits_needed > max_bits:
        sizes = replace(sizes, bits_per_weight=n_bits_needed)
        raise _too_many_bits("", sizes, max_bits)
    starts = _group_starts(keys, shape)
    borders = _borders(positions, n_bits, starts)
    packed = _packed(keys, starts, shape)
    if keys[-1] + shape.group_size * shape.longest_difference < _LARGEST_POSITION:
        keys, borders = keys.astype(np.int64), borders.astype(np.int64)
    return BitExtractionNetwork(line, shape, PackedKeys(keys, starts, borders, packed))


def _too_many_bits(about: str, sizes: BitExtractionSizes, max_bits: int):
    n_bits, depth = sizes.bits_per_weight, sizes.depth
    return InterpolationError(
        f"The network would have {about}{sizes.n_parameters:,} parameters with up to "
        f"{about}{n_bits:,} bits each, in {about}{depth:,} layers, which is more than "
        f"max_bits={max_bits:,}. Memory and time to predict grow with the product of "
        "bits and layers. Increase max_bits, or fit fewer samples."
    )


def _best_line(X, rng, n_projections: int, n_classes: int):
    """Choose a direction, and scale it so that samples are C + 1 apart.

    Returns the first layer, the samples from left to right, and their positions as
    Python integers in units of 2**-n_bits, with that number of bits.
    """
    for step in _GRID_STEPS:
        directions = draw_directions(X, rng, n_projections, step=step)
        for number in np.argsort(-_relative_gaps(X, directions), kind="stable"):
            products = exact_products(X, directions[number])
            order = np.argsort(products.values, kind="stable")
            gaps = np.diff(products.values[order])
            equal = np.flatnonzero(gaps == 0)
            if (gaps > 0).all():
                line = _scaled(directions[number], products, gaps, n_classes)
                return line, order, *_sorted_positions(line, products, order)
    raise InterpolationError(
        "Some distinct rows have equal projections on each of the random directions. "
        "Increase n_projections, or try another random_state."
    ).about(order[np.append(equal, equal + 1)])


def _relative_gaps(X, directions) -> np.ndarray:
    """Return the smallest gap of each projection in units of the median one."""
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        gaps = np.diff(np.sort(project(X, directions), axis=0), axis=0)
        if not len(gaps):
            return np.zeros(len(directions))
        return np.nan_to_num(gaps.min(axis=0) / np.median(gaps, axis=0), nan=0.0)


def _scaled(direction, products, gaps, n_classes: int) -> Line:
    """Scale by the smallest number of a few digits that suffices; start at C + 1."""
    smallest = min(gaps.tolist(), default=1)
    apart = n_classes + 1
    exponent = apart.bit_length() - smallest.bit_length() - _SCALE_BITS
    # multiplier * 2**exponent * smallest >= apart
    multiplier = -(-(apart << max(0, -exponent)) // (smallest << max(0, exponent)))
    lowest = int(products.values.min()) * multiplier
    floor = lowest << exponent if exponent >= 0 else lowest >> -exponent
    exponent -= products.exponent
    return Line(direction, multiplier, exponent, apart - floor)


def _sorted_positions(line: Line, products, order):
    exponent = min(0, products.exponent + line.exponent)
    scaled = products.in_units(exponent - line.exponent) * line.multiplier
    return scaled[order] + (line.shift << -exponent), -exponent


_bit_lengths = np.frompyfunc(int.bit_length, 1, 1)


def _best_shape(keys, n_classes: int, n_features: int) -> Shape:
    """Choose how many bits a difference has, and how many keys are in a group.

    Fewer bits mean shorter integers, but more groups: one begins wherever a difference
    has more of them.
    """
    first_bits = int(keys[-1]).bit_length()
    one_each = Shape(len(keys), 1, first_bits, 0, n_classes)
    if len(keys) == 1:
        return one_each
    lengths = _bit_lengths(np.diff(keys)).astype(np.int64)
    # What fills up a group reaches past the last of its labels.
    fewest = n_classes.bit_length()
    shapes = [one_each]
    for n_bits in np.unique(np.maximum(lengths, fewest)).tolist():
        ends = np.flatnonzero(lengths > n_bits) + 1
        runs, counts = np.unique(
            np.diff(ends, prepend=0, append=len(keys)), return_counts=True
        )
        for size in _candidate_sizes(len(keys), n_bits, int(runs[-1])):
            n_groups = int((-(-runs // size) * counts).sum())
            shapes.append(Shape(n_groups, size, first_bits, n_bits, n_classes))
    return _smallest(shapes, n_features)


def _candidate_sizes(n_samples: int, n_bits: int, longest_run: int) -> range:
    # 6 N / q + (10 n_bits + 13) q is smallest around this one.
    best = math.sqrt(6 * n_samples / (10 * n_bits + 13))
    top = min(longest_run, math.ceil(1.5 * best) + 1)
    return range(min(top, max(2, math.floor(0.5 * best))), top + 1)


def _group_starts(keys, shape: Shape) -> np.ndarray:
    """Return where each group starts, and the number of keys."""
    if shape.group_size == 1:
        return np.arange(len(keys) + 1)
    too_long = np.diff(keys) > shape.longest_difference
    ends = np.append(np.flatnonzero(too_long) + 1, len(keys))
    starts = np.append(0, ends[:-1])
    pieces = [
        np.arange(*run, shape.group_size) for run in zip(starts, ends, strict=True)
    ]
    return np.append(np.concatenate(pieces), len(keys))


def _borders(positions, n_bits: int, starts) -> np.ndarray:
    """Return an integer e in the middle of each gap: the ramp is from e to e + 1."""
    before = -((-positions[starts[1:-1] - 1]) >> n_bits)
    after = positions[starts[1:-1]] >> n_bits
    return (before + after - 1) // 2


def _packed(keys, starts, shape: Shape) -> np.ndarray:
    packed = np.empty(shape.n_groups, dtype=object)
    for group in range(shape.n_groups):
        start, stop = starts[group], starts[group + 1]
        number = int(keys[start])
        for difference in np.diff(keys[start:stop]).tolist():
            number = (number << shape.difference_bits) | difference
        # The longest difference leads beyond all samples of the group.
        missing = (shape.group_size - (stop - start)) * shape.difference_bits
        packed[group] = ((number + 1) << int(missing)) - 1
    return packed


def bit_extraction_bound(
    n_samples: int, n_features: int, key_bits: int, n_classes: int
) -> BitExtractionSizes:
    """Return sizes that a network never exceeds, whatever the positions of the keys.

    d + 20 + 6 (ceil(N / q) - 1) + 10 q rho + 13 (q - 1) parameters for the best q,
    which are at most d + 20 + 10 rho + 2 sqrt(6 N (10 rho + 13)). Here rho, `key_bits`,
    is the number of bits of the largest key: the logarithm of the extent of the samples
    on the line, in units of their smallest distance over the number of classes.

    `n_parameters` is a bound for all data, the other sizes belong to the network that
    attains it.

    >>> from sklearn_memorize.constructions.bit_extraction._construction import (
    ...     bit_extraction_bound,
    ... )
    >>> bit_extraction_bound(1000, 10, key_bits=24, n_classes=10).n_parameters
    2476
    """
    shapes = [
        Shape(-(-n_samples // size), size, key_bits, key_bits, n_classes)
        for size in (1, *_candidate_sizes(n_samples, key_bits, n_samples))
    ]
    return _sizes(_smallest(shapes, n_features), n_features)


# Expected largest of ten exponential variables: 1 + 1/2 + ... + 1/10.
_BEST_OF_TEN = sum(1 / k for k in range(1, 11))


def predict_bit_extraction(
    n_samples: int, n_features: int, n_classes: int
) -> BitExtractionSizes:
    """Predict the sizes for samples in general, without any.

    They are about right for normally distributed projections with the best of ten
    smallest gaps. Data that come in clusters or pairs take longer keys.

    >>> from sklearn_memorize.constructions.bit_extraction._construction import (
    ...     predict_bit_extraction,
    ... )
    >>> predict_bit_extraction(10**8, 10, 10).depth < 10**5
    True
    """
    if n_samples == 1:
        return _sizes(Shape(1, 1, n_classes.bit_length() + 1, 0, n_classes), n_features)
    # N^2 s / (2 sqrt(pi)) gaps are smaller than s, on average.
    smallest = _BEST_OF_TEN * 2 * math.sqrt(math.pi) / n_samples**2
    scale = (n_classes + 1) / smallest
    extent = 2 * abs(float(ndtri(0.5 / n_samples)))
    first_bits = max(1, math.ceil(math.log2(extent * scale + 2 * n_classes)))
    shapes = [Shape(n_samples, 1, first_bits, 0, n_classes)]
    for n_bits in range(n_classes.bit_length(), first_bits + 1):
        n_breaks = n_samples * _share_of_gaps_above(2.0**n_bits / scale, n_samples)
        longest = max(2, min(n_samples, int(n_samples / (n_breaks + 1))))
        for size in _candidate_sizes(n_samples, n_bits, longest):
            # sum of ceil(r / q) over the runs between long differences
            n_groups = n_samples / size + n_breaks * (1 - 1 / size) / 2
            n_groups = min(n_samples, math.ceil(n_groups))
            shapes.append(Shape(n_groups, size, first_bits, n_bits, n_classes))
    return _sizes(_smallest(shapes, n_features), n_features)


def _share_of_gaps_above(length: float, n_samples: int) -> float:
    """Return the mean of exp(-N length f(x)) over normally distributed x."""
    quantiles = np.linspace(0, 1, 2002)[1:-1]
    x = ndtri(quantiles)
    density = np.exp(-(x**2) / 2) / math.sqrt(2 * math.pi)
    return float(np.exp(-n_samples * length * density).mean())
