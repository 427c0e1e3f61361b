"""What no network can do: the fewest hyperplanes, nodes and parameters.

Three kinds of statements, from the strongest to the weakest, `LowerBound.holds_for`:

- "these labels": no network of the kind recalls these labels of these samples;
- "any labels": no one architecture recalls whatever labels these samples may have;
- "some samples": there are so many samples, as many of each class, that none recalls.

A construction names those that hold of the network which it builds. Beside that stand
what a network needs that is to recall any labels, where the one that is built looks at
the labels, and the width below which nothing is promised of new samples.
"""

import math

import numpy as np

from ._record import Geometry, LowerBound

_COUNT = "Schläfli, 1901"
_MOMENT = "Baum, 1988"


def hyperplanes_of_cells(n_cells: int, n_features: int) -> int:
    """Return the fewest hyperplanes of R^d that make so many cells.

    k of them make at most binom(k, 0) + .. + binom(k, d) cells.

    >>> from sklearn_memorize.constructions._lower_bounds import hyperplanes_of_cells
    >>> hyperplanes_of_cells(8, 3), hyperplanes_of_cells(8, 1)
    (3, 7)
    """
    if n_features == 0 or n_cells <= 1:
        return 0
    low, high = 0, n_cells - 1
    while low < high:
        k = (low + high) // 2
        n_terms = min(k, n_features, n_cells.bit_length())
        # Few terms decide: k hyperplanes in k dimensions make 2^k cells.
        if sum(math.comb(k, i) for i in range(n_terms + 1)) >= n_cells:
            high = k
        else:
            low = k + 1
    return low


def changes_on_lines(X: np.ndarray, labels: np.ndarray) -> int:
    """Return how often labels change along a line, for the line where most do.

    The lines are those on which one feature varies, and all others are equal. A
    hyperplane crosses each of them once at the most.

    >>> import numpy as np
    >>> from sklearn_memorize.constructions._lower_bounds import changes_on_lines
    >>> X = np.array([[0.0, 1.0], [1.0, 1.0], [2.0, 1.0], [0.0, 0.0]])
    >>> changes_on_lines(X, np.array([0, 1, 0, 1]))
    2
    """
    X = np.ascontiguousarray(X, dtype=np.float64) + 0.0  # no negative zeros
    hashed = _hashes(X)
    most = 0
    for feature, of_feature in enumerate(hashed.T):
        others = hashed.sum(axis=1, dtype=np.uint64) - of_feature
        order = np.lexsort((X[:, feature], others))
        same = others[order[1:]] == others[order[:-1]]
        lines = np.split(order, np.flatnonzero(~same) + 1)
        for line in lines:
            if len(line) > most + 1:
                most = max(most, _changes(np.delete(X[line], feature, 1), labels[line]))
    return most


def _hashes(X) -> np.ndarray:
    """Return a number for each value, whose sums are seldom equal by chance."""
    rng = np.random.default_rng(0)
    factors = rng.integers(1, 2**63, X.shape[1], dtype=np.uint64) * np.uint64(2)
    bits = X.view(np.uint64)
    mixed = (bits ^ (bits >> np.uint64(31))) * (factors + np.uint64(1))
    return mixed ^ (mixed >> np.uint64(29))


def _changes(others, labels) -> int:
    """Return how often labels change; 0 if the other features are not equal at all."""
    if (others != others[0]).any():
        return 0  # equal hashes of rows that are not equal: nothing is claimed
    return int(np.count_nonzero(np.diff(labels)))


def nodes_of_pieces(n_pieces: int, n_hidden: int) -> int:
    """Return the fewest ReLU nodes in so many layers that make so many linear pieces.

    Layers of n_i nodes make at most (n_1 + 1) .. (n_L + 1) of them along a line.

    >>> from sklearn_memorize.constructions._lower_bounds import nodes_of_pieces
    >>> nodes_of_pieces(10, 1), nodes_of_pieces(10, 2), nodes_of_pieces(10, 50)
    (9, 5, 4)
    """
    if n_pieces <= 1:
        return 0
    if n_hidden >= n_pieces.bit_length():
        return (n_pieces - 1).bit_length()
    n_nodes = max(0, int(n_hidden * (n_pieces ** (1 / n_hidden) - 1)) - 2)
    while True:
        each, more = divmod(n_nodes, n_hidden)
        if (each + 1) ** (n_hidden - more) * (each + 2) ** more >= n_pieces:
            return n_nodes
        n_nodes += 1


def nodes_of_two_layers(n_samples: int) -> int:
    """Return the fewest nodes in two hidden layers: 2 d1 d2 + d2 + 2 >= N.

    >>> from sklearn_memorize.constructions._lower_bounds import nodes_of_two_layers
    >>> nodes_of_two_layers(10_000)
    141
    """
    if n_samples <= 5:
        return 2
    # d1 = ((N - 2) / d2 - 1) / 2 is smallest with d2 around sqrt((N - 2) / 2).
    middle = math.isqrt(n_samples // 2)
    return min(
        second + max(1, -(-(-(-(n_samples - 2) // second) - 1) // 2))
        for second in range(max(1, middle - 3), middle + 4)
    )


def parameters_of_thresholds(n_samples: int) -> int:
    """Return the fewest parameters W of threshold units: N <= 2 W log2(e W).

    That many samples an architecture of W parameters in at most W units can shatter at
    the most (Baum, Haussler, 1989).
    """
    return _smallest(lambda w: 2 * w * math.log2(math.e * w) >= n_samples)


def parameters_of_relu(n_samples: int, depth: int | None = None) -> int:
    """Return the fewest parameters W of ReLU networks of L layers.

    N <= L + L W log2(4 e R log2(2 e R)), where R <= L W (Bartlett, Harvey, Liaw,
    Mehrabian, 2019, theorem 7; the units of layer i count i times in R). None: of any
    number of layers, which is at most W.

    >>> from sklearn_memorize.constructions._lower_bounds import parameters_of_relu
    >>> parameters_of_relu(10_000, 3), parameters_of_relu(10_000)
    (205, 25)
    """

    def suffices(w):
        n_layers = w if depth is None else depth
        units = n_layers * w
        n_digits = math.log2(4 * math.e * units * math.log2(2 * math.e * units))
        return n_layers + n_layers * w * n_digits >= n_samples

    return _smallest(suffices)


def _smallest(suffices) -> int:
    """Return the smallest positive number that suffices, as all larger ones do."""
    high = 1
    while not suffices(high):
        high *= 2
    low = high // 2 + 1
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if suffices(middle) else (middle + 1, high)
    return high


# Statements about a data set, for constructions to name.


def threshold_layer(geometry: Geometry) -> tuple[LowerBound, ...]:
    """Bound first layers of threshold units that recall these labels."""
    # A class may have lost all its samples to others, where they are identical.
    n_classes = int(np.count_nonzero(geometry.class_sizes))
    cells = hyperplanes_of_cells(n_classes, geometry.n_features)
    on_lines = geometry.changes_on_lines
    return (
        LowerBound(
            "neurons",
            cells + 1,
            "these labels",
            f"{n_classes} classes take as many cells of hyperplanes",
            _COUNT,
        ),
        LowerBound(
            "neurons",
            on_lines + 1,
            "these labels",
            f"labels change {on_lines} times on a line, a hyperplane crosses it once",
            "it is elementary",
        ),
    )


def any_labels_of_thresholds(geometry: Geometry) -> tuple[LowerBound, ...]:
    """Bound networks of threshold units that are to recall any labels."""
    n, d = geometry.n_samples, geometry.n_features
    return (
        LowerBound(
            "neurons for any labels",
            hyperplanes_of_cells(n, d) + 1,
            "any labels",
            f"hyperplanes that tell {n:,} samples apart make as many cells",
            _COUNT,
        ),
        LowerBound(
            "parameters for any labels",
            parameters_of_thresholds(n),
            "any labels",
            "threshold units of one architecture: Vapnik-Chervonenkis dimension",
            "Baum, Haussler, 1989",
        ),
    )


def curved_samples(geometry: Geometry) -> tuple[LowerBound, ...]:
    """Bound first layers of threshold units, for the worst place of the samples.

    On the curve (t, t^2, .., t^d), which a hyperplane crosses d times at the most, the
    labels can change min(N - 1, 2 (N - n)) times, n the size of the largest class.
    """
    n, d = geometry.n_samples, geometry.n_features
    changes = min(n - 1, 2 * (n - int(geometry.class_sizes.max())))
    return (
        LowerBound(
            "neurons",
            -(-changes // d) + 1,
            "some samples",
            f"classes of these sizes on a moment curve change {changes:,} times",
            _MOMENT,
        ),
    )


def relu_pieces(geometry: Geometry, n_hidden: int | None) -> tuple[LowerBound, ...]:
    """Bound the nodes of hidden ReLU layers by how often labels change on a line.

    Along a linear piece k classes change k - 1 times at the most.
    """
    on_lines = geometry.changes_on_lines
    n_pieces = -(-on_lines // max(1, geometry.n_classes - 1))
    if not n_hidden or n_pieces <= 1:
        return ()
    return (
        LowerBound(
            "neurons",
            nodes_of_pieces(n_pieces, n_hidden) + 1,
            "these labels",
            f"labels change {on_lines} times on a line, pieces of {n_hidden} layers",
            "Montúfar et al., 2014",
        ),
    )


def shattering(geometry: Geometry, depth: int | None) -> tuple[LowerBound, ...]:
    """Bound the parameters of ReLU networks of this depth that recall any labels."""
    if depth is None:
        return ()
    n = geometry.n_samples
    bounds = {
        f"{depth} ReLU layers": parameters_of_relu(n, depth),
        "ReLU layers, as many as parameters": parameters_of_relu(n),
    }
    return tuple(
        LowerBound(
            "parameters",
            value,
            "any labels",
            f"{kind}, one architecture: Vapnik-Chervonenkis dimension",
            "Bartlett et al., 2019",
        )
        for kind, value in bounds.items()
    )


def two_hidden_layers(geometry: Geometry) -> tuple[LowerBound, ...]:
    """Bound the nodes of two hidden layers, for the worst samples and labels."""
    return (
        LowerBound(
            "neurons",
            nodes_of_two_layers(geometry.n_samples) + 1,
            "some samples",
            "two hidden layers with 2 d1 d2 + d2 + 2 < N",
            "Yun, Sra, Jadbabaie, 2019",
        ),
    )


def width_to_generalize(geometry: Geometry) -> LowerBound:
    """Bound the width of networks that promise anything about new samples."""
    return LowerBound(
        "width to generalize",
        geometry.n_features,
        "some samples",
        "on some distributions narrower networks do no better than chance",
        "Yu, Gao, Zhang, Miao, 2024",
    )


def depth_of(estimator) -> int | None:
    """Return the depth of the network, if one is built."""
    return getattr(getattr(estimator, "network_", None), "depth", None)


def hidden_layers_of(estimator) -> int | None:
    """Return the number of layers before the last one, if a network is built."""
    depth = depth_of(estimator)
    return None if depth is None else depth - 1
