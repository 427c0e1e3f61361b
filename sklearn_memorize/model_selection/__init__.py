"""Repeated, parallel, resumable experiments over any scikit-learn classifier."""

from ._generalization import compare_generalization
from ._studies import interpolation_study, sample_size_study

__all__ = ["compare_generalization", "interpolation_study", "sample_size_study"]
