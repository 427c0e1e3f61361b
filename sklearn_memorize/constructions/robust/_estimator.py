"""Robust memorization behind the scikit-learn interface."""

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
from ...exact._nearest import bytes_of_search
from ._construction import build_robust_network


class RobustMemorizingClassifier(CertifiedRadiusMixin, BaseMemorizingClassifier):
    """Memorize the training samples together with balls around them.

    Let D_i be the distance of sample i to the nearest training sample of another class.
    Every point within `robustness` * D_i / 2 of the sample gets its label. With D_i / 2
    that could not be, as balls of two classes would touch; any share of it below 1 can
    be had by O(N d) parameters [1]_, and the smaller the share the fewer are needed
    [2]_. Here the network tells the class of the nearest of K centers, which are chosen
    out of the samples so that each has one of its class within (1 - `robustness`) D_i.

    Parameters
    ----------
    robustness : float, default=0.5
        The radii of the balls, in units of half the distance to the nearest sample of
        another class; between 0 and 1, both excluded. The nearer to 1, the more samples
        are centers: beyond a certain point all of them, and the network is that of the
        nearest neighbour.
    metric : {"euclidean", "chebyshev"}, default="euclidean"
        The distance: the root of the sum of squared differences (balls of l2), or the
        largest difference of a feature (balls of l-infinity, which are cubes).
    conflicts : {"majority", "raise"}, default="majority"
        What to do with identical rows that carry different labels: memorize the label
        of largest total weight, with a `ConflictingLabelsWarning`; or raise.
    n_jobs : int or None, default=None
        Number of threads that share the samples in fitting, and the rows in prediction.
        The result does not depend on it.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The class labels.
    network_ : Network
        The network. It is evaluated by a search for the nearest centers; its `layers`
        are written out on demand.
    class_distance_ : float
        The smallest distance between training samples of different label, the least of
        the D_i; infinite if there is one class only.
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

    See Also
    --------
    NearbySetClassifier : Balls of a third of the class distance, with a guarantee for
        new samples, at O(N^2 d) parameters.
    sklearn.neighbors.KNeighborsClassifier : With one neighbour, the function of
        `robustness` close to 1.

    Notes
    -----
    **Theorem.** Let x be within rho D_i / 2 of sample i, where rho is the robustness,
    let c be a center of the sample's class within (1 - rho) D_i of it, and q a center
    of another class. Then, with dist(x, c) for the distance of x and c, by the
    inequality of the triangle

    - dist(x, c) <= rho D_i / 2 + (1 - rho) D_i = (1 - rho / 2) D_i, and
    - dist(x, q) >= D_i - rho D_i / 2 = (1 - rho / 2) D_i,

    so the nearest center of all is one of the sample's class. (Centers are chosen with
    a little less than (1 - rho) D_i, which makes one of the inequalities strict.)

    *Euclidean distance.* The squares of distances are compared by affine functions
    f_i(x) = <x, p_i> - <p_i, p_i> / 2 of the K centers p_i, one node each, with
    K (d + 1) weights and biases. Layers of ReLU nodes find the largest one of each
    class, pair by pair, with 12 weights a pair. For k classes the network has at most

        K (d + 13) + 6 k (log2(K) + 2)

    parameters, at most 14 N d + 6 k (log2(N) + 2), in at most log2(K) + 3 layers. The
    first layer is affine, without a ReLU.

    *Chebyshev distance.* The size of x_k - p_k takes two ReLU nodes, the largest one of
    these and the smallest one of each class take pairs: at most

        K (12 d + 6) + 2 k (log2(K) + 2)

    parameters, in at most log2(d) + log2(K) + 4 layers. Logarithms are rounded upwards.

    Parameters are weights and biases that are not zero; layers of K nodes that were
    written out as dense matrices would hold O(K^2) zeros. Yu, Gao and Zhang [1]_ state
    O(N d) parameters for any radius below half the smallest distance of all, rho min_i
    D_i / 2; we know their theorem from the abstract, and prove ours. The balls here are
    larger: each is measured by its own sample. Kim, Moon and Yun [2]_, who count zeros
    as well, bound what each rho costs (Theorems 3.1 and 4.2, logarithms left aside):
    sqrt(N) parameters suffice up to rho = 1 / (5 N sqrt(d)), N d^(1/4) rho^(1/2) up to
    1 / (5 sqrt(d)) if a small part of the balls may be wrong, and N d^2 rho^4 beyond;
    for some data the first layer needs rho^2 min(N - 1, d) nodes. What is built here
    shrinks with rho by the number of centers only.

    **Certified radius.** `certified_radius` is at least the radius of the theorem at
    each training sample. In Euclidean distance it is the distance of x from the region
    in which some center q of another class is nearer than p, the nearest center to x,

        min_q (dist(x, q)^2 - dist(x, p)^2) / (2 dist(p, q)),

    where dist(p, q) is measured by the sum of absolute differences for `metric=
    "chebyshev"`. If the classifier measures by Chebyshev distance it is (dist(x, q) -
    dist(x, p)) / 2 for the nearest q, for either metric. That no other center of the
    class takes over from p is the only loss.

    **Exactness.** The nearest center is that of exact arithmetic, for any finite
    numbers: products in single or double precision with an error bound, then about 28
    digits, then integers. Of centers of two classes at the very same distance the
    class that comes first is predicted.

    *Scores.* With the Euclidean distance and three or more classes, `decision_function`
    compares the classes of a row, and not rows with each other: the square of the
    distance to m, which the scores of a row have in common, is no output of the
    network. For `sklearn.calibration.CalibratedClassifierCV`, which compares rows, put
    `sklearn.multiclass.OneVsRestClassifier` around the estimator.

    Fitting takes O(N^2 d) operations and O(N d) bytes beside tables of bounded size,
    predicting O(K d) operations a row.

    References
    ----------
    .. [1] L. Yu, X.-S. Gao, L. Zhang, "Optimal robust memorization with ReLU neural
       networks", International Conference on Learning Representations, 2024.
    .. [2] Y. Kim, C. Moon, C. Yun, "The cost of robustness: tighter bounds on parameter
       complexity for robust memorization in ReLU nets", Advances in Neural Information
       Processing Systems 38, 2025. :arxiv:`2510.24643`

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn_memorize import RobustMemorizingClassifier
    >>> X, y = load_iris(return_X_y=True)
    >>> classifier = RobustMemorizingClassifier(robustness=0.9).fit(X, y)
    >>> classifier.score(X, y)
    1.0
    >>> radii = classifier.certified_radius(X)
    >>> bool(radii.min() >= 0.9 * classifier.class_distance_ / 2)
    True
    >>> few = RobustMemorizingClassifier(robustness=0.1).fit(X, y)
    >>> len(few.center_indices_) < len(classifier.center_indices_)
    True
    """

    _parameter_constraints: ClassVar[dict] = {
        "robustness": [Interval(Real, 0, 1, closed="neither")],
        "metric": [StrOptions({"euclidean", "chebyshev"})],
        "conflicts": [StrOptions({"majority", "raise"})],
        "n_jobs": [Integral, None],
    }

    def __init__(
        self,
        *,
        robustness=0.5,
        metric="euclidean",
        conflicts="majority",
        n_jobs=None,
    ):
        self.robustness = robustness
        self.metric = metric
        self.conflicts = conflicts
        self.n_jobs = n_jobs

    def _bytes_to_build(self, training: TrainingSet) -> int:
        return bytes_of_search(training.n_samples, training.n_features)

    def _build(self, training: TrainingSet, progress: Progress):
        # A zero that a sparse matrix leaves out has no sign.
        points = training.dense_points() + 0.0
        if training.n_classes == 1:
            return {
                "network_": constant_network(points.shape[1]),
                "class_distance_": np.inf,
                "center_indices_": training.rows[:1],
            }, None
        network, centers, distances = build_robust_network(
            points,
            training.labels,
            self.robustness,
            self.metric,
            threads_for(self.n_jobs),
        )
        return {
            "network_": training.embedded(network),
            "class_distance_": float(distances.min()),
            "center_indices_": training.rows[centers],
        }, None

    def _outputs(self, X) -> np.ndarray:
        if len(self.classes_) == 1:
            return self.network_.forward(X)
        return self.network_.forward(X, threads_for(self.n_jobs))

    def _predict_class_numbers(self, X) -> np.ndarray:
        if len(self.classes_) == 1:
            return np.zeros(X.shape[0], dtype=np.intp)
        return self.network_.best_classes(X, threads_for(self.n_jobs))

    def _radii(self, X, numbers, metric) -> np.ndarray:
        return self.network_.certified_radii(X, numbers, metric)
