r"""Slabs.

Theorem
   Two classes in general position (no :math:`d + 1` samples on a hyperplane) are
   memorized by :math:`2 \lceil n / d \rceil` threshold units in one hidden layer and
   one at the output; :math:`n` is the size of the smaller class. An exact count. With
   several classes, every class but the largest has slabs of its own. Where data are not
   in general position, as images with constant pixels are not, `fit` takes smaller
   groups and more slabs, or names the samples. Real targets of :math:`N` samples are
   memorized by :math:`4 \lceil N / d \rceil` ReLU units in one hidden layer, with the
   same slabs (S. Bubeck, R. Eldan, Y. T. Lee, D. Mikulincer, NeurIPS 2020).
Test data
   Nothing is promised, and it shows: slabs are thin, and nearly everything outside the
   training set is given to the largest class, or gets the default target.
"""

import math

import numpy as np

from .._lower_bounds import curved_samples, threshold_layer
from .._record import (
    Construction,
    Geometry,
    LowerBound,
    Paper,
    Prediction,
    general_position,
    n_outputs,
)
from ._construction import find_slabs
from ._estimator import SlabClassifier, SlabRegressor
from ._network import RampNetwork, SlabNetwork
from ._ramps import build_ramp_network

__all__ = ["SlabClassifier", "SlabRegressor"]


def predict_size(geometry: Geometry, estimator) -> Prediction:
    """Return the size of 2 ceil(n / d) units a class, and one output for each class."""
    if isinstance(estimator, SlabRegressor):
        return _size_of_ramps(geometry, estimator)
    sizes = np.sort(geometry.class_sizes)[:-1].tolist()
    n_slabs = sum(math.ceil(size / geometry.n_features) for size in sizes)
    # Two units a slab; one output reads them, with several classes two do.
    n_readers = 1 if geometry.n_classes == 2 else 2
    met, evidence = general_position(geometry, estimator)
    return Prediction(
        "general position",
        met,
        evidence,
        "at most",
        2 * n_slabs + n_outputs(geometry),
        2 * n_slabs * (geometry.n_features + 1 + n_readers) + 1,
        depth=2,
    )


def lower_bounds(geometry: Geometry, estimator) -> tuple[LowerBound, ...]:
    """Return the fewest hyperplanes on these labels, and in the worst case."""
    return threshold_layer(geometry) + curved_samples(geometry)


def _size_of_ramps(geometry: Geometry, estimator) -> Prediction:
    """Return the size of 4 ceil(N / d) units, for one target."""
    n_units = 4 * math.ceil(geometry.n_samples / geometry.n_features)
    met, evidence = general_position(geometry, estimator)
    return Prediction(
        "general position",
        met,
        evidence,
        "at most",
        n_units + 1,
        n_units * (geometry.n_features + 2) + 1,
        depth=2,
    )


CONSTRUCTION = Construction(
    name="slabs",
    estimators=(SlabClassifier, SlabRegressor),
    network="one hidden layer, two units for d samples",
    paper=Paper(
        "E. B. Baum",
        "On the capabilities of multilayer perceptrons",
        "Journal of Complexity 4(3), 1988",
        "https://doi.org/10.1016/0885-064X(88)90020-9",
    ),
    code=(find_slabs, SlabNetwork, build_ramp_network, RampNetwork),
    predict_size=predict_size,
    lower_bounds=lower_bounds,
)
