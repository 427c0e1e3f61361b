"""Small ReLU networks recall every sample, within the sizes of their theorem."""

import warnings
from math import ceil, isqrt

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from sklearn_memorize import (
    SmallReLUClassifier,
    SmallReLURegressor,
)
from sklearn_memorize.exceptions import InterpolationError


def random_labels(n_samples, n_features=20, n_classes=10, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n_samples, n_features))
    return X, rng.integers(n_classes, size=n_samples)


def textbook(network, X):
    outputs = X
    for layer in network.layers:
        outputs = layer.forward(outputs)
    return outputs


def nearest_level(outputs, n_classes):
    numbers = np.rint((outputs[:, 0] + 1.0) / 2.0 * (n_classes - 1))
    return np.clip(numbers, 0, n_classes - 1).astype(int)


@pytest.mark.parametrize("n_layers", [3, 4, 5, 9, 17])
def test_networks_of_any_depth_recall_every_sample(n_layers):
    X, y = random_labels(10_000)
    memorizer = SmallReLUClassifier(n_layers=n_layers, random_state=0).fit(X, y)
    np.testing.assert_array_equal(memorizer.predict(X), y)
    assert memorizer.network_.depth == n_layers


@pytest.mark.parametrize("n_layers", [3, 4, 7])
@pytest.mark.parametrize("n_classes", [2, 10])
def test_the_layers_give_the_same_labels(n_layers, n_classes):
    X, y = random_labels(2_000, n_classes=n_classes)
    memorizer = SmallReLUClassifier(n_layers=n_layers, random_state=0).fit(X, y)
    outputs = textbook(memorizer.network_, X)
    np.testing.assert_array_equal(nearest_level(outputs, n_classes), y)
    assert {layer.activation for layer in memorizer.network_.layers[:-1]} == {"relu"}
    assert memorizer.network_.layers[-1].activation == "identity"


@pytest.mark.parametrize("n_layers", [3, 4, 6, 9])
def test_the_layers_are_the_same_function_everywhere(n_layers):
    X, _ = random_labels(60, n_features=1)
    targets = np.random.default_rng(1).uniform(-3, 5, (60, 2))
    memorizer = SmallReLURegressor(n_layers=n_layers, random_state=0).fit(X, targets)
    between = np.linspace(X.min() - 1.0, X.max() + 1.0, 20_001)[:, np.newaxis]
    np.testing.assert_allclose(
        textbook(memorizer.network_, between),
        memorizer.predict(between),
        rtol=0,
        atol=1e-14 * memorizer.network_.largest_slope,
    )


def test_there_are_as_many_parameters_as_nonzero_weights_and_biases():
    X, y = random_labels(500)
    network = SmallReLUClassifier(random_state=0).fit(X, y).network_
    arrays = [
        part for layer in network.layers for part in (layer.weights, layer.biases)
    ]
    assert network.n_parameters == sum(np.count_nonzero(array) for array in arrays)
    d1, d2, _ = network.widths
    assert network.n_parameters <= 21 * d1 + d1 * d2 + 2 * d2 + 1


@pytest.mark.parametrize("n_samples", [1, 2, 5, 17, 64, 65, 100, 401, 1_000, 2_001])
@pytest.mark.parametrize("n_outputs", [1, 3])
def test_the_size_bound_of_the_theorem_holds(n_samples, n_outputs):
    X, _ = random_labels(n_samples)
    targets = np.random.default_rng(1).standard_normal((n_samples, n_outputs))
    network = SmallReLURegressor(random_state=0).fit(X, targets).network_
    d1, d2, _ = network.widths
    group = d2 // (2 * n_outputs)
    assert 4 * (d1 // 4) * (d2 // (4 * n_outputs)) < n_samples + group
    # The other theorem: fewer weights cannot fit all targets.
    assert 2 * d1 * d2 + d2 + 2 >= n_samples


@pytest.mark.parametrize("n_layers", [3, 4, 5, 9, 17])
@pytest.mark.parametrize("n_samples", [10, 300, 3_000, 10_000])
def test_hidden_weights_grow_like_n_at_any_depth(n_layers, n_samples):
    X, y = random_labels(n_samples)
    network = SmallReLUClassifier(n_layers=n_layers, random_state=0).fit(X, y).network_
    n_blocks = n_layers - 2
    weights = sum(np.count_nonzero(layer.weights) for layer in network.layers[1:])
    assert n_samples <= weights
    padding = 2 * isqrt(ceil(n_samples / n_blocks)) + 8
    handed_on = sum(network.widths) + n_layers
    assert weights <= 4 * (n_samples + padding) + handed_on


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("n_layers", [3, 5])
def test_targets_are_recalled_exactly(dtype, n_layers):
    X, _ = random_labels(2_000)
    X, y = X.astype(dtype), np.random.default_rng(1).standard_normal(2_000)
    memorizer = SmallReLURegressor(n_layers=n_layers, random_state=0).fit(X, y)
    np.testing.assert_array_equal(memorizer.predict(X), y)
    assert memorizer.max_abs_error_ == 0.0
    assert memorizer.interpolates_
    missed = textbook(memorizer.network_, X)[:, 0] - y
    assert np.abs(missed).max() <= 1e-6 * np.ptp(y)


def test_several_targets_of_unlike_size_are_recalled_exactly():
    X, _ = random_labels(1_000)
    targets = np.random.default_rng(1).standard_normal((1_000, 5))
    targets = targets * [1.0, 1e5, 1e-8, 0.0, 1.0] + [0.0, 0.0, 0.0, 3.0, 100.0]
    memorizer = SmallReLURegressor(random_state=0).fit(X, targets)
    np.testing.assert_array_equal(memorizer.predict(X), targets)
    assert memorizer.n_outputs_ == 5


@pytest.mark.parametrize("n_outputs", [None, 1, 2])
def test_predictions_have_the_shape_of_the_targets(n_outputs):
    X, y = random_labels(50)
    targets = y if n_outputs is None else np.tile(y[:, np.newaxis], n_outputs)
    predicted = SmallReLURegressor(random_state=0).fit(X, targets).predict(X)
    np.testing.assert_array_equal(predicted, targets, strict=False)
    assert predicted.shape == targets.shape


@pytest.mark.parametrize("shift", [0.0, 1e9, -1e15])
@pytest.mark.parametrize("scale", [1e-300, 1e-9, 1.0, 1e290])
def test_targets_of_any_size_are_recalled_exactly(shift, scale):
    X, _ = random_labels(200)
    y = (np.random.default_rng(1).uniform(size=200) + shift) * scale
    predicted = SmallReLURegressor(random_state=0).fit(X, y).predict(X)
    np.testing.assert_array_equal(predicted, y)


@given(
    arrays.arrays(np.float64, (12, 2), elements=st.integers(-2, 2)),
    arrays.arrays(np.int64, 12, elements=st.integers(0, 3)),
    st.integers(3, 7),
)
@pytest.mark.filterwarnings(
    "ignore::sklearn_memorize.exceptions.ConflictingLabelsWarning"
)
def test_small_grids_with_duplicates_are_recalled(X, y, n_layers):
    memorizer = SmallReLUClassifier(n_layers=n_layers, random_state=0).fit(X, y)
    assert memorizer.interpolates_
    predicted = memorizer.predict(X)
    ballots = [y[(row == X).all(axis=1)] for row in X]
    majority = [np.bincount(ballot).argmax() for ballot in ballots]
    np.testing.assert_array_equal(predicted, majority)


def near_duplicates(distance, n_features):
    X, y = random_labels(200, n_features)
    twins = X[:100].copy()
    if distance == "1 ulp":
        twins[:, 0] = np.nextafter(twins[:, 0], np.inf)
    else:
        twins[:, 0] += distance
    return np.vstack([X, twins]), np.append(y, (y[:100] + 1) % 10)


@pytest.mark.parametrize("distance", [1e-6, 1e-9])
@pytest.mark.parametrize("n_features", [1, 20])
def test_near_duplicates_are_told_apart(distance, n_features):
    X, y = near_duplicates(distance, n_features)
    memorizer = SmallReLUClassifier(random_state=0).fit(X, y)
    np.testing.assert_array_equal(memorizer.predict(X), y)
    outputs = textbook(memorizer.network_, X)
    np.testing.assert_array_equal(nearest_level(outputs, 10), y)


@pytest.mark.parametrize("distance", [1e-10, 1e-11, 1e-12, 1e-13, 1e-15, "1 ulp"])
@pytest.mark.parametrize("n_features", [1, 20])
@pytest.mark.parametrize("estimator", [SmallReLUClassifier, SmallReLURegressor])
def test_nearer_duplicates_are_told_apart_or_reported(distance, n_features, estimator):
    X, y = near_duplicates(distance, n_features)
    memorizer = estimator(random_state=0)
    try:
        memorizer.fit(X, y)
    except InterpolationError as error:
        assert "double precision" in str(error)
        assert "n_projections" in str(error)
    else:
        np.testing.assert_array_equal(memorizer.predict(X), y)


@pytest.mark.parametrize("estimator", [SmallReLUClassifier, SmallReLURegressor])
def test_samples_one_ulp_apart_are_reported(estimator):
    X, y = near_duplicates("1 ulp", 20)
    with pytest.raises(InterpolationError, match="equal projections"):
        estimator(random_state=0).fit(X, y)


def test_slopes_beyond_double_precision_are_reported_and_deeper_networks_help():
    rng = np.random.default_rng(0)
    clusters = rng.standard_normal((20, 5))[rng.integers(20, size=2_000)]
    X = clusters + 1e-3 * rng.standard_normal((2_000, 5))
    y = rng.integers(10, size=2_000)
    with pytest.raises(InterpolationError, match="n_layers"):
        SmallReLUClassifier(random_state=0).fit(X, y)
    deeper = SmallReLUClassifier(n_layers=9, random_state=0).fit(X, y)
    np.testing.assert_array_equal(deeper.predict(X), y)


def test_features_of_unlike_size_are_memorized():
    X, y = random_labels(500)
    X = X * 10.0 ** np.arange(-150, 150, 15) + 10.0 ** np.arange(-150, 150, 15)
    memorizer = SmallReLUClassifier(random_state=0).fit(X, y)
    np.testing.assert_array_equal(memorizer.predict(X), y)


@pytest.mark.filterwarnings("ignore:invalid value encountered in reduce")
def test_an_input_beyond_all_bounds_gets_an_answer():
    X, y = random_labels(100)
    memorizer = SmallReLURegressor(random_state=0).fit(1e-200 * X, y)
    huge = np.where(np.arange(20) % 2, 1e308, -1e308)[np.newaxis]
    assert np.isfinite(memorizer.predict(huge)).all()


def test_more_projections_do_not_steepen_the_network():
    X, y = random_labels(1_000)
    slopes = []
    for n_projections in (1, 3, 30):
        memorizer = SmallReLUClassifier(n_projections=n_projections, random_state=0)
        network = memorizer.fit(X, y).network_
        reach = np.abs(network.direction) @ np.abs(X).max(axis=0)
        slopes.append(network.largest_slope * reach)
    assert slopes[0] >= slopes[1] >= slopes[2]
    assert slopes[0] > slopes[2]


def test_constant_features_get_no_weight():
    X, y = random_labels(100)
    X[:, 3] = 1e9
    network = SmallReLUClassifier(random_state=0).fit(X, y).network_
    assert not network.layers[0].weights[:, 3].any()
    assert network.layers[0].weights[:, 4].all()


@pytest.mark.parametrize(
    "parameters", [{"n_layers": 2}, {"n_projections": 0}, {"conflicts": "ignore"}]
)
@pytest.mark.parametrize("estimator", [SmallReLUClassifier, SmallReLURegressor])
def test_bad_parameters_are_named(estimator, parameters):
    X, y = random_labels(10)
    with pytest.raises(ValueError, match=next(iter(parameters))):
        estimator(**parameters).fit(X, y)


def test_layers_that_overflow_are_refused_with_a_number():
    X = np.array([[1.5e-323], [4.9e-324]])
    with pytest.raises(InterpolationError, match="misses targets by inf"):
        SmallReLUClassifier(random_state=0).fit(X, [1, 0])


@pytest.mark.parametrize("largest", [2.3e307, 1.79e308])
def test_targets_at_the_end_of_double_precision_are_refused(largest):
    X = np.arange(5.0)[:, np.newaxis]
    with pytest.raises(InterpolationError, match="Scale the targets down"):
        SmallReLURegressor(random_state=0).fit(X, [0, 0, largest, 0, -largest])


@pytest.mark.parametrize("estimator", [SmallReLUClassifier, SmallReLURegressor])
def test_slopes_beyond_double_precision_are_refused_without_other_warnings(estimator):
    X = np.array([[5e-324], [1.5e-323], [1e-145], [1e108], [1e11], [-2e-148]])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(InterpolationError):
            estimator(random_state=0).fit(X, [0, 1, 0, 1, 0, 1])
