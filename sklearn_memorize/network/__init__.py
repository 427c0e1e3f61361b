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

# These stand with their construction, above this room, and are public here, too.
_OF_RANDOM_HYPERPLANES = {
    "BitCodes",
    "CoverNetwork",
    "Covering",
    "HyperplaneLayer",
    "ReLUCodes",
}


def __getattr__(name: str):
    if name not in _OF_RANDOM_HYPERPLANES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module("..constructions.random_hyperplanes", __name__), name)
