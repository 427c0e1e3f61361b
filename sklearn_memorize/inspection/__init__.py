"""What the geometry of a data set says about memorizing it."""

from ..constructions._record import LowerBound
from ..constructions.random_hyperplanes import Reasons
from ._capacity import CapacityReport, CapacityRow, capacity_report
from ._covering import Cover, MutualCovering, OneVsRestCovering, mutual_covering
from ._geometry import GaussianWidth, Separation, gaussian_width, radius, separation
from ._scores import memorization_scores

__all__ = [
    "CapacityReport",
    "CapacityRow",
    "LowerBound",
    "Cover",
    "GaussianWidth",
    "MutualCovering",
    "OneVsRestCovering",
    "Reasons",
    "Separation",
    "capacity_report",
    "gaussian_width",
    "memorization_scores",
    "mutual_covering",
    "radius",
    "separation",
]
