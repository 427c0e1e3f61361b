"""Cells around a nearby set behind the scikit-learn interface."""

from __future__ import annotations

from numbers import Integral, Real
from typing import ClassVar

import numpy as np

from ..._estimator._base import BaseMemorizingClassifier, constant_network
from ..._estimator._callbacks import Progress
from ..._estimator._parameters import threads_for
from ..._estimator._radius import CertifiedRadiusMixin
from ..._estimator._sklearn import Interval, StrOptions
from ..._estimator._training_set import TrainingSet
from ...exact._distances import FEATURES_FOR_SINGLE, slicing
from ._cells import MARGIN
from ._construction import build_nearby_set_network
from ._decision import BLOCK_BYTES


class NearbySetClassifier(CertifiedRadiusMixin, BaseMemorizingClassifier):
    """Memorize the training set by a network that provably generalizes.

    Centers are chosen out of the training set such that each sample lies within
    `cover_radius` class distances of a center of its own label; the class distance is
    the smallest distance between samples of different label. A three-layer ReLU network
    [1]_ then puts a cell around each center that holds every point within c / 3.1 of
    it, c being the class distance, and no such point of another label.

    Training samples are recalled exactly, at whatever distance from each other. The
    theorem about new samples: if every point of the distribution's support has a point
    of S of its own label within c / 3.1, for a finite set S of labelled points, and if
    at least `(|S| / eps) * ln(|S| / delta)` samples are drawn, then with probability
    1 - delta the accuracy is at least 1 - eps.

    Parameters
    ----------
    cover_radius : float, default=1/3.1
        How far a center reaches, in units of the class distance; at most 1/3.1. With
        0 every distinct sample is a center, which is the literal construction.
    conflicts : {"majority", "raise"}, default="majority"
        What to do with identical rows that carry different labels: memorize the label
        of largest total weight, with a `ConflictingLabelsWarning`; or raise.
    n_jobs : int or None, default=None
        Number of threads that share the rows in prediction. The result does not depend
        on it.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The class labels.
    network_ : Network
        The network. It is evaluated from the distances to the K centers; its
        `layers` are written out on demand while they are small.
    class_distance_ : float
        The smallest distance between training samples of different label, c; infinite
        if there is one class only.
    center_indices_ : ndarray of shape (n_centers,)
        Positions in the training set of the centers, sorted by label.
    interpolates_ : bool
        Whether every training sample gets its own label back; always true after
        `fit`.
    n_conflicts_ : int
        Number of distinct rows that carried several labels.
    n_features_in_ : int
        Number of features.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the features, if `X` had names that are strings.

    Raises
    ------
    InterpolationError
        If samples of different label are closer than 2^-400 of the largest coordinate.

    See Also
    --------
    sklearn_memorize.inspection.separation : The class distance, and who attains it.

    Notes
    -----
    The network has at most K^2 hyperplanes, hence O(N^2 d) parameters; no hyperplane is
    stored. Fitting takes O(N^2 d) operations and O(N d) bytes beside tables of bounded
    size. Predicting takes O(K d) operations a row for the distances to the centers, of
    which there are K, and as much again for each of the cells that may decide: mostly
    that of the nearest center. From 128 features on, distances are bounded in single
    precision; where the samples vary in few directions more than in others, by as many
    numbers for each center, and only few are computed. `decision_function` looks at
    several cells of each class.

    Outside of all cells the network is 0. There the class of the largest cell value
    before its ReLU is predicted, so that every input has a defined answer;
    `network_.forward` tells where that happens.

    **Certified radius.** `certified_radius` is D / 3.1 less the distance to the nearest
    center of the predicted label, where D is the distance of that center to the nearest
    one of another label; 0 if that is negative. Within D / 3.1 of a center its own cell
    is 1, and those of other labels are at most 0. For `metric="chebyshev"` it is
    divided by the root of the number of features.

    A prediction depends on the row alone, not on the batch, the number of threads,
    the floating point type that holds the same values, or the storage.

    References
    ----------
    .. [1] L. Yu, X.-S. Gao, L. Zhang, Y. Miao, "Generalizability of memorization neural
       networks", Advances in Neural Information Processing Systems 37, 2024.
       :arxiv:`2411.00372`

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn_memorize import NearbySetClassifier
    >>> X, y = load_iris(return_X_y=True)
    >>> classifier = NearbySetClassifier().fit(X, y)
    >>> classifier.score(X, y)
    1.0
    >>> classifier.network_.depth
    3
    """

    _parameter_constraints: ClassVar[dict] = {
        "cover_radius": [Interval(Real, 0, MARGIN, closed="both")],
        "conflicts": [StrOptions({"majority", "raise"})],
        "n_jobs": [Integral, None],
    }

    def __init__(self, *, cover_radius=1 / 3.1, conflicts="majority", n_jobs=None):
        self.cover_radius = cover_radius
        self.conflicts = conflicts
        self.n_jobs = n_jobs

    def _bytes_to_build(self, training: TrainingSet) -> int:
        # Two sets of points as they came, centered and in slices, for the closest pair
        # and again for the cells; and tables of distances.
        n_slices = slicing(training.n_features)[1]
        n_tabled = min(8 * training.n_samples**2, BLOCK_BYTES)
        if training.n_features < FEATURES_FOR_SINGLE:
            return 4 * (10 + 6 * n_slices) * training.n_values + 2 * n_tabled
        # Most distances are looked through in single precision, a block at a time.
        return 4 * (5 * n_slices + 3) * training.n_values + n_tabled

    def _build(self, training: TrainingSet, progress: Progress):
        # A zero that a sparse matrix leaves out has no sign.
        points = training.dense_points() + 0.0
        if training.n_classes == 1:
            return {
                "network_": constant_network(points.shape[1]),
                "class_distance_": np.inf,
                "center_indices_": training.rows[:1],
            }, None
        network, distance, centers = build_nearby_set_network(
            points, training.labels, self.cover_radius, training.rows
        )
        return {
            "network_": training.embedded(network),
            "class_distance_": distance,
            "center_indices_": training.rows[centers],
        }, None

    def _outputs(self, X) -> np.ndarray:
        return self.network_.class_scores(X, threads_for(self.n_jobs))

    def _predict_class_numbers(self, X) -> np.ndarray:
        if len(self.classes_) == 1:
            return np.zeros(X.shape[0], dtype=np.intp)
        return self.network_.best_classes(X, threads_for(self.n_jobs))

    def _radii(self, X, numbers, metric) -> np.ndarray:
        return self.network_.certified_radii(X, numbers, metric)
