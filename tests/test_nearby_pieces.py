"""Cells of nearby sets in parts: their bounds, and what is left to evaluate."""

import numpy as np
import pytest

from sklearn_memorize.constructions.nearby_set import _cells as _nearby_cells
from sklearn_memorize.constructions.nearby_set import _construction as nearby_set
from sklearn_memorize.constructions.nearby_set import _network as nearby_network
from sklearn_memorize.constructions.nearby_set._cells import Cells, _Evaluated
from sklearn_memorize.constructions.nearby_set._construction import (
    NearbySetNetwork,
    greedy_cover,
)
from sklearn_memorize.exact._distances import PointSet, Scaling, squared_distances

# Nearby sets.


def cells_of(n_centers=12, n_classes=3, n_features=3, seed=0):
    rng = np.random.default_rng(seed)
    points = rng.standard_normal((n_centers, n_features))
    labels = np.sort(np.arange(n_centers) % n_classes)
    return Cells(points, labels, Scaling.of(points))


def half_planes(cells, x):
    """Return p_ij(x) - a of all pairs of different label, else 0."""
    points = cells.points.points
    difference = points - points[:, np.newaxis]
    products = ((x - points)[:, np.newaxis] * difference).sum(axis=2)
    squares = np.square(difference).sum(axis=2)
    different = cells.labels[:, np.newaxis] != cells.labels
    p = np.divide(products, squares, out=np.zeros_like(squares), where=different)
    return np.where(different, p - 1 / 3.1, 0.0)


SLOPE = 1 / (1 - 2 / 3.1)


@pytest.mark.parametrize("block_cells", [1, 5, 128])
def test_affine_bounds_of_cells_are_those_of_all_pairs(monkeypatch, block_cells):
    monkeypatch.setattr(_nearby_cells, "_BLOCK_CELLS", block_cells)
    cells = cells_of()
    X = np.random.default_rng(1).standard_normal((20, 3))
    bounds = cells._upper_bounds(PointSet(X, cells.scaling))
    sums = np.array([half_planes(cells, x).sum(axis=1) for x in X])
    expected = 1 - SLOPE * np.maximum(sums, 0)
    assert (expected < 0).any()
    np.testing.assert_allclose(bounds, expected, atol=1e-9)
    # Rounding only ever raises them.
    assert (bounds >= expected - 1e-14 * np.abs(expected)).all()


def test_pairs_that_are_much_nearer_than_the_rest_are_left_out_of_the_bounds():
    points = np.array([[0.0, 0.0], [1.0, 0.0], [1.0, 2.0**-12]])
    cells = Cells(points, np.array([0, 1, 2]), Scaling.of(points))
    alone = [
        Cells(points[k], np.array([0, 1]), cells.scaling) for k in ([0, 1], [0, 2])
    ]
    X = np.random.default_rng(1).standard_normal((9, 2)) / 2
    bounds = cells._upper_bounds(PointSet(X, cells.scaling))
    for k in (1, 2):
        expected = alone[k - 1]._upper_bounds(PointSet(X, cells.scaling))[:, 1]
        np.testing.assert_allclose(bounds[:, k], expected, atol=1e-9)


@pytest.mark.parametrize("block_cells", [1, 5, 128])
@pytest.mark.parametrize("n_rivals", [1, 3, 16])
def test_rivals_lower_the_bounds_to_what_their_terms_leave(
    monkeypatch, n_rivals, block_cells
):
    monkeypatch.setattr(_nearby_cells, "_BLOCK_CELLS", block_cells)
    monkeypatch.setattr(_nearby_cells, "_N_RIVALS", n_rivals)
    cells = cells_of()
    X = np.random.default_rng(1).standard_normal((20, 3))
    distances = squared_distances(PointSet(X, cells.scaling), cells.points)
    bounds = np.ones_like(distances)
    row, rivals, values = cells._ask_rivals(bounds, distances)
    terms = np.array([np.maximum(half_planes(cells, x), 0) for x in X])
    full = 1 - SLOPE * terms.sum(axis=2)
    np.testing.assert_allclose(values, full[row, rivals], atol=1e-9)
    asked = np.zeros((20, 12), dtype=bool)
    asked[row, rivals] = True
    lowered = 1 - SLOPE * (terms * asked[:, np.newaxis]).sum(axis=2)
    np.testing.assert_allclose(bounds, np.minimum(lowered, 1), rtol=1e-6, atol=1e-8)
    assert (bounds >= full - 1e-12).all()
    # The nearest ones of the nearest class, and of the others.
    nearest = cells.labels[distances.argmin(axis=1)]
    for x in range(20):
        for inside in (cells.labels == nearest[x], cells.labels != nearest[x]):
            ordered = np.flatnonzero(inside)[np.argsort(distances[x, inside])]
            assert asked[x, ordered[:n_rivals]].all()
            assert asked[x, inside].sum() == min(n_rivals, 11, inside.sum())


def test_only_what_may_win_is_evaluated():
    seen = _Evaluated((3, 4), [slice(0, 1), slice(1, 4)])
    seen.add(np.array([0, 2]), np.array([2, 0]), np.array([-0.5, 0.25]))
    upper = np.array(
        [[0.5, -0.5, 1.0, -0.6], [-1.0, 0.75, 0.5, 0.75], [1.0, -2.0, -3.0, -1.0]]
    )
    # Groups without a value: 0 of row 0, both of row 1, 1 of row 2.
    rows, cells = seen.most_promising(upper)
    assert list(zip(rows.tolist(), cells.tolist(), strict=True)) == [
        (0, 0),
        (1, 0),
        (1, 1),
        (2, 3),
    ]
    seen.add(rows, cells, np.array([0.5, -1.5, 0.5, -1.0]))
    rows, cells = seen.undecided(upper)
    # As large as the best of the group, or 0 if that is positive.
    assert list(zip(rows.tolist(), cells.tolist(), strict=True)) == [
        (0, 1),
        (1, 2),
        (1, 3),
    ]
    rows, cells, values = seen.pairs()
    assert rows.tolist() == [0, 2, 0, 1, 1, 2]
    assert cells.tolist() == [2, 0, 0, 0, 1, 3]
    assert values.tolist() == [-0.5, 0.25, 0.5, -1.5, 0.5, -1.0]


def test_positive_cells_of_a_class_are_summed_and_else_the_largest_counts():
    cells = cells_of(6, 2)
    rows = np.array([0, 0, 0, 1, 1, 1])
    numbers = np.array([0, 2, 3, 1, 2, 4])
    values = np.array([0.5, 0.25, -3.0, -2.0, -1.0, 0.75])
    found = cells._collect(2, rows, numbers, values)
    assert found.tolist() == [[0.75, -3.0], [-1.0, 0.75]]
    assert cells._collect(1, rows[:1], numbers[:1], values[:1])[0, 1] == -np.inf


@pytest.mark.parametrize("limit", [1, 24, 36, 60, 10_000])
@pytest.mark.parametrize("most", [1, 4, 100])
def test_blocks_of_cells_are_as_large_as_the_limits_allow(monkeypatch, limit, most):
    cells, X = cells_of(), np.random.default_rng(1).standard_normal((30, 3))
    expected = cells.scores(X)
    monkeypatch.setattr(_nearby_cells, "_BLOCK_VALUES", limit)
    monkeypatch.setattr(_nearby_cells, "_BLOCK_ROWS", most)
    sizes, score = [], cells._block_scores
    monkeypatch.setattr(
        cells,
        "_block_scores",
        lambda rows, groups: sizes.append(len(rows)) or score(rows, groups),
    )
    np.testing.assert_array_equal(cells.scores(X), expected)
    full = min(30, most, max(1, limit // 12))
    assert set(sizes[:-1]) <= {full}
    assert sum(sizes) == 30


def test_few_cells_are_evaluated_where_one_is_asked_for(monkeypatch):
    cells = cells_of(400, 2, 2)
    X = np.random.default_rng(1).standard_normal((50, 2))
    evaluated, values = [], cells._values

    def counted(distances, rows, numbers):
        evaluated.append(len(rows))
        return values(distances, rows, numbers)

    monkeypatch.setattr(cells, "_values", counted)
    cells.scores(X, best_only=True)
    assert sum(evaluated) < 0.1 * 50 * 400


@pytest.mark.parametrize("block", [1, 3, 128])
@pytest.mark.parametrize("radius", [0.0, 0.3, 1.0, 5.0])
def test_centers_are_those_of_one_point_after_the_other(monkeypatch, block, radius):
    monkeypatch.setattr(nearby_set, "_BLOCK_CENTERS", block)
    rng = np.random.default_rng(0)
    points, labels = rng.standard_normal((60, 2)) * 3, rng.integers(3, size=60)
    found = greedy_cover(points, labels, radius, Scaling.of(points))
    centers = []
    for k, point in enumerate(points):
        same = [c for c in centers if labels[c] == labels[k]]
        if not any(np.linalg.norm(points[c] - point) <= radius for c in same):
            centers.append(k)
    assert found.tolist() == centers


def test_layers_of_up_to_two_to_the_24_weights_are_written_out(monkeypatch):
    points = np.random.default_rng(0).standard_normal((8, 2))
    network = NearbySetNetwork(points, np.arange(8) // 4, Scaling.of(points))
    assert nearby_network.LARGEST_LAYER == 2**24
    # 32 ordered pairs of two weights each.
    monkeypatch.setattr(nearby_network, "LARGEST_LAYER", 64)
    assert network.layers[0].weights.size == 64
    monkeypatch.setattr(nearby_network, "LARGEST_LAYER", 63)
    with pytest.raises(
        ValueError, match="32 hyperplanes of 2 weights each.* 63 numbers"
    ):
        _ = network.layers
