"""Layers of integers of any length, and their sizes."""

from fractions import Fraction
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sklearn_memorize.constructions.bit_extraction._layers import (
    ExactLayer,
    Shape,
    chain_layers,
    written_digits,
)
from sklearn_memorize.constructions.bit_extraction._network import (
    Line,
)


@given(
    numerator=st.integers(-(2**70), 2**70),
    exponent=st.integers(0, 60),
)
def test_digits_are_those_of_the_number_written_in_binary(numerator, exponent):
    number = Fraction(numerator, 2**exponent)
    whole, part = divmod(abs(number), 1)
    text = "-" * (number < 0) + (f"{whole:b}" if whole else "")
    while part:
        digit, part = divmod(2 * part, 1)
        text += str(digit)
    assert written_digits(number) == len(text)


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
