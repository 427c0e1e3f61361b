"""Mutual coverings: covers cover, radii obey the condition, numbers are known."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.distance import cdist
from scipy.stats import ortho_group
from sklearn.datasets import load_iris, make_moons
from support.strategies import SMALLEST

from sklearn_memorize import (
    MemorizingClassifier,
)
from sklearn_memorize.datasets import make_two_moons
from sklearn_memorize.inspection import (
    mutual_covering,
    radius,
    separation,
)


def condition_holds(X, cover, other, R, constant):
    """Whether r <= C t / sqrt(log(e R / t)), t the distance to the other centers."""
    t = cdist(X[cover.centers], X[other.centers]).min(axis=1)
    return (cover.radii <= constant * t / np.sqrt(np.log(np.e * R / t))).all()


@given(
    seed=st.integers(0, 2**32 - 1),
    n_features=st.sampled_from([1, 2, 5, 30]),
    n_classes=st.integers(2, 4),
    constant=st.sampled_from([0.25, 1.0, 2.0]),
    shift=st.sampled_from([0.0, 100.0]),
)
def test_covers_cover_and_radii_obey_the_condition(
    seed, n_features, n_classes, constant, shift
):
    rng = np.random.default_rng(seed)
    y = np.append(np.arange(n_classes), rng.integers(n_classes, size=60))
    X = rng.standard_normal((len(y), n_features)) + 2 * y[:, np.newaxis] + shift
    result = mutual_covering(X, y, constant=constant, random_state=seed)
    assert result.holds
    assert (result.classes == np.arange(n_classes)).all()
    for label, covering in enumerate(result.coverings):
        sides = [(covering.own, y == label), (covering.rest, y != label)]
        for cover, is_side in sides:
            side = np.flatnonzero(is_side)
            assert set(cover.centers) <= set(side)
            assert set(np.concatenate(cover.members)) == set(side)
            for center, r, ball in zip(
                cover.centers, cover.radii, cover.members, strict=True
            ):
                inside = side[cdist(X[[center]], X[side])[0] <= r * (1 + 1e-9)]
                assert set(ball) <= set(inside)
        args = radius(X), constant
        assert condition_holds(X, covering.own, covering.rest, *args)
        assert condition_holds(X, covering.rest, covering.own, *args)
        assert 0 < covering.largest_ratio <= 1


def test_two_distant_balls_take_one_ball_each():
    rng = np.random.default_rng(0)
    X = rng.uniform(-0.1, 0.1, size=(500, 3))
    y = np.repeat([0, 1], 250)
    X[y == 1] += 10
    result = mutual_covering(X, y, random_state=0)
    assert (result.n_own == 1).all()
    assert (result.n_rest == 1).all()
    assert len(result.coverings[0].own.members[0]) == 250


def test_two_segments_take_as_many_balls_as_their_length_over_the_gap():
    # Balls of radius r = t / sqrt(log(e R / t)) around points of a segment of length L:
    # no two centers are closer than r, and each covers at most 2 r.
    n_points, length, gap = 2001, 10.0, 1.0
    along = np.linspace(0, length, n_points)
    X = np.concatenate([np.column_stack([along, np.full(n_points, h)]) for h in (0, 1)])
    y = np.repeat([0, 1], n_points)
    result = mutual_covering(X, y, random_state=0)
    r = gap / np.sqrt(np.log(np.e * radius(X) / gap))
    np.testing.assert_allclose(result.coverings[0].own.radii, r, rtol=1e-5)
    lowest, highest = length / (2 * r), length / r + 1
    assert (result.n_own >= lowest).all()
    assert (result.n_own <= highest).all()


def test_points_of_a_chessboard_are_on_their_own():
    # Neighbours at distance 1 differ, the nearest of the same colour is at sqrt(2).
    X = np.stack(np.meshgrid(np.arange(6), np.arange(6)), -1).reshape(-1, 2)
    y = X.sum(axis=1) % 2
    result = mutual_covering(X, y, random_state=0)
    assert result.n_own.tolist() == [18, 18]
    assert all(len(ball) == 1 for ball in result.coverings[0].own.members)


def test_two_classes_share_one_covering():
    X, y = make_moons(300, noise=0.05, random_state=0)
    first, second = mutual_covering(X, y, random_state=3).coverings
    for one, other in [(first.own, second.rest), (first.rest, second.own)]:
        np.testing.assert_array_equal(one.centers, other.centers)
        np.testing.assert_array_equal(one.radii, other.radii)


@given(seed=st.integers(0, 2**32 - 1), scale=st.floats(1e-3, 1e3))
def test_moving_turning_and_scaling_the_data_keeps_the_covering(seed, scale):
    rng = np.random.default_rng(seed)
    y = rng.permutation(np.arange(80) % 3)
    X = rng.standard_normal((80, 4)) + y[:, np.newaxis]
    turn = ortho_group.rvs(4, random_state=rng)
    moved = scale * (X @ turn) + rng.standard_normal(4)
    before = mutual_covering(X, y, random_state=0)
    after = mutual_covering(moved, y, random_state=0)
    for one, other in zip(before.coverings, after.coverings, strict=True):
        np.testing.assert_array_equal(one.own.centers, other.own.centers)
        np.testing.assert_allclose(one.own.radii * scale, other.own.radii, rtol=1e-6)
    assert after.radius == pytest.approx(before.radius * scale, rel=1e-9)


def test_more_samples_of_one_distribution_need_no_more_balls():
    sizes = [500, 1000, 2000, 4000]
    numbers = []
    for n_samples in sizes:
        X, y = make_moons(n_samples, noise=0.05, random_state=0)
        numbers.append(mutual_covering(X, y, random_state=0).n_own.sum())
    assert max(numbers) <= 2 * min(numbers)


def test_the_second_layer_needs_no_more_neurons_than_the_covering_has_balls():
    widths = []
    for n_samples in (250, 1000, 4000):
        X, y = make_two_moons(n_samples, random_state=0)
        classifier = MemorizingClassifier(
            hyperplanes="random", n_hyperplanes=2000, n_draws=1, random_state=0
        )
        classifier.fit(X, y)
        assert classifier.interpolates_
        n_balls = mutual_covering(X, y, random_state=0).n_own
        assert (classifier.second_layer_widths_ <= n_balls).all()
        widths.append(classifier.second_layer_widths_.sum())
    assert max(widths) <= 1.5 * min(widths)


def test_the_result_is_reproducible_and_labels_keep_their_names():
    X, y = load_iris(return_X_y=True)
    names = np.array(["c", "a", "b"])[y]
    one, two = (mutual_covering(X, names, random_state=5) for _ in range(2))
    assert one.classes.tolist() == ["a", "b", "c"]
    for first, second in zip(one.coverings, two.coverings, strict=True):
        np.testing.assert_array_equal(first.own.centers, second.own.centers)


def test_duplicates_are_covered_together_and_near_duplicates_apart():
    X = np.array([[1.0, 0], [1.0, 0], [1.0 + 1e-12, 0], [0, 1.0], [0, 1.0]])
    result = mutual_covering(X, [0, 0, 1, 1, 1], random_state=0)
    assert result.holds
    own = result.coverings[0].own
    assert [ball.tolist() for ball in own.members] == [[0, 1]]
    t = separation(X, [0, 0, 1, 1, 1]).distance
    assert 0 < own.radii[0] <= t
    assert result.n_own.tolist() == [1, 2]


def test_bad_input_is_an_error():
    with pytest.raises(ValueError, match="one class only"):
        mutual_covering([[0.0], [1.0]], [1, 1])
    with pytest.raises(ValueError, match="one class only"):
        mutual_covering([[0.0]], [1])
    with pytest.raises(ValueError, match="identical to a sample of another label"):
        mutual_covering([[0.0], [0.0], [1.0]], [0, 1, 1])
    with pytest.raises(ValueError, match="NaN"):
        mutual_covering([[0.0], [np.nan]], [0, 1])
    with pytest.raises(ValueError, match="constant"):
        mutual_covering([[0.0], [1.0]], [0, 1], constant=0)


def test_a_distance_that_vanishes_beside_an_outlier_is_refused():
    with pytest.raises(ValueError, match="remove outliers"):
        mutual_covering(np.array([[0.0], [SMALLEST], [1.0]]), [1, 0, 1])
