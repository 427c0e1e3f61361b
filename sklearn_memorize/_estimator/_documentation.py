"""Where the page of an estimator stands, for the diagram that notebooks show of it."""

from __future__ import annotations

import os
from importlib import metadata
from pathlib import Path

__all__ = ["DocumentedMixin", "documentation"]

_PAGE = "api/generated/sklearn_memorize.{estimator_name}.html"
_BUILT = Path(__file__).parents[2] / "docs" / "_build" / "html"


def documentation() -> str:
    """Return the address of the documentation, or an empty string.

    It is what the environment variable `SKLEARN_MEMORIZE_DOCS` says; else the pages
    that `make docs` wrote into this clone; else where the package was published with.
    """
    said = os.environ.get("SKLEARN_MEMORIZE_DOCS")
    if said is not None:
        return said.rstrip("/")
    if (_BUILT / "index.html").exists():
        return _BUILT.as_uri()
    return _published()


def _published() -> str:
    try:
        links = metadata.metadata("sklearn-memorize").get_all("Project-URL") or []
    except metadata.PackageNotFoundError:
        return ""
    addresses = dict(link.split(", ", 1) for link in links)
    return addresses.get("Documentation", "").rstrip("/")


class DocumentedMixin:
    """Let the diagram of an estimator link to its page."""

    _doc_link_module = "sklearn_memorize"

    @property
    def _doc_link_template(self) -> str:
        address = documentation()
        # Braces would be taken for fields.
        address = address.replace("{", "{{").replace("}", "}}")
        return f"{address}/{_PAGE}" if address else ""
