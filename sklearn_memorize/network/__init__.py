"""The networks that the constructions build."""

from ._bit_layers import Shape
from ._bit_network import Line, PackedKeys
from ._codes import BitCodes
from ._cover_network import Covering, CoverNetwork
from ._hyperplane_layer import HyperplaneLayer
from ._layer import Layer
from ._network import LayeredNetwork, Network
from ._persistence import (
    check_covering,
    check_coverings,
    check_hyperplanes,
    check_keys,
    check_layer,
    check_residual,
    check_small_relu,
    shapes,
    storable,
)
from ._relu_codes import ReLUCodes
from ._residual_network import Hats, ResidualNetwork, Steps
from ._small_relu_network import Cells, SmallReLUNetwork

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

storable(Layer, check_layer)
storable(HyperplaneLayer, check_hyperplanes)
storable(Covering, check_covering)
storable(CoverNetwork, check_coverings)
storable(Cells, shapes(anchors="n", values="n,k", slopes="n,k", borders="n-1"))
storable(Hats, shapes(normals="n,d", corners="n,4", pushes="n"))
storable(Steps, shapes(order="c", edges="c-1,2"))
storable(Line, shapes(direction="d"))
storable(PackedKeys, check_keys)
storable(Shape)
storable(SmallReLUNetwork, check_small_relu)
storable(ResidualNetwork, check_residual)
