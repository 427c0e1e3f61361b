"""Random hyperplanes and a greedy cover: three layers that memorize."""

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
