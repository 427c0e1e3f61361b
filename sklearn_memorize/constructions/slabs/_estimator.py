"""Slabs behind the scikit-learn interface."""

from ..._estimator._messages import INSTEAD, listed
from ...exceptions import InterpolationError
from .._general_position import GeneralPositionClassifier
from ._construction import build_slab_network


class SlabClassifier(GeneralPositionClassifier):
    """Memorize by slabs around hyperplanes through d samples each.

    Every class but the largest is cut into groups of d samples. Through each group
    goes one hyperplane; two threshold units enclose it in a slab that holds no sample
    of another class, and the class is the OR of its slabs. What lies in no slab is of
    the largest class. Two classes make 2 ceil(n / d) + 1 neurons, where n is the size
    of the smaller one.

    Parameters
    ----------
    degenerate : {"split", "raise"}, default="split"
        What to do about samples that are not in general position, so that a hyperplane
        through a group meets a sample of another class (or comes so close that double
        precision cannot tell). "split": take fewer samples into the group until it
        does not; the network grows. "raise": raise an `InterpolationError` that names
        the samples.
    conflicts : {"majority", "raise"}, default="majority"
        What to do about identical samples with different labels: memorize the label
        of largest total weight, or raise a `ValueError`.
    random_state : int, RandomState instance or None, default=None
        Forms the groups, and chooses the hyperplane through a group of fewer than d.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The classes.
    network_ : Network
        The built network: two threshold units for each slab, then one threshold unit
        for each class (one in all for two classes).
    default_class_ : object
        The class of what lies in no slab, the largest one.
    group_size_ : int
        The number d of samples of a group: the dimension of the affine hull of the
        data, which is the number of features unless these are affinely dependent. 0
        for a single class.
    groups_ : list of ndarray
        For each slab, the indices of the training samples it was built for. Where
        rows are repeated, the first stands for all.
    n_split_ : int
        How many more slabs were built than ceil(n / d) for each class, because the
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
    MemorizingClassifier : A network whose size depends on the geometry of the classes.
    RandomReLUClassifier : Random features and a linear separator.

    Notes
    -----
    **Theorem** [1]_. Any dichotomy of N points in general position in R^d (no d + 1 of
    them on a hyperplane) is computed by a network of threshold units with one hidden
    layer of 2 ceil(n / d) units, where n is the size of the smaller class; no more
    than about N / d units are needed.

    With several classes, each class but the largest has slabs and an output unit of
    its own, and the output unit of the largest fires where no slab does:
    2 sum_c ceil(n_c / d) + n_classes neurons. Outside the training set slabs of
    several classes may meet; the first of these classes is predicted.

    **Exactness.** A slab is accepted if its samples lie inside and those of other
    classes outside by more than any evaluation in double precision can be off. A
    sample that no slab can single out in this way (a near-duplicate of another class)
    gets one that looks at a single feature, which needs no rounding, and if even that
    fails, `fit` raises an `InterpolationError` that names the samples.

    **Test data.** The theorem promises nothing about other points. Slabs are thin and
    unbounded: nearly everything outside the training set is given to the largest
    class, or to a class whose slab happens to pass.

    The samples are held in dense double precision during `fit`.

    **Cost.** For N samples in general position `fit` takes O(N d^2) operations for
    their affine hull and for the hyperplanes, of which there are about N / d, and
    O(N d) for each to look for samples beside it, O(N^2) in all; it takes 40 N d bytes.
    A prediction takes O(N) operations.

    References
    ----------
    .. [1] E. B. Baum, "On the capabilities of multilayer perceptrons", Journal of
       Complexity 4(3), 193-215, 1988.

    Examples
    --------
    >>> from sklearn.datasets import load_wine
    >>> from sklearn_memorize import SlabClassifier
    >>> X, y = load_wine(return_X_y=True)
    >>> classifier = SlabClassifier(random_state=0).fit(X, y)
    >>> classifier.interpolates_, classifier.score(X, y)
    (True, 1.0)
    >>> classifier.group_size_, classifier.network_.widths
    (13, (18, 3))
    """

    _construct = staticmethod(build_slab_network)

    @staticmethod
    def _not_in_general_position(X, rows, problem) -> InterpolationError:
        members = listed(rows[problem.members])
        others = listed(rows[problem.others])
        if len(problem.members) == 1:
            return InterpolationError(
                f"sample {members} cannot be told from samples {others} of other "
                "classes by a hyperplane in double precision. Remove one of these "
                f"near-duplicates, or give them one label. {INSTEAD}"
            )
        return InterpolationError(
            f"the samples are not in general position: the hyperplane through samples "
            f"{members}, of one class, also contains samples {others} of other "
            "classes, up to rounding. Set degenerate='split' to use smaller groups, "
            "or perturb the data."
        )
