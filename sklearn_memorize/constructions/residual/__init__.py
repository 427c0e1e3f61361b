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

from .._record import Construction, Paper
from ._construction import build_residual_network
from ._estimator import ResidualMemorizingClassifier
from ._theorem import predict_size

__all__ = ["ResidualMemorizingClassifier"]

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
)
