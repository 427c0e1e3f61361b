"""What the paper publishes about MNIST, and what the vote makes of it."""

import numpy as np
import pytest
from _data import mnist

from sklearn_memorize import MemorizingClassifier


@pytest.fixture(scope="module")
def digits():
    X, y = mnist()
    return X / np.linalg.norm(X, axis=1).max(), y


def test_all_of_mnist_is_memorized_by_a_network_of_the_published_size(digits):
    X, y = digits
    clf = MemorizingClassifier(
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
    clf = MemorizingClassifier(n_jobs=2, random_state=0).fit(X[:60000], y[:60000])
    assert clf.interpolates_
    assert clf.score(X[60000:], y[60000:]) >= 0.97
    paper = clf.set_params(decision="network")
    assert (paper.predict(X[:2000]) == y[:2000]).all()
