"""Ramps on slabs: four units for d samples, and every target to the last bit."""

import numpy as np
import pytest
from support.networks import textbook
from support.samples import random_labels
from support.strategies import SMALLEST

from sklearn_memorize import SlabRegressor
from sklearn_memorize.constructions.slabs import predict_size
from sklearn_memorize.exceptions import InterpolationError


def targets(n_samples, n_outputs=1, seed=1):
    return np.random.default_rng(seed).standard_normal((n_samples, n_outputs))


@pytest.mark.parametrize("n_samples", [2000, 10_000])
def test_random_targets_are_recalled_to_the_last_bit(n_samples):
    X, y = random_labels(n_samples)
    expected = targets(n_samples)[:, 0] * 10.0**y
    regressor = SlabRegressor(random_state=0).fit(X, expected)
    assert regressor.max_abs_error_ == 0.0
    assert regressor.predict(X).tobytes() == expected.tobytes()
    assert regressor.n_split_ == 0


@pytest.mark.parametrize("n_features", [1, 2, 5, 20])
@pytest.mark.parametrize("n_samples", [2, 20, 21, 22, 150])
@pytest.mark.parametrize("n_outputs", [1, 3])
def test_the_units_are_those_of_the_theorem(n_samples, n_features, n_outputs):
    X, _ = random_labels(n_samples, n_features)
    y = targets(n_samples, n_outputs)
    regressor = SlabRegressor(degenerate="raise", random_state=0).fit(X, y)
    dimension = min(n_features, n_samples - 1)
    assert regressor.group_size_ == dimension
    # One sample has the default target.
    n_slabs = -(-(n_samples - 1) // dimension)
    units = (2 + 2 * n_outputs) * n_slabs
    assert regressor.network_.widths == (units, n_outputs)
    assert (regressor.predict(X) == y).all()
    members = np.sort(np.concatenate(regressor.groups_))
    assert len(members) == n_samples - 1 == len(np.unique(members))
    if n_outputs == 1 and n_samples > n_features:

        class Geometry:
            n_given = rank = 0

        Geometry.n_samples, Geometry.n_features = n_samples, n_features
        predicted = predict_size(Geometry, regressor)
        assert regressor.network_.n_neurons <= predicted.n_neurons
        assert regressor.network_.n_parameters <= predicted.n_parameters


def test_targets_that_most_samples_have_need_no_slabs():
    X, _ = random_labels(300, 10)
    y = np.where(np.arange(300) < 250, 7.0, targets(300)[:, 0])
    regressor = SlabRegressor(random_state=0).fit(X, y)
    assert regressor.default_target_.tolist() == [7.0]
    assert regressor.network_.widths == (4 * 5, 1)
    assert (regressor.predict(X) == y).all()


def test_the_layers_are_the_same_function_on_slabs_and_beside_them():
    X, _ = random_labels(120, 4)
    y = targets(120, 2) * [1.0, 1e6] + [0.0, 1e7]
    network = SlabRegressor(random_state=0).fit(X, y).network_
    # Along the slabs, across their borders, and anywhere.
    rng = np.random.default_rng(2)
    between = X + 1e-3 * rng.standard_normal(X.shape) * rng.random((120, 1)) ** 8
    rows = np.concatenate([X, between, 3 * rng.standard_normal(X.shape)])
    expected = network.forward(rows)
    error = np.abs(textbook(network, rows) - expected) / np.ptp(y, axis=0)
    assert error.max() < 1e-6 * max(1, np.abs(expected / np.ptp(y, axis=0)).max())
    assert ((expected != y[0]).any(axis=1)).sum() > 120


def test_a_grid_takes_more_slabs_or_is_named():
    axes = np.meshgrid(*[np.arange(4.0)] * 3)
    X = np.stack(axes, axis=-1).reshape(-1, 3)
    y = targets(64)[:, 0]
    regressor = SlabRegressor(random_state=0).fit(X, y)
    assert regressor.n_split_ > 0
    assert (regressor.predict(X) == y).all()
    with pytest.raises(InterpolationError, match=r"through samples \[.*degenerate="):
        SlabRegressor(degenerate="raise", random_state=0).fit(X, y)


def test_a_last_bit_between_two_samples_is_named_and_half_a_row_is_not():
    X, _ = random_labels(40, 4)
    y = targets(40)[:, 0]
    X[7] = X[3]
    X[7, 2] = np.nextafter(X[7, 2], 9.0)
    with pytest.raises(InterpolationError, match=r"\[3, 7\]|\[3\]|\[7\]"):
        SlabRegressor(random_state=0).fit(X, y)
    X[7, 2] += 1e-3
    assert (SlabRegressor(random_state=0).fit(X, y).predict(X) == y).all()


def test_few_samples_and_equal_targets_are_recalled():
    for X, y in (
        ([[5.0]], [SMALLEST]),
        ([[0.0, 1.0], [0.0, 2.0], [0.0, 4.0]], [7.0, 7.0, 7.0]),
        ([[1.0], [2.0]], [-1e300, 0.25]),
        ([[1.0, 1.0], [2.0, 2.0], [3.0, 3.0]], [1.0, 2.0, 3.0]),
    ):
        regressor = SlabRegressor(random_state=0).fit(X, y)
        assert regressor.predict(X).tolist() == y


def test_targets_too_large_for_the_output_layer_are_named():
    X, _ = random_labels(400, 2)
    y = targets(400)[:, 0] * 1e307
    with pytest.raises(InterpolationError, match="Scale the targets down"):
        SlabRegressor(random_state=0).fit(X, y)
