"""Cells around a nearby set: the theorem's guarantee, one function."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.datasets import make_moons
from support.samples import random_labels

from sklearn_memorize import NearbySetClassifier
from sklearn_memorize.constructions.nearby_set._cells import MARGIN
from sklearn_memorize.exceptions import InterpolationError


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


@pytest.mark.parametrize("exponent", range(-46, -38))
@pytest.mark.filterwarnings("error")
def test_centers_of_one_class_may_be_as_close_as_they_like(exponent):
    # The square of their distance underflows, to zero or to the smallest numbers.
    X = np.array([[1e117], [10.0**exponent], [3 * 10.0**exponent]])
    y = [0, 1, 1]
    assert NearbySetClassifier(cover_radius=0).fit(X, y).score(X, y) == 1.0


@pytest.mark.parametrize("n_features", [2, 300])
@pytest.mark.filterwarnings("error")
def test_classes_farther_apart_than_any_number_are_recalled(n_features):
    rng = np.random.default_rng(0)
    X = np.where(rng.random((30, n_features)) < 0.5, 1.7e308, -1.7e308)
    X = np.unique(X, axis=0)
    y = np.arange(len(X)) % 2
    classifier = NearbySetClassifier().fit(X, y)
    assert classifier.class_distance_ == np.inf or n_features == 2
    assert classifier.score(X, y) == 1.0
    assert np.isfinite(classifier.decision_function(X)).all()
