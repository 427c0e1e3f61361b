"""What is impossible: the counts, and that no network is built below them."""

import math
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.estimators import CLASSIFIERS, NETWORKS, new
from support.samples import random_labels
from support.strategies import CLOUDS

from sklearn_memorize import BitExtractionClassifier, SlabClassifier
from sklearn_memorize.constructions._lower_bounds import (
    changes_on_lines,
    hyperplanes_of_cells,
    nodes_of_pieces,
    nodes_of_two_layers,
    parameters_of_relu,
    parameters_of_thresholds,
)
from sklearn_memorize.inspection import capacity_report

# What cannot be memorized is refused soon.
CAPS = {
    "DeepThresholdClassifier": {"max_hyperplanes": 500},
    "RandomReLUClassifier": {"max_hyperplanes": 100, "maximum_margin": False},
}


def cells(k, d):
    """Count the cells of k hyperplanes: each new one is cut by the others."""
    if k == 0 or d == 0:
        return 1
    return cells(k - 1, d) + cells(k - 1, d - 1)


@pytest.mark.parametrize("d", [1, 2, 3, 6])
@pytest.mark.parametrize("n_cells", [1, 2, 3, 5, 16, 17, 63])
def test_fewer_hyperplanes_make_fewer_cells(n_cells, d):
    k = hyperplanes_of_cells(n_cells, d)
    assert cells(k, d) >= n_cells
    assert k == 0 or cells(k - 1, d) < n_cells


@given(n_cells=st.integers(2, 10**7), d=st.integers(1, 1000))
def test_hyperplanes_are_counted_for_many_cells_and_dimensions(n_cells, d):
    k = hyperplanes_of_cells(n_cells, d)

    def count(k):
        return sum(math.comb(k, i) for i in range(min(k, d, 30) + 1))

    assert count(k) >= n_cells
    assert count(k - 1) < n_cells


@given(
    n_samples=st.integers(1, 40),
    n_features=st.integers(1, 4),
    seed=st.integers(0, 10**6),
)
def test_changes_of_labels_are_those_on_the_line_where_they_change_most(
    n_samples, n_features, seed
):
    rng = np.random.default_rng(seed)
    X = np.unique(rng.integers(0, 3, (n_samples, n_features)), axis=0) * 0.1
    y = rng.integers(0, 2, len(X))
    most = 0
    for feature in range(n_features):
        lines = {}
        for row, label in zip(X, y, strict=True):
            others = tuple(np.delete(row, feature))
            lines.setdefault(others, []).append((row[feature], label))
        for line in lines.values():
            labels = [label for _, label in sorted(line)]
            most = max(most, np.count_nonzero(np.diff(labels)))
    assert changes_on_lines(X, y) == most
    assert changes_on_lines(X[::-1], y[::-1]) == most


def test_zeros_of_both_signs_are_on_one_line():
    X = np.array([[0.0, 1.0], [-0.0, 2.0], [0.0, 3.0]])
    assert changes_on_lines(X, np.array([0, 1, 0])) == 2


@pytest.mark.parametrize("n_hidden", [1, 2, 3, 4])
@pytest.mark.parametrize("n_pieces", [1, 2, 3, 7, 10, 16, 28])
def test_fewer_nodes_make_fewer_pieces(n_pieces, n_hidden):
    found = nodes_of_pieces(n_pieces, n_hidden)
    fewest = min(
        sum(widths)
        for widths in product(range(n_pieces), repeat=n_hidden)
        if math.prod(width + 1 for width in widths) >= n_pieces
    )
    assert found == fewest


@given(n_pieces=st.integers(2, 10**6), n_hidden=st.integers(1, 10**4))
def test_pieces_take_more_nodes_in_fewer_layers(n_pieces, n_hidden):
    found = nodes_of_pieces(n_pieces, n_hidden)
    assert found >= math.ceil(math.log2(n_pieces)) > 0
    assert found <= nodes_of_pieces(n_pieces, max(1, n_hidden // 2))


@pytest.mark.parametrize("n_samples", [1, 2, 3, 4, 5, 10, 57, 100, 1000, 4321])
def test_two_hidden_layers_have_the_fewest_nodes_that_are_not_ruled_out(n_samples):
    fewest = min(
        first + second
        for first, second in product(range(1, 120), repeat=2)
        if 2 * first * second + second + 2 >= n_samples
    )
    found = nodes_of_two_layers(n_samples)
    assert found == fewest
    assert found <= math.sqrt(2 * n_samples) + 2


@pytest.mark.parametrize("n_samples", [1, 10, 1000, 10**6])
def test_parameters_are_the_fewest_that_the_dimension_leaves(n_samples):
    w = parameters_of_thresholds(n_samples)
    assert 2 * w * math.log2(math.e * w) >= n_samples
    assert w == 1 or 2 * (w - 1) * math.log2(math.e * (w - 1)) < n_samples
    by_depth = [parameters_of_relu(n_samples, depth) for depth in (1, 3, 10, 100)]
    assert by_depth == sorted(by_depth, reverse=True)
    anywhere = parameters_of_relu(n_samples)
    # About the square root of N.
    assert anywhere**2 <= n_samples
    assert 40 * math.log2(n_samples + 1) * anywhere**2 >= n_samples


@pytest.mark.parametrize("cloud", CLOUDS[::4], ids=lambda cloud: cloud.__name__)
@pytest.mark.parametrize("labels", ["random", "runs", "one alone"])
def test_no_network_is_smaller_than_is_possible(cloud, labels):
    rng = np.random.default_rng(0)
    X = np.unique(cloud(rng, 24, 3), axis=0)
    if len(X) < 3:
        return
    y = {
        "random": rng.integers(0, 3, len(X)),
        "runs": np.arange(len(X)) // (len(X) // 2 + 1),
        "one alone": (np.arange(len(X)) == 1).astype(int),
    }[labels]
    y[0], y[-1] = 0, 1
    names = [name for name in CLASSIFIERS if name in NETWORKS]
    estimators = {name: new(name, **CAPS.get(name, {})) for name in names}
    for n_layers in (3, 5, 60):
        flat = BitExtractionClassifier(n_layers=n_layers, random_state=0)
        estimators[f"{n_layers} layers"] = flat
    try:
        rows = capacity_report(X, y, estimators).rows
    except ValueError as refused:
        assert "remove outliers" in str(refused)
        return
    for row in rows:
        for bound in row.lower_bounds:
            if row.interpolates and bound.quantity in ("neurons", "parameters"):
                assert getattr(row, f"built_{bound.quantity}") >= bound.value, bound


def test_labels_that_alternate_on_a_line_take_a_hyperplane_each():
    X, y = np.arange(64.0)[:, np.newaxis], np.arange(64) % 2
    named = {
        name: new(name)
        for name in ("MemorizingClassifier", "SlabClassifier", "RandomReLUClassifier")
    }
    for row in capacity_report(X, y, named).rows:
        bound = row.impossible("neurons")
        assert bound.holds_for == "these labels"
        assert bound.value >= 63
        assert not row.interpolates or row.built_neurons >= bound.value


def test_slabs_are_nearly_as_few_as_can_be():
    X, y = random_labels(400, 20, 2)
    (row,) = capacity_report(X, y, [SlabClassifier(random_state=0)]).rows
    bound = row.impossible("neurons")
    assert bound.holds_for == "some samples"
    assert bound.value <= row.built_neurons <= bound.value + 2


@pytest.mark.parametrize("n_samples", [300, 3000])
def test_bounds_are_shown_with_their_reasons(n_samples):
    X, y = random_labels(n_samples, 20, 2)
    names = ("SmallReLUClassifier", "DeepThresholdClassifier", "NarrowClassifier")
    report = capacity_report(X, y, {name: new(name) for name in names})
    small, deep, narrow = report.rows
    assert small.impossible("neurons").value == nodes_of_two_layers(n_samples) + 1
    tell_apart = deep.impossible("neurons for any labels").value
    assert tell_apart == hyperplanes_of_cells(n_samples, 20) + 1
    # These labels mean nothing: as good as any.
    assert deep.built_neurons >= tell_apart
    text = repr(report)
    assert "2 d1 d2 + d2 + 2 < N" in text
    assert f"{small.impossible('neurons').value} **" in text
    assert "width 2 < 20" in text
    assert narrow.width == 2
    assert "width" not in repr(capacity_report(X, y, [new("MemorizingClassifier")]))


def test_classes_without_a_sample_of_their_own_take_no_hyperplane():
    X, y = np.array([[0.0], [0.0], [0.0], [1.0], [-1.0]]), np.array([4, 4, 3, 2, 4])
    report = capacity_report(X, y, [SlabClassifier(random_state=0)])
    row = report.rows[0]
    assert row.interpolates
    assert row.impossible("neurons").value <= row.built_neurons
    cells = [bound for bound in row.lower_bounds if "cells" in bound.reason]
    assert [bound.value for bound in cells] == [2]
