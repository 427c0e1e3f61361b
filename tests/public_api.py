"""Print everything public, one name a line, to compare versions.

    diff <(one/bin/python tests/public_api.py) <(another/bin/python tests/public_api.py)

Modules with what they offer; functions with their parameters; classes with the
parameters of their constructors, their methods, properties and documented attributes;
estimators with the attributes that `fit` sets. Annotations are left out.
"""

import argparse
import importlib
import inspect
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np

PACKAGE = "sklearn_memorize"
MODULES = (
    PACKAGE,
    *(
        f"{PACKAGE}.{name}"
        for name in (
            "applications",
            "datasets",
            "exceptions",
            "export",
            "inspection",
            "kernels",
            "model_selection",
            "network",
            "plotting",
        )
    ),
)
# In the documentation of a class, this heading and all up to the next one.
ATTRIBUTES = re.compile(r"^Attributes\n-+\n(.*?)(?=^\S[^\n]*\n-+$|\Z)", re.M | re.S)


def signature(function) -> str:
    """Return the parameters with their defaults, without annotations."""
    try:
        found = inspect.signature(function)
    except (TypeError, ValueError):  # written in C
        return "(...)"
    plain = [
        parameter.replace(annotation=inspect.Parameter.empty)
        for parameter in found.parameters.values()
    ]
    return str(inspect.Signature(plain))


def documented_attributes(kind: type) -> list[str]:
    section = ATTRIBUTES.search(inspect.getdoc(kind) or "")
    lines = section.group(1).splitlines() if section else []
    heads = [line.partition(":")[0] for line in lines if re.match(r"[\w`]", line)]
    return [name.strip(" `") for head in heads for name in head.split(",")]


def attributes_after_fit(kind: type) -> list[str]:
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((20, 3)), np.arange(20) % 2
    fitted = kind().fit(X, y)
    return [name for name in vars(fitted) if re.fullmatch("[^_].*_", name)]


def foreign_bases(kind: type) -> list[str]:
    """Return what the class is, apart from classes of the package."""
    return [
        f"{base.__module__}.{base.__qualname__}"
        for base in kind.__mro__[1:]
        if base is not object and not base.__module__.startswith(PACKAGE)
    ]


def lines_of_class(name: str, kind: type) -> Iterator[str]:
    yield f"{name} is a class"
    yield from (f"{name} is a {base}" for base in foreign_bases(kind))
    yield f"{name}{signature(kind)}"
    if not issubclass(kind, BaseException):
        for parameter in inspect.signature(kind).parameters.values():
            plain = parameter.replace(annotation=inspect.Parameter.empty)
            yield f"{name} takes {plain} ({parameter.kind.description})"
    for member in dir(kind):
        if member.startswith("_"):
            continue
        value = inspect.getattr_static(kind, member)
        if isinstance(value, (staticmethod, classmethod)):
            yield f"{name}.{member}{signature(value.__func__)}, of the class"
        elif inspect.isroutine(value):
            yield f"{name}.{member}{signature(value)}"
        else:
            yield f"{name}.{member}"
    yield from (f"{name}.{each}, documented" for each in documented_attributes(kind))
    if hasattr(kind, "fit"):
        yield from (f"{name}.{each}, by fit" for each in attributes_after_fit(kind))


def public_lines() -> Iterator[str]:
    for module_name in MODULES:
        try:
            module = importlib.import_module(module_name)
        except ModuleNotFoundError:
            yield f"{module_name} is not there"
            continue
        for name in module.__all__:
            value = getattr(module, name)
            full_name = f"{module_name}.{name}"
            if isinstance(value, type):
                yield from lines_of_class(full_name, value)
            elif callable(value):
                yield f"{full_name}{signature(value)}"
            else:
                yield f"{full_name} is a {type(value).__name__}"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--output", type=Path, help="write the lines to this file")
    options = parser.parse_args()
    text = "\n".join(sorted(set(public_lines()))) + "\n"
    if options.output:
        options.output.write_text(text)
    else:
        print(text, end="")
    return 0


if __name__ == "__main__":
    sys.exit(main())
