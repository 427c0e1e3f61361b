r"""Bit extraction.

Theorem
   :math:`N` samples at distances of at least :math:`\delta` are memorized by a ReLU
   network of width 12 with :math:`\tilde O(\sqrt N)` parameters, and up to logarithms
   no network does with fewer. The weights are long: :math:`\tilde O(\sqrt N)` bits, and
   that is necessary as well. Up to constants. Here they are known: at most :math:`d +
   20 + 10 \rho + 2 \sqrt{6 N (10 \rho + 13)}` parameters, where :math:`\rho` is the
   number of bits of a key (about :math:`2 \log_2 N` and those of a label on random
   data), in about :math:`\sqrt{2.4 N \rho}` layers. In at most :math:`L \ge 5` layers
   (`n_layers`) the theorem has :math:`\tilde O(N / L)` parameters; here there are at
   most :math:`d + 7 + 2 N / s + 4 \sqrt{N (10 \rho + 17)} + (10 \rho + 13) s`, where
   :math:`s` is the larger of 1 and :math:`\lfloor (L - 5) / (2 \rho) \rfloor`. With
   `fewest="width"` the widest of them has at most :math:`17 \sqrt{\rho N} / (L - 5) +
   7` nodes: :math:`W^2 L^2 = O(N \log 1 / \delta)` is the trade-off of Yang and Yang
   (arXiv:2603.09589, known to us from the abstract).
Test data
   Nothing is promised, and it shows: off the tiny intervals around the training samples
   the network says the first class. Nor is anything saved but the count: one hidden
   layer of :math:`N` nodes that share their weights (Zhang et al., ICLR 2017) has
   :math:`2 N + d` parameters, which is fewer below about :math:`N = 1150` and ordinary
   numbers always.
"""

from .._lower_bounds import depth_of, hidden_layers_of, relu_pieces, shattering
from .._record import Construction, Geometry, LowerBound, Paper, Prediction
from ._chains_network import LabelStepsNetwork
from ._construction import (
    bit_extraction_bound,
    build_bit_extraction_network,
    predict_bit_extraction,
)
from ._estimator import BitExtractionClassifier
from ._given_depth import bound_of_depth, build_network_of_depth

__all__ = ["BitExtractionClassifier"]


def predict_size(geometry: Geometry, estimator) -> Prediction:
    """Return a bound if the estimator is fitted, else the sizes to be expected.

    The constants are known for keys as long as those of a network that is built; before
    that for keys as random data take them.
    """
    n, d, n_classes = geometry.n_samples, geometry.n_features, geometry.n_classes
    shape = getattr(getattr(estimator, "network_", None), "shape", None)
    evidence = f"{n} of {geometry.n_given} are distinct"
    n_layers = getattr(estimator, "n_layers", None)
    if n_layers is not None:
        return _predict_given_depth(geometry, estimator, shape, evidence)
    if shape is None:
        sizes = predict_bit_extraction(n, d, n_classes)
        return Prediction(
            "distinct samples",
            True,
            f"{evidence}, keys as of random data",
            "up to constants",
            sizes.n_neurons,
            sizes.n_parameters(d),
            sizes.depth,
            sizes.bits_per_weight,
        )
    bound = bit_extraction_bound(n, d, shape.first_bits, n_classes).n_parameters(d)
    return Prediction(
        "distinct samples",
        True,
        f"{evidence}, keys of {shape.first_bits} bits",
        "at most",
        # 2 G + 6 B neurons, 6 G + 10 B parameters, and less of the former besides.
        6 * bound // 10,
        bound,
    )


def _predict_given_depth(geometry: Geometry, estimator, shape, evidence: str):
    """Return the bound for at most `n_layers` layers, or what random data take."""
    n, d, n_classes = geometry.n_samples, geometry.n_features, geometry.n_classes
    if shape is None:
        key_bits = predict_bit_extraction(n, d, n_classes).first_bits
        evidence = f"{evidence}, keys as of random data"
    else:
        key_bits = shape.first_bits
        evidence = f"{evidence}, keys of {key_bits} bits"
    n_layers, fewest = estimator.n_layers, estimator.fewest
    bound = bound_of_depth(n, d, key_bits, n_classes, n_layers, fewest)
    return Prediction(
        "distinct samples",
        True,
        evidence,
        "up to constants" if shape is None else "at most",
        # Only what there are the fewest of is bounded, and nodes of a width are not.
        None,
        bound.n_parameters(d) if fewest == "parameters" else None,
    )


def lower_bounds(geometry: Geometry, estimator) -> tuple[LowerBound, ...]:
    """Return what any labels take of a ReLU network of this depth.

    Where the labels themselves are steps, they decide how large the network gets.
    """
    bounds = relu_pieces(geometry, hidden_layers_of(estimator))
    network = getattr(estimator, "network_", None)
    if isinstance(network, LabelStepsNetwork):
        return bounds
    return bounds + shattering(geometry, depth_of(estimator))


CONSTRUCTION = Construction(
    name="bit extraction",
    estimators=(BitExtractionClassifier,),
    network="about sqrt(N log N) parameters, hundreds of bits each",
    paper=Paper(
        "G. Vardi, G. Yehudai, O. Shamir",
        "On the optimal memorization power of ReLU neural networks",
        "ICLR 2022",
        "https://arxiv.org/abs/2110.03187",
    ),
    code=(build_bit_extraction_network, build_network_of_depth, predict_bit_extraction),
    predict_size=predict_size,
    lower_bounds=lower_bounds,
)
