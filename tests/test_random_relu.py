"""Random ReLU features: a certified separator, grown as far as needed."""

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse
from sklearn.datasets import load_digits, load_iris, load_wine, make_moons

from sklearn_memorize import RandomReLUClassifier
from sklearn_memorize.constructions.random_hyperplanes._drawing import (
    HyperplaneStream,
    enclosing_ball,
)
from sklearn_memorize.constructions.random_relu import _construction as random_relu
from sklearn_memorize.constructions.random_relu._construction import separate, widen
from sklearn_memorize.exceptions import InterpolationError, InterpolationWarning


def random_labels(n_samples=250, n_features=10, n_classes=3, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n_samples, n_features))
    return X, rng.integers(n_classes, size=n_samples)


def textbook(network, X):
    for layer in network.layers:
        X = layer.forward(X)
    return X


def test_random_labels_are_recalled():
    X, y = random_labels(1500, 20, 10)
    classifier = RandomReLUClassifier(maximum_margin=False, random_state=0).fit(X, y)
    assert classifier.interpolates_
    assert (classifier.predict(X) == y).all()
    # As many neurons as samples are always enough; the search finds fewer.
    assert classifier.n_hyperplanes_ < 1500


@pytest.mark.parametrize(
    "X, y",
    [
        load_iris(return_X_y=True),
        load_digits(return_X_y=True),
        load_wine(return_X_y=True),
        make_moons(500, noise=0.1, random_state=0),
    ],
    ids=["iris", "digits", "wine", "moons"],
)
@pytest.mark.parametrize("maximum_margin", [False, True])
def test_real_data_are_recalled(X, y, maximum_margin):
    classifier = RandomReLUClassifier(maximum_margin=maximum_margin, random_state=0)
    assert classifier.fit(X, y).score(X, y) == 1.0
    from_sparse = classifier.fit(sparse.csr_array(X), y)
    assert (from_sparse.predict(sparse.csr_array(X)) == y).all()


@settings(max_examples=40, deadline=None)
@given(
    n_samples=st.integers(1, 40),
    n_features=st.integers(1, 4),
    n_classes=st.integers(1, 5),
    exponent=st.integers(-150, 150),
    seed=st.integers(0, 1000),
)
def test_any_small_data_are_recalled_at_any_scale(
    n_samples, n_features, n_classes, exponent, seed
):
    rng = np.random.default_rng(seed)
    X = rng.integers(-8, 9, (n_samples, n_features)) * 10.0**exponent
    X, first = np.unique(X, axis=0, return_index=True)
    y = rng.integers(n_classes, size=n_samples)[first]
    classifier = RandomReLUClassifier(random_state=seed).fit(X, y)
    assert (classifier.predict(X) == y).all()


@pytest.mark.parametrize("n_classes", [2, 4])
def test_every_output_has_the_right_sign_in_any_evaluation(n_classes):
    X, y = random_labels(n_classes=n_classes)
    network = RandomReLUClassifier(random_state=0).fit(X, y).network_
    wanted = y[:, np.newaxis] == (np.arange(n_classes) if n_classes > 2 else 1)
    for outputs in (network.forward(X), textbook(network, X)):
        assert ((outputs > 0) == wanted).all()


def test_bound_of_rounding_errors_holds():
    X, y = random_labels()
    stream = HyperplaneStream(0, enclosing_ball(X, np.arange(250), True), 1.0)
    features = widen([stream.draw(400)], X)
    network, *_ = separate(features, X, y, 3, False, 100, None)
    errors = features.errors(network)
    outputs = network.forward(X)
    hidden, output = network.layers
    for seed in range(5):
        rng = np.random.default_rng(seed)
        inner, outer = rng.permutation(10), rng.permutation(400)
        values = np.maximum(X[:, inner] @ hidden.weights[:, inner].T + hidden.biases, 0)
        shuffled = values[:, outer] @ output.weights[:, outer].T + output.biases
        assert (np.abs(shuffled - outputs) <= errors).all()
    assert (errors < 1e-6 * np.abs(outputs).max()).all()


def test_network_is_gaussian_up_to_a_power_of_two():
    X, y = random_labels()
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
    dead = (network.layers[1].weights == 0).all(axis=0).sum()
    expected = 350 * (6 + 1) + (350 - dead + 1) * n_outputs
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
def test_many_samples_are_separated_without_their_gram_matrix(monkeypatch, n_jobs):
    monkeypatch.setattr(random_relu, "_GRAM_SAMPLES", 100)
    X, y = random_labels(150)
    classifier = RandomReLUClassifier(n_hyperplanes=300, n_jobs=n_jobs, random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert classifier.fit(X, y).score(X, y) == 1.0
    plain = classifier.set_params(maximum_margin=False)
    wide = classifier.decision_function(X)
    assert (plain.fit(X, y).decision_function(X) != wide).any()


@pytest.mark.parametrize("maximum_margin", [False, True])
def test_result_does_not_depend_on_n_jobs(maximum_margin):
    X, y = random_labels(150)
    one, two = (
        RandomReLUClassifier(
            maximum_margin=maximum_margin, n_jobs=n_jobs, random_state=0
        ).fit(X, y)
        for n_jobs in (1, 2)
    )
    unseen = np.random.default_rng(1).standard_normal((5000, 10))
    assert (one.decision_function(unseen) == two.decision_function(unseen)).all()


def test_answers_do_not_depend_on_how_they_are_asked_for():
    X, y = random_labels(150)
    X = X.astype(np.float32)
    classifier = RandomReLUClassifier(random_state=0).fit(X, y)
    samples = np.random.default_rng(1).standard_normal((200, 10)).astype(np.float32)
    expected = classifier.decision_function(samples)
    shuffled = np.random.default_rng(2).permutation(200)
    for copy in (
        samples.astype(np.float64),
        np.asfortranarray(samples),
        sparse.csr_array(samples),
    ):
        assert (classifier.decision_function(copy) == expected).all()
    assert (classifier.decision_function(samples[shuffled]) == expected[shuffled]).all()
    one_by_one = [classifier.decision_function(row[np.newaxis])[0] for row in samples]
    assert (np.array(one_by_one) == expected).all()
    assert (classifier.predict(samples) == expected.argmax(axis=1)).all()


def test_fixed_width_that_does_not_suffice_warns():
    X, y = random_labels()
    with pytest.warns(InterpolationWarning, match="n_hyperplanes=20"):
        classifier = RandomReLUClassifier(n_hyperplanes=20, random_state=0).fit(X, y)
    assert not classifier.interpolates_
    assert classifier.n_hyperplanes_ == 20
    assert 1 / 3 < classifier.score(X, y) < 1


def test_cap_that_does_not_suffice_is_an_error():
    X, y = random_labels()
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


def test_order_of_samples_does_not_show():
    X, y = random_labels(200)
    order = np.random.default_rng(0).permutation(200)
    plain = RandomReLUClassifier(random_state=0).fit(X, y)
    shuffled = RandomReLUClassifier(random_state=0).fit(X[order], y[order])
    assert (plain.decision_function(X) == shuffled.decision_function(X)).all()
