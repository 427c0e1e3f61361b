"""What memorization is good for: patching a model in use, and keeping prototypes."""

from ._corrector import MemorizingCorrector
from ._prototypes import PrototypeSelector
from ._regressor import MemorizingCorrectorRegressor

__all__ = ["MemorizingCorrector", "MemorizingCorrectorRegressor", "PrototypeSelector"]
