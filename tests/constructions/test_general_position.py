"""Hyperplanes through groups of samples, and the room around them."""

from fractions import Fraction

import numpy as np
import pytest

from sklearn_memorize.constructions._general_position import (
    AffineHull,
    clearance,
)


def test_room_is_measured_from_the_outer_ends_of_what_may_be_off():
    values = np.array([0.0, 1.0, 1.5, 4.0, -3.0, 9.0])
    errors = np.array([0.25, 0.5, 0.25, 0.5, 1.0, 0.0])
    below, low, high, above, on_it = clearance(
        values, errors, np.array([1, 2]), np.array([0, 3, 4, 5])
    )
    assert (below, low, high, above) == (0.25, 0.5, 1.75, 3.5)
    assert len(on_it) == 0
    # What touches the interval is on it.
    for value, error, touches in (
        (2.0, 0.25, True),
        (2.0, 0.125, False),
        (0.25, 0.25, True),
        (0.25, 0.125, False),
        (1.0, 0.0, True),
    ):
        values[5], errors[5] = value, error
        *_, on_it = clearance(values, errors, np.array([1, 2]), np.array([3, 5]))
        assert on_it.tolist() == [5] * touches


def test_where_no_stranger_is_there_is_room_for_all():
    values, errors = np.array([2.0, -5.0]), np.array([1.0, 0.5])
    below, low, high, above, _ = clearance(
        values, errors, np.array([0, 1]), np.empty(0, dtype=int)
    )
    # 1 + |low| + |high| on both sides.
    assert (below, low, high, above) == (-5.5 - 9.5, -5.5, 3.0, 3.0 + 9.5)


def test_frames_scale_by_powers_of_two_and_know_their_dimension():
    X = np.array([[0.0, 5.0, 1.0, 7.0], [3.0, 5.0, 1.5, 7.0], [6.0, 5.0, 2.0, 7.0]])
    frame = AffineHull(X)
    assert (frame.dimension, frame.n_features) == (1, 4)
    # Differences of up to 6 and 1 are brought below 1.
    assert frame.axis(0).tolist() == [0.125, 0, 0, 0]
    assert frame.axis(2).tolist() == [0, 0, 0.5, 0]
    assert not frame.axis(1).any()
    members = [
        frame.differing_features(k, np.delete(np.arange(3), k)) for k in range(3)
    ]
    assert [found.tolist() for found in members] == [[0, 2]] * 3


def test_features_in_which_a_sample_differs_from_all_strangers():
    X = np.array([[0.0, 1.0, 2.0], [0.0, 2.0, 3.0], [1.0, 1.0, 4.0], [5.0, 5.0, 2.0]])
    frame = AffineHull(X)
    assert frame.differing_features(0, np.array([1])).tolist() == [1, 2]
    assert frame.differing_features(0, np.array([1, 2])).tolist() == [2]
    assert frame.differing_features(0, np.array([1, 2, 3])).tolist() == []


@pytest.mark.parametrize("n_members", [1, 2, 3, 4])
def test_hyperplanes_go_through_all_members(n_members):
    X = np.random.default_rng(0).standard_normal((9, 4)) * [1, 100, 1e-3, 5] + 3
    frame = AffineHull(X)
    members = np.arange(n_members)
    planes = frame.through(members)
    normals = list(map(planes.normal, planes.draw(np.random.default_rng(1))))
    # There is one hyperplane through d points, and a choice through fewer.
    assert len(normals) == (1 if n_members == 4 else 8)
    for normal in normals:
        values, errors = frame.projections(normal)
        inside = values[members]
        assert np.ptp(inside) <= 1e-12 * np.ptp(values)
        assert np.abs(np.delete(values, members) - inside[0]).min() > 1e-9
        scaled = normal / np.ldexp(1.0, -np.frexp(np.abs(X - X[0]).max(axis=0))[1])
        assert np.linalg.norm(scaled) == pytest.approx(1.0)


def test_projections_are_as_far_off_as_said_at_most():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((30, 5)) * 10.0 ** rng.integers(-3, 4, (30, 5))
    frame = AffineHull(X)
    normal = rng.standard_normal(5)
    normal[2] = 0.0
    values, errors = frame.projections(normal)
    exact = [
        sum(
            Fraction(a) * Fraction(b) for a, b in zip(row, normal.tolist(), strict=True)
        )
        for row in X.tolist()
    ]
    size = np.abs(X) @ np.abs(normal)
    # 4 gamma_5 of four products and four sums, and next to nothing more.
    np.testing.assert_allclose(errors, 4 * 5 * 2.0**-53 * size, rtol=1e-14)
    for value, error, wanted in zip(values, errors, exact, strict=True):
        assert abs(Fraction(float(value)) - wanted) <= Fraction(float(error)) / 4
    values, errors = frame.projections(frame.axis(1))
    assert not errors.any()
    np.testing.assert_array_equal(values, X[:, 1] * frame.axis(1)[1])


def test_bounds_of_projections_never_vanish():
    X = np.array([[0.0, 0.0], [1e-300, 1e-300], [2e-300, 0.0]])
    frame = AffineHull(X)
    _, errors = frame.projections(np.array([1e-300, 1e-300]))
    assert (errors >= 2 * 2.0**-1022).all()


def test_distances_that_overflow_are_named():
    X = np.array([[1.5e308], [-1.5e308]])
    with pytest.raises(ValueError, match=r"large as 1\.5e\+308 leave no room"):
        AffineHull(X)


def test_rounding_bounds_hold_for_any_order_of_summation():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((50, 30)) * 10.0 ** rng.integers(-3, 4, 30)
    frame = AffineHull(X)
    planes = frame.through(np.arange(30))
    normal = planes.normal(next(planes.draw(rng)))
    values, errors = frame.projections(normal)
    for _ in range(20):
        order = rng.permutation(30)
        total = np.zeros(50)
        for feature in order:
            total += X[:, feature] * normal[feature]
        assert (np.abs(total - values) <= errors).all()


@pytest.mark.parametrize("far", [3.0, 1e6])
@pytest.mark.parametrize("n_members", [1, 5, 30, 40])
def test_rough_normals_and_projections_are_within_their_errors(n_members, far):
    rng = np.random.default_rng(n_members)
    X = rng.standard_normal((200, 40)) * 2.0 ** rng.integers(-20, 20, 40) + far
    hull = AffineHull(X)
    scale = np.array([hull.axis(feature)[feature] for feature in range(40)])
    planes = hull.through(np.arange(n_members))
    coefficients = list(planes.draw(rng))
    rough = planes.rough_normals(coefficients)
    products, errors = hull.rough_projections(rough)
    for column, some in enumerate(coefficients):
        normal = planes.normal(some)
        off = (normal - rough[:, column]) / scale
        assert np.linalg.norm(off) <= hull.normal_error
        values, own_errors = hull.projections(normal)
        # Up to a number that is the same for all points.
        shifts = values - products[column]
        assert (shifts - errors[column]).max() <= (shifts + errors[column]).min()
        assert (own_errors <= errors[column]).all()


@pytest.mark.parametrize("n_members", [1, 2, 7, 10, 11])
def test_levelled_hyperplanes_hold_the_group_and_do_not_depend_on_a_feature(n_members):
    rng = np.random.default_rng(n_members)
    X = rng.standard_normal((50, 12)) * 2.0 ** rng.integers(-9, 9, 12)
    hull = AffineHull(X)
    planes = hull.through(np.arange(n_members))
    drawn = list(planes.draw(rng))
    for feature in (0, 5):
        levelled = planes.levelled(drawn, feature)
        for before, after in zip(drawn, levelled, strict=True):
            normal = planes.normal(after)
            sizes = np.abs(normal) * np.ptp(X, axis=0)
            assert sizes[feature] < 1e-10 * sizes.max()
            values, _ = hull.projections(normal)
            assert np.ptp(values[:n_members]) < 1e-10 * np.ptp(values)
            # It is the nearest one: the way to it is perpendicular to all such.
            way = before - after * (after @ before)
            assert np.abs(np.array(levelled) @ way).max() < 1e-10


@pytest.mark.parametrize("n_members", [1, 4, 11, 12])
def test_random_numbers_make_unit_normals_through_a_group_of_any_rank(n_members):
    rng = np.random.default_rng(n_members)
    hull = AffineHull(rng.standard_normal((50, 12)))
    planes = hull.through(np.arange(n_members))
    found = planes.coefficients(rng.standard_normal((8, 12)))
    assert planes.n_choices == 13 - n_members
    assert len(found) == (8 if n_members < 12 else 1)
    for coefficients in found:
        assert len(coefficients) == planes.n_choices
        assert np.linalg.norm(coefficients) == pytest.approx(1.0)
        values, _ = hull.projections(planes.normal(coefficients))
        assert np.ptp(values[:n_members]) < 1e-10 * np.ptp(values)


def test_the_only_hyperplane_through_a_group_is_not_levelled():
    rng = np.random.default_rng(0)
    hull = AffineHull(rng.standard_normal((50, 12)))
    planes = hull.through(np.arange(12))
    (only,) = drawn = list(planes.draw(rng))
    (same,) = planes.levelled(drawn, 3)
    assert same is only
    # Nor is a normal vector that is that feature alone.
    X = np.zeros((6, 2))
    X[:, 0] = range(6)
    planes = AffineHull(X).through([2])
    (same,) = planes.levelled([np.ones(1)], 0)
    assert same.tolist() == [1.0]


def test_hyperplanes_meet_many_points_in_the_hull_of_a_group_and_none_beside_it():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((400, 12))
    X[:300, 8:] = 1.0  # in a subspace of eight dimensions
    hull, others = AffineHull(X), np.arange(20, 400)
    for size, is_met in ((9, True), (12, True), (8, False), (3, False)):
        planes = hull.through(np.arange(size))
        rough = planes.rough_normals(list(planes.draw(rng)))
        met = hull.meets(rough, np.arange(size), hull.some_of(others))
        assert (met == is_met).all()
        beside = hull.some_of(np.arange(300, 400))
        assert not hull.meets(rough, np.arange(size), beside).any()
        # Members do not count, though they are on it.
        themselves = hull.some_of(np.arange(size))
        assert not hull.meets(rough, np.arange(size), themselves).any()
