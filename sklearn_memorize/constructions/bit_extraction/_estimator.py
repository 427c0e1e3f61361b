"""Bit extraction behind the scikit-learn interface."""

from numbers import Integral

import numpy as np

from ..._estimator._base import constant_network
from ..._estimator._callbacks import Progress
from ..._estimator._sklearn import Interval, StrOptions, draw_seeds
from ..._estimator._training_set import TrainingSet
from .._label_intervals import LabelIntervalClassifier
from ._construction import build_bit_extraction_network

# Rows between two steps of the progress bar.
_ROWS_AT_ONCE = 512


class BitExtractionClassifier(LabelIntervalClassifier):
    """Memorize with about sqrt(N log N) parameters, which are very long numbers.

    The samples are projected on a line and cut into groups of consecutive ones. The
    keys and labels of a whole group are packed into one integer; a deep, narrow ReLU
    network picks the integer of the group around a row, takes it apart bit by bit, and
    compares its keys with the position of the row on the line.

    It is the far end of the trade between parameters, depth and precision: hundreds of
    layers, a handful of nodes in each, weights of hundreds of bits. `n_layers` trades
    depth for parameters. It promises nothing about other samples, and there is nothing
    to expect: next to each training sample there is a tiny interval of its label, and
    everywhere else on the line the network says `classes_[0]`.

    Parameters
    ----------
    n_projections : int, default=10
        Number of random directions to choose from. The one with the largest of the
        smallest gaps between samples is kept, because it needs the fewest bits.
    max_bits : int, default=10000
        Largest number of bits of a weight. If the network needs more, `fit` refuses,
        and says how many, before it packs anything.
    n_layers : int or None, default=None
        Largest number of layers, 3 or more. None: as many as the fewest parameters
        take, about sqrt(N log N). Fewer layers take more parameters, or the other way
        round.
    fewest : {"parameters", "width"}, default="parameters"
        What a network of at most `n_layers` layers has as few of as can be: parameters,
        or nodes in its widest layer.
    conflicts : {"majority", "raise"}, default="majority"
        What to do about identical samples with different labels: memorize the label
        of largest total weight, or raise a `ValueError`.
    verbose : bool, default=False
        Whether `predict` and `decision_function` show a progress bar. They raise an
        `ImportError` if rich, the extra `progress`, is not installed.
    random_state : int, RandomState instance or None, default=None
        Source of the directions.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The classes.
    network_ : Network
        The built network. Its one output is more than c, and at most c + 1, at the
        training samples of class number c. `network_.bits_per_weight` is the length of
        the longest weight; the weights and biases of `network_.layers` are Python
        integers and fractions, and its `forward` computes with them exactly.
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
    SmallReLUClassifier : 4 N weights that double precision can hold.
    MemorizingClassifier : More parameters, but made to generalize.

    Notes
    -----
    The score of class number c is minus the distance of the network's output from
    `c + 1/2`; with two classes `decision_function` returns the output minus 1.

    **Theorem** (Vardi, Yehudai, Shamir). N samples of norm at most r, at distances of
    at least delta, with labels out of C, are memorized by a ReLU network of width 12
    with O(sqrt(N log N) + sqrt(N / log N) max(log R, log C)) parameters, where R is a
    polynomial in r, 1/delta, N and the number of features; its weights have
    O(sqrt(N / log N) max(log R, log C)) bits. Up to logarithms, no network has fewer
    parameters. The constants are left open.

    **Here** a network for N samples in d dimensions has

        d + 20 + 6 (G - 1) + 10 B + 13 (q - 1)

    nonzero weights and biases in 2 B + 5 layers, where G is the number of groups, q the
    largest number of samples in a group, and B the number of bits of a packed integer:
    one key and q - 1 differences of consecutive keys. q is chosen for the fewest
    parameters, about sqrt(N / log N). The longest weight has at most
    B + log2(C + 1) + 3 bits (unless the first layer has a longer one: that depends on
    the scale of the data). A key takes rho bits, the logarithm of the extent of the
    samples on the line in units of their smallest distance over C: about
    2 log2(N) + log2(C) on random data, more where samples all but coincide. Whatever
    the data,

        n_parameters <= d + 20 + 10 rho + 2 sqrt(6 N (10 rho + 13)).

    For N = 3,000 normally distributed samples of 10 classes in 10 dimensions that is
    about 3,900 parameters of up to 195 bits. The textbook form of the construction
    (groups of sqrt(N) samples, full keys) has about 16,800 there, of up to 1,265 bits,
    and the network of one hidden layer by Zhang et al., which counts 2 N + d
    parameters, has 6,010. That one is the smaller of the two below about N = 1,150, and
    its parameters fit double precision. Counted in bits nothing is gained: those 3,900
    parameters take about 70 bits a sample, whose label has 3.3.

    **At any depth** (the same paper): for L <= sqrt(N), up to logarithms, N / L
    parameters in L layers, and no fewer. Here a group may have P chains side by side,
    of s keys each, which share the borders: with `n_layers` = L >= 5 there are at most

        d + 7 + 2 N / s + 4 sqrt(N (10 rho + 17)) + (10 rho + 13) s

    parameters, s = max(1, floor((L - 5) / (2 rho))), where 2 N / s <= 8 rho N / (L -
    5). Chains of one key need no unpacking: from 5 layers on there are about 2 N
    parameters in a width of about sqrt(N). With 3 or 4 layers the labels themselves are
    steps on the line, of six parameters each.

    Proof. A chain is a network of 2 B + 5 layers as above, but for the two nodes at
    each border, which all chains read: it adds 2 weights a border, and 10 B + 13 s + 4
    parameters, or 12 if s = 1. At a training sample each chain puts out 0, except the
    one that holds its key, so that their sum is what one network would put out. G = N /
    (P s) groups are rounded up, so there are at most d + 3 + 2 N / s + 4 N / (P s) + P
    (10 rho s + 13 s + 4) parameters, and the best P is at most 1 away from the one at
    which the last two terms are equal.

    **Width and depth**: W nodes in the widest of L layers suffice if W^2 L^2 is of
    order N log(1 / delta), and if it is below N / log(1 / delta), no network will do
    (Yang, Yang; known to us from the abstract). `fewest="width"` spreads the borders
    over several layers, each of which carries z and adds up what comes before. Whatever
    the data, the widest of L > 5 layers has at most

        17 sqrt(rho N) / (L - 5) + 7

    nodes. rho stands for log(1 / delta) here: a random direction keeps distances up to
    a factor that is polynomial in N and d.

    Proof. P chains are 7 P nodes wide, or 3 P if s = 1. If L - 5 >= 4 rho, chains of s
    = floor((L - 5) / (4 rho)) keys leave (L - 5) / 2 layers for the borders, of at most
    4 N / (P s (L - 5)) + P + 3 nodes; P = ceil(p), p^2 = 2 N / (3 s (L - 5)), makes
    both at most 7 p + 7, and s >= (L - 5) / (8 rho). Else chains of one key leave L - 4
    layers, of at most 2 N / (P (L - 4)) + P + 3 nodes; P = ceil(p), p^2 = N / (L - 4),
    makes both at most 3 p + 4, and L - 4 <= 5 rho.

    Everything is exact: positions, packed integers, the certificate, `predict`. Rows
    may be as close together as floating point numbers are; their keys get longer.

    **Cost.** `fit` takes O(N d + N log N) operations beside exact arithmetic with
    integers of O(sqrt(N) log N) bits, and O(N) numbers beside the samples; a prediction
    O(d + sqrt(N)) operations with such integers at most.

    References
    ----------
    G. Vardi, G. Yehudai, O. Shamir, *On the optimal memorization power of ReLU neural
    networks*, ICLR 2022, arXiv:2110.03187.

    X. Yang, Y. Yang, *Memorization capacity of deep ReLU neural networks characterized
    by width and depth*, 2026, arXiv:2603.09589.

    C. Zhang, S. Bengio, M. Hardt, B. Recht, O. Vinyals, *Understanding deep learning
    requires rethinking generalization*, ICLR 2017, arXiv:1611.03530.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_memorize import BitExtractionClassifier
    >>> rng = np.random.default_rng(0)
    >>> X, y = rng.standard_normal((1000, 10)), rng.integers(10, size=1000)
    >>> memorizer = BitExtractionClassifier(random_state=0).fit(X, y)
    >>> memorizer.score(X, y)
    1.0
    >>> memorizer.network_.n_parameters < 2500
    True

    The same in five layers, or in layers of at most 21 nodes:

    >>> flat = BitExtractionClassifier(n_layers=5, random_state=0).fit(X, y)
    >>> flat.network_.depth, flat.score(X, y)
    (5, 1.0)
    >>> narrow = BitExtractionClassifier(n_layers=30, fewest="width", random_state=0)
    >>> max(narrow.fit(X, y).network_.widths)
    21
    """

    _parameter_constraints: dict = {
        "n_projections": [Interval(Integral, 1, None, closed="left")],
        "max_bits": [Interval(Integral, 1, None, closed="left")],
        "n_layers": [Interval(Integral, 3, None, closed="left"), None],
        "fewest": [StrOptions({"parameters", "width"})],
        "conflicts": [StrOptions({"majority", "raise"})],
        "verbose": ["boolean"],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        *,
        n_projections=10,
        max_bits=10_000,
        n_layers=None,
        fewest="parameters",
        conflicts="majority",
        verbose=False,
        random_state=None,
    ):
        self.n_projections = n_projections
        self.max_bits = max_bits
        self.n_layers = n_layers
        self.fewest = fewest
        self.conflicts = conflicts
        self.verbose = verbose
        self.random_state = random_state

    def _build(self, training: TrainingSet, progress: Progress):
        if self.fewest == "width" and self.n_layers is None:
            raise ValueError(
                "fewest='width' needs n_layers: the narrowest network of any depth has "
                "all keys in one integer. Set n_layers, or fewest='parameters'."
            )
        if training.n_classes == 1:
            return {"network_": constant_network(training.n_features)}, None
        (seed,) = draw_seeds(self.random_state, 1)
        network = build_bit_extraction_network(
            training.points(),
            training.labels,
            training.n_classes,
            np.random.default_rng(seed),
            n_projections=self.n_projections,
            max_bits=self.max_bits,
            n_layers=self.n_layers,
            fewest=self.fewest,
        )
        return {"network_": training.embedded(network)}, None

    def _evaluated(self, function, X) -> np.ndarray:
        """Return `function(X)`, computed block by block beside a bar if `verbose`."""
        if not self.verbose:
            return function(X)
        try:
            from rich.progress import track
        except ImportError as error:
            raise ImportError(
                "verbose=True shows a progress bar of rich, which is not installed; "
                "install it with `pip install rich`, or set verbose=False."
            ) from error
        starts = range(0, X.shape[0], _ROWS_AT_ONCE)
        return np.concatenate(
            [
                function(X[start : start + _ROWS_AT_ONCE])
                for start in track(starts, description="predicting")
            ]
        )
