"""What another version stored is read with a warning or refused."""

import numpy as np
import pytest
from sklearn.exceptions import InconsistentVersionWarning
from support.storage import LABELS, SAMPLES, fitted, restored


def test_a_parameter_that_is_missing_is_named():
    estimator = fitted("MemorizingClassifier")
    state = estimator.__getstate__()
    del state["decision"]
    with pytest.raises(ValueError, match="it lacks decision"):
        restored(estimator, state)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"n_features_in_": 6}, "reads 5 features, and n_features_in_ is 6"),
        ({"classes_": np.arange(2)}, "3 outputs for 2 classes_"),
        ({"classes_": np.zeros((3, 1))}, "classes_ is not a vector"),
        ({"classes_": [0, 1, 2]}, "classes_ is not a vector"),
    ],
)
def test_attributes_that_do_not_fit_are_refused(changes, reason):
    estimator = fitted("MemorizingClassifier")
    with pytest.raises(ValueError, match=reason):
        restored(estimator, {**estimator.__getstate__(), **changes})


def test_another_version_of_the_same_format_is_read_with_a_warning():
    estimator = fitted("MemorizingClassifier")
    state = {**estimator.__getstate__(), "_sklearn_memorize_version": "0.0.9"}
    with pytest.warns(InconsistentVersionWarning, match=r"0\.0\.9 of sklearn_memorize"):
        other = restored(estimator, state)
    np.testing.assert_array_equal(other.predict(SAMPLES), LABELS)
