"""Pictures of studies and of networks, by scikit-learn's Display convention."""

from ._coverage import CoverageDisplay
from ._generalization import GeneralizationDisplay
from ._hyperplanes import HyperplaneDisplay
from ._interpolation import InterpolationDisplay
from ._reasons import ReasonsDisplay
from ._sample_size import SampleSizeDisplay

__all__ = [
    "CoverageDisplay",
    "GeneralizationDisplay",
    "HyperplaneDisplay",
    "InterpolationDisplay",
    "ReasonsDisplay",
    "SampleSizeDisplay",
]
