"""Too little memory is an error with advice."""

import sys
import tracemalloc

import numpy as np
import pytest
from scipy import sparse
from sklearn.exceptions import NotFittedError
from sklearn.utils.validation import check_is_fitted
from support.estimators import CLASSIFIERS, built, new
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
        rng = np.random.default_rng(0)
        wide = sparse.random_array((200, 10**6), density=0.01, format="csr", rng=rng)
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
            RobustMemorizingClassifier(),
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
    assert len(advice) == 9, errors
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


def dense(n_samples, n_features):
    return np.random.default_rng(0).standard_normal((n_samples, n_features))


def mostly_zero(n_samples, n_features, density):
    return sparse.random_array(
        (n_samples, n_features),
        density=density,
        format="csr",
        rng=np.random.default_rng(0),
    )


SHAPES = {
    "tall": lambda: dense(3000, 60),
    "square": lambda: dense(700, 700),
    "wide": lambda: dense(60, 20_000),
    "tall and sparse": lambda: mostly_zero(2000, 300, 0.05),
    "sparse": lambda: mostly_zero(300, 4000, 1e-2),
    "wide and sparse": lambda: mostly_zero(300, 2**20, 3e-5),
}
# The others are read in blocks, or hold the points in the storage that they came in.
DENSE = ["NearbySetClassifier", "ResidualMemorizingClassifier", "SlabClassifier"]
DENSE += ["InterpolatingNeighborsClassifier", "RobustMemorizingClassifier"]


def peak_of_fit(estimator, X, y):
    tracemalloc.start()
    try:
        estimator.fit(X, y)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.slow
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("name", DENSE)
def test_estimates_of_memory_are_within_a_quarter(name, shape, memory):
    X = SHAPES[shape]()
    y = np.arange(X.shape[0]) % 2
    peak = peak_of_fit(new(name), X, y)
    memory(0.75 * peak)
    with pytest.raises(MemoryError, match="GiB of memory.*Fit fewer samples"):
        new(name).fit(X, y)
    memory(1.25 * peak)
    assert new(name).fit(X, y).interpolates_


@pytest.mark.parametrize("name", sorted(set(CLASSIFIERS) - {"MemorizingClassifier"}))
def test_columns_that_do_not_vary_take_no_memory(name):
    X = mostly_zero(300, 2**20, 3e-5)
    y = np.arange(300) % 2
    # Rows of zeros only are equal; the label of the first one is theirs.
    y[np.diff(X.indptr) == 0] = 0
    estimator = new(name)
    assert peak_of_fit(estimator, X, y) < 2**29  # of 2.3 GiB for one dense copy
    assert estimator.n_features_in_ == built(estimator).n_inputs == 2**20
    assert (estimator.predict(X) == y).all()
    unseen = np.setdiff1d(np.arange(2**20), X.indices)[0]
    column = sparse.csr_array(
        (np.full(300, 9.0), (np.arange(300), np.full(300, unseen))), shape=X.shape
    )
    assert (estimator.predict(X + column) == y).all()
