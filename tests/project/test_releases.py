"""What a release is made of says the same everywhere."""

import re
import shutil
import subprocess
import sys
from configparser import ConfigParser

import pytest
from support.data import ROOT
from support.needs import needs

from sklearn_memorize import __version__

RECIPE = (ROOT / "packaging" / "conda-forge" / "recipe.yaml").read_text("utf-8")
PAPER = ROOT / "packaging" / "paper"
SETUP = ConfigParser()
SETUP.read(ROOT / "setup.cfg", encoding="utf-8")


def without_comments(lines):
    return [line for line in lines.split("\n") if line and not line.startswith("#")]


def test_the_recipe_asks_for_what_setup_asks_for():
    asked = without_comments(SETUP["options"]["install_requires"])
    asked.append(f"python{SETUP['options']['python_requires']}")
    section = RECIPE.partition("  run:\n")[2].partition("\n\n")[0]
    found = [line.removeprefix("    - ") for line in section.split("\n")]
    assert sorted(line.replace(" ", "") for line in found) == sorted(asked)
    assert f'version: "{__version__}"' in RECIPE
    assert SETUP["metadata"]["description"] in RECIPE
    build = re.search(
        r'requires = \["setuptools(.*?)"\]', (ROOT / "pyproject.toml").read_text()
    )
    assert f"setuptools {build[1]}" in RECIPE


@pytest.mark.parametrize("source", [None, "https://a.example/b/c"])
def test_the_index_shows_the_readme_with_links_that_lead_somewhere(source, tmp_path):
    needs("setuptools")
    for name in ("setup.py", "setup.cfg", "README.md", "pyproject.toml"):
        shutil.copy(ROOT / name, tmp_path)
    (tmp_path / "sklearn_memorize").symlink_to(ROOT / "sklearn_memorize")
    if source is not None:
        setup = (tmp_path / "setup.cfg").read_text("utf-8")
        with_address = f"[metadata]\nproject_urls =\n    Source = {source}\n"
        (tmp_path / "setup.cfg").write_text(setup.replace("[metadata]\n", with_address))
    command = [sys.executable, "setup.py", "-q", "--long-description"]
    run = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    links = re.findall(r"\]\(([^)\s]+)\)", run.stdout)
    assert len(links) > 10
    if source is None:
        readme = (ROOT / "README.md").read_text("utf-8")
        assert run.stdout.strip() == readme.strip()
        return
    assert all(re.match(r"https?://|#", link) for link in links)
    for link in links:
        if link.startswith(source):
            kind, path = re.fullmatch(rf"{source}/(raw|blob)/main/(.*)", link).groups()
            assert (ROOT / path.partition("#")[0]).exists(), link
            assert (kind == "raw") == path.endswith(".png")


def test_sources_hold_what_is_installed_and_nothing_of_the_tests():
    manifest = (ROOT / "MANIFEST.in").read_text("utf-8")
    assert "prune tests" in manifest
    assert "recursive-include sklearn_memorize/kernels/c *.c *.h" in manifest


SECTIONS = (
    "Summary",
    "Statement of need",
    "State of the field",
    "Software design",
    "Research impact statement",
    "References",
)


def test_the_paper_has_the_sections_and_the_length_that_the_journal_asks_for():
    text = (PAPER / "paper.md").read_text("utf-8")
    body = text.split("---\n", 2)[2]
    headings = re.findall(r"^# (.*)$", body, re.MULTILINE)
    assert [name for name in headings if name in SECTIONS] == list(SECTIONS)
    assert 750 <= len(body.split()) <= 1750


def test_the_paper_cites_what_it_lists_and_shows_figures_that_there_are():
    text = (PAPER / "paper.md").read_text("utf-8")
    cited = set(re.findall(r"(?<![\w.])@([\w-]+)", text.split("---\n", 2)[2]))
    listed = set(
        re.findall(r"^@\w+\{([\w-]+),", (PAPER / "paper.bib").read_text(), re.M)
    )
    assert cited == listed
    figures = re.findall(r"!\[[^\]]*\]\(([^)]+)\)", text)
    assert figures
    assert all((PAPER / figure).is_file() for figure in figures)
