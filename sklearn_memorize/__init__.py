"""Provable memorization by neural networks, behind the scikit-learn interface."""

from . import exceptions
from ._estimator._version import __version__
from .constructions.bit_extraction import BitExtractionClassifier
from .constructions.deep_threshold import DeepThresholdClassifier
from .constructions.nearby_set import NearbySetClassifier
from .constructions.random_hyperplanes import (
    MemorizingClassifier,
    RandomThresholdTransformer,
)
from .constructions.random_relu import RandomReLUClassifier
from .constructions.residual import ResidualMemorizingClassifier
from .constructions.slabs import SlabClassifier
from .constructions.small_relu import SmallReLUClassifier, SmallReLURegressor

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
