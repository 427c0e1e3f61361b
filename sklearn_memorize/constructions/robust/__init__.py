r"""The nearest of a few centers.

Theorem
   Every point within :math:`\rho D_i / 2` of sample i gets its label, for any
   :math:`\rho < 1`; :math:`D_i` is the distance to the nearest sample of another class.
   The network has at most :math:`14 N d` parameters that are not zero, and
   :math:`6 k (\log_2 N + 2)` more for k classes: an affine function for each of K
   centers, and ReLU nodes that find the largest one of each class, pair by pair.
   Centers are chosen so that each sample has one of its class within
   :math:`(1 - \rho) D_i`: the smaller :math:`\rho`, the fewer. The proof is in the
   notes of :class:`RobustMemorizingClassifier`. We know the paper from its abstract,
   which has O(N d) parameters for balls of one radius below :math:`\min_i D_i / 2`.
   What each :math:`\rho` costs is bounded by Kim, Moon, Yun (`NeurIPS 2025
   <https://arxiv.org/abs/2510.24643>`__).
Test data
   Proven within the balls only;
   :meth:`~RobustMemorizingClassifier.certified_radius` tells how far a new sample is
   from any other prediction. For :math:`\rho` close to 1 the prediction is that of the
   nearest neighbour; with fewer centers it is somewhat worse.
"""

import math

from .._record import Construction, Geometry, Paper, Prediction, n_outputs
from ._construction import build_robust_network, cover_by_reaches
from ._estimator import RobustMemorizingClassifier
from ._network import NearestCenterNetwork

__all__ = ["RobustMemorizingClassifier"]


def predict_size(geometry: Geometry, estimator) -> Prediction:
    """Return the size if every sample is a center."""
    n_centers, d, k = geometry.n_samples, geometry.n_features, geometry.n_classes
    rounds = math.ceil(math.log2(n_centers)) if n_centers > 1 else 0
    depth = 2 + math.ceil(math.log2(max(1, geometry.class_sizes.max())))
    # A pair of numbers takes 3 nodes, a number without a partner 2.
    n_parameters = n_centers * (d + 13) + 6 * k * (rounds + 2)
    n_neurons = n_centers * 4 + 2 * k * (rounds + 1) + n_outputs(geometry)
    if getattr(estimator, "metric", "euclidean") == "chebyshev":
        inner = math.ceil(math.log2(d)) if d > 1 else 0
        n_parameters = n_centers * (12 * d + 6) + 2 * k * (rounds + 2)
        n_neurons = n_centers * (4 * d + inner + 2) + k * rounds + n_outputs(geometry)
        depth += inner
    return Prediction(
        "distinct samples",
        True,
        f"D_i >= {geometry.distance:.3g}",
        "at most",
        n_neurons,
        n_parameters,
        depth=depth,
    )


CONSTRUCTION = Construction(
    name="robust",
    estimators=(RobustMemorizingClassifier,),
    network="an affine function for each center, compared by ReLU",
    paper=Paper(
        "L. Yu, X.-S. Gao, L. Zhang",
        "Optimal robust memorization with ReLU neural networks",
        "ICLR 2024",
        "https://openreview.net/forum?id=47hDbAMLbc",
    ),
    code=(build_robust_network, cover_by_reaches, NearestCenterNetwork),
    predict_size=predict_size,
)
