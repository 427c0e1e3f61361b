"""What the theorems say about a data set: assumptions, and sizes of networks.

One small function for each construction, listed in `PREDICTIONS` at the end.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
from sklearn.utils import check_random_state

from .._estimator._conflicts import resolve_labels
from .._estimator._training_set import distinct_rows
from ..constructions.bit_extraction._construction import (
    bit_extraction_bound,
    predict_bit_extraction,
)
from ._covering import MutualCovering, mutual_covering
from ._geometry import check_labelled, radius, separation

__all__ = ["PREDICTIONS", "Geometry", "Prediction"]

# Probability of failure, and Gaussian vectors, for the sizes from random hyperplanes.
_FAILURE = 0.05
_N_DIRECTIONS = 100
_SMALLEST = math.ulp(0.0)


class Geometry:
    """What the theorems need to know about labelled data, computed when asked for.

    Identical samples count once, with the label that most of them carry.

    Parameters
    ----------
    X : array-like or sparse matrix of shape (n_samples, n_features)
        The samples.
    y : array-like of shape (n_samples,)
        Their labels.
    random_state : int, RandomState instance or None
        Determines the covering and the Gaussian width.
    """

    def __init__(self, X, y, random_state):
        X, self.classes, labels = check_labelled(X, y)
        first, inverse = distinct_rows(X)
        self.n_given = len(X)
        self.X = X[first]
        self.labels, self.n_conflicts = resolve_labels(
            inverse, labels, None, len(first)
        )
        self.n_samples, self.n_features = self.X.shape
        self.seeds = check_random_state(random_state).randint(2**31 - 1, size=2)

    @property
    def class_sizes(self) -> np.ndarray:
        """Number of distinct samples of each class, the classes that lost all too."""
        return np.bincount(self.labels, minlength=len(self.classes))

    @cached_property
    def radius(self) -> float:
        """R, the largest distance from the mean."""
        return radius(self.X)

    @cached_property
    def distance(self) -> float:
        """The smallest distance between different labels."""
        return separation(self.X, self.labels).distance

    @property
    def delta(self) -> float:
        """The smallest distance between different labels in units of the radius."""
        if self.radius == 0:
            return math.inf
        return max(self.distance / self.radius, _SMALLEST)  # it may underflow

    @cached_property
    def covering(self) -> MutualCovering:
        """A mutual covering of each class and the rest."""
        return mutual_covering(self.X, self.labels, random_state=int(self.seeds[0]))

    @cached_property
    def omega(self) -> float:
        """Largest Gaussian width of a ball's members, in units of the radius."""
        rng = np.random.default_rng(int(self.seeds[1]))
        directions = rng.standard_normal((self.n_features, _N_DIRECTIONS))
        heights = (self.X - self.X.mean(axis=0)) @ directions
        covers = [c for pair in self.covering.coverings for c in (pair.own, pair.rest)]
        widths = [
            (heights[ball].max(axis=0) - heights[center]).mean()
            for cover in covers
            for center, ball in zip(cover.centers, cover.members, strict=True)
        ]
        return max(widths) / self.radius

    @cached_property
    def rank(self) -> int:
        """Dimension of the affine hull of the samples."""
        return int(np.linalg.matrix_rank(self.X - self.X.mean(axis=0)))


@dataclass(frozen=True)
class Prediction:
    """What a theorem says about a data set.

    Parameters
    ----------
    assumption : str
        What the theorem needs.
    met : bool or None
        Whether the data are like that; None if that has not been decided.
    evidence : str
        How it is known.
    kind : {"at most", "up to constants"}
        How the sizes are meant.
    n_neurons, n_parameters : float or None
        The sizes; None where the theorem names none.
    """

    assumption: str
    met: bool | None
    evidence: str
    kind: Literal["at most", "up to constants"]
    n_neurons: float | None
    n_parameters: float | None


def _n_outputs(geometry: Geometry) -> int:
    return 1 if len(geometry.classes) == 2 else len(geometry.classes)


def _apart(geometry: Geometry) -> tuple[bool, str]:
    return geometry.delta > 0, f"delta = {geometry.delta:.3g} R"


def random_hyperplanes(geometry: Geometry, estimator) -> Prediction:
    """Dirksen, Finke, Genzel: n hyperplanes and M- neurons of the second layer."""
    met, evidence = _apart(geometry)
    covering, delta = geometry.covering, geometry.delta
    bias = max(float(getattr(estimator, "max_bias", 1.0)), delta)
    balls = np.max(covering.n_own * covering.n_rest)
    n_hyperplanes = bias * math.log(balls / _FAILURE) / delta
    n_hyperplanes += bias * float(geometry.omega) ** 2 / delta / delta / delta
    width = int(covering.n_own.sum())
    return Prediction(
        "classes at distance delta",
        met,
        f"{evidence}, M- = {width}, omega = {geometry.omega:.2g} R",
        "up to constants",
        n_hyperplanes + width + len(geometry.classes),
        n_hyperplanes * (geometry.n_features + 1) + (n_hyperplanes + 2) * width,
    )


def nearby_set(geometry: Geometry, estimator) -> Prediction:
    """Yu, Gao, Zhang, Miao: a hyperplane for each pair of samples at the most."""
    n, sizes = geometry.n_samples, geometry.class_sizes.tolist()
    pairs = n**2 - sum(size**2 for size in sizes)
    return Prediction(
        "classes at distance c",
        geometry.distance > 0,
        f"c = {geometry.distance:.3g}",
        "at most",
        pairs + n + _n_outputs(geometry),
        pairs * (geometry.n_features + 2) + 2 * n,
    )


def small_relu(geometry: Geometry, estimator) -> Prediction:
    """Yun, Sra, Jadbabaie: two hidden layers with 4 floor(d1/4) floor(d2/4) >= N."""
    n = geometry.n_samples
    width = 4 * math.ceil(math.sqrt(n) / 2)
    neurons, parameters = 2 * width + 1, width * (geometry.n_features + width + 3) + 1
    deeper = getattr(estimator, "n_layers", 3) > 3
    return Prediction(
        "distinct samples",
        True,
        f"{n} of {geometry.n_given} are distinct",
        "up to constants" if deeper else "at most",
        neurons,
        parameters,
    )


def deep_threshold(geometry: Geometry, estimator) -> Prediction:
    """Rajput et al.: O(log N / delta + sqrt N) neurons, O(d log N / delta + N)."""
    met, evidence = _apart(geometry)
    n = geometry.n_samples
    n_hyperplanes = math.log(max(n, 2)) / geometry.delta
    return Prediction(
        "samples at distance delta",
        met,
        evidence,
        "up to constants",
        n_hyperplanes + math.sqrt(n),
        geometry.n_features * n_hyperplanes + n,
    )


def slabs(geometry: Geometry, estimator) -> Prediction:
    """Baum: two units for each d samples of every class but the largest."""
    sizes = np.sort(geometry.class_sizes)[:-1].tolist()
    n_slabs = sum(math.ceil(size / geometry.n_features) for size in sizes)
    # Two units a slab; one output reads them, with several classes two do.
    n_readers = 1 if len(geometry.classes) == 2 else 2
    met, evidence = _unsplit(geometry, estimator)
    return Prediction(
        "general position",
        met,
        evidence,
        "at most",
        2 * n_slabs + _n_outputs(geometry),
        2 * n_slabs * (geometry.n_features + 1 + n_readers) + 1,
    )


def random_relu(geometry: Geometry, estimator) -> Prediction:
    """Dirksen, Genzel, Jacques, Stollenwerk: a width by the mutual complexity."""
    met, evidence = _apart(geometry)
    kind: Literal["up to constants"] = "up to constants"
    return Prediction("classes at distance delta", met, evidence, kind, None, None)


def bit_extraction(geometry: Geometry, estimator) -> Prediction:
    """Vardi, Yehudai, Shamir: O(sqrt(N log N)) parameters, of nearly as many bits.

    With its constants for keys as long as the built network has them, and else for keys
    as random data take them.
    """
    n, d, n_classes = geometry.n_samples, geometry.n_features, len(geometry.classes)
    shape = getattr(getattr(estimator, "network_", None), "shape", None)
    kind: Literal["at most", "up to constants"]
    if shape is None:
        sizes, kind = predict_bit_extraction(n, d, n_classes), "up to constants"
        n_neurons, keys = sizes.n_neurons, "keys as of random data"
    else:
        sizes, kind = bit_extraction_bound(n, d, shape.first_bits, n_classes), "at most"
        # 2 G + 6 B neurons, 6 G + 10 B parameters, and less of the former besides.
        n_neurons, keys = (
            6 * sizes.n_parameters // 10,
            f"keys of {shape.first_bits} bits",
        )
    return Prediction(
        "distinct samples",
        True,
        f"{n} of {geometry.n_given} are distinct, {keys}",
        kind,
        n_neurons,
        sizes.n_parameters,
    )


def residual(geometry: Geometry, estimator) -> Prediction:
    """Yun, Sra, Jadbabaie: 4 N / d + 6 d_y hidden nodes in residual blocks."""
    n, d, n_classes = geometry.n_samples, geometry.n_features, len(geometry.classes)
    met, evidence = _unsplit(geometry, estimator)
    in_blocks = 4 * n / d + 4 * n_classes
    # A node of a block reads all features and writes one, a reader reads one.
    return Prediction(
        "general position",
        met,
        evidence,
        "at most",
        in_blocks + 2 * n_classes + _n_outputs(geometry),
        in_blocks * (d + 2) + 2 * n_classes * 4,
    )


def general_position(geometry: Geometry) -> tuple[bool | None, str]:
    """Say whether all samples lie in one hyperplane; more is not looked for."""
    d, rank = geometry.n_features, geometry.rank
    if rank < min(d, geometry.n_samples - 1):
        return False, f"all samples lie in {rank} of {d} dimensions"
    return None, "no common hyperplane"


def _unsplit(geometry: Geometry, estimator) -> tuple[bool | None, str]:
    """Say whether all groups of d samples had a hyperplane to themselves."""
    met, evidence = general_position(geometry)
    if met is not False and hasattr(estimator, "n_split_"):
        met = estimator.n_split_ == 0
        evidence = f"{estimator.n_split_} groups had to be split"
    return met, evidence


PREDICTIONS: dict[str, Callable[[Geometry, object], Prediction]] = {
    "MemorizingClassifier": random_hyperplanes,
    "NearbySetClassifier": nearby_set,
    "SmallReLUClassifier": small_relu,
    "DeepThresholdClassifier": deep_threshold,
    "SlabClassifier": slabs,
    "RandomReLUClassifier": random_relu,
    "BitExtractionClassifier": bit_extraction,
    "ResidualMemorizingClassifier": residual,
}
