"""Spiked random ReLU networks behind the scikit-learn interface."""

from __future__ import annotations

from numbers import Integral

import numpy as np

from ..._estimator._callbacks import Progress
from ..._estimator._parameters import threads_for
from ..._estimator._regressor import BaseMemorizingRegressor
from ..._estimator._sklearn import Interval, StrOptions, draw_seeds
from ..._estimator._training_set import TrainingSet
from ._construction import build_spiked_network


class MemorizingRegressor(BaseMemorizingRegressor):
    """Recall every target by a network that also predicts well.

    A layer of random ReLU units, through the samples, is fitted to the targets by ridge
    regression: the smooth part of the network. What it misses at the samples is put
    right by one narrow spike for each. Every training target is returned to the last
    bit, and new samples are predicted by the smooth part: they are in no spike.

    Parameters
    ----------
    n_hyperplanes : int, default=500
        Number of random ReLU units of the smooth part.
    n_projections : int, default=10
        Number of random directions, of which the one is taken along which samples lie
        farthest apart; spikes stand on it.
    conflicts : {"mean", "raise"}, default="mean"
        What to do about identical samples with different targets: memorize their mean
        by weight, or raise a `ValueError`.
    n_jobs : int or None, default=None
        Number of threads for `fit` and for prediction. The result does not depend on
        it.
    random_state : int, RandomState instance or None, default=None
        Draws hyperplanes and directions.

    Attributes
    ----------
    network_ : Network
        The built network: random ReLU units, the corners of all spikes, two units that
        cut the sum off at the smallest and the largest target, and the output.
    ridge_ : float
        The ridge that leaving out each sample in turn chose, as a share of the largest
        squared singular value of the units.
    smooth_score_ : float
        R^2 of the smooth part where each sample is left out in turn: an estimate of
        `score` on new samples (that the ridge was chosen by it makes it look a little
        better).
    spike_share_ : float
        The share of the line, from the first sample to the last one, that is in some
        spike.
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
    MemorizingClassifier : The same for classes, by other means.
    InterpolatingNeighborsRegressor : Recalls as well, and predicts by neighbours.
    SmallReLURegressor : As few units as possible; predicts new samples badly.
    applications.MemorizingCorrectorRegressor : Puts the errors of any regressor right.

    Notes
    -----
    **Theorem.** Let g be the smooth part, cut off at the smallest target, and let the
    samples have distinct positions on the line. The network returns every target, and
    differs from g, cut off at the largest target as well, at most on the inputs that
    are in a spike. These have the probability p that the position of a new sample is
    within the hats, so the mean squared errors of both differ by at most p times the
    squared range of all targets. With narrower hats p falls to 0 if the positions
    have a density: whatever the smooth part learns, noise in the targets or not, the
    network learns as well. That interpolation can be had at this price, and why it
    takes functions with large derivatives, is a result of Haas et al. [1]_ on kernels
    and wide networks; the statement here is plain from the construction.

    There are n_hyperplanes + 1 + 3 N + 3 more hidden units for N samples with one
    target, and about n_hyperplanes * d + 9 N parameters.

    **Exactness.** `predict` finds the one spike that a row may be in, and evaluates it
    around its sample: there is no rounding error at the sample. `network_.layers`,
    evaluated one after the other in double precision, have one: about 1e-8 of the range
    of the targets. `fit` evaluates them at the samples of the narrowest spikes, and
    raises an `InterpolationError` that names the rows if they miss targets by more than
    a hundredth of the range, or if distinct samples share their position on each line.

    **Test data.** The smooth part is all there is; the spikes do neither good nor harm.
    Features count in units of their standard deviation, so they need no scaling.
    Predictions are never outside of the range of the training targets.

    **Cost.** With H hyperplanes `fit` takes O(N H (d + H) + N log N) operations and
    40 N H bytes, a prediction O(H d + log N) operations. A third of the hyperplanes
    looks at all d features, a third at about sqrt(d), and a third at one.

    References
    ----------
    .. [1] M. Haas, D. Holzmüller, U. von Luxburg, I. Steinwart, "Mind the spikes:
       Benign overfitting of kernels and neural networks in fixed dimension", NeurIPS
       2023, arXiv:2305.14077.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn_memorize import MemorizingRegressor
    >>> X, y = load_diabetes(return_X_y=True)
    >>> regressor = MemorizingRegressor(random_state=0).fit(X[:300], y[:300])
    >>> regressor.max_abs_error_
    0.0
    >>> bool((regressor.predict(X[:300]) == y[:300]).all())
    True
    >>> round(regressor.score(X[300:], y[300:]), 2), round(regressor.smooth_score_, 2)
    (0.53, 0.49)
    """

    _sizes = ("n_hyperplanes",)
    _parameter_constraints: dict = {
        "n_hyperplanes": [Interval(Integral, 1, None, closed="left")],
        "n_projections": [Interval(Integral, 1, None, closed="left")],
        "conflicts": [StrOptions({"mean", "raise"})],
        "n_jobs": [Integral, None],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        *,
        n_hyperplanes=500,
        n_projections=10,
        conflicts="mean",
        n_jobs=None,
        random_state=None,
    ):
        self.n_hyperplanes = n_hyperplanes
        self.n_projections = n_projections
        self.conflicts = conflicts
        self.n_jobs = n_jobs
        self.random_state = random_state

    def _bytes_to_build(self, training: TrainingSet) -> int:
        # Units, centered units, their singular vectors, and squares of these; the
        # product of the units with themselves; hyperplanes; the points twice.
        n_samples, n_units = training.n_samples, self.n_hyperplanes
        smaller = min(n_samples, n_units)
        n_values = 2 * n_samples * n_units + 2 * n_samples * smaller + 3 * smaller**2
        n_values += 2 * n_units * training.n_features
        return 8 * n_values + 2 * training.n_stored_bytes

    def _build(self, training: TrainingSet, progress: Progress):
        (seed,) = draw_seeds(self.random_state, 1)
        network, ridge, score = build_spiked_network(
            training.points(),
            training.labels,
            np.random.default_rng(seed),
            n_hyperplanes=self.n_hyperplanes,
            n_projections=self.n_projections,
            n_threads=threads_for(self.n_jobs),
        )
        return {
            "network_": training.embedded(network),
            "ridge_": ridge,
            "smooth_score_": score,
            "spike_share_": network.spikes.share,
        }, None

    def _outputs(self, X) -> np.ndarray:
        return self.network_.forward(X, threads_for(self.n_jobs))
