r"""Random ReLU features.

Theorem
   A layer of random ReLU features makes two classes linearly separable, with high
   probability, once its width exceeds a mutual complexity of the classes (covering
   numbers at the scale of :math:`\delta`, Gaussian mean widths of the pieces). Up to
   constants. :math:`N` does not appear, but :math:`N` neurons always do.
Test data
   Separation of whole regions around the samples, but no accuracy, is promised. It does
   well in the table, though not as well as the nearest neighbour.
"""

from .._lower_bounds import relu_pieces
from .._record import (
    Construction,
    Geometry,
    LowerBound,
    Paper,
    Prediction,
    classes_apart,
)
from ._construction import separate
from ._estimator import RandomReLUClassifier
from ._network import RandomReLUNetwork

__all__ = ["RandomReLUClassifier"]


def predict_size(geometry: Geometry, estimator) -> Prediction:
    """Return the assumption alone: the theorem's width is not computed here."""
    met, evidence = classes_apart(geometry)
    return Prediction(
        "classes at distance delta", met, evidence, "up to constants", None, None
    )


def lower_bounds(geometry: Geometry, estimator) -> tuple[LowerBound, ...]:
    """Return what these labels take of any network of one hidden layer."""
    return relu_pieces(geometry, 1)


CONSTRUCTION = Construction(
    name="random ReLU",
    estimators=(RandomReLUClassifier,),
    network="random ReLU features, made separable",
    paper=Paper(
        "S. Dirksen, M. Genzel, L. Jacques, A. Stollenwerk",
        "The separation capacity of random neural networks",
        "JMLR 2022",
        "https://arxiv.org/abs/2108.00207",
    ),
    code=(separate, RandomReLUNetwork),
    predict_size=predict_size,
    lower_bounds=lower_bounds,
)
