r"""Slabs.

Theorem
   Two classes in general position (no :math:`d + 1` samples on a hyperplane) are
   memorized by :math:`2 \lceil n / d \rceil` threshold units in one hidden layer and
   one at the output; :math:`n` is the size of the smaller class. An exact count. With
   several classes, every class but the largest has slabs of its own. Where data are not
   in general position, as images with constant pixels are not, `fit` takes smaller
   groups and more slabs, or names the samples.
Test data
   Nothing is promised, and it shows: slabs are thin, and nearly everything outside the
   training set is given to the largest class.
"""

from .._record import Construction, Paper
from ._construction import find_slabs
from ._estimator import SlabClassifier
from ._network import SlabNetwork
from ._theorem import predict_size

__all__ = ["SlabClassifier"]

CONSTRUCTION = Construction(
    name="slabs",
    estimators=(SlabClassifier,),
    network="one hidden layer, two units for d samples",
    paper=Paper(
        "E. B. Baum",
        "On the capabilities of multilayer perceptrons",
        "Journal of Complexity 4(3), 1988",
        "https://doi.org/10.1016/0885-064X(88)90020-9",
    ),
    code=(find_slabs, SlabNetwork),
    predict_size=predict_size,
)
