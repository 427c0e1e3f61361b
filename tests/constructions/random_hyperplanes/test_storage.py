"""Stored coverings that do not fit are refused."""

import pickle

import numpy as np
import pytest
from support.storage import SAMPLES, fitted, restored, with_other

from sklearn_memorize import MemorizingClassifier


def test_restored_networks_are_read_only_and_hold_nothing_precomputed():
    estimator = fitted("MemorizingClassifier")
    estimator.predict(SAMPLES)
    (covering, *_) = pickle.loads(pickle.dumps(estimator)).network_.coverings
    assert not covering.masks.flags.writeable
    assert not covering.hyperplanes.directions.flags.writeable
    assert set(vars(covering.hyperplanes)) == {
        "directions",
        "scaled_biases",
        "exponent",
        "shift",
        "axis",
    }


def damaged_covering(**changes):
    state = fitted("MemorizingClassifier", n_draws=2).__getstate__()
    first, second = state["network_"]["coverings"]
    coverings = [{**first, **changes}, second]
    return {**state, "network_": {**state["network_"], "coverings": coverings}}


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"activation": "tanh"}, "no such activation"),
        ({"activation": "relu"}, "the same activation"),
        ({"bounds": np.ones(3)}, "bounds must be integers"),
        ({"masks": np.zeros((1, 1), dtype=np.int64)}, "masks must be words"),
        (
            {"hyperplanes": {"kind": "sklearn_memorize.network.Layer"}},
            "the parts of a Layer do not fit",
        ),
        ({"hyperplanes": {"kind": "print"}}, "there is no 'print'"),
        ({"hyperplanes": None}, "do not fit"),
    ],
)
def test_coverings_that_do_not_fit_are_refused(changes, reason):
    estimator = MemorizingClassifier(hyperplanes="random")
    with pytest.raises(ValueError, match=reason):
        restored(estimator, damaged_covering(**changes))


def test_masks_of_absent_hyperplanes_and_not_finite_numbers_are_refused():
    estimator = fitted("MemorizingClassifier", n_draws=1, n_hyperplanes=100)
    state = estimator.__getstate__()
    path = ("network_", "coverings", 0)

    def set_all(array):
        return np.full_like(array, -1 if array.dtype.kind == "f" else 2**64 - 1)

    with pytest.raises(ValueError, match="hyperplanes that are not there"):
        restored(estimator, with_other(state, (*path, "masks"), set_all))
    for part in ("directions", "scaled_biases"):
        place = (*path, "hyperplanes", part)
        with pytest.raises(ValueError, match="must be finite"):
            restored(estimator, with_other(state, place, lambda a: a * np.nan))


def test_a_quorum_that_cannot_be_reached_is_refused():
    estimator = fitted("MemorizingClassifier")
    state = with_other(estimator.__getstate__(), ("network_", "quorum"), lambda _: 99)
    with pytest.raises(ValueError, match="quorum"):
        restored(estimator, state)
