"""Networks of width 2: recall, the bound of the theorem, and its proof step by step."""

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.samples import random_labels

from sklearn_memorize import NarrowClassifier
from sklearn_memorize.constructions.bit_extraction._line import sort_on_a_line
from sklearn_memorize.constructions.narrow._construction import (
    _pieces,
    build_narrow_network,
    narrow_bound,
)
from sklearn_memorize.constructions.narrow._network import NarrowShape


def fitted(*data, **options):
    return NarrowClassifier(random_state=0, **options).fit(*data)


def rows_of_gaps(gaps):
    return np.cumsum(gaps)[:, np.newaxis]


gaps = st.lists(st.floats(1.0, 1e6), min_size=2, max_size=30)


@given(gaps=gaps, n_classes=st.integers(2, 7), seed=st.integers(0, 1000))
def test_each_step_of_the_proof_holds(gaps, n_classes, seed):
    X = rows_of_gaps(gaps)
    rng = np.random.default_rng(seed)
    y = np.append([0, n_classes - 1], rng.integers(n_classes, size=len(X) - 2))
    samples = sort_on_a_line(X, y, 4, rng, 1)
    pieces = _pieces(samples, n_classes)
    top = int(pieces.heights[-1])
    positions = [Fraction(p, 2**samples.n_bits) for p in samples.positions.tolist()]
    assert positions[0] >= 4
    assert all(b - a >= 4 for a, b in zip(positions, positions[1:], strict=False))
    assert (np.diff(pieces.knees) > 0).all()
    assert len(pieces.knees) <= len(X) + 1
    # 1. Slopes are not negative, and samples are where tri says their label.
    assert all(slope >= 0 for slope in pieces.slopes)
    heights = [
        sum(
            Fraction(int(slope), 2**pieces.n_bits)
            * max(0, min(z, end) - min(z, int(knee)))
            for knee, slope, end in zip(
                pieces.knees, pieces.slopes, [*pieces.knees[1:], math.inf], strict=True
            )
        )
        for z in positions
    ]
    for height, label in zip(heights, samples.labels.tolist(), strict=True):
        place = height % (2 * n_classes)
        assert label < min(place, 2 * n_classes - place) < label + 1
    # 2. None of them is too far up.
    for number, height in enumerate(heights, start=1):
        assert height < Fraction(8 * number * n_classes, 3)
    assert heights[-1] <= Fraction(top, 2**pieces.n_bits)
    assert Fraction(top, 2**pieces.n_bits) < Fraction(8 * len(X) * n_classes, 3)
    in_units = pieces.values(samples.positions, samples.n_bits)
    unit = 2 ** (pieces.n_bits + samples.n_bits)
    assert [Fraction(int(value), unit) for value in in_units] == heights


# Hernandez, Zuazua: width 2, at most 2 N + 4 M - 1 layers. Here N + 2 + log2(8 N / 3).
@pytest.mark.parametrize("n_classes", [2, 3, 10])
@pytest.mark.parametrize("n_samples", [10, 100, 2000, 10_000])
def test_random_labels_are_recalled_by_a_network_of_the_size_of_the_theorem(
    n_samples, n_classes
):
    X, y = random_labels(n_samples, 20, n_classes)
    classifier = fitted(X, y)
    network, bound = classifier.network_, narrow_bound(n_samples, n_classes)
    assert classifier.interpolates_
    assert (classifier.predict(X) == y).all()
    assert max(network.widths) == 2
    assert network.depth <= bound.depth <= 2 * n_samples + 4 * n_classes - 1
    assert network.n_parameters <= bound.n_parameters(20)
    assert network.n_parameters <= 4 * n_samples + 6 * bound.n_folds + 20 + 3


@given(
    n_samples=st.integers(2, 200),
    n_features=st.integers(1, 4),
    n_classes=st.integers(2, 9),
    spread=st.integers(0, 20),
    seed=st.integers(0, 1000),
)
def test_no_network_exceeds_the_bound(n_samples, n_features, n_classes, spread, seed):
    rng = np.random.default_rng(seed)
    scale = 10.0 ** rng.integers(-spread, spread + 1, (n_samples, 1))
    X = rng.standard_normal((n_samples, n_features)) * scale
    y = np.append([0, 1], rng.integers(n_classes, size=n_samples - 2))
    classifier = NarrowClassifier(random_state=seed).fit(X, y)
    n_classes = len(classifier.classes_)
    network, bound = classifier.network_, narrow_bound(n_samples, n_classes)
    assert max(network.widths) == 2
    assert network.depth <= bound.depth
    assert network.n_neurons <= bound.n_neurons
    assert network.n_parameters <= bound.n_parameters(n_features)


@pytest.mark.parametrize("n_samples", range(2, 40))
@pytest.mark.parametrize("n_classes", [2, 5])
def test_the_bound_is_below_that_of_the_paper(n_samples, n_classes):
    bound = narrow_bound(n_samples, n_classes)
    assert bound.depth == n_samples + 2 + math.ceil(math.log2(8 * n_samples / 3))
    assert bound.depth <= 2 * n_samples + 4 * n_classes - 1


def test_samples_of_one_class_side_by_side_share_a_layer():
    X = np.arange(100.0)[:, np.newaxis]
    depths = [
        fitted(X, np.repeat(np.arange(100 // k), k) % 2).network_.depth
        for k in (1, 5, 50)
    ]
    assert depths[1] < 50
    assert depths[2] < 8


def test_a_single_sample_is_memorized():
    for label in range(3):
        network = build_narrow_network(
            np.full((1, 2), 0.5), np.array([label]), 3, np.random.default_rng(0)
        )
        assert label < network.forward(np.full((1, 2), 0.5))[0, 0] <= label + 1
        assert network.shape == NarrowShape(1, network.shape.n_folds)
        assert network.n_parameters <= network.shape.n_parameters(2)


def test_room_for_the_exact_positions_of_all_rows_is_asked_for(memory):
    X, y = np.arange(300.0)[:, np.newaxis], np.arange(300) % 3
    memory(2**12)
    with pytest.raises(MemoryError, match="exact positions of 300 rows"):
        build_narrow_network(X, y, 3, np.random.default_rng(0))
