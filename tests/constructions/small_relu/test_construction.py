"""Groups of the theorem's size, and targets scaled without rounding."""

from fractions import Fraction
from math import sqrt

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sklearn_memorize.constructions.small_relu import _construction as small_relu
from sklearn_memorize.constructions.small_relu._construction import (
    _best_line,
    group_shape,
)


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


@given(
    sizes=st.lists(st.floats(1e-100, 1e100), min_size=1, max_size=4),
    signs=st.sampled_from([[1, 1, 1, 1], [-1, -1, -1, -1], [1, -1, 1, -1]]),
    near=st.booleans(),
)
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


def random_labels(n_samples, n_features=20, n_classes=10, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n_samples, n_features))
    return X, rng.integers(n_classes, size=n_samples)


@given(st.integers(1, 10**6), st.integers(1, 5), st.integers(1, 20))
def test_groups_have_even_size_and_less_than_one_is_padding(n, n_outputs, n_blocks):
    p, q = group_shape(n, n_outputs, n_blocks)
    assert q % 2 == 0
    assert 0 <= p * q - n < q


@given(st.integers(1, 10**6))
def test_two_hidden_layers_have_about_two_root_n_nodes(n_samples):
    p, q = group_shape(n_samples)
    assert 2 * (p + q) <= 4 * sqrt(n_samples) + 12
    assert 2 * max(p, q) <= 2 * sqrt(n_samples) + 4 * n_samples**0.25 + 8


@pytest.mark.parametrize("seed", range(4))
def test_the_samples_of_the_steepest_node_are_checked_first(seed):
    X, y = random_labels(2_024)
    rng = np.random.default_rng(seed)
    line = _best_line(X, y[:, np.newaxis] / 9.0, rng, n_projections=1, n_blocks=1)
    p, q = group_shape(2_024)
    # Groups of odd number go to the nodes from right to left.
    group, place = np.divmod(np.arange(p * q), q)
    nodes = np.where(group % 2 == 0, place, q - 1 - place)
    steepest = nodes[np.abs(line.function.slopes[:, 0]).argmax()]
    of_steepest = line.order[nodes == steepest]
    assert set(line.steepest_first[:p]) == set(of_steepest)
    assert sorted(line.steepest_first) == list(range(2_024))
