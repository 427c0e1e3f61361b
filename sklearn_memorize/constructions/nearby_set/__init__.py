r"""Cells around a nearby set.

Theorem
   A three-layer network of :math:`O(N^2 d)` parameters, built in polynomial time,
   memorizes the samples: one cell around each center of a set that comes within
   :math:`\delta / 3.1` of every sample with a center of the sample's own label.
Test data
   The only guarantee here. If every point of the distribution's support has a point of
   a finite set :math:`S` of its own label within :math:`\delta / 3.1`, and :math:`N \ge
   (|S| / \epsilon) \ln(|S| / \eta)`, the accuracy is at least :math:`1 - \epsilon` with
   probability :math:`1 - \eta`. No finite sample tells whether such a set is small
   enough to help.
"""

from .._lower_bounds import relu_pieces
from .._record import Construction, Geometry, LowerBound, Paper, Prediction, n_outputs
from ._construction import greedy_cover
from ._estimator import NearbySetClassifier
from ._network import NearbySetNetwork

__all__ = ["NearbySetClassifier"]


def predict_size(geometry: Geometry, estimator) -> Prediction:
    """Return the size if every sample is a center: its cell has all of the others."""
    n, sizes = geometry.n_samples, geometry.class_sizes.tolist()
    pairs = n**2 - sum(size**2 for size in sizes)
    return Prediction(
        "classes at distance c",
        geometry.distance > 0,
        f"c = {geometry.distance:.3g}",
        "at most",
        pairs + n + n_outputs(geometry),
        pairs * (geometry.n_features + 2) + 2 * n,
        depth=3,
    )


def lower_bounds(geometry: Geometry, estimator) -> tuple[LowerBound, ...]:
    """Return what these labels take of any ReLU network."""
    return relu_pieces(geometry, 2)


CONSTRUCTION = Construction(
    name="nearby set",
    estimators=(NearbySetClassifier,),
    network="a ReLU cell around each center",
    paper=Paper(
        "L. Yu, X.-S. Gao, L. Zhang, Y. Miao",
        "Generalizability of memorization neural networks",
        "NeurIPS 2024",
        "https://arxiv.org/abs/2411.00372",
    ),
    code=(greedy_cover, NearbySetNetwork),
    predict_size=predict_size,
    lower_bounds=lower_bounds,
)
