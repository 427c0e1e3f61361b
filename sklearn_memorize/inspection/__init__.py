"""What the geometry of a data set says about memorizing it."""

from ._covering import Cover, MutualCovering, OneVsRestCovering, mutual_covering
from ._geometry import GaussianWidth, Separation, gaussian_width, radius, separation
from ._scores import memorization_scores

__all__ = [
    "Cover",
    "GaussianWidth",
    "MutualCovering",
    "OneVsRestCovering",
    "Separation",
    "gaussian_width",
    "memorization_scores",
    "mutual_covering",
    "radius",
    "separation",
]
