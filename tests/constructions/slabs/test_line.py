"""Groups of neighbours along lines: few points are seen, and none is overlooked."""

import numpy as np
import pytest
from support.samples import random_labels

from sklearn_memorize import SlabClassifier, SlabRegressor
from sklearn_memorize.constructions._general_position import AffineHull, clearance
from sklearn_memorize.constructions.slabs import _estimator, _line
from sklearn_memorize.constructions.slabs._line import (
    Line,
    PointsOnLine,
    n_lines,
    parts_of,
)
from sklearn_memorize.exceptions import InterpolationError


def normal(rng, n_samples, n_features):
    return rng.standard_normal((n_samples, n_features))


def heavy_tails(rng, n_samples, n_features):
    return np.exp(2 * rng.standard_normal((n_samples, n_features)))


def far_away(rng, n_samples, n_features):
    scales = 2.0 ** rng.integers(-9, 9, n_features)
    return rng.standard_normal((n_samples, n_features)) * scales + 1e8


def flat(rng, n_samples, n_features):
    """Samples of a subspace, one feature of which is the sum of all others."""
    X = rng.standard_normal((n_samples, n_features))
    return np.column_stack([X, X.sum(axis=1), np.full(n_samples, 7.0)])


def tiny(rng, n_samples, n_features):
    return rng.standard_normal((n_samples, n_features)) * 1e-305


MAKE = [normal, heavy_tails, far_away, flat, tiny]


@pytest.mark.parametrize("more", [0.0, 9.0])
@pytest.mark.parametrize("n_features", [1, 2, 7])
@pytest.mark.parametrize("make", MAKE)
def test_nearest_points_are_among_those_of_the_window(make, n_features, more):
    rng = np.random.default_rng(n_features)
    X = make(rng, 5000, n_features)
    hull = AffineHull(X)
    line = Line(hull, rng)
    is_member = rng.random(5000) < 0.5
    others = np.flatnonzero(~is_member)
    size, n_groups = hull.dimension, 40
    members = line.in_groups(np.flatnonzero(is_member), rng)
    starts = rng.integers(len(members) // size, size=n_groups) * size
    groups = [members[start : start + size] for start in starts]
    groups[3] = groups[3][:1]
    groups[5] = rng.permutation(members)[:size]
    normals = np.column_stack(
        [
            sign * hull.normal(planes._complement @ coefficients)
            for sign, planes in zip(
                rng.choice([-1.0, 1.0], n_groups),
                map(hull.through, groups),
                strict=True,
            )
            for coefficients in [planes.nearest(line.direction, line.units)]
        ]
    )
    found = PointsOnLine(line, others).beside(groups, normals, more, 1)
    n_windows = 0
    for group, column, near in zip(groups, normals.T, found, strict=True):
        if near is None:
            continue
        n_windows += 1
        assert (np.diff(near.rows) > 0).all()
        values, errors = hull.projections(np.ascontiguousarray(column))
        wanted = clearance(values, errors, group, others)
        for one, other in zip(
            clearance(values, errors, group, near.rows), wanted, strict=True
        ):
            np.testing.assert_array_equal(one, other)
        below, low, high, above, too_close = wanted
        if len(too_close):
            continue
        unseen = np.setdiff1d(others, near.rows)
        lowest, highest = (values - errors)[unseen], (values + errors)[unseen]
        assert (np.maximum(low - highest, lowest - high) > 0).all()
        assert (low - highest[highest < low] > near.left).all()
        assert (lowest[lowest > high] - high > near.right).all()
        rough = 1e-6 * np.ptp(values)
        assert near.left >= (1 + more) * (low - below) - rough
        assert near.right >= (1 + more) * (above - high) - rough
    assert n_windows > n_groups / 4


def test_windows_hold_no_more_points_where_there_are_more(monkeypatch):
    looks: list[tuple[int, int]] = []
    look = _line.beside

    def counted(intervals, bundles, others, *rest):
        looks.append((len(bundles), len(others)))
        return look(intervals, bundles, others, *rest)

    monkeypatch.setattr(_line, "beside", counted)
    monkeypatch.setattr(_line, "_ROWS_OF_WINDOWS", 200)
    means = []
    for n_samples in (10_000, 40_000):
        looks.clear()
        X, y = random_labels(n_samples, n_features=6, n_classes=2)
        classifier = SlabClassifier(random_state=0).fit(X, y)
        n_groups, n_points = np.transpose(looks)
        assert n_groups.sum() > 0.9 * len(classifier.groups_)
        means.append(np.average(n_points, weights=n_groups))
    assert means[1] < 1.3 * means[0]


@pytest.mark.parametrize("n_features", [1, 2, 6, 12])
@pytest.mark.parametrize("make", [normal, heavy_tails, flat])
def test_large_classes_take_the_slabs_of_the_theorem(make, n_features):
    rng = np.random.default_rng(n_features)
    X = make(rng, 6000, n_features)
    y = rng.integers(2, size=6000)
    classifier = SlabClassifier(degenerate="raise", random_state=0).fit(X, y)
    assert n_lines(min(np.bincount(y)), AffineHull(X)) > 0
    assert classifier.group_size_ == n_features
    assert classifier.network_.widths[0] == 2 * -(-min(np.bincount(y)) // n_features)
    assert (classifier.predict(X) == y).all()
    if make is normal and n_features > 2:
        targets = rng.standard_normal((6000, 2))
        regressor = SlabRegressor(degenerate="raise", random_state=0).fit(X, targets)
        assert len(regressor.groups_) == -(-5999 // n_features)
        assert (regressor.predict(X) == targets).all()


def test_slabs_along_lines_hold_no_sample_of_another_class():
    X, y = random_labels(n_samples=15_000, n_features=4, n_classes=3)
    classifier = SlabClassifier(random_state=0).fit(X, y)
    n_slabs = len(classifier.groups_)
    assert classifier.n_split_ == 0
    above = classifier.network_.layers[0].forward(X)
    inside = above[:, :n_slabs] - above[:, n_slabs:]
    for slab, group in enumerate(classifier.groups_):
        assert (inside[group, slab] == 1).all()
        assert (y[inside[:, slab] != 0] == y[group[0]]).all()


def test_near_duplicates_in_large_classes_are_recalled():
    X, y = random_labels(8000, n_features=5, n_classes=2)
    twins = X[:50].copy()
    twins[:, 2] = np.nextafter(twins[:, 2], np.inf)
    X, y = np.vstack([X, twins]), np.concatenate([y, 1 - y[:50]])
    classifier = SlabClassifier(random_state=0).fit(X, y)
    assert (classifier.predict(X) == y).all()


def test_values_that_many_samples_share_leave_groups_random():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((5000, 3))
    assert n_lines(5000, AffineHull(X)) > 0
    X[:, 1] = rng.integers(10, size=5000)
    assert n_lines(5000, AffineHull(X)) == 0


def test_samples_of_a_curve_or_a_lattice_have_random_groups():
    rng = np.random.default_rng(0)
    t = rng.uniform(0, 9, (6000, 1)) * [1, 2, 3, 4]
    curve = np.hstack([np.cos(t), np.sin(t)])
    lattice = np.unique(rng.integers(8, size=(6000, 6)), axis=0)
    turned = lattice @ np.linalg.qr(rng.standard_normal((6, 6)))[0]
    for X in (curve, turned):
        line = Line(AffineHull(X), rng)
        assert line.flattens(np.arange(len(X)), rng)
    for X in (normal(rng, 6000, 8), heavy_tails(rng, 6000, 3)):
        line = Line(AffineHull(X), rng)
        assert not line.flattens(np.arange(len(X)), rng)
    y = rng.integers(2, size=6000)
    classifier = SlabClassifier(degenerate="raise", random_state=0).fit(curve, y)
    assert (classifier.predict(curve) == y).all()


@pytest.mark.parametrize("n_members", [1, 20, 21, 199, 5000])
def test_parts_are_of_whole_groups_but_for_one(n_members):
    rng = np.random.default_rng(0)
    members = np.arange(n_members) + 3
    parts = parts_of(members, 4, 5, rng)
    np.testing.assert_array_equal(np.sort(np.concatenate(parts)), members)
    assert sum(len(part) % 5 != 0 for part in parts) <= 1


def test_flat_groups_are_mixed_with_the_next():
    rng = np.random.default_rng(0)
    hull = AffineHull(rng.standard_normal((20_000, 20)))
    line = Line(hull, rng)
    members = np.arange(20_000)
    in_order = members[np.argsort(line.positions)].reshape(-1, 40)
    mixed = line.in_groups(members, rng)
    np.testing.assert_array_equal(np.sort(mixed), members)
    before = line._breadths(in_order).min()
    assert line._breadths(mixed.reshape(-1, 40)).min() > 10 * before


@pytest.mark.parametrize("kind", [SlabClassifier, SlabRegressor])
@pytest.mark.parametrize("n_more", [0, 1])
def test_networks_are_evaluated_at_all_samples_unless_that_takes_too_long(
    kind, n_more, monkeypatch
):
    X, y = random_labels(6000, n_features=3, n_classes=2)
    network = kind(random_state=0).fit(X, y).network_
    monkeypatch.setattr(
        _estimator, "_MOST_PRODUCTS", X.size * network.widths[0] - n_more
    )
    seen = []
    outputs = kind._outputs

    def wrong_at_some(estimator, rows):
        seen.append(len(rows))
        return outputs(estimator, rows) + (rows[:, :1] > 2)

    monkeypatch.setattr(kind, "_outputs", wrong_at_some)
    with pytest.raises(InterpolationError, match="defect of the construction"):
        kind(random_state=0).fit(X, y)
    assert sum(seen) == (4096 if n_more else 6000)
