"""How Sphinx builds the documentation."""

import os
import sys
from importlib.util import find_spec
from pathlib import Path

import sklearn_memorize

sys.path.insert(0, str(Path(__file__).parent))

from api_page import write_api_page  # noqa: E402
from constructions_page import write_constructions  # noqa: E402

project = "sklearn_memorize"
author = "The sklearn_memorize developers"
copyright = f"2026, {author}"
version = release = sklearn_memorize.__version__

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.extlinks",
    "sphinx.ext.mathjax",
    "sphinx.ext.viewcode",
    "sphinx-mathjax-offline",
    "numpydoc",
    "sphinx_gallery.gen_gallery",
]
templates_path = ["_templates"]
exclude_patterns = ["_build", "generated"]
# `name` is code.
default_role = "literal"

extlinks = {"arxiv": ("https://arxiv.org/abs/%s", "arXiv:%s")}

autosummary_generate = True
autodoc_typehints = "none"
numpydoc_show_class_members = False
# A docstring names its source without pointing at it from the text.
suppress_warnings = ["ref.citation", "ref.footnote"]

# Without torch, which is large, the page that needs it shows its code alone.
_runs = "plot_" if find_spec("torch") else "plot_(?!sgd)"

sphinx_gallery_conf = {
    "filename_pattern": _runs,
    "examples_dirs": "../examples",
    "gallery_dirs": "auto_examples",
    "doc_module": "sklearn_memorize",
    "reference_url": {"sklearn_memorize": None},
    "abort_on_example_error": True,
    "show_memory": False,
}

html_theme = "pydata_sphinx_theme"
html_title = f"sklearn_memorize {release}"
html_theme_options = {
    "navigation_with_keys": False,
    "show_prev_next": False,
    "show_toc_level": 2,
}
html_show_sourcelink = False


def setup(app):
    app.connect("missing-reference", _keep_text_of_inherited_reference)


def _keep_text_of_inherited_reference(app, environment, node, text):
    """Show the text where an inherited docstring refers to scikit-learn's pages."""
    if node["refdoc"].startswith("api/generated/") and node["reftype"] == "ref":
        return text
    return None


# The diagrams in the gallery link to the pages beside it.
os.environ["SKLEARN_MEMORIZE_DOCS"] = ".."

write_api_page(Path(__file__).parent / "api" / "index.rst")
write_constructions(Path(__file__).parent / "generated")
