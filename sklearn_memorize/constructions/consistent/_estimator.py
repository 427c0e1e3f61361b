"""Consistent interpolation behind the scikit-learn interface."""

from __future__ import annotations

from numbers import Integral, Real

import numpy as np
from scipy import sparse

from ..._estimator._base import BaseMemorizingClassifier
from ..._estimator._callbacks import Progress
from ..._estimator._parameters import threads_for
from ..._estimator._probabilities import LEAST_EXPONENT, shares
from ..._estimator._radius import CertifiedRadiusMixin
from ..._estimator._regressor import BaseMemorizingRegressor
from ..._estimator._sklearn import Interval, StrOptions
from ..._estimator._training_set import TrainingSet
from ._interpolant import _BLOCK_VALUES, Interpolant, Labels, Targets

# "auto" takes exponents of a quarter of the number of features, and no larger ones.
_LARGEST_AUTO_EXPONENT = 1.0
# Probabilities are positive.
_LEAST_SHARE = float(np.exp(LEAST_EXPONENT))

_SHARED_CONSTRAINTS: dict = {
    "weights": [StrOptions({"singular", "hilbert"})],
    "n_neighbors": [
        Interval(Integral, 1, None, closed="left"),
        StrOptions({"auto"}),
    ],
    "exponent": [Interval(Real, 0, None, closed="neither"), StrOptions({"auto"})],
    "n_jobs": [Integral, None],
}


def most_neighbors(n_samples: int, n_features: int) -> int:
    """Return max(N**(2 / (d + 2)), log2 N), rounded up: the rate, and some neighbours.

    >>> from sklearn_memorize.constructions.consistent._estimator import most_neighbors
    >>> [most_neighbors(1000, d) for d in (1, 2, 3, 20)]
    [100, 32, 16, 10]
    """
    k = (n_samples - 1).bit_length()
    # By comparing integers, for powers are rounded.
    while k ** (n_features + 2) < n_samples**2:
        k += 1
    return max(1, k)


def _built(estimator, training: TrainingSet, known: Labels | Targets) -> dict:
    """Return the interpolant and its parameters, as fitted attributes."""
    n_samples, n_features = training.n_samples, training.X.shape[1]
    if estimator.weights == "hilbert":
        n_neighbors, exponent = n_samples, float(n_features)
    else:
        n_neighbors, exponent = estimator.n_neighbors, estimator.exponent
        if n_neighbors == "auto":
            n_neighbors = most_neighbors(n_samples, n_features)
        if exponent == "auto":
            exponent = min(n_features / 4, _LARGEST_AUTO_EXPONENT)
    interpolant = Interpolant(
        training.dense_points() + 0.0,  # no negative zeros
        known,
        min(int(n_neighbors), n_samples),
        float(exponent),
        training.columns,
        n_features,
    )
    return {
        "interpolant_": interpolant,
        "n_neighbors_": interpolant.n_neighbors,
        "exponent_": interpolant.exponent,
    }


def _bytes_of_copies(training: TrainingSet) -> int:
    # The points, the rows that they are copied from, and blocks of both that are
    # compared when all is certified; dense rows are copied once more.
    n_copies = 2 if sparse.issparse(training.X) else 3
    n_values = training.n_values
    in_blocks = 2 * min(n_values, _BLOCK_VALUES)
    stored = training.n_stored_bytes if sparse.issparse(training.X) else 0
    return 8 * (n_copies * n_values + in_blocks) + stored


class InterpolatingNeighborsClassifier(CertifiedRadiusMixin, BaseMemorizingClassifier):
    """Nearest neighbours whose weights grow without bound towards a sample.

    The weight of a neighbour at the distance r is r^-exponent. At a training sample its
    own label outweighs all others, so that it is recalled, whatever the labels around
    it; elsewhere many neighbours are heard. No network is built. With more and more
    samples it gets as good as the best classifier there is, wrong labels or not:
    it interpolates, and is consistent.

    Parameters
    ----------
    weights : {"singular", "hilbert"}, default="singular"
        "singular": weighted interpolated nearest neighbours [1]_, of `n_neighbors`
        neighbours with the weights r^-exponent. "hilbert": the Hilbert kernel [2]_,
        which has no parameters: all samples, with the weights r^-n_features.
    n_neighbors : int or "auto", default="auto"
        Number of neighbours, at most that of distinct samples. "auto" takes
        max(N^(2 / (d + 2)), log2 N) of N samples with d features. Without meaning for
        Hilbert weights.
    exponent : float or "auto", default="auto"
        How fast weights grow towards a sample. The theorem asks for less than half the
        number of features. "auto" takes a quarter of it, but no more than 1: this is
        what `weights="distance"` means in scikit-learn. Without meaning for Hilbert
        weights.
    conflicts : {"majority", "raise"}, default="majority"
        What to do about identical samples with different labels: memorize the label
        of largest total weight, or raise a `ValueError`.
    n_jobs : int or None, default=None
        Number of threads that share the rows in prediction. The result does not depend
        on it.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The classes.
    interpolant_ : object
        The samples and their labels; `interpolant_.forward(X)` returns the share of
        each class in the weights. There is no `network_`.
    n_neighbors_ : int
        Number of neighbours whose labels are weighed.
    exponent_ : float
        The exponent of the weights.
    interpolates_ : bool
        Whether every training sample is recalled, as certified by `fit`.
    n_conflicts_ : int
        Number of distinct samples that carried several labels.
    n_features_in_ : int
        Number of features seen in `fit`.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the features, where `X` has them.

    See Also
    --------
    InterpolatingNeighborsRegressor : The same for targets.
    MemorizingClassifier : A network that recalls all samples and predicts well.

    Notes
    -----
    **Theorem** [1]_. Let the samples be drawn independently, from a density that is
    bounded from above and below on a bounded set without thin corners, and let the
    probabilities of the classes be smooth of order a, 0 < a <= 1 (Hölder). With an
    exponent below d / 2 and k neighbours, the mean squared error of the shares is of
    the order (k / N)^(2 a / d) + 1 / k. With k of the order N^(2 a / (2 a + d)) this is
    N^(-2 a / (2 a + d)), which no method can better. The user guide on consistent
    interpolation proves it; `n_neighbors="auto"` is this for a = 1, but for the
    logarithm.

    **Theorem** [2]_. With Hilbert weights the shares converge to the probabilities of
    the classes, in probability, at almost every point, whatever the density. It takes
    very many samples: the error falls with 1 / log N [3]_.

    **Random partitions.** Hilbert weights are those of an infinite ensemble of random
    partitions by hyperplanes, as found by Wang and Scott [4]_ on the sphere; the user
    guide on consistent interpolation proves it. A finite ensemble, as
    `MemorizingClassifier` is one, has no such theorem.

    **Exactness.** A row that equals a training sample is found by its values, and gets
    its label. Elsewhere everything is a function of the row alone: distances are
    computed for each pair by itself, and of neighbours at the same distance the first
    in an order of the samples by content is taken. Distances are Euclidean: scale the
    features (`sklearn.preprocessing.StandardScaler`).

    **How far a prediction holds.** Within r of a row no distance changes by more.
    `certified_radius` is the largest r at which the neighbours of the predicted class
    that stay neighbours for certain outweigh, at their farthest, those that any other
    class may have, at their nearest. Where neighbours have nearly equal weights that is
    little. It takes all distances of a row, and is 0 for exponents below 1/8.

    **Test data.** All of it is about new samples. Where labels are right, it is about
    as good as k nearest neighbours; in many dimensions Hilbert weights are those of the
    single nearest neighbour. Rows of zero weight are left out; other weights count for
    identical rows only.

    The samples are held in dense double precision, without columns that do not vary
    where these are most of more than 4,096. Up to 15 features neighbours are found by
    scikit-learn's `NearestNeighbors` (a k-d tree), beyond by bounds of the distances to
    all samples, of which only the least are computed.

    References
    ----------
    .. [1] M. Belkin, D. Hsu, P. Mitra, "Overfitting or perfect fitting? Risk bounds for
       classification and regression rules that interpolate", NeurIPS 2018.
    .. [2] L. Devroye, L. Györfi, A. Krzyżak, "The Hilbert kernel regression estimate",
       Journal of Multivariate Analysis 65(2), 209-227, 1998.
    .. [3] P. Mitra, C. Sire, "Parameter-free statistically consistent interpolation:
       dimension-independent convergence rates for Hilbert kernel regression", 2021.
    .. [4] Y. Wang, C. Scott, "Consistent interpolating ensembles via the
       manifold-Hilbert kernel", NeurIPS 2022, arXiv:2205.09342.

    Examples
    --------
    >>> from sklearn.datasets import make_moons
    >>> from sklearn_memorize import InterpolatingNeighborsClassifier
    >>> X, y = make_moons(400, noise=0.2, random_state=0)
    >>> classifier = InterpolatingNeighborsClassifier().fit(X, y)
    >>> classifier.interpolates_, classifier.score(X, y)
    (True, 1.0)
    >>> classifier.n_neighbors_, classifier.exponent_
    (20, 0.5)
    >>> classifier.predict_proba([[0.5, 0.25]]).round(2)
    array([[0.61, 0.39]])
    """

    _built_name = "interpolant_"
    _built_kind = Interpolant
    interpolant_: Interpolant

    _parameter_constraints: dict = {
        **_SHARED_CONSTRAINTS,
        "conflicts": [StrOptions({"majority", "raise"})],
    }

    def __init__(
        self,
        *,
        weights="singular",
        n_neighbors="auto",
        exponent="auto",
        conflicts="majority",
        n_jobs=None,
    ):
        self.weights = weights
        self.n_neighbors = n_neighbors
        self.exponent = exponent
        self.conflicts = conflicts
        self.n_jobs = n_jobs

    def _bytes_to_build(self, training: TrainingSet) -> int:
        return _bytes_of_copies(training)

    def _build(self, training: TrainingSet, progress: Progress):
        labels = training.labels.astype(np.intp)
        return _built(self, training, Labels(labels, training.n_classes)), None

    def _outputs(self, X) -> np.ndarray:
        return self.interpolant_.forward(X, threads_for(self.n_jobs))

    def predict_proba(self, X):
        """Return the share of each class in the weights of the neighbours.

        They estimate the probabilities of the classes, and converge to these with more
        and more samples. At a training sample that of its own label is 1.

        Parameters
        ----------
        X : array-like, sparse matrix or dask array of shape (n_samples, n_features)
            Samples.

        Returns
        -------
        probabilities : ndarray of shape (n_samples, n_classes)
            Positive numbers (the least is 1e-304), in the order of `classes_`, that sum
            to one in each row; the first of the largest ones is that of the class that
            `predict` returns. A dask array, not computed yet, if X is one.
        """
        return super().predict_proba(X)

    def _radii(self, X, numbers, metric) -> np.ndarray:
        return self.interpolant_.certified_radii(X, numbers, metric)

    def _probabilities(self, X) -> np.ndarray:
        scores = self._outputs(X)
        return shares(np.maximum(scores, _LEAST_SHARE), np.argmax(scores, axis=1))


class InterpolatingNeighborsRegressor(BaseMemorizingRegressor):
    """Means of targets of neighbours, with weights that grow towards a sample.

    The weight of a neighbour at the distance r is r^-exponent. At a training sample the
    mean is its own target, to the last bit; elsewhere many neighbours are heard. No
    network is built. With more and more samples the means converge to those of the
    distribution, noise in the targets or not: it interpolates, and is consistent.

    Parameters
    ----------
    weights : {"singular", "hilbert"}, default="singular"
        "singular": weighted interpolated nearest neighbours [1]_, of `n_neighbors`
        neighbours with the weights r^-exponent. "hilbert": the Hilbert kernel [2]_,
        which has no parameters: all samples, with the weights r^-n_features.
    n_neighbors : int or "auto", default="auto"
        Number of neighbours, at most that of distinct samples. "auto" takes
        max(N^(2 / (d + 2)), log2 N) of N samples with d features. Without meaning for
        Hilbert weights.
    exponent : float or "auto", default="auto"
        How fast weights grow towards a sample. The theorem asks for less than half the
        number of features. "auto" takes a quarter of it, but no more than 1. Without
        meaning for Hilbert weights.
    conflicts : {"mean", "raise"}, default="mean"
        What to do about identical samples with different targets: memorize their mean
        by weight, or raise a `ValueError`.
    n_jobs : int or None, default=None
        Number of threads that share the rows in prediction. The result does not depend
        on it.

    Attributes
    ----------
    interpolant_ : object
        The samples and their targets; `interpolant_.forward(X)` returns the means.
        There is no `network_`.
    n_neighbors_ : int
        Number of neighbours whose targets are averaged.
    exponent_ : float
        The exponent of the weights.
    interpolates_ : bool
        Whether every training target is recalled, as certified by `fit`.
    max_abs_error_ : float
        The largest error at a training sample, 0.0.
    n_conflicts_ : int
        Number of distinct rows that carried several targets.
    n_outputs_ : int
        Number of targets of a sample.
    n_features_in_ : int
        Number of features.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the features, if `X` had any.

    See Also
    --------
    InterpolatingNeighborsClassifier : The same for classes; tells of the theorems, of
        exactness, and of memory.

    Notes
    -----
    **Theorem** [1]_. As for classes, where the targets have a bounded variance around a
    mean that is smooth of order a: the mean squared error is of the order
    N^(-2 a / (2 a + d)), for an exponent below d / 2 and k of the right order.

    No prediction is outside of the range of the training targets.

    References
    ----------
    .. [1] M. Belkin, D. Hsu, P. Mitra, "Overfitting or perfect fitting? Risk bounds for
       classification and regression rules that interpolate", NeurIPS 2018.
    .. [2] L. Devroye, L. Györfi, A. Krzyżak, "The Hilbert kernel regression estimate",
       Journal of Multivariate Analysis 65(2), 209-227, 1998.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn_memorize import InterpolatingNeighborsRegressor
    >>> X, y = load_diabetes(return_X_y=True)
    >>> regressor = InterpolatingNeighborsRegressor().fit(X[:300], y[:300])
    >>> regressor.max_abs_error_
    0.0
    >>> bool((regressor.predict(X[:300]) == y[:300]).all())
    True
    >>> round(regressor.score(X[300:], y[300:]), 2)
    0.5
    """

    _built_name = "interpolant_"
    _built_kind = Interpolant
    interpolant_: Interpolant

    _parameter_constraints: dict = {
        **_SHARED_CONSTRAINTS,
        "conflicts": [StrOptions({"mean", "raise"})],
    }

    def __init__(
        self,
        *,
        weights="singular",
        n_neighbors="auto",
        exponent="auto",
        conflicts="mean",
        n_jobs=None,
    ):
        self.weights = weights
        self.n_neighbors = n_neighbors
        self.exponent = exponent
        self.conflicts = conflicts
        self.n_jobs = n_jobs

    def _bytes_to_build(self, training: TrainingSet) -> int:
        return _bytes_of_copies(training)

    def _build(self, training: TrainingSet, progress: Progress):
        return _built(self, training, Targets(training.labels)), None

    def _outputs(self, X) -> np.ndarray:
        return self.interpolant_.forward(X, threads_for(self.n_jobs))
