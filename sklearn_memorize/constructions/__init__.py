"""The constructions, one folder for each paper.

Each folder holds the estimator (parameters, docs), the construction (arrays in,
network out, formulas beside the code), the size that its theorem predicts, and, where
it has one of its own, the network. `_registry.py` lists the folders; reports, tables,
benchmarks, exporters and tests take what is there from the two functions below.
"""

import sys

from . import _registry
from ._record import Construction

__all__ = ["all_constructions", "all_estimators"]


def all_estimators() -> tuple[type, ...]:
    """Return the public estimator classes of all constructions, in order."""
    return tuple(kind for kind in vars(_registry).values() if isinstance(kind, type))


def all_constructions() -> tuple[Construction, ...]:
    """Return what each folder says about itself, in order."""
    folders = dict.fromkeys(
        estimator.__module__.rpartition(".")[0] for estimator in all_estimators()
    )
    return tuple(sys.modules[folder].CONSTRUCTION for folder in folders)
