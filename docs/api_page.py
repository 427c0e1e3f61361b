"""Write the pages that list the public names, from `__all__` of each module."""

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


def write_api_pages(folder: Path) -> None:
    """Write a page for each module, and the one that lists them."""
    folder.mkdir(exist_ok=True)
    _write(folder / "index.rst", _index())
    for name, module in _modules():
        _write(folder / f"{name}.rst", _section(module.__name__, module))


def _write(path: Path, lines: Iterable[str]) -> None:
    """Write the page, unless it stands there already word for word."""
    text = "\n".join(lines)
    if not path.exists() or path.read_text() != text:
        path.write_text(text)


def _modules() -> Iterable[tuple[str, ModuleType]]:
    yield "estimators", sklearn_memorize
    for name in MODULES:
        yield name, importlib.import_module(f"sklearn_memorize.{name}")


def _index() -> Iterable[str]:
    yield from _title("API", "=")
    yield "Everything public, with its parameters, errors and sources."
    yield ""
    yield ".. list-table::"
    yield "   :widths: 30 70"
    yield ""
    for name, module in _modules():
        yield f"   * - :doc:`{module.__name__} <{name}>`"
        yield f"     - {_summary(module)}"
    yield ""
    yield ".. toctree::"
    yield "   :hidden:"
    yield ""
    yield from (f"   {module.__name__} <{name}>" for name, module in _modules())


def _summary(module: ModuleType) -> str:
    return module.__doc__.partition("\n")[0]


def _section(title: str, module: ModuleType) -> Iterable[str]:
    names = [name for name in _public_names(module) if not name.startswith("_")]
    yield from _title(title, "=")
    yield _summary(module)
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
