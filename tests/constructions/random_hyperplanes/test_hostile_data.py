"""Data at the ends of double precision."""

import numpy as np
import pytest
from support.oracle import RECALLED, judge_classifier
from support.strategies import SMALLEST, Problem

from sklearn_memorize import (
    DeepThresholdClassifier,
    MemorizingClassifier,
    RandomReLUClassifier,
    RandomThresholdTransformer,
)
from sklearn_memorize.inspection import (
    radius,
)


@pytest.mark.parametrize("center", [False, True])
def test_denormal_samples_have_a_radius(center):
    X = np.arange(-3, 4)[:, np.newaxis] * SMALLEST
    transformer = RandomThresholdTransformer(center=center, random_state=0).fit(X)
    assert transformer.radius_ == 3 * SMALLEST
    problem = Problem(X, np.arange(7) % 2, None)
    for estimator in (
        MemorizingClassifier(center=center, n_draws=1, random_state=0),
        MemorizingClassifier(
            hyperplanes="random", center=center, n_draws=1, random_state=0
        ),
        DeepThresholdClassifier(center=center, random_state=0),
    ):
        assert judge_classifier(estimator, problem) == RECALLED


@pytest.mark.parametrize(
    "kind",
    [
        MemorizingClassifier,
        DeepThresholdClassifier,
        RandomReLUClassifier,
        RandomThresholdTransformer,
    ],
)
def test_samples_at_the_end_of_double_precision_are_refused(kind):
    X = np.array([[1.7e308], [-1.7e308], [0.0]])
    with pytest.raises(ValueError, match="Scale the features down"):
        kind().fit(X, [0, 1, 2])
    with pytest.raises(ValueError, match="Scale the features down"):
        radius(X)


@pytest.mark.parametrize("n_hyperplanes", ["auto", 5])
def test_pruning_a_network_without_a_neuron_ends_in_a_reason(n_hyperplanes):
    X = np.array([[1.0], [np.nextafter(1.0, 2.0)]])
    estimator = MemorizingClassifier(
        hyperplanes="random",
        n_hyperplanes=n_hyperplanes,
        min_hyperplanes=4,
        max_hyperplanes=16,
        separating_hyperplanes=False,
        center=False,
        prune=True,
        random_state=0,
    )
    outcome = judge_classifier(estimator, Problem(X, [0, 1], None))
    assert outcome == ("refused" if n_hyperplanes == "auto" else "warned")


def test_biases_beyond_double_precision_are_refused():
    X = np.array([[1e300], [-1e300]])
    with pytest.raises(ValueError, match="Lower max_bias"):
        MemorizingClassifier(hyperplanes="random", max_bias=1e10).fit(X, [0, 1])
