"""What the paper publishes about MNIST, and what the vote makes of it."""

import pickle

import numpy as np
import pytest
from scipy import sparse
from support.data import mnist
from threadpoolctl import threadpool_limits

from sklearn_memorize import MemorizingClassifier, kernels

# 70,000 digits, or predictions of thousands of them one by one.
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def digits():
    X, y = mnist()
    return X / np.linalg.norm(X, axis=1).max(), y


def test_all_of_mnist_is_memorized_by_a_network_of_the_published_size(digits):
    X, y = digits
    clf = MemorizingClassifier(
        hyperplanes="random",
        n_hyperplanes=1000,
        max_bias=1.0,
        center=False,
        n_draws=1,
        decision="network",
        n_jobs=2,
        random_state=0,
    ).fit(X, y)
    assert clf.interpolates_
    # Mean and standard deviation of 25 runs of the authors.
    assert abs(clf.second_layer_widths_.sum() - 15188.08) < 2 * 458.82


def test_mnist_is_classified_well_and_memorized(digits):
    X, y = digits
    clf = MemorizingClassifier(hyperplanes="random", n_jobs=2, random_state=0).fit(
        X[:60000], y[:60000]
    )
    assert clf.interpolates_
    assert clf.score(X[60000:], y[60000:]) >= 0.97
    paper = clf.set_params(decision="network")
    assert (paper.predict(X[:2000]) == y[:2000]).all()


def predictions_in_every_way(clf, X):
    order = np.random.default_rng(0).permutation(len(X))
    inverse = np.argsort(order)
    yield "double", clf.predict(X.astype(np.float64))
    yield "single", clf.predict(X.astype(np.float32))
    yield "fortran", clf.predict(np.asfortranarray(X))
    yield "sparse", clf.predict(sparse.csr_matrix(X))
    yield "shuffled", clf.predict(X[order])[inverse]
    yield "pickled", pickle.loads(pickle.dumps(clf)).predict(X)
    yield "two jobs", clf.set_params(n_jobs=2).predict(X)
    clf.set_params(n_jobs=None)
    for n_threads in (1, 2):
        with threadpool_limits(n_threads):
            yield f"{n_threads} threads", clf.predict(X)
    rows = (clf.predict(X[[i]])[0] for i in range(len(X)))
    yield "row by row", np.fromiter(rows, dtype=clf.classes_.dtype)
    with kernels.use_backend("numpy"):
        yield "plain kernels", clf.predict(X)


def test_mnist_predictions_do_not_depend_on_how_they_were_asked_for():
    X, y = mnist()
    X, y = X[:10000] / np.float32(255), y[:10000]
    clf = MemorizingClassifier(
        hyperplanes="random", n_hyperplanes=2000, n_draws=1, random_state=0, n_jobs=2
    )
    clf.fit(X, y).set_params(n_jobs=None)
    assert clf.interpolates_
    for way, answer in predictions_in_every_way(clf, X[:2000]):
        assert (answer == y[:2000]).all(), way
