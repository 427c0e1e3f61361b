"""Random hyperplanes and a greedy cover behind the scikit-learn interface."""

from __future__ import annotations

import os
from numbers import Integral, Real

import numpy as np
from joblib import effective_n_jobs
from sklearn.utils.parallel import Parallel, delayed

from ..._estimator._base import BaseMemorizingClassifier, constant_network
from ..._estimator._callbacks import completed_draws, run_draw
from ..._estimator._dask import again_if_lost, in_dask_worker, is_dask_array
from ..._estimator._sklearn import Interval, StrOptions, draw_seeds
from ..._estimator._training_set import TrainingSet
from ...exceptions import InterpolationError, InterpolationWarning
from ...kernels import LANES
from ...kernels._threads import run_in_threads
from ._codes import TILES_OF_A_GROUP
from ._construction import ClassLayout, Rules, enclosing_ball, memorize
from ._dask_samples import DaskTrainingSet, training_set
from ._network import CoverNetwork
from ._partial_fit import PartialFitMixin
from ._parts import memorize_in_parts

__all__ = ["MemorizingClassifier"]

# The certificate looks at so many tiles of 64 samples at a time, at the most.
_MOST_TILES = 4096
# So many samples are encoded a second time at the least, if there are as many.
_LEAST_CHECKED = 256


def _n_threads(n_jobs) -> int:
    if in_dask_worker():  # its cluster has other tasks for the other workers
        return max(n_jobs or 1, 1)
    return min(effective_n_jobs(n_jobs), os.cpu_count() or 1)


class MemorizingClassifier(PartialFitMixin, BaseMemorizingClassifier):
    """Classifier that provably recalls every training sample, without gradients.

    Random hyperplanes cut the space into cells and give every sample a binary code. A
    greedy cover of the codes then gives, class by class, neurons that fire at samples
    of their class and at no training sample of another class. The result is a
    three-layer network that memorizes the training set. Its size depends on the
    geometry of the classes and not on the number of samples [1]_.

    `fit` ends by deciding every training sample the way `predict` does, and sets
    `interpolates_`. With threshold activation everything past the first layer is
    integer arithmetic, and the signs of the first layer are exact, so that a sample's
    prediction does not depend on how it was asked for.

    Parameters
    ----------
    n_hyperplanes : int or "auto", default="auto"
        Number of hyperplanes, the width of the first layer. With "auto" the number is
        doubled, from `min_hyperplanes` on, until the training set is memorized
        (Algorithm 1 of [1]_). A fixed number may not suffice (Algorithm 2): then `fit`
        warns, and `interpolates_` is False.
    min_hyperplanes : int, default=1000
        Number of hyperplanes that "auto" starts from.
    max_hyperplanes : int, default=65536
        Number of hyperplanes at which "auto" gives up with an `InterpolationError`.
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
    n_draws : int, default=4
        Number of candidate first layers that are drawn and built, in parallel. One is
        the construction of [1]_, and enough to memorize; several, all kept, predict
        better.
    keep : {"best", "all"}, default="all"
        "best" keeps the draw with the fewest neurons in the second layer (the first
        one among equals). "all" lets the networks of all draws stand side by side as
        one wider network, whose margins are added up.
    covering : {"random", "greedy"}, default="random"
        Whether the samples behind the second layer are drawn at random, or the sample
        is taken whose neuron covers most samples. "greedy" needs fewer neurons, and
        time and memory quadratic in the size of the classes.
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
    n_votes : int, default=3
        Number of neurons of each class, in each draw, whose margins are compared by
        "vote". More of them resist wrong labels better.
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
    network_ : CoverNetwork
        The network: layers, sizes, evaluation.
    radius_ : float
        Largest distance of a training sample from the center.
    n_hyperplanes_ : int
        Width of the first layer, all draws that are kept together.
    second_layer_widths_ : ndarray of shape (n_classes,)
        Number of second-layer neurons of each class.
    sample_indices_ : ndarray of shape (n_neurons,)
        Index of the training sample behind each second-layer neuron, in the order of
        the neurons of `network_`: draw by draw, and class by class.
    coverage_ : ndarray of shape (n_neurons,)
        Number of distinct training samples at which each second-layer neuron fires.
    interpolates_ : bool
        Whether every training sample is recalled. Established by prediction, and about
        the resolved labels where labels are in conflict.
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
    Let delta be the distance between the classes, and let M balls that are small
    compared to their distance from the other classes cover the samples. Then, up to
    constants, (lambda / delta) * log(M / eta) + (lambda / delta**3) * omega**2
    hyperplanes suffice for a second layer of at most M neurons, with probability
    1 - eta; omega is the Gaussian mean width of the pieces of the covering [1]_.

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
        "n_hyperplanes": [
            Interval(Integral, 1, None, closed="left"),
            StrOptions({"auto"}),
        ],
        "min_hyperplanes": [Interval(Integral, 1, None, closed="left")],
        "max_hyperplanes": [Interval(Integral, 1, None, closed="left")],
        "max_bias": [Interval(Real, 0, None, closed="left")],
        "activation": [StrOptions({"threshold", "relu"})],
        "center": ["boolean"],
        "n_draws": [Interval(Integral, 1, None, closed="left")],
        "keep": [StrOptions({"best", "all"})],
        "covering": [StrOptions({"random", "greedy"})],
        "prune": ["boolean"],
        "one_sided": ["boolean"],
        "decision": [StrOptions({"vote", "network"})],
        "n_votes": [Interval(Integral, 1, None, closed="left")],
        "conflicts": [StrOptions({"majority", "raise"})],
        "n_jobs": [Integral, None],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        *,
        n_hyperplanes="auto",
        min_hyperplanes=1000,
        max_hyperplanes=65536,
        max_bias=1.0,
        activation="threshold",
        center=True,
        n_draws=4,
        keep="all",
        covering="random",
        prune=False,
        one_sided=False,
        decision="vote",
        n_votes=3,
        conflicts="majority",
        n_jobs=None,
        random_state=None,
    ):
        self.n_hyperplanes = n_hyperplanes
        self.min_hyperplanes = min_hyperplanes
        self.max_hyperplanes = max_hyperplanes
        self.max_bias = max_bias
        self.activation = activation
        self.center = center
        self.n_draws = n_draws
        self.keep = keep
        self.covering = covering
        self.prune = prune
        self.one_sided = one_sided
        self.decision = decision
        self.n_votes = n_votes
        self.conflicts = conflicts
        self.n_jobs = n_jobs
        self.random_state = random_state

    @property
    def _n_build_parts(self) -> int:
        return self.n_draws

    # A training set in chunks stands in for one in memory.
    def _read(  # type: ignore[override]
        self, X, y, sample_weight
    ) -> TrainingSet | DaskTrainingSet:
        if not is_dask_array(X):
            return super()._read(X, y, sample_weight)
        for name, value, instead in (
            ("covering", "greedy", "random"),
            ("prune", True, False),
        ):
            if getattr(self, name) == value:
                raise ValueError(
                    f"{name}={value!r} needs all samples in one place, and X is a "
                    f"dask array. Set {name}={instead!r}, or fit X.compute()."
                )
        return training_set(self, X, y, sample_weight)

    def _build(self, training: TrainingSet | DaskTrainingSet, progress):
        if isinstance(training, DaskTrainingSet):
            return self._build_in_parts(training, progress)
        n_threads = _n_threads(self.n_jobs)
        ball = enclosing_ball(training.X, training.rows, self.center, n_threads)
        if training.n_classes == 1:
            return self._build_constant(ball)
        rules = self._rules(training)
        layout = ClassLayout.of(training.labels, training.n_classes)
        data = training.X, training.rows, layout, ball, rules
        # A pool of workers for a single draw would cost more than it brings.
        n_jobs = self.n_jobs if self.n_draws > 1 else 1
        # A fit that is itself a task on a cluster does not send its data on.
        require = "sharedmem" if in_dask_worker() else None
        tasks = [
            delayed(run_draw)(progress, number, rules.n_parts, memorize, *data, seed)
            for number, seed in enumerate(self._seeds())
        ]

        def outcomes() -> list:
            parallel = Parallel(n_jobs=n_jobs, prefer="threads", require=require)
            return parallel(tasks)

        draws = completed_draws(again_if_lost(outcomes))
        return self._attributes(draws, layout, ball.radius, rules.classes)

    def _build_in_parts(self, training: DaskTrainingSet, progress):
        """Do what `_build` does, one draw after the other, where the samples are."""
        samples = training.samples
        ball = samples.enclosing_ball(self.center)
        if training.n_classes == 1:
            return self._build_constant(ball)
        rules = self._rules(training)
        data = samples, ball, rules
        draws = completed_draws(
            run_draw(progress, number, rules.n_parts, memorize_in_parts, *data, seed)
            for number, seed in enumerate(self._seeds())
        )
        return self._attributes(draws, samples, ball.radius, rules.classes)

    def _seeds(self) -> list[int]:
        """Return one seed for each draw."""
        return draw_seeds(self.random_state, self.n_draws)

    def _attributes(self, draws, layout, radius: float, classes) -> tuple[dict, tuple]:
        """Return the fitted attributes by name, and layout and codes of the samples."""
        if self.keep == "best":
            draws = [min(draws, key=lambda draw: (draw.n_missed, len(draw.centers)))]
        # Where every draw covers every sample, each fires its class in all of them.
        quorum = len(draws) if sum(draw.n_missed for draw in draws) == 0 else 1
        network = CoverNetwork([draw.covering for draw in draws], quorum)
        widths = np.zeros(len(layout.sizes), dtype=np.intp)
        for draw in draws:
            widths[list(classes)] += draw.covering.widths
        return {
            "network_": network,
            "radius_": radius,
            "n_hyperplanes_": network.widths[0],
            "second_layer_widths_": widths,
            "sample_indices_": np.concatenate([draw.centers for draw in draws]),
            "coverage_": np.concatenate([draw.coverage for draw in draws]),
        }, (layout, [draw.codes for draw in draws])

    def _build_constant(self, ball) -> tuple[dict, None]:
        return {
            "network_": constant_network(len(ball.center)),
            "radius_": ball.radius,
            "n_hyperplanes_": 0,
            "second_layer_widths_": np.zeros(1, dtype=np.intp),
            "sample_indices_": np.empty(0, dtype=np.intp),
            "coverage_": np.empty(0, dtype=np.intp),
        }, None

    def _rules(self, training: TrainingSet | DaskTrainingSet) -> Rules:
        n_classes = training.n_classes
        if self.one_sided and n_classes > 2:
            raise ValueError(
                f"one_sided=True needs two classes, got {n_classes}; set "
                "one_sided=False to memorize every class."
            )
        return Rules(
            n_hyperplanes=None if self.n_hyperplanes == "auto" else self.n_hyperplanes,
            min_hyperplanes=min(self.min_hyperplanes, self.max_hyperplanes),
            max_hyperplanes=self.max_hyperplanes,
            max_bias=float(self.max_bias),
            activation=self.activation,
            greedy=self.covering == "greedy",
            prune=self.prune,
            classes=(1,) if self.one_sided else tuple(range(n_classes)),
            n_threads=_n_threads(self.n_jobs) if self.n_draws == 1 else 1,
        )

    def _certify(self, training: TrainingSet | DaskTrainingSet, evidence=None) -> None:
        """Decide every training sample by its code, as `predict` does.

        The code of a sample is a function of the sample alone, so the codes that the
        network was built from are those that `predict` computes. That is checked for
        some of the samples, which are encoded again.
        """
        layout, codes = evidence or (None, [None])
        if isinstance(training, DaskTrainingSet):
            self._record_certificate(training, training.n_missed(self))
            return
        if any(code is None for code in codes):
            super()._certify(training)
            return
        is_sample = np.zeros(layout.n_positions, dtype=bool)
        is_sample[layout.positions] = True

        n_tiles, n_threads = len(is_sample) // LANES, _n_threads(self.n_jobs)
        step = min(-(-n_tiles // (2 * n_threads)), _MOST_TILES)
        step = -(-step // TILES_OF_A_GROUP) * TILES_OF_A_GROUP

        def decided(start: int) -> np.ndarray:
            tiles = slice(start, min(start + step, n_tiles))
            wanted = is_sample[tiles.start * LANES : tiles.stop * LANES]
            return self._decide([code.part(tiles) for code in codes], wanted)[wanted]

        starts = range(0, n_tiles, step)
        numbers = np.concatenate(run_in_threads(decided, starts, n_threads))
        self._check_codes(training, numbers)
        self._record_certificate(training, int((numbers != training.labels).sum()))

    def _check_codes(self, training: TrainingSet, numbers: np.ndarray) -> None:
        """Predict some of the training samples again, and compare the decisions."""
        n_checked = min(self._n_checked, max(training.n_samples // 32, _LEAST_CHECKED))
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
                "not suffice. Increase n_hyperplanes, or set n_hyperplanes='auto'."
            )
        return InterpolationError(
            f"{missed} are not recalled with max_hyperplanes={self.max_hyperplanes}. "
            "Increase max_hyperplanes. If samples of different classes are nearly "
            "identical or all lie on one ray from the center (with max_bias=0), scale "
            "the features or increase max_bias."
        )

    @property
    def _n_votes(self) -> int | None:
        return None if self.decision == "network" or self.one_sided else self.n_votes

    def _decide(self, codes, wanted=True) -> np.ndarray:
        if self.one_sided:
            fires = self.network_.fires_of(codes)
            return fires[:, 0].astype(np.intp)
        return self.network_.decide(codes, self._n_votes, wanted)

    def _predict_class_numbers(self, X) -> np.ndarray:
        if len(self.classes_) == 1:
            return np.zeros(X.shape[0], dtype=np.intp)

        def numbers(block: slice) -> np.ndarray:
            codes = self.network_.encode(X[block])
            return self._decide([code.arranged() for code in codes])

        return self._by_blocks(numbers, X)

    def _scores(self, X) -> np.ndarray:
        return self._by_blocks(lambda block: self._scores_of_block(X[block]), X)

    def _scores_of_block(self, X) -> np.ndarray:
        network = self.network_
        if self.one_sided:
            return network.largest_margins(X)[:, 0]
        if self.decision == "network":
            scores = network.fires(X).astype(np.float64)
        else:
            scores = network.vote(X, self.n_votes)
        return scores[:, 1] - scores[:, 0] if len(self.classes_) == 2 else scores

    def _by_blocks(self, work, X) -> np.ndarray:
        n_threads = _n_threads(self.n_jobs)
        blocks = self.network_.blocks(X.shape[0], n_threads)
        return np.concatenate(run_in_threads(work, blocks, n_threads))
