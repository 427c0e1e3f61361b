"""Too little memory is an error with advice."""

import sys

import pytest
from sklearn.exceptions import NotFittedError
from sklearn.utils.validation import check_is_fitted
from support.estimators import CLASSIFIERS, new
from support.processes import LABELS, SAMPLES, child

import sklearn_memorize
from sklearn_memorize import (
    DeepThresholdClassifier,
    MemorizingClassifier,
    RandomReLUClassifier,
    RandomThresholdTransformer,
)
from sklearn_memorize.kernels import _memory

linux = pytest.mark.skipif(sys.platform != "linux", reason="limits as Linux has them")


@linux
def test_too_little_memory_is_an_error_with_advice():
    process = child(
        """
        import resource
        import numpy as np
        from scipy import sparse
        from sklearn_memorize import *

        X, y = np.eye(3000, 20), np.arange(3000) % 2
        X += np.arange(3000)[:, np.newaxis]
        wide = sparse.csr_array(X[:200])
        wide.resize(200, 10**6)
        for kind in (MemorizingClassifier, DeepThresholdClassifier):
            kind(n_hyperplanes=64).fit(X[:50], np.arange(50) == 0)
        used = int(open("/proc/self/statm").read().split()[0])
        limit = used * resource.getpagesize() + 2**30
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
        for estimator in (
            MemorizingClassifier(n_hyperplanes=2**25),
            DeepThresholdClassifier(n_hyperplanes=2**25),
            MemorizingClassifier(n_hyperplanes=2**18, activation="relu"),
            RandomReLUClassifier(n_hyperplanes=2**18),
            RandomThresholdTransformer(n_hyperplanes=2**25),
            SlabClassifier(),
            NearbySetClassifier(),
            ResidualMemorizingClassifier(),
        ):
            before = dict(vars(estimator))
            dense = "n_hyperplanes" in before
            try:
                estimator.fit(*(X, y) if dense else (wide, y[:200]))
            except MemoryError as error:
                assert vars(estimator) == before
                print(error)
        """
    )
    out, errors = process.communicate(timeout=120)
    assert process.returncode == 0, errors
    advice = out.splitlines()
    assert len(advice) == 8, errors
    assert all("GiB of memory" in line for line in advice)
    assert all("Lower n_hyperplanes=" in line for line in advice[:5])
    assert all("Fit fewer samples or features" in line for line in advice[5:])


def test_sizes_are_compared_with_the_memory_before_anything_is_allocated(monkeypatch):
    monkeypatch.setattr(_memory, "available_memory", lambda: 2.0**27)
    small = MemorizingClassifier(n_hyperplanes=64, random_state=0)
    assert small.fit(SAMPLES, LABELS).classes_.size == 3
    message = r"take [\d,]+\.\d GiB of memory, and 0.1 GiB are available"
    for estimator in (
        MemorizingClassifier(n_hyperplanes=10**12),
        DeepThresholdClassifier(n_hyperplanes=10**12),
        RandomThresholdTransformer(n_hyperplanes=10**12),
        RandomReLUClassifier(n_hyperplanes=10**12),
    ):
        with pytest.raises(MemoryError, match=message):
            estimator.fit(SAMPLES, LABELS)
        with pytest.raises(NotFittedError):
            check_is_fitted(estimator)


def test_a_bare_memory_error_gets_advice(monkeypatch):
    def fail(self, *arguments):
        raise MemoryError

    for name in CLASSIFIERS:
        monkeypatch.setattr(getattr(sklearn_memorize, name), "_build", fail)
        with pytest.raises(MemoryError, match="fewer samples or features"):
            new(name).fit(SAMPLES, LABELS)
