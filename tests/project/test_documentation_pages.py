"""The pages say where everything is, and the workflows run what there is."""

import re
import runpy

import pytest
from support.data import ROOT

from sklearn_memorize import inspection, plotting

DOCS = ROOT / "docs"
GUIDE = "\n".join(
    path.read_text(encoding="utf-8") for path in (DOCS / "user_guide").glob("*.rst")
)
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))


@pytest.mark.parametrize(
    "name",
    [
        *plotting.__all__,
        *(name for name in inspection.__all__ if name.islower()),
        "RandomThresholdTransformer",
    ],
)
def test_the_guide_says_what_it_is_for(name):
    assert re.search(rf":(class|func):`[~\w.]*\b{name}`", GUIDE)


def test_the_changelog_becomes_a_page():
    restructured = runpy.run_path(str(DOCS / "changelog_page.py"))["restructured"]
    assert restructured("## New\n\n- See [the page](https://a.example).\n") == (
        "New\n---\n\n- See `the page <https://a.example>`__.\n"
    )


def test_the_repository_is_what_the_workflow_says_where_setup_names_none(
    monkeypatch, tmp_path
):
    links = runpy.run_path(str(DOCS / "links.py"))
    repository = links["repository"]
    setup = tmp_path / "setup.cfg"
    setup.write_text("[metadata]\nname = x\n")
    monkeypatch.setitem(repository.__globals__, "SETUP", setup)
    monkeypatch.delenv("GITHUB_REPOSITORY", raising=False)
    assert repository() == []
    monkeypatch.setenv("GITHUB_SERVER_URL", "https://a.example")
    monkeypatch.setenv("GITHUB_REPOSITORY", "b/c")
    assert repository() == ["https://a.example/b/c"]
    setup.write_text("[metadata]\nproject_urls =\n    Source = https://d.example\n")
    assert repository() == ["https://d.example"]


def test_workflows_run_targets_that_there_are():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for path in WORKFLOWS:
        for target in re.findall(
            r"(?:run: |^ +)make ([\w-]+)", path.read_text(encoding="utf-8"), re.M
        ):
            assert re.search(rf"^{target}:", makefile, re.M), (path.name, target)
