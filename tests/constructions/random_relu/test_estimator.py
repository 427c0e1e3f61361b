"""Random ReLU features: a certified separator, grown as far as needed."""

import warnings

import numpy as np
import pytest
from sklearn.datasets import load_iris
from support.networks import textbook
from support.samples import random_labels

from sklearn_memorize import (
    RandomReLUClassifier,
)
from sklearn_memorize.exceptions import (
    InterpolationError,
    InterpolationWarning,
)


@pytest.mark.parametrize("n_classes", [2, 4])
def test_every_output_has_the_right_sign_in_any_evaluation(n_classes):
    X, y = random_labels(250, 10, n_classes)
    network = RandomReLUClassifier(random_state=0).fit(X, y).network_
    wanted = y[:, np.newaxis] == (np.arange(n_classes) if n_classes > 2 else 1)
    for outputs in (network.forward(X), textbook(network, X)):
        assert ((outputs > 0) == wanted).all()


def test_network_is_gaussian_up_to_a_power_of_two():
    X, y = random_labels(250, 10, 3)
    classifier = RandomReLUClassifier(n_hyperplanes=400, random_state=0).fit(
        1000 * X, y
    )
    hidden, output = classifier.network_.layers
    assert (hidden.activation, output.activation) == ("relu", "identity")
    scale = np.ldexp(1.0, round(np.log2(hidden.weights.std())))
    assert 0.95 < (hidden.weights / scale).std() < 1.05
    from_center = (
        hidden.biases / scale + hidden.weights @ (1000 * X).mean(axis=0) / scale
    )
    assert np.abs(from_center).max() <= classifier.radius_ * (1 + 1e-6)
    assert np.abs(from_center).max() > 0.9 * classifier.radius_


@pytest.mark.parametrize("n_classes", [2, 3])
def test_parameters_are_counted_exactly(n_classes):
    X, y = random_labels(300, 6, n_classes)
    network = RandomReLUClassifier(n_hyperplanes=350, random_state=0).fit(X, y).network_
    n_outputs = n_classes if n_classes > 2 else 1
    outer = np.count_nonzero(network.layers[1].weights)
    expected = 350 * (6 + 1) + outer + n_outputs
    assert network.n_parameters == expected
    assert network.widths == (350, n_outputs)


def test_maximum_margin_widens_the_margin():
    X, y = random_labels(200, 5, 2)
    signs = 2.0 * y - 1.0
    margins = []
    for maximum_margin in (False, True):
        classifier = RandomReLUClassifier(
            n_hyperplanes=300, maximum_margin=maximum_margin, random_state=0
        ).fit(X, y)
        hidden, output = classifier.network_.layers
        deviations = hidden.forward(X).std(axis=0)
        length = np.linalg.norm(output.weights[0] * deviations)
        margins.append((signs * classifier.decision_function(X)).min() / length)
    assert margins[1] > 1.05 * margins[0]


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_the_maximum_margin_is_another_separator(n_jobs):
    X, y = random_labels(150, 10, 3)
    classifier = RandomReLUClassifier(n_hyperplanes=300, n_jobs=n_jobs, random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert classifier.fit(X, y).score(X, y) == 1.0
    plain = classifier.set_params(maximum_margin=False)
    wide = classifier.decision_function(X)
    assert (plain.fit(X, y).decision_function(X) != wide).any()


def test_fixed_width_that_does_not_suffice_warns():
    X, y = random_labels(250, 10, 3)
    with pytest.warns(InterpolationWarning, match="n_hyperplanes=20"):
        classifier = RandomReLUClassifier(n_hyperplanes=20, random_state=0).fit(X, y)
    assert not classifier.interpolates_
    assert classifier.n_hyperplanes_ == 20
    assert 1 / 3 < classifier.score(X, y) < 1


def test_cap_that_does_not_suffice_is_an_error():
    X, y = random_labels(250, 10, 3)
    with pytest.raises(InterpolationError, match="max_hyperplanes=20"):
        RandomReLUClassifier(max_hyperplanes=20, random_state=0).fit(X, y)


@pytest.mark.parametrize("bounds, width", [((50, 50), 50), ((400, 30), 30)])
def test_cap_bounds_the_width(bounds, width):
    X, y = load_iris(return_X_y=True)
    y = y > 0
    lower, upper = bounds
    classifier = RandomReLUClassifier(
        min_hyperplanes=lower, max_hyperplanes=upper, random_state=0
    ).fit(X, y)
    assert classifier.n_hyperplanes_ == width
    assert classifier.interpolates_


@pytest.mark.parametrize("distance", [1e-6, 1e-9, 1e-12, 0.0])
def test_near_duplicates_of_another_class_are_recalled_or_refused(distance):
    X, y = random_labels(100, 5, 2)
    twins = X[:5].copy()
    twins[:, 2] = np.nextafter(twins[:, 2] + distance, np.inf)
    X, y = np.vstack([X, twins]), np.concatenate([y, 1 - y[:5]])
    classifier = RandomReLUClassifier(max_hyperplanes=300, random_state=0)
    if distance > 1e-11:
        assert (classifier.fit(X, y).predict(X) == y).all()
        return
    with pytest.raises(InterpolationError, match="near-duplicates"):
        classifier.fit(X, y)


def test_sums_to_both_infinities_are_finite_outputs():
    X = np.random.default_rng(0).standard_normal((20, 4))
    estimator = RandomReLUClassifier(random_state=0).fit(X, np.arange(20) % 3)
    far = np.full((2, 4), 1.7e308) * [[1, 1, -1, -1], [-1, 1, -1, 1]]
    assert np.isfinite(estimator.decision_function(far)).all()
