"""The first layer alone, as a transformer."""

from __future__ import annotations

from numbers import Integral, Real

import numpy as np
from scipy import sparse
from sklearn.base import (
    BaseEstimator,
    ClassNamePrefixFeaturesOutMixin,
    TransformerMixin,
)
from sklearn.callback import CallbackSupportMixin, with_callbacks
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted

from ..._estimator._callbacks import reported_fit
from ..._estimator._conflicts import resolve_labels
from ..._estimator._documentation import DocumentedMixin
from ..._estimator._messages import (
    advice_on_memory,
    explained_stop,
    unchanged_on_failure,
)
from ..._estimator._sklearn import (
    Interval,
    StrOptions,
    _fit_context,
    checked_samples,
    draw_seeds,
)
from ..._estimator._storage import PersistentMixin
from ..._estimator._training_set import (
    canonical_csr,
    distinct_rows,
    number_labels,
    sort_by_label,
)
from ...kernels import standard_arithmetic
from ._adapted import AdaptedStream, Survey
from ._codes import ClassLayout
from ._drawing import Ball, HyperplaneStream, SeededStream, enclosing_ball
from ._samples import SamplesInMemory


class RandomThresholdTransformer(
    ClassNamePrefixFeaturesOutMixin,
    TransformerMixin,
    PersistentMixin,
    DocumentedMixin,
    CallbackSupportMixin,
    BaseEstimator,
):
    """Tell on which side of random hyperplanes a sample lies, as 0/1 features.

    The first layer of `MemorizingClassifier`: x -> 1[<w, x> + b > 0], with Gaussian w
    and uniform b unless `hyperplanes` says otherwise. The signs are exact: the features
    of a sample do not depend on batch, precision, memory order or number of threads.
    Hamming distances between the outputs of random hyperplanes approximate Euclidean
    distances between the samples [1]_.

    Parameters
    ----------
    hyperplanes : {"random", "adapted"}, default="random"
        How hyperplanes are drawn. "random" ones are those of [1]_, and need no labels.
        "adapted" ones combine a few features and pass between samples of different
        classes, as those of `MemorizingClassifier` do; `fit` then needs `y`.
    n_hyperplanes : int, default=1000
        Number of hyperplanes, and of output features.
    max_bias : float, default=1.0
        Largest distance of a random hyperplane from the center, in units of the radius
        of the data and of the length of its normal vector.
    center : bool, default=True
        Whether random hyperplanes are drawn around the mean of the samples, or around
        the origin.
    sparse_output : bool, default=False
        Whether `transform` returns a CSR matrix.
    random_state : int, RandomState instance or None, default=None
        Determines the hyperplanes. Pass an int for reproducible results.

    Attributes
    ----------
    hyperplanes_ : HyperplaneLayer
        The hyperplanes.
    radius_ : float
        Largest distance of a training sample from the center.
    n_features_in_ : int
        Number of features seen during `fit`.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of features seen during `fit`, if all are strings.

    See Also
    --------
    MemorizingClassifier : The classifier whose first layer this is.

    Notes
    -----
    **Cost.** For N samples of d features and n hyperplanes: O(N d + n d) operations to
    fit, O(N n d) to transform, beside the result of N n values a block of bounded size.

    References
    ----------
    .. [1] S. Dirksen, P. Finke, M. Genzel, "Memorization with neural nets: going beyond
       the worst case", JMLR 25(347), 2024. https://arxiv.org/abs/2310.00327

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_memorize import RandomThresholdTransformer
    >>> X = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    >>> transformer = RandomThresholdTransformer(n_hyperplanes=4, random_state=0)
    >>> transformer.fit_transform(X).shape
    (3, 4)
    """

    _parameter_constraints: dict = {
        "hyperplanes": [StrOptions({"adapted", "random"})],
        "n_hyperplanes": [Interval(Integral, 1, None, closed="left")],
        "max_bias": [Interval(Real, 0, None, closed="left")],
        "center": ["boolean"],
        "sparse_output": ["boolean"],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        *,
        hyperplanes="random",
        n_hyperplanes=1000,
        max_bias=1.0,
        center=True,
        sparse_output=False,
        random_state=None,
    ):
        self.hyperplanes = hyperplanes
        self.n_hyperplanes = n_hyperplanes
        self.max_bias = max_bias
        self.center = center
        self.sparse_output = sparse_output
        self.random_state = random_state

    @with_callbacks
    @_fit_context(prefer_skip_nested_validation=True)
    @standard_arithmetic
    def fit(self, X, y=None):
        """Draw the hyperplanes.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)
            Samples; of random hyperplanes only their center and radius matter.
        y : array-like of shape (n_samples,), default=None
            Labels, of two classes at least, for adapted hyperplanes; of equal rows the
            label that is most frequent counts. Ignored by random ones.

        Returns
        -------
        self : object
            The fitted transformer.

        Raises
        ------
        ValueError
            If the input is not valid, or if adapted hyperplanes are asked for without
            labels of two classes.
        MemoryError
            If the hyperplanes do not fit into memory.
        InterpolationError
            If a callback asks to stop before they are drawn.
        """
        progress = reported_fit(self, n_stages=2, X=X, y=y)
        with (
            unchanged_on_failure(self),
            advice_on_memory(self),
            explained_stop("any hyperplanes"),
            progress as stages,
        ):
            with stages.part("read the samples", 0):
                if self.hyperplanes == "random":
                    X = checked_samples(self, X)
                else:
                    X, y = self._validate_with_labels(X, y)
                ball = enclosing_ball(X, np.arange(X.shape[0]), self.center)
            with stages.part("draw the hyperplanes", 1, needed=True):
                (seed,) = draw_seeds(self.random_state, 1)
                stream = self._stream(seed, ball, X, y)
                self.hyperplanes_ = stream.draw(self.n_hyperplanes)
                self.radius_ = ball.radius
        return self

    def _validate_with_labels(self, X, y):
        if y is None:
            raise ValueError(
                "hyperplanes='adapted' needs labels: pass y, or set "
                "hyperplanes='random'."
            )
        X, y = checked_samples(self, X, y=y)
        check_classification_targets(y)
        return X, y

    def _stream(self, seed: int, ball: Ball, X, y) -> SeededStream:
        """Return the sequence of hyperplanes to draw from."""
        if self.hyperplanes == "random":
            return HyperplaneStream(seed, ball, float(self.max_bias))
        X = canonical_csr(X) if sparse.issparse(X) else X
        first, inverse = distinct_rows(X)
        labels, _ = resolve_labels(inverse, number_labels(y)[1], None, len(first))
        present, order, _ = sort_by_label(labels)
        layout = ClassLayout(np.bincount(labels)[present])
        samples = SamplesInMemory(X, first[order], layout)
        survey = Survey.of(samples, X.shape[1], seed)
        if survey is None:
            raise ValueError(
                "hyperplanes='adapted' needs distinct samples of two classes at least. "
                "Set hyperplanes='random' for samples of one class."
            )
        return AdaptedStream(seed, survey, ball)

    @standard_arithmetic
    def transform(self, X):
        """Return on which sides of the hyperplanes the samples lie.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)
            Samples.

        Returns
        -------
        signs : ndarray or CSR matrix of shape (n_samples, n_hyperplanes)
            1 where `<w, x> + b > 0` and else 0, in the precision of X.
        """
        check_is_fitted(self)
        X = checked_samples(self, X, reset=False)
        signs = self.hyperplanes_.signs(X)
        if self.sparse_output:
            return sparse.csr_matrix(signs, dtype=X.dtype)
        return signs.astype(X.dtype)

    @property
    def _n_features_out(self) -> int:
        return self.hyperplanes_.n_hyperplanes

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.target_tags.required = self.hyperplanes == "adapted"
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags
