r"""Deep threshold networks.

Theorem
   Samples on the unit sphere at distances of at least :math:`\delta`, with two labels,
   are memorized by :math:`\tilde O(1 / \delta + \sqrt N)` threshold units with
   :math:`\tilde O(d / \delta + N)` weights, which are Gaussian in the first layer and
   integers in all others. Up to constants and logarithms.
Test data
   Nothing is promised, and it shows: parities tear near codes apart, and what a new
   code finds in the table is arbitrary. Expect little more than chance.
"""

import math

from .._lower_bounds import any_labels_of_thresholds, threshold_layer
from .._record import (
    Construction,
    Geometry,
    LowerBound,
    Paper,
    Prediction,
    classes_apart,
)
from ._construction import deep_threshold_network
from ._estimator import DeepThresholdClassifier
from ._network import DeepThresholdNetwork

__all__ = ["DeepThresholdClassifier"]


def predict_size(geometry: Geometry, estimator) -> Prediction:
    """Return log N / delta hyperplanes and the gates of the table, constants one."""
    met, evidence = classes_apart(geometry)
    n = geometry.n_samples
    n_hyperplanes = math.log(max(n, 2)) / geometry.delta
    return Prediction(
        "samples at distance delta",
        met,
        evidence,
        "up to constants",
        n_hyperplanes + math.sqrt(n),
        geometry.n_features * n_hyperplanes + n,
    )


def lower_bounds(geometry: Geometry, estimator) -> tuple[LowerBound, ...]:
    """Return the fewest hyperplanes on these labels, and for any labels."""
    return threshold_layer(geometry) + any_labels_of_thresholds(geometry)


CONSTRUCTION = Construction(
    name="deep threshold",
    estimators=(DeepThresholdClassifier,),
    network="deep, threshold units, integer weights",
    paper=Paper(
        "S. Rajput, K. Sreenivasan, D. Papailiopoulos, A. Karbasi",
        "An exponential improvement on the memorization capacity of deep "
        "threshold networks",
        "NeurIPS 2021",
        "https://arxiv.org/abs/2106.07724",
    ),
    code=(deep_threshold_network, DeepThresholdNetwork),
    predict_size=predict_size,
    lower_bounds=lower_bounds,
)
