"""Residual blocks: the size of the theorem, named degeneracies."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.networks import textbook
from support.oracle import REFUSED, judge_classifier
from support.samples import random_labels
from support.strategies import Problem

from sklearn_memorize import (
    ResidualMemorizingClassifier,
    SlabClassifier,
)
from sklearn_memorize.constructions.residual._construction import hidden_node_bound
from sklearn_memorize.exceptions import InterpolationError


def block_by_block(network, X):
    """Evaluate the residual network as its definition has it."""
    state = X
    for inner, outer in network.blocks:
        state = state + inner.forward(state) @ outer.toarray().T
    # The last two layers read the state of the last block.
    *_, below, reader, outputs = network.layers
    passed = np.hstack([np.maximum(state, 0), np.maximum(-state, 0)])
    passed = np.hstack([passed, np.zeros((len(X), below.n_neurons - passed.shape[1]))])
    return outputs.forward(reader.forward(passed))


def class_numbers(outputs):
    if outputs.shape[1] == 1:
        return (outputs[:, 0] > 0).astype(int)
    return outputs.argmax(axis=1)


def n_hidden(network):
    return sum(network.widths[:-1])


@pytest.mark.parametrize("n_classes", [2, 3, 10])
def test_random_labels_in_fifty_dimensions_are_recalled(n_classes):
    X, y = random_labels(2_000, 50, n_classes)
    classifier = ResidualMemorizingClassifier(degenerate="raise", random_state=0)
    classifier.fit(X, y)
    assert classifier.interpolates_
    assert classifier.score(X, y) == 1.0
    assert n_hidden(classifier.network_) <= 4 * 2_000 / 50 + 6 * n_classes


@pytest.mark.parametrize("n_samples", [2, 7, 40, 301])
@pytest.mark.parametrize("n_features", [1, 2, 5, 20])
@pytest.mark.parametrize("n_classes", [2, 5])
def test_the_hidden_nodes_are_at_most_those_of_the_theorem(
    n_samples, n_features, n_classes
):
    X, y = random_labels(n_samples, n_features, min(n_classes, n_samples))
    y[:2] = [0, 1]
    classifier = ResidualMemorizingClassifier(degenerate="raise", random_state=0)
    network = classifier.fit(X, y).network_
    assert (classifier.predict(X) == y).all()
    n_classes, d = len(classifier.classes_), classifier.group_size_
    assert d == min(n_features, n_samples - 1)
    assert n_hidden(network) <= hidden_node_bound(n_samples, d, n_classes)
    sizes = np.sort(np.bincount(y))[::-1]
    blocks = sum(-(-size // d) for size in sizes[1:])
    assert network.widths[:-1] == (4,) * blocks + (2 * (n_classes - 1),)
    assert network.depth == len(network.layers) == blocks + 2
    assert classifier.n_split_ == 0


@pytest.mark.parametrize("n_classes", [2, 6])
def test_all_samples_but_those_of_the_largest_class_are_pushed_once(n_classes):
    X, y = random_labels(300, 7, n_classes)
    y[:100] = 1
    classifier = ResidualMemorizingClassifier(random_state=0).fit(X, y)
    assert classifier.default_class_ == 1
    pushed = np.concatenate(classifier.groups_)
    assert (np.sort(pushed) == np.flatnonzero(y != 1)).all()
    for group in classifier.groups_:
        assert len(group) <= 7
        assert len(set(y[group])) == 1


@pytest.mark.parametrize("n_classes", [2, 3, 10])
def test_blocks_layers_and_forward_are_the_same_function(n_classes):
    X, y = random_labels(500, 10, n_classes)
    network = ResidualMemorizingClassifier(random_state=0).fit(X, y).network_
    expected = network.forward(X)
    assert (class_numbers(expected) == y).all()
    # On the slopes of hats, far from samples, rounding errors multiply.
    unseen = np.random.default_rng(1).standard_normal((500, 10)) * 3
    for samples, tolerance in ((X, 1e-9), (unseen, 1e-5)):
        expected = network.forward(samples)
        for outputs in (
            textbook(network, samples),
            block_by_block(network, samples),
        ):
            assert np.abs(outputs - expected).max() <= tolerance
    assert {layer.activation for layer in network.layers[:-1]} == {"relu"}


def test_parameters_are_the_nonzero_weights_and_biases_of_the_blocks():
    X, y = random_labels(300, 6, 4)
    network = ResidualMemorizingClassifier(random_state=0).fit(X, y).network_
    expected = sum(layer.n_parameters + outer.nnz for layer, outer in network.blocks)
    *_, outputs = network.layers
    expected += 2 * network.widths[-2] + outputs.n_parameters
    assert network.n_parameters == expected


def test_the_readers_have_one_weight_and_one_bias_each():
    X, y = random_labels(300, 6, 4)
    network = ResidualMemorizingClassifier(random_state=0).fit(X, y).network_
    assert network.widths[-2] == 6
    reader = network._readers[0]
    assert reader.n_parameters == 12
    assert reader.n_inputs == 6


@given(
    n_samples=st.integers(1, 40),
    n_features=st.integers(1, 4),
    n_classes=st.integers(1, 6),
    exponent=st.integers(-150, 150),
    seed=st.integers(0, 1000),
)
def test_any_small_data_are_recalled_at_any_scale_by_the_layers_too(
    n_samples, n_features, n_classes, exponent, seed
):
    rng = np.random.default_rng(seed)
    X = rng.integers(-8, 9, (n_samples, n_features)) * 10.0**exponent
    X, first = np.unique(X, axis=0, return_index=True)
    y = rng.integers(n_classes, size=n_samples)[first]
    classifier = ResidualMemorizingClassifier(random_state=seed).fit(X, y)
    assert (classifier.predict(X) == y).all()
    if len(classifier.classes_) > 1:
        outputs = textbook(classifier.network_, X)
        assert (classifier.classes_[class_numbers(outputs)] == y).all()


@pytest.mark.parametrize("offset", [0.0, 1e6])
@pytest.mark.parametrize("scales", [np.ones(5), 10.0 ** np.array([-9, -3, 0, 4, 9])])
def test_offsets_and_units_of_the_features_do_not_matter(offset, scales):
    X, y = random_labels(400, 5, 3)
    X = (X + offset) * scales
    classifier = ResidualMemorizingClassifier(random_state=0).fit(X, y)
    assert (classifier.predict(X) == y).all()
    assert (class_numbers(textbook(classifier.network_, X)) == y).all()


@pytest.mark.parametrize("distance", [1e-6, 1e-9])
def test_near_duplicates_of_another_class_are_recalled(distance):
    X, y = random_labels(200, 5, 3)
    X = np.vstack([X, X[:1] + distance])
    y = np.append(y, (y[0] + 1) % 3)
    classifier = ResidualMemorizingClassifier(random_state=0).fit(X, y)
    assert (classifier.predict(X) == y).all()
    assert (class_numbers(textbook(classifier.network_, X)) == y).all()


@pytest.mark.parametrize("distance", [1e-11, 1e-13, 1e-15])
def test_nearer_duplicates_are_recalled_or_refused_with_a_reason(distance):
    X, y = random_labels(200, 5, 2)
    X, y = np.vstack([X, X[:20] + distance]), np.append(y, 1 - y[:20])
    classifier = ResidualMemorizingClassifier(random_state=0)
    try:
        classifier.fit(X, y)
    except InterpolationError as error:
        assert "near-duplicates" in str(error)
    else:
        assert (classifier.predict(X) == y).all()
        assert (class_numbers(textbook(classifier.network_, X)) == y).all()


def on_a_line():
    X = np.array([[0.0, 0.0], [0.4, 0.2], [0.2, 0.1], [5.0, 4.0], [-1.0, 3.0]])
    return X, np.array([1, 1, 0, 0, 0])


def test_samples_on_one_hyperplane_are_named_and_said_to_be_exactly_on_it():
    X, y = on_a_line()
    with pytest.raises(InterpolationError, match="general position") as error:
        ResidualMemorizingClassifier(degenerate="raise").fit(X, y)
    message = str(error.value)
    assert "through samples [0, 1]" in message
    assert "samples [2], exactly" in message
    assert "degenerate='split'" in message


def test_a_sample_beside_the_hyperplane_is_named_and_said_not_to_be_on_it():
    X, y = on_a_line()
    X[2, 1] = np.nextafter(0.1, 1)
    with pytest.raises(InterpolationError, match="too close") as error:
        ResidualMemorizingClassifier(degenerate="raise").fit(X, y)
    assert "samples [0, 1]" in str(error.value)
    assert "[2]" in str(error.value)
    assert "exactly" not in str(error.value)


def test_samples_on_one_hyperplane_are_recalled_by_smaller_groups():
    X, y = on_a_line()
    classifier = ResidualMemorizingClassifier(random_state=0).fit(X, y)
    assert classifier.score(X, y) == 1.0
    assert classifier.n_split_ == 1
    assert classifier.network_.widths == (4, 4, 2, 1)


def test_other_groups_avoid_a_hyperplane_that_holds_too_many():
    # Three of one class on a line, which no group of two has to take.
    X = np.array([[0, 0], [1, 1], [2, 2], [0, 5], [1, 7], [9, 2], [4, 3], [-3, 1]])
    y = np.array([1, 1, 1, 1, 0, 0, 0, 0])
    classifier = ResidualMemorizingClassifier(degenerate="raise", random_state=1)
    classifier.fit(X, y)
    assert classifier.score(X, y) == 1.0
    assert classifier.n_split_ == 0


def test_samples_whose_distances_overflow_are_refused():
    X = np.array([[1.7e308, 0.0], [-1.7e308, 1.0], [0.0, 5.0], [1e300, 2.0]])
    for classifier in (ResidualMemorizingClassifier(), SlabClassifier()):
        with pytest.raises(ValueError, match="Scale the features down"):
            classifier.fit(X, [0, 1, 2, 0])


def test_the_largest_class_is_what_lies_on_no_hat():
    X, y = random_labels(300, 10, 3)
    y[:150] = 2
    classifier = ResidualMemorizingClassifier(random_state=0).fit(X, y)
    unseen = np.random.default_rng(1).standard_normal((1000, 10))
    assert (classifier.predict(unseen) == 2).mean() > 0.9


def test_blocks_too_steep_for_double_precision_are_refused():
    estimator = ResidualMemorizingClassifier(random_state=0)
    X = np.array([[1e-289], [np.nextafter(1e-289, 1)], [1e11]])
    problem = Problem(X, [0, 1, 1], None)
    assert judge_classifier(estimator, problem) == REFUSED
