"""A small part of the samples that stands for all."""

from __future__ import annotations

from numbers import Integral

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils.validation import validate_data

from .._estimator._documentation import DocumentedMixin
from .._estimator._messages import unchanged_on_failure
from .._estimator._sklearn import (
    Interval,
    StrOptions,
    _fit_context,
    _safe_indexing,
)
from ..constructions.random_hyperplanes import MemorizingClassifier


class PrototypeSelector(DocumentedMixin, BaseEstimator):
    """Keep the samples behind the neurons of a network that memorizes all of them.

    In the network of random hyperplanes each neuron stands for one training sample, and
    fires at samples of its class around it, and at none of another class. Together they
    fire at all training samples. So these samples are prototypes: they say where the
    classes are. How many there are depends on how the classes lie, and not on the
    number of samples [1]_.

    It is used as the samplers of imbalanced-learn are, and stands beside its
    `CondensedNearestNeighbour`.

    Parameters
    ----------
    hyperplanes : {"random", "adapted"}, default="random"
        How hyperplanes are drawn; see `MemorizingClassifier`.
    n_hyperplanes : int or "auto", default="auto"
        Number of hyperplanes; `MemorizingClassifier` calls it `min_hyperplanes`. The
        more of them, the fewer prototypes.
    covering : {"random", "greedy"}, default="random"
        Whether samples are drawn, or the one is taken whose neuron covers most.
        "greedy" keeps fewer, and takes time quadratic in the size of the
        classes.
    n_jobs : int, default=None
        Number of threads.
    random_state : int, RandomState instance or None, default=None
        Determines the hyperplanes, and the order in which samples are drawn.

    Attributes
    ----------
    sample_indices_ : ndarray of shape (n_prototypes,)
        Indices of the samples that are kept, in increasing order.
    n_covered_ : ndarray of shape (n_prototypes,)
        Number of distinct samples that each of them stands for. A sample may be
        counted more than once.
    classes_ : ndarray of shape (n_classes,)
        The class labels.
    memorizer_ : MemorizingClassifier
        The network.
    n_features_in_ : int
        Number of features seen during `fit`.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of features seen during `fit`, if all are strings.

    See Also
    --------
    MemorizingClassifier : The network, as a classifier.

    Notes
    -----
    The network recalls all samples. The nearest neighbour among the prototypes does not
    have to; how well it does is in the user guide.

    **Cost.** That of `MemorizingClassifier`, with one draw.

    References
    ----------
    .. [1] S. Dirksen, P. Finke, M. Genzel, "Memorization with neural nets: going beyond
       the worst case", JMLR 25(347), 2024. https://arxiv.org/abs/2310.00327

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn.neighbors import KNeighborsClassifier
    >>> from sklearn_memorize.applications import PrototypeSelector
    >>> X, y = load_digits(return_X_y=True)
    >>> selector = PrototypeSelector(random_state=0)
    >>> few, labels = selector.fit_resample(X[:1000], y[:1000])
    >>> len(few) < 200
    True
    >>> KNeighborsClassifier(1).fit(few, labels).score(X[1000:], y[1000:]) > 0.85
    True
    """

    _parameter_constraints: dict = {
        "hyperplanes": [StrOptions({"adapted", "random"})],
        "n_hyperplanes": [
            Interval(Integral, 1, None, closed="left"),
            StrOptions({"auto"}),
        ],
        "covering": [StrOptions({"random", "greedy"})],
        "n_jobs": [Integral, None],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        *,
        hyperplanes="random",
        n_hyperplanes="auto",
        covering="random",
        n_jobs=None,
        random_state=None,
    ):
        self.hyperplanes = hyperplanes
        self.n_hyperplanes = n_hyperplanes
        self.covering = covering
        self.n_jobs = n_jobs
        self.random_state = random_state

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y):
        """Select prototypes.

        Parameters
        ----------
        X : array-like, data frame or sparse matrix of shape (n_samples, n_features)
            Samples.
        y : array-like of shape (n_samples,)
            Their labels.

        Returns
        -------
        self : object
            The selector.
        """
        with unchanged_on_failure(self):
            validate_data(self, X, skip_check_array=True)
            self.memorizer_ = MemorizingClassifier(
                hyperplanes=self.hyperplanes,
                min_hyperplanes=self.n_hyperplanes,
                n_draws=1,
                n_votes=1,
                covering=self.covering,
                prune=True,
                n_jobs=self.n_jobs,
                random_state=self.random_state,
            ).fit(X, y)
            self.classes_ = self.memorizer_.classes_
            indices = self.memorizer_.sample_indices_
            if len(self.classes_) == 1:  # any sample stands for all
                indices = np.zeros(1, dtype=np.intp)
                covered = np.array([len(np.asarray(y))])
            else:
                covered = self.memorizer_.coverage_
            order = np.argsort(indices)
            self.sample_indices_ = indices[order]
            self.n_covered_ = covered[order]
        return self

    def fit_resample(self, X, y):
        """Select prototypes, and return them with their labels.

        Parameters
        ----------
        X : array-like, data frame or sparse matrix of shape (n_samples, n_features)
            Samples.
        y : array-like of shape (n_samples,)
            Their labels.

        Returns
        -------
        X_resampled : of the kind of X, of shape (n_prototypes, n_features)
            The rows `sample_indices_` of X.
        y_resampled : of the kind of y, of shape (n_prototypes,)
            Their labels.
        """
        self.fit(X, y)
        indices = self.sample_indices_
        return _safe_indexing(X, indices), _safe_indexing(y, indices)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.target_tags.required = True
        return tags
