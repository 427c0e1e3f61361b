"""A rough look at all points finds those that an exact one needs."""

import numpy as np
import pytest

from sklearn_memorize.constructions._beside import beside
from sklearn_memorize.constructions._directions import project, project_on_few
from sklearn_memorize.constructions._general_position import AffineHull, clearance
from sklearn_memorize.constructions.residual._construction import _PushedPoints


def samples(n_samples, n_features, seed):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n_samples, n_features))
    return X * 2.0 ** rng.integers(-9, 9, n_features) + rng.choice([0.0, 1e4]), rng


def planes_of(hull, groups, rng):
    """Return for each group the exact normal vectors of hyperplanes through it."""
    normals = []
    for group in groups:
        planes = hull.through(group)
        drawn = list(planes.draw(rng))
        normals.append(np.column_stack([planes.normal(some) for some in drawn]))
    return list(zip(groups, normals, strict=True))


@pytest.mark.parametrize("n_threads", [1, 3])
@pytest.mark.parametrize("n_samples, n_features", [(53, 4), (3001, 40), (90_002, 12)])
def test_nearest_points_are_among_those_to_look_at(n_samples, n_features, n_threads):
    X, rng = samples(n_samples, n_features, n_features)
    hull = AffineHull(X)
    groups = np.split(rng.permutation(n_samples)[: 3 * n_features], 3)
    bundles = planes_of(hull, [*groups, groups[0][:2]], rng)
    for others in (
        np.arange(n_samples),
        np.arange(n_samples // 3, n_samples // 2),
        np.flatnonzero(rng.random(n_samples) < 0.3),
        np.arange(0),
    ):
        found = iter(beside(hull.intervals, bundles, others, n_features, n_threads))
        for group, normals in bundles:
            strangers = np.setdiff1d(others, group)
            for normal in normals.T:
                near = next(found)
                assert (np.diff(near.rows) > 0).all()
                assert np.isin(near.rows, others).all()
                place = hull.projections(np.ascontiguousarray(normal))
                wanted = clearance(*place, group, strangers)
                looked_at = np.setdiff1d(near.rows, group)
                for one, other in zip(
                    clearance(*place, group, looked_at), wanted, strict=True
                ):
                    np.testing.assert_array_equal(one, other)
                below, low, high, above, too_close = wanted
                if len(strangers) and len(too_close) == 0:
                    assert near.width >= min(low - below, above - high)
        assert next(found, None) is None


def test_few_points_have_to_be_looked_at():
    X, rng = samples(20_000, 40, 0)
    hull = AffineHull(X)
    groups = np.split(rng.permutation(20_000)[:400], 10)
    bundles = planes_of(hull, groups, rng)
    found = beside(hull.intervals, bundles, np.arange(20_000), 40, 1)
    assert max(len(near.rows) for near in found) < 40 + 20


def test_points_on_a_hyperplane_have_to_be_looked_at():
    X, rng = samples(900, 6, 1)
    X[:500, 3:] = X[0, 3:]
    hull = AffineHull(X)
    bundles = planes_of(hull, [np.arange(4)], rng)
    for near in beside(hull.intervals, bundles, np.arange(900), 6, 1):
        assert np.isin(np.arange(500), near.rows).all()


def test_intervals_hold_where_pushed_points_are():
    X, rng = samples(700, 40, 2)
    points = _PushedPoints(X)
    points.pushed[:200] = 4.0
    points.drift[:300] = rng.random(300) * 1e-9
    points._moved = True
    for group, normals in planes_of(points.hull, [np.arange(650, 690)], rng):
        lowest, highest = points.intervals(slice(None), normals)
        for column, normal in enumerate(normals.T):
            values, errors, _ = points.positions(np.ascontiguousarray(normal))
            # Up to a number that is the same for all points.
            least = (lowest[column] - (values - errors)).max()
            most = (highest[column] - (values + errors)).min()
            assert least <= most
            assert len(group) == 40


@pytest.mark.parametrize("n_samples", [3, 8, 401, 402, 403, 404, 60_001])
def test_some_points_are_projected_as_all_of_them_are(n_samples):
    X, rng = samples(n_samples, 9, n_samples)
    hull, normal = AffineHull(X), rng.standard_normal(9)
    values, errors = hull.projections(normal)
    for size in {1, 2, min(5, n_samples), n_samples // 3, n_samples - 1}:
        rows = rng.choice(n_samples, size, replace=False)
        some, of_some = hull.projections(normal, rows)
        assert (np.abs(some - values[rows]) <= errors[rows] / 2).all()
        np.testing.assert_allclose(of_some, errors[rows], rtol=1e-13)
    # Products with one number are exact.
    rows = np.array([n_samples - 1, 0])
    of_axis, nothing = hull.projections(hull.axis(4), rows)
    np.testing.assert_array_equal(of_axis, X[rows, 4] * hull.axis(4)[4])
    assert not nothing.any()


@pytest.mark.parametrize("n_features", [1, 5, 40, 300])
def test_directions_of_few_features_add_up_the_same_terms(n_features):
    rng = np.random.default_rng(n_features)
    X = (
        rng.standard_normal((1500, n_features))
        * 10.0 ** rng.integers(-9, 9, 1500)[:, np.newaxis]
    )
    directions = np.zeros((50, n_features))
    for direction in directions[1:]:
        size = rng.choice([1, max(1, n_features // 9), n_features])
        direction[rng.permutation(n_features)[:size]] = rng.standard_normal(size)
    np.testing.assert_array_equal(project_on_few(X, directions), project(X, directions))
    np.testing.assert_array_equal(
        project_on_few(X[7:8], directions), project(X[7:8], directions)
    )
    # Sums that overflow to both sides are zero there as well.
    X[:9] = 1e308 * rng.choice([-1, 1], (9, n_features))
    directions *= 1e3
    np.testing.assert_array_equal(project_on_few(X, directions), project(X, directions))
