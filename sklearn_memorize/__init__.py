"""Provable memorization by neural networks, behind the scikit-learn interface."""

from . import exceptions

__version__ = "0.1.0"

__all__ = ["__version__", "exceptions"]
