"""How networks are stored: as the arguments they were made from, and nothing else.

What is stored consists of arrays, numbers, texts, lists and dictionaries. Reading it
calls the constructors again. So a constructor that refuses arrays which do not fit
together refuses damaged files as well, and what was precomputed is computed anew.

`storable` registers a class, and a `Network` registers itself. The arguments of the
constructor are kept as attributes of the same name (or with an underscore in front), or
a method `_stored` returns them.
"""

import inspect
from typing import Any

import numpy as np
from scipy import sparse

# Is to grow when what is stored changes.
FORMAT = 3

_CLASSES: dict[str, type] = {}
_READING_ERRORS = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    LookupError,
    TypeError,
    ValueError,
)


def stored_name(cls: type) -> str:
    """Return the name a class is stored under: its package, its own name.

    The private module is left out, so that a class may move within its folder.
    """
    package = [part for part in cls.__module__.split(".") if not part.startswith("_")]
    return ".".join((*package, cls.__qualname__))


def storable(cls: type) -> type:
    """Let objects of a class be stored; to be used as a decorator."""
    name = stored_name(cls)
    other = _CLASSES.get(name, cls)
    if other.__module__ != cls.__module__:
        raise TypeError(
            f"{cls.__module__} and {other.__module__} both store a {cls.__qualname__}; "
            "give one of the two classes another name."
        )
    _CLASSES[name] = cls
    return cls


def is_storable(value) -> bool:
    """Return whether an object is stored as the arguments it was made from."""
    return _CLASSES.get(stored_name(type(value))) is type(value)


def to_plain(value):
    """Return arrays, numbers, texts, lists and dictionaries that say what it is."""
    if sparse.issparse(value):
        value = sparse.csr_array(value)
        arrays = {name: getattr(value, name) for name in ("data", "indices", "indptr")}
        return {"kind": "csr", **arrays, "shape": [int(size) for size in value.shape]}
    if is_storable(value):
        plain = {name: to_plain(part) for name, part in _arguments(value).items()}
        return {"kind": stored_name(type(value)), **plain}
    if isinstance(value, (list, tuple)):
        return [to_plain(part) for part in value]
    if isinstance(value, dict):
        return {
            "kind": "dict",
            "keys": list(value),
            "values": to_plain([*value.values()]),
        }
    return value


def from_plain(plain):
    """Make what `to_plain` was given; ValueError if the arguments do not fit."""
    if isinstance(plain, list):
        return [from_plain(part) for part in plain]
    if not isinstance(plain, dict):
        return plain
    arguments = dict(plain)
    name = arguments.pop("kind", None)
    make = _OTHERS.get(name) or _CLASSES.get(name)
    if make is None:
        raise ValueError(f"there is no {name!r} in this version of sklearn_memorize")
    try:
        arguments = {key: from_plain(part) for key, part in arguments.items()}
        missing = inspect.signature(make).parameters.keys() - arguments.keys()
        if missing:
            raise ValueError(f"it lacks {', '.join(sorted(missing))}")
        return make(**arguments)
    except _READING_ERRORS as error:
        short = name.rpartition(".")[2]
        raise ValueError(f"the parts of a {short} do not fit: {error}") from error


def _arguments(value) -> dict[str, Any]:
    """Return the arguments that the object was made from."""
    if hasattr(value, "_stored"):
        return value._stored()
    names = inspect.signature(type(value)).parameters
    return {
        name: getattr(value, f"_{name}" if hasattr(value, f"_{name}") else name)
        for name in names
    }


def _sparse(data, indices, indptr, shape):
    matrix = sparse.csr_array((data, indices, indptr), shape=tuple(shape))
    matrix.check_format(full_check=True)
    return matrix


def _dictionary(keys, values):
    return dict(zip(keys, values, strict=True))


# What is stored without being of a class of this package.
_OTHERS: dict[str, Any] = {"csr": _sparse, "dict": _dictionary}


def require(condition, what: str) -> None:
    """Raise a ValueError that says what must be, unless it is."""
    if not condition:
        raise ValueError(what)


def require_shape(name: str, array, *shape: int | None) -> None:
    """Raise a ValueError unless an array has a shape; None stands for any size."""
    actual = np.shape(array)
    fits = len(actual) == len(shape) and all(
        wanted in (None, size) for size, wanted in zip(actual, shape, strict=True)
    )
    if not fits:
        wanted = ", ".join("any" if size is None else str(size) for size in shape)
        raise ValueError(f"{name} has the shape {actual} and not ({wanted})")
