"""The parts of ReLU constructions, each against numbers and formulas made by hand."""

import math
from fractions import Fraction
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from sklearn_memorize.constructions import _general_position
from sklearn_memorize.constructions._directions import draw_directions, feature_ranges
from sklearn_memorize.constructions.random_relu import _construction as random_relu
from sklearn_memorize.constructions.random_relu._construction import Features, separate
from sklearn_memorize.constructions.small_relu import _construction as small_relu
from sklearn_memorize.constructions.small_relu._construction import group_shape
from sklearn_memorize.constructions.small_relu._slopes import (
    _check_saturation,
    _gaps,
    _two_sum,
    fit_block,
    slopes_on_line,
    zigzag,
)
from sklearn_memorize.exact import _signs as _exact
from sklearn_memorize.exceptions import InterpolationError


@pytest.mark.parametrize("unit", [_exact.DOUBLE, _general_position.DOUBLE])
def test_units_of_rounding_are_those_of_double_precision(unit):
    assert 1.0 + unit == 1.0 < 1.0 + unit * (1 + 2.0**-52)


def test_relative_errors_of_many_roundings_are_those_of_the_textbook():
    # gamma_k = k u / (1 - k u)
    assert _exact.rounding(3, 0.125) == 0.375 / 0.625
    assert _exact.rounding(1, 0.25) == 0.25 / 0.75


# Directions.


def test_directions_lie_on_a_grid_in_units_of_range_or_magnitude():
    X = np.array([[1000.0, 1.0, -3.0, 7.0], [1001.5, 3.0, 0.5, 7.0]])
    low, high = feature_ranges(X)
    assert (low.tolist(), high.tolist()) == ([1000, 1, -3, 7], [1001.5, 3, 0.5, 7])
    for step in (2.0**-20, 0.5):
        directions = draw_directions(X, np.random.default_rng(0), 5, step=step)
        normal = np.random.default_rng(0).standard_normal((5, 4))
        # Half the range is 3/4, 1, 7/4; the largest magnitude 1001.5, 3, 3.
        by_range = [1.0, 0.5, 0.5, 0.0]
        by_size = [2.0**-10, 0.25, 0.25, 0.0]
        units = np.array([by_range, by_size, by_range, by_size, by_range])
        expected = np.round(normal / step) * step * units
        np.testing.assert_array_equal(directions, expected)
    from_sparse = draw_directions(sparse.csr_array(X), np.random.default_rng(0), 5)
    dense = draw_directions(X, np.random.default_rng(0), 5)
    np.testing.assert_array_equal(from_sparse, dense)


def test_one_feature_has_one_direction():
    X = np.array([[0.0], [5.0]])
    assert draw_directions(X, np.random.default_rng(0), 10).shape == (1, 1)


def test_features_of_any_size_have_finite_directions():
    X = np.array([[0.0, 0.0], [5e-324, 1.7e308]])
    directions = draw_directions(X, np.random.default_rng(0), 2)
    assert np.isfinite(directions).all() and directions.all()


# Small ReLU networks.


@pytest.mark.parametrize(
    "n_outputs, n_blocks", [(1, 1), (3, 1), (1, 2), (2, 5), (1, 15)]
)
def test_groups_are_the_best_there_are(n_outputs, n_blocks):
    for n in [*range(1, 60), 100, 401, 997]:

        def width(shape):
            return Fraction(shape[0], n_blocks) + n_outputs * shape[1]

        possible = [
            (p, q)
            for q in range(2, n + 3, 2)
            for p in range(1, n + 2)
            if n <= p * q < n + q
        ]
        narrowest = min(map(width, possible))
        p, q = group_shape(n, n_outputs, n_blocks)
        assert (p, q) in possible
        assert width((p, q)) <= narrowest + 2
        near = [s for s in possible if width(s) <= narrowest + 2]
        if any(s[0] % 2 == 0 for s in near):
            near = [s for s in near if s[0] % 2 == 0]
            assert p % 2 == 0

        def imbalance(shape):
            return abs(Fraction(shape[0], n_blocks) - n_outputs * shape[1])

        best = min(map(imbalance, near))
        assert imbalance((p, q)) == best
        assert q == max(s[1] for s in near if imbalance(s) == best)


def test_networks_larger_than_the_theorem_are_not_handed_out():
    def check(d1, d2, n_layers=3, n_samples=40, n_outputs=2):
        network = SimpleNamespace(widths=(d1, d2, n_outputs))
        small_relu._check_size(network, n_layers, n_samples, n_outputs)

    # q = 24 / 4 = 6, and 4 * (d1 // 4) * 3 < 46 is what is to hold.
    check(12, 24)
    check(15, 24)
    with pytest.raises(AssertionError):
        check(16, 24)
    with pytest.raises(AssertionError):
        check(16, 24, n_samples=42)
    check(16, 24, n_samples=43)
    # One layer more is not what the theorem speaks of.
    network = SimpleNamespace(widths=(10**6, 10**6, 10**6, 1))
    small_relu._check_size(network, 4, 40, 2)


def test_targets_are_scaled_by_powers_of_two_and_moved_where_that_is_exact():
    targets = np.array(
        [[1.0, 3.0, -6.0, 5.0, 0.0, 4.0], [-0.25, 5.0, -10.0, 5.0, 0.0, 9.0]]
    )
    offset, scale = small_relu._unit_scale(targets)
    # Only 3..5, -6..-10 and 5..5 lie within a factor of two.
    assert offset.tolist() == [0, 4, -8, 5, 0, 0]
    assert scale.tolist() == [1, 1, 2, 0, 0, 16]
    offset, scale = small_relu._unit_scale(np.array([[4.0, -4.0], [8.0, -8.0]]))
    assert (offset.tolist(), scale.tolist()) == ([6.0, -6.0], [2.0, 2.0])


@given(
    sizes=st.lists(st.floats(1e-100, 1e100), min_size=1, max_size=4),
    signs=st.sampled_from([[1, 1, 1, 1], [-1, -1, -1, -1], [1, -1, 1, -1]]),
    near=st.booleans(),
)
@settings(max_examples=50, deadline=None)
def test_scaled_targets_are_exact_and_at_most_one(sizes, signs, near):
    if near:  # within a factor of two
        sizes = [sizes[0] * (1 + k / 4) for k in range(len(sizes))]
    values = [size * sign for size, sign in zip(sizes, signs, strict=False)]
    targets = np.array(values)[:, np.newaxis]
    (offset,), (scale,) = small_relu._unit_scale(targets)
    for target in values:
        scaled = (target - offset) / (scale or 1.0)
        assert abs(scaled) <= 1
        assert Fraction(float(offset)) + Fraction(float(scale)) * Fraction(
            float(scaled)
        ) == Fraction(target)
    reached = np.abs(targets - offset).max()
    assert scale == 0.0 == reached or scale / 2 < reached <= scale


def test_padding_goes_on_at_the_mean_distance():
    assert small_relu._padded(np.array([1.0, 2.0, 7.0]), 5).tolist() == [
        1,
        2,
        7,
        10,
        13,
    ]
    assert small_relu._padded(np.array([4.0]), 3).tolist() == [4, 5, 6]
    assert small_relu._padded(np.array([4.0, 6.0]), 2).tolist() == [4, 6]


def test_zones_end_halfway_between_groups_and_a_mean_gap_outside():
    anchors = np.array([[0.0, 1.0], [5.0, 6.0], [9.0, 10.0]])
    left, right = small_relu._zones(anchors)
    assert left.tolist() == [-2.0, 3.0, 7.5]
    assert right.tolist() == [3.0, 7.5, 12.0]
    borders = small_relu._borders(right, 2)
    np.testing.assert_array_equal(borders, [np.nan, 3.0, np.nan, 7.5, np.nan])


@pytest.mark.parametrize("n_groups", [1, 2, 5, 12])
@pytest.mark.parametrize("n_blocks", [1, 2, 3, 7, 20])
def test_runs_of_groups_differ_by_at_most_one(n_groups, n_blocks):
    parts = small_relu._parts(n_groups, n_blocks)
    sizes = [part.stop - part.start for part in parts]
    assert len(parts) == min(n_blocks, n_groups)
    assert [k for part in parts for k in range(part.start, part.stop)] == list(
        range(n_groups)
    )
    assert max(sizes) - min(sizes) <= 1


@pytest.mark.parametrize(
    "missed, held", [(0.25, True), (0.5, False), (math.nan, False)]
)
def test_layers_are_checked_at_the_steepest_samples_only(monkeypatch, missed, held):
    monkeypatch.setattr(small_relu, "_CHECKED_SAMPLES", 2)
    seen = []

    class Below:
        def forward(self, X):
            seen.extend(X[:, 0])
            return X + [[0.0], [missed]]

    network = SimpleNamespace(layers=[Below()], largest_slope=1e9, smallest_gap=0.125)
    X = np.arange(5.0)[:, np.newaxis]
    order = np.array([3, 1, 0, 2, 4])
    if held:
        small_relu._check_layers(network, X, X, 0.25, order)
    else:
        number = "inf" if math.isnan(missed) else "0.5"
        with pytest.raises(InterpolationError) as error:
            small_relu._check_layers(network, X, X, 0.25, order)
        assert "Slopes of 1e+09" in str(error.value)
        assert "within 0.125 of each other" in str(error.value)
        assert f"misses targets by {number}." in str(error.value)
    assert seen == [3, 1]


def test_targets_too_large_for_the_sums_are_named():
    targets = np.array([[-2.5e307], [1.0]])
    small_relu._check_finite(np.array([1.0, -2.0]), targets)
    for bad in (np.inf, np.nan):
        with pytest.raises(InterpolationError, match=r"as large as 2\.5e\+307 leave"):
            small_relu._check_finite(np.array([1.0, bad]), targets)


def test_every_other_group_is_reversed():
    grouped = np.arange(8).reshape(4, 2)
    expected = [[0, 1], [3, 2], [4, 5], [7, 6]]
    assert zigzag(grouped).tolist() == expected
    assert zigzag(zigzag(grouped)).tolist() == grouped.tolist()
    assert grouped.tolist() == np.arange(8).reshape(4, 2).tolist()


def test_gaps_are_distances_to_the_nearest_neighbour_of_the_group():
    anchors = np.array([[0.0, 3.0, 4.0, 9.0], [20.0, 22.0, 30.0, 31.0]])
    gaps = _gaps(anchors, np.array([-1.0, 15.0]), np.array([15.0, 31.5]))
    # The outer samples of the block count the distance to its ends.
    assert gaps.tolist() == [[1, 1, 1, 5], [2, 2, 1, 0.5]]


@given(st.floats(-1e100, 1e100), st.floats(-1e100, 1e100))
@settings(deadline=None)
def test_sums_and_their_rounding_errors_are_exact(a, b):
    total, error = _two_sum(np.array([a]), np.array([b]))
    assert total[0] == a + b
    assert Fraction(float(total[0])) + Fraction(float(error[0])) == Fraction(
        a
    ) + Fraction(b)


def test_saturation_asks_for_slopes_of_two_over_the_gap_with_alternating_signs():
    slopes = np.array([[[4.0], [-8.0]], [[1.0], [-2.0]]])
    gaps = np.array([[0.5, 0.25], [2.0, 1.0]])
    _check_saturation(slopes, gaps)
    for changed in (
        slopes * [[[1], [1 - 1e-9]], [[1], [1]]],
        slopes * [[[1], [1]], [[1 - 1e-9], [1]]],
        -slopes,
        slopes * [[[1], [-1]], [[1], [1]]],
        slopes * [[[1], [1]], [[np.inf], [1]]],
    ):
        with pytest.raises(InterpolationError, match=r"distance on the line is 0\.25"):
            _check_saturation(changed, gaps)


@pytest.mark.parametrize("p, q", [(1, 2), (2, 2), (3, 4), (6, 6)])
def test_slopes_are_as_small_as_saturation_by_two_and_a_half_allows(p, q):
    rng = np.random.default_rng(p)
    anchors = np.cumsum(rng.uniform(1, 2, p * q)).reshape(p, q)
    left, right = small_relu._zones(anchors)
    gaps = _gaps(anchors, left, right)
    block = fit_block(anchors, np.zeros((p, q, 1)), left, right)
    reached = zigzag(np.abs(slopes_on_line(block))[:, :, 0] * gaps)
    # Each node is as steep as one of its samples needs, and no steeper.
    np.testing.assert_allclose(reached.min(axis=0), 2.5, rtol=1e-9)


@pytest.mark.parametrize("p, q", [(1, 2), (3, 4), (6, 6)])
def test_nodes_take_their_values_at_their_samples_and_are_saturated_elsewhere(p, q):
    rng = np.random.default_rng(p)
    anchors = np.cumsum(rng.uniform(1, 2, p * q)).reshape(p, q)
    values = rng.uniform(-1, 1, (p, q, 1))
    left, right = small_relu._zones(anchors)
    block = fit_block(anchors, values, left, right)
    for group in range(p):
        for place in range(q):
            z = anchors[group, place]
            below = np.clip(2 * (z - left) / (right - left), 0, 2)  # hardtanh + 1
            potentials = block.starts[:, 0] + below @ block.weights[:, :, 0]
            node = place if group % 2 == 0 else q - 1 - place
            assert potentials[node] == pytest.approx(values[group, place, 0], abs=1e-9)
            others = np.delete(potentials, node)
            assert (np.abs(others) >= 1 - 1e-9).all()
            # All of them together say the value, and the same constant everywhere.
            total = np.clip(potentials, -1, 1).sum()
            assert total == pytest.approx(values[group, place, 0] + 1, abs=1e-9)


# Random ReLU features.


def features_of(n_samples=40, n_hyperplanes=30, n_features=4, exponent=0, seed=0):
    rng = np.random.default_rng(seed)
    samples = rng.standard_normal((n_samples, n_features))
    directions = rng.standard_normal((n_hyperplanes, n_features))
    biases = rng.uniform(-1, 1, n_hyperplanes)
    return samples, Features(samples, directions, biases, exponent)


def test_features_have_mean_zero_and_variance_one_or_vanish():
    samples = np.array([[1.0], [2.0], [4.0], [5.0]])
    directions = np.array([[1.0], [-1.0], [2.0]])
    features = Features(samples, directions, np.array([-3.0, 0.0, 1.0]), 0)
    # ReLU outputs 0, 0, 1, 2; none; 3, 5, 9, 11 of variance 10.
    first = np.array([-0.75, -0.75, 0.25, 1.25]) / math.sqrt(11 / 16)
    last = np.array([-4, -2, 2, 4]) / math.sqrt(10)
    expected = np.stack([first, np.zeros(4), last], axis=1)
    np.testing.assert_allclose(features.values, expected, atol=1e-15)
    assert (features.n_samples, features.n_hyperplanes) == (4, 3)


@pytest.mark.parametrize("exponent", [0, 7])
def test_a_function_of_the_features_is_a_network(exponent):
    samples, features = features_of(exponent=exponent)
    rng = np.random.default_rng(1)
    coefficients, intercepts = rng.standard_normal((30, 2)), rng.standard_normal(2)
    network = features.network(coefficients, intercepts)
    expected = features.values @ coefficients + intercepts
    found = network.forward(np.ldexp(samples, exponent))
    np.testing.assert_allclose(found, expected, atol=1e-12)
    assert network.widths == (30, 2)


def test_errors_are_twice_the_roundings_of_both_layers():
    samples = np.array([[3.0, 4.0], [0.0, 1.0], [6.0, 8.0]])
    directions, biases = np.array([[0.0, 2.0], [-3.0, 0.0]]), np.array([-1.0, 0.5])
    features = Features(samples, directions, biases, 0)
    network = features.network(np.array([[1.0], [2.0]]), np.array([-5.0]))
    v = np.abs(network.layers[1].weights[0])
    c = np.abs(network.layers[1].biases[0])
    # |x| = 5, 1, 10; |w| = 2, 3; d + n + 4 roundings.
    total = np.array([5, 1, 10]) * (2 * v[0] + 3 * v[1]) + v[0] + 0.5 * v[1] + c
    gamma = 8 * 2.0**-53 / (1 - 8 * 2.0**-53)
    np.testing.assert_allclose(
        features.errors(network)[:, 0], 2 * gamma * total, rtol=1e-14
    )


def test_outputs_beyond_all_bounds_are_cut_off():
    separator = random_relu.Separator(np.array([[1.0], [-1.0]]), np.zeros(1))
    weights = np.array([[1e200, 0.0], [1e200, 1e200]])
    network = random_relu.RandomReLUNetwork(weights, np.zeros(2), separator)
    X = np.array([[1e200, 0.0], [1e200, -1e200], [0.0, 1e200]])
    # Equal infinities cancel at the cut; a sum that overflows to both sides is 0.
    assert network.forward(X)[:, 0].tolist() == [0.0, 2.0**500, -(2.0**500)]


def one_against_rest(features, seed=0):
    rng = np.random.default_rng(seed)
    truth = rng.standard_normal((features.n_hyperplanes, 2))
    return np.where(features.values @ truth > 0, 1.0, -1.0)


def test_the_search_goes_on_until_all_margins_are_one_half():
    _, features = features_of()
    signs = one_against_rest(features)
    coefficients, intercepts, n_iter = random_relu._squared_hinge(features, signs, 500)
    margins = signs * (features.values @ coefficients + intercepts)
    assert margins.min() >= 0.5
    assert coefficients.shape == (30, 2)
    assert 1 < n_iter < 500
    # One step earlier they are not: it is given all the steps but one.
    *before, n_before = random_relu._squared_hinge(features, signs, 2)
    margins = signs * (features.values @ before[0] + before[1])
    assert margins.min() < 0.5
    assert n_before < n_iter


def test_the_search_minimizes_the_squared_hinge_loss_where_it_cannot_separate():
    _, features = features_of(n_samples=60, n_hyperplanes=3)
    signs = np.where(np.random.default_rng(1).random((60, 1)) < 0.5, 1.0, -1.0)

    def loss(coefficients, intercepts):
        margins = signs * (features.values @ coefficients + intercepts)
        return np.square(np.maximum(1 - margins, 0)).sum()

    *found, n_iter = random_relu._squared_hinge(features, signs, 200)
    design = np.column_stack([features.values, np.ones(60)])
    least = np.linalg.lstsq(design, signs, rcond=None)[0]
    # As good as least squares, and no small step is better by much.
    assert loss(*found) <= 1.001 * loss(least[:-1], least[-1])
    for k in range(4):
        for step in (-0.05, 0.05):
            other = np.vstack(found).copy()
            other[k] += step
            assert loss(other[:-1], other[-1]) >= loss(*found) - 0.05
    assert n_iter > 3


def test_as_many_features_as_samples_are_solved_for():
    _, features = features_of(n_samples=20, n_hyperplanes=60)
    signs = np.where(np.random.default_rng(1).random((20, 3)) < 0.5, 1.0, -1.0)
    coefficients, intercepts = random_relu._interpolant(features, signs)
    outputs = features.values @ coefficients + intercepts
    np.testing.assert_allclose(outputs, signs, atol=1e-9)


@pytest.mark.parametrize("gram_samples", [2, 10])
def test_the_largest_margin_of_few_points_is_known(monkeypatch, gram_samples):
    # Positive at (2, 2), negative at (0, 0) and (-1, 0): the line is x + y = 2.
    monkeypatch.setattr(random_relu, "_GRAM_SAMPLES", gram_samples)
    values = np.array([[2.0, 2.0], [0.0, 0.0], [-1.0, 0.0], [3.0, 2.5]])
    features = SimpleNamespace(values=values, n_samples=4)
    signs = np.array([[1.0], [-1.0], [-1.0], [1.0]])
    found = random_relu._largest_margin(features, np.hstack([signs, -signs]), None)
    margins = random_relu._margins(features, found, np.hstack([signs, -signs]))
    np.testing.assert_allclose(margins, math.sqrt(2), rtol=1e-3)
    outputs = values @ found[0] + found[1]
    np.testing.assert_allclose(outputs[0], -outputs[1], rtol=1e-9)


def test_margins_are_distances_of_the_nearest_sample_on_its_side():
    features = SimpleNamespace(values=np.array([[1.0, 0.0], [0.0, 2.0], [5.0, 5.0]]))
    solution = np.array([[3.0, 0.0], [4.0, 0.0]]), np.array([-1.0, 2.0])
    signs = np.array([[1.0, 1.0], [1.0, 1.0], [1.0, -1.0]])
    margins = random_relu._margins(features, solution, signs)
    assert margins[0] == 2 / 5
    assert margins[1] < 0


@pytest.mark.parametrize("n_hyperplanes, separated", [(17, False), (19, True)])
def test_what_the_search_misses_is_solved_if_there_are_enough_features(
    monkeypatch, n_hyperplanes, separated
):
    def misses(features, signs, max_iter):
        n = features.n_hyperplanes
        return np.zeros((n, signs.shape[1])), np.zeros(signs.shape[1]), 7

    monkeypatch.setattr(random_relu, "_squared_hinge", misses)
    samples, features = features_of(20, n_hyperplanes, n_features=15)
    labels = np.arange(20) % 3
    network, found, n_iter = separate(features, samples, labels, 3, False, 100, None)
    assert (found, n_iter) == (separated, 7)
    recalled = network.forward(samples).argmax(axis=1) == labels
    assert recalled.all() == separated


def test_outputs_within_the_rounding_error_do_not_count_as_separated():
    samples, features = features_of()
    labels = (one_against_rest(features)[:, 0] > 0).astype(int)
    *_, found, _ = separate(features, samples, labels, 1, False, 500, None)
    assert found
    features.errors = lambda network: np.full((40, 1), 1e9)
    *_, found, _ = separate(features, samples, labels, 1, False, 500, None)
    assert not found
