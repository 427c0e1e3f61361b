"""What all memorizing estimators share: validate, resolve, build, certify."""

from __future__ import annotations

import warnings
from abc import abstractmethod
from contextlib import contextmanager
from numbers import Integral
from typing import Protocol

import numpy as np
from scipy import sparse
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.callback import CallbackSupportMixin, with_callbacks
from sklearn.utils.validation import check_is_fitted, validate_data

from ..exceptions import (
    ConflictingLabelsWarning,
    InterpolationError,
    InterpolationWarning,
)
from ..kernels._memory import check_room
from ..network import Layer, LayeredNetwork, Network
from ._callbacks import SILENT, Progress, Stopped, told
from ._dask import is_dask_array, lazily
from ._documentation import DocumentedMixin
from ._sklearn import _check_sample_weight, _fit_context
from ._storage import PersistentMixin
from ._training_set import (
    TrainingSet,
    check_targets,
    distinct_rows,
    number_labels,
    resolve_labels,
    sort_by_label,
)

__all__ = [
    "BaseMemorizer",
    "BaseMemorizingClassifier",
    "advice_on_memory",
    "dense",
    "explained_stop",
    "unchanged_on_failure",
]

# Parameters that decide how much memory is needed.
_SIZES = ("n_hyperplanes", "max_hyperplanes", "n_draws")


@contextmanager
def unchanged_on_failure(estimator):
    """Leave the estimator exactly as it was if the body raises."""
    before = dict(vars(estimator))
    try:
        yield
    except BaseException:
        vars(estimator).clear()
        vars(estimator).update(before)
        raise


@contextmanager
def advice_on_memory(estimator):
    """Name the parameters that decide the sizes if memory runs out."""
    try:
        yield
    except MemoryError as error:
        values = estimator.get_params(deep=False)
        sizes = [name for name in _SIZES if isinstance(values.get(name), Integral)]
        given = " or ".join(f"{name}={values[name]}" for name in sizes)
        lower = f"Lower {given}, or fit" if sizes else "Fit"
        problem = str(error).rstrip(".") or "The memory does not suffice"
        raise MemoryError(f"{problem}. {lower} fewer samples or features.") from error


@contextmanager
def explained_stop(result="a network"):
    """Say that nothing was complete when a callback asked to stop, and what to do."""
    try:
        yield
    except Stopped:
        raise InterpolationError(
            f"A callback asked to stop before there was {result} to keep; the "
            "estimator is as it was before. Let the callback ask later, or fit fewer "
            "samples."
        ) from None


class BaseMemorizer(
    PersistentMixin, DocumentedMixin, CallbackSupportMixin, BaseEstimator
):
    """Template of `fit`: validate -> resolve conflicts -> build -> certify."""

    # Whom `_build` tells of its progress, in `_n_build_parts` parts.
    _progress: Progress = SILENT

    @with_callbacks
    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y, sample_weight=None):
        """Build a network that recalls the training set, and certify that it does.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)
            Training samples.
        y : array-like of shape (n_samples,)
            Labels (or targets).
        sample_weight : array-like of shape (n_samples,), default=None
            Samples of weight zero are ignored. The other weights vote among identical
            rows that carry different labels; distinct rows are all memorized,
            whatever their weight.

        Returns
        -------
        self : object
            The fitted estimator.

        Raises
        ------
        InterpolationError
            If the network ought to recall the training set and does not, or if a
            callback asks to stop before there is one.
        ValueError
            If the input is not valid, or if `conflicts="raise"` and identical rows
            carry different labels. A failed fit leaves the estimator as it was.
        MemoryError
            If the network, or what it is built from, does not fit into memory. The
            largest sizes are compared with the memory before anything is allocated.
        """
        metadata = None if sample_weight is None else {"sample_weight": sample_weight}
        progress = told(self, n_stages=3, X=X, y=y, metadata=metadata)
        with (
            unchanged_on_failure(self),
            advice_on_memory(self),
            explained_stop(),
            progress as stages,
        ):
            with stages.part("read the samples", 0):
                training = self._prepare(X, y, sample_weight)
            n_parts = self._n_build_parts
            with stages.part("build the network", 1, n_parts, needed=True) as building:
                self._progress = building
                built = self._build(training)
                del self._progress
                for name, value in built.items():
                    setattr(self, name, value)
            with stages.part("certify it", 2, needed=True):
                self._certify(training)
        return self

    @property
    def _n_build_parts(self) -> int:
        return 0

    @abstractmethod
    def _prepare(self, X, y, sample_weight) -> TrainingSet:
        """Validate the input and give each distinct row one label."""

    @abstractmethod
    def _build(self, training: TrainingSet) -> dict:
        """Return the fitted attributes by name, `network_` among them."""

    @abstractmethod
    def _certify(self, training: TrainingSet) -> None:
        """Run the training set through the prediction path; set `interpolates_`."""

    def _validate_samples(self, X, **options):
        return validate_data(
            self,
            X,
            accept_sparse="csr",
            dtype=[np.float64, np.float32],
            **options,
        )

    def _validate_weights(self, X, sample_weight):
        """Return the weights (None if all are equal) and the rows that carry any."""
        if sample_weight is None:
            return None, None
        weights = _check_sample_weight(
            sample_weight, X, dtype=np.float64, ensure_non_negative=True
        )
        kept = np.flatnonzero(weights)
        return weights, None if len(kept) == len(weights) else kept

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags


class _Counted(Protocol):
    """A training set, wherever its samples are."""

    @property
    def n_samples(self) -> int: ...

    @property
    def n_conflicts(self) -> int: ...


class BaseMemorizingClassifier(ClassifierMixin, BaseMemorizer):
    """Template of the classifiers.

    A subclass declares its parameters (among them `conflicts`), and writes `_build`
    and, where its network does not put out one score for each class, `_scores`.
    """

    classes_: np.ndarray

    def _prepare(self, X, y, sample_weight) -> TrainingSet:
        X, y = self._validate_samples(X, y=y)
        check_targets(y)
        if sparse.issparse(X):
            X = _canonical(X)
        weights, kept = self._validate_weights(X, sample_weight)
        seen = slice(None) if kept is None else kept
        self.classes_, labels = number_labels(y[seen])
        first, inverse = distinct_rows(X if kept is None else X[kept])
        resolved, n_conflicts = resolve_labels(
            inverse, labels, None if weights is None else weights[seen], len(first)
        )
        self._report_conflicts(n_conflicts)
        # A class that lost all its rows to others is not there.
        present, by_label, labels = sort_by_label(resolved)
        self.classes_ = self.classes_[present]
        rows = first[by_label]
        return TrainingSet(
            X=X,
            rows=rows if kept is None else kept[rows],
            labels=labels,
            n_classes=len(self.classes_),
            n_conflicts=n_conflicts,
        )

    def _report_conflicts(self, n_conflicts: int) -> None:
        if n_conflicts == 0:
            return
        message = f"{n_conflicts} distinct rows carry several labels"
        if self.conflicts == "raise":
            raise ValueError(
                f"{message}, which no function can return. Clean the data, or set "
                "conflicts='majority' to keep the label of largest total weight."
            )
        warnings.warn(
            f"{message}; the label of largest total weight is memorized. Set "
            "conflicts='raise' to make this an error.",
            ConflictingLabelsWarning,
            stacklevel=2,
        )

    def _certify(self, training: TrainingSet) -> None:
        missed = 0
        for block in training.blocks():
            predicted = self._predict_class_numbers(training.X[training.rows[block]])
            missed += int((predicted != training.labels[block]).sum())
        self._record_certificate(training, missed)

    def _record_certificate(self, training: _Counted, missed: int) -> None:
        self.n_conflicts_ = training.n_conflicts
        self.interpolates_ = missed == 0
        if missed == 0:
            return
        problem = self._misfit(f"{missed} of {training.n_samples} training samples")
        if isinstance(problem, InterpolationError):
            raise problem
        warnings.warn(problem, stacklevel=2)

    def _misfit(self, missed: str) -> InterpolationWarning | InterpolationError:
        """Say what it means that some training samples are not recalled.

        A warning where the user fixed a size that does not suffice, an error where
        the data ought to be memorized; either names the parameter to change.
        """
        return InterpolationError(
            f"{missed} are not recalled by the network; this is a defect of the "
            "construction on this data. Please report it."
        )

    def _scores(self, X) -> np.ndarray:
        """Return scores of shape (n_samples,) for two classes, else one a class."""
        return self.network_.forward(X)

    def _predict_class_numbers(self, X) -> np.ndarray:
        if len(self.classes_) == 1:
            return np.zeros(X.shape[0], dtype=np.intp)
        scores = self._scores(X)
        if scores.ndim == 1:
            return (scores > 0).astype(np.intp)
        return np.argmax(scores, axis=1)

    def predict(self, X):
        """Predict the class of each sample.

        Parameters
        ----------
        X : array-like, sparse matrix or dask array of shape (n_samples, n_features)
            Samples.

        Returns
        -------
        labels : ndarray of shape (n_samples,)
            The predicted classes; every training sample gets its own label back. A
            dask array, not computed yet, if X is one.
        """
        check_is_fitted(self)
        if is_dask_array(X):
            return lazily(self, "predict", X)
        X = self._validate_samples(X, reset=False)
        return self.classes_[self._evaluated(self._predict_class_numbers, X)]

    def decision_function(self, X):
        """Score each class for each sample.

        Parameters
        ----------
        X : array-like, sparse matrix or dask array of shape (n_samples, n_features)
            Samples.

        Returns
        -------
        scores : ndarray of shape (n_samples,) or (n_samples, n_classes)
            The class of the largest score is predicted; with two classes there is
            one score a sample, positive for `classes_[1]`. A dask array, not computed
            yet, if X is one.
        """
        check_is_fitted(self)
        if is_dask_array(X):
            return lazily(self, "decision_function", X)
        X = self._validate_samples(X, reset=False)
        if len(self.classes_) == 1:
            return np.zeros(X.shape[0])
        return self._evaluated(self._scores, X)

    def _evaluated(self, function, X) -> np.ndarray:
        """Return `function(X)`; a subclass may tell how far it is."""
        return function(X)


def constant_network(n_features: int) -> Network:
    """Return the network that says the same of every input."""
    weights = sparse.csr_array((1, n_features), dtype=np.float64)
    return LayeredNetwork([Layer(weights, np.ones(1), "threshold")])


def dense(X) -> np.ndarray:
    """Return a sparse matrix as an array in double precision, if that fits."""
    n_samples, n_features = X.shape
    # Constructions that work on dense samples hold a scaled copy of them.
    n_bytes = 2 * 8 * n_samples * n_features
    check_room(n_bytes, f"{n_samples:,} dense samples of {n_features:,} features")
    return X.toarray().astype(np.float64, copy=False)


def _canonical(X):
    """Return the CSR matrix with sorted indices, no duplicates, no stored zeros."""
    X = X.copy()
    X.sum_duplicates()
    X.eliminate_zeros()
    return X
