"""What memorization is good for: patching a model that is in use."""

from ._corrector import MemorizingCorrector
from ._regressor import MemorizingCorrectorRegressor

__all__ = ["MemorizingCorrector", "MemorizingCorrectorRegressor"]
