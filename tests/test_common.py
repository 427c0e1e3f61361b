"""Every public estimator is a scikit-learn estimator."""

import pytest
from sklearn.utils.estimator_checks import parametrize_with_checks

import sklearn_memorize
from sklearn_memorize import (
    BitExtractionClassifier,
    DeepThresholdClassifier,
    MemorizingClassifier,
    NearbySetClassifier,
    RandomReLUClassifier,
    RandomThresholdTransformer,
    ResidualMemorizingClassifier,
    SlabClassifier,
    SmallReLUClassifier,
    SmallReLURegressor,
    kernels,
)

ESTIMATORS = [
    MemorizingClassifier(random_state=0),
    MemorizingClassifier(n_hyperplanes=500, activation="relu", random_state=0),
    MemorizingClassifier(decision="network", covering="greedy", random_state=0),
    MemorizingClassifier(n_draws=2, keep="all", prune=True, random_state=0),
    RandomThresholdTransformer(n_hyperplanes=50, random_state=0),
    NearbySetClassifier(),
    NearbySetClassifier(cover_radius=0),
    DeepThresholdClassifier(random_state=0),
    RandomReLUClassifier(random_state=0),
    ResidualMemorizingClassifier(random_state=0),
    SlabClassifier(random_state=0),
    BitExtractionClassifier(random_state=0),
    SmallReLUClassifier(random_state=0),
    SmallReLUClassifier(n_layers=5, random_state=0),
    SmallReLURegressor(random_state=0),
    SmallReLURegressor(n_layers=5, random_state=0),
]


@parametrize_with_checks(ESTIMATORS)
def test_scikit_learn_estimator_checks(estimator, check):
    check(estimator)


@parametrize_with_checks([MemorizingClassifier(), RandomThresholdTransformer()])
def test_scikit_learn_estimator_checks_without_numba(estimator, check):
    with kernels.use_backend("numpy"):
        check(estimator)


def test_every_public_estimator_is_checked():
    public = {
        name
        for name in sklearn_memorize.__all__
        if hasattr(getattr(sklearn_memorize, name), "fit")
    }
    assert {type(estimator).__name__ for estimator in ESTIMATORS} == public


@pytest.mark.parametrize("estimator", ESTIMATORS, ids=repr)
def test_the_diagram_of_an_estimator_can_be_drawn(estimator):
    assert type(estimator).__name__ in estimator._repr_html_()
