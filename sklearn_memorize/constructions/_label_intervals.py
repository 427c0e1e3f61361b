"""Classifiers whose network says the number of the class, by one number."""

import numpy as np

from .._estimator._base import BaseMemorizingClassifier


class LabelIntervalClassifier(BaseMemorizingClassifier):
    """What is shared where an output in (c, c + 1] stands for class number c."""

    def _scores(self, X) -> np.ndarray:
        output = self.network_.forward(X)[:, 0]
        if len(self.classes_) == 2:
            return output - 1.0
        centers = np.arange(len(self.classes_)) + 0.5
        return -np.abs(output[:, np.newaxis] - centers)

    def _predict_class_numbers(self, X) -> np.ndarray:
        if len(self.classes_) == 1:
            return super()._predict_class_numbers(X)
        # The argmax of the scores, and the first of two equal ones, without them.
        numbers = np.ceil(self.network_.forward(X)[:, 0]) - 1
        return np.clip(numbers, 0, len(self.classes_) - 1).astype(np.intp)
