r"""Random hyperplanes and a greedy cover.

Theorem
   Let :math:`M` balls, small compared to their distance from the other classes, cover
   the samples. Random hyperplanes and a greedy cover of their codes make a three-layer
   network that memorizes them, with at most :math:`M` neurons in its second layer, once
   the first one has :math:`(\lambda / \delta) \log(M / \eta) + (\lambda / \delta^3)
   \omega^2` neurons, with probability :math:`1 - \eta`; :math:`\omega` is the Gaussian
   mean width of the pieces of the cover, :math:`\lambda` the largest bias. Up to
   constants, which the paper leaves open. :math:`N` does not appear.
Test data
   Nothing is proven. In the table below four draws of random hyperplanes do at least as
   well as the nearest neighbour, and one almost does.
"""

import math

import numpy as np

from .._lower_bounds import any_labels_of_thresholds, threshold_layer
from .._record import (
    Construction,
    Geometry,
    LowerBound,
    Paper,
    Prediction,
    classes_apart,
)
from ._codes import BitCodes as BitCodes
from ._construction import memorize
from ._estimator import MemorizingClassifier
from ._hyperplane_layer import HyperplaneLayer as HyperplaneLayer
from ._network import Covering as Covering
from ._network import CoverNetwork as CoverNetwork
from ._reasons import Reasons as Reasons
from ._relu_codes import ReLUCodes as ReLUCodes
from ._transformer import RandomThresholdTransformer

__all__ = ["MemorizingClassifier", "RandomThresholdTransformer"]

_FAILURE = 0.05  # eta, the probability that the theorem fails


def predict_size(geometry: Geometry, estimator) -> Prediction:
    """Return n = lambda log(M- M+ / eta) / delta + lambda omega^2 / delta^3, and M-."""
    met, evidence = classes_apart(geometry)
    delta = geometry.delta
    bias = max(float(getattr(estimator, "max_bias", 1.0)), delta)
    balls = np.max(geometry.n_own_balls * geometry.n_rest_balls)
    n_hyperplanes = bias * math.log(balls / _FAILURE) / delta
    n_hyperplanes += bias * float(geometry.omega) ** 2 / delta / delta / delta
    width = int(geometry.n_own_balls.sum())
    return Prediction(
        "classes at distance delta",
        met,
        f"{evidence}, M- = {width}, omega = {geometry.omega:.2g} R",
        "up to constants",
        n_hyperplanes + width + geometry.n_classes,
        n_hyperplanes * (geometry.n_features + 1) + (n_hyperplanes + 2) * width,
    )


def lower_bounds(geometry: Geometry, estimator) -> tuple[LowerBound, ...]:
    """Return the fewest hyperplanes on these labels, if that is what its layer has."""
    if getattr(estimator, "activation", "threshold") != "threshold":
        return ()
    return threshold_layer(geometry) + any_labels_of_thresholds(geometry)


CONSTRUCTION = Construction(
    name="random hyperplanes",
    estimators=(MemorizingClassifier, RandomThresholdTransformer),
    network="three layers, random hyperplanes",
    paper=Paper(
        "S. Dirksen, P. Finke, M. Genzel",
        "Memorization with neural nets: going beyond the worst case",
        "JMLR 2024",
        "https://arxiv.org/abs/2310.00327",
    ),
    code=(memorize,),
    predict_size=predict_size,
    lower_bounds=lower_bounds,
)
