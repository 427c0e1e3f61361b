"""Networks of width 2 behind the scikit-learn interface."""

from numbers import Integral

import numpy as np

from ..._estimator._base import constant_network
from ..._estimator._callbacks import Progress
from ..._estimator._sklearn import Interval, StrOptions, draw_seeds
from ..._estimator._training_set import TrainingSet
from .._label_intervals import LabelIntervalClassifier
from ._construction import build_narrow_network


class NarrowClassifier(LabelIntervalClassifier):
    """Memorize with two ReLU nodes a layer, and about one layer a sample.

    The samples are projected on a line. Layer by layer an increasing function of the
    position is put together, one piece a sample; it takes each sample to a place that
    says its label once the line is folded up, by halves, into one interval. All weights
    are written down, none is trained.

    It is the far end of narrow networks: width 2 is as small as it can be. It promises
    nothing about other samples, and predicts the class of a neighbour on the line, or
    some class between those of both.

    Parameters
    ----------
    n_projections : int, default=10
        Number of random directions to choose from. The one with the largest of the
        smallest gaps between samples is kept, because it needs the fewest bits.
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
        The built network. Its one output is between c and c + 1 at the training samples
        of class number c. `network_.bits_per_weight` is the length of the longest
        weight; the weights and biases of `network_.layers` are Python integers and
        fractions. Its `forward` gives what these layers do, exactly, without running
        them.
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
    BitExtractionClassifier : Fewer parameters, a few more nodes in a layer.
    MemorizingClassifier : More parameters, but made to generalize.

    Notes
    -----
    The score of class number c is minus the distance of the network's output from
    `c + 1/2`; with two classes `decision_function` returns the output minus 1.

    **Theorem** (Hernandez, Zuazua). N samples of M classes are memorized by a ReLU
    network of width 2 in at most 2 N + 4 M - 1 layers, all of whose weights are given
    explicitly. Width 2 cannot be improved on. We know this from the abstract; what is
    built here is another network, and this is its proof.

    **Here** there are at most

        N + 2 + F layers, F = ceil(log2(8 N / 3)),

    which is less, and 4 N + 6 F + d + 3 parameters. Let z > 0 be the position of a row
    on the line, where samples are at least 4 apart; M the number of classes, and tri(h)
    the distance of a number h from the nearest multiple of 2 M.

    1. There is a piecewise linear h that nowhere decreases, with h(0) = 0 and
       c < tri(h(z)) < c + 1 at all samples of class number c. From left to right: each
       sample has a piece, and the next one begins at t = ceil(z), less than 1 behind
       it. Let A be the value of h where its piece begins. The numbers h at or above A
       that say its class, c < tri(h) < c + 1, have an interval (low, low + 1) with
       low - A <= 2 M - 1, and a slope >= 0 leads there. Behind the last sample h is
       constant.
    2. h is less than 8 N M / 3. It rises by less than 2 M up to the sample (into the
       first half of the interval), and over the piece by less than 4/3 of that: the
       piece is more than 3 long before the sample, and less than 1 behind it.
    3. One layer a knee is enough. With knees t_k where the slope changes by w_k, r_0 =
       z and a_0 = 0,

           r_k = ReLU(r_(k-1) - (t_k - t_(k-1))), a_k = ReLU(a_(k-1) + w_(k-1) r_(k-1))

       are z - t_k (or 0 to the left of it), and the first k pieces of h, the last of
       which goes on. As slopes are not negative, a_k >= 0 for all z, and ReLU keeps it.
       At the end h(z) = a_K + w_K r_K, K <= N. Where a slope does not change there is
       no knee, and no layer.
    4. F folds read tri(h): with v = h, one layer ReLU(v - M 2^j), ReLU(M 2^j - v) each
       for j = F - 1, .., 0, and v the sum of both, the size of v - M 2^j. For
       0 <= h <= M 2^F that ends with v = M - tri(h), because M 2^j is a multiple of
       2 M for j >= 1. The output is M - v.

    Slopes are binary fractions with about as many digits as a piece is long in binary
    digits: weights have about as many bits as positions on the line, 2 log2(N) on
    random data, more where samples all but coincide. Everything is exact: positions,
    the certificate, `predict`.

    **Cost.** `fit` takes O(P N d + P N log N) operations for P projections of N samples
    of d features, O(N) of these with integers as long as positions on the line, and O(P
    N) numbers beside the samples; a prediction O(d + log N).

    References
    ----------
    M. Hernandez, E. Zuazua, *Constructive universal approximation and finite sample
    memorization by narrow deep ReLU networks*, 2024, arXiv:2409.06555.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_memorize import NarrowClassifier
    >>> rng = np.random.default_rng(0)
    >>> X, y = rng.standard_normal((1000, 10)), rng.integers(10, size=1000)
    >>> memorizer = NarrowClassifier(random_state=0).fit(X, y)
    >>> memorizer.score(X, y)
    1.0
    >>> max(memorizer.network_.widths), memorizer.network_.depth < 1014
    (2, True)
    """

    _parameter_constraints: dict = {
        "n_projections": [Interval(Integral, 1, None, closed="left")],
        "conflicts": [StrOptions({"majority", "raise"})],
        "random_state": ["random_state"],
    }

    def __init__(self, *, n_projections=10, conflicts="majority", random_state=None):
        self.n_projections = n_projections
        self.conflicts = conflicts
        self.random_state = random_state

    def _build(self, training: TrainingSet, progress: Progress):
        if training.n_classes == 1:
            return {"network_": constant_network(training.n_features)}, None
        (seed,) = draw_seeds(self.random_state, 1)
        network = build_narrow_network(
            training.points(),
            training.labels,
            training.n_classes,
            np.random.default_rng(seed),
            n_projections=self.n_projections,
        )
        return {"network_": training.embedded(network)}, None
