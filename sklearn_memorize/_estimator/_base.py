"""The template of `fit` and of prediction that all memorizing estimators share."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, Protocol

import numpy as np
from scipy import sparse
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.callback import CallbackSupportMixin, with_callbacks
from sklearn.utils.validation import check_is_fitted

from ..exceptions import InterpolationError, InterpolationWarning
from ..kernels import standard_arithmetic
from ..kernels._memory import check_room
from ..network import Layer, LayeredNetwork, Network
from ._callbacks import Progress, reported_fit
from ._conflicts import LABELS, Ballots, ConflictRule, report_conflicts, resolve_labels
from ._dask import is_dask_array, lazily
from ._documentation import DocumentedMixin
from ._messages import (
    INSTEAD,
    advice_on_memory,
    explained_stop,
    listed,
    named_rows,
    unchanged_on_failure,
    warn,
)
from ._probabilities import (
    ONE_OBSERVATION,
    Rule,
    class_numbers,
    logarithm,
    one_observation,
    probabilities,
)
from ._sklearn import (
    _check_sample_weight,
    _fit_context,
    checked_samples,
    finite_for_certain,
)
from ._storage import PersistentMixin
from ._training_set import (
    TrainingSet,
    canonical_csr,
    check_targets,
    distinct_rows,
    number_labels,
    refuse_several_labels,
    sort_by_label,
)


class BaseMemorizer(
    PersistentMixin, DocumentedMixin, CallbackSupportMixin, BaseEstimator
):
    """Template of `fit`: read (validate, resolve conflicts), build, certify."""

    @with_callbacks
    @_fit_context(prefer_skip_nested_validation=True)
    @standard_arithmetic
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
        progress = reported_fit(self, n_stages=3, X=X, y=y, metadata=metadata)
        with (
            unchanged_on_failure(self),
            advice_on_memory(self),
            explained_stop(),
            progress as stages,
        ):
            with stages.part("read the samples", 0):
                training = self._read(X, y, sample_weight)
                self._check_room(training)
            n_parts = self._n_build_parts
            with stages.part("build the network", 1, n_parts, needed=True) as building:
                with named_rows(training):
                    attributes, evidence = self._build(training, building)
                for name, value in attributes.items():
                    setattr(self, name, value)
            with stages.part("certify it", 2, needed=True):
                self._certify(training, evidence)
        return self

    @property
    def _built(self):
        """What `_build` built: a network, or what is evaluated in its place."""
        return getattr(self, self._built_name)

    def _check_room(self, training: TrainingSet) -> None:
        """Raise a MemoryError if the rest of `fit` does not fit into memory."""
        n_bytes = self._bytes_to_build(training)
        if n_bytes:
            n_samples, n_features = training.n_samples, training.n_features
            check_room(
                n_bytes,
                f"The copies of {n_samples:,} samples of {n_features:,} features that "
                f"{type(self).__name__}.fit works on",
            )

    def _bytes_to_build(self, training: TrainingSet) -> int:
        """Return the peak of what `fit` allocates, all copies included, as measured.

        0 where a construction compares its own sizes with the memory as it goes.
        """
        return 0

    # What equal rows may carry several of, and what becomes of it.
    _conflict_rule: ConflictRule

    @property
    def _n_build_parts(self) -> int:
        """How many parts `_build` reports, at the most."""
        return 0

    def _read(self, X, y, sample_weight) -> TrainingSet:
        """Validate the input, and give each distinct row one label or target."""
        X, y = self._validate_targets(X, y)
        if sparse.issparse(X):
            X = canonical_csr(X)
        weights, weighted = self._validate_weights(X, sample_weight)
        if weighted is None:
            first, inverse = distinct_rows(X)
        else:
            y, weights = y[weighted], weights[weighted]
            first, inverse = distinct_rows(X[weighted])
            first = weighted[first]
        resolved, n_conflicts = self._resolve(y, inverse, weights, len(first))
        self._report_conflicts(n_conflicts)
        order, labels, n_classes = self._arrange(resolved)
        ballots = self._ballots(y, weights, inverse, order)
        return TrainingSet(X, first[order], labels, n_classes, n_conflicts, ballots)

    @abstractmethod
    def _validate_targets(self, X, y) -> tuple[Any, np.ndarray]:
        """Return validated rows and labels or targets."""

    @abstractmethod
    def _resolve(self, y, inverse, weights, n_distinct) -> tuple[np.ndarray, int]:
        """Return one label or target for each distinct row, and how many conflicts."""

    def _arrange(self, resolved) -> tuple[Any, np.ndarray, int]:
        """Return the rows in canonical order, their labels, the number of classes."""
        return slice(None), resolved, 0

    def _ballots(self, y, weights, inverse, order) -> Ballots | None:
        """Return all labels of the rows in canonical order, if they are asked for."""
        return None

    @abstractmethod
    def _build(self, training: TrainingSet, progress: Progress) -> tuple[dict, Any]:
        """Return the fitted attributes by name, `_built_name` among them, and evidence.

        The evidence is what `_certify` can use so as not to compute it again, or None.
        """

    @abstractmethod
    def _certify(self, training: TrainingSet, evidence: Any) -> None:
        """Run the training set through the prediction path; set `interpolates_`."""

    def _report_conflicts(self, n_conflicts: int) -> None:
        report_conflicts(n_conflicts, self.conflicts, self._conflict_rule)

    def _validate_samples(self, X, **options):
        return checked_samples(self, X, **options)

    def _validate_weights(self, X, sample_weight):
        """Return the weights (None if all are equal) and the rows that carry any."""
        if sample_weight is None:
            return None, None
        with finite_for_certain():
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

    A subclass declares its parameters (among them `conflicts`), and writes `_build`;
    also `_outputs` or `_scores` where the network's outputs are not scores of classes,
    and `_probability_rule` or `_probabilities` where the scores say how sure it is.
    """

    classes_: np.ndarray
    _conflict_rule = LABELS

    def _validate_targets(self, X, y):
        refuse_several_labels(y, self)
        X, y = self._validate_samples(X, y=y)
        check_targets(y)
        return X, y

    def _resolve(self, y, inverse, weights, n_distinct):
        self.classes_, labels = number_labels(y)
        return resolve_labels(inverse, labels, weights, n_distinct)

    def _arrange(self, resolved):
        # A class that lost all its rows to others is not there.
        present, order, labels = sort_by_label(resolved)
        self.classes_ = self.classes_[present]
        return order, labels, len(present)

    def _certify(self, training: TrainingSet, evidence: Any = None) -> None:
        missed = 0
        for block in training.blocks():
            predicted = self._predict_class_numbers(training.X[training.rows[block]])
            missed += int((predicted != training.labels[block]).sum())
        self._record_certificate(training, missed)

    def _record_certificate(self, training: _Counted, missed: int, rows=None) -> None:
        """Set `interpolates_`; warn or raise if samples are missed (some at `rows`)."""
        self.n_conflicts_ = training.n_conflicts
        self.interpolates_ = missed == 0
        if missed == 0:
            return
        which = "" if rows is None else f" (rows {listed(rows)})"
        problem = self._misfit(
            f"{missed} of {training.n_samples} training samples{which}"
        )
        if isinstance(problem, InterpolationError):
            raise problem
        warn(problem)

    def _misfit(self, missed: str) -> InterpolationWarning | InterpolationError:
        """Say what it means that some training samples are not recalled.

        A warning where the user fixed a size that does not suffice, an error where
        the data ought to be memorized; either names the parameter to change.
        """
        return InterpolationError(
            f"{missed} are not recalled by the network; this is a defect of the "
            f"construction on this data. Please report it. {INSTEAD}"
        )

    def _outputs(self, X) -> np.ndarray:
        """Return one score a class; for two classes one in all may do."""
        return self._built.forward(X)

    def _scores(self, X) -> np.ndarray:
        """Return scores of shape (n_samples,) for two classes, else one a class."""
        scores = self._outputs(X)
        if len(self.classes_) > 2:
            return scores
        return scores[:, 0] if scores.shape[1] == 1 else scores[:, 1] - scores[:, 0]

    def _predict_class_numbers(self, X) -> np.ndarray:
        if len(self.classes_) == 1:
            return np.zeros(X.shape[0], dtype=np.intp)
        return class_numbers(self._scores(X))

    @property
    def _probability_rule(self) -> Rule:
        """How scores become probabilities; here and in exported networks."""
        return ONE_OBSERVATION

    def _probabilities(self, X) -> np.ndarray:
        """Return a probability for each class, given at least two classes.

        What overrides it ends with `_probabilities.shares`, which makes rows sum to
        one, and the predicted class the first of the most probable ones.
        """
        rule = self._probability_rule
        if rule == ONE_OBSERVATION:
            numbers = self._predict_class_numbers(X)
            return one_observation(numbers, len(self.classes_))
        return probabilities(rule, self._scores(X))

    @standard_arithmetic
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

    @standard_arithmetic
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

    @standard_arithmetic
    def predict_proba(self, X):
        """Return a probability for each class and sample.

        They speak of new samples. Training samples are recalled for certain, wherever
        `interpolates_` is True, and their probabilities do not say so: they are those
        that a new sample at the same place would get.

        The votes of `MemorizingClassifier` have margins. By default it leaves training
        samples out to turn these into scores, whose softmax fits the labels of the
        samples left out; otherwise it returns the softmax of the margins. The scores of
        the other networks do not tell how sure they are, and some of these networks
        predict little better than chance. Their answer counts as one observation, to
        which Laplace's rule of succession is applied: the predicted class has the
        probability 2 / (n_classes + 1), and every other class 1 / (n_classes + 1).
        `sklearn.calibration.CalibratedClassifierCV` calibrates what is not calibrated.

        Parameters
        ----------
        X : array-like, sparse matrix or dask array of shape (n_samples, n_features)
            Samples.

        Returns
        -------
        probabilities : ndarray of shape (n_samples, n_classes)
            Positive numbers, in the order of `classes_`, that sum to one in each row;
            the first of the largest ones is that of the class that `predict` returns.
            A row gets the same numbers in any batch. A dask array, not computed yet, if
            X is one.
        """
        check_is_fitted(self)
        if is_dask_array(X):
            return lazily(self, "predict_proba", X)
        X = self._validate_samples(X, reset=False)
        if len(self.classes_) == 1:
            return np.ones((X.shape[0], 1))
        return self._evaluated(self._probabilities, X)

    @standard_arithmetic
    def predict_log_proba(self, X):
        """Return the logarithm of the probability of each class and sample.

        Parameters
        ----------
        X : array-like, sparse matrix or dask array of shape (n_samples, n_features)
            Samples.

        Returns
        -------
        logarithms : ndarray of shape (n_samples, n_classes)
            Natural logarithms of what `predict_proba` returns. They are finite, for no
            probability is zero. A dask array, not computed yet, if X is one.
        """
        check_is_fitted(self)
        if is_dask_array(X):
            return lazily(self, "predict_log_proba", X)
        return logarithm(self.predict_proba(X))

    def _evaluated(self, function, X) -> np.ndarray:
        """Return `function(X)`; a subclass may tell how far it is."""
        return function(X)


def constant_network(n_features: int) -> Network:
    """Return the network that says the same of every input."""
    weights = sparse.csr_array((1, n_features), dtype=np.float64)
    return LayeredNetwork([Layer(weights, np.ones(1), "threshold")])
