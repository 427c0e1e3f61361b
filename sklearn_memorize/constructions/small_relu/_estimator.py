"""Small ReLU networks behind the scikit-learn interface."""

from numbers import Integral

import numpy as np

from ..._estimator._base import BaseMemorizingClassifier, constant_network
from ..._estimator._callbacks import Progress
from ..._estimator._regressor import BaseMemorizingRegressor
from ..._estimator._sklearn import Interval, StrOptions, draw_seeds
from ..._estimator._training_set import TrainingSet
from ._construction import build_small_relu_network

# How far the layers, evaluated one after the other in double precision, may be off:
# a quarter of the distance of neighbouring levels; 1 % of the range of the targets.
_LEVEL_TOLERANCE = 0.25
_RANGE_TOLERANCE = 0.01

_SHARED_CONSTRAINTS = {
    "n_projections": [Interval(Integral, 1, None, closed="left")],
    "n_layers": [Interval(Integral, 3, None, closed="left")],
    "random_state": ["random_state"],
}


def _built(estimator, training: TrainingSet, targets, tolerance) -> dict:
    """Return the network that puts out the targets, as a fitted attribute."""
    (seed,) = draw_seeds(estimator.random_state, 1)
    network = build_small_relu_network(
        training.points(),
        targets,
        np.random.default_rng(seed),
        tolerance=tolerance,
        n_projections=estimator.n_projections,
        n_layers=estimator.n_layers,
    )
    return {"network_": training.embedded(network)}


def _bytes_of_copies(training: TrainingSet) -> int:
    # The points, one more copy while they are projected, and a block of them.
    return 9 * training.n_stored_bytes // 4


class SmallReLUClassifier(BaseMemorizingClassifier):
    """Memorize with two hidden layers of about 2 sqrt(N) ReLU nodes each.

    The samples are projected on a line and cut into groups of consecutive ones. Each
    node of the first hidden layer stretches one group and ignores all others, each
    node of the second one is responsible for one sample of every group; the sum of
    these is the label, one of `n_classes` levels between -1 and 1. All nodes are
    hard-tanh functions, written as pairs of ReLU nodes.

    It says what few nodes can memorize, and promises nothing about other samples: the
    network sees them through one random projection, between whose samples it jumps
    from level to level. On new samples of classes that are not ordered along that
    line, expect little more than chance.

    Parameters
    ----------
    n_projections : int, default=10
        Number of random directions to try. The one with the smallest slopes is kept
        (in units of the largest projection), for these limit what double precision can
        hold.
    n_layers : int, default=3
        Number of layers, the output layer included. More than three: the samples are
        cut into `n_layers - 2` blocks of consecutive ones, memorized by smaller
        networks one above the other, with about 4 N weights between hidden layers as
        before.
    conflicts : {"majority", "raise"}, default="majority"
        What to do about identical samples with different labels: memorize the label
        of largest total weight, or raise a `ValueError`.
    random_state : int, RandomState instance or None, default=None
        Source of the directions.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The classes.
    network_ : Network
        The built network. Its one output is the level `-1 + 2 c / (n_classes - 1)` at
        the training samples of class number c.
    interpolates_ : bool
        Whether every training sample is recalled, as certified by `fit`.
    n_conflicts_ : int
        Number of distinct rows that carried several labels.
    n_features_in_ : int
        Number of features.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the features, if `X` had any.

    See Also
    --------
    SmallReLURegressor : The same for targets that are real numbers.
    MemorizingClassifier : More nodes, but made to generalize.

    Notes
    -----
    **Theorem** (Yun, Sra, Jadbabaie). For any N distinct samples with labels in
    [-1, 1], a ReLU network with two hidden layers of d1 and d2 nodes memorizes them
    once 4 floor(d1/4) floor(d2/4) >= N: about 2 sqrt(N) nodes in each layer. On the
    other hand, if 2 d1 d2 + d2 + 2 < N, some labels of some samples cannot be fitted.

    The paper classifies with one-hot labels and a fourth layer; here the classes are
    levels of one output, and the nearest level is predicted. The only assumption is
    that the samples are distinct. The slopes, however, grow with the inverse of the
    smallest distance between projected samples, and from group to group where the
    samples lie in tight clusters (more layers help). `predict` evaluates the network
    around the nearest samples and is exact; `fit` also evaluates `network_.layers` one
    after the other in double precision at the 4,096 samples with the steepest nodes,
    and raises an `InterpolationError` if that misses a level by more than a quarter of
    the distance between levels. So two samples that all but coincide are either told
    apart or reported.

    The sizes obey 4 floor(d1/4) floor(d2/4) < N + d2/2: at most one group of padding
    more than the theorem.

    **Cost.** `fit` takes O(P N d + P N log N) operations for P projections of N samples
    of d features, and O(P N) numbers beside the samples; a prediction O(d + log N).

    References
    ----------
    C. Yun, S. Sra, A. Jadbabaie, *Small ReLU networks are powerful memorizers: a tight
    analysis of memorization capacity*, NeurIPS 2019, arXiv:1810.07770.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_memorize import SmallReLUClassifier
    >>> rng = np.random.default_rng(0)
    >>> X, y = rng.standard_normal((1000, 5)), rng.integers(10, size=1000)
    >>> memorizer = SmallReLUClassifier(random_state=0).fit(X, y)
    >>> memorizer.score(X, y)
    1.0
    >>> memorizer.network_.widths
    (64, 64, 1)
    """

    _parameter_constraints = {
        **_SHARED_CONSTRAINTS,
        "conflicts": [StrOptions({"majority", "raise"})],
    }

    def __init__(
        self,
        *,
        n_projections=10,
        n_layers=3,
        conflicts="majority",
        random_state=None,
    ):
        self.n_projections = n_projections
        self.n_layers = n_layers
        self.conflicts = conflicts
        self.random_state = random_state

    def _bytes_to_build(self, training: TrainingSet) -> int:
        return _bytes_of_copies(training)

    def _build(self, training: TrainingSet, progress: Progress):
        if training.n_classes == 1:
            return {"network_": constant_network(training.n_features)}, None
        highest = training.n_classes - 1
        levels = 2.0 * training.labels / highest - 1.0
        tolerance = _LEVEL_TOLERANCE * 2.0 / highest
        return _built(self, training, levels[:, np.newaxis], tolerance), None

    def _class_positions(self, X) -> np.ndarray:
        """Return the output in units of class numbers: c at the level of class c."""
        output = self.network_.forward(X)[:, 0]
        return (output + 1.0) / 2.0 * (len(self.classes_) - 1)

    def _scores(self, X) -> np.ndarray:
        if len(self.classes_) == 2:
            return self.network_.forward(X)[:, 0]
        numbers = np.arange(len(self.classes_))
        return -np.abs(self._class_positions(X)[:, np.newaxis] - numbers)

    def _predict_class_numbers(self, X) -> np.ndarray:
        if len(self.classes_) <= 2:
            return super()._predict_class_numbers(X)
        # The argmax of the scores, and the first of two equal ones, without them.
        nearest = np.ceil(self._class_positions(X) - 0.5)
        return np.clip(nearest, 0, len(self.classes_) - 1).astype(np.intp)


class SmallReLURegressor(BaseMemorizingRegressor):
    """Memorize real numbers with two hidden layers of about 2 sqrt(N) ReLU nodes each.

    The samples are projected on a line and cut into groups of consecutive ones. Each
    node of the first hidden layer stretches one group and ignores all others, each
    node of the second one is responsible for one sample of every group (and one
    output); the sum of these is the target. All nodes are hard-tanh functions, written
    as pairs of ReLU nodes.

    It says what few nodes can memorize, and promises nothing about other samples: the
    network sees them through one random projection, and between neighbours on that
    line it jumps to the lowest and highest target and back.

    Parameters
    ----------
    n_projections : int, default=10
        Number of random directions to try. The one with the smallest slopes is kept
        (in units of the largest projection), for these limit what double precision can
        hold.
    n_layers : int, default=3
        Number of layers, the output layer included. More than three: the samples are
        cut into `n_layers - 2` blocks of consecutive ones, memorized by smaller
        networks one above the other, with about 4 N weights between hidden layers (for
        each output) as before.
    conflicts : {"mean", "raise"}, default="mean"
        What to do about identical samples with different targets: memorize their
        weighted mean, or raise a `ValueError`.
    random_state : int, RandomState instance or None, default=None
        Source of the directions.

    Attributes
    ----------
    network_ : Network
        The built network; it puts out the targets.
    max_abs_error_ : float
        Largest error of `predict` at a training sample, over all outputs, in the unit
        of the targets. It is usually 0.
    interpolates_ : bool
        Whether in each output no error exceeds 2**-40 (about 1e-12) times the range of
        the targets (largest minus smallest), as certified by `fit`. Where a target is
        ambiguous, the weighted mean counts.
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
    SmallReLUClassifier : The same for classes.

    Notes
    -----
    **Theorem** (Yun, Sra, Jadbabaie). For any N distinct samples with targets in
    [-1, 1]^k, a ReLU network with two hidden layers of d1 and d2 nodes memorizes them
    once 4 floor(d1/4) floor(d2/(4k)) >= N: with one target, about 2 sqrt(N) nodes in
    each layer. On the other hand, if k = 1 and 2 d1 d2 + d2 + 2 < N, some targets of
    some samples cannot be fitted.

    What is assumed and how slopes grow is as for `SmallReLUClassifier`. `predict`
    evaluates the network in the form "value at the nearest sample + slope * distance",
    which has no rounding error at the samples. `network_.layers`, evaluated one after
    the other in double precision, have: about 1e-8 of the range of the targets for
    N = 2,000 random samples, 1e-6 for 10,000, and 1e-3 for 50,000. `fit` evaluates
    them at the 4,096 samples with the steepest nodes, and raises an
    `InterpolationError` if they miss a target by more than 1 % of the range.

    The sizes obey 4 floor(d1/4) floor(d2/(4k)) < N + d2/(2k): at most one group of
    padding more than the theorem.

    **Cost.** As of `SmallReLUClassifier`: O(P N d + P N log N) operations and O(P N)
    numbers for `fit`, O(d + log N) operations for a prediction.

    References
    ----------
    C. Yun, S. Sra, A. Jadbabaie, *Small ReLU networks are powerful memorizers: a tight
    analysis of memorization capacity*, NeurIPS 2019, arXiv:1810.07770.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_memorize import SmallReLURegressor
    >>> rng = np.random.default_rng(0)
    >>> X, y = rng.standard_normal((1000, 5)), rng.uniform(size=1000)
    >>> memorizer = SmallReLURegressor(random_state=0).fit(X, y)
    >>> memorizer.max_abs_error_
    0.0
    >>> memorizer.network_.widths
    (64, 64, 1)
    """

    _parameter_constraints = {
        **_SHARED_CONSTRAINTS,
        "conflicts": [StrOptions({"mean", "raise"})],
    }

    def __init__(
        self,
        *,
        n_projections=10,
        n_layers=3,
        conflicts="mean",
        random_state=None,
    ):
        self.n_projections = n_projections
        self.n_layers = n_layers
        self.conflicts = conflicts
        self.random_state = random_state

    def _bytes_to_build(self, training: TrainingSet) -> int:
        return _bytes_of_copies(training)

    def _build(self, training: TrainingSet, progress: Progress):
        targets = training.labels
        spread = targets.max(axis=0) / 2 - targets.min(axis=0) / 2
        rounding = 8.0 * np.spacing(np.abs(targets).max(axis=0) / 2)
        tolerance = 2.0 * _RANGE_TOLERANCE * spread + rounding
        return _built(self, training, targets, tolerance), None
