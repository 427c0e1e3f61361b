"""What memorizing regressors share: one target for each distinct row, certified."""

from __future__ import annotations

import warnings
from fractions import Fraction

import numpy as np
from scipy import sparse
from sklearn.base import RegressorMixin
from sklearn.utils.validation import check_is_fitted

from ..exceptions import ConflictingLabelsWarning, InterpolationError
from ._base import BaseMemorizer, _canonical
from ._training_set import TrainingSet, distinct_rows

__all__ = ["BaseMemorizingRegressor", "resolve_targets"]

# Largest error that counts as interpolation, in units of the range of the targets.
_TOLERANCE = 2.0**-40


class BaseMemorizingRegressor(RegressorMixin, BaseMemorizer):
    """Template of the regressors.

    A subclass declares its parameters (among them `conflicts`), and writes `_build`;
    its network puts out the targets.
    """

    def _prepare(self, X, y, sample_weight) -> TrainingSet:
        X, y = self._validate_samples(X, y=y, multi_output=True, y_numeric=True)
        if sparse.issparse(X):
            X = _canonical(X)
        weights, kept = self._validate_weights(X, sample_weight)
        seen = slice(None) if kept is None else kept
        targets = np.asarray(y[seen], dtype=np.float64) + 0.0
        self._single_target = targets.ndim == 1
        targets = targets.reshape(len(targets), -1)
        self.n_outputs_ = targets.shape[1]
        first, inverse = distinct_rows(X if kept is None else X[kept])
        resolved, n_conflicts = resolve_targets(
            inverse, targets, None if weights is None else weights[seen], len(first)
        )
        self._report_conflicts(n_conflicts)
        return TrainingSet(
            X=X,
            rows=first if kept is None else kept[first],
            labels=resolved,
            n_classes=0,
            n_conflicts=n_conflicts,
        )

    def _report_conflicts(self, n_conflicts: int) -> None:
        if n_conflicts == 0:
            return
        message = f"{n_conflicts} distinct rows carry several targets"
        if self.conflicts == "raise":
            raise ValueError(
                f"{message}, which no function can return. Clean the data, or set "
                "conflicts='mean' to keep the weighted mean of the targets."
            )
        warnings.warn(
            f"{message}; their weighted mean is memorized. Set conflicts='raise' to "
            "make this an error.",
            ConflictingLabelsWarning,
            stacklevel=2,
        )

    def _certify(self, training: TrainingSet) -> None:
        largest = np.zeros(self.n_outputs_)
        for block in training.blocks():
            predicted = self.network_.forward(training.X[training.rows[block]])
            errors = np.abs(predicted - training.labels[block])
            largest = np.maximum(largest, errors.max(axis=0))
        low, high = training.labels.min(axis=0), training.labels.max(axis=0)
        self.n_conflicts_ = training.n_conflicts
        self.max_abs_error_ = float(largest.max())
        self.interpolates_ = bool(
            (largest / 2 <= _TOLERANCE * (high / 2 - low / 2)).all()
        )
        if not self.interpolates_:
            raise InterpolationError(
                f"The network misses targets by up to {self.max_abs_error_:.3g}; this "
                "is a defect of the construction on this data. Please report it."
            )

    def predict(self, X):
        """Predict the targets of each sample.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)
            Samples.

        Returns
        -------
        targets : ndarray of shape (n_samples,) or (n_samples, n_outputs)
            The predicted targets, in the unit and the shape of those given to `fit`;
            every training sample gets its own target back.
        """
        check_is_fitted(self)
        X = self._validate_samples(X, reset=False)
        predicted = self.network_.forward(X)
        return predicted[:, 0] if self._single_target else predicted

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags


def resolve_targets(
    inverse: np.ndarray,
    targets: np.ndarray,
    weights: np.ndarray | None,
    n_distinct: int,
) -> tuple[np.ndarray, int]:
    """Choose one target for each distinct row: the weighted mean.

    The mean is computed exactly and rounded once: it depends neither on the order of
    the samples, nor on whether a sample has weight 2 or stands there twice.

    Parameters
    ----------
    inverse : ndarray of shape (n_samples,)
        The distinct row that each sample equals.
    targets : ndarray of shape (n_samples, n_outputs)
        The targets.
    weights : ndarray of shape (n_samples,) or None
        Weight of each sample; 1 if None.
    n_distinct : int
        Number of distinct rows.

    Returns
    -------
    resolved : ndarray of shape (n_distinct, n_outputs)
        The target of each distinct row.
    n_conflicts : int
        Number of distinct rows with several targets.
    """
    resolved = np.empty((n_distinct, targets.shape[1]))
    resolved[inverse] = targets
    in_conflict = np.zeros(n_distinct, dtype=bool)
    in_conflict[inverse[(resolved[inverse] != targets).any(axis=1)]] = True
    members: dict[int, list[int]] = {}
    for sample in np.flatnonzero(in_conflict[inverse]).tolist():
        members.setdefault(int(inverse[sample]), []).append(sample)
    for row, samples in members.items():
        of_samples = None if weights is None else weights[samples]
        resolved[row] = [_mean(column, of_samples) for column in targets[samples].T]
    return resolved, len(members)


def _mean(values: np.ndarray, weights: np.ndarray | None) -> float:
    exact = [Fraction(float(value)) for value in values]
    if weights is None:
        return float(sum(exact) / len(exact))
    shares = [Fraction(float(weight)) for weight in weights]
    total = sum(share * value for share, value in zip(shares, exact, strict=True))
    return float(total / sum(shares))
