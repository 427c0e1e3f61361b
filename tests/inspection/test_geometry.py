"""Radius, separation and Gaussian width: known answers, invariance."""

import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import ortho_group

from sklearn_memorize.datasets import make_parallel_lines
from sklearn_memorize.inspection import gaussian_width, radius, separation


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


def test_progress_is_shown(capsys):
    pytest.importorskip("rich")
    X, y = make_parallel_lines(20, random_state=0)
    assert separation(X, y, progress=True) == separation(X, y)
    assert "Comparing labels" in capsys.readouterr().out


def test_progress_without_rich_is_an_error(monkeypatch):
    monkeypatch.setitem(sys.modules, "rich", None)
    with pytest.raises(ImportError, match="progress=False"):
        separation([[0.0], [1.0]], [0, 1], progress=True)


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


def test_gaussian_widths_scale_with_the_points():
    X = np.random.default_rng(0).standard_normal((6, 3))
    plain = gaussian_width(X, random_state=0)
    huge = gaussian_width(X * 2.0**900, random_state=0)
    assert huge == (plain.width * 2.0**900, plain.standard_error * 2.0**900)


def test_gaussian_widths_are_not_negative():
    point = np.random.default_rng(0).standard_normal((1, 7))
    assert gaussian_width(np.repeat(point, 31, axis=0), random_state=0) == (0, 0)
    close = np.nextafter(point, [[np.inf], [-np.inf], [0.0]])
    assert gaussian_width(close, n_samples=50, random_state=0).width >= 0
