"""At home in scikit-learn: names, containers, metadata routing."""

import numpy as np
import pytest
import sklearn
from sklearn.datasets import load_iris
from sklearn.model_selection import GridSearchCV, cross_validate
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from support.estimators import PUBLIC, new

from sklearn_memorize import MemorizingClassifier
from sklearn_memorize.exceptions import ConflictingLabelsWarning

FRAME, LABELS = load_iris(return_X_y=True, as_frame=True)


# Every row stands there twice, with two labels: the heavier one wins.
TWICE = np.tile(np.arange(20.0), 2)[:, np.newaxis]


BOTH = np.repeat([0, 1], 20)


FIRST = np.where(BOTH == 0, 2.0, 1.0)


@pytest.mark.parametrize("name", PUBLIC)
def test_names_of_features_are_kept(name):
    estimator = new(name).fit(FRAME, LABELS)
    assert estimator.feature_names_in_.tolist() == FRAME.columns.tolist()
    method = (
        estimator.transform if hasattr(estimator, "transform") else estimator.predict
    )
    with pytest.raises(ValueError, match="feature names should match"):
        method(FRAME[FRAME.columns[::-1]])


@pytest.mark.filterwarnings(
    "ignore::sklearn_memorize.exceptions.ConflictingLabelsWarning"
)
@pytest.mark.parametrize("name", [n for n in PUBLIC if n.endswith("Classifier")])
def test_weights_are_routed_through_a_pipeline(name):
    with sklearn.config_context(enable_metadata_routing=True):
        model = new(name).set_fit_request(sample_weight=True)
        scaler = StandardScaler().set_fit_request(sample_weight=False)
        chain = make_pipeline(scaler, model)
        for heavier in (0, 1):
            weights = np.where(heavier == BOTH, 2.0, 1.0)
            chain.fit(TWICE, BOTH, sample_weight=weights)
            assert (chain.predict(TWICE) == heavier).all()


def test_weights_are_routed_through_a_regressor():
    with sklearn.config_context(enable_metadata_routing=True):
        model = new("SmallReLURegressor").set_fit_request(sample_weight=True)
        chain = make_pipeline(
            StandardScaler().set_fit_request(sample_weight=False), model
        )
        with pytest.warns(ConflictingLabelsWarning):
            chain.fit(TWICE, BOTH, sample_weight=FIRST)
        assert np.allclose(chain.predict(TWICE), 1 / 3)


@pytest.mark.filterwarnings(
    "ignore::sklearn_memorize.exceptions.ConflictingLabelsWarning"
)
def test_weights_are_routed_through_a_search():
    with sklearn.config_context(enable_metadata_routing=True):
        model = MemorizingClassifier(random_state=0)
        model.set_fit_request(sample_weight=True).set_score_request(sample_weight=True)
        scaler = StandardScaler().set_fit_request(sample_weight=False)
        chain = make_pipeline(scaler, model)
        grid = {"memorizingclassifier__n_draws": [1, 2]}
        folds = [(np.arange(40), np.arange(40))]
        search = GridSearchCV(chain, grid, cv=folds)
        search.fit(TWICE, BOTH, sample_weight=FIRST)
        assert (search.predict(TWICE) == 0).all()
        # Two of three parts of the weight are on the label that is recalled.
        assert np.allclose(search.cv_results_["mean_test_score"], 2 / 3)
        scores = cross_validate(
            chain, TWICE, BOTH, cv=folds, params={"sample_weight": FIRST}
        )
        assert np.allclose(scores["test_score"], 2 / 3)


def test_weights_that_nobody_asked_for_are_refused():
    with sklearn.config_context(enable_metadata_routing=True):
        chain = make_pipeline(MemorizingClassifier())
        with pytest.raises(ValueError, match="sample_weight.*set_fit_request"):
            chain.fit(TWICE, BOTH, sample_weight=FIRST)


def test_weights_are_passed_by_name_without_routing():
    chain = make_pipeline(StandardScaler(), MemorizingClassifier(random_state=0))
    with pytest.warns(ConflictingLabelsWarning):
        chain.fit(TWICE, BOTH, memorizingclassifier__sample_weight=FIRST)
    assert (chain.predict(TWICE) == 0).all()
