"""The closest pair of different labels is found exactly."""

import itertools
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse

from sklearn_memorize.exact import _closest_pairs
from sklearn_memorize.exact._closest_pairs import closest_pair
from sklearn_memorize.exact._distances import PointSet, Scaling
from sklearn_memorize.inspection import (
    radius,
    separation,
)


def exact_separation(X, y):
    """The smallest squared distance in rational arithmetic, and its first pair."""
    best = None
    for i in range(len(X)):
        for j in range(i + 1, len(X)):
            if y[i] != y[j]:
                squared = sum(
                    (Fraction(float(a)) - Fraction(float(b))) ** 2
                    for a, b in zip(X[i], X[j], strict=True)
                )
                if best is None or squared < best[0]:
                    best = squared, (i, j)
    return best


def two_balls(n_samples, n_features, distance, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n_samples, n_features))
    X *= rng.random((n_samples, 1)) / np.linalg.norm(X, axis=1, keepdims=True)
    y = np.arange(n_samples) % 2
    X[:2] = 0  # the two points that face each other
    X[0, 0], X[1, 0] = 1, -1
    X[:, 0] += y * (distance + 2)
    return X, y


def test_two_segments_are_as_far_apart_as_they_were_put():
    n_points = 101
    along = np.linspace(0, 10, n_points)
    X = np.concatenate([np.column_stack([along, np.full(n_points, h)]) for h in (0, 3)])
    y = np.repeat([0, 1], n_points)
    distance, pair = separation(X, y)
    assert distance == 3.0
    assert pair == (0, n_points)
    assert radius(X) == pytest.approx(np.hypot(5, 1.5), rel=1e-15)
    assert radius(X, center=False) == pytest.approx(np.hypot(10, 3), rel=1e-15)


@pytest.mark.parametrize("n_features", [1, 3, 40])
def test_two_balls_are_separated_by_their_gap(n_features):
    X, y = two_balls(300, n_features, 0.25)
    distance, pair = separation(X, y)
    assert distance == 0.25
    assert pair == (0, 1)


@pytest.mark.parametrize("side", [5, 12])
def test_the_first_of_many_closest_pairs_of_a_grid_is_found(side):
    X = np.stack(np.meshgrid(*[np.arange(side)] * 2, indexing="ij"), -1).reshape(-1, 2)
    y = X.sum(axis=1) % 2  # a chessboard: all neighbours differ
    assert separation(X * 0.5, y) == (0.5, (0, 1))
    wide = np.column_stack([X * 0.5, np.zeros((len(X), 30))])
    assert separation(wide, y) == (0.5, (0, 1))
    assert radius(X) == pytest.approx((side - 1) / np.sqrt(2), rel=1e-15)


@given(
    seed=st.integers(0, 2**32 - 1),
    n_features=st.sampled_from([1, 2, 17, 40]),
    n_classes=st.integers(2, 5),
    shift=st.sampled_from([0.0, 1.0, 1e6]),
    scale=st.sampled_from([1.0, 1e-120, 1e120]),
)
def test_the_pair_is_the_closest_one_exactly(seed, n_features, n_classes, shift, scale):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((14, n_features))
    # Pairs whose distances agree up to a few parts in 10^15, and near duplicates.
    X[7:] = X[:7] + 1e-3 * np.sign(rng.standard_normal((7, n_features)))
    X[7] = X[0] + 1e-3 * (1 + rng.integers(3) * 1e-15)
    X = (X + shift) * scale
    y = np.append(np.arange(n_classes), rng.integers(n_classes, size=14 - n_classes))
    y[7:] = (y[:7] + 1) % n_classes
    squared, pair = exact_separation(X, y)
    found = separation(X, y)
    assert found.pair == pair
    assert Fraction(found.distance) ** 2 == pytest.approx(squared, rel=1e-14)


@pytest.mark.parametrize("n_classes", [2, 7])
@pytest.mark.parametrize("width", [0.01, 1.0])
def test_points_that_are_left_out_are_not_of_the_closest_pair(
    monkeypatch, n_classes, width
):
    rng = np.random.default_rng(n_classes)
    for n_features in (1, 3, 200):
        y = rng.integers(n_classes, size=1500)
        X = width * rng.standard_normal((1500, n_features))
        X[:, 0] += rng.permutation(n_classes)[y]
        X[1::7] = X[::7][: len(X[1::7])] + 1e-3  # many pairs that are nearly as close
        every = closest_pair(X, y)
        monkeypatch.setattr(_closest_pairs, "_LEAST_TO_COMPARE", 300)
        near = _closest_pairs._near_another_label(
            PointSet(Scaling.of(X).scaled(X), Scaling.of(X)), y
        )
        assert set(every[1]) <= set(near.tolist())
        assert closest_pair(X, y) == every
        monkeypatch.undo()


def test_separation_does_not_depend_on_storage_or_names():
    X, y = two_balls(120, 30, 0.1)
    X = X.astype(np.float32)
    expected = separation(X, y)
    assert separation(sparse.csr_array(X), y) == expected
    assert separation(X.astype(np.float64), np.array(["a", "b"])[y]) == expected
    assert separation(np.asfortranarray(X), y, n_jobs=2) == expected


def test_one_class_is_infinitely_separated():
    assert separation([[0.0], [1.0]], [1, 1]) == (np.inf, None)
    assert separation([[0.0]], ["a"]) == (np.inf, None)
    assert radius([[3.0, 4.0]]) == 0.0
    assert radius([[3.0, 4.0]], center=False) == 5.0


def test_identical_samples_of_different_label_are_at_distance_zero():
    X = [[1.0, 2.0], [5.0, 5.0], [1.0, 2.0], [5.0, 5.0]]
    assert separation(X, [0, 1, 1, 1]) == (0.0, (0, 2))
    assert separation(X, [0, 1, 0, 1]) == (5.0, (0, 1))


@pytest.mark.parametrize("gap", [1e-100, 1e-155, 1e-158])
def test_distances_far_smaller_than_the_samples_are_exact(gap):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((9, 4)) * gap
    X[0] = 1.0
    y = np.arange(9) % 2
    found = separation(X, y)
    squares = {
        sum((Fraction(a) - Fraction(b)) ** 2 for a, b in zip(*pair, strict=True))
        for pair in itertools.product(X[y == 0].tolist(), X[y == 1].tolist())
    }
    assert abs(Fraction(found.distance) ** 2 / min(squares) - 1) < Fraction(2) ** -51


@pytest.mark.parametrize("offset", [0.0, 1e6])
@pytest.mark.parametrize("gap", [None, 1e-9])
def test_many_features_are_searched_in_single_precision_with_the_same_result(
    offset, gap
):
    rng = np.random.default_rng(0)
    points = rng.standard_normal((300, 200)) + offset
    labels = rng.integers(3, size=300)
    if gap is not None:
        points[:10] = points[10:20]
        points[:10, 0] += gap * (1 + np.arange(10)) * max(1.0, offset)
        labels[:10] = (labels[10:20] + 1) % 3
    distance, pair = closest_pair(points, labels)
    squares = np.square(points[:, np.newaxis] - points).sum(axis=2)
    squares[labels[:, np.newaxis] == labels] = np.inf
    assert pair == np.unravel_index(squares.argmin(), squares.shape)
    assert distance == pytest.approx(np.sqrt(squares.min()), rel=1e-12)
