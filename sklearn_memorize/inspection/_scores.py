"""Which samples are hard to memorize, or mislabelled."""

import warnings
from numbers import Integral

import numpy as np
from sklearn.base import clone
from sklearn.utils import check_array, check_consistent_length, indexable
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.parallel import Parallel, delayed
from sklearn.utils.validation import _num_samples, column_or_1d

from .._estimator._base import BaseMemorizingClassifier
from .._estimator._sklearn import (
    HasMethods,
    Interval,
    _safe_indexing,
    draw_seeds,
    validate_params,
)
from ..constructions.random_hyperplanes import MemorizingClassifier
from ..exceptions import ConflictingLabelsWarning, InterpolationWarning


@validate_params(
    {
        "X": ["array-like", "sparse matrix"],
        "y": ["array-like"],
        "estimator": [HasMethods(["fit", "predict"]), None],
        "n_draws": [Interval(Integral, 1, None, closed="left")],
        "n_jobs": [Integral, None],
        "random_state": ["random_state"],
    },
    prefer_skip_nested_validation=True,
)
def memorization_scores(
    X, y, *, estimator=None, n_draws=10, n_jobs=None, random_state=None
):
    """Score each sample by how little the others speak for its label.

    In each draw the samples are split in two halves at random, class by class. A
    classifier memorizes one half and judges the other, and the other way round: the
    score of a sample is by how much the best other class beats its own, summed over
    the draws. A sample with a large score is likely to be mislabelled, or untypical.

    Parameters
    ----------
    X : array-like, data frame or sparse matrix of shape (n_samples, n_features)
        The samples, as `estimator` takes them.
    y : array-like of shape (n_samples,)
        Their labels, some of which may be wrong; at least two classes.
    estimator : classifier, default=None
        What memorizes the halves; by default a `MemorizingClassifier` of one draw with
        random hyperplanes, `max_bias=0.5` and `n_votes=5`. The margins of its second
        layer are compared if it has any, else what `decision_function` or
        `predict_proba` return. It is cloned, so a fitted one stays as it is.
    n_draws : int, default=10
        Number of random splits; each takes two fits.
    n_jobs : int, default=None
        Number of fits at a time; the scores do not depend on it.
    random_state : int, RandomState instance or None, default=None
        Determines the splits and the networks.

    Returns
    -------
    scores : ndarray of shape (n_samples,)
        Higher means more likely mislabelled; positive means that another class was
        preferred on the whole. For a `MemorizingClassifier` a margin of 1 is the
        number of its hyperplanes.

    Raises
    ------
    ValueError
        If there is one class only, if there are less than four samples, or if the
        input is not valid.

    Notes
    -----
    A sample whose class has no other sample is judged by networks that never saw the
    class; its score is the largest that its row allows.

    With `MemorizingClassifier` the score of a class is the mean of its 5 largest
    margins, which are positive where a neuron of the class fires.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.datasets import load_iris
    >>> from sklearn_memorize.inspection import memorization_scores
    >>> X, y = load_iris(return_X_y=True)
    >>> y[[3, 70]] = 2, 0
    >>> scores = memorization_scores(X, y, n_draws=5, random_state=0)
    >>> sorted(np.argsort(scores)[-2:].tolist())
    [3, 70]
    """
    if estimator is None or isinstance(estimator, BaseMemorizingClassifier):
        X = check_array(X, accept_sparse="csr", dtype=[np.float64, np.float32])
    else:  # a pipeline may take text and categories; rows are all that is needed
        (X,) = indexable(X)
    y = column_or_1d(y)
    check_consistent_length(X, y)
    check_classification_targets(y)
    names, labels = np.unique(y, return_inverse=True)
    if len(names) < 2 or len(labels) < 4:
        raise ValueError(
            f"got {len(labels)} samples of {len(names)} classes; scores need at least "
            "four samples and two classes."
        )
    if estimator is None:
        estimator = MemorizingClassifier(
            hyperplanes="random", max_bias=0.5, n_draws=1, n_votes=5
        )
    tasks = _draw_tasks(labels, draw_seeds(random_state, n_draws))
    judged = Parallel(n_jobs=n_jobs)(
        delayed(_judge)(estimator, X, labels, learned, judged, seed)
        for learned, judged, seed in tasks
    )
    scores = np.zeros(len(labels))
    for (_, held_out, _), margins in zip(tasks, judged, strict=True):
        scores[held_out] -= margins
    return scores


def _draw_tasks(labels, seeds) -> list[tuple[np.ndarray, np.ndarray, int]]:
    """Draw all halves and seeds before the first fit."""
    tasks = []
    for seed in seeds:
        shuffled = np.random.default_rng(seed).permutation(len(labels))
        by_label = shuffled[np.argsort(labels[shuffled], kind="stable")]
        halves = np.sort(by_label[::2]), np.sort(by_label[1::2])
        tasks += [(*halves, seed), (*halves[::-1], seed)]
    return tasks


def _judge(estimator, X, labels, learned, judged, seed) -> np.ndarray:
    """Fit one half; return the margin by which the other's labels win there."""
    classifier = clone(estimator)
    if "random_state" in classifier.get_params():
        classifier.set_params(random_state=seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConflictingLabelsWarning)
        warnings.simplefilter("ignore", InterpolationWarning)
        classifier.fit(_safe_indexing(X, learned), labels[learned])
    known = _class_scores(classifier, _safe_indexing(X, judged))
    # Nothing speaks for a class that this half does not have.
    scores = np.repeat(known.min(axis=1, keepdims=True), labels.max() + 1, axis=1)
    scores[:, classifier.classes_] = known
    return _margins(scores, labels[judged])


def _margins(scores: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Return the score of the own class less the best of the others."""
    rows = np.arange(len(labels))
    own = scores[rows, labels]
    scores[rows, labels] = -np.inf
    return own - scores.max(axis=1)


def _class_scores(classifier, X) -> np.ndarray:
    """Return one score for each class, the more the better."""
    n_classes = len(classifier.classes_)
    if n_classes == 1:
        return np.zeros((_num_samples(X), 1))
    if hasattr(getattr(classifier, "network_", None), "margins"):
        scores = classifier.network_.margins(X)
        if scores.shape[1] == n_classes:
            return scores
    for method in ("decision_function", "predict_proba"):
        if hasattr(classifier, method):
            scores = getattr(classifier, method)(X)
            break
    else:
        numbers = np.searchsorted(classifier.classes_, classifier.predict(X))
        scores = np.eye(n_classes)[numbers]
    if scores.ndim == 1:
        scores = np.column_stack([-scores / 2, scores / 2])
    return scores
