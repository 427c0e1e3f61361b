"""Features, a separator, and a bound of all rounding errors."""

import math
from types import SimpleNamespace

import numpy as np
import pytest
from sklearn.svm import SVC
from support.samples import random_labels

from sklearn_memorize.constructions.random_hyperplanes._drawing import (
    HyperplaneStream,
    enclosing_ball,
)
from sklearn_memorize.constructions.random_relu import _construction as random_relu
from sklearn_memorize.constructions.random_relu import _separators
from sklearn_memorize.constructions.random_relu._construction import (
    Features,
    features_of,
    separate,
)
from sklearn_memorize.constructions.random_relu._margins import largest_margin
from sklearn_memorize.constructions.random_relu._separators import (
    Search,
    squared_hinge,
)


def some_features(n_samples=40, n_hyperplanes=30, n_features=4, exponent=0, seed=0):
    rng = np.random.default_rng(seed)
    samples = rng.standard_normal((n_samples, n_features))
    directions = rng.standard_normal((n_hyperplanes, n_features))
    biases = rng.uniform(-1, 1, n_hyperplanes)
    return samples, Features(samples, directions, biases, exponent)


def test_features_have_mean_zero_and_variance_one_or_vanish():
    samples = np.array([[1.0], [2.0], [4.0], [5.0]])
    directions = np.array([[1.0], [-1.0], [2.0]])
    features = Features(samples, directions, np.array([-3.0, 0.0, 1.0]), 0)
    # ReLU outputs 0, 0, 1, 2; none; 3, 5, 9, 11 of variance 10.
    first = np.array([-0.75, -0.75, 0.25, 1.25]) / math.sqrt(11 / 16)
    last = np.array([-4, -2, 2, 4]) / math.sqrt(10)
    expected = np.stack([first, np.zeros(4), last], axis=1)
    np.testing.assert_allclose(features.values, expected, atol=1e-15)
    assert (features.n_samples, features.n_hyperplanes) == (4, 3)


@pytest.mark.parametrize("exponent", [0, 7])
def test_a_function_of_the_features_is_a_network(exponent):
    samples, features = some_features(exponent=exponent)
    rng = np.random.default_rng(1)
    coefficients, intercepts = rng.standard_normal((30, 2)), rng.standard_normal(2)
    network = features.network(coefficients, intercepts)
    expected = features.values @ coefficients + intercepts
    found = network.forward(np.ldexp(samples, exponent))
    np.testing.assert_allclose(found, expected, atol=1e-12)
    assert network.widths == (30, 2)


def test_errors_are_twice_the_roundings_of_both_layers():
    samples = np.array([[3.0, 4.0], [0.0, 1.0], [6.0, 8.0]])
    directions, biases = np.array([[0.0, 2.0], [-3.0, 0.0]]), np.array([-1.0, 0.5])
    features = Features(samples, directions, biases, 0)
    network = features.network(np.array([[1.0], [2.0]]), np.array([-5.0]))
    v = np.abs(network.layers[1].weights[0])
    c = np.abs(network.layers[1].biases[0])
    # |x| = 5, 1, 10; |w| = 2, 3; d + n + 4 roundings.
    total = np.array([5, 1, 10]) * (2 * v[0] + 3 * v[1]) + v[0] + 0.5 * v[1] + c
    gamma = 8 * 2.0**-53 / (1 - 8 * 2.0**-53)
    np.testing.assert_allclose(
        features.errors(network)[:, 0], 2 * gamma * total, rtol=1e-14
    )


def test_outputs_beyond_all_bounds_are_cut_off():
    separator = random_relu.Separator(np.array([[1.0], [-1.0]]), np.zeros(1))
    weights = np.array([[1e200, 0.0], [1e200, 1e200]])
    network = random_relu.RandomReLUNetwork(weights, np.zeros(2), separator)
    X = np.array([[1e200, 0.0], [1e200, -1e200], [0.0, 1e200]])
    # Equal infinities cancel at the cut; a sum that overflows to both sides is 0.
    assert network.forward(X)[:, 0].tolist() == [0.0, 2.0**500, -(2.0**500)]


def one_against_rest(features, seed=0):
    rng = np.random.default_rng(seed)
    truth = rng.standard_normal((features.n_hyperplanes, 2))
    return np.where(features.values @ truth > 0, 1.0, -1.0)


def test_the_largest_margin_of_few_points_is_known():
    # Positive at (2, 2), negative at (0, 0) and (-1, 0): the line is x + y = 2.
    values = np.array([[2.0, 2.0], [0.0, 0.0], [-1.0, 0.0], [3.0, 2.5]])
    features = SimpleNamespace(values=values, n_samples=4)
    signs = np.array([[1.0], [-1.0], [-1.0], [1.0]])
    both = np.hstack([signs, -signs])
    start = np.array([[1.0, -1.0], [0.5, -0.5]]), np.array([-1.5, 1.5])
    found = largest_margin(features, both, start)
    margins = random_relu._margins(features, found, both)
    np.testing.assert_allclose(margins, math.sqrt(2), rtol=1e-3)
    outputs = values @ found[0] + found[1]
    np.testing.assert_allclose(outputs[0], -outputs[1], rtol=1e-9)


@pytest.mark.parametrize("n_hyperplanes, separated", [(17, False), (19, True)])
def test_what_the_search_misses_is_solved_if_there_are_enough_features(
    monkeypatch, n_hyperplanes, separated
):
    def misses(features, signs, max_iter, *args, **options):
        n_outputs = signs.shape[1]
        coefficients = np.zeros((features.n_hyperplanes, n_outputs))
        return Search(coefficients, np.zeros(n_outputs), False, 7)

    monkeypatch.setattr(random_relu, "squared_hinge", misses)
    samples, features = some_features(20, n_hyperplanes, n_features=15)
    labels = np.arange(20) % 3
    found = separate(features, samples, labels, 3, False, 100)
    assert (len(found.missed) == 0, found.n_iter) == (separated, 7)
    recalled = found.network.forward(samples).argmax(axis=1) == labels
    assert recalled.all() == separated


def test_outputs_within_the_rounding_error_do_not_count_as_separated():
    samples, features = some_features()
    labels = (one_against_rest(features)[:, 0] > 0).astype(int)
    found = separate(features, samples, labels, 1, False, 500)
    assert len(found.missed) == 0
    features.errors = lambda network: np.full((40, 1), 1e9)
    found = separate(features, samples, labels, 1, False, 500)
    assert len(found.missed) == 40


def test_bound_of_rounding_errors_holds():
    X, y = random_labels(250, 10, 3)
    stream = HyperplaneStream(0, enclosing_ball(X, np.arange(250), True), 1.0)
    features = features_of(stream.draw(400), X)
    network, *_ = separate(features, X, y, 3, False, 100)
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


def test_bounds_of_rounding_errors_grow_with_the_samples_where_biases_are_zero():
    rng = np.random.default_rng(0)
    samples, directions = rng.standard_normal((1000, 4)), rng.standard_normal((5, 4))
    samples[0] *= 2.0**20
    features = Features(samples, directions, np.zeros(5), 0)
    network = features.network(np.ones((5, 1)), np.zeros(1))
    hidden = np.maximum(samples @ directions.T, 0.0)
    sums = hidden @ np.abs(network.layers[1].weights.T)
    assert features.errors(network)[0] > sums[0] * 2.0**-53 > 0


@pytest.mark.parametrize("n_samples, n_hyperplanes", [(60, 30), (60, 200), (400, 90)])
def test_no_solver_of_support_vectors_finds_a_larger_margin(n_samples, n_hyperplanes):
    samples, features = some_features(n_samples, n_hyperplanes, n_features=8)
    signs = one_against_rest(features)
    *start, _, _ = squared_hinge(features, signs, 500)
    found = largest_margin(features, signs, start, n_threads=2)
    margins = random_relu._margins(features, found, signs)
    assert (margins >= random_relu._margins(features, start, signs)).all()
    for margin, column in zip(margins, signs.T, strict=True):
        machine = SVC(kernel="linear", C=1e9, tol=1e-6).fit(features.values, column)
        known = 1 / np.linalg.norm(machine.coef_)
        assert margin >= 0.999 * known


def test_functions_of_the_largest_margin_are_of_about_unit_length():
    _, features = some_features(60, 200, n_features=8)
    signs = one_against_rest(features)
    # An output of few samples on one side has another margin than the other one.
    signs[:, 1] = np.where(np.arange(60) < 2, 1.0, -1.0)
    *start, _, _ = squared_hinge(features, signs, 500)
    for scale in (1.0, 1e-3, 1e9):
        scaled = tuple(scale * part for part in start)
        lengths = np.linalg.norm(largest_margin(features, signs, scaled)[0], axis=0)
        assert (lengths >= 0.5).all() and (lengths < 1).all()


def test_features_grow_by_those_of_more_hyperplanes():
    X, _ = random_labels(50, 6, 2)
    layers = [
        HyperplaneStream(seed, enclosing_ball(X, np.arange(50), True), 1.0).draw(20)
        for seed in range(2)
    ]
    both = features_of(layers[0], X).widened(layers[1])
    values = np.hstack([features_of(layer, X).values for layer in layers])
    np.testing.assert_array_equal(both.values, values)
    coefficients = np.random.default_rng(0).standard_normal((40, 1))
    outputs = both.network(coefficients, np.ones(1)).forward(X)
    np.testing.assert_allclose(outputs, values @ coefficients + 1, atol=1e-10)


def test_the_search_does_not_depend_on_the_number_of_threads(monkeypatch):
    monkeypatch.setattr(_separators, "_SUMMED_TOGETHER", 256)
    _, features = some_features(100, 20)
    signs = one_against_rest(features)
    one, two = (squared_hinge(features, signs, 100, n) for n in (1, 2))
    for found, same in zip(one, two, strict=True):
        np.testing.assert_array_equal(found, same)


def test_features_and_covariance_do_not_depend_on_the_number_of_threads(monkeypatch):
    monkeypatch.setattr(random_relu, "_FEATURES_TOGETHER", 7)
    monkeypatch.setattr(_separators, "_FEATURES_TOGETHER", 11)
    X, _ = random_labels(100, 6, 2)
    layer = HyperplaneStream(0, enclosing_ball(X, np.arange(100), True), 1.0).draw(40)
    one, two = (features_of(layer, X, n_threads).values for n_threads in (1, 2))
    np.testing.assert_array_equal(one, two)
    covariance = _separators._covariance(one, 1)
    np.testing.assert_array_equal(covariance, _separators._covariance(one, 2))
    np.testing.assert_allclose(
        np.tril(covariance), np.tril(np.cov(one.T, bias=True)), atol=1e-12
    )


def test_outputs_are_those_of_the_network_where_the_samples_are_separated():
    samples, features = some_features()
    labels = (one_against_rest(features)[:, 0] > 0).astype(int)
    for maximum_margin in (False, True):
        found = separate(features, samples, labels, 1, maximum_margin, 500)
        np.testing.assert_array_equal(found.outputs, found.network.forward(samples))


def test_the_search_gives_up_what_is_not_separable_and_nothing_else():
    _, features = some_features(300, 30, n_features=6)
    signs = one_against_rest(features)
    patient, other = (
        squared_hinge(features, signs, 1000, gives_up=gives_up)
        for gives_up in (False, True)
    )
    assert patient.separates and other.n_iter == patient.n_iter
    np.testing.assert_array_equal(other.coefficients, patient.coefficients)
    signs[:, 1] = np.random.default_rng(0).choice([-1.0, 1.0], 300)
    patient, other = (
        squared_hinge(features, signs, 1000, gives_up=gives_up)
        for gives_up in (False, True)
    )
    assert not patient.separates and not other.separates
    assert other.n_iter < patient.n_iter


def test_the_loss_bounds_the_distance_to_every_separator():
    # |u* - u| >= L(u) / |g|, on which giving up rests.
    _, features = some_features(60, 30)
    signs = one_against_rest(features)[:, :1]
    found = squared_hinge(features, signs, 1000)
    outputs = signs * (features.values @ found.coefficients + found.intercepts)
    separator = np.append(found.coefficients, found.intercepts) / outputs.min()
    rng = np.random.default_rng(0)
    for size in (0.1, 1.0, 10.0):
        here = size * rng.standard_normal(31)
        _, loss, by_coefficients, by_intercepts = _separators._Hinges.of(
            features.values, signs, here[:-1, np.newaxis], here[-1:]
        )
        gradient = np.append(by_coefficients, by_intercepts)
        distance = np.linalg.norm(separator - here)
        assert 0 < loss[0] / np.linalg.norm(gradient) <= distance


def test_a_second_search_finds_another_separator_of_labels_that_mean_something():
    rng = np.random.default_rng(0)
    samples, features = some_features(400, 60, n_features=6)
    labels = (samples @ rng.standard_normal((6, 3))).argmax(axis=1)
    signs = np.where(labels[:, np.newaxis] == np.arange(3), 1.0, -1.0)
    first, second = (squared_hinge(features, signs, 1000, again=x) for x in (0, 1))
    assert first.separates and second.separates
    assert first.n_iter < second.n_iter <= 7 * first.n_iter
    assert (first.coefficients != second.coefficients).any()
    outputs = features.values @ second.coefficients + second.intercepts
    assert (signs * outputs > 0).all()


def test_there_is_no_second_search_where_labels_mean_nothing():
    _, features = some_features(200, 150, n_features=6)
    signs = np.random.default_rng(0).choice([-1.0, 1.0], (200, 2))
    first, second = (squared_hinge(features, signs, 1000, again=x) for x in (0, 1))
    assert first.separates and first.n_iter == second.n_iter
    np.testing.assert_array_equal(first.coefficients, second.coefficients)
