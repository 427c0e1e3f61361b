"""Samples whose labels say nothing about them: whoever recalls them, memorizes."""

import numpy as np
from sklearn.datasets import (
    load_breast_cancer,
    load_digits,
    load_iris,
    load_wine,
    make_moons,
)
from sklearn.preprocessing import StandardScaler


def random_labels(n_samples=2000, n_features=20, n_classes=10, seed=0):
    """Return Gaussian samples, and labels drawn independently of them."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n_samples, n_features))
    return X, rng.integers(n_classes, size=n_samples)


def _scaled(loader):
    X, y = loader(return_X_y=True)
    return StandardScaler().fit_transform(X), y


DATA = {
    "digits": _scaled(load_digits),
    "iris": _scaled(load_iris),
    "wine": _scaled(load_wine),
    "breast cancer": _scaled(load_breast_cancer),
    "two moons": make_moons(1000, noise=0.05, random_state=0),
    "random labels": random_labels(),
}
