r"""Bit extraction.

Theorem
   :math:`N` samples at distances of at least :math:`\delta` are memorized by a ReLU
   network of width 12 with :math:`\tilde O(\sqrt N)` parameters, and up to logarithms
   no network does with fewer. The weights are long: :math:`\tilde O(\sqrt N)` bits, and
   that is necessary as well. Up to constants. Here they are known: at most :math:`d +
   20 + 10 \rho + 2 \sqrt{6 N (10 \rho + 13)}` parameters, where :math:`\rho` is the
   number of bits of a key (about :math:`2 \log_2 N` and those of a label on random
   data), in about :math:`\sqrt{2.4 N \rho}` layers.
Test data
   Nothing is promised, and it shows: off the tiny intervals around the training samples
   the network says the first class. Nor is anything saved but the count: one hidden
   layer of :math:`N` nodes that share their weights (Zhang et al., ICLR 2017) has
   :math:`2 N + d` parameters, which is fewer below about :math:`N = 1150` and ordinary
   numbers always.
"""

from .._record import Construction, Geometry, Paper, Prediction
from ._construction import (
    bit_extraction_bound,
    build_bit_extraction_network,
    predict_bit_extraction,
)
from ._estimator import BitExtractionClassifier

__all__ = ["BitExtractionClassifier"]


def predict_size(geometry: Geometry, estimator) -> Prediction:
    """Return a bound if the estimator is fitted, else the sizes to be expected.

    The constants are known for keys as long as those of a network that is built; before
    that for keys as random data take them.
    """
    n, d, n_classes = geometry.n_samples, geometry.n_features, geometry.n_classes
    shape = getattr(getattr(estimator, "network_", None), "shape", None)
    evidence = f"{n} of {geometry.n_given} are distinct"
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
    code=(build_bit_extraction_network, predict_bit_extraction),
    predict_size=predict_size,
)
