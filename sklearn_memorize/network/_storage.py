"""How networks are stored: as the arguments they were made from, and nothing else.

What is stored consists of arrays, numbers, texts, lists and dictionaries. Reading it
calls the constructors again, so that arrays which do not fit together are refused, and
what was precomputed is computed anew.
"""

from __future__ import annotations

import inspect
from itertools import pairwise
from typing import Any

import numpy as np
from scipy import sparse

__all__ = ["FORMAT", "check", "from_plain", "is_storable", "storable", "to_plain"]

# Is to grow when what is stored changes.
FORMAT = 1

_KINDS: dict[str, type] = {}
_CHECKS: dict[str, Any] = {}
_READING_ERRORS = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    LookupError,
    TypeError,
    ValueError,
)


def storable(kind: type, check=None) -> type:
    """Let objects of a class be stored; `check` raises ValueErrors about new ones."""
    _KINDS[kind.__name__] = kind
    if check is not None:
        _CHECKS[kind.__name__] = check
    return kind


def is_storable(value) -> bool:
    """Whether an object is stored as the arguments it was made from."""
    return _KINDS.get(type(value).__name__) is type(value)


def to_plain(value):
    """Return arrays, numbers, texts, lists and dictionaries that say what it is."""
    if sparse.issparse(value):
        value = sparse.csr_array(value)
        parts = {name: getattr(value, name) for name in ("data", "indices", "indptr")}
        return {"kind": "csr", **parts, "shape": [int(size) for size in value.shape]}
    if is_storable(value):
        plain = {name: to_plain(part) for name, part in _arguments(value).items()}
        return {"kind": type(value).__name__, **plain}
    if isinstance(value, (list, tuple)):
        return [to_plain(part) for part in value]
    return value


def from_plain(plain):
    """Make what `to_plain` was given; ValueError if the parts do not fit."""
    if isinstance(plain, list):
        return [from_plain(part) for part in plain]
    if not isinstance(plain, dict):
        return plain
    parts = dict(plain)
    name = parts.pop("kind", None)
    if name != "csr" and name not in _KINDS:
        raise ValueError(f"there is no {name!r} in this version of sklearn_memorize")
    try:
        parts = {key: from_plain(part) for key, part in parts.items()}
        if name == "csr":
            return _sparse(**parts)
        missing = inspect.signature(_KINDS[name]).parameters.keys() - parts.keys()
        _need(not missing, f"it lacks {', '.join(sorted(missing))}")
        made = _KINDS[name](**parts)
        check(made)
    except _READING_ERRORS as error:
        raise ValueError(f"the parts of a {name} do not fit: {error}") from error
    return made


def check(made) -> None:
    """Raise a ValueError if the arrays of an object are not what they have to be."""
    for kind in reversed(type(made).__mro__):
        if kind.__name__ in _CHECKS:
            _CHECKS[kind.__name__](made)


def _arguments(value) -> dict[str, Any]:
    """Return the arguments of the constructor; they are kept as attributes."""
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


def _need(condition, what: str) -> None:
    if not condition:
        raise ValueError(what)


def shapes(**expected: str):
    """Return a check of the shapes of attributes, such as `edges="c-1,2"`.

    A letter stands for the same number wherever it occurs, in the order given.
    """

    def check_shapes(made) -> None:
        known: dict[str, int] = {}
        for name, text in expected.items():
            shape = np.shape(getattr(made, name))
            wanted = text.split(",") if text else []
            fits = len(shape) == len(wanted)
            for size, symbol in zip(shape, wanted, strict=False):
                letter, offset = symbol[0], int(symbol[1:] or 0)
                if letter.isdigit():
                    fits &= size == int(symbol)
                else:
                    fits &= known.setdefault(letter, size - offset) == size - offset
            _need(fits, f"{name} has the shape {shape} and not ({text})")

    return check_shapes


def check_chain(network) -> None:
    """Check that each layer reads as many numbers as the one below puts out."""
    for below, above in pairwise(network.layers):
        _need(below.n_neurons == above.n_inputs, "two layers must agree in width")


def check_small_relu(network) -> None:
    """Check what evaluates a small ReLU network beside its layers."""
    _need(network.direction.shape == (network.n_inputs,), "direction: one a feature")
    outputs = network.widths[-1:]
    for name in ("_offset", "_scale"):
        _need(getattr(network, name).shape == outputs, f"{name[1:]}: one an output")
    _need(network._cells.values.shape[1:] == outputs, "values: one an output")


def check_keys(memory) -> None:
    """Check the packed keys of a bit extraction network."""
    shapes(keys="n", packed="g", starts="g+1", borders="g-1")(memory)
    _need(memory.starts[-1] == len(memory.keys), "starts must end with the last key")


def check_residual(network) -> None:
    """Check the feature that a residual network pushes."""
    _need(network._axis in range(network.n_inputs), "axis must be a feature")


def check_layer(layer) -> None:
    """Check the arrays of a layer."""
    _need(layer.weights.ndim == 2, "weights must be a matrix")
    _need(layer.biases.ndim == 1, "biases must be a vector")
    _need(layer.weights.dtype.kind in "bif", "weights must be numbers")
    _need(layer.biases.dtype.kind in "bif", "biases must be numbers")
    known = ("threshold", "relu", "identity")
    _need(layer.activation in known, f"there is no activation {layer.activation!r}")


def check_hyperplanes(hyperplanes) -> None:
    """Check the arrays of a layer of hyperplanes."""
    directions, biases = hyperplanes.directions, hyperplanes.scaled_biases
    _need(directions.ndim == 2, "directions must be a matrix")
    _need(biases.shape == directions.shape[:1], "directions and biases must agree")
    _need(isinstance(hyperplanes.exponent, (int, np.integer)), "exponent: an integer")
    _need(
        np.isfinite(directions).all() and np.isfinite(biases).all(),
        "directions and biases must be finite",
    )
    if hyperplanes.shift is not None:
        shift = hyperplanes.shift
        _need(shift.shape == directions.shape[1:], "shift: one number a feature")
        _need(np.isfinite(shift).all(), "shift must be finite")


def check_covering(covering) -> None:
    """Check the arrays of a covering."""
    masks, bounds, starts = covering.masks, covering.bounds, covering.starts
    n_bits = covering.hyperplanes.n_hyperplanes
    _need(covering.activation in ("threshold", "relu"), "there is no such activation")
    _need(bounds.ndim == 1 and bounds.dtype.kind == "i", "bounds must be integers")
    _need(masks.dtype == np.uint64, "masks must be words of 64 bits")
    shape = (len(bounds), -(-n_bits // 64))
    _need(masks.shape == shape, f"masks must have the shape {shape}")
    _need(starts.ndim == 1 and starts.dtype.kind == "i", "starts must be integers")
    _need(len(starts) > 1 and starts[0] == 0, "starts must begin with 0")
    _need(starts[-1] == len(bounds), "starts must end with the number of neurons")
    _need((np.diff(starts) >= 0).all(), "starts must not decrease")
    if n_bits % 64:  # bits past the last hyperplane are never counted
        spare = masks[:, -1] >> np.uint64(n_bits % 64)
        _need(not spare.any(), "masks name hyperplanes that are not there")


def check_coverings(network) -> None:
    """Check that coverings fit side by side."""
    coverings = network.coverings
    _need(len(coverings) > 0, "there must be a covering")
    _need(1 <= network.quorum <= len(coverings), "quorum: 1 .. number of coverings")
    for what in ("n_features", "n_classes", "activation"):
        values = {
            "n_features": {part.hyperplanes.n_features for part in coverings},
            "n_classes": {len(part.starts) for part in coverings},
            "activation": {part.activation for part in coverings},
        }[what]
        _need(len(values) == 1, f"all coverings must have the same {what}")
