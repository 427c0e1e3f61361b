"""Write the page that lists the public names, from `__all__` of each module."""

import importlib
from collections.abc import Iterable
from pathlib import Path
from types import ModuleType

import sklearn_memorize

MODULES = (
    "applications",
    "network",
    "export",
    "datasets",
    "inspection",
    "model_selection",
    "plotting",
    "kernels",
    "exceptions",
)


def write_api_page(path: Path) -> None:
    """Write the page, unless it stands there already word for word."""
    text = "\n".join(_api_page())
    path.parent.mkdir(exist_ok=True)
    if not path.exists() or path.read_text() != text:
        path.write_text(text)


def _api_page() -> Iterable[str]:
    yield from _title("API", "=")
    yield "Everything public, with its parameters, errors and sources."
    yield ""
    yield from _section("Estimators", sklearn_memorize)
    for name in MODULES:
        module = importlib.import_module(f"sklearn_memorize.{name}")
        yield from _section(name, module)


def _section(title: str, module: ModuleType) -> Iterable[str]:
    names = [name for name in _public_names(module) if not name.startswith("_")]
    if not names:
        return
    yield from _title(title, "-")
    yield module.__doc__.partition("\n")[0]
    yield ""
    yield f".. currentmodule:: {module.__name__}"
    yield ""
    for template, members in _by_template(module, names):
        yield ".. autosummary::"
        yield "   :toctree: generated"
        yield "   :nosignatures:"
        yield f"   :template: {template}"
        yield ""
        yield from (f"   {name}" for name in members)
        yield ""


def _public_names(module: ModuleType) -> list[str]:
    """Return the classes and functions; a module has a section of its own."""
    return [
        name
        for name in getattr(module, "__all__", [])
        if callable(getattr(module, name))
    ]


def _by_template(module: ModuleType, names: list[str]):
    classes = [name for name in names if isinstance(getattr(module, name), type)]
    others = [name for name in names if name not in classes]
    if classes:
        yield "class.rst", classes
    if others:
        yield "function.rst", others


def _title(text: str, underline: str) -> Iterable[str]:
    yield from (text, underline * len(text), "")
