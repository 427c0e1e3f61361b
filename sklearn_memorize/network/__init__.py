"""The networks that the constructions build."""

from ._layer import Layer
from ._network import LayeredNetwork, Network

__all__ = ["Layer", "LayeredNetwork", "Network"]
