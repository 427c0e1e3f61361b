"""The nearest label is that of exact arithmetic, and radii are lower bounds."""

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from support.strategies import clouds

from sklearn_memorize.exact import _nearest
from sklearn_memorize.exact._nearest import nearest_points
from sklearn_memorize.exact._pairs import METRICS, starts_of

LARGEST = float(np.finfo(float).max)


def exact_distance(left, right, metric):
    """Return the Euclidean distance squared, or the largest difference, exactly."""
    differences = [
        abs(Fraction(float(a)) - Fraction(float(b)))
        for a, b in zip(left, right, strict=True)
    ]
    if metric == "euclidean":
        return sum(difference**2 for difference in differences)
    return max(differences)


def rounded_distance(left, right, metric):
    """Return the distance as a double, without underflow on the way."""
    exact = exact_distance(left, right, metric)
    if metric == "chebyshev" or exact == 0:
        return float(exact)
    exponent = (exact.numerator.bit_length() - exact.denominator.bit_length()) // 2
    return math.ldexp(math.sqrt(exact / Fraction(4) ** exponent), exponent)


def nearest_labels(rows, points, labels, metric):
    return [
        min(
            (exact_distance(row, point, metric), label)
            for point, label in zip(points, labels.tolist(), strict=True)
        )[1]
        for row in rows
    ]


def labelled(n_points, n_labels, rng):
    labels = np.sort(rng.integers(0, n_labels, n_points))
    return np.unique(labels, return_inverse=True)[1]


@pytest.mark.parametrize("metric", METRICS)
@given(cloud=clouds(max_samples=12, max_features=5), seed=st.integers(0, 2**31))
def test_the_nearest_label_is_that_of_fractions(metric, cloud, seed):
    points, rng = cloud[0] + 0.0, np.random.default_rng(seed)
    labels = labelled(len(points), 3, rng)
    mirrored = points / 2 + points[rng.permutation(len(points))] / 2
    far = rng.choice([-LARGEST, LARGEST, 1e-300], (2, points.shape[1]))
    rows = np.vstack([points, mirrored, far])
    search = nearest_points(points, labels, metric)
    expected = nearest_labels(rows, points, labels, metric)
    assert search.nearest_labels(rows).tolist() == expected
    scores = search.label_values(rows)
    assert np.isfinite(scores).all()
    assert scores.argmax(axis=1).tolist() == expected


@pytest.mark.parametrize("n_features", [3, 200])
@pytest.mark.parametrize("metric", METRICS)
def test_points_in_the_middle_of_two_labels_are_of_the_first(metric, n_features):
    rng = np.random.default_rng(0)
    first = rng.integers(-9, 9, (40, n_features)) * 1.0
    first[:, 0] += 10_000 * np.arange(40)  # no pair is near another one
    second = first + 2 * rng.integers(1, 9, (40, n_features))
    points = np.vstack([first, second])
    labels = np.repeat([0, 1], 40)
    search = nearest_points(points, labels, metric)
    middle = (first + second) / 2
    assert (search.nearest_labels(middle) == 0).all()
    # One unit in the last place to the other side decides.
    place = np.arange(40), np.abs(second - first).argmax(axis=1)
    middle[place] = np.nextafter(middle[place], second[place])
    expected = nearest_labels(middle[:9], points, labels, metric)
    assert search.nearest_labels(middle[:9]).tolist() == expected
    if metric == "euclidean":
        assert (search.nearest_labels(middle) == 1).all()


@pytest.mark.parametrize("metric", METRICS)
def test_distances_to_other_labels_are_the_smallest_ones(metric):
    rng = np.random.default_rng(1)
    for n_features, scale in ((2, 1.0), (150, 1e-150), (7, 1e150)):
        points = rng.standard_normal((60, n_features)) * scale
        labels = labelled(60, 4, rng)
        search = nearest_points(points, labels, metric)
        found, nearest = search.nearest_others(points, labels)
        norms = 2 if metric == "euclidean" else np.inf
        differences = (points[:, np.newaxis] - points) / scale
        table = np.linalg.norm(differences, norms, axis=2)
        table[labels[:, np.newaxis] == labels] = np.inf
        np.testing.assert_array_equal(nearest, table.argmin(axis=1))
        distances = METRICS[metric].rounded(found) / scale
        np.testing.assert_allclose(distances, table.min(axis=1), rtol=1e-14)


@given(cloud=clouds(max_samples=12, max_features=4), seed=st.integers(0, 2**31))
@example(
    cloud=(np.array([[-9.9e-324], [-2e-323], [9.9e-324], [-1.5e-323]]), None), seed=0
)
@pytest.mark.parametrize("ball", METRICS)
@pytest.mark.parametrize("metric", METRICS)
def test_radii_are_at_least_half_the_difference_of_distances(metric, ball, cloud, seed):
    """And no more than what a step straight to another point shows."""
    points, rng = np.unique(cloud[0] + 0.0, axis=0), np.random.default_rng(seed)
    labels = labelled(len(points), 3, rng)
    if labels[-1] == 0 or np.abs(points).max() > 1e150:
        return
    search = nearest_points(points, labels, metric)
    rows = np.vstack([points, points / 2 + points[rng.permutation(len(points))] / 2])
    own = search.nearest_labels(rows)
    radii = search.radii(rows, own, ball)
    assert (radii >= 0).all()
    for row, label, radius in zip(rows, own.tolist(), radii.tolist(), strict=True):
        if ball == metric:
            inside = [rounded_distance(row, p, metric) for p in points[labels == label]]
            others = [rounded_distance(row, p, metric) for p in points[labels != label]]
            # 1e-14 of the larger one for the difference of two rounded numbers.
            slack = 1e-14 * min(others) + 1e-320
            assert radius >= (min(others) - min(inside)) / 2 * (1 - 1e-9) - slack
        # At another point the label is another one.
        assert all(
            rounded_distance(row, p, ball) >= radius for p in points[labels != label]
        )


@pytest.mark.parametrize("offset, scale", [(0, 1.0), (1e15, 4.0), (0, 1e-200)])
@pytest.mark.parametrize("n_features", [1, 3, 200])
@pytest.mark.parametrize("metric", METRICS)
def test_who_is_within_reach_does_not_depend_on_the_batch(
    metric, n_features, offset, scale
):
    rng = np.random.default_rng(2)
    points = np.round(rng.standard_normal((50, n_features)) * 4) / 4 * scale + offset
    points[7] = np.median(points, axis=0)
    search = nearest_points(points, np.zeros(50, dtype=int), metric)
    everything = np.arange(50)
    pairs = METRICS[metric].measure(
        points, np.repeat(everything, 50), points, np.tile(everything, 50)
    )
    distances = METRICS[metric].rounded(pairs).reshape(50, 50)
    # Reaches that are distances themselves: equality counts.
    reaches = distances[everything, rng.permutation(50)]
    found = search.are_within(everything, reaches)
    np.testing.assert_array_equal(found, distances <= reaches)
    for row in range(0, 50, 7):
        alone = search.are_within(everything[[row]], reaches)
        np.testing.assert_array_equal(alone[0], found[row])


def test_blocks_do_not_show(monkeypatch):
    rng = np.random.default_rng(3)
    points, labels = rng.standard_normal((60, 5)), labelled(60, 3, rng)
    rows = rng.standard_normal((40, 5))
    for metric in METRICS:
        search = nearest_points(points, labels, metric)
        own = search.nearest_labels(rows)
        expected = own, search.radii(rows, own, "euclidean"), search.label_values(rows)
        with monkeypatch.context() as patch:
            patch.setattr(_nearest, "_BLOCK_TABLE", 1)
            found = (
                search.nearest_labels(rows),
                search.radii(rows, own, "euclidean"),
                search.label_values(rows),
            )
        for one, other in zip(expected, found, strict=True):
            np.testing.assert_array_equal(one, other)


def test_runs_of_equal_rows_start_where_the_number_changes():
    assert starts_of(np.array([0, 0, 1, 4, 4, 4])).tolist() == [0, 2, 3]
