"""The constructions, one folder for each paper.

Each folder holds the estimator (parameters, docs), the construction (arrays in,
network out, formulas beside the code) and, where it has one of its own, the network.
`all_estimators` lists what is public of them: common tests, benchmarks, reports and
documentation read their lists from there.
"""

from .bit_extraction import BitExtractionClassifier
from .deep_threshold import DeepThresholdClassifier
from .nearby_set import NearbySetClassifier
from .random_hyperplanes import MemorizingClassifier, RandomThresholdTransformer
from .random_relu import RandomReLUClassifier
from .residual import ResidualMemorizingClassifier
from .slabs import SlabClassifier
from .small_relu import SmallReLUClassifier, SmallReLURegressor

__all__ = ["all_estimators"]

_ESTIMATORS = (
    MemorizingClassifier,
    NearbySetClassifier,
    SmallReLUClassifier,
    SmallReLURegressor,
    DeepThresholdClassifier,
    SlabClassifier,
    BitExtractionClassifier,
    ResidualMemorizingClassifier,
    RandomReLUClassifier,
    RandomThresholdTransformer,
)


def all_estimators() -> tuple[type, ...]:
    """Return the estimator classes of all constructions."""
    return _ESTIMATORS
