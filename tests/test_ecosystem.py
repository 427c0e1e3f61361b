"""At home in scikit-learn: diagrams, names, containers, metadata routing."""

import re
import runpy
from email.message import Message
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import sklearn
from sklearn.base import clone
from sklearn.datasets import load_iris
from sklearn.model_selection import GridSearchCV, cross_validate
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import sklearn_memorize
from sklearn_memorize import MemorizingClassifier, RandomThresholdTransformer
from sklearn_memorize._estimator import _documentation
from sklearn_memorize.exceptions import ConflictingLabelsWarning

FRAME, LABELS = load_iris(return_X_y=True, as_frame=True)
NAMES = sorted(
    name
    for name in sklearn_memorize.__all__
    if hasattr(getattr(sklearn_memorize, name), "fit")
)
# Every row stands there twice, with two labels: the heavier one wins.
TWICE = np.tile(np.arange(20.0), 2)[:, np.newaxis]
BOTH = np.repeat([0, 1], 20)
FIRST = np.where(BOTH == 0, 2.0, 1.0)


def new(name):
    kind = getattr(sklearn_memorize, name)
    return kind(
        **({"random_state": 0} if "random_state" in kind().get_params() else {})
    )


def links(estimator):
    return re.findall(
        r'class="sk-estimator-doc-link[^"]*"[^>]*href="([^"]*)"', html(estimator)
    )


def html(estimator):
    return estimator._repr_mimebundle_()["text/html"]


@pytest.fixture
def hosted(monkeypatch):
    monkeypatch.setenv("SKLEARN_MEMORIZE_DOCS", "https://docs.example.org/{latest}/")
    return "https://docs.example.org/{latest}/api/generated/sklearn_memorize"


@pytest.mark.parametrize("name", NAMES)
def test_the_diagram_links_to_the_page_of_the_estimator(name, hosted):
    estimator = new(name)
    assert f"{hosted}.{name}.html" in links(estimator)
    assert f"{hosted}.{name}.html" in links(estimator.fit(FRAME, LABELS))


def test_the_diagram_of_a_pipeline_links_to_every_page(hosted):
    chain = make_pipeline(StandardScaler(), MemorizingClassifier())
    assert f"{hosted}.MemorizingClassifier.html" in links(chain)
    assert any("scikit-learn.org" in link for link in links(chain))


def test_the_diagram_links_to_pages_built_in_this_clone(monkeypatch, tmp_path):
    monkeypatch.delenv("SKLEARN_MEMORIZE_DOCS", raising=False)
    monkeypatch.setattr(_documentation, "_BUILT", tmp_path / "html")
    monkeypatch.setattr(_documentation, "_published", lambda: "https://example.org")
    assert _documentation.documentation() == "https://example.org"
    (tmp_path / "html").mkdir()
    (tmp_path / "html" / "index.html").touch()
    page = f"{(tmp_path / 'html').as_uri()}/api/generated"
    link = f"{page}/sklearn_memorize.MemorizingClassifier.html"
    assert link in links(MemorizingClassifier())


def test_without_documentation_there_is_no_link(monkeypatch):
    monkeypatch.setenv("SKLEARN_MEMORIZE_DOCS", "")
    assert links(MemorizingClassifier()) == []
    assert "MemorizingClassifier" in html(MemorizingClassifier())


def test_the_published_address_is_that_of_the_metadata(monkeypatch):
    def metadata(name):
        message = Message()
        for link in (
            "Homepage, https://a.example",
            "Documentation, https://b.example/",
        ):
            message["Project-URL"] = link
        return message

    monkeypatch.setattr(_documentation.metadata, "metadata", metadata)
    assert _documentation._published() == "https://b.example"


def test_the_documentation_has_a_page_for_every_link():
    module = Path(__file__).parents[1] / "docs" / "api_page.py"
    text = "\n".join(runpy.run_path(str(module))["_api_page"]())
    # Pages are named after the module and the name.
    _, _, estimators = text.partition(".. currentmodule:: sklearn_memorize\n")
    section = estimators.partition(".. currentmodule::")[0]
    assert ":toctree: generated" in section
    assert set(NAMES) <= set(section.split())


@pytest.mark.parametrize("name", NAMES)
def test_names_of_features_are_kept(name):
    estimator = new(name).fit(FRAME, LABELS)
    assert estimator.feature_names_in_.tolist() == FRAME.columns.tolist()
    method = (
        estimator.transform if hasattr(estimator, "transform") else estimator.predict
    )
    with pytest.raises(ValueError, match="feature names should match"):
        method(FRAME[FRAME.columns[::-1]])


def test_the_transformer_names_its_features():
    transformer = RandomThresholdTransformer(n_hyperplanes=3, random_state=0)
    names = transformer.fit(FRAME).get_feature_names_out()
    expected = [f"randomthresholdtransformer{k}" for k in range(3)]
    assert names.tolist() == expected
    chain = make_pipeline(StandardScaler(), transformer).fit(FRAME)
    assert chain.get_feature_names_out().tolist() == expected


@pytest.mark.parametrize("container", ["pandas", "polars"])
def test_set_output_names_and_wraps_the_features(container):
    library = pytest.importorskip(container)
    transformer = RandomThresholdTransformer(n_hyperplanes=999, random_state=0)
    plain = transformer.fit_transform(FRAME)
    table = transformer.set_output(transform=container).fit_transform(FRAME)
    assert isinstance(table, library.DataFrame)
    assert list(table.columns) == transformer.get_feature_names_out().tolist()
    assert (table.to_numpy() == plain).all()
    chain = make_pipeline(StandardScaler(), clone(transformer), MemorizingClassifier())
    chain.set_output(transform=container)
    model = chain.fit(FRAME, LABELS)[-1]
    assert model.feature_names_in_.tolist() == list(table.columns)


def test_pandas_output_keeps_the_index():
    shuffled = FRAME.sample(frac=1, random_state=0)
    transformer = RandomThresholdTransformer(random_state=0)
    table = transformer.set_output(transform="pandas").fit_transform(shuffled)
    assert isinstance(table, pd.DataFrame)
    assert table.index.equals(shuffled.index)


@pytest.mark.filterwarnings(
    "ignore::sklearn_memorize.exceptions.ConflictingLabelsWarning"
)
@pytest.mark.parametrize("name", [n for n in NAMES if n.endswith("Classifier")])
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
