"""The capacity report: assumptions, predicted and built sizes, side by side."""

import warnings

import numpy as np
import pytest
from scipy import sparse
from sklearn.base import is_classifier
from sklearn.datasets import load_digits, make_moons
from sklearn.linear_model import LogisticRegression
from support.samples import random_labels
from support.strategies import SMALLEST

from sklearn_memorize import (
    BitExtractionClassifier,
    DeepThresholdClassifier,
    MemorizingClassifier,
    NearbySetClassifier,
    ResidualMemorizingClassifier,
    SlabClassifier,
    SmallReLUClassifier,
)
from sklearn_memorize.constructions import all_estimators
from sklearn_memorize.constructions._record import builds_network
from sklearn_memorize.constructions.bit_extraction._layers import ExactLayer
from sklearn_memorize.inspection import (
    capacity_report,
    separation,
)
from sklearn_memorize.inspection._capacity import MeasuredGeometry, bits_per_parameter
from sklearn_memorize.network import Layer, LayeredNetwork


@pytest.fixture(scope="module")
def digits_report():
    return capacity_report(*load_digits(return_X_y=True))


def test_digits_are_recalled_by_every_construction(digits_report):
    available = [
        kind.__name__
        for kind in all_estimators()
        if is_classifier(kind()) and builds_network(kind)
    ]
    assert [row.construction for row in digits_report.rows] == available
    for row in digits_report.rows:
        assert row.interpolates, row
        assert row.built_parameters > 0
        assert row.depth >= 2
        assert 0 < row.bits_per_weight <= 64
        assert row.fit_seconds > 0


def test_the_table_prints_as_text_and_as_html(digits_report):
    text = repr(digits_report)
    assert "1,797 distinct samples" in text
    assert "up to constants" in text
    page = digits_report._repr_html_()
    assert page.count("<tr") == len(digits_report.rows) + 1
    for row in digits_report.rows:
        assert row.construction in text
        assert row.construction in page
        assert f"{row.built_parameters:,}" in text
    table = text.splitlines()[2 : 4 + len(digits_report.rows)]
    assert len(table[1].strip("-")) == 0, "a line under the header"
    assert max(map(len, table)) <= 180


def test_the_data_frame_has_a_row_for_each_construction(digits_report):
    pytest.importorskip("pandas")
    frame = digits_report.to_dataframe()
    assert len(frame) == len(digits_report.rows)
    assert frame["interpolates"].all()
    expected = [row.built_neurons for row in digits_report.rows]
    assert frame["built_neurons"].tolist() == expected


def test_numbers_up_to_constants_are_never_shown_as_exact(digits_report):
    by_name = {row.construction: row for row in digits_report.rows}
    memorizing = by_name["MemorizingClassifier"]
    assert memorizing.prediction_kind == "up to constants"
    lines = repr(digits_report).splitlines()
    line = next(line for line in lines if line.startswith("MemorizingClassifier"))
    assert line.count("~ ") == 2


@pytest.mark.parametrize("n_classes", [2, 3, 5])
@pytest.mark.parametrize("n_samples, n_features", [(200, 7), (303, 4)])
def test_what_is_built_obeys_the_bounds(n_classes, n_samples, n_features):
    X, y = random_labels(n_samples, n_features, n_classes)
    estimators = [SlabClassifier(random_state=0), SmallReLUClassifier(random_state=0)]
    estimators.append(NearbySetClassifier(cover_radius=0))
    estimators.append(ResidualMemorizingClassifier(random_state=0))
    slabs, *others = capacity_report(X, y, estimators).rows
    assert slabs.built_neurons == slabs.predicted_neurons
    for row in (slabs, *others):
        assert row.prediction_kind == "at most"
        assert row.built_neurons <= row.predicted_neurons
        assert row.built_parameters <= row.predicted_parameters


@pytest.mark.parametrize("n_classes", [2, 10])
@pytest.mark.parametrize("n_samples", [2, 30, 300, 3000])
def test_bit_extraction_is_no_larger_than_predicted_from_its_keys(n_samples, n_classes):
    X, y = random_labels(n_samples, 6, n_classes)
    y[:2] = 0, 1
    (row,) = capacity_report(X, y, [BitExtractionClassifier(random_state=0)]).rows
    assert row.interpolates
    assert row.prediction_kind == "at most"
    assert row.built_parameters <= row.predicted_parameters
    assert row.built_neurons <= row.predicted_neurons
    if n_samples >= 300:
        assert row.predicted_parameters <= 1.25 * row.built_parameters


def test_bit_extraction_is_predicted_where_it_is_refused():
    X, y = random_labels(2000, 6, 4)
    refused = BitExtractionClassifier(max_bits=50, random_state=0)
    built = BitExtractionClassifier(random_state=0)
    row, other = capacity_report(X, y, {"refused": refused, "built": built}).rows
    assert "max_bits" in row.failure
    assert row.prediction_kind == "up to constants"
    assert row.predicted_parameters == pytest.approx(other.built_parameters, rel=0.1)
    assert row.predicted_neurons == pytest.approx(other.built_neurons, rel=0.1)


@pytest.mark.parametrize("kind", [SlabClassifier, ResidualMemorizingClassifier])
def test_assumptions_that_fail_are_seen(kind):
    X, y = random_labels(100, 3, 2)
    flat = np.column_stack([X, X.sum(axis=1)])
    (row,) = capacity_report(flat, y, [kind(random_state=0)]).rows
    assert row.met is False
    assert "3 of 4 dimensions" in row.evidence
    (row,) = capacity_report(X, y, [kind(random_state=0)]).rows
    assert row.met is True
    cube = np.stack(np.meshgrid(*[np.arange(3.0)] * 4), axis=-1).reshape(-1, 4)
    (row,) = capacity_report(cube, np.arange(81) % 2, [kind(random_state=0)]).rows
    assert row.interpolates
    assert row.met is False
    assert "had to be split" in row.evidence


@pytest.mark.parametrize("n_classes", [2, 4])
def test_residual_networks_are_as_large_as_predicted_but_for_rounding(n_classes):
    X, y = random_labels(400, 20, n_classes)
    (row,) = capacity_report(X, y, [ResidualMemorizingClassifier(random_state=0)]).rows
    # The largest class is not pushed; each of the others may fill its last block.
    largest = np.bincount(y).max()
    n_nodes = 4 * (400 - largest) / 20 + 2 * (n_classes - 1)
    assert n_nodes <= row.built_neurons <= row.predicted_neurons
    assert 22 * (n_nodes - 2 * (n_classes - 1)) <= row.built_parameters


def test_a_construction_that_fails_keeps_its_row():
    X, y = random_labels(100, 3, 2)
    X[0], y[:2] = X[1] + 1e-9, [0, 1]
    capped = MemorizingClassifier(
        hyperplanes="random",
        min_hyperplanes=64,
        max_hyperplanes=64,
        separating_hyperplanes=False,
        random_state=0,
    )
    (row,) = capacity_report(X, y, {"capped": capped}).rows
    assert (row.construction, row.interpolates) == ("capped", False)
    assert row.built_neurons is None
    assert "max_hyperplanes" in row.failure
    assert "max_hyperplanes" in repr(capacity_report(X, y, {"capped": capped}))


def test_fitted_estimators_are_taken_as_they_are():
    X, y = random_labels(80, 3, 2)
    fitted = SmallReLUClassifier(random_state=0).fit(X, y)
    network = fitted.network_
    unfitted = SmallReLUClassifier(random_state=0)
    first, second = capacity_report(X, y, [fitted, unfitted]).rows
    assert fitted.network_ is network
    assert not hasattr(unfitted, "network_")
    assert first.fit_seconds is None
    assert second.fit_seconds > 0
    names = (first.construction, second.construction)
    assert names == ("SmallReLUClassifier", "SmallReLUClassifier #2")
    assert first.built_parameters == second.built_parameters


def test_conflicts_are_resolved_and_counted_without_warnings():
    X, y = make_moons(100, noise=0.05, random_state=0)
    X, y = np.concatenate([X, X[:4], X[:4]]), np.concatenate([y, 1 - y[:4], y[:4]])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        report = capacity_report(X, y, [NearbySetClassifier()])
    assert "4 rows with several labels" in report.summary
    assert "100 distinct samples (of 108)" in report.summary
    assert report.rows[0].interpolates


def test_geometry_counts_distinct_samples_in_units_of_the_radius():
    X, y = make_moons(100, noise=0.05, random_state=0)
    single = MeasuredGeometry(X, y, 0)
    double = MeasuredGeometry(np.concatenate([X, X]) * 8, np.append(y, y), 0)
    assert single.n_samples == double.n_samples == 100
    assert single.distance == separation(X, y).distance
    assert double.distance == 8 * single.distance
    assert double.delta == pytest.approx(single.delta, rel=1e-12)
    assert single.rank == 2
    assert 0 < single.omega < 10


def test_dense_and_sparse_data_give_the_same_report():
    X, y = load_digits(n_class=3, return_X_y=True)
    estimators = [DeepThresholdClassifier(random_state=0), NearbySetClassifier()]
    dense = capacity_report(X, y, estimators).rows
    from_sparse = capacity_report(sparse.csr_array(X), y, estimators).rows
    for one, other in zip(dense, from_sparse, strict=True):
        assert one.built_parameters == other.built_parameters
        assert one.predicted_parameters == other.predicted_parameters


def test_bits_are_those_of_the_numbers():
    def bits(weights, biases, kind=Layer):
        return bits_per_parameter(
            LayeredNetwork([kind(np.array(weights), np.array(biases), "relu")])
        )

    assert bits([[1.0, 0.0], [1.0, 1.0]], [0.0, 0.0]) == 1
    assert bits([[-1.0, 0.0], [1.0, 1.0]], [0.0, 0.0]) == 2
    assert bits([[7.0, 4.0]], [-8.0]) == (3 + 3 + 5) / 3
    assert bits([[0.5]], [0.0]) == 32
    assert bits([[0.1]], [0.0]) == 64
    assert bits([[0.1, 0.5]], [1.0]) == (64 + 64 + 1) / 3
    assert bits([[0.0]], [0.0]) is None
    long = np.array([[2**100, 1]], dtype=object), np.array([0], dtype=object)
    assert bits(*long, kind=ExactLayer) == 101
    assert bits_per_parameter(
        LayeredNetwork([Layer(sparse.csr_array([[0.0, 3.0]]), np.zeros(1), "relu")])
    ) == pytest.approx(2)


def test_bad_input_is_an_error():
    X, y = random_labels(20, 2, 2)
    with pytest.raises(ValueError, match="one class only"):
        capacity_report(X, np.ones(20, dtype=int))
    with pytest.raises(ValueError, match="one class only"):
        capacity_report(X[:1], y[:1])
    with pytest.raises(ValueError, match=r"1 rows that had several .* one class only"):
        capacity_report([[0.0], [0.0], [0.0]], [0, 1, 1])
    with pytest.raises(ValueError, match="NaN"):
        capacity_report(np.full_like(X, np.nan), y)
    with pytest.raises(TypeError, match=r"no `network_`"):
        capacity_report(X, y, [LogisticRegression()])
    with pytest.raises(ValueError, match="constructions"):
        capacity_report(X, y, "all")


@pytest.mark.parametrize(
    "estimator, gap",
    [
        (MemorizingClassifier(hyperplanes="random"), 1e-120),
        (DeepThresholdClassifier(), SMALLEST),
    ],
)
def test_powers_of_small_distances_that_underflow_are_no_sizes(estimator, gap):
    X = np.array([[0.0], [gap], [1.0]])
    (row,) = capacity_report(X, [1, 0, 1], [estimator]).rows
    assert row.met
    assert row.predicted_neurons > 1e100 and row.predicted_parameters > 1e100
