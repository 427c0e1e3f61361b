r"""Width 2.

Theorem
   :math:`N` samples of :math:`M` classes are memorized by a ReLU network of width 2 in
   at most :math:`2 N + 4 M - 1` layers, with explicit weights, and none of width 1
   memorizes all of them. Here there are at most :math:`N + 2 + F` layers and :math:`4 N
   + 6 F + d + 3` parameters, :math:`F = \lceil \log_2 (8 N / 3) \rceil`, by a
   construction of our own (the paper's is known to us from its abstract): one layer
   puts the piece of one sample into an increasing function of its position on a line,
   and :math:`F` layers fold that up until it says the label.
Test data
   Nothing is promised. Between two samples on the line the network runs through the
   classes between theirs, and the line knows next to nothing of what is near.
"""

from .._lower_bounds import hidden_layers_of, relu_pieces
from .._record import Construction, Geometry, LowerBound, Paper, Prediction
from ..bit_extraction._construction import predict_bit_extraction
from ._construction import build_narrow_network, narrow_bound
from ._estimator import NarrowClassifier
from ._network import NarrowNetwork

__all__ = ["NarrowClassifier"]


def predict_size(geometry: Geometry, estimator) -> Prediction:
    """Return the bound, with weights as long as positions on a line of random data."""
    n, d, n_classes = geometry.n_samples, geometry.n_features, geometry.n_classes
    bound = narrow_bound(n, n_classes)
    # Samples are 4 apart there as here.
    position_bits = predict_bit_extraction(n, d, 3).first_bits
    return Prediction(
        "distinct samples",
        True,
        f"{n} of {geometry.n_given} are distinct",
        "at most",
        bound.n_neurons,
        bound.n_parameters(d),
        bound.depth,
        position_bits,
    )


def lower_bounds(geometry: Geometry, estimator) -> tuple[LowerBound, ...]:
    """Return what these labels take of any ReLU network of this depth."""
    return relu_pieces(geometry, hidden_layers_of(estimator))


CONSTRUCTION = Construction(
    name="width 2",
    estimators=(NarrowClassifier,),
    network="two ReLU nodes a layer, about N layers",
    paper=Paper(
        "M. Hernández, E. Zuazua",
        "Constructive universal approximation and finite sample memorization by narrow "
        "deep ReLU networks",
        "2024",
        "https://arxiv.org/abs/2409.06555",
    ),
    code=(build_narrow_network, NarrowNetwork),
    predict_size=predict_size,
    lower_bounds=lower_bounds,
)
