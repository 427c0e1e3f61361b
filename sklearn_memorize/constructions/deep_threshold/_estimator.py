"""Deep threshold networks behind the scikit-learn interface."""

from __future__ import annotations

from numbers import Integral, Real

import numpy as np

from ..._estimator._base import BaseMemorizingClassifier, constant_network
from ..._estimator._callbacks import Progress
from ..._estimator._messages import INSTEAD, listed
from ..._estimator._radius import CertifiedRadiusMixin
from ..._estimator._sklearn import Interval, StrOptions, draw_seeds
from ..._estimator._training_set import TrainingSet
from ...exceptions import InterpolationError, InterpolationWarning
from .._unit_sphere import SphereStream, are_clear
from ..random_hyperplanes._drawing import HyperplaneStream, enclosing_ball
from ._construction import (
    MAX_WORD_BITS,
    compress_codes,
    deep_threshold_network,
    distinct_codes,
    separating_hyperplanes,
)

# Whether rounding errors hide the sides of samples is tried on so many hyperplanes.
_N_TRIED = 64
# Hyperplanes in the ball of the data are given up after so many that split nothing.
_PATIENCE = 8192


class DeepThresholdClassifier(CertifiedRadiusMixin, BaseMemorizingClassifier):
    """Memorize with a deep network of threshold units and integer weights.

    The first layer draws random hyperplanes until points of different classes lie on
    different sides of at least one. Everything that follows is a circuit of threshold
    units with integer weights: parities, built from XOR gates, compress the code of a
    point to a word of about 2 log2(N) bits, and a table of sqrt(N) by sqrt(N) entries
    looks the word up, one output unit for each of the ceil(log2(n_classes)) bits of
    the class. What a later layer needs is handed on by identity units.

    Parameters
    ----------
    n_hyperplanes : "auto" or int, default="auto"
        Number of neurons of the first layer. "auto": as few of the random hyperplanes
        as separate the classes. An integer: exactly that many; if they do not suffice,
        `fit` warns and `interpolates_` is False.
    min_hyperplanes : int, default=1
        With `n_hyperplanes="auto"`, draw at least that many.
    max_hyperplanes : int, default=65536
        With `n_hyperplanes="auto"`, give up beyond that many.
    max_bias : float, default=1.0
        Biases are uniform in [-max_bias, max_bias], in units of the radius of the
        data. 0: all hyperplanes pass through the center.
    center : bool, default=True
        Whether the hyperplanes are drawn around the mean of the data; otherwise around
        the origin.
    n_word_bits : "auto" or int, default="auto"
        Number of bits of the words that the table holds, at most 52, so that the
        integers are exact in double precision. "auto": ceil(2 log2 N) + 1, and more
        if that keeps failing. An integer: exactly that many (or all bits of the code,
        without any XOR gate, if there are no more of them); if the words of different
        classes collide, `fit` warns and `interpolates_` is False.
    conflicts : {"majority", "raise"}, default="majority"
        What to do about identical samples with different labels: memorize the label
        of largest total weight, or raise a `ValueError`.
    random_state : int, RandomState instance or None, default=None
        Source of the hyperplanes and parities.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The classes.
    network_ : Network
        The built network. All weights and biases past the first layer are integers.
        Its last layer is the output bit for two classes; for more, a layer of one
        identity unit for each class reads the output bits: 0 for the class they
        spell, else minus the number of wrong bits.
    radius_ : float
        Radius of the data, the unit of `max_bias`.
    n_hyperplanes_ : int
        Number m of neurons of the first layer.
    n_word_bits_ : int
        Number r of bits of the words in the table.
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
    MemorizingClassifier : Three layers, and a reason to generalize.

    Notes
    -----
    **Theorem** [1]_. N points on the unit sphere in R^d, at distances of at least
    delta, with binary labels are memorized by a threshold network with
    O~(1/delta + sqrt(N)) neurons and O~(d/delta + N) weights, whose weights are
    Gaussian in the first layer, and binary or integer in all others.

    Here m hyperplanes are followed by about 6 m units of XOR gates (each bit enters
    three parities) and 4 sqrt(N) units of the table: O(log(N) / delta + sqrt(N))
    neurons, O(d log(N) / delta + N) weights. Only points of *different* classes have
    to differ, so delta is the smallest distance between classes relative to the
    radius of the data; the data need not lie on a sphere. Neighbouring words of one
    class share an entry of the table.

    Numbers of hyperplanes grow like 1/delta. Near-duplicates of different classes
    therefore reach `max_hyperplanes`, and `fit` raises `InterpolationError`.

    **Certified radius.** `certified_radius` is the distance to the nearest hyperplane:
    a single bit of a code may change everything.

    **Test data.** The theorem promises nothing about other points, and it shows: near
    points have near codes, but parities tear them apart, and what a new code finds in
    the table is arbitrary. Expect little more than chance: only points that share the
    code of a training sample are sure to share its label.

    **Cost.** With m hyperplanes `fit` takes O(N m d + N log N) operations and O(N m)
    bytes beside the samples; a prediction O(m d + log N): a word is looked up by
    binary search, as the units of the table would.

    References
    ----------
    .. [1] S. Rajput, K. Sreenivasan, D. Papailiopoulos and A. Karbasi, "An exponential
       improvement on the memorization capacity of deep threshold networks", Advances
       in Neural Information Processing Systems 34, 2021. arXiv:2106.07724

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn_memorize import DeepThresholdClassifier
    >>> X, y = load_iris(return_X_y=True)
    >>> classifier = DeepThresholdClassifier(random_state=0).fit(X, y)
    >>> classifier.interpolates_, classifier.score(X, y)
    (True, 1.0)
    >>> all((layer.weights % 1 == 0).all() for layer in classifier.network_.layers[-5:])
    True
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
        "n_word_bits": [
            StrOptions({"auto"}),
            Interval(Integral, 1, MAX_WORD_BITS, closed="both"),
        ],
        "conflicts": [StrOptions({"majority", "raise"})],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        *,
        n_hyperplanes="auto",
        min_hyperplanes=1,
        max_hyperplanes=65536,
        max_bias=1.0,
        center=True,
        n_word_bits="auto",
        conflicts="majority",
        random_state=None,
    ):
        self.n_hyperplanes = n_hyperplanes
        self.min_hyperplanes = min_hyperplanes
        self.max_hyperplanes = max_hyperplanes
        self.max_bias = max_bias
        self.center = center
        self.n_word_bits = n_word_bits
        self.conflicts = conflicts
        self.random_state = random_state

    def _bytes_to_build(self, training: TrainingSet) -> int:
        # The points, what they are measured in, and twice in single precision; layers
        # of hyperplanes compare their own sizes with the memory.
        return 4 * training.n_stored_bytes

    def _build(self, training: TrainingSet, progress: Progress):
        X = training.points()
        ball = enclosing_ball(X, np.arange(training.n_samples), self.center)
        fitted = {"radius_": ball.radius, "n_hyperplanes_": 0, "n_word_bits_": 0}
        if training.n_classes == 1:
            return fitted | {"network_": constant_network(X.shape[1])}, None
        for_hyperplanes, for_parities = draw_seeds(self.random_state, 2)
        hyperplanes = self._hyperplanes(X, training, ball, for_hyperplanes)
        codes, labels = distinct_codes(hyperplanes, X, training.labels)
        n_code_bits = hyperplanes.n_hyperplanes
        parities, words, separated = compress_codes(
            codes,
            labels,
            n_code_bits,
            None if self.n_word_bits == "auto" else self.n_word_bits,
            np.random.default_rng(for_parities),
        )
        if not separated and self.n_word_bits == "auto":
            raise InterpolationError(
                f"{n_code_bits} hyperplanes separate the classes, but no words of "
                f"{MAX_WORD_BITS} bits were found that do, and longer words are not "
                "exact in double precision. Try another random_state."
            )
        network = deep_threshold_network(
            hyperplanes, parities, words, labels, training.n_classes
        )
        fitted["n_hyperplanes_"] = n_code_bits
        fitted["n_word_bits_"] = parities.shape[1]
        return fitted | {"network_": training.embedded(network)}, None

    def _hyperplanes(self, X, training, ball, seed):
        """Return the first layer.

        Where hyperplanes through the ball of the data do not separate the classes, or
        not beyond rounding, they are drawn on the unit sphere that the samples are
        moved to; where that does not help, exact signs in the ball have to do.
        """
        stream = HyperplaneStream(seed, ball, self.max_bias)
        if self.n_hyperplanes != "auto":
            return stream.draw(self.n_hyperplanes)
        limits = self.min_hyperplanes, self.max_hyperplanes
        hyperplanes = None
        tried = HyperplaneStream(seed, ball, self.max_bias).draw(_N_TRIED)
        some = X[:: -(-training.n_samples // _N_TRIED)]
        if 2 * are_clear(tried, some).sum() >= _N_TRIED:
            hyperplanes, unseparated = separating_hyperplanes(
                X, training.labels, stream.draw, *limits, _PATIENCE
            )
        if hyperplanes is None or not are_clear(hyperplanes, X).all():
            stream = SphereStream(seed, X, self.max_bias, self.center)
            hyperplanes, unseparated = separating_hyperplanes(
                X, training.labels, stream.draw, *limits
            )
        if hyperplanes is None:  # exact signs may tell what rounded ones do not
            stream = HyperplaneStream(seed, ball, self.max_bias)
            hyperplanes, _ = separating_hyperplanes(
                X, training.labels, stream.draw, *limits, _PATIENCE
            )
        if hyperplanes is None:
            raise InterpolationError(
                f"training samples {listed(training.rows[unseparated])} are not "
                "separated from another class by "
                f"max_hyperplanes={self.max_hyperplanes} random hyperplanes, neither "
                "in the ball around the data nor on the unit sphere that they are "
                "moved to. The theorem assumes a distance between the classes: the "
                "number of hyperplanes grows like one over it, in units of the radius "
                "of the data. Increase max_hyperplanes, remove near-duplicates of "
                f"different classes, or change max_bias. {INSTEAD}"
            )
        return hyperplanes

    def _misfit(self, missed: str) -> InterpolationWarning | InterpolationError:
        fixed = [
            f"{name}={value}"
            for name, value in (
                ("n_hyperplanes", self.n_hyperplanes),
                ("n_word_bits", self.n_word_bits),
            )
            if value != "auto"
        ]
        if not fixed:
            return super()._misfit(missed)
        return InterpolationWarning(
            f"{missed} are not recalled with {' and '.join(fixed)}; increase "
            "it, or set it to 'auto'."
        )

    def _radii(self, X, numbers, metric):
        return self.network_.certified_radii(X, numbers, metric)
