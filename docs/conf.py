"""How Sphinx builds the documentation."""

import os
import sys
from importlib.util import find_spec
from pathlib import Path

import sklearn_memorize

sys.path.insert(0, str(Path(__file__).parent))

from api_page import write_api_pages  # noqa: E402
from changelog_page import write_changelog  # noqa: E402
from constructions_page import write_constructions  # noqa: E402
from links import repository  # noqa: E402

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
    "matplotlib.sphinxext.plot_directive",
    "sphinx-mathjax-offline",
    "numpydoc",
    "sphinx_gallery.gen_gallery",
]
templates_path = ["_templates"]
exclude_patterns = ["_build", "generated"]
# `name` is code.
default_role = "literal"

extlinks = {"arxiv": ("https://arxiv.org/abs/%s", "arXiv:%s")}

# References to other packages become links where the build may ask the network for
# their inventories; elsewhere their text stands alone.
if os.environ.get("DOCS_LINK_OTHER_PACKAGES"):
    extensions.append("sphinx.ext.intersphinx")
    intersphinx_mapping = {
        "joblib": ("https://joblib.readthedocs.io/en/stable/", None),
        "matplotlib": ("https://matplotlib.org/stable/", None),
        "numpy": ("https://numpy.org/doc/stable/", None),
        "python": ("https://docs.python.org/3/", None),
        "scipy": ("https://docs.scipy.org/doc/scipy/", None),
        "sklearn": ("https://scikit-learn.org/stable/", None),
    }

plot_html_show_formats = False
plot_html_show_source_link = False
plot_formats = [("png", 120)]

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
    "backreferences_dir": "generated/examples",
    "abort_on_example_error": True,
    # The last line of a cell is shown where it is a table, and not as `Text(0.5, ...)`.
    "capture_repr": ("_repr_html_",),
    "show_memory": False,
}

html_theme = "pydata_sphinx_theme"
html_title = f"sklearn_memorize {release}"
html_theme_options = {
    "logo": {"text": "sklearn_memorize"},
    "navigation_with_keys": False,
    "show_prev_next": True,
    "show_toc_level": 1,
    "header_links_before_dropdown": 7,
    "icon_links": [
        {"name": "Repository", "url": address, "icon": "fa-brands fa-github"}
        for address in repository()
    ],
}
# Pages without pages below them have nothing to navigate.
html_sidebars = {
    name: []
    for name in (
        "changelog",
        "citation",
        "constructions",
        "faq",
        "installation",
        "theory",
    )
}
html_static_path = ["_static"]
html_css_files = ["custom.css"]
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

HERE = Path(__file__).parent
write_api_pages(HERE / "api")
write_changelog(HERE.parent / "CHANGELOG.md", HERE / "generated" / "changelog.rst")
write_constructions(HERE / "generated")
