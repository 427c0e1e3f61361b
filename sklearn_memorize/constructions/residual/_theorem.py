"""Yun, Sra, Jadbabaie (2019): 4 N / d + 6 d_y hidden nodes in residual blocks."""

from .._record import Geometry, Prediction, general_position, n_outputs


def predict_size(geometry: Geometry, estimator) -> Prediction:
    """Return the size of 4 (N / d + k) nodes in blocks, and 2 k that read them."""
    n, d, n_classes = geometry.n_samples, geometry.n_features, geometry.n_classes
    met, evidence = general_position(geometry, estimator)
    in_blocks = 4 * n / d + 4 * n_classes
    # A node of a block reads all features and writes one, a reader reads one.
    return Prediction(
        "general position",
        met,
        evidence,
        "at most",
        in_blocks + 2 * n_classes + n_outputs(geometry),
        in_blocks * (d + 2) + 2 * n_classes * 4,
        depth=round(n / d) + n_classes + 2,
    )
