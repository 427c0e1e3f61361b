"""Groups of keys, and sizes known beforehand."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.samples import random_labels

from sklearn_memorize import BitExtractionClassifier
from sklearn_memorize.constructions.bit_extraction import (
    _construction as bit_extraction,
)
from sklearn_memorize.constructions.bit_extraction._construction import (
    bit_extraction_bound,
    build_bit_extraction_network,
    predict_bit_extraction,
)
from sklearn_memorize.constructions.bit_extraction._layers import (
    Shape,
    written_digits,
)


@given(
    gaps=st.lists(st.integers(1, 60), min_size=0, max_size=25),
    n_classes=st.integers(1, 9),
)
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
    assert bound.n_parameters(10) == best
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
        assert predicted.n_parameters(5) == network.shape.n_parameters(5) + 10 * more
        assert predicted.bits_per_weight == network.shape.bits_per_weight + more
        assert predicted.group_size == 1


def line_of_samples(n_samples=30, stretch=1.0):
    X = np.arange(float(n_samples))[:, np.newaxis]
    X[-1] *= stretch
    return X, np.arange(n_samples) % 3


def test_room_for_the_exact_positions_of_all_rows_is_asked_for(memory):
    X, y = np.arange(300.0)[:, np.newaxis], np.arange(300) % 3
    memory(2**12)
    with pytest.raises(MemoryError, match="exact positions of 300 rows"):
        build_bit_extraction_network(X, y, 3, np.random.default_rng(0))


def fitted(*data, **options):
    return BitExtractionClassifier(random_state=0, **options).fit(*data)


@pytest.mark.parametrize("n_classes", [2, 10])
@pytest.mark.parametrize("n_samples", [1, 2, 10, 100, 1000, 3000])
def test_sizes_are_those_of_the_formula(n_samples, n_classes):
    X, y = random_labels(n_samples, 10, n_classes)
    y[: min(n_classes, n_samples)] = np.arange(min(n_classes, n_samples))
    network = fitted(X, y).network_
    if n_samples == 1:
        return
    shape, layers = network.shape, network.layers
    assert network.depth == shape.depth == len(layers)
    assert network.widths == tuple(layer.n_neurons for layer in layers)
    assert network.n_neurons == shape.n_neurons
    first_layer = max(map(written_digits, layers[0].numbers()))
    assert network.bits_per_weight == max(shape.bits_per_weight, first_layer)
    by_hand = sum(
        np.count_nonzero(layer.weights) + np.count_nonzero(layer.biases)
        for layer in layers
    )
    assert network.n_parameters == by_hand == shape.n_parameters(10)
    assert 1 <= network.bits_per_parameter <= network.bits_per_weight


# n_parameters <= d + 5 sqrt(N) log2(N); bits <= 5 sqrt(N) log2(N), also with a better
# exponent of the logarithm: d + 14 sqrt(N log2(N)) and 5 sqrt(N log2(N)).
@pytest.mark.parametrize("n_features", [2, 10, 100])
@pytest.mark.parametrize("n_samples", [100, 300, 1000, 3000, 10_000])
def test_size_obeys_the_theorem(n_samples, n_features):
    X, y = random_labels(n_samples, n_features)
    classifier = fitted(X, y)
    network = classifier.network_
    assert classifier.interpolates_
    root, logarithm = math.sqrt(n_samples), math.log2(n_samples)
    assert network.n_parameters <= n_features + 10 * root * logarithm
    assert network.n_parameters <= n_features + 25 * math.sqrt(n_samples * logarithm)
    assert network.shape.bits_per_weight <= 2 * root * logarithm
    assert network.bits_per_weight <= 2 * root * logarithm


@given(
    n_samples=st.integers(2, 300),
    n_features=st.integers(1, 5),
    n_classes=st.integers(2, 12),
    spread=st.integers(0, 20),
    seed=st.integers(0, 1000),
)
def test_no_network_exceeds_the_bound(n_samples, n_features, n_classes, spread, seed):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n_samples, n_features)) * 10.0 ** rng.integers(
        -spread, spread + 1, (n_samples, 1)
    )
    y = np.append([0, 1], rng.integers(n_classes, size=n_samples - 2))
    classifier = BitExtractionClassifier(random_state=seed).fit(X, y)
    shape, n_classes = classifier.network_.shape, len(classifier.classes_)
    rho = shape.first_bits
    bound = bit_extraction_bound(n_samples, n_features, rho, n_classes)
    assert classifier.network_.n_parameters <= bound.n_parameters(n_features)
    longest = 2 * math.sqrt(6 * n_samples * (10 * rho + 13))
    assert bound.n_parameters(n_features) <= n_features + 20 + 10 * rho + longest


def test_it_has_fewer_parameters_than_one_hidden_layer_of_n_nodes():
    # 2 N + d parameters, after Zhang et al.
    for n_samples, smaller in ((300, False), (3000, True), (10_000, True)):
        X, y = random_labels(n_samples, 10)
        assert (fitted(X, y).network_.n_parameters < 2 * n_samples + 10) == smaller


@pytest.mark.parametrize("cloud", ["standard_normal", "random"])
@pytest.mark.parametrize("n_classes", [2, 10])
@pytest.mark.parametrize("n_samples", [100, 300, 1000, 3000])
def test_sizes_are_predicted_without_the_data(n_samples, n_classes, cloud):
    rng = np.random.default_rng(n_samples)
    X = getattr(rng, cloud)((n_samples, 10))
    network = fitted(X, np.arange(n_samples) % n_classes).network_
    predicted = predict_bit_extraction(n_samples, 10, n_classes)
    assert network.n_parameters == pytest.approx(predicted.n_parameters(10), rel=0.15)
    assert network.depth == pytest.approx(predicted.depth, rel=0.35)
    assert network.bits_per_weight == pytest.approx(predicted.bits_per_weight, rel=0.35)


def test_sizes_are_predicted_up_to_a_hundred_million_samples():
    sizes = [predict_bit_extraction(10**k, 10, 10) for k in range(9)]
    for small, large in zip(sizes[2:], sizes[3:], strict=False):
        # sqrt(10) and a little
        assert 3 < large.n_parameters(10) / small.n_parameters(10) < 4
    assert sizes[8].n_parameters(10) < 10**6
    assert sizes[8].bits_per_weight > 10**4
