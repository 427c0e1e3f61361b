"""Radius, separation and Gaussian width: known answers, exactness, invariance."""

import sys
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse
from scipy.stats import ortho_group

from sklearn_memorize.datasets import make_parallel_lines
from sklearn_memorize.inspection import gaussian_width, radius, separation


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


@settings(max_examples=60, deadline=None)
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


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), scale=st.floats(1e-3, 1e3))
def test_rotation_and_translation_change_nothing_and_scaling_scales(seed, scale):
    rng = np.random.default_rng(seed)
    X, y = rng.standard_normal((60, 4)), rng.integers(3, size=60)
    turn = ortho_group.rvs(4, random_state=rng)
    moved = (X @ turn) * scale + rng.standard_normal(4)
    before, after = separation(X, y), separation(moved, y)
    assert after.pair == before.pair
    assert after.distance == pytest.approx(before.distance * scale, rel=1e-9)
    assert radius(moved) == pytest.approx(radius(X) * scale, rel=1e-9)
    widths = [gaussian_width(points, 20, random_state=0) for points in (X, X + 7)]
    assert widths[0].width == pytest.approx(widths[1].width, rel=1e-9)
    scaled = gaussian_width(X * scale, 20, random_state=0)
    assert scaled.width == pytest.approx(widths[0].width * scale, rel=1e-9)


def test_separation_does_not_depend_on_storage_or_names():
    X, y = two_balls(120, 30, 0.1)
    X = X.astype(np.float32)
    expected = separation(X, y)
    assert separation(sparse.csr_array(X), y) == expected
    assert separation(X.astype(np.float64), np.array(["a", "b"])[y]) == expected
    assert separation(np.asfortranarray(X), y, n_jobs=2) == expected


def test_progress_is_shown(capsys):
    pytest.importorskip("rich")
    X, y = make_parallel_lines(20, random_state=0)
    assert separation(X, y, progress=True) == separation(X, y)
    assert "Comparing labels" in capsys.readouterr().out


def test_progress_without_rich_is_an_error(monkeypatch):
    monkeypatch.setitem(sys.modules, "rich", None)
    with pytest.raises(ImportError, match="progress=False"):
        separation([[0.0], [1.0]], [0, 1], progress=True)


def test_one_class_is_infinitely_separated():
    assert separation([[0.0], [1.0]], [1, 1]) == (np.inf, None)
    assert separation([[0.0]], ["a"]) == (np.inf, None)
    assert radius([[3.0, 4.0]]) == 0.0
    assert radius([[3.0, 4.0]], center=False) == 5.0


def test_identical_samples_of_different_label_are_at_distance_zero():
    X = [[1.0, 2.0], [5.0, 5.0], [1.0, 2.0], [5.0, 5.0]]
    assert separation(X, [0, 1, 1, 1]) == (0.0, (0, 2))
    assert separation(X, [0, 1, 0, 1]) == (5.0, (0, 1))


def test_gaussian_width_has_the_known_values():
    # One point: 0. Plus and minus one: E |g|. The cross-polytope: E max |g_i|.
    assert gaussian_width([[1.0, 2.0, 3.0]]).width == 0
    rng = np.random.default_rng(0)
    largest = np.abs(rng.standard_normal((200_000, 10))).max(axis=1)
    cross = np.concatenate([np.eye(10), -np.eye(10)])
    width, error = gaussian_width(cross, 20_000, random_state=1)
    assert abs(width - largest.mean()) < 4 * error
    assert error == pytest.approx(largest.std() / np.sqrt(20_000), rel=0.1)
    segment = gaussian_width([[-3.0], [3.0]], 20_000, random_state=1)
    assert abs(segment.width - 3 * np.sqrt(2 / np.pi)) < 4 * segment.standard_error


def test_gaussian_width_is_reproducible_and_one_draw_has_no_error():
    X = np.random.default_rng(0).standard_normal((50, 3))
    assert gaussian_width(X, 30, 7) == gaussian_width(X, 30, 7)
    assert gaussian_width(X, 30, 7) != gaussian_width(X, 30, 8)
    assert np.isnan(gaussian_width(X, 1, 0).standard_error)


@pytest.mark.parametrize("function", [radius, gaussian_width])
def test_points_that_are_not_finite_or_missing_are_an_error(function):
    with pytest.raises(ValueError, match="NaN"):
        function([[0.0], [np.nan]])
    with pytest.raises(ValueError, match="minimum of 1 is required"):
        function(np.empty((0, 2)))
    with pytest.raises(ValueError, match="2D array"):
        function([1.0, 2.0])


def test_bad_labelled_data_are_an_error():
    with pytest.raises(ValueError, match="NaN"):
        separation([[0.0], [np.nan]], [0, 1])
    with pytest.raises(ValueError, match="inconsistent numbers"):
        separation([[0.0], [1.0]], [0])
    with pytest.raises(ValueError, match="continuous"):
        separation([[0.0], [1.0]], [0.5, 1.7])
    with pytest.raises(ValueError, match="n_samples"):
        gaussian_width([[0.0]], 0)
