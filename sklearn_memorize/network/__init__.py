"""The networks that the constructions build."""

from importlib import import_module

from ._columns import SelectedColumns
from ._layer import Layer
from ._network import LayeredNetwork, Network

__all__ = [
    "BitCodes",
    "CoverNetwork",
    "Covering",
    "HyperplaneLayer",
    "Layer",
    "LayeredNetwork",
    "Network",
    "ReLUCodes",
    "SelectedColumns",
]


def __getattr__(name: str):
    # What is not here stands with the random hyperplanes, above this room.
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module("..constructions.random_hyperplanes", __name__), name)
