"""Bounds of squared distances hold, whatever the points are like."""

import numpy as np
import pytest

from sklearn_memorize.exact._closest_pairs import closest_pair
from sklearn_memorize.exact._distances import PointSet, Scaling, squared_distances
from sklearn_memorize.exact._nearest import nearest_points
from sklearn_memorize.exact._screen import Screen


def narrow(n_points, seed=0, n_features=130, noise=0.01):
    """Points that vary in twelve directions, and a little in all others."""
    rng = np.random.default_rng(seed)
    directions = np.random.default_rng(7).standard_normal((12, n_features))
    points = rng.standard_normal((n_points, 12)) @ directions
    return points + noise * rng.standard_normal(points.shape)


def fine(points):
    return points.astype(np.longdouble)


KINDS = {
    "few directions": narrow(1200),
    "few directions, no noise": narrow(1200, noise=0.0),
    "all directions": np.random.default_rng(1).standard_normal((1200, 130)),
    "few features": np.random.default_rng(1).standard_normal((300, 5)) + 1e6,
    "few points": narrow(40),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("size", [1e-4, 1.0, 1e3])
def test_bounds_hold_for_distances_near_and_far(kind, size):
    points = KINDS[kind]
    scaling = Scaling.of(points)
    everything = PointSet(scaling.scaled(points), scaling)
    screen = Screen(everything.centered)
    assert screen.is_usable
    assert screen.is_narrow == (kind in ("few directions", "few directions, no noise"))
    rng = np.random.default_rng(2)
    new = points[:40] + size * rng.standard_normal((40, points.shape[1]))
    rows = PointSet(scaling.scaled(new), scaling)
    assert screen.are_near(rows.centered).all()
    low = screen.lower_bounds(rows.centered)
    differences = fine(rows.points)[:, np.newaxis] - fine(everything.points)
    assert (low <= np.square(differences).sum(axis=2)).all()
    assert (low <= squared_distances(rows, everything)).all()
    some = np.arange(0, len(points), 31)
    exact = squared_distances(everything.take(some), everything)
    assert (screen.lower_bounds_among(some, slice(None)) <= exact).all()
    assert (screen.lower_bounds_among(some, some) <= exact[:, some]).all()
    assert (screen.upper_bounds_among(some) >= exact).all()


def test_bounds_are_close_where_points_vary_in_few_directions():
    points = narrow(1200)
    scaling = Scaling.of(points)
    everything = PointSet(scaling.scaled(points), scaling)
    some = np.arange(20)
    exact = squared_distances(everything.take(some), everything)[:, 20:]
    screen = Screen(everything.centered)
    for bounds in (screen.lower_bounds_among(some, slice(None)), None):
        bounds = screen.upper_bounds_among(some) if bounds is None else bounds
        np.testing.assert_allclose(bounds[:, 20:], exact, rtol=0.02)


def test_rows_far_away_are_told_from_those_with_bounds():
    points = narrow(1200)
    screen = Screen(points - points.mean(axis=0))
    rows = np.zeros((3, points.shape[1]))
    rows[1:, 0] = 1e15, 1e200
    with np.errstate(over="ignore"):
        assert screen.are_near(rows).tolist() == [True, False, False]


@pytest.mark.parametrize("gap", [0.0, 1e-12, 1e-3])
def test_the_closest_pair_is_found_by_bounds_as_by_all_distances(gap):
    points, labels = narrow(1500), np.arange(1500) % 3
    # Several pairs at the very same distance, or nearly.
    for k in (3, 600, 900):
        points[k + 1] = points[k]
        points[k + 1, 5] += 2.0**-20 * (1 + gap * k)
    differences = points[:, np.newaxis, 5] - points[:, 5]
    squares = np.full((1500, 1500), np.inf)
    for k in (3, 600, 900):
        squares[k, k + 1] = differences[k, k + 1] ** 2
    expected = np.unravel_index(squares.argmin(), squares.shape)
    distance, pair = closest_pair(points, labels)
    assert pair == tuple(map(int, expected))
    assert distance == abs(differences[pair])


@pytest.mark.parametrize("n_threads", [1, 3])
def test_nearest_points_are_found_by_bounds_as_by_all_distances(n_threads):
    points = narrow(2000)
    labels = np.sort(np.arange(2000) % 3)
    points[700:710] = 2 * points[0] - points[1]  # equal ones, of another label
    points[1] = points[0]
    search = nearest_points(points, labels, "euclidean")
    middle = (points[:5] + points[1500:1505]) / 2
    rows = np.concatenate([narrow(300, seed=3), points[:20], middle, 1e30 * points[:3]])
    squares = np.square(fine(rows)[:, np.newaxis] - fine(points)).sum(axis=2)
    found = search.nearest_labels(rows, n_threads)
    nearest = squares.min(axis=1)
    rank = np.arange(len(rows))
    of_found = np.where(labels == found[:, np.newaxis], squares, np.inf).min(axis=1)
    assert (of_found <= nearest * (1 + 1e-15)).all()
    alone = [search.nearest_labels(row[np.newaxis])[0] for row in rows[::9]]
    np.testing.assert_array_equal(found[::9], alone)
    for hidden, (_, places) in (
        (labels == found[:, np.newaxis], search.nearest_others(rows, found, n_threads)),
        (labels != found[:, np.newaxis], search.nearest_own(rows, found, n_threads)),
    ):
        least = np.where(hidden, np.inf, squares).min(axis=1)
        assert not hidden[rank, places].any()
        assert (squares[rank, places] <= least * (1 + 1e-15)).all()
