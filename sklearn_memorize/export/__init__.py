"""Fitted estimators elsewhere: as PyTorch modules."""

from ._torch import to_torch

__all__ = ["to_torch"]
