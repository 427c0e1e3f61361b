"""Bit extraction in parts: integers of any length, groups of keys, and sizes."""

import math
import sys
from contextlib import nullcontext
from fractions import Fraction
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate

from sklearn_memorize.constructions.bit_extraction import (
    _construction as bit_extraction,
)
from sklearn_memorize.constructions.bit_extraction._construction import (
    bit_extraction_bound,
    build_bit_extraction_network,
    predict_bit_extraction,
)
from sklearn_memorize.constructions.bit_extraction._layers import (
    ExactLayer,
    Shape,
    _shortened,
    chain_layers,
    written_digits,
)
from sklearn_memorize.constructions.bit_extraction._network import (
    BitExtractionNetwork,
    Line,
    PackedKeys,
    _rounded_up,
)
from sklearn_memorize.exact._products import Dyadic, integer_weights
from sklearn_memorize.exceptions import InterpolationError
from sklearn_memorize.kernels import _memory

# Integers of any length.


@given(
    numerator=st.integers(-(2**70), 2**70),
    exponent=st.integers(0, 60),
)
@settings(deadline=None)
def test_digits_are_those_of_the_number_written_in_binary(numerator, exponent):
    number = Fraction(numerator, 2**exponent)
    whole, part = divmod(abs(number), 1)
    text = "-" * (number < 0) + (f"{whole:b}" if whole else "")
    while part:
        digit, part = divmod(2 * part, 1)
        text += str(digit)
    assert written_digits(number) == len(text)


def test_zeros_that_all_numbers_end_in_are_dropped():
    def shortened(*registers, n_bits):
        arrays = [np.array(each, dtype=object) for each in registers]
        arrays, n_left = _shortened(arrays, n_bits)
        return [each.tolist() for each in arrays], n_left

    assert shortened([8, 12], [16], n_bits=5) == ([[2, 3], [4]], 3)
    assert shortened([8, 24], [16], n_bits=2) == ([[2, 6], [4]], 0)
    assert shortened([8, 3], [16], n_bits=5) == ([[8, 3], [16]], 5)
    assert shortened([0, 0], [0], n_bits=5) == ([[0, 0], [0]], 0)


def test_exact_layers_count_and_evaluate_their_numbers():
    weights = np.array([[1, Fraction(-1, 2)], [0, 3]], dtype=object)
    layer = ExactLayer(weights, np.array([0, -7], dtype=object), "relu")
    assert layer.numbers() == [1, Fraction(-1, 2), 3, -7]
    assert layer.n_parameters == 4
    inputs = np.array([[1, 3], [5, 2]], dtype=object)
    assert layer.forward(inputs).tolist() == [[0, 2], [4, 0]]
    linear = ExactLayer(weights, np.array([0, -7], dtype=object), "identity")
    assert linear.forward(inputs).tolist() == [[Fraction(-1, 2), 2], [4, -1]]


@pytest.mark.parametrize(
    "n_groups, group_size, first_bits, difference_bits, n_classes",
    [
        (1, 1, 3, 0, 2),
        (5, 1, 9, 0, 3),
        (1, 2, 4, 2, 2),
        (7, 4, 9, 5, 10),
        (3, 3, 6, 2, 3),
    ],
)
def test_shapes_are_those_of_the_layers_written_out(
    n_groups, group_size, first_bits, difference_bits, n_classes
):
    shape = Shape(n_groups, group_size, first_bits, difference_bits, n_classes)
    n_features = 6
    line = Line(np.full(n_features, 3.0), 5, -1, 1)
    top = (1 << shape.n_bits) - 1
    memory = SimpleNamespace(
        borders=[10 * k + 7 for k in range(n_groups - 1)],
        packed=[top - k if k % 2 else k + 1 for k in range(n_groups)],
    )
    layers = chain_layers(line, shape, memory)
    assert shape.depth == len(layers) == len(shape.widths)
    assert shape.widths == tuple(layer.n_neurons for layer in layers)
    assert shape.n_neurons == sum(shape.widths)
    n_parameters = sum(layer.n_parameters for layer in layers)
    assert shape.n_parameters(n_features) == n_parameters
    n_bits = first_bits + difference_bits * (group_size - 1)
    assert shape.n_bits == n_bits
    assert shape.longest_difference == max(1, 2**difference_bits - 1)
    # The output, at most C, and a carry.
    assert 2 ** (shape.output_bits - 2) <= n_classes + 1 < 2 ** (shape.output_bits - 1)
    longest = max(written_digits(n) for layer in layers[1:] for n in layer.numbers())
    assert longest <= shape.bits_per_weight == n_bits + shape.output_bits + 1


@pytest.mark.parametrize("n_classes", [1, 2, 5])
def test_a_tent_rises_to_the_number_of_classes_and_falls_to_zero(n_classes):
    shape = Shape(1, 1, 3, 0, n_classes)
    steps = range(-8, 8 * (n_classes + 3))
    heights = shape.tent(np.array(steps, dtype=object), 3)
    for step, height in zip(steps, heights, strict=True):
        y = Fraction(step, 8)
        inside = min(y, (n_classes + 1 - y) * n_classes)
        assert Fraction(height, 8) == max(0, inside)


def small_network(keys, starts, n_bits, group_size, n_classes=3):
    """Return a network of given keys, on positions z = x + 1."""
    keys = np.array(keys)
    packed, borders = [], []
    for start, stop in zip(starts, starts[1:], strict=False):
        number = int(keys[start])
        for difference in np.diff(keys[start:stop]).tolist():
            number = (number << n_bits) | difference
        n_missing = group_size - (stop - start)
        packed.append(((number + 1) << (n_missing * n_bits)) - 1)
        if stop < len(keys):
            borders.append(int(keys[stop]) - 2)
    shape = Shape(
        len(packed), group_size, int(keys[-1]).bit_length(), n_bits, n_classes
    )
    memory = PackedKeys(
        keys,
        np.array(starts),
        np.array(borders, dtype=np.int64),
        np.array(packed, object),
    )
    return BitExtractionNetwork(Line(np.ones(1), 1, 0, 1), shape, memory)


@pytest.mark.parametrize("keys_as_objects", [False, True])
@pytest.mark.parametrize("first", [1, 2, 5, 6, 7])
def test_short_groups_are_evaluated_as_their_layers_say(first, keys_as_objects):
    # Three keys are missing in each group; the keys that stand for them overlap.
    keys = [first, first + 3, first + 40, first + 42]
    network = small_network(keys, [0, 2, 4], n_bits=2, group_size=5)
    if keys_as_objects:
        memory = network._memory
        many = memory.keys.astype(object), memory.starts, memory.borders.astype(object)
        network = BitExtractionNetwork(
            network._line, network.shape, PackedKeys(*many, memory.packed)
        )
    X = np.arange(-8, 4 * (first + 62))[:, np.newaxis] / 4
    outputs = np.vectorize(Fraction, otypes=[object])(X)
    for layer in network.layers:
        outputs = layer.forward(outputs)
    assert network.forward(X)[:, 0].tolist() == [float(o) for o in outputs[:, 0]]
    assert (outputs > 3).any(), "no two keys reach one position"


def test_outputs_are_rounded_up_to_multiples_of_two_to_the_minus_32():
    values = np.array([0, 1, 2**8, 2**8 + 1, 2**40 - 1], dtype=object)
    expected = [0.0, 2.0**-32, 2.0**-32, 2.0**-31, 1.0]
    assert _rounded_up(values, 40).tolist() == expected
    assert _rounded_up(np.array([3], dtype=object), 1).tolist() == [1.5]
    assert _rounded_up(np.array([3], dtype=object), 32).tolist() == [3 * 2.0**-32]
    assert _rounded_up(np.array([-3], dtype=object), 33).tolist() == [-(2.0**-32)]


@given(values=st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1))
@settings(deadline=None)
def test_weights_are_odd_integers_times_powers_of_two(values):
    mantissas, exponents = integer_weights(np.array(values))
    for value, m, e in zip(values, mantissas.tolist(), exponents.tolist(), strict=True):
        assert m * Fraction(2) ** e == Fraction(value)
        assert m % 2 or (m, e) == (0, 0)


def test_dyadic_numbers_are_told_in_smaller_units():
    assert Dyadic(np.array([3, -5], object), 2).in_units(-1).tolist() == [24, -40]


@pytest.mark.parametrize("exponent, shift", [(0, 0), (3, -7), (-5, 2)])
def test_positions_on_a_line_are_those_of_its_weights(exponent, shift):
    line = Line(np.array([0.75, -2.0, 0.0]), 3, exponent, shift)
    weights = [
        Fraction(9, 4) * Fraction(2) ** exponent,
        -6 * Fraction(2) ** exponent,
        0,
    ]
    assert line.weights() == weights
    longest = max(written_digits(number) for number in (*weights, shift))
    assert line.bits_per_weight == longest
    X = np.array([[1.0, 0.25, 9.0], [-3.5, 2.0, 1.0], [0.1, -0.7, 0.0], [0, 0, 1]])
    positions, n_bits = line.positions(X)
    assert n_bits >= 0
    for row, position in zip(X.tolist(), positions, strict=True):
        exact = sum(w * Fraction(x) for w, x in zip(weights, row, strict=True)) + shift
        assert Fraction(position, 2**n_bits) == max(0, exact)


# Bit extraction.


@pytest.mark.parametrize("n_classes", [1, 2, 10])
@pytest.mark.parametrize("gaps", [[7, 9], [1], [2**40 - 1, 2**40], [10**9, 3]])
def test_the_line_is_stretched_as_little_as_five_digits_allow(gaps, n_classes):
    values = np.cumsum([5, *gaps]).astype(object)
    products = SimpleNamespace(values=values, exponent=4)
    gaps = np.diff(values)
    line = bit_extraction._scaled(np.ones(1), products, gaps, n_classes)
    factor = line.multiplier * Fraction(2) ** (line.exponent + products.exponent)
    apart = n_classes + 1
    assert apart <= factor * min(gaps) < apart * Fraction(17, 16)
    assert line.multiplier <= 2**7
    # The first sample is at C + 1, or less than one beyond.
    assert apart <= factor * values[0] + line.shift < apart + 1


def test_borders_are_in_the_middle_of_the_gaps():
    # Positions in quarters: the gaps 2.75..7, 7..10.25 and 11..13.
    positions = np.array([11, 28, 41, 44, 52], dtype=object)
    borders = bit_extraction._borders(positions, 2, np.array([0, 1, 2, 4, 5]))
    # From 3 to 7: the ramp 4..5; from 7 to 10: 8..9; from 11 to 13: 11..12.
    assert borders.tolist() == [4, 8, 11]


def test_groups_end_where_they_are_full_or_a_difference_is_too_long():
    keys = np.array([1, 3, 6, 7, 20, 22, 90], dtype=object)
    shape = Shape(0, 3, 7, 2, 2)
    assert bit_extraction._group_starts(keys, shape).tolist() == [0, 3, 4, 6, 7]
    one_each = Shape(7, 1, 7, 0, 2)
    assert bit_extraction._group_starts(keys, one_each).tolist() == list(range(8))


def test_packed_keys_are_the_first_one_and_differences_bit_by_bit():
    keys = np.array([0b101, 0b110, 0b1001, 0b11111], dtype=object)
    shape = Shape(2, 4, 5, 2, 2)
    packed = bit_extraction._packed(keys, np.array([0, 3, 4]), shape)
    # What is missing is filled up by the longest difference.
    assert packed.tolist() == [0b101_01_11_11, 0b11111_11_11_11]


@given(
    gaps=st.lists(st.integers(1, 60), min_size=0, max_size=25),
    n_classes=st.integers(1, 9),
)
@settings(max_examples=60, deadline=None)
def test_no_other_shape_has_fewer_parameters(gaps, n_classes):
    keys = np.cumsum([n_classes + 1, *gaps]).astype(object)
    found = bit_extraction._best_shape(keys, n_classes, 3)
    assert found.first_bits == int(keys[-1]).bit_length()
    starts = bit_extraction._group_starts(keys, found)
    assert found.n_groups == len(starts) - 1
    assert np.diff(starts).max() <= found.group_size
    fewest = n_classes.bit_length()
    for n_bits in range(fewest, max(fewest + 1, 7)):
        for size in range(2, len(keys) + 1):
            shape = Shape(0, size, found.first_bits, n_bits, n_classes)
            n_groups = len(bit_extraction._group_starts(keys, shape)) - 1
            shape = Shape(n_groups, size, found.first_bits, n_bits, n_classes)
            assert found.n_parameters(3) <= shape.n_parameters(3)


@pytest.mark.parametrize("n_samples", [2, 10, 100, 5000])
@pytest.mark.parametrize("n_bits", [1, 4, 20])
def test_the_best_group_size_is_among_the_candidates(n_samples, n_bits):
    def parameters(size):
        groups = -(-n_samples // size)
        return Shape(groups, size, 9, n_bits, 2).n_parameters(1)

    candidates = bit_extraction._candidate_sizes(n_samples, n_bits, n_samples)
    sizes = range(2, n_samples + 1)
    assert min(map(parameters, candidates)) == min(map(parameters, sizes))
    assert set(candidates) <= set(sizes)
    for longest in (2, 3, 7):
        candidates = bit_extraction._candidate_sizes(n_samples, n_bits, longest)
        assert len(candidates) > 0
        assert max(candidates) <= longest


@pytest.mark.parametrize(
    "n_samples, rho, n_classes", [(1, 4, 3), (60, 9, 2), (400, 30, 9)]
)
def test_the_bound_is_that_of_the_best_groups(n_samples, rho, n_classes):
    bound = bit_extraction_bound(n_samples, 10, rho, n_classes)
    # d + 20 + 6 (ceil(N / q) - 1) + 10 q rho + 13 (q - 1)
    best = min(
        10 + 20 + 6 * (-(-n_samples // q) - 1) + 10 * q * rho + 13 * (q - 1)
        for q in range(1, n_samples + 1)
    )
    q = bound.group_size
    assert bound.n_parameters == best
    assert bound.depth == 5 + 2 * rho * q
    assert 6 * (-(-n_samples // q) - 1) + 13 * (q - 1) + 10 * q * rho + 30 == best
    # A sign, the carry, and an output of up to C + 1.
    assert bound.bits_per_weight == rho * q + (n_classes + 1).bit_length() + 2


def test_sizes_for_one_sample_leave_room_for_one_bit():
    for n_classes in (1, 2, 3, 6):
        predicted = predict_bit_extraction(1, 5, n_classes)
        network = build_bit_extraction_network(
            np.full((1, 5), 0.5), np.array([0]), n_classes, np.random.default_rng(0)
        )
        # Two layers, six neurons and ten parameters a bit.
        more = (predicted.depth - network.depth) // 2
        assert 0 <= more <= 1
        assert predicted.depth == network.depth + 2 * more
        assert predicted.n_neurons == network.n_neurons + 6 * more
        assert predicted.n_parameters == network.shape.n_parameters(5) + 10 * more
        assert predicted.bits_per_weight == network.shape.bits_per_weight + more
        assert predicted.group_size == 1


def test_the_best_of_ten_smallest_gaps_is_the_tenth_harmonic_number():
    harmonic = sum(Fraction(1, k) for k in range(1, 11))
    assert pytest.approx(float(harmonic)) == bit_extraction._BEST_OF_TEN


@pytest.mark.parametrize("n_samples, length", [(10, 0.1), (1000, 0.003), (50, 1.0)])
def test_the_share_of_long_gaps_is_an_integral(n_samples, length):
    def density(x):
        return math.exp(-(x**2) / 2) / math.sqrt(2 * math.pi)

    expected, _ = integrate.quad(
        lambda x: density(x) * math.exp(-n_samples * length * density(x)), -9, 9
    )
    found = bit_extraction._share_of_gaps_above(length, n_samples)
    assert found == pytest.approx(expected, rel=0.05)


def test_smallest_gaps_are_told_in_units_of_the_median_one():
    X = np.array([[0.0, 5.0], [1.0, 4.0], [3.0, 1.0], [9.0, 0.0]])
    gaps = bit_extraction._relative_gaps(X, np.eye(2))
    # 1, 2, 6 and 1, 3, 1
    assert gaps.tolist() == [0.5, 1.0]
    assert bit_extraction._relative_gaps(X[:1], np.eye(2)).tolist() == [0.0, 0.0]
    equal = bit_extraction._relative_gaps(np.zeros((3, 2)), np.eye(2))
    assert equal.tolist() == [0.0, 0.0]


def line_of_samples(n_samples=30, stretch=1.0):
    X = np.arange(float(n_samples))[:, np.newaxis]
    X[-1] *= stretch
    return X, np.arange(n_samples) % 3


@pytest.mark.parametrize("stretch, kind", [(1.0, np.int64), (2.0**70, object)])
def test_keys_are_64_bit_integers_if_they_fit(monkeypatch, stretch, kind):
    X, y = line_of_samples(stretch=stretch)

    def make():
        return build_bit_extraction_network(X, y, 3, np.random.default_rng(0))

    network = make()
    assert network._memory.keys.dtype == network._memory.borders.dtype == kind
    rows = np.concatenate([X, X + 0.3, X - 0.1])
    expected = network.forward(rows)
    monkeypatch.setattr(bit_extraction, "_LARGEST_POSITION", 0)
    assert make()._memory.keys.dtype == object
    np.testing.assert_array_equal(make().forward(rows), expected)


@pytest.mark.parametrize("n_samples", [30, 31, 37, 45, 50])
def test_keys_are_64_bit_integers_as_long_as_all_filled_up_ones_fit(
    monkeypatch, n_samples
):
    X, y = line_of_samples(n_samples)

    def make():
        return build_bit_extraction_network(X, y, 3, np.random.default_rng(0))

    network = make()
    shape, keys = network.shape, network._memory.keys
    assert shape.group_size > 1
    last = int(keys[-1]) + shape.group_size * shape.longest_difference
    for limit, kind in ((last, object), (last + 1, np.int64)):
        monkeypatch.setattr(bit_extraction, "_LARGEST_POSITION", limit)
        assert make()._memory.keys.dtype == kind


def test_room_for_the_exact_positions_of_all_rows_is_asked_for(monkeypatch):
    X, y = line_of_samples(300)
    monkeypatch.setattr(_memory, "_SMALL", 0)
    for bytes_of_sample, fits in ((499, False), (501, True)):
        available = 300.0 * bytes_of_sample
        monkeypatch.setattr(_memory, "available_memory", lambda n=available: n)
        refused = pytest.raises(MemoryError, match="exact positions of 300 rows")
        with nullcontext() if fits else refused:
            build_bit_extraction_network(X, y, 3, np.random.default_rng(0))


def test_twice_the_bits_that_are_expected_are_refused_at_once(monkeypatch):
    X, y = line_of_samples(300)
    expected = predict_bit_extraction(300, 1, 3).bits_per_weight
    module = sys.modules["sklearn_memorize.constructions.bit_extraction._construction"]

    def looked_for(*arguments):
        raise LookupError

    monkeypatch.setattr(module, "_best_line", looked_for)
    for max_bits, error in (
        (-(-expected // 2), LookupError),
        (-(-expected // 2) - 1, InterpolationError),
    ):
        with pytest.raises(error):
            build_bit_extraction_network(
                X, y, 3, np.random.default_rng(0), max_bits=max_bits
            )
