"""What is stored, part by part: which parts fit together, and which are refused."""

from types import SimpleNamespace

import numpy as np
import pytest

from sklearn_memorize.constructions.random_hyperplanes._hyperplane_layer import (
    HyperplaneLayer,
)
from sklearn_memorize.network import _storage as _persistence


def _hyperplanes(n_hyperplanes, n_features):
    directions = np.ones((n_hyperplanes, n_features), dtype=np.float32)
    return HyperplaneLayer(directions, np.zeros(n_hyperplanes), 0)


def stored_parts():
    """Return what each check accepts, and what it refuses of each attribute."""
    cells = {"values": np.zeros((4, 2))}
    hyperplanes = _hyperplanes(70, 3)
    words = np.zeros((5, 2), dtype=np.uint64)
    past = words.copy()
    past[2, 1] = 1 << 6  # of bits 64 .. 69 the seventh
    last = words.copy()
    last[2, 1] = 1 << 5
    yield (
        _persistence.check_small_relu,
        {
            "n_inputs": 3,
            "widths": (4, 2),
            "direction": np.ones(3),
            "_offset": np.ones(2),
            "_scale": np.ones(2),
            "_cells": SimpleNamespace(**cells),
        },
        {
            "direction": [np.ones(2), np.ones(4), np.ones((3, 1))],
            "_offset": [np.ones(1), np.ones(3)],
            "_scale": [np.ones(1), np.ones(3)],
            "_cells": [SimpleNamespace(values=np.zeros((4, k))) for k in (1, 3)],
        },
    )
    yield (
        _persistence.check_keys,
        {
            "keys": np.arange(6),
            "packed": np.arange(3),
            "starts": np.array([0, 1, 4, 6]),
            "borders": np.arange(2),
        },
        {
            "keys": [np.arange(5), np.arange(7), np.ones((6, 1))],
            "packed": [np.arange(2), np.arange(4)],
            "starts": [np.array([0, 1, 6]), np.array([0, 1, 4, 5, 6])],
            "borders": [np.arange(1), np.arange(3)],
        },
    )
    yield (
        _persistence.check_residual,
        {"n_inputs": 3, "_axis": 2},
        {"_axis": [-1, 3, 1.5]},
    )
    yield (
        _persistence.check_layer,
        {"weights": np.ones((2, 3)), "biases": np.ones(2), "activation": "relu"},
        {
            "weights": [np.ones(2), np.ones((2, 3, 1)), np.ones((2, 3)) * 1j],
            "biases": [np.ones((2, 1)), np.array(["a", "b"])],
            "activation": ["tanh", None],
        },
    )
    yield (
        _persistence.check_hyperplanes,
        {
            "directions": np.ones((4, 2)),
            "scaled_biases": np.ones(4),
            "exponent": 3,
            "shift": np.ones(2),
        },
        {
            "directions": [np.ones(4), np.ones((3, 2)), np.full((4, 2), np.nan)],
            "scaled_biases": [np.ones(5), np.ones((4, 1)), np.full(4, np.inf)],
            "exponent": [1.5, "3", None],
            "shift": [np.ones(1), np.ones(3), np.full(2, np.nan)],
        },
    )
    yield (
        _persistence.check_covering,
        {
            "hyperplanes": hyperplanes,
            "activation": "threshold",
            "masks": last,
            "bounds": np.arange(5),
            "starts": np.array([0, 2, 2, 5]),
        },
        {
            "activation": ["identity"],
            "masks": [past, words[:4], words[:, :1], words.astype(np.int64)],
            "bounds": [
                np.arange(4),
                np.arange(6),
                np.arange(5.0),
                np.ones((5, 1), int),
            ],
            "starts": [
                np.array([0]),
                np.array([1, 2, 2, 5]),
                np.array([0, 3, 2, 5]),
                np.array([0, 2, 2, 4]),
                np.array([0.0, 2.0, 2.0, 5.0]),
            ],
        },
    )
    part = {"hyperplanes": hyperplanes, "starts": np.zeros(3), "activation": "relu"}
    fits = SimpleNamespace(**part)
    others = [
        SimpleNamespace(**{**part, "hyperplanes": _hyperplanes(70, 4)}),
        SimpleNamespace(**{**part, "starts": np.zeros(4)}),
        SimpleNamespace(**{**part, "activation": "threshold"}),
    ]
    yield (
        _persistence.check_coverings,
        {"coverings": [fits, fits], "quorum": 2},
        {"coverings": [[], *([fits, other] for other in others)], "quorum": [0, 3]},
    )


@pytest.mark.parametrize("check, parts, damages", list(stored_parts()))
def test_stored_parts_are_refused_where_one_does_not_fit(check, parts, damages):
    check(SimpleNamespace(**parts))
    for name, values in damages.items():
        for value in values:
            with pytest.raises(ValueError):
                check(SimpleNamespace(**{**parts, name: value}))


def test_shapes_say_which_sizes_agree():
    check = _persistence.shapes(first="n,2", second="n-1", third="")
    fitting = {"first": np.ones((4, 2)), "second": np.ones(3), "third": 1.0}
    check(SimpleNamespace(**fitting))
    for name, value in {
        "first": np.ones((4, 3)),
        "second": np.ones(4),
        "third": np.ones(1),
    }.items():
        with pytest.raises(ValueError, match=rf"{name} has the shape"):
            check(SimpleNamespace(**{**fitting, name: value}))
