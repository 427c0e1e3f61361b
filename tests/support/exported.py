"""Fitted estimators of every kind, and rows, that exports are compared on."""

import numpy as np
import pytest
from sklearn.base import is_regressor

import sklearn_memorize
from sklearn_memorize import (
    DeepThresholdClassifier,
    MemorizingClassifier,
    MemorizingRegressor,
    NearbySetClassifier,
    RandomReLUClassifier,
    ResidualMemorizingClassifier,
    RobustMemorizingClassifier,
    SlabClassifier,
    SlabRegressor,
    SmallReLUClassifier,
    SmallReLURegressor,
)

N_NEW = 10_000


def memorizing(**parameters):
    parameters = {"min_hyperplanes": 100, "random_state": 0, **parameters}
    return MemorizingClassifier(**parameters)


# Each with the number of classes, and of samples.
CASES = [
    (memorizing(), 2, 600),
    (memorizing(), 5, 600),
    (memorizing(hyperplanes="random"), 2, 600),
    (memorizing(hyperplanes="random", n_draws=1), 3, 600),
    (memorizing(n_draws=1), 3, 600),
    (memorizing(n_votes=1000, covering="greedy", prune=True), 3, 300),
    (memorizing(keep="best"), 3, 600),
    (memorizing(class_weight={0: 20.0}), 2, 600),
    (memorizing(class_weight="balanced", hyperplanes="adapted", n_draws=3), 4, 600),
    (memorizing(decision="network"), 2, 600),
    (memorizing(decision="network"), 5, 600),
    (memorizing(one_sided=True), 2, 600),
    (memorizing(one_sided=True, n_draws=1), 2, 300),
    (memorizing(activation="relu"), 3, 300),
    (memorizing(activation="relu", n_draws=1, decision="network"), 3, 300),
    (memorizing(activation="relu", one_sided=True), 2, 300),
    (memorizing(n_hyperplanes=8, n_draws=2), 3, 200),  # does not suffice
    (memorizing(), 1, 50),
    (SmallReLUClassifier(random_state=0), 1, 50),
    (SmallReLUClassifier(random_state=0), 2, 600),
    (SmallReLUClassifier(random_state=0), 5, 600),
    (SmallReLUClassifier(n_layers=5, random_state=0), 5, 600),
    (DeepThresholdClassifier(random_state=0), 2, 600),
    (DeepThresholdClassifier(random_state=0), 5, 600),
    (RandomReLUClassifier(random_state=0), 2, 300),
    (RandomReLUClassifier(random_state=0), 5, 300),
    (SlabClassifier(random_state=0), 2, 600),
    (SlabClassifier(random_state=0), 5, 600),
    (ResidualMemorizingClassifier(random_state=0), 2, 200),
    (ResidualMemorizingClassifier(random_state=0), 4, 200),
    (NearbySetClassifier(), 2, 60),
    (NearbySetClassifier(cover_radius=0), 4, 40),
    (RobustMemorizingClassifier(), 2, 300),
    (RobustMemorizingClassifier(robustness=0.1), 4, 300),
    (RobustMemorizingClassifier(metric="chebyshev"), 2, 100),
    (RobustMemorizingClassifier(metric="chebyshev"), 3, 100),
    (SmallReLURegressor(random_state=0), 0, 600),
    (SmallReLURegressor(n_layers=4, random_state=0), 0, 600),
    (MemorizingRegressor(n_hyperplanes=50, random_state=0), 0, 300),
    (SlabRegressor(random_state=0), 0, 300),
]
# They compute with more bits than floating point numbers have, or build no network.
REFUSED = {
    "BitExtractionClassifier",
    "InterpolatingNeighborsClassifier",
    "InterpolatingNeighborsRegressor",
    "NarrowClassifier",
}
NAMES = {0: "targets", 1: "one class"}


def name_of(case):
    estimator, n_classes, _ = case
    return f"{estimator}, {NAMES.get(n_classes, f'{n_classes} classes')}"


def each_case(test):
    """Run a test on each of the cases."""
    expected = "ignore::sklearn_memorize.exceptions.InterpolationWarning"
    test = pytest.mark.parametrize("case", CASES, ids=name_of)(test)
    return pytest.mark.filterwarnings(expected)(test)


def samples(n_samples, n_classes, n_features=5, seed=0):
    """Return rows and labels of classes that overlap."""
    rng = np.random.default_rng(seed)
    labels = rng.permutation(np.arange(n_samples) % max(1, n_classes))
    centers = rng.standard_normal((max(1, n_classes), n_features))
    return centers[labels] + rng.standard_normal((n_samples, n_features)), labels


def fitted(case):
    """Return the estimator, fitted, the rows it was fitted on, and new rows."""
    estimator, n_classes, n_samples = case
    X, y = samples(n_samples, n_classes)
    if is_regressor(estimator):
        y = np.column_stack([np.sin(X[:, 0]), X[:, 1] ** 2])
    new = 2 * np.random.default_rng(1).standard_normal((N_NEW, X.shape[1]))
    return estimator.fit(X, y), X, new


def predictors():
    """Return the names of all public classifiers and regressors."""
    return {
        name
        for name in sklearn_memorize.__all__
        if hasattr(getattr(sklearn_memorize, name), "predict")
    }
