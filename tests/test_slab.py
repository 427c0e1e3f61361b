"""Slabs through groups of d samples: exact recall, Baum's size, named degeneracies."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse
from sklearn.datasets import load_digits, load_iris, load_wine

from sklearn_memorize import SlabClassifier
from sklearn_memorize.constructions._general_position import AffineHull
from sklearn_memorize.exceptions import InterpolationError


def random_labels(n_samples=2000, n_features=20, n_classes=10, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n_samples, n_features))
    return X, rng.integers(n_classes, size=n_samples)


def textbook(network, X):
    for layer in network.layers:
        X = layer.forward(X)
    return X


@pytest.mark.parametrize("n_classes", [2, 3, 10])
def test_random_labels_are_recalled(n_classes):
    X, y = random_labels(n_classes=n_classes)
    classifier = SlabClassifier(random_state=0).fit(X, y)
    assert classifier.interpolates_
    assert (classifier.predict(X) == y).all()


@pytest.mark.parametrize("load", [load_iris, load_digits, load_wine])
def test_real_data_are_recalled(load):
    X, y = load(return_X_y=True)
    dense = SlabClassifier(random_state=0).fit(X, y)
    from_sparse = SlabClassifier(random_state=0).fit(sparse.csr_array(X), y)
    assert dense.score(X, y) == 1.0
    assert (from_sparse.predict(sparse.csr_array(X)) == y).all()
    assert (dense.network_.widths) == from_sparse.network_.widths


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


@settings(max_examples=60, deadline=None)
@given(
    n_samples=st.integers(1, 40),
    n_features=st.integers(1, 4),
    n_classes=st.integers(1, 6),
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
    classifier = SlabClassifier(random_state=seed).fit(X, y)
    assert (classifier.predict(X) == y).all()
    network = classifier.network_
    assert (textbook(network, X) == network.forward(X)).all()


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


def test_textbook_evaluation_gives_the_same_outputs():
    X, y = random_labels(500, n_classes=5)
    network = SlabClassifier(random_state=0).fit(X, y).network_
    unseen = np.random.default_rng(1).standard_normal((500, 20))
    for samples in (X, unseen):
        assert (textbook(network, samples) == network.forward(samples)).all()


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


def test_answers_do_not_depend_on_how_they_are_asked_for():
    X, y = random_labels(400, n_classes=3)
    X = X.astype(np.float32)
    classifier = SlabClassifier(random_state=0).fit(X, y)
    samples = np.random.default_rng(1).standard_normal((200, 20)).astype(np.float32)
    expected = classifier.predict(samples)
    shuffled = np.random.default_rng(2).permutation(200)
    assert (classifier.predict(samples.astype(np.float64)) == expected).all()
    assert (classifier.predict(np.asfortranarray(samples)) == expected).all()
    assert (classifier.predict(sparse.csr_array(samples)) == expected).all()
    assert (classifier.predict(samples[shuffled]) == expected[shuffled]).all()
    one_by_one = [classifier.predict(row[np.newaxis])[0] for row in samples]
    assert (np.array(one_by_one) == expected).all()


def test_decision_function_says_what_predict_says():
    X, y = random_labels(300, n_features=3, n_classes=5)
    labels = np.array(list("abcde"))
    classifier = SlabClassifier(random_state=0).fit(X, labels[y])
    unseen = np.random.default_rng(1).standard_normal((300, 3))
    scores = classifier.decision_function(unseen)
    assert scores.shape == (300, 5)
    assert (scores.max(axis=1) == 1).all()
    assert (classifier.predict(unseen) == labels[scores.argmax(axis=1)]).all()


def test_rounding_bounds_hold_for_any_order_of_summation():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((50, 30)) * 10.0 ** rng.integers(-3, 4, 30)
    frame = AffineHull(X)
    normal = next(frame.normals(np.arange(30), rng))
    values, errors = frame.projections(normal)
    for _ in range(20):
        order = rng.permutation(30)
        total = np.zeros(50)
        for feature in order:
            total += X[:, feature] * normal[feature]
        assert (np.abs(total - values) <= errors).all()


def test_same_seed_same_network_whatever_the_order_of_samples():
    X, y = random_labels(200, n_classes=3)
    order = np.random.default_rng(0).permutation(200)
    plain = SlabClassifier(random_state=0).fit(X, y).network_
    shuffled = SlabClassifier(random_state=0).fit(X[order], y[order]).network_
    assert (plain.layers[0].weights == shuffled.layers[0].weights).all()
    assert (plain.layers[0].biases == shuffled.layers[0].biases).all()
