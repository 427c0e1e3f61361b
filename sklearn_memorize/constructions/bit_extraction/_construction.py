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

import math

import numpy as np
from scipy.special import ndtri

from ...exceptions import InterpolationError
from ...kernels._memory import check_room
from ._chains import ChainShape
from ._chains_network import ChainsNetwork, LabelStepsNetwork
from ._given_depth import Fewest, build_network_of_depth, shape_of_depth
from ._layers import Shape
from ._line import (
    SortedSamples,
    bit_lengths,
    borders_between,
    group_starts,
    lengths_of_runs,
    sort_on_a_line,
)
from ._network import BitExtractionNetwork, PackedKeys

# Positions, products and keys of a sample, as Python integers.
_BYTES_OF_SAMPLE = 500


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
    n_layers: int | None = None,
    fewest: Fewest = "parameters",
) -> BitExtractionNetwork | ChainsNetwork | LabelStepsNetwork:
    """Build a network whose output exceeds c by at most 1 at samples of class c.

    The rows of X are distinct, and labelled with class numbers. The best of
    `n_projections` random directions is taken. With `n_layers` the network has at most
    so many layers, and of these the fewest parameters, or the smallest width.

    Raises an InterpolationError if weights would get longer than `max_bits`, or if no
    direction tells all rows apart, and a MemoryError if the positions do not fit into
    memory.
    """
    n_samples, n_features = X.shape
    expected = predict_bit_extraction(n_samples, n_features, n_classes)
    # Room for data that are easier than random ones; what is certain is checked below.
    n_bits_expected = expected.bits_per_weight
    if n_layers is None and n_bits_expected > 2 * max_bits:
        raise _too_many_bits("about ", n_bits_expected, expected, n_features, max_bits)
    check_room(
        _BYTES_OF_SAMPLE * n_samples, f"the exact positions of {n_samples:,} rows"
    )
    samples = sort_on_a_line(X, labels, n_classes + 1, rng, n_projections)
    if n_layers is not None:
        shape_given = shape_of_depth(samples, n_classes, n_layers, fewest)
        n_bits_needed = max(shape_given.largest_bits, samples.line.bits_per_weight)
        if n_bits_needed > max_bits:
            raise _too_many_bits("", n_bits_needed, shape_given, n_features, max_bits)
        return build_network_of_depth(samples, shape_given)
    shape = _best_shape(samples.keys, n_classes, n_features)
    n_bits_needed = max(shape.bits_per_weight, samples.line.bits_per_weight)
    if n_bits_needed > max_bits:
        raise _too_many_bits("", n_bits_needed, shape, n_features, max_bits)
    return _unpacking_network(samples, shape)


def _unpacking_network(samples: SortedSamples, shape: Shape) -> BitExtractionNetwork:
    keys = samples.keys
    starts = _group_starts(keys, shape)
    borders = borders_between(samples, starts)
    packed = _packed(keys, starts, shape)
    if samples.fits_64_bits(shape.group_size * shape.longest_difference):
        keys, borders = keys.astype(np.int64), borders.astype(np.int64)
    memory = PackedKeys(keys, starts, borders, packed)
    return BitExtractionNetwork(samples.line, shape, memory)


def _too_many_bits(
    about: str, n_bits: int, shape: Shape | ChainShape, n_features: int, max_bits
):
    n_parameters = shape.n_parameters(n_features)
    return InterpolationError(
        f"The network would have {about}{n_parameters:,} parameters with up to "
        f"{about}{n_bits:,} bits each, in {about}{shape.depth:,} layers, which is more "
        f"than max_bits={max_bits:,}. Memory and time to predict grow with the product "
        "of bits and layers. Increase max_bits, or fit fewer samples."
    )


def _best_shape(keys, n_classes: int, n_features: int) -> Shape:
    """Choose how many bits a difference has, and how many keys are in a group.

    Fewer bits mean shorter integers, but more groups: one begins wherever a difference
    has more of them.
    """
    first_bits = int(keys[-1]).bit_length()
    one_each = Shape(len(keys), 1, first_bits, 0, n_classes)
    if len(keys) == 1:
        return one_each
    lengths = bit_lengths(np.diff(keys))
    # What fills up a group reaches past the last of its labels.
    fewest = n_classes.bit_length()
    shapes = [one_each]
    for n_bits in np.unique(np.maximum(lengths, fewest)).tolist():
        runs, counts = lengths_of_runs(lengths > n_bits)
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
    longest = None if shape.group_size == 1 else shape.longest_difference
    return group_starts(keys, shape.group_size, longest)


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
) -> Shape:
    """Return the shape whose parameters bound those of any network.

    d + 20 + 6 (ceil(N / q) - 1) + 10 q rho + 13 (q - 1) parameters for the best q,
    which are at most d + 20 + 10 rho + 2 sqrt(6 N (10 rho + 13)). Here rho, `key_bits`,
    is the number of bits of the largest key: the logarithm of the extent of the samples
    on the line, in units of their smallest distance over the number of classes. Only
    the number of parameters is a bound for all data.

    >>> from sklearn_memorize.constructions.bit_extraction._construction import (
    ...     bit_extraction_bound,
    ... )
    >>> bit_extraction_bound(1000, 10, key_bits=24, n_classes=10).n_parameters(10)
    2476
    """
    shapes = [
        Shape(-(-n_samples // size), size, key_bits, key_bits, n_classes)
        for size in (1, *_candidate_sizes(n_samples, key_bits, n_samples))
    ]
    return _smallest(shapes, n_features)


# Expected largest of ten exponential variables: 1 + 1/2 + ... + 1/10.
_BEST_OF_TEN = sum(1 / k for k in range(1, 11))


def predict_bit_extraction(n_samples: int, n_features: int, n_classes: int) -> Shape:
    """Predict the shape for samples in general, without any.

    Its sizes are about right for normally distributed projections with the best of ten
    smallest gaps. Data that come in clusters or pairs take longer keys.

    >>> from sklearn_memorize.constructions.bit_extraction._construction import (
    ...     predict_bit_extraction,
    ... )
    >>> predict_bit_extraction(10**8, 10, 10).depth < 10**5
    True
    """
    if n_samples == 1:
        return Shape(1, 1, n_classes.bit_length() + 1, 0, n_classes)
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
    return _smallest(shapes, n_features)


def _share_of_gaps_above(length: float, n_samples: int) -> float:
    """Return the mean of exp(-N length f(x)) over normally distributed x."""
    quantiles = np.linspace(0, 1, 2002)[1:-1]
    x = ndtri(quantiles)
    density = np.exp(-(x**2) / 2) / math.sqrt(2 * math.pi)
    return float(np.exp(-n_samples * length * density).mean())
