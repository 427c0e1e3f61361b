"""Random hyperplanes and a greedy cover behind the scikit-learn interface."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial
from numbers import Integral, Real
from typing import Any

import numpy as np
from scipy import sparse
from sklearn.utils.metaestimators import available_if

from ..._estimator._base import constant_network
from ..._estimator._callbacks import Progress, completed_draws
from ..._estimator._conflicts import Ballots
from ..._estimator._dask import is_dask_array
from ..._estimator._parameters import threads_for
from ..._estimator._probabilities import ONE_OBSERVATION, Rule, Softmax
from ..._estimator._radius import CertifiedRadiusMixin
from ..._estimator._sklearn import Interval, StrOptions, draw_seeds
from ...exceptions import InterpolationError, InterpolationWarning
from ...kernels._memory import check_room
from ._adapted import Survey
from ._codes import ClassLayout
from ._construction import Memorization, Rules, memorize_as_draw
from ._dask_samples import read_chunks
from ._drawing import MANY_FEATURES, Ball, given_ball
from ._hyperplane_layer import FEW_FEATURES
from ._in_batches import MemorizesBatches
from ._leave_one_out import MOST_LEFT_OUT, leave_one_out
from ._network import Calibration, CoverNetwork
from ._partial_fit import Batches
from ._radii import certified_radii
from ._reasons import ReasonsMixin
from ._samples import Samples, SamplesInMemory

# This many training samples at the most are encoded a second time to check their codes,
# and this many if there are as many.
_N_CHECKED = 1024
_LEAST_CHECKED = 256
# Blocks of rows and of products take about so much memory in each thread, where there
# are products at all.
_BYTES_AT_WORK = 36 << 20
_PRODUCTS_AT_ONCE = 1 << 22
# What "auto" stands for where hyperplanes are adapted; from many samples on, fewer
# draws of more hyperplanes do as well, and take less time.
_MANY_SAMPLES = 10_000
_MOST_DRAWS, _FEWER_DRAWS = 32, 16
# As many as the paper's experiments draw.
_MOST_OF_A_DRAW = 1000
# What is known only where samples are left out.
_LEFT_OUT = ("loo_score_", "loo_decision_function_", "loo_indices_")
# Margins, averaged over the draws, are multiplied by this before softmax.
_MARGIN_SCALE = 128.0


def _has_threshold_activation(classifier) -> bool:
    """Whether predictions depend on bits alone; else a property of scikit-learn."""
    if classifier.activation == "threshold":
        return True
    raise AttributeError(
        "certified_radius is for activation='threshold', where a prediction changes "
        f"only if bits of the code do, not for activation={classifier.activation!r}."
    )


class MemorizingClassifier(ReasonsMixin, CertifiedRadiusMixin, MemorizesBatches):
    """Classifier that provably recalls every training sample, without gradients.

    Hyperplanes cut the space into cells and give every sample a binary code. A greedy
    cover of the codes then gives, class by class, neurons that fire at samples of their
    class and at no training sample of another class. The result is a three-layer
    network that memorizes the training set. With random hyperplanes its size depends on
    the geometry of the classes and not on the number of samples [1]_; by default they
    are drawn from the data, so that the network predicts better.

    `fit` ends by deciding every training sample by the rule of `predict`, and sets
    `interpolates_`. With threshold activation everything past the first layer is
    integer arithmetic, and the signs of the first layer are exact, so that a sample's
    prediction does not depend on how it was asked for.

    Parameters
    ----------
    hyperplanes : {"adapted", "random"}, default="adapted"
        How hyperplanes are drawn. "adapted" ones combine a few features, in units of
        their spread, and pass between two training samples of different classes; of
        three candidates the one is taken that divides the classes best. They are drawn
        from at most 4,096 of the samples, need no `StandardScaler`, and predict better.
        Of them recall is proven, and nothing more. "random" ones are those of [1]_,
        Gaussian with uniform biases: the theorem is about them.
    n_hyperplanes : int or "auto", default="auto"
        Number of hyperplanes of each draw. With "auto", `min_hyperplanes` are
        drawn, and what they leave to do is done as `separating_hyperplanes` says. A
        fixed number may not suffice (Algorithm 2 of [1]_): then `fit` warns, and
        `interpolates_` is False.
    min_hyperplanes : int or "auto", default="auto"
        Number of hyperplanes of each draw that `n_hyperplanes="auto"` starts from.
        "auto" is 1000 where they are random; where they are adapted it is 4096 in all
        draws together, at least 128 and at most 1000 in each, and from 10,000 distinct
        rows on 8192 in all, and at least 512; but never more than `max_hyperplanes`. A
        number must not exceed it.
    max_hyperplanes : int, default=65536
        Number of random hyperplanes of each draw at which "auto" gives up with an
        `InterpolationError`, where there are no separating ones.
    separating_hyperplanes : bool, default=True
        With "auto", what is done about samples that the random hyperplanes do not
        separate from all other classes. If True, hyperplanes chosen from the data are
        added for them: each compares one feature with a number, so that any distinct
        samples are separated, whatever the scales of the features. If False, the number
        of random hyperplanes is doubled until the training set is memorized or
        `max_hyperplanes` is reached, as in Algorithm 1 of [1]_. Where random
        hyperplanes suffice, the two are the same.
    max_bias : float, default=1.0
        Largest distance of a hyperplane from the center (lambda in [1]_), in units of
        the radius of the data and of the length of its normal vector. 0 sends all
        hyperplanes through the center.
    activation : {"threshold", "relu"}, default="threshold"
        Activation of the first two layers. Threshold networks are evaluated on packed
        bits; ReLU networks in fixed point (outputs of the first layer are rounded up
        to a multiple of 2**-26 of the scale of the data), which takes more time and
        memory.
    center : bool, default=True
        Whether the hyperplanes are drawn around the mean of the samples, or around the
        origin. The network has the same form: centering only changes its biases.
    ball : dict or None, default=None
        The ball that the hyperplanes are drawn for, where it is not to depend on the
        samples: {"center": c, "radius": r}, or {"low": a, "high": b} for the one around
        a box; c, a and b are numbers, or have one for each feature. What lies outside
        is memorized as well. None takes the ball around the samples. With a ball and
        random hyperplanes, what `partial_fit` and `forget` lead to depends on the set
        of samples that are left alone.
    n_draws : int or "auto", default="auto"
        Number of candidate first layers that are drawn and built, in parallel. One is
        the construction of [1]_, and enough to memorize; several, all kept, predict
        better. "auto" is 4 where hyperplanes are random; where they are adapted it is
        32, or 16 from 10,000 distinct rows on; with `one_sided` or
        `decision="network"`, where they do not vote, 1.
    keep : {"best", "all"}, default="all"
        "best" keeps the draw with the fewest neurons in the second layer (the first
        one among equals). "all" lets the networks of all draws stand side by side as
        one wider network, whose margins are added up.
    covering : {"random", "greedy"}, default="random"
        Whether the samples behind the second layer are drawn at random, or the sample
        is taken whose neuron covers most samples. "greedy" needs fewer neurons. It
        computes the neuron of every sample, in time O(N^2 n) for N samples and n
        hyperplanes, and memory of at most twice the codes.
    prune : bool, default=False
        Whether neurons whose samples are covered by others, and hyperplanes that no
        neuron reads, are removed. All training samples are still recalled.
    one_sided : bool, default=False
        With two classes: memorize `classes_[1]` alone; `classes_[0]` is predicted where
        no neuron fires, whatever `decision`.
    decision : {"vote", "network"}, default="vote"
        "network" predicts the class that has a firing neuron, as in [1]_; where none or
        several have, the first of them. "vote" agrees with it wherever exactly one
        class fires, in all the draws that are kept (so on all training samples), and
        elsewhere compares the classes by the mean of their `n_votes` largest margins.
    n_votes : int, "auto" or "leave_one_out", default="auto"
        Number of neurons of each class, in each draw, whose margins are compared by
        "vote". More of them resist wrong labels better. With "leave_one_out" it is
        chosen by leaving out training samples, one at a time, and so are a scale of the
        margins and an offset of each class, which turn margins into scores whose
        softmax is `predict_proba`: those with the smallest log loss. Nothing is fitted
        again for that. "auto" does so where hyperplanes are adapted; with random ones,
        for which leaving out may take longer than the rest of `fit`, with `one_sided`,
        with `decision="network"` and with `activation="relu"` it is 3, and margins are
        not calibrated.
    n_left_out : int or "auto", default="auto"
        Number of distinct rows, spread over all, that are left out one by one at the
        most; "auto" is 2,000. A number as large as the training set gives a score to
        each row.
    class_weight : dict, "balanced" or None, default=None
        By "vote", what the probability of each class is multiplied by, where not
        exactly one class fires in all the draws that are kept: a positive number for
        each label, 1 for those that a dict leaves out. "balanced" divides by the number
        of distinct rows of the class, so that rare classes are predicted more often,
        and balanced accuracy rises where accuracy falls. All training samples are
        recalled, whatever the weights.
    conflicts : {"majority", "raise"}, default="majority"
        What to do about identical rows with different labels: memorize the label of
        the largest total weight with a `ConflictingLabelsWarning`, or raise.
    n_jobs : int, default=None
        Number of jobs that share the draws; with a single draw, number of threads that
        share rows and classes. None means 1 unless in a `joblib.parallel_config`
        context; -1 means all processors. The result does not depend on it.
    random_state : int, RandomState instance or None, default=None
        Determines the hyperplanes and the order in which samples are drawn. Pass an
        int for reproducible results.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The class labels.
    n_votes_ : int
        The number of votes.
    loo_score_ : float
        Share of the training samples that would get their own label if they had been
        left out, as the networks built without them would say, but for details that the
        user guide gives. At most `n_left_out` distinct rows are left out, and
        `class_weight` plays no part. Only where `n_votes` is chosen by it.
    loo_decision_function_ : ndarray of shape (n_left_out, n_classes)
        The scores of the classes at the samples that were left out, one at a time,
        from which `loo_score_` is computed: their softmax is the probability that each
        would get. Where the score of the own label is low, the label may be wrong. Only
        where there is `loo_score_`.
    loo_indices_ : ndarray of shape (n_left_out,)
        Which training samples these are: of equal ones the first. `fit` puts them in
        increasing order.
    network_ : CoverNetwork
        The network: layers, sizes, evaluation.
    radius_ : float
        Largest distance of a training sample from the center; that of the ball, if one
        is given.
    n_hyperplanes_ : int
        Width of the first layer: the hyperplanes of all draws that are kept, the
        separating ones included.
    n_separating_hyperplanes_ : int
        How many of them were chosen from the data; 0 where random ones sufficed.
    n_draws_ : int
        Number of draws that are kept: `n_draws`; 1 with `keep="best"`; fewer if a
        callback asked to stop; 0 with a single class.
    second_layer_widths_ : ndarray of shape (n_classes,)
        Number of second-layer neurons of each class.
    sample_indices_ : ndarray of shape (n_neurons,)
        Index of the training sample behind each second-layer neuron, in the order of
        the neurons of `network_`: draw by draw, and class by class.
    coverage_ : ndarray of shape (n_neurons,)
        Number of distinct training samples at which each second-layer neuron fires.
    interpolates_ : bool
        Whether every training sample is recalled, by the rule of `predict`; about the
        resolved labels where labels are in conflict.
    n_conflicts_ : int
        Number of distinct rows that carry several labels.
    n_features_in_ : int
        Number of features seen during `fit`.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of features seen during `fit`, if all are strings.

    See Also
    --------
    RandomThresholdTransformer : The first layer alone.

    Notes
    -----
    **Probabilities.** Where samples are left out, by default, `predict_proba` is
    calibrated: it is the softmax of the scores that fit the labels of the samples left
    out best. Otherwise, by "vote" (and with `one_sided`), it is the softmax of 128
    times the margins, averaged over the draws; this factor fits data sets of moderate
    noise, and is not calibrated on yours. By "network" the answer counts as one
    observation: 2 / (n_classes + 1) for the predicted class, 1 / (n_classes + 1) for
    any other.

    **Size.** Let delta be the distance between the classes, and let M balls that are
    small compared to their distance from the other classes cover the samples. Then, up
    to constants, (lambda / delta) * log(M / eta) + (lambda / delta**3) * omega**2
    hyperplanes suffice for a second layer of at most M neurons, with probability
    1 - eta; omega is the Gaussian mean width of the pieces of the covering [1]_.

    Any two distinct rows differ in some feature, and comparing two numbers is exact. So
    separating hyperplanes recall any training set with entries of at most 2**1000
    (about 1e301; larger ones are refused), memory permitting; with ReLU activation, as
    long as differences that matter and the largest entry are less than a factor of
    about 2**1990 apart.

    **Certified radius.** With threshold activation a prediction changes only if bits of
    the code do, and `certified_radius` is the largest of three distances: how near the
    nearest hyperplane is whose bit, with those of all nearer ones, could make another
    class win; with m for the number of bits that it takes at least, the m-th smallest
    distance; and the root of the sum of the m smallest squares over the spectral norm
    of all unit normals. All are proven, and weak where features are many: hyperplanes
    nearby are taken to be in the way at once, in whatever direction they are. The user
    guide on robustness shows how weak.

    Of more than 8,192 features, hyperplanes look only at those that are not zero in all
    training samples, if these are at most a quarter; predictions ignore the others.

    **Cost.** For N samples of d features, n hyperplanes and K neurons in all draws:
    `fit` takes O(N n d + N K n / 64) operations, for a greedy cover O(N^2 n / 64) at
    most, and N n / 8 bytes for codes beside the samples; a prediction
    O(n d + K n / 64). With ReLU activation n / 64 is n, and codes take 8 N n bytes.

    References
    ----------
    .. [1] S. Dirksen, P. Finke, M. Genzel, "Memorization with neural nets: going beyond
       the worst case", JMLR 25(347), 2024. https://arxiv.org/abs/2310.00327

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn_memorize import MemorizingClassifier
    >>> X, y = load_iris(return_X_y=True)
    >>> clf = MemorizingClassifier(random_state=0).fit(X, y)
    >>> clf.interpolates_
    True
    >>> clf.score(X, y)
    1.0
    >>> clf.network_.depth
    3
    """

    _parameter_constraints: dict = {
        "hyperplanes": [StrOptions({"adapted", "random"})],
        "n_hyperplanes": [
            Interval(Integral, 1, None, closed="left"),
            StrOptions({"auto"}),
        ],
        "min_hyperplanes": [
            Interval(Integral, 1, None, closed="left"),
            StrOptions({"auto"}),
        ],
        "max_hyperplanes": [Interval(Integral, 1, None, closed="left")],
        "separating_hyperplanes": ["boolean"],
        "max_bias": [Interval(Real, 0, None, closed="left")],
        "activation": [StrOptions({"threshold", "relu"})],
        "center": ["boolean"],
        "ball": [dict, None],
        "n_draws": [Interval(Integral, 1, None, closed="left"), StrOptions({"auto"})],
        "keep": [StrOptions({"best", "all"})],
        "covering": [StrOptions({"random", "greedy"})],
        "prune": ["boolean"],
        "one_sided": ["boolean"],
        "decision": [StrOptions({"vote", "network"})],
        "n_votes": [
            Interval(Integral, 1, None, closed="left"),
            StrOptions({"auto", "leave_one_out"}),
        ],
        "n_left_out": [
            Interval(Integral, 1, None, closed="left"),
            StrOptions({"auto"}),
        ],
        "class_weight": [dict, StrOptions({"balanced"}), None],
        "conflicts": [StrOptions({"majority", "raise"})],
        "n_jobs": [Integral, None],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        *,
        hyperplanes="adapted",
        n_hyperplanes="auto",
        min_hyperplanes="auto",
        max_hyperplanes=65536,
        separating_hyperplanes=True,
        max_bias=1.0,
        activation="threshold",
        center=True,
        ball=None,
        n_draws="auto",
        keep="all",
        covering="random",
        prune=False,
        one_sided=False,
        decision="vote",
        n_votes="auto",
        n_left_out="auto",
        class_weight=None,
        conflicts="majority",
        n_jobs=None,
        random_state=None,
    ):
        self.hyperplanes = hyperplanes
        self.n_hyperplanes = n_hyperplanes
        self.min_hyperplanes = min_hyperplanes
        self.max_hyperplanes = max_hyperplanes
        self.separating_hyperplanes = separating_hyperplanes
        self.max_bias = max_bias
        self.activation = activation
        self.center = center
        self.ball = ball
        self.n_draws = n_draws
        self.keep = keep
        self.covering = covering
        self.prune = prune
        self.one_sided = one_sided
        self.decision = decision
        self.n_votes = n_votes
        self.n_left_out = n_left_out
        self.class_weight = class_weight
        self.conflicts = conflicts
        self.n_jobs = n_jobs
        self.random_state = random_state

    # What `partial_fit` keeps: None before its first call, and after `fit`.
    _batches: Batches | None = None

    @property
    def _sizes(self) -> tuple[str, ...]:
        """The parameters that decide how much memory is needed."""
        if self.n_hyperplanes != "auto":
            return "n_hyperplanes", "n_draws"
        most = "min" if self.separating_hyperplanes else "max"
        return f"{most}_hyperplanes", "n_draws"

    @property
    def _n_build_parts(self) -> int:  # type: ignore[override]
        return self._n_draws(0)

    def _n_draws(self, n_samples: int) -> int:
        """Return the number of draws, which "auto" leaves to the samples."""
        if self.n_draws != "auto":
            return self.n_draws
        if self.hyperplanes == "random":
            return 4
        if not self._votes:  # of many draws, some would say any class
            return 1
        return _MOST_DRAWS if n_samples < _MANY_SAMPLES else _FEWER_DRAWS

    def _n_at_first(self, n_samples: int) -> int:
        """Return the number of hyperplanes that "auto" starts from."""
        if self.min_hyperplanes != "auto":
            n = self.min_hyperplanes
        elif self.hyperplanes == "random":
            n = _MOST_OF_A_DRAW
        else:
            is_large = n_samples >= _MANY_SAMPLES
            least, in_all = (512, 8192) if is_large else (128, 4096)
            n = min(max(least, in_all // self._n_draws(n_samples)), _MOST_OF_A_DRAW)
        return min(n, self.max_hyperplanes)

    @property
    def _votes(self) -> bool:
        """Whether margins decide where not exactly one class fires."""
        return self.decision == "vote" and not self.one_sided

    def _read(self, X, y, sample_weight) -> Samples:  # type: ignore[override]
        """Return the samples by class, in memory or in the chunks of a dask array."""
        self.__dict__.pop("_batches", None)  # `fit` starts afresh
        if not is_dask_array(X):
            training = super()._read(X, y, sample_weight)
            sizes = np.bincount(training.labels, minlength=training.n_classes)
            return SamplesInMemory(
                training.X,
                training.rows,
                ClassLayout(sizes),
                training.n_conflicts,
                training.ballots,
            )
        for name, value, instead in (
            ("covering", "greedy", "random"),
            ("prune", True, False),
        ):
            if getattr(self, name) == value:
                raise ValueError(
                    f"{name}={value!r} needs all samples in one place, and X is a "
                    f"dask array. Set {name}={instead!r}, or fit X.compute()."
                )
        return read_chunks(self, X, y, sample_weight)

    def _ballots(self, y, weights, inverse, order) -> Ballots | None:
        if not self._leaves_out or (weights is None and len(order) == len(y)):
            return None
        labels = np.searchsorted(self.classes_, y)
        labels = np.minimum(labels, len(self.classes_) - 1)
        # A class that lost all its rows to others is not there.
        there = np.flatnonzero(self.classes_[labels] == y)
        places = np.empty(len(order), dtype=np.intp)
        places[order] = np.arange(len(order))
        weights = np.ones(len(y)) if weights is None else weights
        return Ballots.none().joined_by(
            places[inverse[there]], labels[there], weights[there]
        )

    @property
    def _leaves_out(self) -> bool:
        """Whether samples are left out, to choose the number of votes."""
        can = self._votes and self.activation == "threshold"
        if self.n_votes == "leave_one_out" and not can:
            raise ValueError(
                "n_votes='leave_one_out' is for decision='vote', "
                "activation='threshold' and one_sided=False, got decision="
                f"{self.decision!r}, activation={self.activation!r} and one_sided="
                f"{self.one_sided}. Set n_votes='auto' or a number."
            )
        if self.n_votes == "auto":
            return can and self.hyperplanes == "adapted"
        return self.n_votes == "leave_one_out"

    def _most_left_out(self, training: Samples) -> int:
        """Return how many samples are left out at the most; 0 for none."""
        if not self._leaves_out or np.count_nonzero(training.sizes) < 2:
            return 0
        return MOST_LEFT_OUT if self.n_left_out == "auto" else self.n_left_out

    def _build(  # type: ignore[override]
        self, training: Samples, progress: Progress
    ) -> tuple[dict, list | None]:
        ball = self._given_ball(self.n_features_in_)
        if ball is None:
            ball = training.enclosing_ball(self.center, threads_for(self.n_jobs))
        if len(training.sizes) == 1:
            return self._constant(ball), None
        seeds = draw_seeds(self.random_state, self._n_draws(training.n_samples))
        rules = self._rules(training, self._survey(training, ball, seeds), len(seeds))
        self._check_room_of_draws(training, ball, rules, len(seeds))
        tasks = [(ball, rules, progress, *numbered) for numbered in enumerate(seeds)]
        draws = completed_draws(
            training.run_draws(memorize_as_draw, tasks, self.n_jobs)
        )
        return self._attributes(draws, training, ball, rules)

    def _given_ball(self, n_features: int) -> Ball | None:
        return None if self.ball is None else given_ball(self.ball, n_features)

    def _survey(self, training: Samples, ball: Ball, seeds) -> Survey | None:
        """Return what hyperplanes are drawn from; None where they are random."""
        if self.hyperplanes == "random":
            return None
        seed, _ = np.random.SeedSequence(seeds).generate_state(2)
        return Survey.of(training, len(ball.center), int(seed))

    def _rules(self, training: Samples, survey: Survey | None, n_draws: int) -> Rules:
        n_classes = len(training.sizes)
        if self.one_sided and n_classes > 2:
            raise ValueError(
                f"one_sided=True needs two classes, got {n_classes}; set "
                "one_sided=False to memorize every class."
            )
        self._class_weights(training.sizes)  # raises before anything is built
        is_auto = self.n_hyperplanes == "auto"
        least = self.min_hyperplanes
        if is_auto and least != "auto" and least > self.max_hyperplanes:
            raise ValueError(
                f"min_hyperplanes={self.min_hyperplanes} is more than "
                f"max_hyperplanes={self.max_hyperplanes}. Set min_hyperplanes to "
                f"{self.max_hyperplanes} or less, or increase max_hyperplanes."
            )
        return Rules(
            n_hyperplanes=None if is_auto else self.n_hyperplanes,
            min_hyperplanes=self._n_at_first(training.n_samples),
            max_hyperplanes=self.max_hyperplanes,
            separates=is_auto and self.separating_hyperplanes,
            max_bias=float(self.max_bias),
            activation=self.activation,
            greedy=self.covering == "greedy",
            prune=self.prune,
            classes=(1,) if self.one_sided else tuple(range(n_classes)),
            n_threads=threads_for(self.n_jobs) if n_draws == 1 else 1,
            survey=survey,
            n_left_out=self._most_left_out(training),
        )

    def _class_weights(self, sizes: np.ndarray) -> np.ndarray | None:
        """Return the weight of each class, given how many distinct rows it has."""
        if self.class_weight is None:
            return None
        if self.one_sided or self.decision == "network":
            raise ValueError(
                "class_weight weighs the vote, and there is none with one_sided=True "
                "or decision='network'. Set class_weight=None."
            )
        if isinstance(self.class_weight, str):
            # A class that was declared and has no samples is not made more likely.
            return 1.0 / np.where(sizes > 0, sizes, sizes.max())
        classes = self.classes_.tolist()
        given = self.class_weight.items()
        unknown = [label for label, _ in given if label not in classes]
        wrong = [label for label, weight in given if not 0 < weight < np.inf]
        if unknown or wrong:
            reason = "is not a label of y" if unknown else "has no positive weight"
            raise ValueError(
                f"class_weight: {(unknown or wrong)[0]!r} {reason}. Give positive "
                "numbers to labels of y, or set class_weight='balanced'."
            )
        return np.array([float(self.class_weight.get(label, 1)) for label in classes])

    def _check_room_of_draws(
        self, training: Samples, ball: Ball, rules: Rules, n_draws: int
    ) -> None:
        """Check that the first layers of all draws and their codes fit into memory."""
        n = rules.n_at_first
        n_features = ball.n_features_drawn
        is_sparse_layer = False
        if rules.survey is not None and rules.survey.n_features > MANY_FEATURES:
            # Each looks at a few features, with their numbers.
            is_sparse_layer = True
            n_features = 2 * math.isqrt(rules.survey.X.shape[1]) + 2
        # Each draw keeps its directions in single precision, and while it is at work
        # holds them once more, in another order. Where features are left out, there are
        # the numbers of those in use as well.
        n_at_work = min(n_draws, threads_for(self.n_jobs))
        layer = 4 * n * n_features * (1 if ball.features is None else 2)
        n_bytes = (n_draws + n_at_work) * layer
        if isinstance(training, SamplesInMemory):
            if sparse.issparse(training.X) and ball.features is None:
                n_bytes += n_at_work * layer  # products with sparse rows make a copy
            bits = 80 if rules.activation == "relu" else 1
            n_bytes += n_draws * training.layout.n_positions * n * bits // 8
        if len(ball.center) > FEW_FEATURES:
            blocks = 4 * training.n_samples * (n + n_features)
            at_work = min(_BYTES_AT_WORK, blocks)
            if is_sparse_layer and isinstance(training, SamplesInMemory):
                # Products in double precision with bounds, and copies of the rows.
                products = 24 * min(_PRODUCTS_AT_ONCE, training.n_samples * n)
                at_work = max(at_work, products + 2 * _bytes_of_entries(training.X))
            n_bytes += n_at_work * at_work
        if rules.survey is not None:  # the spread of features is measured before
            n_bytes = max(n_bytes, rules.survey.n_bytes_of_spread)
        check_room(
            n_bytes,
            f"{n_draws} draws of {n:,} hyperplanes in {n_features:,} dimensions, "
            f"and the codes of {training.n_samples:,} samples,",
        )

    def _attributes(
        self, draws: Sequence[Memorization], training: Samples, ball: Ball, rules: Rules
    ) -> tuple[dict, list | None]:
        """Return the fitted attributes by name; and the codes of all draws, if any."""
        if self.keep == "best":
            draws = [min(draws, key=lambda draw: (draw.n_missed, len(draw.centers)))]
        quorum = _quorum([draw.missed for draw in draws])
        votes: dict = {"n_votes_": self._given_votes}
        self._forget_left_out()
        calibration = None
        if rules.n_left_out:
            left_out = leave_one_out(
                draws, training, rules.n_left_out, threads_for(self.n_jobs)
            )
            order = np.argsort(left_out.rows)
            votes = {
                "n_votes_": left_out.n_votes,
                "loo_score_": left_out.accuracy,
                "loo_decision_function_": left_out.scores[order],
                "loo_indices_": left_out.rows[order].astype(np.intp),
            }
            calibration = left_out.calibration
        weights = self._class_weights(training.sizes)
        if weights is not None:
            if calibration is None:  # softmax does the same without one
                scale = _MARGIN_SCALE / len(draws)
                calibration = Calibration(scale, np.zeros(len(weights)))
            calibration = calibration.weighted(weights)
        coverings = [draw.covering for draw in draws]
        network = CoverNetwork(coverings, quorum, calibration)
        widths = np.zeros(len(training.sizes), dtype=np.intp)
        for draw in draws:
            widths[list(rules.classes)] += draw.covering.widths
        attributes = {
            "network_": network,
            "radius_": ball.radius,
            "n_hyperplanes_": network.widths[0],
            "n_separating_hyperplanes_": sum(
                len(covering.hyperplanes.axis) for covering in network.coverings
            ),
            "n_draws_": len(draws),
            "second_layer_widths_": widths,
            "sample_indices_": np.concatenate([draw.centers for draw in draws]),
            "coverage_": np.concatenate([draw.coverage for draw in draws]),
            **votes,
        }
        codes = [draw.codes for draw in draws]
        return attributes, None if any(code is None for code in codes) else codes

    @property
    def _given_votes(self) -> int:
        """The number of votes where nothing is left out."""
        return 3 if isinstance(self.n_votes, str) else self.n_votes

    def _forget_left_out(self) -> None:
        """Drop what an earlier fit learned by leaving samples out."""
        for name in _LEFT_OUT:
            self.__dict__.pop(name, None)

    def _constant(self, ball: Ball) -> dict:
        """Return the fitted attributes where there is a single class."""
        self._forget_left_out()
        return {
            "network_": constant_network(len(ball.center)),
            "radius_": ball.radius,
            "n_hyperplanes_": 0,
            "n_separating_hyperplanes_": 0,
            "n_draws_": 0,
            "second_layer_widths_": np.zeros(1, dtype=np.intp),
            "sample_indices_": np.empty(0, dtype=np.intp),
            "coverage_": np.empty(0, dtype=np.intp),
            "n_votes_": self._given_votes,
        }

    def _certify(self, training: Any, evidence: Any = None) -> None:
        self._certify_samples(training, evidence, _N_CHECKED)

    def _certify_samples(
        self,
        training: Samples,
        evidence: list | None,
        n_checked: int,
        row_numbers: np.ndarray | None = None,
    ) -> None:
        """Decide every training sample by the rule of `predict`.

        Where the codes that the network was built from are at hand, these are decided:
        the code of a sample is a function of the sample alone, so they are those that
        `predict` computes. That is checked for some of the samples, which are encoded
        again; doing so for all would take a fifth to two fifths of the time of `fit`.
        Where no codes were kept, all samples are predicted.
        """
        n_threads = threads_for(self.n_jobs)
        if evidence is None:
            rows = training.missed(self._predictor(), n_threads)
        else:
            assert isinstance(training, SamplesInMemory)
            positions = training.layout.positions()
            numbers = self.network_.decide_codes(
                evidence, positions, self.decision, self.n_votes_, n_threads
            )
            self._check_codes(training, numbers, n_checked)
            rows = training.rows[numbers != training.labels]
        rows = rows if row_numbers is None else row_numbers[rows]
        self._record_certificate(training, len(rows), rows)

    def _check_codes(
        self, training: SamplesInMemory, numbers: np.ndarray, n_checked: int
    ) -> None:
        """Predict some of the training samples again, and compare the decisions."""
        n_checked = min(n_checked, max(training.n_samples // 32, _LEAST_CHECKED))
        step = -(-training.n_samples // n_checked)
        again = self._predict_class_numbers(training.X[training.rows[::step]])
        if (again != numbers[::step]).any():
            raise InterpolationError(
                "The codes of some training samples changed when they were computed "
                "again; this is a defect of the library or of the machine. Please "
                "report it."
            )

    def _misfit(self, missed: str) -> InterpolationWarning | InterpolationError:
        if self.n_hyperplanes != "auto":
            return InterpolationWarning(
                f"{missed} are not recalled: n_hyperplanes={self.n_hyperplanes} does "
                "not suffice. Set n_hyperplanes='auto', or increase n_hyperplanes. If "
                "features differ in scale or have outliers, scale them first, with "
                "StandardScaler for instance."
            )
        if not self.separating_hyperplanes:
            return InterpolationError(
                f"{missed} are not recalled with max_hyperplanes="
                f"{self.max_hyperplanes} random hyperplanes. Set "
                "separating_hyperplanes=True, or increase max_hyperplanes. If features "
                "differ in scale or have outliers, scale them first, with "
                "StandardScaler for instance; with max_bias=0, samples on one ray from "
                "the center are never separated."
            )
        if self.activation == "threshold":
            return super()._misfit(missed)
        return InterpolationError(
            f"{missed} are not recalled: the outputs of ReLU neurons leave double "
            "precision. Scale the features down, or set activation='threshold'."
        )

    def _predictor(self) -> Callable:
        """Return what tells class numbers of rows, without the estimator around it."""
        if len(self.classes_) == 1:
            return _only_class
        return partial(
            self.network_.predict, decision=self.decision, n_votes=self.n_votes_
        )

    def _predict_class_numbers(self, X) -> np.ndarray:
        return self._predictor()(X, n_threads=threads_for(self.n_jobs))

    def _scores(self, X) -> np.ndarray:
        scores = self.network_.scores(
            X, self.decision, self.n_votes_, threads_for(self.n_jobs)
        )
        if self.one_sided:
            return scores[:, 0]
        return scores[:, 1] - scores[:, 0] if len(self.classes_) == 2 else scores

    certified_radius = available_if(_has_threshold_activation)(
        CertifiedRadiusMixin.certified_radius
    )

    def _radii(self, X, numbers, metric) -> np.ndarray:
        return certified_radii(
            self.network_, X, numbers, metric, self.decision, self.n_votes_
        )

    @property
    def _probability_rule(self) -> Rule:
        """Margins say how sure a vote is; neurons that fire or not do not."""
        if self.one_sided:  # one margin, the largest of all draws
            return Softmax(_MARGIN_SCALE)
        if self.decision == "network":
            return ONE_OBSERVATION
        if self.network_.calibration is not None:  # scores are logarithms
            return Softmax(1.0)
        return Softmax(_MARGIN_SCALE / len(self.network_.coverings))


def _bytes_of_entries(X) -> int:
    """Return the bytes of a sparse array; 0 for others, which are not copied whole."""
    return X.data.nbytes + X.indices.nbytes if sparse.issparse(X) else 0


def _quorum(missed: list[np.ndarray]) -> int:
    """Return the smallest number of draws that cover a sample, but at least one."""
    _, times = np.unique(np.concatenate(missed), return_counts=True)
    return max(1, len(missed) - int(times.max(initial=0)))


def _only_class(X, n_threads: int) -> np.ndarray:
    return np.zeros(X.shape[0], dtype=np.intp)
