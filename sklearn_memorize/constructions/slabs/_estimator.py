"""Slabs behind the scikit-learn interface."""

from numbers import Integral
from typing import Any

import numpy as np

from ..._estimator._callbacks import Progress
from ..._estimator._messages import INSTEAD, listed
from ..._estimator._parameters import threads_for
from ..._estimator._radius import CertifiedRadiusMixin
from ..._estimator._regressor import BaseMemorizingRegressor
from ..._estimator._sklearn import Interval, StrOptions, draw_seeds
from ..._estimator._training_set import TrainingSet
from ...exceptions import InterpolationError
from ...kernels._threads import one_blas_thread
from .._general_position import (
    DegenerateGroupError,
    GeneralPositionClassifier,
    n_values_to_build,
)
from ._construction import build_slab_network
from ._ramps import build_ramp_network

# Slabs are proven to hold their samples and no others. In addition the network is
# evaluated at all samples, or at so many where that takes more multiplications.
_MOST_PRODUCTS = 1 << 34
_LEAST_CHECKED = 4096


def _checked(training: TrainingSet, network) -> TrainingSet:
    """Return the samples at which a network is evaluated at the end of `fit`."""
    n_products = training.n_values * network.widths[0]
    return training.evenly_chosen(
        training.n_samples if n_products <= _MOST_PRODUCTS else _LEAST_CHECKED
    )


class SlabClassifier(CertifiedRadiusMixin, GeneralPositionClassifier):
    """Memorize by slabs around hyperplanes through d samples each.

    Every class but the largest is cut into groups of d samples. Through each group
    goes one hyperplane; two threshold units enclose it in a slab that holds no sample
    of another class, and the class is the OR of its slabs. What lies in no slab is of
    the largest class. Two classes make 2 ceil(n / d) + 1 neurons, where n is the size
    of the smaller one.

    Parameters
    ----------
    degenerate : {"split", "raise"}, default="split"
        What to do about samples that are not in general position, so that a hyperplane
        through a group meets a sample of another class (or comes so close that double
        precision cannot tell). "split": take fewer samples into the group until it
        does not; the network grows. "raise": raise an `InterpolationError` that names
        the samples.
    conflicts : {"majority", "raise"}, default="majority"
        What to do about identical samples with different labels: memorize the label
        of largest total weight, or raise a `ValueError`.
    n_jobs : int or None, default=None
        Number of threads for `fit` and for prediction. The result does not depend on
        it.
    random_state : int, RandomState instance or None, default=None
        Forms the groups, at random or along random lines, and chooses the hyperplane
        through a group of fewer than d.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The classes.
    network_ : Network
        The built network: two threshold units for each slab, then one threshold unit
        for each class (one in all for two classes).
    default_class_ : object
        The class of what lies in no slab, the largest one.
    group_size_ : int
        The number d of samples of a group: the dimension of the affine hull of the
        data, which is the number of features unless these are affinely dependent. 0
        for a single class.
    groups_ : list of ndarray
        For each slab, the indices of the training samples it was built for. Where
        rows are repeated, the first stands for all.
    n_split_ : int
        How many more slabs were built than ceil(n / d) for each class, because the
        samples are not in general position.
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
    SlabRegressor : The same slabs, for targets.
    MemorizingClassifier : A network whose size depends on the geometry of the classes.
    RandomReLUClassifier : Random features and a linear separator.

    Notes
    -----
    **Theorem** [1]_. Any dichotomy of N points in general position in R^d (no d + 1 of
    them on a hyperplane) is computed by a network of threshold units with one hidden
    layer of 2 ceil(n / d) units, where n is the size of the smaller class; no more
    than about N / d units are needed.

    With several classes, each class but the largest has slabs and an output unit of
    its own, and the output unit of the largest fires where no slab does:
    2 sum_c ceil(n_c / d) + n_classes neurons. Outside the training set slabs of
    several classes may meet; the first of these classes is predicted.

    **Exactness.** A slab is accepted if its samples lie inside and those of other
    classes outside by more than any evaluation in double precision can be off. A
    sample that no slab can single out in this way (a near-duplicate of another class)
    gets one that looks at a single feature, which needs no rounding, and if even that
    fails, `fit` raises an `InterpolationError` that names the samples. So every sample
    is recalled. To be sure, `fit` evaluates the network at all of them, or at 4,096
    where that takes more than 2**34 multiplications.

    **Certified radius.** `certified_radius` is the distance to the nearest border of a
    slab.

    **Test data.** The theorem promises nothing about other points. Slabs are thin and
    unbounded: nearly everything outside the training set is given to the largest
    class, or to a class whose slab happens to pass.

    The samples are held in dense double precision during `fit`.

    **Groups.** In classes of few samples groups are formed at random. From 2,500
    samples and d^2.5 / 2 on, they are neighbours along one of up to 16 random lines:
    their hyperplanes are nearly perpendicular to the line, and only samples in a window
    of it can be near. Groups are formed at random in any case where many samples share
    the value of a feature, or neighbours would be nearly in a subspace of fewer
    dimensions, as on a curve.

    **Cost.** For N samples in general position there are about N / d hyperplanes. `fit`
    takes O(N log N) operations to put samples in order, O(N d^2) to find hyperplanes,
    and O(d^3.5) for each of them to look at the d^2.5 samples, or 3,000 if these are
    more, that are about in its window: O(N log N) in all for given d. In classes of
    fewer samples, and for random groups, it looks at all of them, which takes O(N d)
    for each hyperplane. It takes 35 N d bytes. A prediction takes O(N) operations.

    References
    ----------
    .. [1] E. B. Baum, "On the capabilities of multilayer perceptrons", Journal of
       Complexity 4(3), 193-215, 1988.

    Examples
    --------
    >>> from sklearn.datasets import load_wine
    >>> from sklearn_memorize import SlabClassifier
    >>> X, y = load_wine(return_X_y=True)
    >>> classifier = SlabClassifier(random_state=0).fit(X, y)
    >>> classifier.interpolates_, classifier.score(X, y)
    (True, 1.0)
    >>> classifier.group_size_, classifier.network_.widths
    (13, (18, 3))
    """

    _construct = staticmethod(build_slab_network)

    @staticmethod
    def _not_in_general_position(X, rows, problem) -> InterpolationError:
        members = listed(rows[problem.members])
        others = listed(rows[problem.others])
        if len(problem.members) == 1:
            return InterpolationError(
                f"sample {members} cannot be told from samples {others} of other "
                "classes by a hyperplane in double precision. Remove one of these "
                f"near-duplicates, or give them one label. {INSTEAD}"
            )
        return InterpolationError(
            f"the samples are not in general position: the hyperplane through samples "
            f"{members}, of one class, also contains samples {others} of other "
            "classes, up to rounding. Set degenerate='split' to use smaller groups, "
            "or perturb the data."
        )

    def _certify(self, training: TrainingSet, evidence: Any = None) -> None:
        super()._certify(_checked(training, self.network_))

    def _radii(self, X, numbers, metric):
        return self.network_.certified_radii(X, numbers, metric)


class SlabRegressor(BaseMemorizingRegressor):
    """Memorize real targets by one hidden layer: ramps on slabs through d samples each.

    The samples are cut into groups of d. Through each group goes one hyperplane, and a
    slab around it holds no other sample. On the slab stands the affine function that
    takes the targets of the group; outside it is zero. Four ReLU units make each of
    these functions, and their sum is the network: 4 ceil(N / d) hidden units.

    Parameters
    ----------
    degenerate : {"split", "raise"}, default="split"
        What to do about samples that are not in general position, so that a hyperplane
        through a group meets another sample (or comes so close that double precision
        cannot tell). "split": take fewer samples into the group until it does not; the
        network grows. "raise": raise an `InterpolationError` that names the samples.
    n_projections : int, default=10
        Number of random directions, of which the one is taken along which samples lie
        farthest apart; positions on it tell which sample a row may be.
    conflicts : {"mean", "raise"}, default="mean"
        What to do about identical samples with different targets: memorize their mean
        by weight, or raise a `ValueError`.
    n_jobs : int or None, default=None
        Number of threads for `fit` and for prediction. The result does not depend on
        it.
    random_state : int, RandomState instance or None, default=None
        Forms the groups, at random or along random lines, and chooses the hyperplane
        through a group of fewer than d.

    Attributes
    ----------
    network_ : Network
        The built network: four ReLU units for each slab (two more for each output but
        the first), then the outputs.
    default_target_ : ndarray of shape (n_outputs,)
        The targets of what lies in no slab: those that most samples have, which need
        no slabs; where none come twice, those nearest to the mean of all.
    group_size_ : int
        The number d of samples of a group: the dimension of the affine hull of the
        data, which is the number of features unless these are affinely dependent.
    groups_ : list of ndarray
        For each slab, the indices of the training samples it was built for. Where
        rows are repeated, the first stands for all.
    n_split_ : int
        How many more slabs were built than ceil(N / d), because the samples are not in
        general position.
    interpolates_ : bool
        Whether every training target is recalled, as certified by `fit`.
    max_abs_error_ : float
        The largest error at the training samples at which `fit` evaluates it, 0.0.
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
    SlabClassifier : The same slabs, for classes.
    MemorizingRegressor : Recalls targets as well, and predicts new samples.

    Notes
    -----
    **Theorem** [1]_. Any N samples in general position in R^d (no d + 1 of them on a
    hyperplane), with any real targets, are memorized by a network with one hidden layer
    of 4 ceil(N / d) ReLU units. Samples that share the target of most of them are not
    counted here. For k targets it is (2 + 2 k) ceil(N / d) units.

    **Exactness.** As for `SlabClassifier`, slabs hold their samples and no others, by
    more than any evaluation in double precision can be off, and ramps are so short that
    this stays true of both arguments of the ramp. `predict` evaluates a ramp in the
    form that has no rounding error at its samples. `network_.layers`, evaluated one
    after the other, add up large numbers: `fit` evaluates them at the samples of the
    narrowest ramps, and raises an `InterpolationError` that names rows if they miss
    targets by more than a hundredth of the range. `predict` is evaluated at all
    samples, or at 4,096 where that takes more than 2**34 multiplications.

    **Test data.** The theorem promises nothing about other points. Slabs are thin and
    unbounded: nearly everything outside the training set gets the default target,
    and what is in some slab gets an affine function that may be steep.

    The samples are held in dense double precision during `fit`.

    **Cost.** For N samples in general position `fit` takes O(N d^2) operations for
    their affine hull, for the hyperplanes and for the affine functions, of which there
    are about N / d each. Groups are formed and looked at as those of `SlabClassifier`:
    O(N log N) operations in all for given d, but O(N d) for each hyperplane where
    groups are formed at random. It takes 35 N d bytes, and 100 N for the layers. A
    prediction takes O(N) operations.

    References
    ----------
    .. [1] S. Bubeck, R. Eldan, Y. T. Lee, D. Mikulincer, "Network size and weights size
       for memorization with two-layers neural networks", NeurIPS 2020,
       arXiv:2006.02855.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn_memorize import SlabRegressor
    >>> X, y = load_diabetes(return_X_y=True)
    >>> y = y + X[:, 0]  # no two targets are equal
    >>> regressor = SlabRegressor(random_state=0).fit(X, y)
    >>> regressor.max_abs_error_, regressor.score(X, y)
    (0.0, 1.0)
    """

    _parameter_constraints: dict = {
        "degenerate": [StrOptions({"split", "raise"})],
        "n_projections": [Interval(Integral, 1, None, closed="left")],
        "conflicts": [StrOptions({"mean", "raise"})],
        "n_jobs": [Integral, None],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        *,
        degenerate="split",
        n_projections=10,
        conflicts="mean",
        n_jobs=None,
        random_state=None,
    ):
        self.degenerate = degenerate
        self.n_projections = n_projections
        self.conflicts = conflicts
        self.n_jobs = n_jobs
        self.random_state = random_state

    def _bytes_to_build(self, training: TrainingSet) -> int:
        # As for the classifier; and the layers, of six units a slab, and what they are
        # made from, if samples are in general position.
        k = training.labels.shape[1]
        n_layers = (4 + 3 * k) * (training.n_samples + training.n_features)
        return 8 * (n_values_to_build(training) + n_layers)

    def _build(self, training: TrainingSet, progress: Progress):
        (seed,) = draw_seeds(self.random_state, 1)
        X = training.dense_points()
        try:
            with one_blas_thread():  # whose number would show in the last digits
                network, groups, dimension, default = build_ramp_network(
                    X,
                    training.labels,
                    split=self.degenerate == "split",
                    rng=np.random.default_rng(seed),
                    n_projections=self.n_projections,
                    n_threads=threads_for(self.n_jobs),
                )
        except DegenerateGroupError as problem:
            raise self._not_in_general_position(training.rows, problem) from None
        n_members = sum(map(len, groups))
        return {
            "network_": training.embedded(network),
            "default_target_": default,
            "group_size_": dimension,
            "groups_": [training.rows[group] for group in groups],
            "n_split_": len(groups) - -(-n_members // max(1, dimension)),
        }, None

    def _certify(self, training: TrainingSet, evidence: Any = None) -> None:
        super()._certify(_checked(training, self.network_))

    def _outputs(self, X) -> np.ndarray:
        return self.network_.forward(X, threads_for(self.n_jobs))

    @staticmethod
    def _not_in_general_position(rows, problem) -> InterpolationError:
        members, others = listed(rows[problem.members]), listed(rows[problem.others])
        if len(problem.members) == 1:
            return InterpolationError(
                f"sample {members} cannot be told from samples {others} by a "
                "hyperplane in double precision. Remove one of these near-duplicates."
            )
        return InterpolationError(
            f"the samples are not in general position: the hyperplane through samples "
            f"{members} also contains samples {others}, or these span fewer "
            "dimensions, up to rounding. Set degenerate='split' to use smaller groups, "
            "or perturb the data."
        )
