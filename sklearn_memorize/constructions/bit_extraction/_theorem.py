"""Vardi, Yehudai, Shamir (2022): O(sqrt(N log N)) parameters, of nearly as many bits.

The constants are known for keys as long as those of a network that is built; before
that for keys as random data take them.
"""

from .._record import Geometry, Prediction
from ._construction import bit_extraction_bound, predict_bit_extraction


def predict_size(geometry: Geometry, estimator) -> Prediction:
    """Return a bound if the estimator is fitted, else the sizes to be expected."""
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
            sizes.n_parameters,
            sizes.depth,
            sizes.bits_per_weight,
        )
    bound = bit_extraction_bound(n, d, shape.first_bits, n_classes)
    return Prediction(
        "distinct samples",
        True,
        f"{evidence}, keys of {shape.first_bits} bits",
        "at most",
        # 2 G + 6 B neurons, 6 G + 10 B parameters, and less of the former besides.
        6 * bound.n_parameters // 10,
        bound.n_parameters,
    )
