"""Diagrams link to the documentation."""

import re
import runpy
from email.message import Message

import pytest
from sklearn.datasets import load_iris
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from support.data import ROOT
from support.estimators import PUBLIC, new

import sklearn_memorize
from sklearn_memorize import MemorizingClassifier
from sklearn_memorize._estimator import _documentation

FRAME, LABELS = load_iris(return_X_y=True, as_frame=True)


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


@pytest.mark.parametrize("name", PUBLIC)
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
    module = ROOT / "docs" / "api_page.py"
    pages = runpy.run_path(str(module))
    text = "\n".join(pages["_section"]("sklearn_memorize", sklearn_memorize))
    # Pages are named after the module and the name.
    _, _, estimators = text.partition(".. currentmodule:: sklearn_memorize\n")
    section = estimators.partition(".. currentmodule::")[0]
    assert ":toctree: generated" in section
    assert set(PUBLIC) <= set(section.split())
