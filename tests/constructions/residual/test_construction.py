"""Hats and pushes: what rounding may do to them is known."""

from types import SimpleNamespace

import numpy as np
import pytest

from sklearn_memorize.constructions._general_position import DegenerateGroupError
from sklearn_memorize.constructions.residual import _construction as residual
from sklearn_memorize.constructions.residual._construction import hidden_node_bound
from sklearn_memorize.exceptions import InterpolationError
from sklearn_memorize.kernels._threads import Workers


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


@pytest.mark.parametrize("n_features", [6, 40])
@pytest.mark.parametrize("n_fewer", [1, 2, 3])
def test_hats_of_fewer_than_d_points_stand_whatever_earlier_blocks_left(
    n_features, n_fewer
):
    rng = np.random.default_rng(n_fewer)
    points = residual._PushedPoints(rng.standard_normal((300, n_features)))
    points.push(hat(np.zeros(300), np.zeros(300), (4.0, 8.0, 12.0, 16.0), [1]), 8.0)
    points.drift[:] = 1.0
    with Workers(1) as workers:

        def best(size):
            return residual._best_hat(
                points, np.arange(2, 100), size, 0.0, True, rng, None, workers
            )

        with pytest.raises(DegenerateGroupError):
            best(n_features)
        found = best(n_features - n_fewer)
    assert len(found.members) == n_features - n_fewer
    assert abs(found.normal[points.axis]) < 1e-12 * np.abs(found.normal).max()
    assert found.slope_width > 1e6 * found.errors.max()


def test_groups_begin_where_the_last_one_was_accepted_and_a_little_higher():
    sizes = residual._GroupSizes(SimpleNamespace(dimension=64))
    tried = []
    for is_accepted in (0, 0, 1, 0, 1, 1, 1, 1, 1):
        tried.append(sizes.next)
        sizes.accept() if is_accepted else sizes.refuse(sizes.next)
    # 7 / 8 of the last one after a refusal; then 8 / 7, and twice that after none.
    assert tried == [64, 56, 49, 56, 49, 56, 64, 64, 64]
    sizes.refuse(9)  # of a class of which no more are left
    assert sizes.next == 7


@pytest.mark.parametrize("size", range(2, 200))
def test_the_size_after_a_refused_one_is_smaller_and_leads_back_to_it(size):
    sizes = residual._GroupSizes(SimpleNamespace(dimension=size))
    sizes.refuse(size)
    assert size * 3 // 4 <= sizes.next < size
    sizes.accept()
    assert size - 1 <= sizes.next <= size
