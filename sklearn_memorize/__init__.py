"""Provable memorization by neural networks, behind the scikit-learn interface."""

from . import exceptions
from ._bit_extraction import BitExtractionClassifier
from ._deep_threshold import DeepThresholdClassifier
from ._hyperplanes import MemorizingClassifier
from ._nearby_set import NearbySetClassifier
from ._random_relu import RandomReLUClassifier
from ._relu import SmallReLUClassifier, SmallReLURegressor
from ._residual import ResidualMemorizingClassifier
from ._slab import SlabClassifier
from ._threshold_transformer import RandomThresholdTransformer
from ._version import __version__

__all__ = [
    "BitExtractionClassifier",
    "DeepThresholdClassifier",
    "MemorizingClassifier",
    "NearbySetClassifier",
    "RandomReLUClassifier",
    "RandomThresholdTransformer",
    "ResidualMemorizingClassifier",
    "SlabClassifier",
    "SmallReLUClassifier",
    "SmallReLURegressor",
    "__version__",
    "exceptions",
]
