"""The networks that the constructions build."""

from ._codes import BitCodes
from ._cover_network import Covering, CoverNetwork
from ._hyperplane_layer import HyperplaneLayer
from ._layer import Layer
from ._network import LayeredNetwork, Network
from ._relu_codes import ReLUCodes

__all__ = [
    "BitCodes",
    "CoverNetwork",
    "Covering",
    "HyperplaneLayer",
    "Layer",
    "LayeredNetwork",
    "Network",
    "ReLUCodes",
]
