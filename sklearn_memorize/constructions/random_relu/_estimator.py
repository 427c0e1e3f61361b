"""Random ReLU features behind the scikit-learn interface."""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any

import numpy as np

from ..._estimator._base import BaseMemorizingClassifier, constant_network
from ..._estimator._callbacks import Progress
from ..._estimator._messages import INSTEAD, listed
from ..._estimator._parameters import threads_for
from ..._estimator._probabilities import class_numbers
from ..._estimator._sklearn import Interval, StrOptions, draw_seeds
from ..._estimator._training_set import TrainingSet
from ...exceptions import InterpolationError, InterpolationWarning
from ...kernels._memory import check_room
from ...kernels._threads import one_blas_thread
from .._unit_sphere import UnitSphere
from ..random_hyperplanes._drawing import HyperplaneStream, enclosing_ball
from ._construction import (
    Separation,
    anchored,
    check_room_for_features,
    features_of,
    separate,
)
from ._parts import Parts

# Each attempt is that much wider than the one before.
_GROWTH = 2**0.5
# So many features for each sample, and in all, are more than enough.
_ENOUGH = 4
_LEAST_ENOUGH = 256


def _n_outputs(training: TrainingSet) -> int:
    return training.n_classes if training.n_classes > 2 else 1


class RandomReLUClassifier(BaseMemorizingClassifier):
    """Memorize with random ReLU features and a linear separator.

    One hidden layer of ReLU units with random weights and biases maps the samples to a
    space in which the classes are linearly separable, if only it is wide enough. The
    layer grows until a separator is found: one against the rest for each class, or a
    single one for two classes. It is then replaced by the separator of maximum margin.

    Parameters
    ----------
    n_hyperplanes : "auto" or int, default="auto"
        Number of neurons of the hidden layer. "auto": grow by a factor of 1.41 until
        the classes are separated. An integer: exactly that many; if they do not
        suffice, `fit` warns and `interpolates_` is False.
    min_hyperplanes : int, default=16
        With `n_hyperplanes="auto"`, the first width that is tried.
    max_hyperplanes : int, default=16384
        With `n_hyperplanes="auto"`, give up beyond that many.
    max_bias : float, default=1.0
        Biases are uniform in [-max_bias, max_bias], in units of the radius of the
        data.
    center : bool, default=True
        Whether the hyperplanes are drawn around the mean of the data; otherwise around
        the origin.
    maximum_margin : bool, default=True
        Whether the separator that ended the search is replaced by one of maximum
        margin in the space of the standardized features. Otherwise another one is
        looked for, in up to five times the steps, that predicts better; not where
        labels seem to mean nothing.
    max_iter : int, default=1000
        Iterations of the search for a separator at each width. With
        `n_hyperplanes="auto"` a width is given up earlier if a class stays far from
        all that would separate it.
    conflicts : {"majority", "raise"}, default="majority"
        What to do about identical samples with different labels: memorize the label
        of largest total weight, or raise a `ValueError`.
    n_jobs : int or None, default=None
        Number of threads that share features, samples and classes in `fit`, and the
        samples in prediction. The result does not depend on it.
    random_state : int, RandomState instance or None, default=None
        Source of the hyperplanes.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The classes.
    network_ : Network
        The built network: a layer of ReLU units and a layer of linear outputs, one for
        each class (one in all for two). Its first layer is Gaussian up to one power of
        two, which brings the features to the size of one.
    radius_ : float
        Radius of the data, the unit of `max_bias`.
    n_hyperplanes_ : int
        Number of neurons of the hidden layer.
    n_iter_ : int
        Number of steps of the search for a separator at that width, and for a better
        one.
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
    MemorizingClassifier : Random hyperplanes and a greedy cover, in integers.

    Notes
    -----
    **Theorem** [1]_. Let two classes in a ball of radius R be at a distance of at
    least delta, W standard Gaussian and b uniform on [-lambda, lambda] with lambda of
    order R (up to logarithms). With high probability Phi(x) = ReLU(W x + b) makes them
    linearly separable, once the number of neurons exceeds a mutual complexity of the
    classes: their covering numbers at the scale of delta, and the Gaussian mean widths
    of the pieces. It does not depend on the number of samples, though for arbitrarily
    labelled samples it may grow exponentially in the number of features when delta is
    small. Constants are unspecified.

    Whatever the classes are, N neurons do: the features of N distinct samples are
    linearly independent with probability one. That is the size bound to expect, and
    near-duplicates of different classes may be out of reach of double precision.

    **Exactness.** A separator is accepted if every output has the right sign at every
    training sample by more than the rounding error of any evaluation in double
    precision. If none is found up to `max_hyperplanes`, `fit` raises
    `InterpolationError`.

    **Determinism.** The hidden layer is the same everywhere for one seed. The output
    layer is found by optimizers and linear algebra of SciPy, and may differ from one
    release to the next; what it recalls does not.

    **Test data.** The theorem promises separation of whole regions around the samples,
    but nothing about test accuracy. In practice a layer that is wider than necessary
    does better (`min_hyperplanes`): it is a random-feature support vector machine.

    **Cost.** For n features of N samples in d dimensions and k outputs: O(N n (d + n))
    operations, O(k N n) for each of some dozens of steps of a search, and
    O(k (N n + n^3)) for each of about as many towards the maximum margin, whose number
    grows slowly with N. Widths grow by a factor, and of 8,192 samples or more a quarter
    tells which ones have no hope, so that the last width takes most of the time. The
    features take 8 N n bytes, half as many again while a better separator is looked
    for, and up to as many again in each thread while the margin grows. A prediction
    takes O(n d + k n) operations.

    References
    ----------
    .. [1] S. Dirksen, M. Genzel, L. Jacques and A. Stollenwerk, "The separation
       capacity of random neural networks", Journal of Machine Learning Research
       23(309), 2022. arXiv:2108.00207

    Examples
    --------
    >>> from sklearn.datasets import make_moons
    >>> from sklearn_memorize import RandomReLUClassifier
    >>> X, y = make_moons(1000, noise=0.1, random_state=0)
    >>> classifier = RandomReLUClassifier(random_state=0).fit(X, y)
    >>> classifier.interpolates_, classifier.score(X, y)
    (True, 1.0)
    """

    _parameter_constraints: dict = {
        "n_hyperplanes": [
            StrOptions({"auto"}),
            Interval(Integral, 1, None, closed="left"),
        ],
        "min_hyperplanes": [Interval(Integral, 1, None, closed="left")],
        "max_hyperplanes": [Interval(Integral, 1, None, closed="left")],
        "max_bias": [Interval(Real, 0, None, closed="left")],
        "center": ["boolean"],
        "maximum_margin": ["boolean"],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "conflicts": [StrOptions({"majority", "raise"})],
        "n_jobs": [Integral, None],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        *,
        n_hyperplanes="auto",
        min_hyperplanes=16,
        max_hyperplanes=16384,
        max_bias=1.0,
        center=True,
        maximum_margin=True,
        max_iter=1000,
        conflicts="majority",
        n_jobs=None,
        random_state=None,
    ):
        self.n_hyperplanes = n_hyperplanes
        self.min_hyperplanes = min_hyperplanes
        self.max_hyperplanes = max_hyperplanes
        self.max_bias = max_bias
        self.center = center
        self.maximum_margin = maximum_margin
        self.max_iter = max_iter
        self.conflicts = conflicts
        self.n_jobs = n_jobs
        self.random_state = random_state

    def _build(self, training: TrainingSet, progress: Progress):
        X = training.points()
        ball = enclosing_ball(X, np.arange(training.n_samples), self.center)
        fitted: dict = {"radius_": ball.radius, "n_hyperplanes_": 0, "n_iter_": 0}
        if training.n_classes == 1:
            return fitted | {"network_": constant_network(X.shape[1])}, None
        (seed,) = draw_seeds(self.random_state, 1)
        # With several threads sums come in another order, and their number would show
        # in the network.
        with one_blas_thread():
            found = self._separation(training, X, ball, seed)
        fitted["network_"] = training.embedded(found.network)
        fitted["n_hyperplanes_"] = found.network.widths[0]
        fitted["n_iter_"] = found.n_iter
        # Outputs of the network itself are those that `predict` computes.
        return fitted, found.outputs if training.columns is None else None

    def _certify(self, training: TrainingSet, evidence: Any = None) -> None:
        if evidence is None:
            super()._certify(training)
            return
        scores = evidence[:, 0] if evidence.shape[1] == 1 else evidence
        missed = class_numbers(scores) != training.labels
        self._record_certificate(training, int(missed.sum()))

    def _separation(self, training, X, ball, seed) -> Separation:
        """Widen the layer until the classes are separated.

        N features of N distinct samples do in exact arithmetic. Where several times as
        many do not, the scales of the data are in the way of double precision, and
        hyperplanes through the samples are tried in units of each feature's own.
        """
        for features in self._features(training, X, ball, seed):
            found = separate(
                features,
                X,
                training.labels,
                _n_outputs(training),
                self.maximum_margin,
                self.max_iter,
                threads_for(self.n_jobs),
                gives_up=self.n_hyperplanes == "auto",
            )
            if len(found.missed) == 0 or self.n_hyperplanes != "auto":
                return found
        raise InterpolationError(
            f"training samples {listed(training.rows[found.missed])} are not on their "
            f"side of a linear separator of {features.n_hyperplanes:,} random ReLU "
            f"features (max_hyperplanes={self.max_hyperplanes:,}), beyond rounding "
            "errors. The theorem assumes a distance between the classes, and grows the "
            "layer as it shrinks; as many features as samples do in exact arithmetic, "
            "but not in double precision where samples of different classes nearly "
            "coincide beside their distance from the origin. Remove near-duplicates, "
            "subtract offsets, or increase max_hyperplanes or max_iter. "
            f"{INSTEAD}"
        )

    def _features(self, training, X, ball, seed):
        """Yield ever more features; first of the ball of the data, then by sample."""
        n_threads = threads_for(self.n_jobs)
        if self.n_hyperplanes != "auto":
            check_room_for_features(X, self.n_hyperplanes)
            layer = HyperplaneStream(seed, ball, self.max_bias).draw(self.n_hyperplanes)
            yield features_of(layer, X, n_threads)
            return
        n_enough = max(_LEAST_ENOUGH, _ENOUGH * X.shape[0], self.min_hyperplanes)
        n_most = min(n_enough, self.max_hyperplanes)
        yield from self._of_the_ball(training, X, ball, seed, n_most)
        check_room(6 * 8 * X.shape[0] * X.shape[1], "Copies of the samples")
        sphere = UnitSphere.around(X, self.center)
        for width in self._widths(n_most):
            rng = np.random.default_rng((seed, width))
            yield anchored(sphere, X, width, rng, n_threads)

    def _of_the_ball(self, training, X, ball, seed, n_most):
        """Yield ever more features of hyperplanes through the ball of the data.

        Those that do not separate a part of many samples are left out.
        """
        n_threads = threads_for(self.n_jobs)
        stream = HyperplaneStream(seed, ball, self.max_bias)
        part = Parts(X, training.labels, _n_outputs(training), seed)
        features, n_drawn = None, 0
        for width in self._widths(n_most):
            check_room_for_features(X, width)
            layer, n_drawn = stream.draw(width - n_drawn), width
            if features is None:
                features = features_of(layer, X[part.rows], n_threads)
            else:
                features = features.widened(layer, n_threads)
            while not part.is_all and part.grow(features, self.max_iter, n_threads):
                layer = HyperplaneStream(seed, ball, self.max_bias).draw(width)
                features = features_of(layer, X[part.rows], n_threads)
            if part.is_all:
                yield features

    def _widths(self, most: int):
        """Yield the widths that are tried."""
        width = self.min_hyperplanes
        while width < most:
            yield width
            width = int(np.ceil(_GROWTH * width))
        yield most

    def _misfit(self, missed: str) -> InterpolationWarning | InterpolationError:
        if self.n_hyperplanes == "auto":
            return super()._misfit(missed)
        return InterpolationWarning(
            f"{missed} are not recalled with n_hyperplanes={self.n_hyperplanes}; "
            "increase it, or set it to 'auto'."
        )

    def _outputs(self, X) -> np.ndarray:
        return self.network_.forward(X, threads_for(self.n_jobs))
