"""What does not fit is refused before the covers are looked for."""

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.utils.validation import check_is_fitted

from sklearn_memorize import (
    MemorizingClassifier,
)


def test_a_greedy_fit_that_finds_no_room_is_refused_with_advice(memory):
    memory(2**20)
    samples, labels = np.arange(6000.0)[:, np.newaxis], np.arange(6000) > 2999
    samples[labels] += 10_000
    estimator = MemorizingClassifier(
        hyperplanes="random", n_hyperplanes=64, n_draws=1, random_state=0
    )
    estimator.fit(samples, labels)
    greedy = clone(estimator).set_params(covering="greedy")
    with pytest.raises(MemoryError, match="covering='random'.*fit fewer samples"):
        greedy.fit(samples, labels)
    with pytest.raises(NotFittedError):
        check_is_fitted(greedy)
