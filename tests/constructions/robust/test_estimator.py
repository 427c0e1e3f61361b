"""Balls around all samples get their labels, by O(N d) parameters."""

import math
import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.calibration import CalibratedClassifierCV
from sklearn.datasets import load_digits, load_iris, make_moons
from sklearn.model_selection import cross_val_score
from sklearn.multiclass import OneVsRestClassifier
from sklearn.neighbors import KNeighborsClassifier
from support.samples import random_labels

from sklearn_memorize import RobustMemorizingClassifier
from sklearn_memorize.inspection import capacity_report

METRICS = ["euclidean", "chebyshev"]
NORMS = {"euclidean": 2, "chebyshev": np.inf}


def class_distances(X, y, metric):
    """Return the distance of each sample to the nearest one of another label."""
    table = np.stack([np.linalg.norm(X - x, NORMS[metric], axis=1) for x in X])
    table[y[:, np.newaxis] == y] = np.inf
    return table.min(axis=1)


def unit_steps(rng, shape, metric):
    """Return steps of length 1, those of the cube to its corners half of the time."""
    steps = rng.standard_normal(shape)
    if metric == "chebyshev":
        steps[..., ::2, :] = np.sign(steps[..., ::2, :])
    return steps / np.linalg.norm(steps, NORMS[metric], axis=-1, keepdims=True)


@pytest.mark.parametrize("metric", METRICS)
@given(
    seed=st.integers(0, 2**32 - 1),
    n_features=st.integers(1, 8),
    n_classes=st.integers(2, 5),
    robustness=st.sampled_from([0.01, 0.3, 0.5, 0.9, 0.999999]),
    shift=st.sampled_from([0.0, 1.0, -1e3]),
    scale=st.sampled_from([1e-100, 1.0, 1e100]),
)
def test_every_point_of_a_ball_gets_the_label_of_its_sample(
    metric, seed, n_features, n_classes, robustness, shift, scale
):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((40, n_features)) + shift
    y = np.append(np.arange(n_classes), rng.integers(n_classes, size=40 - n_classes))
    classifier = RobustMemorizingClassifier(robustness=robustness, metric=metric)
    classifier.fit(X * scale, y)
    radii = robustness * class_distances(X, y, metric) / 2
    # Up to the border, and straight to the other samples, less what rounding the
    # point itself may cost.
    steps = unit_steps(rng, (40, 12, n_features), metric)
    others = X[np.newaxis] - X[:, np.newaxis]
    lengths = np.linalg.norm(others, NORMS[metric], axis=2, keepdims=True)
    others /= np.where(lengths > 0, lengths, 1)
    steps = np.concatenate([steps, others], axis=1)
    parts = np.where(np.arange(steps.shape[1]) % 3, 1 - 1e-9, rng.random())
    near = X[:, np.newaxis] + radii[:, None, None] * parts[None, :, None] * steps
    found = classifier.predict(near.reshape(-1, n_features) * scale)
    assert (found == np.repeat(y, steps.shape[1])).all()
    certified = classifier.certified_radius(X * scale, metric)
    assert (certified >= radii * scale * (1 - 1e-12)).all()


@pytest.mark.parametrize("robustness", [0.1, 0.5, 0.95])
@pytest.mark.parametrize("metric", METRICS)
def test_each_sample_has_a_center_within_its_reach_and_centers_do_not(
    metric, robustness
):
    X, y = make_moons(300, noise=0.05, random_state=0)
    classifier = RobustMemorizingClassifier(robustness=robustness, metric=metric)
    centers = classifier.fit(X, y).center_indices_
    reaches = (1 - robustness) * class_distances(X, y, metric)
    distances = np.linalg.norm(X[:, np.newaxis] - X[centers], NORMS[metric], axis=2)
    distances[y[:, np.newaxis] != y[centers]] = np.inf
    assert (distances.min(axis=1) <= reaches).all()
    among = distances[centers] + np.where(np.eye(len(centers)), np.inf, 0)
    both = np.maximum(reaches[centers][:, np.newaxis], reaches[centers])
    assert (among > both * (1 - 1e-7)).all()
    np.testing.assert_array_equal(classifier.network_.centers, X[centers])
    assert classifier.class_distance_ == pytest.approx(
        class_distances(X, y, metric).min()
    )


def test_less_robustness_takes_fewer_centers():
    X, y = make_moons(5000, noise=0.05, random_state=0)
    sizes = [
        len(RobustMemorizingClassifier(robustness=rho).fit(X, y).center_indices_)
        for rho in (0.05, 0.5, 0.9, 0.99)
    ]
    assert sizes == sorted(sizes)
    assert sizes[0] < 100
    assert sizes[-1] > 1000


def bound(n_centers, n_features, n_classes, metric):
    """Return the number of parameters that the notes of the class promise."""
    rounds = math.ceil(math.log2(n_centers))
    if metric == "euclidean":
        return n_centers * (n_features + 13) + 6 * n_classes * (rounds + 2)
    return n_centers * (12 * n_features + 6) + 2 * n_classes * (rounds + 2)


@pytest.mark.parametrize("n_samples", [10, 97, 1000])
@pytest.mark.parametrize("n_features", [1, 2, 7, 30])
@pytest.mark.parametrize("n_classes", [2, 3, 10])
@pytest.mark.parametrize("metric", METRICS)
def test_parameters_are_at_most_a_constant_times_samples_times_features(
    n_samples, n_features, n_classes, metric
):
    X, y = random_labels(n_samples, n_features, n_classes)
    y[:n_classes] = np.arange(n_classes)
    classifier = RobustMemorizingClassifier(robustness=0.9, metric=metric).fit(X, y)
    network, n_centers = classifier.network_, len(classifier.center_indices_)
    assert network.n_parameters <= bound(n_centers, n_features, n_classes, metric)
    rounds = math.ceil(math.log2(n_samples))
    constant, more = (14, 6) if metric == "euclidean" else (18, 2)
    most = constant * n_samples * n_features + more * n_classes * (rounds + 2)
    assert network.n_parameters <= most
    deepest = rounds + 3
    if metric == "chebyshev":
        deepest += math.ceil(math.log2(n_features)) + 1
    assert network.depth <= deepest
    row = capacity_report(X, y, [classifier]).rows[0]
    assert row.met
    assert row.prediction_kind == "at most"
    assert row.built_parameters <= row.predicted_parameters
    assert row.built_neurons <= row.predicted_neurons


@pytest.mark.parametrize("metric", METRICS)
def test_the_network_reads_as_many_nodes_as_its_layers_have(metric):
    X, y = load_digits(return_X_y=True)
    network = RobustMemorizingClassifier(metric=metric).fit(X[:300], y[:300]).network_
    layers = network.layers
    assert network.widths == tuple(layer.n_neurons for layer in layers)
    assert network.n_parameters == sum(layer.n_parameters for layer in layers)
    outputs = X
    for layer in layers:
        outputs = layer.forward(outputs)
    np.testing.assert_allclose(outputs, network.forward(X), rtol=0, atol=1e-9)
    assert (outputs.argmax(axis=1) == network.best_classes(X)).all()


def test_more_absolute_differences_than_can_be_written_out_are_an_error(monkeypatch):
    X, y = random_labels(30, 4, 2)
    network = RobustMemorizingClassifier(metric="chebyshev").fit(X, y).network_
    layers, size = network.layers, network.n_parameters
    module = "sklearn_memorize.constructions.robust._network._MOST_DIFFERENCES"
    monkeypatch.setattr(module, 2 * network.centers.size - 1)
    with pytest.raises(ValueError, match="too many to write out"):
        assert network.layers == layers
    assert network.n_parameters == size
    assert (network.forward(X).argmax(axis=1) == 0).all()


@pytest.mark.parametrize("n_samples", [2000, 10_000])
@pytest.mark.parametrize("metric", METRICS)
def test_random_labels_are_recalled(n_samples, metric):
    X, y = random_labels(n_samples)
    classifier = RobustMemorizingClassifier(metric=metric).fit(X, y)
    assert classifier.interpolates_
    assert (classifier.predict(X) == y).all()


@pytest.mark.parametrize("metric", METRICS)
def test_nearly_full_robustness_predicts_what_the_nearest_neighbour_says(metric):
    X, y = random_labels(400, 5, 4)
    rows = np.random.default_rng(1).standard_normal((1000, 5))
    classifier = RobustMemorizingClassifier(robustness=0.9999, metric=metric)
    nearest = KNeighborsClassifier(n_neighbors=1, metric=metric, algorithm="brute")
    expected = nearest.fit(X, y).predict(rows)
    assert (classifier.fit(X, y).predict(rows) == expected).all()


@pytest.mark.parametrize("gap", [1e-9, 1e-12, "1 ulp", 1e-30, 1e-300, 5e-324])
@pytest.mark.parametrize("offset", [0.0, 1.0, 1e6])
@pytest.mark.parametrize("metric", METRICS)
def test_near_duplicates_of_different_label_are_told_apart(gap, offset, metric):
    X, y = random_labels(200, 5, 3)
    X += offset
    twins = X[:50].copy()
    if gap == "1 ulp":
        twins[:, 0] = np.nextafter(twins[:, 0], np.inf)
    else:
        twins[:, 0], X[:50, 0] = 0.0, gap
    everything, labels = np.concatenate([X, twins]), np.append(y, (y[:50] + 1) % 3)
    classifier = RobustMemorizingClassifier(metric=metric).fit(everything, labels)
    assert classifier.interpolates_
    np.testing.assert_array_equal(classifier.predict(everything), labels)
    radii = classifier.certified_radius(everything, metric)
    least = 1e-320 if gap == 5e-324 else 0
    assert (radii[:50] <= np.abs(X[:50, 0] - twins[:, 0])).all()
    assert (radii[50:200] > least).all()


@pytest.mark.parametrize("bad", [0, 1, 0.0, 1.0, -0.1, 2, "a", np.nan])
def test_a_bad_robustness_is_an_error(bad):
    X, y = random_labels(20, 2, 2)
    with pytest.raises(ValueError, match="robustness"):
        RobustMemorizingClassifier(robustness=bad).fit(X, y)


def test_a_metric_that_is_not_known_is_an_error():
    X, y = random_labels(20, 2, 2)
    with pytest.raises(ValueError, match="metric"):
        RobustMemorizingClassifier(metric="manhattan").fit(X, y)
    classifier = RobustMemorizingClassifier().fit(X, y)
    with pytest.raises(ValueError, match="metric"):
        classifier.certified_radius(X, metric="l2")


def test_one_class_is_always_predicted():
    classifier = RobustMemorizingClassifier().fit([[0.0], [1.0]], ["a", "a"])
    assert classifier.predict([[5.0]]) == ["a"]
    assert classifier.class_distance_ == np.inf
    assert classifier.certified_radius([[5.0]]).tolist() == [np.inf]


def test_distances_beyond_double_precision_are_infinite():
    X = np.array([[1.7e308, 0.0], [-1.7e308, 0.0], [1.7e308, 1.0], [-1.7e308, 1e300]])
    for metric in METRICS:
        classifier = RobustMemorizingClassifier(metric=metric).fit(X, [0, 1, 0, 1])
        assert classifier.interpolates_
        assert classifier.class_distance_ == np.inf
        assert np.isfinite(classifier.certified_radius(X, metric)).all()


def test_no_warning_leaks_where_samples_of_a_class_all_but_coincide():
    X = np.array([[0.0, 3.9e-204], [1.0, 1.0]])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = RobustMemorizingClassifier().fit(X, [True, False])
    assert model.interpolates_


@pytest.mark.parametrize("metric", METRICS)
def test_one_class_against_the_rest_can_be_calibrated(metric):
    X, y = load_iris(return_X_y=True)
    classifier = OneVsRestClassifier(RobustMemorizingClassifier(metric=metric))
    calibrated = CalibratedClassifierCV(classifier, cv=3)
    assert cross_val_score(calibrated, X, y).mean() > 0.9
