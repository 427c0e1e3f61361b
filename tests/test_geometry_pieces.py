"""Hyperplanes through groups of points, slabs and hats around them, in parts."""

from fractions import Fraction
from types import SimpleNamespace

import numpy as np
import pytest

from sklearn_memorize.constructions import _general_position
from sklearn_memorize.constructions._general_position import (
    AffineHull,
    DegenerateGroupError,
    clearance,
)
from sklearn_memorize.constructions.residual import _construction as residual
from sklearn_memorize.constructions.residual._construction import hidden_node_bound
from sklearn_memorize.constructions.slabs import _construction as slabs
from sklearn_memorize.exceptions import InterpolationError

# Hyperplanes through groups.


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


def test_slabs_end_halfway_to_the_strangers_or_at_the_next_double():
    one = np.nextafter(1.0, 2.0)
    values, errors = np.array([0.0, 1.0, 4.0]), np.zeros(3)
    lower, upper, _ = slabs._thresholds(values, errors, np.array([1]), np.array([0, 2]))
    assert (lower, upper) == (0.5, 2.5)
    values = np.array([1.0, one, np.nextafter(one, 2.0)])
    lower, upper, _ = slabs._thresholds(values, errors, np.array([1]), np.array([0, 2]))
    # lower < x holds for the member only, and upper < x for the stranger above.
    assert ((values > lower) & ~(values > upper)).tolist() == [False, True, False]


@pytest.mark.parametrize("split", [True, False])
def test_groups_in_the_way_of_strangers_shrink_by_an_eighth(monkeypatch, split):
    sizes = []

    def around(frame, group, strangers, rng):
        sizes.append(len(group))
        if len(group) > 5 and len(sizes) < 8 or len(sizes) == 1:
            raise DegenerateGroupError(group, strangers[:1])
        return tuple(group)

    monkeypatch.setattr(slabs, "_slab_around", around)
    frame, rng = SimpleNamespace(dimension=20), np.random.default_rng(0)
    members, strangers = np.arange(100, 144), np.arange(100)
    if not split:
        with pytest.raises(DegenerateGroupError):
            slabs.find_slabs(frame, members, strangers, False, rng)
        assert sizes == [20]
        return
    found = slabs.find_slabs(frame, members, strangers, True, rng)
    # One of eight that are begun leaves; then groups are large again.
    assert sizes == [20, 17, 14, 12, 10, 8, 7, 6, 20, 18]
    assert sorted(k for group in found for k in group) == members.tolist()


def test_a_single_sample_in_the_way_is_an_error(monkeypatch):
    def around(frame, group, strangers, rng):
        raise DegenerateGroupError(group, strangers)

    monkeypatch.setattr(slabs, "_slab_around", around)
    frame, rng = SimpleNamespace(dimension=3), np.random.default_rng(0)
    with pytest.raises(DegenerateGroupError) as error:
        slabs.find_slabs(frame, np.array([7]), np.array([1]), True, rng)
    assert error.value.members.tolist() == [7]


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
    normals = list(frame.normals(members, np.random.default_rng(1)))
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


def test_complements_are_orthonormal_and_orthogonal_to_the_rows():
    rows = np.array([[1.0, 2.0, 0.0, 0.0], [2.0, 4.0, 0.0, 0.0], [0.0, 0.0, 3.0, 0.0]])
    basis = _general_position._complement(rows)
    assert basis.shape == (4, 2)
    np.testing.assert_allclose(rows @ basis, 0, atol=1e-14)
    np.testing.assert_allclose(basis.T @ basis, np.eye(2), atol=1e-14)
    whole = _general_position._complement(rows[:0])
    np.testing.assert_array_equal(whole, np.eye(4))
    for spread in (rows, np.vstack([rows] * 3)):
        span = _general_position._row_space(spread)
        assert span.shape == (4, 2)
        np.testing.assert_allclose(span @ (span.T @ rows.T), rows.T, atol=1e-14)


# Residual blocks.


def test_the_bound_of_hidden_nodes_is_that_of_the_theorem():
    assert hidden_node_bound(2000, 50, 10) == 4 * 40 + 6 * 10
    assert hidden_node_bound(7, 2, 3) == 14 + 18


@pytest.mark.parametrize(
    "high, spacing", [(1.0, 4.0), (1.5, 4.0), (2.0, 8.0), (0.3, 1.0)]
)
def test_classes_are_a_power_of_two_apart_between_two_and_four_ranges(high, spacing):
    rng = np.random.default_rng(0)
    X = np.append([0.0, high], rng.uniform(0, high, 18))[:, np.newaxis]
    X = np.hstack([X * 2.0**-12, rng.standard_normal((20, 1))])
    state = residual._PushedPoints(X)
    labels = np.arange(20) % 4
    network, groups, dimension = residual.build_residual_network(
        X, labels, 4, split=True, rng=rng
    )
    extent = np.ptp(state.places)
    levels = network._hats.pushes
    apart = levels.min()
    assert 2 * extent < apart <= 4 * extent
    assert np.log2(apart) % 1 == 0
    assert set(levels) == {apart, 2 * apart, 3 * apart}
    assert dimension == 2
    assert [labels[group[0]] for group in groups] == (levels / apart).tolist()


def test_groups_are_drawn_four_times_unless_all_that_is_left_is_one(monkeypatch):
    X = np.random.default_rng(0).standard_normal((700, 2))
    state = residual._PushedPoints(X)

    def groups(n_left, size):
        rng = np.random.default_rng(1)
        found = residual._candidates(state, np.arange(n_left), size, rng)
        return [group.tolist() for group, _ in found]

    assert len(groups(10, 2)) == 4
    assert all(len(set(group)) == 2 for group in groups(600, 2))
    assert groups(2, 2) == [[0, 1]]
    monkeypatch.setattr(
        state.hull, "normals", lambda group, rng: iter([np.ones(2)]), raising=False
    )
    assert groups(300, 300) == [list(range(300))]
    assert groups(290, 300) == [list(range(290))]
    # A single sample may also be told by one of its features.
    assert groups(1, 2) == [[0]] * 3
    assert len(groups(5, 1)) == 4 + 2


@pytest.mark.parametrize(
    "X, feature",
    [
        ([[0.0, 5.0], [1.0, 6.0]], 0),
        ([[100.0, 5.0], [101.0, 6.0]], 1),
        ([[-1.0, 0.0], [1.0, 9.0]], 0),
        ([[0.0, 0.0], [0.0, 1e-9]], 1),
        ([[0.0, 0.0], [-3.0, -8.0]], 0),
        ([[1.5, 0.9e308], [1.75, -0.9e308]], 1),
    ],
)
def test_pushes_go_along_the_feature_of_the_largest_relative_range(X, feature):
    assert residual._widest_feature(np.array(X)) == feature


def test_edges_are_the_middle_halves_of_the_gaps():
    state = SimpleNamespace(drift=np.array([0.0, 0.7499]))
    edges = residual._edges(state, 0.0, 1.0, 4.0, 3)
    # Classes lie in 0..1, 4..5 and 8..9.
    assert edges.tolist() == [[1.75, 3.25], [5.75, 7.25]]
    for drift, spacing in ((0.75, 4.0), (0.0, 1.7e308)):
        state = SimpleNamespace(drift=np.array([drift]))
        quiet = np.errstate(over="ignore", invalid="ignore")
        with quiet, pytest.raises(InterpolationError, match="near-duplicates"):
            residual._edges(state, 0.0, 1.0, spacing, 3)


def hat(values, rounding, corners, members=(), errors=0.0):
    n = len(values)
    return residual._Hat(
        np.array(members, dtype=int),
        np.array([1.0, 0.0]),
        np.array(values),
        np.full(n, errors),
        np.array(rounding),
        corners,
    )


def test_the_room_of_a_hat_is_that_of_its_steeper_slope():
    values = [0.0]
    assert hat(values, values, (0.0, 1.0, 5.0, 9.0)).slope_width == 1.0
    assert hat(values, values, (0.0, 7.0, 9.0, 11.0)).slope_width == 2.0


def test_what_a_push_may_be_off_is_what_its_nodes_round():
    X = np.array([[0.0, 1.0], [1.0, 2.0], [2.0, 0.5]])
    state = residual._PushedPoints(X)
    block = hat([0.0, 10.0, 20.0], [1.0, 1.0, 0.5], (4.0, 8.0, 12.0, 16.0), [1])
    state.push(block, 8.0)
    # 4 * 8 / 4 times (rounding + 2**-50 (|value| + 16)), right of the left foot.
    noise = [0.0, 8 * (1 + 26 * 2.0**-50), 8 * (0.5 + 36 * 2.0**-50)]
    assert state.drift.tolist() == noise
    assert state.pushed.tolist() == [0.0, 8.0, 0.0]
    state.push(block, 8.0)
    assert state.drift.tolist() == [2 * value for value in noise]
    # What may reach the foot is reached.
    near = hat([3.5, 0.0, 0.0], [0.0] * 3, (4.0, 8.0, 12.0, 16.0), [1], errors=0.5)
    at_foot = state.drift.copy()
    state.push(near, 8.0)
    assert (state.drift == at_foot).all()
    near = hat([3.5, 0.0, 0.0], [0.0] * 3, (4.0, 8.0, 12.0, 16.0), [1], errors=0.75)
    state.push(near, 8.0)
    assert (state.drift > at_foot).tolist() == [True, False, False]
    with pytest.raises(InterpolationError, match="steep nodes"):
        state.push(hat([9.0] * 3, [1e308] * 3, (0.0, 1e-9, 1.0, 2.0), [0]), 1e9)


def test_positions_are_those_of_pushed_points():
    X = np.array([[0.0, 1.0], [1.0, 2.0], [2.0, 0.5]])
    state = residual._PushedPoints(X)
    assert (state.axis, state.scale) == (0, 0.25)
    assert state.places.tolist() == [0, 0.25, 0.5]
    normal = np.array([3.0, -2.0])
    values, errors, rounding = state.positions(normal)
    assert values.tolist() == [-2, -1, 5]
    assert (errors == rounding).all() and (rounding > 0).all()
    state.push(hat([0.0] * 3, [0.0] * 3, (4.0, 8.0, 12.0, 16.0), [1]), 8.0)
    state.drift[:] = [0.0, 0.5, 1.0]
    moved, errors, pushed_rounding = state.positions(normal)
    # Pushed by 8 / 0.25 along the first feature: 3 * 32 more.
    assert moved.tolist() == [-2, -1 + 96, 5]
    # 2**-50 of 12 (0.25 + 8), for what has been pushed.
    more = pushed_rounding - rounding
    np.testing.assert_allclose(more, [0, 99 * 2.0**-50, 0], rtol=1e-9)
    np.testing.assert_allclose(errors - pushed_rounding, [0, 6, 12], rtol=1e-12)


@pytest.mark.parametrize("split", [True, False])
def test_blocks_in_the_way_of_strangers_shrink_by_an_eighth(monkeypatch, split):
    sizes = []

    def best(state, left, size, rng):
        group = left[:size]
        sizes.append(len(group))
        if len(sizes) in (1, 2, 3):
            raise DegenerateGroupError(group, left[:0])
        corners = (0.0, 1.0, 2.0, 3.0)
        return hat([9.0] * 60, [0.0] * 60, corners, group)

    monkeypatch.setattr(residual, "_best_hat", best)
    X = np.random.default_rng(0).standard_normal((60, 20))
    state, labels = residual._PushedPoints(X), np.arange(60) % 2
    arguments = state, labels, np.array([1, 0]), 4.0, split, None
    if not split:
        with pytest.raises(DegenerateGroupError):
            residual._find_hats(*arguments)
        return
    hats, groups = residual._find_hats(*arguments)
    assert sizes == [20, 17, 14, 12, 18]
    assert hats.pushes.tolist() == [4.0, 4.0]
    assert np.sort(np.concatenate(groups)).tolist() == list(range(0, 60, 2))
