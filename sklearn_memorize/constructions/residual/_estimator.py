"""The scikit-learn face of residual networks."""

from __future__ import annotations

from ..._estimator._messages import INSTEAD, listed
from ...exact._rank import in_affine_hull
from ...exceptions import InterpolationError
from .._general_position import GeneralPositionClassifier
from ._construction import build_residual_network


class ResidualMemorizingClassifier(GeneralPositionClassifier):
    """Memorize by residual blocks that push d samples at a time.

    Every class but the largest is cut into groups of d samples. The hyperplane through
    a group holds no other sample, if the samples are in general position, and a block
    of four ReLU nodes moves all that lies on it, along one feature, to a place of its
    class: h <- h + V ReLU(U h + b). Two nodes between any two classes then read the
    class from that feature. This takes at most 4 N / d + 6 n_classes hidden nodes.

    Parameters
    ----------
    degenerate : {"split", "raise"}, default="split"
        What to do about samples that are not in general position, so that hyperplanes
        through a group meet other samples (or come so close that double precision
        cannot tell). "split": take fewer samples into the group until they do not; the
        network grows. "raise": raise an `InterpolationError` that names the samples,
        and says whether they are on one hyperplane exactly.
    conflicts : {"majority", "raise"}, default="majority"
        What to do about identical samples with different labels: memorize the label
        of largest total weight, or raise a `ValueError`.
    n_jobs : int or None, default=None
        Number of threads for `fit` and for prediction. The result does not depend on
        it.
    random_state : int, RandomState instance or None, default=None
        Forms the groups, and chooses the hyperplane through a group of fewer than d.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The classes.
    network_ : Network
        The built network. Its `blocks` are the residual blocks, its `layers` the same
        function without skip connections. `widths`, `n_neurons` and `n_parameters`
        count the blocks, as the theorem does.
    default_class_ : object
        The class that is not pushed, the largest one.
    group_size_ : int
        The number d of samples of a group: the dimension of the affine hull of the
        data, which is the number of features unless these are affinely dependent. 0
        for a single class.
    groups_ : list of ndarray
        For each block, the indices of the training samples that it pushes. Where rows
        are repeated, the first stands for all.
    n_split_ : int
        How many more blocks were built than ceil(n / d) for each class, because the
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
    SlabClassifier : The same groups, side by side in one layer of threshold units.
    SmallReLUClassifier : Fewer nodes, from the same paper, and no assumption.

    Notes
    -----
    **Theorem** [1]_. For any N samples in general position in R^d (no d + 1 of them on
    a hyperplane) with labels of d_y classes there is a residual network with
    4 N / d + 6 d_y hidden ReLU nodes that memorizes them.

    Here the largest class needs no block, and the last one has 2 d_y - 2 nodes. Where
    the dimension of the affine hull is less than the number of features, d is that
    dimension.

    **Exactness.** Of several random groups the one is taken whose hyperplane has most
    room around it. A hat is accepted if all samples that are not its own are outside
    of it by more than any evaluation of the blocks so far in double precision can be
    off. `predict` evaluates each hat around its corners, where it is exact. What the
    blocks round adds up along the feature that they push in. Where a group leaves a
    choice of hyperplanes, half of those that are tried do not depend on that feature.

    **Test data.** The theorem promises nothing about other points. The hats are thin
    and unbounded, and what lies on none of them is given to the largest class: expect
    little more than chance.

    **Determinism.** The hyperplanes come out of LAPACK, and for one seed may differ in
    their last bits from one release of SciPy to the next; what is recalled does not.

    The samples are held in dense double precision during `fit`.

    **Cost.** For N samples in general position `fit` takes O(N d^2) operations for
    their affine hull and for the hyperplanes through four groups a block, of which
    there are about N / d, and O(N d) for each to look at the samples beside it, O(N^2)
    in all, as every hyperplane has a normal vector of its own; it takes 35 N d bytes. A
    prediction takes O(N) operations.

    References
    ----------
    .. [1] C. Yun, S. Sra, A. Jadbabaie, "Small ReLU networks are powerful memorizers: a
       tight analysis of memorization capacity", NeurIPS 2019, :arxiv:`1810.07770`.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_memorize import ResidualMemorizingClassifier
    >>> rng = np.random.default_rng(0)
    >>> X, y = rng.standard_normal((300, 20)), rng.integers(3, size=300)
    >>> classifier = ResidualMemorizingClassifier(random_state=0).fit(X, y)
    >>> classifier.score(X, y)
    1.0
    >>> sum(classifier.network_.widths[:-1]) <= 4 * 300 / 20 + 6 * 3
    True
    """

    _construct = staticmethod(build_residual_network)

    @staticmethod
    def _not_in_general_position(X, rows, problem) -> InterpolationError:
        members, others = problem.members, problem.others
        if len(members) == 1:
            return InterpolationError(
                f"sample {listed(rows[members])} cannot be told from samples "
                f"{listed(rows[others])} by a hat in double precision. Remove one of "
                f"these near-duplicates, or give them one label. {INSTEAD}"
            )
        on_it = in_affine_hull(X[members], X[others])
        named = f"hyperplane through samples {listed(rows[members])}, of one class,"
        remedy = (
            "Set degenerate='split' to use smaller groups (and more blocks), or "
            "perturb the data."
        )
        if on_it.any():
            return InterpolationError(
                f"the samples are not in general position: the {named} also holds "
                f"samples {listed(rows[others[on_it]])}, exactly. {remedy}"
            )
        return InterpolationError(
            f"the {named} comes too close to samples {listed(rows[others])} for double "
            f"precision, though they are not on it. {remedy}"
        )
