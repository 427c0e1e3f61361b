"""The page on the constructions: its links and its table."""

import csv
import importlib
import re
import sys

import pytest
from support.data import ROOT
from support.estimators import MEMORIZERS

sys.path.insert(0, str(ROOT / "docs"))
import constructions_page  # noqa: E402

PAGE = "".join(constructions_page._sections())


def measured():
    with (ROOT / "benchmarks" / "constructions.csv").open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("name", MEMORIZERS)
def test_every_estimator_has_a_section(name):
    assert f".. _construction-{name}:" in PAGE
    assert f":class:`{name}`" in PAGE


def test_every_section_links_paper_theorem_estimator_and_code():
    sections = PAGE.split(".. _construction-")[1:]
    sections = [section for section in sections if "\nPaper\n" in section]
    assert len(sections) == PAGE.count("\nPaper\n") > 0
    for section in sections:
        assert "https://arxiv.org/abs/" in section or "https://doi.org/" in section
        for term in ("Theorem", "Estimator", "Code", "Test data"):
            assert f"\n{term}\n" in section


def test_every_piece_of_code_exists():
    # Sphinx leaves the link out where it does not.
    named = re.findall(r"py:(?:function|class):: (\w+)\n +:module: ([\w.]+)", PAGE)
    assert len(named) == PAGE.count(".. py:")
    for name, module in named:
        found = getattr(importlib.import_module(module), name)
        assert found.__module__ == module
        assert f"_modules/{module.replace('.', '/')}.html" in PAGE


def test_the_table_in_the_readme_is_that_of_the_registry():
    readme = constructions_page.README.read_text(encoding="utf-8")
    expected = constructions_page.readme_table()
    assert expected in readme, "bring it up to date: python docs/constructions_page.py"


@pytest.mark.parametrize("data", ["digits", "mnist-10k", "random-2k", "random-10k"])
def test_the_table_shows_every_construction_recalling_its_training_set(data):
    rows = [row for row in measured() if row["data"] == data]
    shown = {row["construction"].split(",")[0] for row in rows}
    assert shown == {*MEMORIZERS, "1 nearest neighbour"}
    for row in rows:
        if row["training"].startswith("error"):
            assert float(row["training"].removeprefix("error")) <= 1e-6
        else:
            assert row["training"] == "1"
