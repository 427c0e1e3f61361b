"""Correctors in skops files."""

import numpy as np
from sklearn.datasets import load_diabetes, load_digits
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression, Ridge
from support.needs import needs

from sklearn_memorize.applications import (
    MemorizingCorrector,
    MemorizingCorrectorRegressor,
)

skops_io = needs("skops", "skops.io").io


def restored(patched, expected):
    """Write a corrector, and read it with the types trusted that are expected."""
    written = skops_io.dumps(patched)
    trusted = skops_io.get_untrusted_types(data=written)
    assert {name.rpartition(".")[2] for name in trusted} <= expected
    return skops_io.loads(written, trusted=trusted)


def test_skops_trusts_the_types_of_this_package_alone():
    X, y = load_digits(return_X_y=True)
    model = FrozenEstimator(LogisticRegression(C=1e-4).fit(X[:300], y[:300]))
    patched = MemorizingCorrector(model, random_state=0).fit(X[:400], y[:400])
    expected = {"MemorizingCorrector", "MemorizingClassifier", "FrozenEstimator"}
    other = restored(patched, expected)
    np.testing.assert_array_equal(other.predict(X), patched.predict(X))
    other.correct(X[400:700], y[400:700])
    assert other.score(X[:700], y[:700]) == 1.0


def test_a_regressor_answers_the_same_and_goes_on():
    X, y = load_diabetes(return_X_y=True)
    model = FrozenEstimator(Ridge().fit(X, y))
    patched = MemorizingCorrectorRegressor(model).fit(X[:300], y[:300])
    expected = {"MemorizingCorrectorRegressor", "FrozenEstimator"}
    other = restored(patched, expected)
    np.testing.assert_array_equal(other.predict(X), patched.predict(X))
    other.correct(X[300:], y[300:])
    assert (other.predict(X) == y).all()
