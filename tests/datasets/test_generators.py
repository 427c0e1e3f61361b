"""The papers' data sets."""

import numpy as np
import pytest
from sklearn.datasets import make_moons

from sklearn_memorize.datasets import (
    make_parallel_lines,
    make_two_moons,
)


def norms(X):
    return np.linalg.norm(X, axis=1)


@pytest.mark.parametrize("make", [make_two_moons, make_parallel_lines])
@pytest.mark.parametrize("n_samples", [2, 51, 200])
def test_points_lie_in_the_unit_disc_half_in_each_class(make, n_samples):
    X, y = make(n_samples, random_state=0)
    assert X.shape == (n_samples, 2)
    assert norms(X).max() <= 1 + 1e-15
    assert sorted(np.bincount(y)) == [n_samples // 2, n_samples - n_samples // 2]


@pytest.mark.parametrize("make", [make_two_moons, make_parallel_lines])
def test_one_seed_gives_the_same_points(make):
    for first, second in zip(
        make(20, random_state=3), make(20, random_state=3), strict=True
    ):
        np.testing.assert_array_equal(first, second)
    assert not np.array_equal(make(20, random_state=4)[0], make(20, random_state=3)[0])


def test_two_moons_are_scikit_learns_up_to_one_factor():
    X, y = make_two_moons(1000, noise=0.05, random_state=0)
    original, labels = make_moons(1000, noise=0.05, random_state=0)
    np.testing.assert_array_equal(y, labels)
    np.testing.assert_allclose(X * norms(original).max(), original, rtol=1e-14)
    assert norms(X).max() == 1.0


@pytest.mark.parametrize("angle", [0, 30.0, 90])
def test_parallel_lines_have_the_distance_asked_for(angle):
    X, y = make_parallel_lines(100, distance=0.3, angle=angle, random_state=0)
    turn = np.deg2rad(angle)
    height = X @ [-np.sin(turn), np.cos(turn)]
    np.testing.assert_allclose(height, np.where(y == 1, 0.15, -0.15), atol=1e-15)


@pytest.mark.parametrize(
    ("make", "arguments", "name"),
    [
        (make_two_moons, {"n_samples": 1}, "n_samples"),
        (make_two_moons, {"noise": -0.1}, "noise"),
        (make_parallel_lines, {"distance": 0.0}, "distance"),
        (make_parallel_lines, {"distance": 2.5}, "distance"),
        (make_parallel_lines, {"n_samples": 0}, "n_samples"),
    ],
)
def test_bad_arguments_are_named(make, arguments, name):
    with pytest.raises(ValueError, match=name):
        make(**arguments)


@pytest.mark.parametrize("noise", [1e308, np.inf, np.nan])
def test_moons_whose_norms_overflow_are_refused(noise):
    with pytest.raises(ValueError, match="'noise' parameter"):
        make_two_moons(10, noise=noise)


@pytest.mark.parametrize("angle", [np.inf, -np.inf, np.nan])
def test_lines_of_no_direction_are_refused(angle):
    with pytest.raises(ValueError, match="'angle' parameter"):
        make_parallel_lines(10, angle=angle)
