"""What memorizing regressors share: one target for each distinct row, certified."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import RegressorMixin
from sklearn.utils.validation import check_is_fitted

from ..exceptions import InterpolationError
from ..kernels import standard_arithmetic
from ._base import BaseMemorizer
from ._conflicts import TARGETS, resolve_targets
from ._training_set import TrainingSet

# Largest error that counts as interpolation, in units of the range of the targets.
_TOLERANCE = 2.0**-40


class BaseMemorizingRegressor(RegressorMixin, BaseMemorizer):
    """Template of the regressors.

    A subclass declares its parameters (among them `conflicts`), and writes `_build`;
    what it builds puts out the targets.
    """

    _conflict_rule = TARGETS

    def _validate_targets(self, X, y):
        return self._validate_samples(X, y=y, multi_output=True, y_numeric=True)

    def _resolve(self, y, inverse, weights, n_distinct):
        targets = np.asarray(y, dtype=np.float64) + 0.0  # -0.0 counts as 0.0
        self._single_target = targets.ndim == 1
        targets = targets.reshape(len(targets), -1)
        self.n_outputs_ = targets.shape[1]
        return resolve_targets(inverse, targets, weights, n_distinct)

    def _certify(self, training: TrainingSet, evidence: Any = None) -> None:
        largest = np.zeros(self.n_outputs_)
        for block in training.blocks():
            predicted = self._outputs(training.X[training.rows[block]])
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

    def _outputs(self, X) -> np.ndarray:
        """Return the targets that what was built puts out, (n_samples, n_outputs)."""
        return self._built.forward(X)

    @standard_arithmetic
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
        predicted = self._outputs(X)
        return predicted[:, 0] if self._single_target else predicted

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags
