"""Cells around a nearby set: exact recall, the theorem's guarantee, one function."""

import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse
from sklearn.datasets import load_digits, load_iris, make_moons
from threadpoolctl import threadpool_limits

from sklearn_memorize import NearbySetClassifier
from sklearn_memorize.constructions.nearby_set._cells import MARGIN
from sklearn_memorize.constructions.nearby_set._construction import (
    NearbySetNetwork,
    greedy_cover,
)
from sklearn_memorize.exact._distances import PointSet, Scaling, squared_distances
from sklearn_memorize.exceptions import ConflictingLabelsWarning, InterpolationError

KAPPA = 1 / (1 - 2 * MARGIN)


def random_labels(n_samples=2000, n_features=20, n_classes=10, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n_samples, n_features))
    return X, rng.integers(n_classes, size=n_samples)


def textbook(network, X):
    for layer in network.layers:
        X = layer.forward(X)
    return X


def formula(network, X):
    """The scores of the classes, cell by cell and pair by pair, as they are defined."""
    centers, labels = network.centers, network.center_labels
    cells = np.ones((len(X), len(centers)))
    for i, x_i in enumerate(centers):
        for x_j in centers[labels != labels[i]]:
            direction = x_j - x_i
            p_ij = (X - x_i) @ direction / (direction @ direction)
            cells[:, i] -= KAPPA * np.maximum(p_ij - MARGIN, 0)
    scores = []
    for label in range(labels[-1] + 1):
        own = cells[:, labels == label]
        summed = np.maximum(own, 0).sum(axis=1)
        scores.append(np.where(summed > 0, summed, own.max(axis=1)))
    return np.stack(scores, axis=1)


@pytest.mark.parametrize("cover_radius", [0, 1 / 3.1])
def test_random_labels_are_recalled(cover_radius):
    X, y = random_labels()
    classifier = NearbySetClassifier(cover_radius=cover_radius).fit(X, y)
    assert classifier.interpolates_
    assert (classifier.predict(X) == y).all()


@pytest.mark.parametrize(
    "X, y",
    [
        load_iris(return_X_y=True),
        load_digits(n_class=3, return_X_y=True),
        make_moons(500),
    ],
    ids=["iris", "digits", "moons"],
)
def test_real_data_are_recalled(X, y):
    dense = NearbySetClassifier().fit(X, y)
    from_sparse = NearbySetClassifier().fit(sparse.csr_array(X), y)
    assert dense.score(X, y) == from_sparse.score(sparse.csr_array(X), y) == 1.0
    assert (dense.center_indices_ == from_sparse.center_indices_).all()


@settings(max_examples=50, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    n_features=st.integers(1, 8),
    n_classes=st.integers(2, 5),
    shift=st.sampled_from([0.0, 1.0, -1e3]),
    scale=st.sampled_from([1e-100, 1.0, 1e100]),
)
def test_every_point_near_a_center_has_its_label(
    seed, n_features, n_classes, shift, scale
):
    rng = np.random.default_rng(seed)
    X = (rng.standard_normal((40, n_features)) + shift) * scale
    y = np.append(np.arange(n_classes), rng.integers(n_classes, size=40 - n_classes))
    classifier = NearbySetClassifier(cover_radius=0).fit(X, y)
    directions = rng.standard_normal((40, 10, n_features))
    directions /= np.linalg.norm(directions, axis=2, keepdims=True)
    # Up to the very border, less what rounding the point itself may cost.
    radii = np.where(np.arange(10) < 5, 1 - 1e-9, rng.random((40, 10)))
    reach = classifier.class_distance_ * MARGIN * radii[:, :, np.newaxis]
    near = (X[:, np.newaxis] + reach * directions).reshape(-1, n_features)
    assert (classifier.predict(near) == np.repeat(y, 10)).all()
    # Its own cell is 1 there and those of other classes are 0, up to rounding.
    outputs = np.maximum(classifier.network_.class_scores(near), 0)
    own = np.repeat(classifier.classes_.searchsorted(y), 10)
    assert (outputs[np.arange(len(near)), own] > 1 - 1e-6).all()
    assert ((outputs > 1e-6).sum(axis=1) == 1).all()


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), share=st.floats(0.01, 1))
def test_every_sample_is_near_a_center_of_its_label(seed, share):
    X, y = make_moons(200, noise=0.05, random_state=seed % 1000)
    classifier = NearbySetClassifier(cover_radius=share * MARGIN).fit(X, y)
    centers = classifier.center_indices_
    reach = share * MARGIN * classifier.class_distance_
    distances = np.linalg.norm(X[:, np.newaxis] - X[centers], axis=2)
    distances[y[:, np.newaxis] != y[centers]] = np.inf
    assert (distances.min(axis=1) <= reach).all()
    assert len(np.unique(centers)) == len(centers)
    assert (np.diff(y[centers]) >= 0).all()
    np.testing.assert_array_equal(classifier.network_.centers, X[centers])
    # The centers are a packing: no center is within reach of another of its label.
    among = distances[centers] + np.where(np.eye(len(centers)), np.inf, 0)
    assert (among > reach * (1 - 1e-7)).all()


def test_a_cover_needs_far_fewer_centers_than_there_are_samples():
    X, y = make_moons(5000, noise=0.05, random_state=0)
    classifier = NearbySetClassifier().fit(X, y)
    assert len(classifier.center_indices_) < 300
    test, labels = make_moons(2000, noise=0.05, random_state=1)
    assert classifier.score(test, labels) > 0.99


@pytest.mark.parametrize("n_classes", [2, 4])
def test_factored_evaluation_is_the_formula_and_the_written_out_network(n_classes):
    X, y = random_labels(60, 6, n_classes)
    network = NearbySetClassifier().fit(X, y).network_
    new = np.concatenate([X, np.random.default_rng(1).standard_normal((300, 6))])
    expected = formula(network, new)
    assert (expected.max(axis=1) <= 0).any(), "some points should lie in no cell"
    np.testing.assert_allclose(network.class_scores(new), expected, atol=1e-9)
    np.testing.assert_allclose(network.forward(new), textbook(network, new), atol=1e-9)


def test_bounds_never_hide_the_best_cell():
    X, y = random_labels(200, 5, 3)
    network = NearbySetClassifier().fit(X, y).network_
    new = np.random.default_rng(1).standard_normal((500, 5)) * 3
    every, best = network.class_scores(new), network.class_scores(new, best_only=True)
    np.testing.assert_array_equal(every.max(axis=1), best.max(axis=1))
    np.testing.assert_array_equal(every.argmax(axis=1), best.argmax(axis=1))
    np.testing.assert_allclose(every, formula(network, new), rtol=1e-9, atol=1e-9)


def test_sizes_are_those_of_the_written_out_network():
    X, y = load_iris(return_X_y=True)  # many coordinates agree
    network = NearbySetClassifier(cover_radius=0.1).fit(X[::2], y[::2]).network_
    layers = network.layers
    assert network.depth == len(layers)
    assert network.n_inputs == layers[0].n_inputs == 4
    assert network.widths == tuple(layer.n_neurons for layer in layers)
    assert network.n_parameters == sum(layer.n_parameters for layer in layers)
    n_centers = len(network.centers)
    assert network.widths[0] <= n_centers**2
    assert network.n_parameters <= n_centers**2 * (4 + 2) + 2 * n_centers


def test_layers_too_large_to_write_out_say_so():
    X, y = random_labels(1500, 20, 2)
    network = NearbySetNetwork(X, np.sort(y), Scaling.of(X))
    with pytest.raises(ValueError, match=r"too many.*larger cover_radius"):
        _ = network.layers
    assert network.n_parameters > 1e6 * 20
    assert "NearbySetNetwork(20-" in repr(network)


def test_a_row_has_one_answer_however_it_is_asked_for():
    X, y = random_labels(300, 7, 4)
    X = X.astype(np.float32)
    classifier = NearbySetClassifier().fit(X, y)
    new = np.random.default_rng(1).standard_normal((200, 7)).astype(np.float32) * 2
    scores = classifier.decision_function(new)
    single = np.concatenate([classifier.decision_function(row[None]) for row in new])
    answers = [
        single,
        classifier.decision_function(new[::-1])[::-1],
        classifier.decision_function(np.asfortranarray(new, dtype=np.float64)),
        classifier.decision_function(sparse.csr_array(new)),
        pickle.loads(pickle.dumps(classifier)).decision_function(new),
        NearbySetClassifier().fit(X.astype(np.float64), y).decision_function(new),
        NearbySetClassifier().fit(sparse.csr_array(X), y).decision_function(new),
        NearbySetClassifier().fit(X[::-1], y[::-1]).decision_function(new),
    ]
    with threadpool_limits(1):
        answers.append(classifier.decision_function(new))
    for answer in answers:
        np.testing.assert_array_equal(answer, scores)
    labels = classifier.classes_[scores.argmax(axis=1)]
    np.testing.assert_array_equal(classifier.predict(new), labels)
    one_by_one = np.concatenate([classifier.predict(row[None]) for row in new])
    np.testing.assert_array_equal(one_by_one, labels)


def test_two_classes_have_one_score_with_the_sign_of_the_prediction():
    X, y = random_labels(200, 6, 2)
    classifier = NearbySetClassifier().fit(X, np.array(["no", "yes"])[y])
    new = np.random.default_rng(1).standard_normal((300, 6))
    scores = classifier.decision_function(new)
    assert scores.shape == (300,)
    np.testing.assert_array_equal(classifier.predict(new) == "yes", scores > 0)
    assert (classifier.network_.forward(new)[:, 0] == 0).any()


def test_points_far_away_get_a_finite_score():
    X, y = random_labels(100, 3, 3)
    classifier = NearbySetClassifier().fit(X, y)
    new = np.array([[1e300, -1e300, 0], [1e150, 0, 1], [-1e308, -1e308, -1e308]])
    with np.errstate(all="raise"):
        scores = classifier.decision_function(new)
    assert np.isfinite(scores).all()
    labels = classifier.classes_[scores.argmax(axis=1)]
    np.testing.assert_array_equal(classifier.predict(new), labels)


@pytest.mark.parametrize("gap", [1e-9, 1e-12, "1 ulp", 1e-30, 1e-100])
@pytest.mark.parametrize("offset", [0.0, 1.0, 1e6])
def test_near_duplicates_of_different_label_are_told_apart(gap, offset):
    X, y = random_labels(200, 5, 3)
    X += offset
    twins = X[:50].copy()
    if gap == "1 ulp":
        twins[:, 0] = np.nextafter(twins[:, 0], np.inf)
    else:
        twins[:, 0] = 0.0
        X[:50, 0] = gap
    everything, labels = np.concatenate([X, twins]), np.append(y, (y[:50] + 1) % 3)
    classifier = NearbySetClassifier().fit(everything, labels)
    assert classifier.interpolates_
    np.testing.assert_array_equal(classifier.predict(everything), labels)


def test_distances_beyond_double_precision_are_an_error():
    X = np.array([[0.0, 1.0], [1e-200, 1.0], [1.0, 0.0]])
    with pytest.raises(InterpolationError, match="Samples 0 and 1 .*Rescale"):
        NearbySetClassifier().fit(X, [0, 1, 1])


@pytest.mark.parametrize("bad", [-0.1, 0.33, "a", np.nan])
def test_a_bad_cover_radius_is_an_error(bad):
    X, y = random_labels(20, 2, 2)
    with pytest.raises(ValueError, match="cover_radius"):
        NearbySetClassifier(cover_radius=bad).fit(X, y)


def test_conflicting_labels_are_resolved_or_raise():
    X, y = [[0.0], [0.0], [0.0], [1.0]], [0, 1, 1, 0]
    with pytest.warns(ConflictingLabelsWarning):
        classifier = NearbySetClassifier().fit(X, y)
    assert classifier.n_conflicts_ == 1
    np.testing.assert_array_equal(classifier.predict(X), [1, 1, 1, 0])
    with pytest.raises(ValueError, match="carry several labels"):
        NearbySetClassifier(conflicts="raise").fit(X, y)


def test_one_class_is_always_predicted():
    classifier = NearbySetClassifier().fit([[0.0], [1.0]], ["a", "a"])
    assert classifier.predict([[5.0]]) == ["a"]
    assert classifier.class_distance_ == np.inf
    assert classifier.network_.forward(np.array([[5.0]])) == 1


def test_accuracy_reaches_what_the_theorem_promises():
    # Two segments, the nearby set of which has |S| = 22 points: c = 1.
    rng = np.random.default_rng(0)

    def draw(n_samples):
        y = rng.integers(2, size=n_samples)
        return np.column_stack([rng.random(n_samples) * 5, y]), y

    size, epsilon, delta = 22, 0.1, 0.01
    n_samples = int(np.ceil(size / epsilon * np.log(size / delta)))
    classifier = NearbySetClassifier().fit(*draw(n_samples))
    assert classifier.score(*draw(2000)) >= 1 - epsilon


@pytest.mark.parametrize("n_features", [1, 2, 33, 400])
@pytest.mark.parametrize("scale", [1.0, 1e-200, 1e200])
def test_squared_distances_are_reproducible_and_accurate_up_close(n_features, scale):
    rng = np.random.default_rng(0)
    points = rng.standard_normal((120, n_features)) * 5 + 3
    points[60:] = points[:60] + rng.standard_normal((60, n_features)) * 1e-11
    points *= scale
    frame = Scaling.of(points)
    everything = PointSet(frame.scaled(points), frame)
    distances = squared_distances(everything, everything)
    differences = everything.points[:, np.newaxis] - everything.points
    exact = np.square(differences).sum(axis=2)
    np.testing.assert_allclose(distances, exact, rtol=1e-9)
    assert (np.diag(distances) == 0).all()
    np.testing.assert_array_equal(distances, distances.T)
    with threadpool_limits(1):
        for row in range(0, 120, 7):
            alone = squared_distances(everything.take([row]), everything)
            np.testing.assert_array_equal(alone[0], distances[row])


def test_a_cover_of_radius_zero_keeps_every_point():
    points = np.arange(10.0)[:, np.newaxis]
    labels = np.repeat([0, 1], 5)
    frame = Scaling.of(points)
    assert len(greedy_cover(points, labels, 0.0, frame)) == 10
    assert len(greedy_cover(points, labels, 1.5, frame)) == 6
    network = NearbySetNetwork(points, labels, frame)
    with pytest.raises(ValueError, match="read-only"):
        network.center_labels[0] = 1


@pytest.mark.parametrize("exponent", range(-46, -38))
@pytest.mark.filterwarnings("error")
def test_centers_of_one_class_may_be_as_close_as_they_like(exponent):
    # The square of their distance underflows, to zero or to the smallest numbers.
    X = np.array([[1e117], [10.0**exponent], [3 * 10.0**exponent]])
    y = [0, 1, 1]
    assert NearbySetClassifier(cover_radius=0).fit(X, y).score(X, y) == 1.0
