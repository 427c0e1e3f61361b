"""Spiked ReLU networks: exact at samples, the ridge regression everywhere else."""

import warnings

import numpy as np
import pytest
from scipy import sparse
from sklearn.linear_model import Ridge
from sklearn.model_selection import LeaveOneOut, cross_val_predict
from support.networks import textbook
from support.samples import random_labels
from support.strategies import SMALLEST

from sklearn_memorize import MemorizingRegressor
from sklearn_memorize.constructions.spiked_relu import predict_size
from sklearn_memorize.constructions.spiked_relu._construction import (
    _RIDGES,
    fit_ridge,
    spread_of,
)
from sklearn_memorize.exceptions import InterpolationError


def samples(n_samples=300, n_features=4, noise=0.3, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n_samples, n_features))
    mean = np.sin(2 * X[:, 0]) + X[:, n_features // 2] * X[:, -1]
    return X, mean + noise * rng.standard_normal(n_samples), mean


@pytest.mark.parametrize("n_samples", [2000, 10_000])
def test_random_targets_are_recalled_to_the_last_bit(n_samples):
    X, y = random_labels(n_samples)
    targets = np.random.default_rng(1).standard_normal(n_samples) * 10.0**y
    regressor = MemorizingRegressor(random_state=0).fit(X, targets)
    assert regressor.max_abs_error_ == 0.0
    assert regressor.predict(X).tobytes() == targets.tobytes()


@pytest.mark.parametrize("n_samples, n_features", [(1, 1), (2, 3), (50, 1), (400, 7)])
def test_the_size_is_that_of_the_formula(n_samples, n_features):
    X, y, _ = samples(n_samples, n_features)
    network = MemorizingRegressor(n_hyperplanes=30, random_state=0).fit(X, y).network_
    assert network.widths == (31, 1 + 3 * n_samples, 2, 1)
    assert network.widths == tuple(layer.n_neurons for layer in network.layers)

    class Geometry:
        n_given = n_samples

    Geometry.n_samples, Geometry.n_features = n_samples, n_features
    predicted = predict_size(Geometry, MemorizingRegressor(n_hyperplanes=30))
    assert network.n_neurons == predicted.n_neurons
    assert network.n_parameters <= predicted.n_parameters
    assert network.depth == predicted.depth


def test_beside_the_spikes_it_is_the_smooth_part():
    X, y, _ = samples()
    network = MemorizingRegressor(random_state=0).fit(X, y).network_
    unseen, _, _ = samples(20_000, seed=1)
    smooth = np.clip(
        network.smooth_values(unseen), network.spikes.low, network.spikes.high
    )
    smooth = np.ldexp(smooth, network.spikes.exponents)
    differs = (network.forward(unseen) != smooth).any(axis=1)
    assert differs.mean() < 1e-3


def test_the_layers_are_the_same_function_in_spikes_and_between_them():
    X, y, _ = samples(80)
    y = np.column_stack([y, 1e6 * y**2 + 1e7])
    network = MemorizingRegressor(random_state=0).fit(X, y).network_
    spikes = network.spikes
    # From the first sample on the line, by parts of the width of its hat.
    first = X[np.argmin(X @ spikes.direction)]
    along = spikes.direction / (spikes.direction @ spikes.direction)
    parts = np.array([0.25, -0.5, 0.9, 1.5])[:, np.newaxis]
    inside = first + parts * spikes.widths[0] * along
    unseen, _, _ = samples(200, seed=1)
    rows = np.concatenate([inside, X, unseen, 100 * unseen])
    expected = network.forward(rows)
    error = np.abs(textbook(network, rows) - expected) / np.ptp(y, axis=0)
    assert error.max() < 1e-5
    assert (expected >= y.min(axis=0)).all() and (expected <= y.max(axis=0)).all()


def test_leaving_out_is_computed_in_closed_form():
    rng = np.random.default_rng(2)
    for n_samples, n_units in ((60, 10), (25, 40)):
        units = rng.standard_normal((n_samples, n_units)) + 3
        targets = units[:, :2] @ rng.standard_normal((2, 1)) + rng.standard_normal(
            (n_samples, 1)
        )
        coefficients, intercepts, ridge, score = fit_ridge(units, targets)
        assert ridge in _RIDGES
        largest = np.linalg.norm(units - units.mean(axis=0), 2) ** 2
        model = Ridge(alpha=ridge * largest)
        found = model.fit(units, targets[:, 0])
        np.testing.assert_allclose(coefficients[0], found.coef_, rtol=1e-6, atol=1e-9)
        np.testing.assert_allclose(intercepts[0], found.intercept_, rtol=1e-6)
        # The ridge stays as it is; the mean is that of the samples that are left.
        left_out = cross_val_predict(model, units, targets[:, 0], cv=LeaveOneOut())
        lost = np.square(left_out - targets[:, 0]).sum()
        total = np.square(targets - targets.mean()).sum()
        assert score == pytest.approx(1 - lost / total, rel=1e-6)


def test_noise_that_is_recalled_does_no_harm_to_new_samples():
    X, y, _ = samples(1000, noise=1.0)
    regressor = MemorizingRegressor(random_state=0).fit(X, y)
    unseen, _, mean = samples(2000, seed=1)
    assert (regressor.predict(X) == y).all()
    assert np.mean((regressor.predict(unseen) - mean) ** 2) < 0.3  # of 1.0 in the noise


def test_features_need_no_scaling():
    X, y, _ = samples()
    unseen, _, mean = samples(seed=1)
    scale = 2.0 ** np.array([-30, 0, 40, 3])
    regressor = MemorizingRegressor(random_state=0).fit(X, y)
    scaled = MemorizingRegressor(random_state=0).fit(X * scale, y)
    # Other hyperplanes are drawn, for the samples come in another order.
    assert scaled.score(unseen * scale, mean) > 0.5
    assert abs(scaled.smooth_score_ - regressor.smooth_score_) < 0.1


def test_the_spread_of_features_is_their_standard_deviation():
    rng = np.random.default_rng(3)
    X = rng.standard_normal((50, 6)) * 10.0 ** np.arange(-150, 150, 50)
    X[:, 2] = rng.standard_normal(50) + 1e6
    low, high = X.min(axis=0), X.max(axis=0)
    for rows in (X, np.asfortranarray(X), sparse.csr_array(X)):
        found = spread_of(rows, np.arange(6), low, high)
        np.testing.assert_allclose(found, X.std(axis=0), rtol=1e-12)


def test_samples_that_no_line_tells_apart_are_named():
    X, y, _ = samples(40)
    X[7] = X[3]
    X[7, 2] = np.nextafter(X[7, 2], 9.0)
    with pytest.raises(InterpolationError, match=r"training samples \[3, 7\]"):
        MemorizingRegressor(random_state=0).fit(X, y)


def test_the_largest_targets_and_samples_are_recalled():
    X, y, _ = samples(50)
    for scale in (1e-320, 1e-300, 1e300, 1e307):
        targets = y * scale
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            warnings.filterwarnings("ignore", "(invalid|overflow)", RuntimeWarning)
            regressor = MemorizingRegressor(random_state=0).fit(X, targets)
            assert (regressor.predict(X) == targets).all()
            assert np.isfinite(regressor.predict(X * 1e300)).all()
    tiny = MemorizingRegressor(random_state=0).fit(X * 1e-300, y)
    assert (tiny.predict(X * 1e-300) == y).all()


def test_targets_whose_range_is_no_number_are_refused_for_that():
    X, _, _ = samples(30)
    with pytest.raises(InterpolationError, match="no room in double precision"):
        MemorizingRegressor(random_state=0).fit(X, np.where(X[:, 0] > 0, 1e308, -1e308))


def test_constant_samples_and_targets_are_recalled():
    for X, y in (
        ([[5.0]], [SMALLEST]),
        ([[0.0, 1.0], [0.0, 2.0], [0.0, 4.0]], [7.0, 7.0, 7.0]),
        ([[1.0], [2.0]], [0.0, 0.0]),
    ):
        regressor = MemorizingRegressor(random_state=0).fit(X, y)
        assert regressor.predict(X).tolist() == y
