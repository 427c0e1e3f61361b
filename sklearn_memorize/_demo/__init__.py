"""The guided demonstration behind `python -m sklearn_memorize`."""

from ._command import main

__all__ = ["main"]
