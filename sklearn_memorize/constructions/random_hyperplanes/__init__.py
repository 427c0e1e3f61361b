"""Random hyperplanes and a greedy cover: three layers that memorize."""

from ...network._storage import (
    check_covering,
    check_coverings,
    check_hyperplanes,
    storable,
)
from ._codes import BitCodes
from ._estimator import MemorizingClassifier
from ._hyperplane_layer import HyperplaneLayer
from ._network import Covering, CoverNetwork
from ._relu_codes import ReLUCodes
from ._transformer import RandomThresholdTransformer

__all__ = [
    "BitCodes",
    "CoverNetwork",
    "Covering",
    "HyperplaneLayer",
    "MemorizingClassifier",
    "RandomThresholdTransformer",
    "ReLUCodes",
]

storable(HyperplaneLayer, check_hyperplanes)
storable(Covering, check_covering)
storable(CoverNetwork, check_coverings)
