"""Yu, Gao, Zhang, Miao (2024): a hyperplane for each pair of samples at the most."""

from .._record import Geometry, Prediction, n_outputs


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
