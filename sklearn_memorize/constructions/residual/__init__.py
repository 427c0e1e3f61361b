r"""Residual blocks.

Theorem
   :math:`N` samples of :math:`k` classes in general position (no :math:`d + 1` of them
   on a hyperplane) are memorized by residual blocks :math:`h \leftarrow h + V \,
   \mathrm{ReLU}(U h + b)` with :math:`4 N / d + 6 k` hidden nodes in all. A block moves
   the :math:`d` samples on one hyperplane, and no other sample, to a place of their
   class. An exact count, and `fit` stays below it: the largest class need not be moved.
   Where data are not in general position, `fit` takes smaller groups and more blocks,
   or names the samples.
Test data
   Nothing is promised, and it shows: what lies on none of the thin hats is given to the
   largest class.
"""

from .._lower_bounds import depth_of, relu_pieces
from .._record import (
    Construction,
    Geometry,
    LowerBound,
    Paper,
    Prediction,
    general_position,
    n_outputs,
)
from ._construction import build_residual_network
from ._estimator import ResidualMemorizingClassifier

__all__ = ["ResidualMemorizingClassifier"]


def predict_size(geometry: Geometry, estimator) -> Prediction:
    """Return the size of 4 (N / d + k) nodes in blocks, and 2 k that read them."""
    n, d, n_classes = geometry.n_samples, geometry.n_features, geometry.n_classes
    met, evidence = general_position(geometry, estimator)
    in_blocks = 4 * n / d + 4 * n_classes
    # A node of a block reads all features and writes one, a reader reads one.
    return Prediction(
        "general position",
        met,
        evidence,
        "at most",
        in_blocks + 2 * n_classes + n_outputs(geometry),
        in_blocks * (d + 2) + 2 * n_classes * 4,
        depth=round(n / d) + n_classes + 2,
    )


def lower_bounds(geometry: Geometry, estimator) -> tuple[LowerBound, ...]:
    """Return what these labels take of any ReLU network."""
    # A block counts as one layer.
    return relu_pieces(geometry, depth_of(estimator))


CONSTRUCTION = Construction(
    name="residual",
    estimators=(ResidualMemorizingClassifier,),
    network="residual blocks, about 4 N / d hidden nodes",
    paper=Paper(
        "C. Yun, S. Sra, A. Jadbabaie",
        "Small ReLU networks are powerful memorizers: a tight analysis of "
        "memorization capacity",
        "NeurIPS 2019",
        "https://arxiv.org/abs/1810.07770",
    ),
    code=(build_residual_network,),
    predict_size=predict_size,
    lower_bounds=lower_bounds,
)
