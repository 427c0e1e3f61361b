"""Slabs through groups of d samples: Baum's size, named degeneracies."""

import numpy as np
import pytest
from support.networks import textbook
from support.samples import random_labels
from support.strategies import SMALLEST

from sklearn_memorize import (
    SlabClassifier,
)
from sklearn_memorize.exceptions import InterpolationError


@pytest.mark.parametrize("n_features", [1, 2, 5, 20])
@pytest.mark.parametrize("n_minority", [1, 19, 20, 21, 150])
@pytest.mark.parametrize("minority_first", [False, True])
def test_two_classes_take_the_units_of_the_theorem(
    n_features, n_minority, minority_first
):
    rng = np.random.default_rng(n_minority)
    X = rng.standard_normal((400, n_features))
    y = (np.arange(400) < n_minority) ^ minority_first
    classifier = SlabClassifier(degenerate="raise", random_state=0).fit(X, y)
    assert classifier.group_size_ == n_features
    assert classifier.n_split_ == 0
    assert classifier.network_.n_neurons == 2 * -(-n_minority // n_features) + 1
    assert (classifier.predict(X) == y).all()


def test_several_classes_take_slabs_for_all_but_the_largest():
    X, y = random_labels(n_samples=500, n_features=7, n_classes=4)
    y[:100] = 2
    classifier = SlabClassifier(degenerate="raise", random_state=0).fit(X, y)
    sizes = np.bincount(y)[[0, 1, 3]]
    n_slabs = np.ceil(sizes / 7).sum()
    assert classifier.default_class_ == 2
    assert classifier.network_.widths == (2 * n_slabs, 4)
    assert len(classifier.groups_) == n_slabs
    members = np.sort(np.concatenate(classifier.groups_))
    assert (members == np.flatnonzero(y != 2)).all()


def test_slabs_hold_their_group_and_no_sample_of_another_class():
    X, y = random_labels(n_samples=300, n_features=5, n_classes=3)
    classifier = SlabClassifier(random_state=0).fit(X, y)
    n_slabs = len(classifier.groups_)
    above = classifier.network_.layers[0].forward(X)
    inside = above[:, :n_slabs] - above[:, n_slabs:]
    for slab, group in enumerate(classifier.groups_):
        assert (inside[group, slab] == 1).all()
        assert (y[inside[:, slab] != 0] == y[group[0]]).all()


@pytest.mark.parametrize("offset", [0.0, 1e6])
@pytest.mark.parametrize("scales", [np.ones(5), 10.0 ** np.array([-9, -3, 0, 4, 9])])
def test_offsets_and_units_of_the_features_do_not_matter(offset, scales):
    X, y = random_labels(400, n_features=5, n_classes=3)
    X = (X + offset) * scales
    classifier = SlabClassifier(degenerate="raise", random_state=0).fit(X, y)
    assert (classifier.predict(X) == y).all()


def test_dimension_is_that_of_the_affine_hull():
    rng = np.random.default_rng(0)
    flat = rng.standard_normal((200, 3))
    X = np.column_stack([flat, flat @ [1.0, 2.0, 3.0] + 5.0, np.full(200, 7.0)])
    y = rng.integers(2, size=200)
    classifier = SlabClassifier(degenerate="raise", random_state=0).fit(X, y)
    assert classifier.group_size_ == 3
    assert classifier.score(X, y) == 1.0


@pytest.mark.parametrize("n_classes", [2, 4])
def test_parameters_are_counted_exactly(n_classes):
    X, y = random_labels(300, n_features=6, n_classes=n_classes)
    classifier = SlabClassifier(random_state=0).fit(X, y)
    n_slabs = len(classifier.groups_)
    n_slab_units = 2 * n_slabs * (6 + 1)
    # Each slab is read by its class, and by the unit of the largest class.
    n_readers = 1 if n_classes == 2 else 2
    n_class_units = 2 * n_slabs * n_readers
    nor_bias = 1 if n_classes > 2 or classifier.default_class_ == 1 else 0
    expected = n_slab_units + n_class_units + nor_bias
    assert classifier.network_.n_parameters == expected


def lattice():
    X = np.array([(i, j) for i in range(6) for j in range(6)], dtype=np.float64)
    y = np.random.default_rng(0).integers(2, size=36)
    return X, y


def test_points_on_one_hyperplane_are_named():
    X, y = lattice()
    with pytest.raises(InterpolationError, match="not in general position") as error:
        SlabClassifier(degenerate="raise", random_state=0).fit(X, y)
    message = str(error.value)
    lists = [part.split("]")[0] for part in message.split("[")[1:]]
    members, strangers = ([int(row) for row in part.split(",")] for part in lists)
    # What is named is indeed on one line, and of different classes.
    assert len(set(y[members])) == 1
    assert not set(y[members]) & set(y[strangers])
    line = np.column_stack([X, np.ones(36)])[members + strangers]
    assert np.linalg.matrix_rank(line) == 2
    assert "degenerate='split'" in message


def test_points_on_one_hyperplane_are_recalled_by_smaller_groups():
    X, y = lattice()
    classifier = SlabClassifier(random_state=0).fit(X, y)
    assert classifier.score(X, y) == 1.0
    assert classifier.n_split_ > 0
    n_groups = -(-min(np.bincount(y)) // 2) + classifier.n_split_
    assert len(classifier.groups_) == n_groups


@pytest.mark.parametrize("distance", [1e-9, 1e-12, 0.0])
def test_near_duplicates_of_another_class_are_recalled(distance):
    X, y = random_labels(200, n_features=5, n_classes=2)
    twins = X[:20].copy()
    twins[:, 2] = np.nextafter(twins[:, 2] + distance, np.inf)
    X, y = np.vstack([X, twins]), np.concatenate([y, 1 - y[:20]])
    classifier = SlabClassifier(random_state=0).fit(X, y)
    assert (classifier.predict(X) == y).all()
    assert (textbook(classifier.network_, X)[:, 0] == y).all()


def test_what_cannot_be_told_apart_is_named():
    # One unit in the last place from a stranger, and on each axis another stranger.
    point = np.array([1.0, 1.0])
    near = np.array([np.nextafter(1.0, 2.0), 1.0])
    X = np.array([point, near, [1.0, 5.0], [3.0, 1.0], [7.0, 2.0]])
    y = np.array([1, 0, 0, 0, 0])
    with pytest.raises(InterpolationError, match=r"sample \[0\].*\[1\]"):
        SlabClassifier(random_state=0).fit(X, y)


def test_slabs_refuse_what_underflows_to_equal_coordinates():
    X = np.array([[1.0], [SMALLEST], [0.0]])
    with pytest.raises(InterpolationError, match=r"samples? \[1\]|near-duplicates"):
        SlabClassifier(random_state=0).fit(X, [0, 1, 0])
