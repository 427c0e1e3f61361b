"""Samples of any scale and place: recalled, or refused at once with a reason."""

import time
import warnings

import numpy as np
import pytest
from sklearn.datasets import load_iris
from support.estimators import CLASSIFIERS, NETWORKS, new
from support.oracle import RECALLED, REFUSED, judge_classifier
from support.strategies import Problem

OTHERS = sorted(set(CLASSIFIERS) - {"MemorizingClassifier"})
# Evaluated in doubles from the layers as they are.
IN_INTEGERS = {"BitExtractionClassifier", "NarrowClassifier"}
IN_DOUBLES = set(OTHERS) & set(NETWORKS)
IN_DOUBLES -= IN_INTEGERS | {"NearbySetClassifier"}
IN_DOUBLES = sorted(IN_DOUBLES - {"SmallReLUClassifier"})  # reads levels


def near_each_other():
    return np.array([[0.0], [1e-7], [1.0]]), np.array([0, 1, 0])


def unscaled_column():
    rng = np.random.default_rng(0)
    X = np.column_stack([rng.lognormal(10, 1, 500), rng.standard_normal((500, 4))])
    return X, (X[:, 1] * X[:, 2] > 0).astype(int)


def outlying_entry():
    X, y = load_iris(return_X_y=True)
    X, first = np.unique(X, axis=0, return_index=True)
    X[7, 1] = 1e6
    return X, y[first]


def tiny_beside_a_constant(size):
    X = np.column_stack([np.ones(60), size * np.arange(60)])
    return X, np.arange(60) % 2


def time_stamps():
    return 1.7e18 + 1000.0 * np.arange(60)[:, np.newaxis], np.arange(60) % 2


def shifted(offset, spread, n_features):
    rng = np.random.default_rng(1)
    X = np.unique(offset + spread * rng.standard_normal((60, n_features)), axis=0)
    return X, np.arange(len(X)) % 2


SCALES = {
    "near each other": near_each_other(),
    "unscaled column": unscaled_column(),
    "outlying entry": outlying_entry(),
    "1e-19 beside a constant": tiny_beside_a_constant(1e-19),
    "1e-45 beside a constant": tiny_beside_a_constant(1e-45),
}
OFFSETS = [
    (offset, spread)
    for offset in (0.0, 1e4, 1e8, 1e11, 1e15)
    for spread in (1e-15, 1e-8, 1.0)
    if offset == 0 or offset * 1e-16 < spread
]


def textbook_labels(network, X):
    outputs = X
    for layer in network.layers:
        outputs = layer.forward(outputs)
    if outputs.shape[1] == 1:
        return (outputs[:, 0] > 0).astype(int)
    return outputs.argmax(axis=1)


@pytest.mark.parametrize("data", SCALES)
@pytest.mark.parametrize("name", OTHERS)
def test_any_scales_are_recalled(name, data):
    start = time.perf_counter()
    assert judge_classifier(new(name), Problem(*SCALES[data], None)) == RECALLED
    assert time.perf_counter() - start < 20


@pytest.mark.parametrize("data", SCALES)
@pytest.mark.parametrize("name", IN_DOUBLES)
def test_the_layers_as_they_are_stored_recall_them_too(name, data):
    X, y = SCALES[data]
    network = new(name).fit(X, y).network_
    assert (textbook_labels(network, X) == y).all()


@pytest.mark.parametrize("size", [1e-280, 1e-300, 1e-315])
def test_samples_that_all_but_coincide_are_recalled_by_deep_thresholds(size):
    X, y = tiny_beside_a_constant(size)
    start = time.perf_counter()
    classifier = new("DeepThresholdClassifier").fit(X, y)
    assert time.perf_counter() - start < 20
    assert (classifier.predict(X) == y).all()
    assert (textbook_labels(classifier.network_, X) == y).all()


@pytest.mark.parametrize("n_features", [1, 3, 10])
@pytest.mark.parametrize("offset, spread", OFFSETS)
def test_residual_blocks_recall_samples_wherever_they_are(offset, spread, n_features):
    X, y = shifted(offset, spread, n_features)
    classifier = new("ResidualMemorizingClassifier").fit(X, y)
    assert (classifier.predict(X) == y).all()
    assert (textbook_labels(classifier.network_, X) == y).all()
    assert classifier.network_.depth == len(classifier.network_.layers)


@pytest.mark.parametrize("n_features", [2, 5, 20])
@pytest.mark.parametrize("offset", [1e4, 1e6, 3e7, 1e8, 3e8, 1e10])
def test_residual_blocks_are_as_many_wherever_the_samples_are(offset, n_features):
    rng = np.random.default_rng(n_features)
    # As many digits as are left beside the largest offset.
    X = np.round(rng.standard_normal((1501, n_features)), 5)
    y = rng.integers(3, size=len(X))
    for samples in (X, X + offset):
        classifier = new("ResidualMemorizingClassifier").fit(samples, y)
        assert (classifier.predict(samples) == y).all()
        assert classifier.n_split_ == 0


def test_the_block_that_subtracts_an_offset_is_one_of_the_residual_blocks():
    X, y = shifted(1e11, 1.0, 3)
    network = new("ResidualMemorizingClassifier").fit(X, y).network_
    inner, outer = network.blocks[0]
    assert inner.n_neurons == network.widths[0] == 1
    moved = X + inner.forward(X) @ outer.toarray().T
    assert (moved == X - network.pivot).all()
    assert np.abs(moved).max() < 10
    near, _ = shifted(0.0, 1.0, 3)
    assert new("ResidualMemorizingClassifier").fit(near, y).network_.pivot is None


@pytest.mark.parametrize("n_features", [1, 3, 10])
@pytest.mark.parametrize("offset, spread", OFFSETS)
@pytest.mark.parametrize("name", OTHERS)
def test_offsets_are_recalled_or_refused_at_once(name, offset, spread, n_features):
    problem = Problem(*shifted(offset, spread, n_features), None)
    start = time.perf_counter()
    outcome = judge_classifier(new(name), problem)
    assert time.perf_counter() - start < 20
    assert outcome in (RECALLED, REFUSED)
    if offset <= 1e8 * spread and name != "SmallReLUClassifier":
        assert outcome == RECALLED


@pytest.mark.parametrize("name", ["DeepThresholdClassifier", "RandomReLUClassifier"])
def test_time_stamps_are_recalled_or_refused_at_once(name):
    X, y = time_stamps()
    outcome = judge_classifier(new(name), Problem(X, y, None))
    assert outcome == (RECALLED if name.startswith("Deep") else REFUSED)


@pytest.mark.parametrize("name", OTHERS)
def test_a_last_bit_in_a_thousand_features_is_recalled_or_refused(name):
    rng = np.random.default_rng(1)
    X = np.tile(rng.standard_normal((20, 1000)), (2, 1))
    X[20:, 500] = np.nextafter(X[20:, 500], 9.0)
    start = time.perf_counter()
    judge_classifier(new(name), Problem(X, np.arange(40) // 20, None))
    assert time.perf_counter() - start < 30


@pytest.mark.parametrize("name", OTHERS)
def test_no_warning_of_numpy_leaks(name):
    rng = np.random.default_rng(0)
    beside = np.array([1.0, 0.0]) + np.array([0.0, 1e-42]) * np.arange(30)[:, None]
    mixed = rng.standard_normal((30, 4)) * 10.0 ** rng.integers(-300, 300, (30, 4))
    # Sums of these overflow to both sides.
    largest = np.where(rng.random((30, 4)) < 0.5, 1.7e308, -1.7e308)
    for X in (beside, mixed, largest):
        with warnings.catch_warnings():
            warnings.simplefilter("error", RuntimeWarning)
            judge_classifier(new(name), Problem(X, np.arange(30) % 2, None))
