"""Fitted estimators elsewhere: as ONNX models and as PyTorch modules."""

from ._onnx import register_onnx_converters, to_onnx
from ._torch import to_torch

__all__ = ["register_onnx_converters", "to_onnx", "to_torch"]
