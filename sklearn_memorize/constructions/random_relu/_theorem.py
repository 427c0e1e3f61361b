"""Dirksen, Genzel, Jacques, Stollenwerk (2022): a width by the mutual complexity."""

from .._record import Geometry, Prediction, classes_apart


def predict_size(geometry: Geometry, estimator) -> Prediction:
    """Return the assumption alone: the theorem's width is not computed here."""
    met, evidence = classes_apart(geometry)
    return Prediction(
        "classes at distance delta", met, evidence, "up to constants", None, None
    )
